// Shape rules: what result type an op's operands and attributes give, or which numbered constraint they
// break. One `Op::shapeRule` an op, in shape_rules.cpp and shape_rules_gather.cpp. Internal to graph/.
#pragma once

#include "tetrarch/graph/tet.h"

namespace tetrarch::tet {

using ShapeOr = mlir::FailureOr<mlir::RankedTensorType>;
using Dims = llvm::ArrayRef<int64_t>;

inline mlir::RankedTensorType tensorType(mlir::Value value) {
  return llvm::cast<mlir::RankedTensorType>(value.getType());
}
// Whether a static shape has at most 2^62 elements, so that its count is a number.
bool isCountable(mlir::RankedTensorType type);

// Each in [0, rank), none twice.
bool areDistinctDims(Dims dims, int64_t rank);
bool isStrictlyIncreasing(Dims dims);
bool allPositive(Dims values);

// `dim` elements spread by `dilation` and padded; -1 when that is negative or beyond 2^62.
int64_t paddedSize(int64_t dim, int64_t low, int64_t high, int64_t dilation);
// How many positions a window of `size` with `dilation` has on a dimension spread by `base_dilation` and
// padded; -1 when the padded dimension has no size.
int64_t windowCount(int64_t dim, int64_t low, int64_t high, int64_t base_dilation, int64_t size,
                    int64_t dilation, int64_t stride);

// (C?) of reduce and its kin: which kinds combine which element types.
bool canReduce(ReductionKind kind, mlir::Type element_type);

bool sameShapes(mlir::TypeRange inferred, mlir::TypeRange actual);
// (C1) of the contractions: floats with floats, integers with integers.
mlir::LogicalResult verifyResultKind(mlir::Operation* op);

template <typename Op>
mlir::LogicalResult verifyByShapeRule(Op op) {
  const ShapeOr shape = Op::shapeRule([&] { return op.emitOpError(); }, typename Op::Adaptor(op));
  if (mlir::failed(shape)) return mlir::failure();
  const mlir::Type expected = *shape, actual = op.getType();
  if (Op::isCompatibleReturnTypes(expected, actual)) return mlir::success();
  return op.emitOpError() << "gives " << expected << ", not " << actual;
}

template <typename Op>
mlir::LogicalResult verifyContraction(Op op) {
  return mlir::failed(verifyResultKind(op)) ? mlir::failure() : verifyByShapeRule(op);
}

template <typename Op>
mlir::LogicalResult inferByShapeRule(typename Op::Adaptor adaptor, llvm::SmallVectorImpl<mlir::Type>& types) {
  ShapeOr shape = Op::shapeRule([] { return mlir::InFlightDiagnostic(); }, adaptor);
  if (mlir::succeeded(shape)) {
    types.push_back(*shape);
  } else if (!adaptor.getOperands().empty()) {
    types.push_back(adaptor.getOperands().front().getType());
  } else {
    types.push_back(
        mlir::RankedTensorType::get({}, mlir::Float32Type::get(adaptor.getAttributes().getContext())));
  }
  return mlir::success();
}

}  // namespace tetrarch::tet
