// How long an operator of a kernel takes, and what of the part: one table for the scheduler, the verifier,
// the estimate and the SystemVerilog printer, which gives each operator just as many registers.
#pragma once

#include "tetrarch/abi/fpga_program.h"

namespace tetrarch::fpga {

struct OperatorCost {
  int latency = 0;  // cycles from operands to result; 0: the result is there in the same cycle
  Resources uses;   // modelled, from what place and route made of the operator alone
};

// Of an operator with this result and these operands' type (Source operators: the result's). REQUIRES: they
// fit. Const, Affine, Inside, Pop, Acc and Delay cost nothing here: their registers are the nest's.
OperatorCost costOf(Operator op, Type result, Type operand);

// Whether the node is a shift by a constant: wires, where other shifts have a register.
bool isConstantShift(const std::vector<Node>& nodes, size_t node);

// Of a node, which knows what its operands are.
OperatorCost costOf(const std::vector<Node>& nodes, size_t node);

// In which cycle a node's value is there: its own cycle and the latency.
int readyCycle(const std::vector<Node>& nodes, size_t node);

// The nest's own stores to what a Load of it reads.
std::vector<const Output*> storesTo(const Nest& nest, size_t load);
// Whether a Load sees what earlier iterations of its nest store: in memory, since the interval is so long, or
// on the way there, which it takes when it has its word.
bool isInMemory(const Nest& nest, size_t load, uint32_t interval);
bool isOnItsWay(const Nest& nest, size_t load, uint32_t interval);

}  // namespace tetrarch::fpga
