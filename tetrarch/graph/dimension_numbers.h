// The dimension numbers that gather and scatter share. Internal to graph/.
#pragma once

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/STLExtras.h"

namespace tetrarch::tet {

// Under gather's names: scatter is gather read backwards, its input being gather's operand and its updates
// gather's result.
struct DimensionNumbers {
  llvm::ArrayRef<int64_t> offset_dims, collapsed, operand_batching, indices_batching, index_map;
  int64_t index_vector_dim;

  // Is dimension d of the operand one that a window spans and the result keeps?
  bool isWindowDim(int64_t d) const {
    return !llvm::is_contained(collapsed, d) && !llvm::is_contained(operand_batching, d);
  }
};

// Of a GatherOp or its adaptor, which must outlive the result.
template <typename Gather>
DimensionNumbers gatherNumbers(Gather& op) {
  return {op.getOffsetDims(),          op.getCollapsedSliceDims(),
          op.getOperandBatchingDims(), op.getStartIndicesBatchingDims(),
          op.getStartIndexMap(),       op.getIndexVectorDim()};
}

// Of a ScatterOp or its adaptor.
template <typename Scatter>
DimensionNumbers scatterNumbers(Scatter& op) {
  return {op.getUpdateWindowDims(),           op.getInsertedWindowDims(),       op.getInputBatchingDims(),
          op.getScatterIndicesBatchingDims(), op.getScatterDimsToOperandDims(), op.getIndexVectorDim()};
}

}  // namespace tetrarch::tet
