// Operators that nodes of different cycles take turns at. Iterations of such a nest issue a multiple of its
// interval apart, so that a node takes its operands in the same phase of the interval every time.
#pragma once

#include "tetrarch/abi/fpga_program.h"

namespace tetrarch::fpga {

// Whether an operator costs more than what lets nodes take turns at it.
bool isWorthSharing(const std::vector<Node>& nodes, size_t node);
bool haveSameOperator(const std::vector<Node>& nodes, size_t a, size_t b);

// Whether several nodes of the nest would share one.
bool gainsByTurns(const Nest& nest);

// The nodes of each operator that is there. REQUIRES: of no kind more take their operands in one phase than
// schedule() allows; then of each kind there are as few as can be.
using Operators = std::vector<std::vector<uint32_t>>;
Operators operatorsOf(const Nest& nest);

// What chooses the operands of one whose nodes take turns.
int64_t chooserLuts(const Nest& nest, const std::vector<uint32_t>& users);

}  // namespace tetrarch::fpga
