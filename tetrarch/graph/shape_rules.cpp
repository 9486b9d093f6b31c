#include "tetrarch/graph/shape_rules.h"

#include <algorithm>
#include <limits>

namespace tetrarch::tet {

using llvm::SmallVector;
using llvm::SmallVectorImpl;
using mlir::RankedTensorType;

bool areDistinctDims(Dims dims, int64_t rank) {
  llvm::SmallVector<bool> seen(rank, false);
  for (int64_t dim : dims) {
    if (dim < 0 || dim >= rank || seen[dim]) return false;
    seen[dim] = true;
  }
  return true;
}

bool isStrictlyIncreasing(Dims dims) {
  return std::adjacent_find(dims.begin(), dims.end(), std::greater_equal<>()) == dims.end();
}

bool allPositive(Dims values) {
  return llvm::all_of(values, [](int64_t v) { return v > 0; });
}

// Attributes are any 64-bit numbers: sums and products of them need more bits.
using Wide = __int128;

int64_t paddedSize(int64_t dim, int64_t low, int64_t high, int64_t dilation) {
  const Wide spread = dim == 0 ? 0 : Wide{dim - 1} * dilation + 1;
  const Wide padded = low + spread + high;
  return padded < 0 || padded > (Wide{1} << 62) ? -1 : static_cast<int64_t>(padded);
}

int64_t windowCount(int64_t dim, int64_t low, int64_t high, int64_t base_dilation, int64_t size,
                    int64_t dilation, int64_t stride) {
  const int64_t padded = paddedSize(dim, low, high, base_dilation);
  const Wide window = Wide{size - 1} * dilation + 1;
  if (padded < 0) return -1;
  return window > padded ? 0 : static_cast<int64_t>((padded - window) / stride + 1);
}

bool canReduce(ReductionKind kind, mlir::Type element_type) {
  switch (kind) {
    case ReductionKind::Add:
    case ReductionKind::Multiply:
      return !element_type.isInteger(1);
    case ReductionKind::Maximum:
    case ReductionKind::Minimum:
      return true;
    case ReductionKind::And:
    case ReductionKind::Or:
    case ReductionKind::Xor:
      return llvm::isa<mlir::IntegerType>(element_type);
    case ReductionKind::Assign:
      return false;
  }
  return false;
}

bool sameShapes(mlir::TypeRange inferred, mlir::TypeRange actual) {
  return inferred.size() == actual.size() && llvm::all_of(llvm::zip(inferred, actual), [](auto pair) {
           auto [a, b] = pair;
           return llvm::cast<RankedTensorType>(a).getShape() == llvm::cast<RankedTensorType>(b).getShape();
         });
}

mlir::LogicalResult verifyResultKind(mlir::Operation* op) {
  auto isFloat = [](mlir::Value v) { return llvm::isa<mlir::FloatType>(tensorType(v).getElementType()); };
  const bool lhs = isFloat(op->getOperand(0)), rhs = isFloat(op->getOperand(1)),
             result = isFloat(op->getResult(0));
  if (lhs == rhs && lhs == result) return mlir::success();
  return op->emitOpError("operands and result are not all floats or all integers (C1)");
}

//===-- Elementwise
//----------------------------------------------------------------------------------------------===//

static RankedTensorType boolsLike(mlir::Value value) {
  return tensorType(value).clone(mlir::IntegerType::get(value.getContext(), 1));
}

mlir::LogicalResult IsFiniteOp::inferReturnTypes(mlir::MLIRContext*, std::optional<mlir::Location>,
                                                 Adaptor op, SmallVectorImpl<mlir::Type>& types) {
  types.push_back(boolsLike(op.getOperand()));
  return mlir::success();
}

mlir::LogicalResult CompareOp::inferReturnTypes(mlir::MLIRContext*, std::optional<mlir::Location>, Adaptor op,
                                                SmallVectorImpl<mlir::Type>& types) {
  types.push_back(boolsLike(op.getLhs()));
  return mlir::success();
}

//===-- Shapes and data movement
//---------------------------------------------------------------------------------===//

ShapeOr ConstantOp::shapeRule(ErrorEmitter emitError, Adaptor op) {
  auto type = llvm::dyn_cast<RankedTensorType>(op.getValue().getType());
  if (!type) return emitError() << "value is not a ranked tensor (C1)";
  return type;
}

mlir::LogicalResult IotaOp::verify() {
  const int64_t dim = getIotaDimension();
  if (dim >= 0 && dim < getType().getRank()) return mlir::success();
  return emitOpError() << "dimension " << dim << " is not one of the result's (C1)";
}

mlir::LogicalResult BroadcastInDimOp::verify() {
  RankedTensorType from = getOperand().getType(), to = getType();
  Dims dims = getBroadcastDimensions();
  if (from.getElementType() != to.getElementType()) return emitOpError("element types differ (C1)");
  if (std::ssize(dims) != from.getRank()) {
    return emitOpError() << "has " << dims.size() << " dims for an operand of rank " << from.getRank()
                         << " (C2)";
  }
  if (!areDistinctDims(dims, to.getRank()) || !isStrictlyIncreasing(dims)) {
    return emitOpError() << "dims [" << dims << "] are not increasing dimensions of the result (C3)";
  }
  for (auto [d, dim] : llvm::enumerate(dims)) {
    if (from.getDimSize(d) == 1 || from.getDimSize(d) == to.getDimSize(dim)) continue;
    return emitOpError() << "cannot repeat dimension " << d << " of size " << from.getDimSize(d) << " to "
                         << to.getDimSize(dim) << " (C4)";
  }
  return mlir::success();
}

mlir::LogicalResult ReshapeOp::verify() {
  RankedTensorType from = getOperand().getType(), to = getType();
  if (from.getElementType() != to.getElementType()) return emitOpError("element types differ (C1)");
  if (from.getNumElements() == to.getNumElements()) return mlir::success();
  return emitOpError() << "has " << from.getNumElements() << " elements in and " << to.getNumElements()
                       << " out (C2)";
}

mlir::LogicalResult BitcastConvertOp::verify() {
  RankedTensorType from = getOperand().getType(), to = getType();
  const int64_t from_bits = from.getElementTypeBitWidth(), to_bits = to.getElementTypeBitWidth();
  if (from_bits * from.getNumElements() != to_bits * to.getNumElements()) {
    return emitOpError("does not keep the number of bits (C1)");
  }
  const bool narrower = from_bits > to_bits, wider = from_bits < to_bits;
  Dims from_shape = from.getShape(), to_shape = to.getShape();
  if ((wider && from_shape.empty()) || (narrower && to_shape.empty()) ||
      from_shape.drop_back(wider ? 1 : 0) != to_shape.drop_back(narrower ? 1 : 0)) {
    return emitOpError("shapes differ beyond the last dimension that the widths add or take (C2)");
  }
  auto subByte = [](int64_t bits) { return bits == 1 || bits == 4; };
  if ((subByte(from_bits) || subByte(to_bits)) && from_bits != to_bits) {
    return emitOpError("i1 and i4 convert only to themselves (C3)");
  }
  return mlir::success();
}

ShapeOr TransposeOp::shapeRule(ErrorEmitter emitError, Adaptor op) {
  RankedTensorType type = tensorType(op.getOperand());
  Dims permutation = op.getPermutation();
  if (std::ssize(permutation) != type.getRank() || !areDistinctDims(permutation, type.getRank())) {
    return emitError() << "[" << permutation << "] is not a permutation of " << type.getRank()
                       << " dimensions (C1)";
  }
  SmallVector<int64_t> shape;
  for (int64_t dim : permutation) shape.push_back(type.getDimSize(dim));
  return type.clone(shape);
}

ShapeOr ReverseOp::shapeRule(ErrorEmitter emitError, Adaptor op) {
  RankedTensorType type = tensorType(op.getOperand());
  if (areDistinctDims(op.getDimensions(), type.getRank())) return type;
  return emitError() << "dims [" << op.getDimensions() << "] are not distinct dimensions of the operand (C1)";
}

ShapeOr SliceOp::shapeRule(ErrorEmitter emitError, Adaptor op) {
  RankedTensorType type = tensorType(op.getOperand());
  Dims starts = op.getStartIndices(), limits = op.getLimitIndices(), strides = op.getStrides();
  const auto rank = static_cast<size_t>(type.getRank());
  if (starts.size() != rank || limits.size() != rank || strides.size() != rank) {
    return emitError() << "needs " << rank << " starts, limits and strides (C1)";
  }
  SmallVector<int64_t> shape;
  for (size_t d = 0; d < rank; ++d) {
    if (starts[d] < 0 || starts[d] > limits[d] || limits[d] > type.getDimSize(d)) {
      return emitError() << "range " << starts[d] << " to " << limits[d] << " leaves dimension " << d
                         << " of size " << type.getDimSize(d) << " (C2)";
    }
    if (strides[d] < 1) return emitError() << "stride " << strides[d] << " is not positive (C3)";
    shape.push_back(llvm::divideCeil(limits[d] - starts[d], strides[d]));
  }
  return type.clone(shape);
}

static bool haveOneType(mlir::ValueRange values) {
  return llvm::all_of(values, [&](mlir::Value v) { return v.getType() == values.front().getType(); });
}

ShapeOr DynamicSliceOp::shapeRule(ErrorEmitter emitError, Adaptor op) {
  RankedTensorType type = tensorType(op.getOperand());
  Dims sizes = op.getSliceSizes();
  const auto rank = static_cast<size_t>(type.getRank());
  if (sizes.size() != rank || op.getStartIndices().size() != rank) {
    return emitError() << "needs " << rank << " starts and sizes (C1)";
  }
  for (size_t d = 0; d < rank; ++d) {
    if (sizes[d] >= 0 && sizes[d] <= type.getDimSize(d)) continue;
    return emitError() << "size " << sizes[d] << " does not fit in dimension " << d << " of size "
                       << type.getDimSize(d) << " (C2)";
  }
  if (!haveOneType(op.getStartIndices())) return emitError() << "starts have several types (C3)";
  return type.clone(sizes);
}

ShapeOr DynamicUpdateSliceOp::shapeRule(ErrorEmitter emitError, Adaptor op) {
  RankedTensorType type = tensorType(op.getOperand()), update = tensorType(op.getUpdate());
  if (type.getElementType() != update.getElementType()) return emitError() << "element types differ (C1)";
  if (type.getRank() != update.getRank() || std::ssize(op.getStartIndices()) != type.getRank()) {
    return emitError() << "operand, update and starts differ in rank (C2)";
  }
  for (int64_t d = 0; d < type.getRank(); ++d) {
    if (update.getDimSize(d) <= type.getDimSize(d)) continue;
    return emitError() << "update is larger than the operand in dimension " << d << " (C3)";
  }
  if (!haveOneType(op.getStartIndices())) return emitError() << "starts have several types (C4)";
  return type;
}

ShapeOr PadOp::shapeRule(ErrorEmitter emitError, Adaptor op) {
  RankedTensorType type = tensorType(op.getOperand()), value = tensorType(op.getPaddingValue());
  Dims low = op.getEdgePaddingLow(), high = op.getEdgePaddingHigh(), interior = op.getInteriorPadding();
  const auto rank = static_cast<size_t>(type.getRank());
  if (value.getRank() != 0 || value.getElementType() != type.getElementType()) {
    return emitError() << "padding value is not a scalar of the operand's element type (C1)";
  }
  if (low.size() != rank || high.size() != rank || interior.size() != rank) {
    return emitError() << "needs " << rank << " low, high and interior paddings (C2)";
  }
  SmallVector<int64_t> shape;
  for (size_t d = 0; d < rank; ++d) {
    if (interior[d] < 0) return emitError() << "interior padding " << interior[d] << " is negative (C3)";
    if (interior[d] == std::numeric_limits<int64_t>::max())
      return emitError() << "interior padding is too large (C3)";
    shape.push_back(paddedSize(type.getDimSize(d), low[d], high[d], interior[d] + 1));
    if (shape.back() < 0) return emitError() << "dimension " << d << " becomes negative or too large (C4)";
  }
  return type.clone(shape);
}

ShapeOr ConcatenateOp::shapeRule(ErrorEmitter emitError, Adaptor op) {
  if (op.getInputs().empty()) return emitError() << "has no input (C1)";
  RankedTensorType first = tensorType(op.getInputs().front());
  const int64_t dim = op.getDimension();
  if (dim < 0 || dim >= first.getRank()) {
    return emitError() << "dimension " << dim << " is not one of the inputs' (C2)";
  }
  SmallVector<int64_t> shape(first.getShape());
  shape[dim] = 0;
  for (auto [i, input] : llvm::enumerate(op.getInputs())) {
    RankedTensorType type = tensorType(input);
    bool agrees = type.getElementType() == first.getElementType() && type.getRank() == first.getRank();
    for (int64_t d = 0; agrees && d < first.getRank(); ++d) {
      agrees = d == dim || type.getDimSize(d) == first.getDimSize(d);
    }
    if (!agrees) return emitError() << "input " << i << " does not agree with the first (C3)";
    if (__builtin_add_overflow(shape[dim], type.getDimSize(dim), &shape[dim])) {
      return emitError() << "result is too large (C3)";
    }
  }
  return first.clone(shape);
}

//===-- Reductions
//-----------------------------------------------------------------------------------------------===//

static mlir::InFlightDiagnostic cannotReduce(ErrorEmitter emitError, ReductionKind kind,
                                             mlir::Type element_type) {
  return emitError() << "kind " << stringifyReductionKind(kind) << " does not combine " << element_type
                     << " (C2)";
}

ShapeOr ReduceOp::shapeRule(ErrorEmitter emitError, Adaptor op) {
  RankedTensorType type = tensorType(op.getOperand());
  if (!areDistinctDims(op.getDimensions(), type.getRank())) {
    return emitError() << "dims [" << op.getDimensions()
                       << "] are not distinct dimensions of the operand (C1)";
  }
  if (!canReduce(op.getKind(), type.getElementType())) {
    return cannotReduce(emitError, op.getKind(), type.getElementType());
  }
  SmallVector<int64_t> shape;
  for (int64_t d = 0; d < type.getRank(); ++d) {
    if (!llvm::is_contained(op.getDimensions(), d)) shape.push_back(type.getDimSize(d));
  }
  return type.clone(shape);
}

ShapeOr ReduceWindowOp::shapeRule(ErrorEmitter emitError, Adaptor op) {
  RankedTensorType type = tensorType(op.getOperand());
  Dims padding = op.getPadding();
  const auto rank = static_cast<size_t>(type.getRank());
  for (Dims dims :
       {op.getWindowDimensions(), op.getWindowStrides(), op.getBaseDilations(), op.getWindowDilations()}) {
    if (dims.size() != rank || !allPositive(dims)) {
      return emitError() << "[" << dims << "] is not one positive entry per dimension (C1)";
    }
  }
  if (padding.size() != 2 * rank) return emitError() << "needs " << 2 * rank << " paddings (C1)";
  if (!canReduce(op.getKind(), type.getElementType())) {
    return cannotReduce(emitError, op.getKind(), type.getElementType());
  }
  SmallVector<int64_t> shape;
  for (size_t d = 0; d < rank; ++d) {
    shape.push_back(windowCount(type.getDimSize(d), padding[2 * d], padding[2 * d + 1],
                                op.getBaseDilations()[d], op.getWindowDimensions()[d],
                                op.getWindowDilations()[d], op.getWindowStrides()[d]));
    if (shape.back() < 0) return emitError() << "padded dimension " << d << " is negative or too large (C3)";
  }
  return type.clone(shape);
}

ShapeOr CumulativeOp::shapeRule(ErrorEmitter emitError, Adaptor op) {
  RankedTensorType type = tensorType(op.getOperand());
  const int64_t dim = op.getDimension();
  if (dim < 0 || dim >= type.getRank()) {
    return emitError() << "dimension " << dim << " is not one of the operand's (C1)";
  }
  if (canReduce(op.getKind(), type.getElementType())) return type;
  return cannotReduce(emitError, op.getKind(), type.getElementType());
}

}  // namespace tetrarch::tet
