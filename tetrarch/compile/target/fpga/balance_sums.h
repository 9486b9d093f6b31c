// Sums of integers, which may be taken in any order.
#pragma once

#include "tetrarch/abi/fpga_program.h"

namespace tetrarch::fpga {

// Adds first what is there first, and a cell of an accumulator last, so that sums are early and the way from
// a cell back to it is one adder; three values that are there at once are one operator. Where a sum of which
// more than one is made waits for another one, it adds that one's values itself.
// REQUIRES: cycles are not set yet.
void balanceSums(Nest& nest);

}  // namespace tetrarch::fpga
