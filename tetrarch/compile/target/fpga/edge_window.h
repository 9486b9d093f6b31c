// What a body extracts at the loops' indices plus constants, kept inside of the tensor: a window over an
// operand whose outermost values go on beyond its edges.
#pragma once

#include "llvm/ADT/DenseMap.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "tetrarch/compile/tile/nest.h"

namespace tetrarch::fpga {

using Shifts = llvm::SmallVector<int64_t, 4>;  // from the loops' place, one a dim of the tensor

// The extracts of one operand.
struct EdgeWindow {
  unsigned operand = 0;                               // its buffer,
  unsigned buffer = 0;                                // and that of the operand with what is around it
  llvm::SmallVector<int64_t, 4> shape, low, strides;  // of the operand; before it; of what is padded
  llvm::SmallVector<int, 4> dims;                     // of the nest, by dim of the tensor; -1: none
  Shifts first, last;                                 // of all places that are read or stand for such
  llvm::DenseMap<mlir::Operation*, Shifts> shifts;

  int64_t offsetOf(llvm::ArrayRef<int64_t> shifts) const;
  // What the nest reads at some shifts, as an access of the padded buffer.
  compile::TileAccess accessAt(llvm::ArrayRef<int64_t> shifts, size_t dims) const;
  int64_t count() const;  // of places; more than kMostTaps are not counted on
  std::vector<Shifts> places() const;
};

// Finds the operands that are read so. Each gets a buffer of kind kPadded, whose padding has no value; other
// reads of the operand go there too. Only of a task with one nest that reduces nothing.
std::vector<EdgeWindow> padEdges(compile::TileNestPlan& plan);

}  // namespace tetrarch::fpga
