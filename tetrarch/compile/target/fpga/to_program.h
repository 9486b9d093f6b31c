// From the dialect `flow` to the structs of abi/fpga_program.h: operators are chosen, nothing is scheduled
// yet.
#pragma once

#include "tetrarch/abi/fpga_program.h"
#include "tetrarch/compile/target/fpga/flow.h"

namespace tetrarch::fpga {

// Unimplemented names the op that no operator computes.
Result<Kernel> toProgram(flow::KernelOp kernel);

}  // namespace tetrarch::fpga
