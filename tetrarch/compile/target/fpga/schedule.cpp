#include "tetrarch/compile/target/fpga/schedule.h"

#include <algorithm>

#include "tetrarch/abi/fpga_boxes.h"
#include "tetrarch/abi/fpga_cost.h"

namespace tetrarch::fpga {
namespace {

// Operators of no latency that may follow each other in one cycle, and into an operator that has some.
constexpr int kChain = 2;
// Cells beyond this number are in block RAM, which is asked two cycles before: fpga_cells.
constexpr int64_t kFewCells = 64;
constexpr uint32_t kCellReadCycles = 2;
// A clock that routed kernels of the library's operators reach.
constexpr double kClockHz = 100e6;

bool isAtIssue(Operator op) {
  return op == Operator::Const || op == Operator::Affine || op == Operator::Inside || op == Operator::Pop;
}
// Nothing but other names for bits.
bool isWire(Operator op) {
  return op == Operator::Const || op == Operator::ExtS || op == Operator::ExtU || op == Operator::Trunc ||
         op == Operator::Bits || op == Operator::FNeg || op == Operator::FAbs || op == Operator::FCopySign;
}

bool isShift(Operator op) { return op == Operator::Shl || op == Operator::ShrS || op == Operator::ShrU; }

// When a value is there, and how many operators it went through in that cycle.
struct Arrival {
  int cycle = 0, level = 0;
  auto operator<=>(const Arrival&) const = default;
};

class NestScheduler {
 public:
  explicit NestScheduler(Nest& nest) : nest_(nest), arrivals_(nest.nodes.size()) {}

  void run();

 private:
  Node& node(size_t i) { return nest_.nodes[i]; }
  int latency(size_t i) { return readyCycle(nest_.nodes, i) - static_cast<int>(node(i).cycle); }
  // Places a node behind its operands (those that `counts` says), not before `least`.
  template <typename Counts>
  void place(size_t i, int least, const Counts& counts);
  void findRecurrences();

  Nest& nest_;
  std::vector<Arrival> arrivals_;
  std::vector<bool> depends_, feeds_;  // on a cell, a cell
};

template <typename Counts>
void NestScheduler::place(size_t i, int least, const Counts& counts) {
  Arrival start{least, 0};
  for (uint32_t operand : node(i).operands) {
    if (counts(operand)) start = std::max(start, arrivals_[operand]);
  }
  const bool is_wire = isWire(node(i).op);
  if (start.level >= kChain && !is_wire) start = {start.cycle + 1, 0};
  node(i).cycle = isAtIssue(node(i).op) ? 0 : static_cast<uint32_t>(start.cycle);
  const int took = latency(i);
  const bool is_register =
      node(i).op == Operator::Const || node(i).op == Operator::Affine || node(i).op == Operator::Delay;
  arrivals_[i] = {static_cast<int>(node(i).cycle) + took,
                  took > 0 || is_register ? 0 : start.level + !is_wire};
}

void NestScheduler::findRecurrences() {
  const size_t count = nest_.nodes.size();
  depends_.assign(count, false);
  feeds_.assign(count, false);
  for (size_t i = 0; i < count; ++i) {
    depends_[i] = node(i).op == Operator::Acc ||
                  std::ranges::any_of(node(i).operands, [&](uint32_t o) { return depends_[o]; });
  }
  for (const Accumulator& accumulator : nest_.accumulators) feeds_[accumulator.update] = true;
  for (size_t i = count; i-- > 0;) {
    if (!feeds_[i]) continue;
    for (uint32_t operand : node(i).operands) feeds_[operand] = true;
  }
}

void NestScheduler::run() {
  findRecurrences();
  const size_t count = nest_.nodes.size();
  const auto all = [](uint32_t) { return true; };
  const auto in_recurrence = [&](size_t i) { return depends_[i] && feeds_[i]; };
  for (size_t i = 0; i < count; ++i) {
    if (!depends_[i]) place(i, 0, all);
  }
  // The recurrences alone, from cycle 0; then all of them so late that nothing else delays them.
  const auto inside = [&](uint32_t operand) { return in_recurrence(operand); };
  for (size_t i = 0; i < count; ++i) {
    if (in_recurrence(i)) place(i, 0, inside);
  }
  const int64_t distance = updateDistance(nest_);
  int begin = distance > kFewCells ? static_cast<int>(kCellReadCycles) : 0;
  const auto waitFor = [&](uint32_t value, uint32_t relative) {
    const Arrival& arrival = arrivals_[value];
    begin = std::max(begin, arrival.cycle + (arrival.level > 0) - static_cast<int>(relative));
  };
  for (size_t i = 0; i < count; ++i) {
    if (!in_recurrence(i)) continue;
    if (node(i).op == Operator::Acc) waitFor(nest_.accumulators[node(i).imm].init, 0);
    for (uint32_t operand : node(i).operands) {
      if (!depends_[operand]) waitFor(operand, node(i).cycle);
    }
  }
  for (size_t i = 0; i < count; ++i) {
    if (in_recurrence(i)) place(i, begin, inside);
  }
  for (size_t i = 0; i < count; ++i) {
    if (depends_[i] && !feeds_[i]) place(i, node(i).op == Operator::Acc ? begin : 0, all);
  }

  int depth = 1, way = 0;
  for (size_t i = 0; i < count; ++i) depth = std::max(depth, arrivals_[i].cycle);
  for (const Node& acc : nest_.nodes) {
    if (acc.op != Operator::Acc) continue;
    way = std::max(way, arrivals_[nest_.accumulators[acc.imm].update].cycle - static_cast<int>(acc.cycle));
  }
  nest_.depth = static_cast<uint32_t>(depth);
  nest_.interval =
      distance == 0 ? 1 : static_cast<uint32_t>(std::max<int64_t>(1, (way + distance - 1) / distance));
}

// --- machines
// ------------------------------------------------------------------------------------------------------------

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

Resources usesOf(const Nest& nest) {
  Resources uses;
  std::vector<uint32_t> last(nest.nodes.size(), 0);  // cycle of a value's last use
  for (const Node& node : nest.nodes) {
    for (uint32_t operand : node.operands) last[operand] = std::max(last[operand], node.cycle);
  }
  for (const Output& output : nest.outputs) {
    for (uint32_t value : output.values) last[value] = nest.depth;
    if (output.is_store) last[output.address] = nest.depth;
  }
  for (size_t i = 0; i < nest.nodes.size(); ++i) {
    const Node& node = nest.nodes[i];
    const Type operand = node.operands.empty() ? node.type : nest.nodes[node.operands.back()].type;
    Resources own = costOf(node.op, node.type, operand).uses;
    if (isShift(node.op) && nest.nodes[node.operands[1]].op == Operator::Const) own.luts = 0;  // wires
    add(uses, own);
    const int64_t kept = static_cast<int64_t>(last[i]) - readyCycle(nest.nodes, i);
    if (node.op != Operator::Const) uses.flip_flops += std::max<int64_t>(0, kept) * node.type.width;
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
  for (const Nest::Loop& loop : nest.loops) {
    const int64_t bits = std::bit_width(static_cast<uint64_t>(loop.extent));
    add(uses, {.luts = 2 * bits, .flip_flops = bits});
  }
  uses.flip_flops += 2 * nest.depth;
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

void schedule(Kernel& kernel) {
  for (Stage& stage : kernel.stages) {
    if (auto* nest = std::get_if<Nest>(&stage.work)) {
      NestScheduler(*nest).run();
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
