// Shape rules of the contractions.
#include "tetrarch/graph/shape_rules.h"

namespace tetrarch::tet {

using llvm::SmallVector;
using mlir::RankedTensorType;

ShapeOr DotGeneralOp::shapeRule(ErrorEmitter emitError, Adaptor op) {
  RankedTensorType lhs = tensorType(op.getLhs()), rhs = tensorType(op.getRhs());
  Dims lhs_batch = op.getLhsBatchingDimensions(), rhs_batch = op.getRhsBatchingDimensions();
  Dims lhs_contract = op.getLhsContractingDimensions(), rhs_contract = op.getRhsContractingDimensions();
  if (lhs_batch.size() != rhs_batch.size() || lhs_contract.size() != rhs_contract.size()) {
    return emitError() << "lhs and rhs differ in their number of batching or contracting dimensions (C2)";
  }
  SmallVector<int64_t> lhs_dims(lhs_batch), rhs_dims(rhs_batch);
  llvm::append_range(lhs_dims, lhs_contract);
  llvm::append_range(rhs_dims, rhs_contract);
  if (!areDistinctDims(lhs_dims, lhs.getRank()) || !areDistinctDims(rhs_dims, rhs.getRank())) {
    return emitError()
           << "batching and contracting dimensions are not distinct dimensions of their operand (C3)";
  }
  for (auto [l, r] : llvm::zip(lhs_dims, rhs_dims)) {
    if (lhs.getDimSize(l) == rhs.getDimSize(r)) continue;
    return emitError() << "dimension " << l << " of lhs has size " << lhs.getDimSize(l) << " but its pair "
                       << r << " of rhs " << rhs.getDimSize(r) << " (C4)";
  }
  SmallVector<int64_t> shape;
  for (int64_t d : lhs_batch) shape.push_back(lhs.getDimSize(d));
  for (int64_t d = 0; d < lhs.getRank(); ++d) {
    if (!llvm::is_contained(lhs_dims, d)) shape.push_back(lhs.getDimSize(d));
  }
  for (int64_t d = 0; d < rhs.getRank(); ++d) {
    if (!llvm::is_contained(rhs_dims, d)) shape.push_back(rhs.getDimSize(d));
  }
  return lhs.clone(shape);
}

namespace {

// Do two single dimensions and the spatial ones name each of `rank` dimensions once?
bool nameEachDim(int64_t first, int64_t second, Dims spatial, int64_t rank) {
  SmallVector<int64_t> dims(spatial);
  dims.append({first, second});
  return std::ssize(dims) == rank && areDistinctDims(dims, rank);
}

mlir::LogicalResult checkDimensionNumbers(ErrorEmitter emitError, ConvolutionOp::Adaptor op) {
  const int64_t rank = tensorType(op.getLhs()).getRank();
  if (rank >= 2 && tensorType(op.getRhs()).getRank() == rank &&
      nameEachDim(op.getInputBatchDimension(), op.getInputFeatureDimension(), op.getInputSpatialDimensions(),
                  rank) &&
      nameEachDim(op.getKernelInputFeatureDimension(), op.getKernelOutputFeatureDimension(),
                  op.getKernelSpatialDimensions(), rank) &&
      nameEachDim(op.getOutputBatchDimension(), op.getOutputFeatureDimension(),
                  op.getOutputSpatialDimensions(), rank)) {
    return mlir::success();
  }
  emitError() << "dimension numbers do not name each dimension of input, kernel and output once (C2)";
  return mlir::failure();
}

mlir::LogicalResult checkGroups(ErrorEmitter emitError, ConvolutionOp::Adaptor op) {
  RankedTensorType lhs = tensorType(op.getLhs()), rhs = tensorType(op.getRhs());
  const int64_t features = op.getFeatureGroupCount(), batches = op.getBatchGroupCount();
  const int64_t in = lhs.getDimSize(op.getInputFeatureDimension());
  const int64_t kernel_in = rhs.getDimSize(op.getKernelInputFeatureDimension());
  const int64_t out = rhs.getDimSize(op.getKernelOutputFeatureDimension());
  if (features < 1 || batches < 1 || (features > 1 && batches > 1)) {
    emitError() << "group counts " << features << " and " << batches
                << " are not positive, one of them 1 (C4)";
    return mlir::failure();
  }
  if (in % features != 0 || in / features != kernel_in) {
    emitError() << "has " << in << " input features, but the kernel " << kernel_in << " in each of "
                << features << " groups (C5)";
    return mlir::failure();
  }
  if (out % features || out % batches || lhs.getDimSize(op.getInputBatchDimension()) % batches) {
    emitError() << "output features or batch do not divide by the group count (C6)";
    return mlir::failure();
  }
  return mlir::success();
}

}  // namespace

ShapeOr ConvolutionOp::shapeRule(ErrorEmitter emitError, Adaptor op) {
  RankedTensorType lhs = tensorType(op.getLhs()), rhs = tensorType(op.getRhs());
  if (failed(checkDimensionNumbers(emitError, op))) return mlir::failure();
  const auto spatial = static_cast<size_t>(lhs.getRank() - 2);
  for (Dims dims : {op.getWindowStrides(), op.getLhsDilation(), op.getRhsDilation()}) {
    if (dims.size() != spatial || !allPositive(dims)) {
      return emitError() << "[" << dims << "] is not one positive entry per spatial dimension (C3)";
    }
  }
  if (op.getPadding().size() != 2 * spatial)
    return emitError() << "needs " << 2 * spatial << " paddings (C3)";
  if (failed(checkGroups(emitError, op))) return mlir::failure();
  SmallVector<int64_t> shape(lhs.getRank());
  shape[op.getOutputBatchDimension()] = lhs.getDimSize(op.getInputBatchDimension()) / op.getBatchGroupCount();
  shape[op.getOutputFeatureDimension()] = rhs.getDimSize(op.getKernelOutputFeatureDimension());
  for (size_t s = 0; s < spatial; ++s) {
    const int64_t window = rhs.getDimSize(op.getKernelSpatialDimensions()[s]);
    const int64_t count = windowCount(
        lhs.getDimSize(op.getInputSpatialDimensions()[s]), op.getPadding()[2 * s], op.getPadding()[2 * s + 1],
        op.getLhsDilation()[s], window, op.getRhsDilation()[s], op.getWindowStrides()[s]);
    if (window == 0 || count < 0) {
      return emitError() << "kernel or padded input is empty in spatial dimension " << s << " (C7)";
    }
    shape[op.getOutputSpatialDimensions()[s]] = count;
  }
  return lhs.clone(shape);
}

}  // namespace tetrarch::tet
