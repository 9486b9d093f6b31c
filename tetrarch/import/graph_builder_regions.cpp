// Contractions, reductions, gathers and ops with regions of GraphBuilder.
#include <algorithm>

#include "tetrarch/graph/tet.h"
#include "tetrarch/graph/types.h"
#include "tetrarch/import/graph_builder.h"

namespace tetrarch {
namespace {

// `window` over all dimensions of a value of `rank`: size 1 for those before the spatial ones.
Shape padFront(llvm::ArrayRef<int64_t> values, int64_t rank, int64_t fill) {
  Shape all(std::max<int64_t>(rank - static_cast<int64_t>(values.size()), 0), fill);
  all.insert(all.end(), values.begin(), values.end());
  return all;
}

// low and high of each dimension in turn.
Shape interleave(llvm::ArrayRef<int64_t> low, llvm::ArrayRef<int64_t> high) {
  Shape pairs;
  for (size_t i = 0; i < low.size(); ++i) {
    pairs.push_back(low[i]);
    pairs.push_back(high[i]);
  }
  return pairs;
}

Shape offsetRange(int64_t begin, int64_t end) {
  Shape dims;
  for (int64_t d = begin; d < end; ++d) dims.push_back(d);
  return dims;
}

}  // namespace

//-- Contractions and reductions

Value GraphBuilder::dotGeneral(Value a, Value b, llvm::ArrayRef<int64_t> a_batch,
                               llvm::ArrayRef<int64_t> b_batch, llvm::ArrayRef<int64_t> a_contract,
                               llvm::ArrayRef<int64_t> b_contract, std::optional<ElementType> out) {
  if (!given({a, b})) return {};
  Shape shape;
  for (const int64_t d : a_batch) shape.push_back(dimOf(a, d));
  for (int64_t d = 0; d < rankOf(a); ++d) {
    if (!llvm::is_contained(a_batch, d) && !llvm::is_contained(a_contract, d)) shape.push_back(dimOf(a, d));
  }
  for (int64_t d = 0; d < rankOf(b); ++d) {
    if (!llvm::is_contained(b_batch, d) && !llvm::is_contained(b_contract, d)) shape.push_back(dimOf(b, d));
  }
  return emit<tet::DotGeneralOp>(tensorType(out.value_or(typeOf(a)), shape), a, b, a_batch, b_batch,
                                 a_contract, b_contract);
}

Value GraphBuilder::matmul(Value a, Value b, std::optional<ElementType> out) {
  if (!given({a, b})) return {};
  if (rankOf(a) == 0 || rankOf(b) == 0)
    return fail(invalidArgument("an operand of a matrix product is a scalar"));
  const bool row = rankOf(a) == 1, column = rankOf(b) == 1;
  if (row) a = expandDims(a, {0});
  if (column) b = expandDims(b, {1});
  const auto batch = broadcastShapes(shapeOf(a).drop_back(2), shapeOf(b).drop_back(2));
  if (!batch) return fail(invalidArgument("batch dimensions of a matrix product do not broadcast"));
  Value result;
  const int64_t n = static_cast<int64_t>(batch->size());
  if (rankOf(b) == 2) {  // one matrix for all of a: no batch, so that a's rows can be one long matrix
    result = dotGeneral(a, b, {}, {}, {rankOf(a) - 1}, {0}, out);
  } else {
    auto batched = [&](Value v) {
      Shape shape = *batch;
      llvm::append_range(shape, shapeOf(v).take_back(2));
      return broadcastTo(v, shape);
    };
    result = dotGeneral(batched(a), batched(b), range(n), range(n), {n + 1}, {n}, out);
  }
  if (!ok()) return {};
  Shape dropped;
  if (row) dropped.push_back(rankOf(result) - 2);
  if (column) dropped.push_back(rankOf(result) - 1);
  return squeeze(result, dropped);
}

Value GraphBuilder::convolution(Value x, Value w, const Window& window,
                                llvm::ArrayRef<int64_t> input_dilation, int64_t groups,
                                std::optional<ElementType> out) {
  if (!given({x, w})) return {};
  const int64_t spatial = static_cast<int64_t>(window.size.size());
  Shape shape = {dimOf(x, 0), dimOf(w, 0)};
  for (int64_t i = 0; i < spatial; ++i) {
    const int64_t in = dimOf(x, i + 2), spread = in == 0 ? 0 : (in - 1) * input_dilation[i] + 1;
    const int64_t reach = (window.size[i] - 1) * window.dilations[i] + 1;
    const int64_t room = spread + window.pad_low[i] + window.pad_high[i] - reach;
    shape.push_back(room < 0 || window.strides[i] < 1 ? 0 : room / window.strides[i] + 1);
  }
  const Shape dims = offsetRange(2, spatial + 2);
  return emit<tet::ConvolutionOp>(tensorType(out.value_or(typeOf(x)), shape), x, w, window.strides,
                                  interleave(window.pad_low, window.pad_high), input_dilation,
                                  window.dilations, 0, 1, dims, 1, 0, dims, 0, 1, dims, groups, 1);
}

Value GraphBuilder::reduce(tet::ReductionKind kind, Value x, llvm::ArrayRef<int64_t> axes, bool keep_dims) {
  if (!given({x})) return {};
  Value result = axes.empty() ? x : emit<tet::ReduceOp>(kind, x, axes);
  if (!keep_dims || !ok()) return result;
  Shape shape(shapeOf(x));
  for (const int64_t axis : axes) shape[axis] = 1;
  return reshape(result, shape);
}

Value GraphBuilder::mean(Value x, llvm::ArrayRef<int64_t> axes, bool keep_dims) {
  double count = 1;
  for (const int64_t axis : axes) count *= static_cast<double>(dimOf(x, axis));
  return div(sum(x, axes, keep_dims), count);
}

Value GraphBuilder::reduceWindow(tet::ReductionKind kind, Value x, const Window& window) {
  if (!given({x})) return {};
  const int64_t rank = rankOf(x);
  return emit<tet::ReduceWindowOp>(
      kind, x, padFront(window.size, rank, 1), padFront(window.strides, rank, 1), Shape(rank, 1),
      padFront(window.dilations, rank, 1),
      interleave(padFront(window.pad_low, rank, 0), padFront(window.pad_high, rank, 0)));
}

Value GraphBuilder::cumulative(tet::ReductionKind kind, Value x, int64_t axis) {
  return given({x}) ? emit<tet::CumulativeOp>(kind, x, axis) : Value();
}

//-- Gather, scatter, sort

Value GraphBuilder::wrapIndices(Value indices, int64_t size) {
  if (!given({indices}) || info(typeOf(indices)).kind == ElementKind::Unsigned) return indices;
  const Value negative = compare(tet::ComparisonDirection::LT, indices, 0);
  return select(negative, add(indices, static_cast<double>(size)), indices);
}

Value GraphBuilder::take(Value x, Value indices, int64_t axis) {
  if (!given({x, indices})) return {};
  if (axis < 0 || axis >= rankOf(x)) return fail(invalidArgument("axis {} does not exist", axis));
  Shape sizes(shapeOf(x));
  sizes[axis] = 1;
  const int64_t index_rank = rankOf(indices), rank = rankOf(x) - 1 + index_rank;
  Shape offsets = range(axis);
  llvm::append_range(offsets, offsetRange(axis + index_rank, rank));
  return emit<tet::GatherOp>(x, wrapIndices(indices, dimOf(x, axis)), offsets, Shape{axis}, Shape{}, Shape{},
                             Shape{axis}, index_rank, sizes);
}

Value GraphBuilder::takeAlong(Value x, Value indices, int64_t axis) {
  if (!given({x, indices})) return {};
  if (rankOf(x) != rankOf(indices) || axis < 0 || axis >= rankOf(x)) {
    return fail(invalidArgument("data of rank {} and indices of rank {} do not fit on axis {}", rankOf(x),
                                rankOf(indices), axis));
  }
  Shape limits(shapeOf(indices));  // the indices may cover a corner of x only
  limits[axis] = dimOf(x, axis);
  x = slice(x, Shape(rankOf(x), 0), limits);
  if (!ok()) return {};
  const Shape others = complement(rankOf(x), {axis});
  return emit<tet::GatherOp>(x, wrapIndices(indices, dimOf(x, axis)), Shape{}, Shape{axis}, others, others,
                             Shape{axis}, rankOf(x), Shape(rankOf(x), 1));
}

// Index vectors whose parts count from the end where negative; part k indexes a dimension of sizes[k].
static Value wrapVectors(GraphBuilder& b, Value indices, llvm::ArrayRef<int64_t> sizes) {
  Tensor limits = Tensor::of<int64_t>(typeOf(indices), {static_cast<int64_t>(sizes.size())}, sizes);
  const Value negative = b.compare(tet::ComparisonDirection::LT, indices, 0);
  return b.select(negative, b.add(indices, b.constant(limits)), indices);
}

Value GraphBuilder::gatherNd(Value x, Value indices, int64_t batch_dims) {
  if (!given({x, indices})) return {};
  const int64_t depth = rankOf(indices) == 0 ? 0 : shapeOf(indices).back();
  if (rankOf(indices) == 0 || batch_dims < 0 || batch_dims >= rankOf(indices) ||
      batch_dims + depth > rankOf(x)) {
    return fail(invalidArgument("index vectors of {} do not fit data of rank {}", depth, rankOf(x)));
  }
  const int64_t vector_dim = rankOf(indices) - 1, window = rankOf(x) - batch_dims - depth;
  Shape sizes(shapeOf(x));
  std::fill_n(sizes.begin(), batch_dims + depth, 1);
  const Shape map = offsetRange(batch_dims, batch_dims + depth);
  indices = wrapVectors(*this, indices, shapeOf(x).slice(batch_dims, depth));
  if (!ok()) return {};
  return emit<tet::GatherOp>(x, indices, offsetRange(vector_dim, vector_dim + window), map, range(batch_dims),
                             range(batch_dims), map, vector_dim, sizes);
}

Value GraphBuilder::scatterAlong(tet::ReductionKind kind, Value x, Value indices, Value updates,
                                 int64_t axis) {
  if (!given({x, indices, updates})) return {};
  if (rankOf(x) != rankOf(indices) || axis < 0 || axis >= rankOf(x)) {
    return fail(invalidArgument("data of rank {} and indices of rank {} do not fit on axis {}", rankOf(x),
                                rankOf(indices), axis));
  }
  Shape limits(shapeOf(indices));
  limits[axis] = dimOf(x, axis);
  const Value corner = slice(x, Shape(rankOf(x), 0), limits);
  if (!ok()) return {};
  const Shape others = complement(rankOf(x), {axis});
  const Value done = emit<tet::ScatterOp>(kind, corner, wrapIndices(indices, dimOf(x, axis)), updates,
                                          Shape{}, Shape{axis}, others, others, Shape{axis}, rankOf(x));
  if (!ok() || corner == x) return done;
  return dynamicUpdateSlice(x, done, Values(rankOf(x), scalarInt(ElementType::I64, 0)));
}

Value GraphBuilder::scatterNd(tet::ReductionKind kind, Value x, Value indices, Value updates) {
  if (!given({x, indices, updates})) return {};
  const int64_t depth = rankOf(indices) == 0 ? 0 : shapeOf(indices).back();
  if (rankOf(indices) == 0 || depth > rankOf(x)) {
    return fail(invalidArgument("index vectors of {} do not fit data of rank {}", depth, rankOf(x)));
  }
  const int64_t vector_dim = rankOf(indices) - 1;
  indices = wrapVectors(*this, indices, shapeOf(x).take_front(depth));
  if (!ok()) return {};
  return emit<tet::ScatterOp>(kind, x, indices, updates,
                              offsetRange(vector_dim, vector_dim + rankOf(x) - depth), range(depth), Shape{},
                              Shape{}, range(depth), vector_dim);
}

Values GraphBuilder::sort(llvm::ArrayRef<Value> values, int64_t axis, tet::SortDirection direction) {
  if (!given(values)) return Values(values.size());
  llvm::SmallVector<mlir::Type> types;
  for (Value value : values) types.push_back(value.getType());
  auto op = tet::SortOp::create(builder_, builder_.getUnknownLoc(), types, values, axis, direction, true);
  Values results = finish(op);
  results.resize(values.size());
  return results;
}

//-- Regions

bool GraphBuilder::fillRegion(mlir::Region& region, mlir::TypeRange types, Body body) {
  mlir::OpBuilder::InsertionGuard guard(builder_);
  const llvm::SmallVector<mlir::Location> locations(types.size(), builder_.getUnknownLoc());
  mlir::Block* block = builder_.createBlock(&region, region.end(), types, locations);
  const Values arguments(block->getArguments());
  const Values results = body(arguments);
  if (!given(results)) return false;
  tet::ReturnOp::create(builder_, builder_.getUnknownLoc(), results);
  return true;
}

Values GraphBuilder::composite(llvm::StringRef name, llvm::ArrayRef<Value> inputs, Body body,
                               llvm::ArrayRef<mlir::NamedAttribute> attributes) {
  if (!given(inputs)) return {};
  mlir::OperationState state(builder_.getUnknownLoc(), tet::CompositeOp::getOperationName());
  state.addOperands(inputs);
  state.addAttribute("name", builder_.getStringAttr(name));
  state.addAttribute("composite_attributes", builder_.getDictionaryAttr(attributes));
  mlir::Region* region = state.addRegion();
  if (!fillRegion(*region, mlir::ValueRange(inputs).getTypes(), body)) return {};
  state.addTypes(region->front().getTerminator()->getOperandTypes());
  return finish(builder_.create(state));
}

Values GraphBuilder::ifElse(Value condition, llvm::function_ref<Values()> on_true,
                            llvm::function_ref<Values()> on_false) {
  if (!given({condition})) return {};
  mlir::OperationState state(builder_.getUnknownLoc(), tet::IfOp::getOperationName());
  state.addOperands(condition);
  mlir::Region* yes = state.addRegion();
  mlir::Region* no = state.addRegion();
  if (!fillRegion(*yes, {}, [&](auto) { return on_true(); })) return {};
  if (!fillRegion(*no, {}, [&](auto) { return on_false(); })) return {};
  state.addTypes(yes->front().getTerminator()->getOperandTypes());
  return finish(builder_.create(state));
}

Values GraphBuilder::whileLoop(llvm::ArrayRef<Value> start, Body condition, Body body) {
  if (!given(start)) return {};
  mlir::OperationState state(builder_.getUnknownLoc(), tet::WhileOp::getOperationName());
  state.addOperands(start);
  const auto types = mlir::ValueRange(start).getTypes();
  state.addTypes(types);
  if (!fillRegion(*state.addRegion(), types, condition)) return {};
  if (!fillRegion(*state.addRegion(), types, body)) return {};
  return finish(builder_.create(state));
}

mlir::NamedAttribute GraphBuilder::attr(llvm::StringRef name, mlir::Attribute value) {
  return builder_.getNamedAttr(name, value);
}
mlir::NamedAttribute GraphBuilder::attr(llvm::StringRef name, int64_t value) {
  return attr(name, builder_.getI64IntegerAttr(value));
}
mlir::NamedAttribute GraphBuilder::attr(llvm::StringRef name, llvm::ArrayRef<int64_t> values) {
  return attr(name, builder_.getDenseI64ArrayAttr(values));
}
mlir::NamedAttribute GraphBuilder::attrFloat(llvm::StringRef name, double value) {
  return attr(name, builder_.getF64FloatAttr(value));
}

}  // namespace tetrarch
