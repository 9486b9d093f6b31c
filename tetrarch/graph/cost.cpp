// The cost model: arithmetic operations of the ops that are not elementwise, and bytes moved.
#include "tetrarch/graph/shape_rules.h"
#include "tetrarch/graph/types.h"

namespace tetrarch::tet {

static int64_t storageBytes(mlir::Value value) {
  auto type = llvm::dyn_cast<mlir::RankedTensorType>(value.getType());
  if (!type) return 0;
  return type.getNumElements() * storageElementType(type.getElementType()).getIntOrFloatBitWidth() / 8;
}

int64_t operandAndResultBytes(mlir::Operation* op) {
  int64_t bytes = 0;
  for (mlir::Value value : op->getOperands()) bytes += storageBytes(value);
  for (mlir::Value value : op->getResults()) bytes += storageBytes(value);
  return bytes;
}

// A multiplication and an addition for each product.
int64_t DotGeneralOp::getFlops() {
  int64_t products = 1;
  for (int64_t d : getLhsContractingDimensions()) products *= getLhs().getType().getDimSize(d);
  return 2 * products * getType().getNumElements();
}

int64_t ConvolutionOp::getFlops() {
  mlir::RankedTensorType kernel = getRhs().getType();
  const int64_t features = kernel.getDimSize(getKernelOutputFeatureDimension());
  return features == 0 ? 0 : 2 * (kernel.getNumElements() / features) * getType().getNumElements();
}

int64_t ReduceOp::getFlops() { return getOperand().getType().getNumElements(); }

int64_t ReduceWindowOp::getFlops() {
  int64_t window = 1;
  for (int64_t size : getWindowDimensions()) window *= size;
  return window * getType().getNumElements();
}

int64_t CumulativeOp::getFlops() { return getType().getNumElements(); }

int64_t ScatterOp::getFlops() {
  return getKind() == ReductionKind::Assign ? 0 : getUpdates().getType().getNumElements();
}

// One comparison for each of log2(n) levels.
int64_t SortOp::getFlops() {
  mlir::RankedTensorType keys = tensorType(getInputs().front());
  return keys.getNumElements() * llvm::Log2_64_Ceil(std::max<int64_t>(keys.getDimSize(getDimension()), 1));
}

int64_t CompositeOp::getFlops() {
  int64_t flops = 0;
  getBody().walk([&](CostOpInterface op) { flops += op.getFlops(); });
  return flops;
}

// One pass over inputs and results: what a code generator that recognises the composite would move.
int64_t CompositeOp::getBytesMoved() { return operandAndResultBytes(*this); }

}  // namespace tetrarch::tet
