// From a task to a kernel of the dialect `flow`.
//
// Every operand that is read at a linear function of the loops is a stream: the port's DMA walks DRAM in the
// order in which the stage pops. An operand is kept on the chip where it is read many times and fits, where
// it is padded, and where values say what is read of it.
#pragma once

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"
#include "tetrarch/abi/fpga_part.h"
#include "tetrarch/compile/code_generator.h"

namespace tetrarch::fpga {

// How much hardware a kernel gets; what does not divide the loops is rounded down.
struct Fold {
  int64_t lanes = 1;      // copies over a parallel loop
  int64_t steps = 1;      // copies over a reduced one
  bool slides = false;    // windows take an image's elements in their order, once each
  bool resident = false;  // weights of the model lie in ROMs
  int64_t cells = 1;      // sums that take turns, so that each is there when it goes on
  bool operator==(const Fold&) const = default;
};

// A module with one flow.kernel for a task that is a chain of strided nests. Unimplemented with the reason
// for others.
Result<mlir::OwningOpRef<mlir::ModuleOp>> readNestKernel(const compile::Task& task, const Part& part,
                                                         const Fold& fold);

// The same for a loop that changes elements of one tensor, which fits on the chip, one after the other:
// scatters, histograms.
Result<mlir::OwningOpRef<mlir::ModuleOp>> readUpdateKernel(const compile::Task& task, const Part& part);

// The same for any task whose tensors fit on the chip: a state machine over memories.
Result<mlir::OwningOpRef<mlir::ModuleOp>> readMachineKernel(const compile::Task& task, const Part& part);

}  // namespace tetrarch::fpga
