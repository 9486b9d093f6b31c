// Shape rules of gather, scatter and sort.
#include "tetrarch/graph/dimension_numbers.h"
#include "tetrarch/graph/shape_rules.h"

namespace tetrarch::tet {

using llvm::SmallVector;
using llvm::SmallVectorImpl;
using mlir::RankedTensorType;

namespace {

// The index dimensions that number the index vectors.
SmallVector<int64_t> batchShape(RankedTensorType indices, int64_t index_vector_dim) {
  SmallVector<int64_t> shape(indices.getShape());
  if (index_vector_dim < indices.getRank()) shape.erase(shape.begin() + index_vector_dim);
  return shape;
}

// The constraints that gather and scatter share; `result_rank` is that of gather's result or scatter's
// updates.
mlir::LogicalResult checkNumbers(ErrorEmitter emitError, const DimensionNumbers& n, RankedTensorType operand,
                                 RankedTensorType indices, int64_t result_rank) {
  auto error = [&](const llvm::Twine& message) {
    emitError() << message;
    return mlir::failure();
  };
  if (n.index_vector_dim < 0 || n.index_vector_dim > indices.getRank()) {
    return error("index_vector_dim " + llvm::Twine(n.index_vector_dim) +
                 " is beyond the rank of the indices (C1)");
  }
  const int64_t length = n.index_vector_dim < indices.getRank() ? indices.getDimSize(n.index_vector_dim) : 1;
  if (std::ssize(n.index_map) != length || !areDistinctDims(n.index_map, operand.getRank())) {
    return error("an index vector of " + llvm::Twine(length) + " does not map to distinct dimensions (C2)");
  }
  SmallVector<int64_t> dropped(n.collapsed);
  llvm::append_range(dropped, n.operand_batching);
  const int64_t windows = operand.getRank() - std::ssize(dropped);
  if (!areDistinctDims(dropped, operand.getRank()) || !isStrictlyIncreasing(n.collapsed) ||
      !isStrictlyIncreasing(n.operand_batching) || std::ssize(n.offset_dims) != windows ||
      !areDistinctDims(n.offset_dims, result_rank) || !isStrictlyIncreasing(n.offset_dims)) {
    return error("window, collapsed and batching dimensions do not cover the operand once, in order (C4)");
  }
  bool pairs = n.operand_batching.size() == n.indices_batching.size() &&
               areDistinctDims(n.indices_batching, indices.getRank()) &&
               !llvm::is_contained(n.indices_batching, n.index_vector_dim);
  for (size_t i = 0; pairs && i < n.operand_batching.size(); ++i) {
    pairs = operand.getDimSize(n.operand_batching[i]) == indices.getDimSize(n.indices_batching[i]) &&
            !llvm::is_contained(n.index_map, n.operand_batching[i]);
  }
  return pairs ? mlir::success() : error("batching dimensions of operand and indices do not pair (C5)");
}

// The dimensions of the operand that a window keeps.
SmallVector<int64_t> windowDims(const DimensionNumbers& n, int64_t rank) {
  SmallVector<int64_t> dims;
  for (int64_t d = 0; d < rank; ++d) {
    if (n.isWindowDim(d)) dims.push_back(d);
  }
  return dims;
}

}  // namespace

ShapeOr GatherOp::shapeRule(ErrorEmitter emitError, Adaptor op) {
  RankedTensorType operand = tensorType(op.getOperand()), indices = tensorType(op.getStartIndices());
  const DimensionNumbers n = gatherNumbers(op);
  Dims sizes = op.getSliceSizes();
  const int64_t rank =
      indices.getRank() - (n.index_vector_dim < indices.getRank()) + std::ssize(n.offset_dims);
  if (failed(checkNumbers(emitError, n, operand, indices, rank))) return mlir::failure();
  if (std::ssize(sizes) != operand.getRank()) return emitError() << "needs one slice size per dimension (C3)";
  const SmallVector<int64_t> windows = windowDims(n, operand.getRank());
  for (int64_t d = 0; d < operand.getRank(); ++d) {
    const int64_t limit =
        llvm::is_contained(windows, d) ? operand.getDimSize(d) : std::min<int64_t>(operand.getDimSize(d), 1);
    if (sizes[d] >= 0 && sizes[d] <= limit) continue;
    return emitError() << "slice size " << sizes[d] << " does not fit in dimension " << d << " (C3)";
  }
  SmallVector<int64_t> shape;
  const SmallVector<int64_t> batch = batchShape(indices, n.index_vector_dim);
  for (size_t d = 0, window = 0, b = 0; std::cmp_less(d, rank); ++d) {
    shape.push_back(llvm::is_contained(n.offset_dims, d) ? sizes[windows[window++]] : batch[b++]);
  }
  return operand.clone(shape);
}

ShapeOr ScatterOp::shapeRule(ErrorEmitter emitError, Adaptor op) {
  RankedTensorType input = tensorType(op.getInput()), indices = tensorType(op.getScatterIndices());
  RankedTensorType updates = tensorType(op.getUpdates());
  const DimensionNumbers n = scatterNumbers(op);
  if (failed(checkNumbers(emitError, n, input, indices, updates.getRank()))) return mlir::failure();
  if (updates.getElementType() != input.getElementType() ||
      (op.getKind() != ReductionKind::Assign && !canReduce(op.getKind(), input.getElementType()))) {
    return emitError() << "kind " << stringifyReductionKind(op.getKind()) << " does not combine "
                       << updates.getElementType() << " into " << input.getElementType() << " (C3)";
  }
  const SmallVector<int64_t> windows = windowDims(n, input.getRank());
  const SmallVector<int64_t> batch = batchShape(indices, n.index_vector_dim);
  bool fits = updates.getRank() == std::ssize(windows) + std::ssize(batch);
  for (size_t d = 0, window = 0, b = 0; fits && std::cmp_less(d, updates.getRank()); ++d) {
    fits = llvm::is_contained(n.offset_dims, d) ? updates.getDimSize(d) <= input.getDimSize(windows[window++])
                                                : updates.getDimSize(d) == batch[b++];
  }
  if (!fits) return emitError() << "the shape of the updates does not fit the indices and the input (C6)";
  return input;
}

mlir::LogicalResult SortOp::inferReturnTypes(mlir::MLIRContext*, std::optional<mlir::Location>, Adaptor op,
                                             SmallVectorImpl<mlir::Type>& types) {
  llvm::append_range(types, op.getInputs().getTypes());
  return mlir::success();
}

mlir::LogicalResult SortOp::verify() {
  if (getInputs().empty()) return emitOpError("has no input (C1)");
  RankedTensorType keys = tensorType(getInputs().front());
  for (mlir::Value input : getInputs()) {
    if (tensorType(input).getShape() != keys.getShape()) return emitOpError("inputs differ in shape (C2)");
  }
  const int64_t dim = getDimension();
  if (dim >= 0 && dim < keys.getRank()) return mlir::success();
  return emitOpError() << "dimension " << dim << " is not one of the inputs' (C3)";
}

}  // namespace tetrarch::tet
