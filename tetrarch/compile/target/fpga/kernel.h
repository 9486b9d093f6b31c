// From a task to a scheduled kernel, for a part.
#pragma once

#include "tetrarch/compile/target/fpga/read_task.h"

namespace tetrarch::fpga {

// The stages of a task, simplified but not scheduled: to look at.
Result<mlir::OwningOpRef<mlir::ModuleOp>> readKernel(const compile::Task& task, const Part& part,
                                                     const Fold& fold);

// With as much hardware as pays and fits. Unimplemented with the reason: for what does not fit, the resource
// and both numbers.
// A kernel that shares the part with others gets one of `share` equal shares.
Result<Kernel> makeKernel(const compile::Task& task, const Part& part, int64_t share = 1);

// Of all units, modelled: cycles at the estimated clock, then what the ports move over the device's link.
double estimateSeconds(const Kernel& kernel);

}  // namespace tetrarch::fpga
