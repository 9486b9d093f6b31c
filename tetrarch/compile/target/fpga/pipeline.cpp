#include "tetrarch/compile/target/fpga/pipeline.h"

#include <algorithm>
#include <functional>

#include "tetrarch/abi/fpga_cost.h"

namespace tetrarch::fpga {
namespace {

// Whether two values have no bit in common that may be set: one was shifted up by at least as much as the
// other one has left after it was shifted down.
bool areApart(const std::vector<Node>& nodes, uint32_t high, uint32_t low) {
  if (nodes[high].op != Operator::Shl || nodes[low].op != Operator::ShrU) return false;
  if (!isConstantShift(nodes, high) || !isConstantShift(nodes, low)) return false;
  const uint64_t up = nodes[nodes[high].operands[1]].imm, down = nodes[nodes[low].operands[1]].imm;
  return up + down >= nodes[high].type.width;
}

}  // namespace

bool isWire(Operator op) {
  return op == Operator::Const || op == Operator::ExtS || op == Operator::ExtU || op == Operator::Trunc ||
         op == Operator::Bits || op == Operator::FNeg || op == Operator::FAbs || op == Operator::FCopySign;
}

bool isWire(const std::vector<Node>& nodes, size_t node) {
  const Node& it = nodes[node];
  if (isWire(it.op) || isConstantShift(nodes, node)) return true;
  const auto isConst = [&](uint32_t operand) { return nodes[operand].op == Operator::Const; };
  if (it.op == Operator::And) return std::ranges::any_of(it.operands, isConst);
  if (it.op != Operator::Or) return false;
  return std::ranges::any_of(it.operands, isConst) || areApart(nodes, it.operands[0], it.operands[1]) ||
         areApart(nodes, it.operands[1], it.operands[0]);
}

int updateStage(const Nest& nest, size_t accumulator) {
  int stage = readyCycle(nest.nodes, nest.accumulators[accumulator].update);
  for (const Node& node : nest.nodes) {
    if (node.op == Operator::Acc && node.imm == accumulator)
      stage = std::max(stage, static_cast<int>(node.cycle) + 1);
  }
  return stage;
}

std::vector<Overtaking> overtakingsOf(const Nest& nest) {
  std::vector<Overtaking> overtakings;
  for (uint32_t i = 0; i < nest.nodes.size(); ++i) {
    const Node& load = nest.nodes[i];
    if (load.op != Operator::Load || isInMemory(nest, i, nest.interval)) continue;
    for (uint32_t stage = load.cycle + nest.interval; stage <= nest.depth; ++stage) {
      for (const Output* store : storesTo(nest, i)) overtakings.push_back({i, stage, store});
    }
  }
  return overtakings;
}

std::vector<std::multiset<int>> takesOf(const Nest& nest) {
  std::vector<std::multiset<int>> takes(nest.nodes.size());
  const std::function<void(uint32_t, int)> take = [&](uint32_t node, int cycle) {
    if (nest.nodes[node].op == Operator::Const) return;
    if (!isWire(nest.nodes, node)) {
      takes[node].insert(cycle);
      return;
    }
    for (uint32_t operand : nest.nodes[node].operands) take(operand, cycle);
  };
  for (size_t i = 0; i < nest.nodes.size(); ++i) {
    const Node& node = nest.nodes[i];
    const int cycle = static_cast<int>(node.cycle);
    if (node.op == Operator::Acc) take(nest.accumulators[node.imm].init, cycle);
    if (isWire(nest.nodes, i)) continue;
    for (uint32_t operand : node.operands) take(operand, cycle);
  }
  for (const Overtaking& it : overtakingsOf(nest)) {
    const auto when = static_cast<int>(it.stage), got = when + costOf(nest.nodes, it.load).latency;
    take(it.store->address, when);
    if (it.store->enable >= 0) take(static_cast<uint32_t>(it.store->enable), when);
    take(it.store->values[nest.nodes[it.load].imm], got);
  }
  for (size_t a = 0; a < nest.accumulators.size(); ++a)
    take(nest.accumulators[a].update, updateStage(nest, a));
  const int depth = static_cast<int>(nest.depth);
  for (const Output& output : nest.outputs) {
    for (uint32_t value : output.values) take(value, depth);
    if (output.is_store) take(output.address, depth);
    if (output.enable >= 0) take(static_cast<uint32_t>(output.enable), depth);
  }
  return takes;
}

Resources keepingOf(int64_t width, int64_t cycles) {
  if (cycles < kLeastLine) return {.flip_flops = std::max<int64_t>(cycles, 0) * width};
  const int64_t lines = cycles / kLongestLine, rest = cycles % kLongestLine;
  const int64_t last = rest >= kLeastLine ? 1 : 0;
  // A RAM of 16 words of 4 bits takes the place of 6 LUTs.
  return {.luts = (lines + last) * ((width + 3) / 4) * 6, .flip_flops = (lines + (last ? 1 : rest)) * width};
}

Resources keepingOf(int64_t width, int ready, const std::multiset<int>& takes) {
  Resources uses;
  for (int from = ready; const int take : takes) {
    const Resources more = keepingOf(width, take - from);
    uses.luts += more.luts;
    uses.flip_flops += more.flip_flops;
    from = std::max(from, take);
  }
  return uses;
}

std::vector<bool> recurrencesOf(const Nest& nest) {
  const size_t count = nest.nodes.size();
  std::vector<bool> depends(count), feeds(count);
  for (size_t i = 0; i < count; ++i) {
    depends[i] = nest.nodes[i].op == Operator::Acc ||
                 std::ranges::any_of(nest.nodes[i].operands, [&](uint32_t o) { return depends[o]; });
  }
  for (const Accumulator& accumulator : nest.accumulators) feeds[accumulator.update] = true;
  for (size_t i = count; i-- > 0;) {
    if (!feeds[i]) continue;
    for (uint32_t operand : nest.nodes[i].operands) feeds[operand] = true;
  }
  for (size_t i = 0; i < count; ++i) depends[i] = depends[i] && feeds[i];
  return depends;
}

}  // namespace tetrarch::fpga
