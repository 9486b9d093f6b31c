// Values on their way through the pipeline of a scheduled nest: which of them are only other names for bits,
// when each is taken, and what keeps it until then. For the scheduler, the estimate and the printer.
#pragma once

#include <set>

#include "tetrarch/abi/fpga_program.h"

namespace tetrarch::fpga {

// A value that waits at least so long lies in RAM of LUTs (fpga_wait) rather than in registers...
inline constexpr int kLeastLine = 6;
// ...of 16 words, with a register behind them.
inline constexpr int kLongestLine = 17;

// Nothing but other names for bits: extensions, shifts by constants, what two such shifts put together. They
// are there whenever what they rename is.
bool isWire(const std::vector<Node>& nodes, size_t node);
// The same for an operator whose operands are not known.
bool isWire(Operator op);

// The stage in which an accumulator's cell takes its update: not the one in which it is read, where an update
// without a register of its own would meet itself.
int updateStage(const Nest& nest, size_t accumulator);

// Where a Load takes its address, a store of an earlier iteration is on its way to the same memory.
struct Overtaking {
  uint32_t load = 0;    // the node
  uint32_t stage = 0;   // where that iteration is
  const Output* store;  // the nest's
};
// Of each load those that began last come first.
std::vector<Overtaking> overtakingsOf(const Nest& nest);

// Of each node but wires the cycles in which it is taken, which include what takes it through wires.
std::vector<std::multiset<int>> takesOf(const Nest& nest);

// What keeps a value of this width for so many cycles.
Resources keepingOf(int64_t width, int64_t cycles);
// The same for all the cycles in which a value that is there in cycle `ready` is taken.
Resources keepingOf(int64_t width, int ready, const std::multiset<int>& takes);

// Which nodes lie on a way from an accumulator's cell back to it.
std::vector<bool> recurrencesOf(const Nest& nest);

}  // namespace tetrarch::fpga
