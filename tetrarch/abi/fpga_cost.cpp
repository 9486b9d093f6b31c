#include "tetrarch/abi/fpga_cost.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace tetrarch::fpga {
namespace {

constexpr Type integer(int width) { return {static_cast<uint8_t>(width), 0}; }
[[maybe_unused]] constexpr Type kI8 = integer(8), kI16 = integer(16), kI32 = integer(32), kI64 = integer(64);

// What place and route made of an operator alone, its registers included.
struct Measured {
  Operator op;
  Type result, operand;
  Resources uses;
};

constexpr Measured kMeasured[] = {
#define FPGA_COST(op, result, operand, luts, flip_flops, multipliers, block_rams) \
  {Operator::op, k##result, k##operand, {luts, flip_flops, multipliers, block_rams}},
#include "tetrarch/abi/fpga_cost.def"
};

// The operator whose measurement stands for this one: what differs is a sign, an order, or which output is
// used.
Operator measuredAs(Operator op) {
  using enum Operator;
  switch (op) {
    case Sub:
    case Add3:  // twice
      return Add;
    case DivU:
    case RemS:
    case RemU:
      return DivS;
    case Or:
    case Xor:
      return And;
    case ShrS:
    case ShrU:
      return Shl;
    case MaxS:
    case MinU:
    case MaxU:
      return MinS;
    case Ne:
      return Eq;
    case LeS:
    case LtU:
    case LeU:
      return LtS;
    case FEq:
    case FNe:
    case FLe:
    case FUno:
      return FLt;
    case FSub:
      return FAdd;
    case FMax:
      return FMin;
    case FFloor:
    case FCeil:
    case FTrunc:
    case FRound:
      return FRoundEven;
    case IntToFloatU:
      return IntToFloatS;
    case FloatToIntU:
      return FloatToIntS;
    default:
      return op;
  }
}

int widthOfInteger(Type result, Type operand) {
  return std::max(result.isFloat() ? 0 : result.width, operand.isFloat() ? 0 : operand.width);
}

bool isSameFormat(Type a, Type b) { return a.isFloat() ? a == b : !b.isFloat(); }

Resources scaled(const Resources& uses, double factor) {
  const auto times = [&](int64_t n) { return std::llround(std::ceil(static_cast<double>(n) * factor)); };
  return {times(uses.luts), times(uses.flip_flops), times(uses.multipliers), times(uses.block_rams)};
}

// On the line between two measured widths.
Resources between(const Measured& low, const Measured& high, int width) {
  const int from = widthOfInteger(low.result, low.operand), to = widthOfInteger(high.result, high.operand);
  if (from == to) return low.uses;
  const double part = static_cast<double>(width - from) / (to - from);
  const auto mix = [&](int64_t a, int64_t b) {
    return std::llround(static_cast<double>(a) + part * static_cast<double>(b - a));
  };
  return {mix(low.uses.luts, high.uses.luts), mix(low.uses.flip_flops, high.uses.flip_flops),
          mix(low.uses.multipliers, high.uses.multipliers), mix(low.uses.block_rams, high.uses.block_rams)};
}

// A float's format that was not measured is as the widest one, by the square of the widths.
Resources ofOtherFormat(Operator op, Type result, Type operand) {
  const Measured* widest = nullptr;
  const auto width = [](Type a, Type b) { return std::max(a.width, b.width); };
  for (const Measured& row : kMeasured) {
    if (row.op != op) continue;
    if (!widest || width(row.result, row.operand) > width(widest->result, widest->operand)) widest = &row;
  }
  if (!widest) return {};
  const double ratio = static_cast<double>(width(result, operand)) / width(widest->result, widest->operand);
  return scaled(widest->uses, ratio * ratio);
}

Resources usesOf(Operator op, Type result, Type operand) {
  op = measuredAs(op);
  const int width = widthOfInteger(result, operand);
  const Measured *low = nullptr, *high = nullptr;  // the nearest measured widths
  for (const Measured& row : kMeasured) {
    if (row.op != op || !isSameFormat(row.result, result) || !isSameFormat(row.operand, operand)) continue;
    const int measured = widthOfInteger(row.result, row.operand);
    if (measured <= width && (!low || measured > widthOfInteger(low->result, low->operand))) low = &row;
    if (measured >= width && (!high || measured < widthOfInteger(high->result, high->operand))) high = &row;
  }
  if (low && high) return between(*low, *high, width);
  if (!low && !high) return ofOtherFormat(op, result, operand);
  const Measured& nearest = low ? *low : *high;
  return scaled(nearest.uses, static_cast<double>(width) / widthOfInteger(nearest.result, nearest.operand));
}

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
    case Add3:
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

OperatorCost costOf(Operator op, Type result, Type operand) {
  OperatorCost cost{latencyOf(op, result, operand), {}};
  switch (op) {
    case Operator::Const:
    case Operator::Affine:
    case Operator::Inside:
    case Operator::Pop:
    case Operator::Load:
    case Operator::Acc:
    case Operator::Delay:
      return cost;
    default:
      cost.uses = usesOf(op, result, operand);
  }
  if (op == Operator::Add3) cost.uses.luts *= 2;
  if (op == Operator::Mul) cost.uses.multipliers = blocksOf(result.width, result.width);
  return cost;
}

bool isConstantShift(const std::vector<Node>& nodes, size_t node) {
  const Node& it = nodes[node];
  const bool shifts = it.op == Operator::Shl || it.op == Operator::ShrS || it.op == Operator::ShrU;
  return shifts && nodes[it.operands[1]].op == Operator::Const;
}

OperatorCost costOf(const std::vector<Node>& nodes, size_t node) {
  if (isConstantShift(nodes, node)) return {};
  const Node& it = nodes[node];
  return costOf(it.op, it.type, it.operands.empty() ? it.type : nodes[it.operands.back()].type);
}

int readyCycle(const std::vector<Node>& nodes, size_t node) {
  return static_cast<int>(nodes[node].cycle) + costOf(nodes, node).latency;
}

std::vector<const Output*> storesTo(const Nest& nest, size_t load) {
  std::vector<const Output*> stores;
  for (const Output& output : nest.outputs) {
    if (output.is_store && output.object == nest.nodes[load].object) stores.push_back(&output);
  }
  return stores;
}

bool isInMemory(const Nest& nest, size_t load, uint32_t interval) {
  return uint64_t{interval} + nest.nodes[load].cycle > nest.depth;
}

bool isOnItsWay(const Nest& nest, size_t load, uint32_t interval) {
  const Node& node = nest.nodes[load];
  // Where the iteration before is when the Load takes its address, and when it has its word.
  const int64_t at_address = int64_t{node.cycle} + interval,
                at_word = at_address + costOf(nest.nodes, load).latency;
  const auto isReady = [&](uint32_t value, int64_t by) { return readyCycle(nest.nodes, value) <= by; };
  return std::ranges::all_of(storesTo(nest, load), [&](const Output* store) {
    return isReady(store->address, at_address) &&
           (store->enable < 0 || isReady(static_cast<uint32_t>(store->enable), at_address)) &&
           isReady(store->values[node.imm], at_word);
  });
}

}  // namespace tetrarch::fpga
