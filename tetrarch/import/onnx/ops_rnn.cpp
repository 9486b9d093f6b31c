// Recurrent layers, unrolled over time: the product of all inputs with the weights is one matrix product
// before.
#include <algorithm>
#include <functional>

#include "tetrarch/import/onnx/importer.h"
#include "tetrarch/import/onnx/op_context.h"

namespace tetrarch::onnx {
namespace {

using Activation = std::function<Value(Value)>;

// One direction of a layer. Gate number g of a matrix is its columns [g * hidden, (g + 1) * hidden).
struct Direction {
  OpContext& n;
  GraphBuilder& b;
  int64_t hidden, gates;
  Value recurrent;       // [hidden, gates * hidden]
  Value recurrent_bias;  // [gates * hidden] or null
  Value peepholes;       // [3 * hidden] or null
  std::vector<Activation> activations;
};

struct State {
  Value hidden, cell;  // [batch, hidden]; no cell but in an LSTM
};

using Step = State (*)(const Direction&, Value input, const State&);

Value gate(const Direction& d, Value x, int64_t g) {
  return d.b.sliceAxis(x, rankOf(x) - 1, g * d.hidden, (g + 1) * d.hidden);
}

Value recur(const Direction& d, Value hidden) {
  const Value product = d.b.matmul(hidden, d.recurrent);
  return d.recurrent_bias ? d.b.add(product, d.recurrent_bias) : product;
}

State stepRnn(const Direction& d, Value input, const State& state) {
  return {d.activations[0](d.b.add(input, recur(d, state.hidden))), {}};
}

// Gates z, r, h.
State stepGru(const Direction& d, Value input, const State& state) {
  GraphBuilder& b = d.b;
  const Value past = recur(d, state.hidden);
  const Value z = d.activations[0](b.add(gate(d, input, 0), gate(d, past, 0)));
  const Value r = d.activations[0](b.add(gate(d, input, 1), gate(d, past, 1)));
  Value reset = b.mul(r, gate(d, past, 2));
  if (!d.n.getInt("linear_before_reset")) {
    reset = b.matmul(b.mul(r, state.hidden), gate(d, d.recurrent, 2));
    if (d.recurrent_bias) reset = b.add(reset, gate(d, d.recurrent_bias, 2));
  }
  const Value h = d.activations[1](b.add(gate(d, input, 2), reset));
  return {b.add(b.mul(b.sub(b.like(z, 1), z), h), b.mul(z, state.hidden)), {}};
}

// Gates i, o, f, c.
State stepLstm(const Direction& d, Value input, const State& state) {
  GraphBuilder& b = d.b;
  const Value sum = b.add(input, recur(d, state.hidden));
  auto peep = [&](Value x, int64_t which, Value cell) {
    return d.peepholes ? b.add(x, b.mul(gate(d, d.peepholes, which), cell)) : x;
  };
  const Value i = d.activations[0](peep(gate(d, sum, 0), 0, state.cell));
  const Value f = d.n.getInt("input_forget") ? b.sub(b.like(i, 1), i)
                                             : d.activations[0](peep(gate(d, sum, 2), 2, state.cell));
  const Value c = b.add(b.mul(f, state.cell), b.mul(i, d.activations[1](gate(d, sum, 3))));
  const Value o = d.activations[0](peep(gate(d, sum, 1), 1, c));
  return {b.mul(o, d.activations[2](c)), c};
}

Result<Activation> findActivation(OpContext& n, const std::string& name) {
  GraphBuilder& b = n.b;
  if (name == "Sigmoid") return Activation([&b](Value x) { return b.unary("logistic", x); });
  if (name == "Tanh") return Activation([&b](Value x) { return b.unary("tanh", x); });
  if (name == "Relu") return Activation([&b](Value x) { return b.max(x, 0); });
  if (name == "Softsign") return Activation([&b](Value x) { return b.div(x, b.add(b.abs(x), 1)); });
  return n.decline("activation '{}' is not supported", name);
}

// What tells the three layers apart.
struct Layer {
  Step step;
  int64_t gates;
  std::vector<std::string> activations;
};

Result<Direction> readDirection(OpContext& n, const Layer& layer, int64_t number, int64_t directions,
                                int64_t hidden) {
  auto own = [&](Value all) { return n.b.squeeze(n.b.sliceAxis(all, 0, number, number + 1), {0}); };
  Direction d{n, n.b, hidden, layer.gates, n.b.transpose(own(n.in(2)), {1, 0}), {}, {}, {}};
  const int64_t width = layer.gates * hidden;
  if (n.has(3)) d.recurrent_bias = n.b.sliceAxis(own(n.in(3)), 0, width, 2 * width);
  if (layer.gates == 4 && n.has(7)) d.peepholes = own(n.in(7));
  std::vector<std::string> names = n.getStrings("activations");
  if (names.empty()) {
    for (int64_t i = 0; i < directions; ++i)
      names.insert(names.end(), layer.activations.begin(), layer.activations.end());
  }
  const size_t count = layer.activations.size();
  if (names.size() != count * static_cast<size_t>(directions))
    return invalidArgument("it has {} activations", names.size());
  for (size_t i = 0; i < count; ++i) {
    TET_ASSIGN_OR_RETURN(d.activations.emplace_back(),
                         findActivation(n, names[static_cast<size_t>(number) * count + i]));
  }
  return d;
}

// A per-sample length is taken when it is the whole sequence, which makes it no length at all.
Status checkLengths(OpContext& n, int64_t length) {
  if (!n.has(4)) return {};
  TET_ASSIGN_OR_RETURN(const Shape lengths, n.constantInts(4, "which steps count"));
  if (std::ranges::any_of(lengths, [&](int64_t l) { return l != length; })) {
    return n.decline("sequences of different lengths in one batch");
  }
  return {};
}

struct Sequence {
  Values outputs;  // [batch, hidden] in order of time
  State last;
};

Sequence runDirection(const Direction& d, const Layer& layer, Value inputs, State state, bool backward) {
  const int64_t length = dimOf(inputs, 0);
  Sequence sequence{Values(length), state};
  for (int64_t t = 0; t < length && d.b.ok(); ++t) {
    const int64_t at = backward ? length - 1 - t : t;
    sequence.last = layer.step(d, d.b.squeeze(d.b.sliceAxis(inputs, 0, at, at + 1), {0}), sequence.last);
    sequence.outputs[at] = sequence.last.hidden;
  }
  return sequence;
}

// Inputs: x, W, R, B, lengths, initial h, initial c, P.
Status importRecurrent(OpContext& n, const Layer& layer) {
  GraphBuilder& b = n.b;
  const bool batch_first = n.getInt("layout") != 0;
  const std::string direction = n.getString("direction", "forward");
  Value x = n.in(0);
  if (rankOf(x) != 3 || rankOf(n.in(1)) != 3 || rankOf(n.in(2)) != 3)
    return invalidArgument("an operand is not of rank 3");
  if (batch_first) x = b.transpose(x, {1, 0, 2});
  const int64_t length = dimOf(x, 0), batch = dimOf(x, 1), hidden = dimOf(n.in(2), 2),
                directions = dimOf(n.in(2), 0);
  if (directions != (direction == "bidirectional" ? 2 : 1))
    return invalidArgument("its weights do not fit its direction");
  if (n.hasAttribute("clip")) return n.decline("clip is not supported");
  if (length < 1 || length > n.importer.limits().unrolled_iterations)
    return n.decline("{} steps cannot be unrolled", length);
  TET_RETURN_IF_ERROR(checkLengths(n, length));
  auto initial = [&](int input, int64_t number) {
    if (!n.has(input)) return b.full(typeOf(x), {batch, hidden}, 0);
    const Value all = batch_first ? b.transpose(n.in(input), {1, 0, 2}) : n.in(input);
    return b.squeeze(b.sliceAxis(all, 0, number, number + 1), {0});
  };
  std::vector<Sequence> sequences;
  for (int64_t number = 0; number < directions; ++number) {
    TET_ASSIGN_OR_RETURN(const Direction d, readDirection(n, layer, number, directions, hidden));
    const Value weights = b.squeeze(b.sliceAxis(n.in(1), 0, number, number + 1), {0});
    Value inputs = b.matmul(x, b.transpose(weights, {1, 0}));  // [length, batch, gates * hidden]
    if (n.has(3)) {
      const Value bias = b.squeeze(b.sliceAxis(n.in(3), 0, number, number + 1), {0});
      inputs = b.add(inputs, b.sliceAxis(bias, 0, 0, layer.gates * hidden));
    }
    const State start = {initial(5, number), layer.gates == 4 ? initial(6, number) : Value()};
    const bool backward = direction == "reverse" || number == 1;
    TET_RETURN_IF_ERROR(b.status());
    sequences.push_back(runDirection(d, layer, inputs, start, backward));
    TET_RETURN_IF_ERROR(b.status());
  }
  auto stackDirections = [&](auto get) {
    Values parts;
    for (const Sequence& sequence : sequences) parts.push_back(b.expandDims(get(sequence), {0}));
    const Value all = b.concat(parts, 0);  // [directions, batch, hidden]
    return batch_first ? b.transpose(all, {1, 0, 2}) : all;
  };
  Values steps;  // [1, directions, batch, hidden] each
  for (int64_t t = 0; t < length; ++t) {
    Values parts;
    for (const Sequence& sequence : sequences) parts.push_back(b.expandDims(sequence.outputs[t], {0, 1}));
    steps.push_back(b.concat(parts, 1));
  }
  Value y = b.concat(steps, 0);
  if (batch_first) y = b.transpose(y, {2, 0, 1, 3});
  const Value last = stackDirections([](const Sequence& s) { return s.last.hidden; });
  const Value cell =
      layer.gates == 4 ? stackDirections([](const Sequence& s) { return s.last.cell; }) : Value();
  return n.results({y, last, cell});
}

}  // namespace

Status importRnn(OpContext& n) { return importRecurrent(n, {stepRnn, 1, {"Tanh"}}); }
Status importGru(OpContext& n) { return importRecurrent(n, {stepGru, 3, {"Sigmoid", "Tanh"}}); }
Status importLstm(OpContext& n) { return importRecurrent(n, {stepLstm, 4, {"Sigmoid", "Tanh", "Tanh"}}); }

}  // namespace tetrarch::onnx
