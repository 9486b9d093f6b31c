// Attention in its forms, and rotary embeddings.
#include <algorithm>
#include <cmath>
#include <limits>

#include "tetrarch/import/compositions.h"
#include "tetrarch/import/onnx/importer.h"
#include "tetrarch/import/onnx/op_context.h"

namespace tetrarch::onnx {
namespace {

using enum tet::ComparisonDirection;
using tet::ReductionKind;

constexpr double kMinusInfinity = -std::numeric_limits<double>::infinity();

// [batch, length, heads * size] to [batch, heads, length, size].
Value splitHeads(OpContext& n, Value x, int64_t heads) {
  if (rankOf(x) == 4) return x;
  if (rankOf(x) != 3 || heads < 1 || dimOf(x, 2) % heads != 0) {
    n.refuse("{} heads do not fit {}", heads, toString(typeOf(x), shapeOf(x)));
    return {};
  }
  return n.b.transpose(n.b.reshape(x, {dimOf(x, 0), dimOf(x, 1), heads, dimOf(x, 2) / heads}), {0, 2, 1, 3});
}

Value mergeHeads(GraphBuilder& b, Value x) {
  return b.reshape(b.transpose(x, {0, 2, 1, 3}), {dimOf(x, 0), dimOf(x, 2), dimOf(x, 1) * dimOf(x, 3)});
}

// Each head `times` times in a row, for queries that share keys and values.
Value repeatHeads(GraphBuilder& b, Value x, int64_t times) {
  if (times == 1) return x;
  const Shape wide = {dimOf(x, 0), dimOf(x, 1), times, dimOf(x, 2), dimOf(x, 3)};
  return b.reshape(b.broadcastInDim(x, wide, {0, 1, 3, 4}), {wide[0], wide[1] * times, wide[3], wide[4]});
}

// Which keys a query may see, from the rules of position: at row i and column j.
struct Positions {
  Value row, column;
};
// The number of keys before the block of queries: [] or [batch, 1, 1, 1].
Value queryOffset(OpContext& n, int64_t queries) {
  if (n.has(4)) return n.b.scalarInt(ElementType::I64, dimOf(n.in(4), 2));
  if (!n.has(6)) return n.b.scalarInt(ElementType::I64, 0);
  const Value length = n.b.reshape(n.b.convert(n.in(6), ElementType::I64), {countOf(n.in(6)), 1, 1, 1});
  return n.b.sub(length, static_cast<double>(queries));
}

Value both(GraphBuilder& b, Value allowed, Value also) {
  return allowed ? b.binary("and", allowed, also) : also;
}

// The additive mask in f32, 0 where a query may look and -inf where not; null when it may look everywhere.
Value maskBias(OpContext& n, int64_t queries, int64_t keys) {
  GraphBuilder& b = n.b;
  const Shape square = {queries, keys};
  const Value row = b.iota(ElementType::I64, square, 0), column = b.iota(ElementType::I64, square, 1);
  const int64_t left = n.getInt("left_window_size", -1), right = n.getInt("right_window_size", -1);
  Value allowed, bias;
  if (n.getInt("is_causal") || left >= 0 || right >= 0) {
    const Value position = b.add(row, queryOffset(n, queries));
    if (n.getInt("is_causal")) allowed = b.compare(LE, column, position);
    if (left >= 0)
      allowed = both(b, allowed, b.compare(GE, column, b.sub(position, static_cast<double>(left))));
    if (right >= 0)
      allowed = both(b, allowed, b.compare(LE, column, b.add(position, static_cast<double>(right))));
  }
  if (n.has(6)) {
    const Value length = b.reshape(b.convert(n.in(6), ElementType::I64), {countOf(n.in(6)), 1, 1, 1});
    allowed = both(b, allowed, b.compare(LT, column, length));
  }
  if (n.has(3)) {
    Value mask = n.in(3);
    const int64_t missing = keys - dimOf(mask, rankOf(mask) - 1);
    if (missing > 0) {
      Shape zeros(rankOf(mask), 0), high = zeros;
      high.back() = missing;
      const double hidden = typeOf(mask) == ElementType::I1 ? 0 : kMinusInfinity;
      mask = b.pad(mask, b.scalar(typeOf(mask), hidden), zeros, high);
    }
    if (typeOf(mask) == ElementType::I1) {
      allowed = both(b, allowed, mask);
    } else {
      bias = b.convert(mask, ElementType::F32);
    }
  }
  if (!allowed) return bias;
  return b.select(allowed, bias ? bias : b.scalar(ElementType::F32, 0), kMinusInfinity);
}

struct AttentionSpec {
  double scale, softcap;
  int64_t exposed;  // which scores are the second result
};

// softmax(q kᵀ scale + bias) v in f32. A query that may look nowhere yields 0.
Values attend(GraphBuilder& b, const Values& inputs, const AttentionSpec& spec, ElementType type) {
  auto body = [&](llvm::ArrayRef<Value> in) -> Values {
    const double root = std::sqrt(spec.scale);
    const Value q = b.mul(b.convert(in[0], ElementType::F32), root),
                k = b.mul(b.convert(in[1], ElementType::F32), root);
    Value scores = b.dotGeneral(q, k, {0, 1}, {0, 1}, {3}, {3});
    Value exposed = scores;
    if (spec.softcap > 0) scores = b.mul(b.unary("tanh", b.div(scores, spec.softcap)), spec.softcap);
    if (spec.exposed == 1) exposed = scores;
    if (in.size() > 3) scores = b.add(scores, in[3]);
    if (spec.exposed == 2) exposed = scores;
    const Value largest = b.reduce(ReductionKind::Maximum, scores, {3}, true);
    const Value hidden = b.compare(EQ, largest, kMinusInfinity);
    const Value e = b.exp(b.sub(scores, b.select(hidden, b.like(largest, 0), largest)));
    const Value sum = b.sum(e, {3}, true);
    const Value weights = b.div(e, b.select(hidden, b.like(sum, 1), sum));
    if (spec.exposed == 3) exposed = weights;
    const Value y = b.dotGeneral(weights, b.convert(in[2], ElementType::F32), {0, 1}, {0, 1}, {3}, {2});
    return {b.convert(y, type), b.convert(exposed, type)};
  };
  Values results = b.composite("attention", inputs, body,
                               {b.attrFloat("scale", spec.scale), b.attrFloat("softcap", spec.softcap)});
  results.resize(2);
  return results;
}

}  // namespace

// Inputs: queries, keys, values, mask, past keys, past values, number of keys that are not padding.
Status importAttention(OpContext& n) {
  if (typeOf(n.in(0)) == ElementType::F64) return n.decline("element type f64 is not supported");
  const bool merged = rankOf(n.in(0)) == 3;
  const Value q = splitHeads(n, n.in(0), n.getInt("q_num_heads"));
  Value k = splitHeads(n, n.in(1), n.getInt("kv_num_heads")),
        v = splitHeads(n, n.in(2), n.getInt("kv_num_heads"));
  if (n.has(4)) k = n.b.concat({n.in(4), k}, 2);
  if (n.has(5)) v = n.b.concat({n.in(5), v}, 2);
  TET_RETURN_IF_ERROR(n.b.status());
  const int64_t heads = dimOf(q, 1), shared = dimOf(k, 1);
  if (rankOf(q) != 4 || rankOf(k) != 4 || rankOf(v) != 4 || shared < 1 || heads % shared != 0 ||
      dimOf(v, 1) != shared) {
    return invalidArgument("its queries, keys and values do not fit each other");
  }
  Values inputs = {q, repeatHeads(n.b, k, heads / shared), repeatHeads(n.b, v, heads / shared)};
  if (const Value bias = maskBias(n, dimOf(q, 2), dimOf(k, 2))) {
    inputs.push_back(n.b.broadcastTo(bias, {dimOf(q, 0), heads, dimOf(q, 2), dimOf(k, 2)}));
  }
  TET_RETURN_IF_ERROR(n.b.status());
  const AttentionSpec spec{n.getFloat("scale", 1 / std::sqrt(static_cast<double>(dimOf(q, 3)))),
                           n.getFloat("softcap", 0), n.getInt("qk_matmul_output_mode", 0)};
  if (!(spec.scale >= 0) || dimOf(k, 2) == 0) return n.decline("a negative scale or no keys at all");
  const Values results = attend(n.b, inputs, spec, typeOf(q));
  return n.results({merged ? mergeHeads(n.b, results[0]) : results[0], k, v, results[1]});
}

// Inputs: x, cosines, sines, positions. Rotates pairs of elements of each head.
Status importRotaryEmbedding(OpContext& n) {
  GraphBuilder& b = n.b;
  const bool merged = rankOf(n.in(0)) == 3;
  const Value x = splitHeads(n, n.in(0), n.getInt("num_heads"));
  TET_RETURN_IF_ERROR(b.status());
  const int64_t size = dimOf(x, 3), wanted = n.getInt("rotary_embedding_dim"),
                turned = wanted ? wanted : size;
  if (rankOf(x) != 4 || turned < 2 || turned > size || turned % 2 != 0)
    return invalidArgument("it cannot rotate {} of {}", turned, size);
  auto angles = [&](int i) {
    const Value cache = n.has(3) ? b.take(n.in(i), n.in(3), 0) : n.in(i);
    return b.expandDims(cache, {1});  // [batch, 1, length, turned / 2]
  };
  const Value cosine = angles(1), sine = angles(2), rotated = b.sliceAxis(x, 3, 0, turned);
  const bool interleaved = n.getInt("interleaved") != 0;
  const Value even =
      interleaved ? b.sliceAxis(rotated, 3, 0, turned, 2) : b.sliceAxis(rotated, 3, 0, turned / 2);
  const Value odd =
      interleaved ? b.sliceAxis(rotated, 3, 1, turned, 2) : b.sliceAxis(rotated, 3, turned / 2, turned);
  const Value real = b.sub(b.mul(cosine, even), b.mul(sine, odd));
  const Value imaginary = b.add(b.mul(sine, even), b.mul(cosine, odd));
  Value y = interleaved ? b.reshape(b.concat({b.expandDims(real, {4}), b.expandDims(imaginary, {4})}, 4),
                                    shapeOf(rotated))
                        : b.concat({real, imaginary}, 3);
  if (turned < size) y = b.concat({y, b.sliceAxis(x, 3, turned, size)}, 3);
  return n.result(merged ? mergeHeads(b, y) : y);
}

//-- Attention with the model's own functions of scores and probabilities

// The value after the subgraph that attribute `name` holds, or as it is.
static Result<Value> modify(OpContext& n, std::string_view name, Value value) {
  if (!n.hasAttribute(name)) return value;
  const Graph* graph = n.getGraph(name);
  TET_RETURN_IF_ERROR(n.b.status());
  TET_ASSIGN_OR_RETURN(const Values results, n.importer.importSubgraph(*graph, {value}, n.scope, n.frame));
  if (results.size() != 1 || shapeOf(results[0]) != shapeOf(value))
    return invalidArgument("its {} does not keep the shape", name);
  return n.b.convert(results[0], typeOf(value));
}

Status importFlexAttention(OpContext& n) {
  GraphBuilder& b = n.b;
  const Value q = n.in(0);
  const int64_t heads = dimOf(q, 1), shared = dimOf(n.in(1), 1);
  if (rankOf(q) != 4 || rankOf(n.in(1)) != 4 || rankOf(n.in(2)) != 4 || shared < 1 || heads % shared != 0 ||
      dimOf(n.in(2), 1) != shared || dimOf(n.in(1), 2) < 1) {
    return invalidArgument("its queries, keys and values do not fit each other");
  }
  const ElementType type = typeOf(q);
  ElementType wide = byteSize(type) < 4 ? ElementType::F32 : type;
  if (n.hasAttribute("softmax_precision")) {
    TET_ASSIGN_OR_RETURN(wide, elementTypeOf(static_cast<int>(n.getInt("softmax_precision"))));
  }
  const double scale = n.getFloat("scale", 1 / std::sqrt(static_cast<double>(dimOf(q, 3))));
  if (!isFloat(wide) || !(scale >= 0)) return n.decline("a negative scale, or a softmax of integers");
  const Value k = repeatHeads(b, n.in(1), heads / shared), v = repeatHeads(b, n.in(2), heads / shared);
  const double root = std::sqrt(scale);
  const Value product = b.dotGeneral(b.mul(q, root), b.mul(k, root), {0, 1}, {0, 1}, {3}, {3});
  TET_ASSIGN_OR_RETURN(const Value scores, modify(n, "score_mod", b.convert(product, wide)));
  TET_ASSIGN_OR_RETURN(const Value weights, modify(n, "prob_mod", softmax(b, scores, 3)));
  const Value y = b.dotGeneral(weights, b.convert(v, wide), {0, 1}, {0, 1}, {3}, {2});
  return n.result(b.convert(y, type));
}

//-- Linear attention: a state instead of keys and values, unrolled over time

namespace {

// One head's sizes, and what each step reads: [batch, heads, length, …] in f32, or null.
struct LinearAttention {
  int64_t batch, heads, group, key, value, length;
  Value q, k, v, decay, beta;
};

Result<LinearAttention> readLinearAttention(OpContext& n) {
  const int64_t queries = n.getInt("q_num_heads"), heads = n.getInt("kv_num_heads");
  const std::string rule = n.getString("update_rule", "gated_delta");
  const bool gated = rule == "gated" || rule == "gated_delta",
             delta = rule == "delta" || rule == "gated_delta";
  if (!gated && !delta && rule != "linear") return n.decline("update_rule '{}' is not known", rule);
  if (heads < 1 || queries < 1 || queries % heads != 0 || gated != n.has(4) || delta != n.has(5))
    return invalidArgument("its heads, decay or beta do not fit its update_rule '{}'", rule);
  auto split = [&](int i, int64_t count) {
    return n.b.convert(splitHeads(n, n.in(i), count), ElementType::F32);
  };
  LinearAttention a{dimOf(n.in(0), 0), heads, queries / heads, 0, 0, dimOf(n.in(0), 1), {}, {}, {}, {}, {}};
  a.q = split(0, queries), a.k = split(1, heads), a.v = split(2, heads);
  if (gated) a.decay = split(4, heads);
  if (delta) a.beta = split(5, dimOf(n.in(5), 2) == 1 ? 1 : heads);
  TET_RETURN_IF_ERROR(n.b.status());
  a.key = dimOf(a.k, 3), a.value = dimOf(a.v, 3);
  auto fits = [&](Value x, int64_t count, int64_t size) {
    return shapeOf(x) == llvm::ArrayRef(Shape{a.batch, count, a.length, size});
  };
  if (!fits(a.q, queries, a.key) || !fits(a.k, heads, a.key) || !fits(a.v, heads, a.value) ||
      (gated && !fits(a.decay, heads, dimOf(a.decay, 3) == 1 ? 1 : a.key)) ||
      (delta && !fits(a.beta, dimOf(a.beta, 1), 1))) {
    return invalidArgument("its queries, keys, values, decay and beta do not fit each other");
  }
  return a;
}

// The state [batch, heads, key, value] after step `t`, which writes the value for the key.
Value nextState(GraphBuilder& b, const LinearAttention& a, Value state, int64_t t) {
  auto at = [&](Value x) { return b.squeeze(b.sliceAxis(x, 2, t, t + 1), {2}); };
  const Value key = at(a.k);
  Value value = at(a.v);
  if (a.decay) state = b.mul(state, b.expandDims(b.exp(at(a.decay)), {3}));
  if (a.beta) {
    const Value old = b.dotGeneral(key, state, {0, 1}, {0, 1}, {2}, {2});
    value = b.mul(b.sub(value, old), at(a.beta));
  }
  return b.add(state, b.mul(b.expandDims(key, {3}), b.expandDims(value, {2})));
}

}  // namespace

// Inputs: queries, keys, values, past state, decay, beta.
Status importLinearAttention(OpContext& n) {
  GraphBuilder& b = n.b;
  TET_ASSIGN_OR_RETURN(const LinearAttention a, readLinearAttention(n));
  if (a.length < 1 || a.length > n.importer.limits().unrolled_iterations)
    return n.decline("{} steps cannot be unrolled", a.length);
  const Shape shape = {a.batch, a.heads, a.key, a.value};
  if (n.has(3) && shapeOf(n.in(3)) != llvm::ArrayRef(shape))
    return invalidArgument("its past state is {}", toString(typeOf(n.in(3)), shapeOf(n.in(3))));
  const double given = n.getFloat("scale", 0);
  const double scale = given == 0 ? 1 / std::sqrt(static_cast<double>(a.key)) : given;
  const Value queries =
      b.reshape(b.mul(a.q, scale), {a.batch, a.heads, a.group, a.length, a.key});  // those that share a state
  Value state = n.has(3) ? b.convert(n.in(3), ElementType::F32) : b.full(ElementType::F32, shape, 0);
  Values steps;  // [batch, heads, group, 1, value]
  for (int64_t t = 0; t < a.length && b.ok(); ++t) {
    state = nextState(b, a, state, t);
    const Value query = b.squeeze(b.sliceAxis(queries, 3, t, t + 1), {3});
    steps.push_back(b.expandDims(b.dotGeneral(query, state, {0, 1}, {0, 1}, {3}, {2}), {3}));
  }
  const Value all = b.concat(steps, 3);
  const Value y = mergeHeads(b, b.reshape(all, {a.batch, a.heads * a.group, a.length, a.value}));
  const ElementType type = typeOf(n.in(0));
  return n.results({b.convert(y, type), b.convert(state, n.has(3) ? typeOf(n.in(3)) : type)});
}

}  // namespace tetrarch::onnx
