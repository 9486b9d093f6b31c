#include "tetrarch/abi/fpga_cost.h"

#include <bit>

namespace tetrarch::fpga {
namespace {

int ceilLog2(int n) { return std::bit_width(static_cast<unsigned>(n - 1)); }

// Of fpga_mul: multiplier blocks for the pieces of 18 bits that reach into the result, and levels of adders.
int blocksOf(int operand_width, int result_width) {
  const int pieces = (operand_width + 17) / 18;
  int blocks = 0;
  for (int i = 0; i < pieces; ++i) {
    for (int j = 0; j < pieces; ++j) blocks += 18 * (i + j) < result_width;
  }
  return blocks;
}
int multiplierLatency(int operand_width, int result_width) {
  return 2 + ceilLog2(blocksOf(operand_width, result_width));
}

int latencyOf(Operator op, Type result, Type operand) {
  using enum Operator;
  const int mantissa = result.isFloat() ? result.mantissa() : 0;
  switch (op) {
    case Load:
      return 2;
    case Add:
    case Sub:
    case Shl:
    case ShrS:
    case ShrU:
    case MinS:
    case MaxS:
    case MinU:
    case MaxU:
    case Clz:
    case Eq:
    case Ne:
    case LtS:
    case LeS:
    case LtU:
    case LeU:
    case FEq:
    case FNe:
    case FLt:
    case FLe:
    case FUno:
    case FMin:
    case FMax:
      return 1;
    case Popcount:
      return 2;
    case Mul:
      return multiplierLatency(result.width, result.width);
    case DivS:
    case DivU:
    case RemS:
    case RemU:
      return result.width + 2;
    case FAdd:
    case FSub:
      return 6;
    case FMul:
      return multiplierLatency(mantissa + 1, 2 * mantissa + 2) + 3;
    case FDiv:
      return mantissa + 9;
    case FSqrt:
      return mantissa + 6;
    case FFloor:
    case FCeil:
    case FTrunc:
    case FRound:
    case FRoundEven:
    case FloatToIntS:
    case FloatToIntU:
      return 3;
    case IntToFloatS:
    case IntToFloatU:
    case FloatToFloat:
      return 4;
    default:
      return 0;
  }
}

}  // namespace

OperatorCost costOf(Operator op, Type result, Type operand) { return {latencyOf(op, result, operand), {}}; }

int readyCycle(const std::vector<Node>& nodes, size_t node) {
  const Node& it = nodes[node];
  const Type operand = it.operands.empty() ? it.type : nodes[it.operands.back()].type;
  return static_cast<int>(it.cycle) + costOf(it.op, it.type, operand).latency;
}

}  // namespace tetrarch::fpga
