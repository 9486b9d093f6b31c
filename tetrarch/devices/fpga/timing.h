// How many cycles one unit of a kernel takes, by the rules of rtl/fpga/README.md and exactly. No data is
// looked at; of machines, whose cycles depend on data, they are told.
#pragma once

#include <span>

#include "tetrarch/abi/fpga_program.h"

namespace tetrarch::fpga {

struct Timing {
  int64_t cycles = 0;
  int64_t steps = 0;  // that were simulated; the others repeat what went before
};

// `machine_cycles` has one number for each stage, of nests whatever it is. REQUIRES: verify() accepts the
// kernel. FailedPrecondition when the FIFOs are too shallow, so that stages wait for each other for ever, and
// ResourceExhausted when it takes too long to find out; both name a stage.
Result<Timing> simulateTiming(const Kernel& kernel, std::span<const int64_t> machine_cycles);

bool hasMachine(const Kernel& kernel);

}  // namespace tetrarch::fpga
