// If, Loop and Scan. What is known at import is unrolled into the graph; the rest becomes tet.if and
// tet.while.
#include <algorithm>
#include <limits>

#include "tetrarch/graph/tet.h"
#include "tetrarch/import/onnx/importer.h"
#include "tetrarch/import/onnx/op_context.h"

namespace tetrarch::onnx {
namespace {

using enum tet::ComparisonDirection;

std::optional<bool> knownFlag(GraphBuilder& b, Value flag) {
  const auto tensor = b.known(flag);
  return tensor && tensor->count() == 1 ? std::optional(tensor->getInt(0) != 0) : std::nullopt;
}

// For regions, whose builders cannot return a Status: the values, or none and the sticky error.
Values orSticky(GraphBuilder& b, Result<Values> values) {
  if (values.has_value()) return std::move(*values);
  b.fail(std::move(values).error());
  return {};
}

// Removes what was imported since it was made, when an attempt has to be given up.
class Attempt {
 public:
  explicit Attempt(GraphBuilder& b)
      : block_(b.ops().getInsertionBlock()), last_(block_->empty() ? nullptr : &block_->back()) {}
  void undo() {
    while (!block_->empty() && &block_->back() != last_) block_->back().erase();
  }

 private:
  mlir::Block* block_;
  mlir::Operation* last_;
};

// The parts of a Loop's body: iteration number and condition, carried values, values stacked over the
// iterations.
struct Loop {
  OpContext& n;
  const Graph& body;
  size_t carried;
  int64_t trips;  // the most iterations that the node asks for
};

Result<Values> importIteration(const Loop& loop, Value iteration, Value condition,
                               llvm::ArrayRef<Value> carried) {
  Values arguments = {iteration, condition};
  llvm::append_range(arguments, carried);
  TET_ASSIGN_OR_RETURN(Values results,
                       loop.n.importer.importSubgraph(loop.body, arguments, loop.n.scope, loop.n.frame));
  if (results.size() < loop.carried + 1) return invalidArgument("its body has too few outputs");
  return results;
}

// One value of the same shape with a leading dimension from each iteration; none at all have length 0.
Value stack(GraphBuilder& b, llvm::ArrayRef<Value> values, Value example) {
  if (values.empty()) {
    Shape shape(shapeOf(example));
    shape.insert(shape.begin(), 0);
    return b.full(typeOf(example), shape, 0);
  }
  Values rows;
  for (Value value : values) rows.push_back(b.expandDims(value, {0}));
  return b.concat(rows, 0);
}

// Unrolls while the condition is known to hold. Nothing when it depends on data.
Result<std::optional<Values>> unroll(const Loop& loop, Values carried) {
  GraphBuilder& b = loop.n.b;
  Attempt attempt(b);
  std::vector<Values> stacked;
  Values example;
  const Value yes = b.fullInt(ElementType::I1, {}, 1);
  for (int64_t i = 0; i < std::max<int64_t>(loop.trips, 1); ++i) {
    if (i >= loop.n.importer.limits().unrolled_iterations) {
      return fail(StatusCode::kOutOfRange, "it takes more than {} iterations",
                  loop.n.importer.limits().unrolled_iterations);
    }
    const bool only_types = loop.trips == 0;
    TET_ASSIGN_OR_RETURN(Values results,
                         importIteration(loop, b.scalarInt(ElementType::I64, i), yes, carried));
    const auto scanned = llvm::ArrayRef(results).drop_front(loop.carried + 1);
    example.assign(scanned.begin(), scanned.end());
    if (only_types) break;
    carried.assign(results.begin() + 1, results.begin() + 1 + static_cast<int64_t>(loop.carried));
    stacked.emplace_back(scanned.begin(), scanned.end());
    const auto goes_on = knownFlag(b, results[0]);
    if (!goes_on && i + 1 < loop.trips) {
      attempt.undo();
      return std::nullopt;
    }
    if (goes_on == false) break;
  }
  for (size_t s = 0; s < example.size(); ++s) {
    Values column;
    for (const Values& row : stacked) column.push_back(row[s]);
    carried.push_back(stack(b, column, example[s]));
  }
  return carried;
}

// tet.while over (iteration, condition, carried values). `trips` may be null: no limit.
Result<Values> runWhile(const Loop& loop, Value trips, Value condition, const Values& start) {
  GraphBuilder& b = loop.n.b;
  if (static_cast<size_t>(loop.body.output_size()) != loop.carried + 1) {
    return loop.n.decline("how often it iterates, and so the shape of its result, depends on data");
  }
  Values state = {b.scalarInt(ElementType::I64, 0), condition};
  llvm::append_range(state, start);
  auto goes_on = [&](llvm::ArrayRef<Value> v) -> Values {
    return {trips ? b.binary("and", v[1], b.compare(LT, v[0], trips)) : v[1]};
  };
  auto body = [&](llvm::ArrayRef<Value> v) -> Values {
    Values next = {b.add(v[0], 1)};
    llvm::append_range(next, orSticky(b, importIteration(loop, v[0], v[1], v.drop_front(2))));
    if (b.ok()) next[1] = b.reshape(next[1], {});
    return next;
  };
  Values results = b.whileLoop(state, goes_on, body);
  TET_RETURN_IF_ERROR(b.status());
  results.erase(results.begin(), results.begin() + 2);
  return results;
}

Value asScalar(GraphBuilder& b, Value x) { return countOf(x) == 1 ? b.reshape(x, {}) : x; }

}  // namespace

Status importIf(OpContext& n) {
  const Graph* yes = n.getGraph("then_branch");
  const Graph* no = n.getGraph("else_branch");
  const Value condition = asScalar(n.b, n.in(0));
  TET_RETURN_IF_ERROR(n.b.status());
  if (const auto known = knownFlag(n.b, condition)) {
    TET_ASSIGN_OR_RETURN(const Values results,
                         n.importer.importSubgraph(*known ? *yes : *no, {}, n.scope, n.frame));
    return n.results(results);
  }
  auto branch = [&](const Graph& graph) {
    return orSticky(n.b, n.importer.importSubgraph(graph, {}, n.scope, n.frame));
  };
  return n.results(n.b.ifElse(condition, [&] { return branch(*yes); }, [&] { return branch(*no); }));
}

Status importLoop(OpContext& n) {
  const Graph* body = n.getGraph("body");
  const Value trips = n.has(0) ? n.b.convert(asScalar(n.b, n.in(0)), ElementType::I64) : Value();
  const Value condition = n.has(1) ? asScalar(n.b, n.in(1)) : n.b.fullInt(ElementType::I1, {}, 1);
  TET_RETURN_IF_ERROR(n.b.status());
  Values start;
  for (int i = 2; i < n.inputCount(); ++i) start.push_back(n.in(i));
  TET_RETURN_IF_ERROR(n.b.status());
  Loop loop{n, *body, start.size(), std::numeric_limits<int64_t>::max()};
  const bool stacks = static_cast<size_t>(body->output_size()) > start.size() + 1;
  auto begins = knownFlag(n.b, condition);
  if (!begins && stacks) {
    TET_ASSIGN_OR_RETURN(const Tensor first, n.constant(1, "how many results are stacked"));
    begins = first.count() == 1 && first.getInt(0) != 0;
  }
  bool countable = begins.has_value();
  if (trips && !n.b.known(trips) && stacks) {
    TET_ASSIGN_OR_RETURN(const Tensor count, n.constant(0, "how many results are stacked"));
    loop.trips = count.count() == 1 ? std::max<int64_t>(count.getInt(0), 0) : 0;
  } else if (const auto count = trips ? n.b.known(trips) : std::nullopt) {
    loop.trips = std::max<int64_t>(count->getInt(0), 0);
  } else if (trips) {
    countable = false;
  }
  if (begins == false) loop.trips = 0;
  if (countable) {
    TET_ASSIGN_OR_RETURN(const auto unrolled, unroll(loop, start));
    if (unrolled) return n.results(*unrolled);
  }
  TET_ASSIGN_OR_RETURN(const Values results, runWhile(loop, trips, condition, start));
  return n.results(results);
}

// Always unrolled: the number of iterations is a dimension.
namespace {

// What the attributes of a Scan say, for `carried` states and as many scanned inputs and outputs as the axes
// list.
struct ScanForm {
  const Graph* body = nullptr;
  int64_t carried = 0;
  Shape in_axes, out_axes, in_backward, out_backward;
};

// `attribute` with a zero for each of `count` inputs or outputs where it is left out.
Result<Shape> flagsOf(OpContext& n, std::string_view attribute, size_t count) {
  Shape flags = n.getInts(attribute, Shape(count, 0));
  if (flags.size() < count) return invalidArgument("its axes or directions are too few");
  return flags;
}

Result<ScanForm> scanForm(OpContext& n, int64_t inputs) {
  ScanForm form;
  form.body = n.getGraph("body");
  const int64_t scanned = n.getInt("num_scan_inputs");
  form.carried = inputs - scanned;
  if (!form.body || scanned < 1 || form.carried < 0 || form.body->output_size() < form.carried) {
    return invalidArgument("its inputs do not fit its body");
  }
  const auto ins = static_cast<size_t>(scanned);
  const auto outs = static_cast<size_t>(form.body->output_size() - form.carried);
  TET_ASSIGN_OR_RETURN(form.in_axes, flagsOf(n, "scan_input_axes", ins));
  TET_ASSIGN_OR_RETURN(form.out_axes, flagsOf(n, "scan_output_axes", outs));
  TET_ASSIGN_OR_RETURN(form.in_backward,
                       flagsOf(n, n.opset < 9 ? "directions" : "scan_input_directions", ins));
  TET_ASSIGN_OR_RETURN(form.out_backward, flagsOf(n, "scan_output_directions", outs));
  return form;
}

// The states after the last iteration, then what each iteration gave, stacked. `values`: states, then what is
// scanned.
Result<Values> unrollScan(OpContext& n, const ScanForm& form, const Values& values) {
  Values state(values.begin(), values.begin() + form.carried);
  const Values scanned(values.begin() + form.carried, values.end());
  auto axisOf = [&](size_t i) { return n.wrapAxis(form.in_axes[i], rankOf(scanned[i])); };
  const int64_t length = dimOf(scanned[0], axisOf(0));
  if (length < 1 || length > n.importer.limits().unrolled_iterations) {
    return n.decline("{} iterations cannot be unrolled", length);
  }
  std::vector<Values> columns(form.out_axes.size());
  for (int64_t t = 0; t < length; ++t) {
    Values arguments = state;
    for (size_t i = 0; i < scanned.size(); ++i) {
      const int64_t at = form.in_backward[i] ? length - 1 - t : t, axis = axisOf(i);
      arguments.push_back(n.b.squeeze(n.b.sliceAxis(scanned[i], axis, at, at + 1), {axis}));
    }
    TET_RETURN_IF_ERROR(n.b.status());
    TET_ASSIGN_OR_RETURN(const Values results,
                         n.importer.importSubgraph(*form.body, arguments, n.scope, n.frame));
    state.assign(results.begin(), results.begin() + form.carried);
    for (size_t s = 0; s < columns.size(); ++s)
      columns[s].push_back(results[form.carried + static_cast<int64_t>(s)]);
  }
  for (size_t s = 0; s < columns.size(); ++s) {
    if (form.out_backward[s]) std::ranges::reverse(columns[s]);
    const int64_t axis = n.wrapAxis(form.out_axes[s], rankOf(columns[s].front()) + 1);
    Values rows;
    for (Value value : columns[s]) rows.push_back(n.b.expandDims(value, {axis}));
    state.push_back(n.b.concat(rows, axis));
  }
  return state;
}

}  // namespace

Status importScan(OpContext& n) {
  TET_ASSIGN_OR_RETURN(const ScanForm form, scanForm(n, n.inputCount()));
  Values values;
  for (int i = 0; i < n.inputCount(); ++i) values.push_back(n.in(i));
  TET_ASSIGN_OR_RETURN(const Values results, unrollScan(n, form, values));
  return n.results(results);
}

// The form of opset 8: input 0 has the lengths, every other tensor a batch as its first dimension.
Status importBatchedScan(OpContext& n) {
  if (n.has(0)) return n.decline("sequences of different lengths are not supported");
  TET_ASSIGN_OR_RETURN(const ScanForm form, scanForm(n, n.inputCount() - 1));
  const int64_t batch = dimOf(n.in(1), 0);
  if (batch < 1 || batch > n.importer.limits().unrolled_iterations) {
    return n.decline("a batch of {} cannot be unrolled", batch);
  }
  std::vector<Values> rows;  // of each result
  for (int64_t i = 0; i < batch; ++i) {
    Values values;
    for (int v = 1; v < n.inputCount(); ++v)
      values.push_back(n.b.squeeze(n.b.sliceAxis(n.in(v), 0, i, i + 1), {0}));
    TET_RETURN_IF_ERROR(n.b.status());
    TET_ASSIGN_OR_RETURN(const Values results, unrollScan(n, form, values));
    rows.resize(results.size());
    for (size_t r = 0; r < results.size(); ++r) rows[r].push_back(n.b.expandDims(results[r], {0}));
  }
  Values stacked;
  for (const Values& row : rows) stacked.push_back(n.b.concat(row, 0));
  return n.results(stacked);
}

}  // namespace tetrarch::onnx
