// Gathers of constant places: what they take in order is a slice, or counts and is clamped at the edges.
#include "tetrarch/compile/rewrite/rules.h"
#include "tetrarch/graph/constants.h"

namespace tetrarch::compile {
namespace {

using namespace tet;  // the ops
using Dims = llvm::SmallVector<int64_t>;
using R = PatternRewriter;

// The axis of a gather that takes whole slices of its operand, one for each index of a vector.
std::optional<int64_t> takenAxis(GatherOp op) {
  auto shape = shapeOfValue(op.getOperand());
  if (op.getStartIndexMap().size() != 1 || op.getCollapsedSliceDims() != op.getStartIndexMap() ||
      !op.getOperandBatchingDims().empty())
    return std::nullopt;
  const int64_t axis = op.getStartIndexMap()[0];
  Dims sizes(shape), others;
  sizes[axis] = 1;
  for (int64_t dim = 0; dim < static_cast<int64_t>(shape.size()); ++dim) {
    if (dim != axis) others.push_back(dim);
  }
  const bool is_vector = shapeOfValue(op.getStartIndices()).size() == 1 && op.getIndexVectorDim() == 1;
  if (!is_vector || op.getSliceSizes() != llvm::ArrayRef(sizes) ||
      op.getOffsetDims() != llvm::ArrayRef(others))
    return std::nullopt;
  return axis;
}

// iota + start, in places that takeInOrder made.
std::optional<Dims> countedPlaces(AddOp op) {
  auto start = op ? splatNumber(op.getRhs()) : std::nullopt;
  if (!start || !op.getLhs().getDefiningOp<IotaOp>()) return std::nullopt;
  Dims places;
  for (int64_t i = 0; i < tensorType(op).getNumElements(); ++i)
    places.push_back(static_cast<int64_t>(*start) + i);
  return places;
}

std::optional<Dims> knownPlaces(GatherOp op) {
  auto constant = op.getStartIndices().getDefiningOp<ConstantOp>();
  if (!constant) return countedPlaces(op.getStartIndices().getDefiningOp<AddOp>());
  Result<Tensor> tensor = tensorOf(constant.getValue());
  if (!tensor || tensor->count() == 0) return std::nullopt;
  Dims places;
  for (int64_t i = 0; i < tensor->count(); ++i) places.push_back(tensor->getInt(i));
  return places;
}

// The start from which places count up by one, where they are not clamped to 0 and to the last one.
std::optional<int64_t> startOf(llvm::ArrayRef<int64_t> places, int64_t last) {
  const int64_t count = places.size();
  auto clamped = [&](int64_t place) { return std::clamp<int64_t>(place, 0, last); };
  for (int64_t at : {int64_t{0}, count / 2, count - 1}) {
    const int64_t start = places[at] - at;
    auto fits = [&](int64_t i) { return clamped(places[i]) == clamped(start + i); };
    if (llvm::all_of(llvm::seq<int64_t>(0, count), fits)) return start;
  }
  return std::nullopt;
}

Value sliceOf(R& r, mlir::Location loc, Value value, int64_t axis, int64_t start, int64_t count) {
  auto shape = shapeOfValue(value);
  Dims starts(shape.size(), 0), limits(shape), strides(shape.size(), 1);
  starts[axis] = start;
  limits[axis] = start + count;
  return SliceOp::create(r, loc, value, starts, limits, strides);
}

// take(x, [s, s + 1, …]) = slice(x); with places beyond the edges that are the edge = take(x, iota + s)
Value takeInOrder(GatherOp op, R& r) {
  auto axis = takenAxis(op);
  auto places = axis ? knownPlaces(op) : std::nullopt;
  if (!places) return {};
  const int64_t size = shapeOfValue(op.getOperand())[*axis], count = places->size();
  auto start = startOf(*places, size - 1);
  if (!start) return {};
  if (*start >= 0 && *start + count <= size)
    return sliceOf(r, op.getLoc(), op.getOperand(), *axis, *start, count);
  if (!isConstant(op.getStartIndices())) return {};
  auto type = mlir::RankedTensorType::get({count}, r.getI64Type());
  Value iota = IotaOp::create(r, op.getLoc(), type, 0);
  Value first = ConstantOp::create(r, op.getLoc(), mlir::DenseElementsAttr::get(type, *start)).getResult();
  Value places_in_order = AddOp::create(r, op.getLoc(), iota, first);
  return cloneWith(r, op, {op.getOperand(), places_in_order}, op.getType())->getResult(0);
}

// slice(take(x, i)) = take(slice(x), slice(i)), when nothing reads all of it
Value sliceBeforeTaking(SliceOp op, R& r) {
  auto gather = op.getOperand().getDefiningOp<GatherOp>();
  auto axis = gather ? takenAxis(gather) : std::nullopt;
  auto places = axis ? knownPlaces(gather) : std::nullopt;
  if (!places || op.getType().getNumElements() == 0) return {};
  if (!llvm::all_of(gather->getUsers(), [](mlir::Operation* user) { return llvm::isa<SliceOp>(user); }))
    return {};
  Dims starts(op.getStartIndices()), limits(op.getLimitIndices()), strides(op.getStrides());
  Dims taken_places;
  for (int64_t i = starts[*axis]; i < limits[*axis]; i += strides[*axis])
    taken_places.push_back((*places)[i]);
  starts[*axis] = 0, strides[*axis] = 1;
  limits[*axis] = shapeOfValue(gather.getOperand())[*axis];
  Value source = SliceOp::create(r, op.getLoc(), gather.getOperand(), starts, limits, strides);
  Dims sizes(shapeOfValue(source));
  sizes[*axis] = 1;
  auto type = mlir::RankedTensorType::get({static_cast<int64_t>(taken_places.size())}, r.getI64Type());
  Value at =
      ConstantOp::create(r, op.getLoc(), mlir::DenseElementsAttr::get(type, llvm::ArrayRef(taken_places)));
  auto taken = llvm::cast<GatherOp>(cloneWith(r, gather, {source, at}, op.getType()));
  taken.setSliceSizes(sizes);
  return taken;
}

// take(reshape(x), i) = reshape(take(x, i)), when the reshape only adds or takes dimensions of size 1
Value takeBeforeReshape(GatherOp op, R& r) {
  auto reshape = op.getOperand().getDefiningOp<ReshapeOp>();
  auto axis = reshape ? takenAxis(op) : std::nullopt;
  auto dims = axis ? unitReshapeDims(reshape) : std::nullopt;
  if (!dims || (*dims)[*axis] < 0) return {};
  const int64_t inner_axis = (*dims)[*axis];
  Dims shape(shapeOfValue(reshape.getOperand())), sizes(shape), others;
  shape[inner_axis] = shapeOfValue(op.getStartIndices())[0];
  sizes[inner_axis] = 1;
  for (int64_t dim = 0; dim < static_cast<int64_t>(shape.size()); ++dim) {
    if (dim != inner_axis) others.push_back(dim);
  }
  auto taken = llvm::cast<GatherOp>(
      cloneWith(r, op, {reshape.getOperand(), op.getStartIndices()}, op.getType().clone(shape)));
  taken.setOffsetDims(others);
  taken.setCollapsedSliceDims(Dims{inner_axis});
  taken.setStartIndexMap(Dims{inner_axis});
  taken.setSliceSizes(sizes);
  return reshapeTo(r, op.getLoc(), taken, shapeOfValue(op.getResult()));
}

// Integers of any type are places: i where `places` is convert(i), or that in another shape, of a type that
// holds all of i.
Value narrowPlaces(Value places, R& r) {
  auto reshape = places.getDefiningOp<ReshapeOp>();
  auto convert = (reshape ? reshape.getOperand() : places).getDefiningOp<ConvertOp>();
  if (!convert) return {};
  mlir::Type narrow = tensorType(convert.getOperand()).getElementType();
  const bool counts = narrow.isInteger() && !narrow.isInteger(1);
  if (!counts || !fitsInto(narrow, tensorType(places).getElementType())) return {};
  return reshapeTo(r, places.getLoc(), convert.getOperand(), shapeOfValue(places));
}

// take(x, convert(i)) = take(x, i)
Value takeAtNarrow(GatherOp op, R& r) {
  Value places = narrowPlaces(op.getStartIndices(), r);
  return places ? cloneWith(r, op, {op.getOperand(), places}, op.getType())->getResult(0) : Value();
}
Value scatterToNarrow(ScatterOp op, R& r) {
  Value places = narrowPlaces(op.getScatterIndices(), r);
  if (!places) return {};
  return cloneWith(r, op, {op.getInput(), places, op.getUpdates()}, op.getType())->getResult(0);
}

}  // namespace

void addGatherRules(mlir::RewritePatternSet& patterns) {
  addRules<GatherOp>(patterns, {takeInOrder, takeBeforeReshape, takeAtNarrow});
  addRules<ScatterOp>(patterns, {scatterToNarrow});
  addRules<SliceOp>(patterns, {sliceBeforeTaking});
}

}  // namespace tetrarch::compile
