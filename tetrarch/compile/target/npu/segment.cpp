#include "tetrarch/compile/target/npu/segment.h"

#include <algorithm>
#include <ranges>

#include "tetrarch/devices/npu/energy.h"
#include "tetrarch/devices/npu/timing.h"

namespace tetrarch::npu {
namespace {

// What a saved byte of DRAM may cost: cycles of a task may grow by this share for it.
constexpr double kSlower = 1.005;

// A task of the segment, and how it stands at the moment.
struct Member {
  const compile::Segment::Uses* uses = nullptr;
  std::unique_ptr<TaskEmitter> whole;  // alone on the chip
  std::unique_ptr<TaskEmitter> now;    // with its residence; null: `whole`
  int64_t cycles = 0;
  double dram_bytes = 0;

  const TaskEmitter& emitter() const { return now ? *now : *whole; }
};

// A tensor from one task to later ones.
struct Passed {
  int tensor = 0;
  size_t first = 0, last = 0;                      // tasks: who writes it, the last that reads it on the chip
  std::vector<std::pair<size_t, size_t>> readers;  // task, operand
  bool leaves = false;                             // somebody needs it in DRAM
  ChipTensor chip;
};

// The parameters of vector ops as they are after reset, by way of the first rows of the accumulator memory.
void resetVector(const Config& config, StreamBuilder& builder) {
  const Loop rows[] = {{kVparamReads, 1, 0}};
  builder.fill(accAddress(0), config.accRowBytes(), 0, rows);
  builder.add(Vparam{.rows = 1, .scalars = 1});
}

class SegmentCompiler {
 public:
  SegmentCompiler(const compile::Segment& segment, const Config& config)
      : segment_(segment), config_(config), kept_(segment.tensors) {}

  Result<SegmentProgram> run() {
    TET_RETURN_IF_ERROR(readTasks());
    TET_RETURN_IF_ERROR(keepTensors());
    return write();
  }

 private:
  Status readTasks();
  std::optional<Passed> passed(size_t task) const;
  Status keepTensors();
  Result<bool> keep(Passed candidate);
  std::optional<int64_t> rowFor(const Passed& candidate) const;
  Residence residenceOf(size_t task, const std::vector<Passed>& kept) const;
  Status price(Member& member) const;
  Result<SegmentProgram> write();

  const compile::Segment& segment_;
  const Config& config_;
  SegmentProgram program_;
  std::vector<int64_t> addresses_;  // by tensor
  std::vector<uint64_t> bytes_;
  std::vector<Member> members_;
  std::vector<Passed> residents_;
  std::vector<bool> kept_;  // by tensor: on the chip alone
};

// ---- tasks and where their tensors lie in DRAM ------------------------------------------------------------

Status SegmentCompiler::readTasks() {
  bytes_.resize(segment_.tensors);
  for (size_t t = 0; t < segment_.tasks.size(); ++t) {
    mlir::Block& block = *segment_.tasks[t].block;
    const auto& uses = segment_.uses[t];
    for (size_t i = 0; i < uses.inputs.size(); ++i) bytes_[uses.inputs[i]] = bytesOf(block.getArgument(i));
    for (size_t i = 0; i < uses.outputs.size(); ++i)
      bytes_[uses.outputs[i]] = bytesOf(block.getTerminator()->getOperand(i));
  }
  const int ports = segment_.inputs + segment_.outputs;
  for (int i = 0; i < segment_.tensors; ++i) {
    addresses_.push_back(i < ports ? program_.memory.addBuffer(bytes_[i], i >= segment_.inputs)
                                   : program_.memory.reserve(bytes_[i]));
  }
  const auto addressesOf = [&](const std::vector<int>& tensors) {
    std::vector<int64_t> addresses;
    for (int tensor : tensors) addresses.push_back(addresses_[tensor]);
    return addresses;
  };
  for (size_t t = 0; t < segment_.tasks.size(); ++t) {
    const auto& uses = segment_.uses[t];
    TaskMemory memory(program_.memory, addressesOf(uses.inputs), addressesOf(uses.outputs));
    auto emitter = readTask(segment_.tasks[t], config_, memory);
    if (!emitter) return emitter.error().withContext(segment_.tasks[t].name);
    members_.push_back({.uses = &uses, .whole = *std::move(emitter)});
    TET_RETURN_IF_ERROR(price(members_.back()));
  }
  return program_.memory.check();
}

// Cycles and traffic of a task's stream on its own.
Status SegmentCompiler::price(Member& member) const {
  StreamBuilder builder(config_);
  TET_RETURN_IF_ERROR(member.emitter().emit(0, member.emitter().units().units, builder));
  TET_ASSIGN_OR_RETURN(const auto instructions, builder.finish());
  TET_ASSIGN_OR_RETURN(const auto words, encode(instructions));
  const Timing timing = simulateTiming(config_, words);
  member.cycles = timing.cycles;
  member.dram_bytes = energyUnits(config_, instructions, timing)[static_cast<size_t>(EnergyClass::DramByte)];
  return {};
}

// ---- what stays on the chip -------------------------------------------------------------------------------

// The first result of a task, where it and who reads it agree on a place on the chip.
std::optional<Passed> SegmentCompiler::passed(size_t task) const {
  const auto chip = members_[task].whole->resultOnChip();
  if (!chip) return std::nullopt;
  Passed p{
      .tensor = members_[task].uses->outputs[0], .first = task, .last = task, .readers = {}, .chip = *chip};
  p.leaves = p.tensor < segment_.inputs + segment_.outputs;
  for (size_t reader = task + 1; reader < members_.size(); ++reader) {
    const std::vector<int>& inputs = members_[reader].uses->inputs;
    for (size_t i = 0; i < inputs.size(); ++i) {
      if (inputs[i] != p.tensor) continue;
      const auto wanted = members_[reader].whole->operandOnChip(i);
      if (!wanted || !p.chip.join(*wanted)) {
        p.leaves = true;
        continue;
      }
      p.readers.emplace_back(reader, i);
      p.last = reader;
    }
  }
  return p.readers.empty() ? std::nullopt : std::optional(p);
}

// Those first that save most for the rows that they take, as long as they take them.
Status SegmentCompiler::keepTensors() {
  std::vector<Passed> candidates;
  for (size_t task = 0; task < members_.size(); ++task) {
    if (auto candidate = passed(task)) candidates.push_back(*std::move(candidate));
  }
  // Of equal ones the first.
  const auto worth = [](const Passed& p) {
    const auto transfers = static_cast<double>(p.readers.size() + (p.leaves ? 0 : 1));
    return std::pair(-transfers / static_cast<double>(p.last - p.first), p.first);
  };
  std::ranges::sort(candidates, {}, worth);
  for (Passed& candidate : candidates) {
    TET_ASSIGN_OR_RETURN(bool kept, keep(candidate));
    // Perhaps for some of its readers: the last ones take it from DRAM.
    while (!kept && candidate.readers.size() > 1) {
      candidate.readers.pop_back();
      candidate.last = candidate.readers.back().first, candidate.leaves = true;
      TET_ASSIGN_OR_RETURN(kept, keep(candidate));
    }
  }
  return {};
}

// Whole banks at the end of the scratchpad, behind or between those that are kept at the same time.
std::optional<int64_t> SegmentCompiler::rowFor(const Passed& candidate) const {
  const int64_t bank = config_.sp_rows / kSpBanks;
  const int64_t rows = (candidate.chip.rows(config_.side) + bank - 1) / bank * bank;
  std::vector<RowRange> taken;
  for (const Passed& other : residents_) {
    if (other.last < candidate.first || candidate.last < other.first) continue;
    taken.push_back({false, other.chip.row, other.chip.row + other.chip.rows(config_.side) - 1});
  }
  for (int64_t row = config_.sp_rows - rows; row >= 0; row -= bank) {
    const RowRange range{false, row, row + rows - 1};
    if (std::ranges::none_of(taken, [&](const RowRange& other) { return range.overlaps(other); })) return row;
  }
  return std::nullopt;
}

Residence SegmentCompiler::residenceOf(size_t task, const std::vector<Passed>& kept) const {
  Residence residence{.sp_rows = config_.sp_rows, .operands = {}, .result = {}};
  for (const Passed& p : kept) {
    if (task < p.first || p.last < task) continue;
    residence.sp_rows = std::min(residence.sp_rows, p.chip.row);
    if (p.first == task) residence.result = p.chip, residence.stores = p.leaves;
    for (const auto& [reader, operand] : p.readers) {
      if (reader == task) residence.operands[operand] = p.chip;
    }
  }
  return residence;
}

// Keeps the tensor if there is room beside what is kept already, and the tasks from first to last then move
// less without taking longer.
Result<bool> SegmentCompiler::keep(Passed candidate) {
  const auto row = rowFor(candidate);
  if (!row) return false;
  candidate.chip.row = *row;
  std::vector<Passed> kept = residents_;
  kept.push_back(candidate);
  std::vector<Member> tried;
  double cycles = 0, dram_bytes = 0, cycles_before = 0, dram_bytes_before = 0;
  for (size_t task = candidate.first; task <= candidate.last; ++task) {
    const Member& before = members_[task];
    Member& member = tried.emplace_back();
    member.now = before.whole->withResidence(residenceOf(task, kept));
    if (!member.now) return false;
    TET_RETURN_IF_ERROR(price(member));
    cycles += static_cast<double>(member.cycles), cycles_before += static_cast<double>(before.cycles);
    dram_bytes += member.dram_bytes, dram_bytes_before += before.dram_bytes;
  }
  if (dram_bytes >= dram_bytes_before || cycles > kSlower * cycles_before) return false;
  for (size_t i = 0; i < tried.size(); ++i) {
    Member& member = members_[candidate.first + i];
    member.now = std::move(tried[i].now);
    member.cycles = tried[i].cycles, member.dram_bytes = tried[i].dram_bytes;
  }
  kept_[candidate.tensor] = !candidate.leaves;
  program_.kept += !candidate.leaves;
  residents_ = std::move(kept);
  return true;
}

// ---- the stream -------------------------------------------------------------------------------------------

Result<SegmentProgram> SegmentCompiler::write() {
  for (int i = segment_.inputs + segment_.outputs; i < segment_.tensors; ++i) {
    if (!kept_[i]) program_.memory.addWorkspaceAt(addresses_[i], bytes_[i]);
  }
  StreamBuilder builder(config_);
  std::vector<size_t> ends;  // of each task's instructions
  for (const Member& member : members_) {
    if (member.whole->needsReset()) resetVector(config_, builder);
    TET_RETURN_IF_ERROR(member.emitter().emit(0, member.emitter().units().units, builder));
    ends.push_back(builder.size());
    program_.multiplications.push_back(member.whole->multiplications());
  }
  TET_ASSIGN_OR_RETURN(const auto instructions, builder.finish());
  TET_ASSIGN_OR_RETURN(program_.words, encode(instructions));
  std::vector<InstructionTimes> times;
  simulateTiming(config_, program_.words, {}, int64_t{1} << 32, &times);
  int64_t done = 0;
  size_t at = 0;
  for (size_t end : ends) {
    int64_t last = done;
    for (; at < end; ++at) last = std::max(last, times[at].completed);
    program_.cycles.push_back(last - done);
    done = last;
  }
  return std::move(program_);
}

}  // namespace

Result<SegmentProgram> compileSegment(const compile::Segment& segment, const Config& config) {
  return SegmentCompiler(segment, config).run();
}

}  // namespace tetrarch::npu
