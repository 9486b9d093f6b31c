#include "tetrarch/compile/target/fpga/schedule.h"

#include <algorithm>

#include "tetrarch/abi/fpga_boxes.h"
#include "tetrarch/abi/fpga_cost.h"
#include "tetrarch/compile/target/fpga/nest_scheduler.h"
#include "tetrarch/compile/target/fpga/pipeline.h"
#include "tetrarch/compile/target/fpga/sharing.h"

namespace tetrarch::fpga {
namespace {

// Cells beyond this number are in block RAM: fpga_cells.
constexpr int64_t kFewCells = 64;
// A clock that routed kernels of the library's operators reach.
constexpr double kClockHz = 100e6;

// --- machines
// ------------------------------------------------------------------------------------------------------------

// When a value is there, and how many operators it went through in that cycle.
struct Arrival {
  int cycle = 0, level = 0;
  auto operator<=>(const Arrival&) const = default;
};

void scheduleBlock(const Machine& machine, Machine::Block& block) {
  std::vector<Arrival> arrivals(machine.registers.size());
  std::vector<int> last_read(machine.registers.size(), -1);
  std::vector<std::pair<Operator, int>> taken;  // by an operator that is shared
  int memory = 0, end = 0;                      // stores come after loads and stores before them
  for (Machine::Instruction& instruction : block.instructions) {
    Node& node = instruction.node;
    Arrival start;
    for (uint32_t operand : node.operands) start = std::max(start, arrivals[operand]);
    if (start.level >= kChain && !isWire(node.op)) start = {start.cycle + 1, 0};
    // A register is written after those that read what it held.
    if (!instruction.is_store && start.cycle <= last_read[instruction.result])
      start = {last_read[instruction.result] + 1, 0};
    const bool is_memory = instruction.is_store || node.op == Operator::Load;
    if (is_memory && start.cycle < memory) start = {memory, 0};
    const Type operand = node.operands.empty() ? node.type : machine.registers[node.operands.back()];
    const bool shared = is_memory || isShared(node, operand);
    const Operator kind = is_memory ? Operator::Load : node.op;
    while (shared && std::ranges::count(taken, std::pair(kind, start.cycle)) > 0)
      start = {start.cycle + 1, 0};
    if (shared) taken.emplace_back(kind, start.cycle);
    node.cycle = static_cast<uint32_t>(start.cycle);
    if (is_memory) memory = start.cycle + 1;
    for (uint32_t operand : node.operands) last_read[operand] = std::max(last_read[operand], start.cycle);
    if (instruction.is_store) {
      end = std::max(end, start.cycle);
      continue;
    }
    const int took = costOf(node.op, node.type, operand).latency;
    arrivals[instruction.result] = {start.cycle + took, took > 0 ? 0 : start.level + !isWire(node.op)};
    end = std::max(end, start.cycle + took);
  }
  block.cycles = static_cast<uint32_t>(end) + 1;
}

// --- resources
// -----------------------------------------------------------------------------------------------------------

void add(Resources& sum, const Resources& more) {
  sum.luts += more.luts;
  sum.flip_flops += more.flip_flops;
  sum.multipliers += more.multipliers;
  sum.block_rams += more.block_rams;
}

int64_t blockRams(int64_t width, int64_t depth) {
  // Words and bits that one block RAM of an ECP5 can be: FPGA-DS-02012, table 2.6.
  static constexpr std::pair<int64_t, int64_t> kShapes[] = {{512, 36}, {1024, 18}, {2048, 9},
                                                            {4096, 4}, {8192, 2},  {16384, 1}};
  int64_t best = INT64_MAX;
  for (auto [words, bits] : kShapes)
    best = std::min(best, ((width + bits - 1) / bits) * ((depth + words - 1) / words));
  return best;
}

// Operators with a register behind them, and what lets nodes take turns at them.
Resources operatorUses(const Nest& nest) {
  Resources uses{.luts = logicLuts(nest)};
  for (const std::vector<uint32_t>& users : operatorsOf(nest)) {
    const OperatorCost cost = costOf(nest.nodes, users[0]);
    if (cost.latency > 0) add(uses, cost.uses);
    uses.luts += chooserLuts(nest, users);
  }
  return uses;
}

Resources usesOf(const Nest& nest) {
  Resources uses = operatorUses(nest);
  const std::vector<std::multiset<int>> takes = takesOf(nest);
  for (size_t i = 0; i < nest.nodes.size(); ++i) {
    const Node& node = nest.nodes[i];
    if (node.op != Operator::Const)
      add(uses, keepingOf(node.type.width, readyCycle(nest.nodes, i), takes[i]));
    if (node.op == Operator::Affine) uses.luts += node.type.width, uses.flip_flops += node.type.width;
    if (node.op == Operator::Delay && node.imm > 32)
      uses.block_rams += blockRams(node.type.width, static_cast<int64_t>(node.imm));
    else if (node.op == Operator::Delay)
      uses.flip_flops += static_cast<int64_t>(node.imm) * node.type.width;
  }
  for (const Accumulator& accumulator : nest.accumulators) {
    const int64_t width = nest.nodes[accumulator.update].type.width, cells = updateDistance(nest);
    if (cells > kFewCells) {
      uses.block_rams += blockRams(width, cells);
    } else {
      uses.luts += width * (2 + cells / 16);
    }
    uses.flip_flops += width;
  }
  for (const Overtaking& it : overtakingsOf(nest)) {
    // Addresses are compared, what they find goes along, and a value may take the word's place.
    const int64_t address = std::max(nest.nodes[it.store->address].type.width,
                                     nest.nodes[nest.nodes[it.load].operands[0]].type.width);
    add(uses, {.luts = (address + 1) / 2 + 1 + nest.nodes[it.load].type.width, .flip_flops = 2});
  }
  for (const Nest::Loop& loop : nest.loops) {
    const int64_t bits = std::bit_width(static_cast<uint64_t>(loop.extent));
    add(uses, {.luts = 2 * bits, .flip_flops = bits});
  }
  uses.flip_flops += 2 * nest.depth + (nest.shares ? nest.interval : 0);
  return uses;
}

Resources usesOf(const Machine& machine) {
  Resources uses;
  for (Type type : machine.registers) uses.flip_flops += type.width;
  std::vector<std::pair<Operator, Type>> shared;
  for (const Machine::Block& block : machine.blocks) {
    uses.luts += 2 * static_cast<int64_t>(block.cycles);
    for (const Machine::Instruction& instruction : block.instructions) {
      const Node& node = instruction.node;
      if (instruction.is_store) continue;
      const Type operand = node.operands.empty() ? node.type : machine.registers[node.operands.back()];
      uses.luts += node.type.width / 2;  // of the multiplexers
      if (isShared(node, operand)) {
        if (std::ranges::count(shared, std::pair(node.op, node.type)) > 0) continue;
        shared.emplace_back(node.op, node.type);
      }
      add(uses, costOf(node.op, node.type, operand).uses);
    }
  }
  return uses;
}

// Each load reads a copy of its own.
int64_t copiesOf(const Kernel& kernel, size_t memory) {
  int64_t copies = 0;
  for (const Stage& stage : kernel.stages) {
    if (const auto* nest = std::get_if<Nest>(&stage.work)) {
      std::vector<std::pair<uint32_t, uint32_t>> reads;  // address and cycle
      for (const Node& node : nest->nodes) {
        if (node.op != Operator::Load || node.object != memory) continue;
        const std::pair read(node.operands[0], node.cycle);
        if (std::ranges::count(reads, read) == 0) reads.push_back(read);
      }
      copies += static_cast<int64_t>(reads.size());
    } else {
      for (const Machine::Block& block : std::get<Machine>(stage.work).blocks) {
        if (std::ranges::any_of(block.instructions, [&](const auto& i) {
              return !i.is_store && i.node.op == Operator::Load && i.node.object == memory;
            })) {
          ++copies;
          break;
        }
      }
    }
  }
  return copies;
}

}  // namespace

bool isShared(const Node& node, Type operand) {
  return !isWire(node.op) && node.op != Operator::Load && costOf(node.op, node.type, operand).latency > 1;
}

void schedule(Kernel& kernel, uint32_t interval) {
  for (Stage& stage : kernel.stages) {
    if (auto* nest = std::get_if<Nest>(&stage.work)) {
      scheduleNest(*nest, gainsByTurns(*nest) ? interval : 1);
      continue;
    }
    auto& machine = std::get<Machine>(stage.work);
    for (Machine::Block& block : machine.blocks) scheduleBlock(machine, block);
  }
}

Status estimate(Kernel& kernel, const Part& part) {
  Resources uses;
  for (const Stage& stage : kernel.stages) {
    if (const auto* nest = std::get_if<Nest>(&stage.work))
      add(uses, usesOf(*nest));
    else
      add(uses, usesOf(std::get<Machine>(stage.work)));
  }
  for (size_t m = 0; m < kernel.memories.size(); ++m) {
    const Memory& memory = kernel.memories[m];
    uses.block_rams += copiesOf(kernel, m) * blockRams(int64_t{memory.lanes} * memory.type.width,
                                                       static_cast<int64_t>(memory.depth));
  }
  for (const Stream& stream : kernel.streams) {
    const int64_t width = int64_t{stream.lanes} * stream.type.width;
    add(uses, {.luts = width + 12,
               .flip_flops = 16,
               .block_rams = stream.depth > 32 ? blockRams(width, stream.depth) : 0});
  }
  kernel.estimate = uses;
  kernel.estimated_hz = kClockHz;
  struct Row {
    const char* name;
    int64_t needs, has;
  };
  for (const Row& row :
       {Row{"LUTs", uses.luts, part.has.luts}, Row{"flip-flops", uses.flip_flops, part.has.flip_flops},
        Row{"multipliers", uses.multipliers, part.has.multipliers},
        Row{"block RAMs", uses.block_rams, part.has.block_rams}}) {
    if (row.needs > row.has)
      return fail(StatusCode::kUnimplemented, "it needs {} {}, and {} has {}", row.needs, row.name, part.name,
                  row.has);
  }
  return {};
}

int64_t estimateCycles(const Kernel& kernel) {
  std::vector<int64_t> ends;
  int64_t last = 0;
  for (const Stage& stage : kernel.stages) {
    int64_t begin = 0, length = 0;
    for (uint32_t before : stage.after) begin = std::max(begin, ends[before] + 1);
    if (const auto* nest = std::get_if<Nest>(&stage.work)) {
      length = (iterationsOf(*nest) - 1) * nest->interval + nest->depth;
    } else {
      for (const Machine::Block& block : std::get<Machine>(stage.work).blocks) length += block.cycles;
    }
    ends.push_back(begin + length);
    last = std::max(last, ends.back());
  }
  return last + 2;
}

}  // namespace tetrarch::fpga
