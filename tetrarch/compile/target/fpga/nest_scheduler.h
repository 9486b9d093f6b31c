// When the operators of one nest start.
#pragma once

#include "tetrarch/abi/fpga_program.h"

namespace tetrarch::fpga {

// LUTs that may follow each other in one cycle, those of an operator that has a register behind it included.
inline constexpr int kChain = 2;

// Fills in the nodes' cycles, the interval, which is at least `interval`, and the depth. With a longer
// interval than the nest needs for itself nodes share operators.
void scheduleNest(Nest& nest, uint32_t interval);

// LUTs of the operators that have no register: functions of up to four values are one.
int64_t logicLuts(const Nest& nest);

}  // namespace tetrarch::fpga
