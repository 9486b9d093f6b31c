// When each operator of a kernel starts, how often an iteration begins, and what the kernel takes of the
// part.
#pragma once

#include "tetrarch/abi/fpga_part.h"
#include "tetrarch/abi/fpga_program.h"

namespace tetrarch::fpga {

// Fills in the cycles of all nodes and instructions, intervals, depths and blocks' cycles. Sums wait for all
// that comes from outside before a cell is read, so that the way from a cell back to it is as short as its
// operators allow; a nest's interval is what that way needs. With a longer `interval` nests in which several
// nodes need the same costly operator take that one, and their nodes share operators.
void schedule(Kernel& kernel, uint32_t interval = 1);

// What the scheduled kernel takes, and its clock, as modelled. ResourceExhausted names the resource that the
// part has too little of, and both numbers.
Status estimate(Kernel& kernel, const Part& part);

// Of operators like this one a machine has one, which starts once a cycle; others are there as often as they
// are used.
bool isShared(const Node& node, Type operand);

// Cycles of a run when no port waits for the other side; the twin has the exact number.
int64_t estimateCycles(const Kernel& kernel);

}  // namespace tetrarch::fpga
