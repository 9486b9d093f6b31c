#include "tetrarch/devices/fpga/run.h"

#include <algorithm>
#include <cfenv>

#include "tetrarch/devices/fpga/evaluate.h"
#include "tetrarch/devices/fpga/nest_runner.h"

namespace tetrarch::fpga {
namespace {

// Beats that a stream holds before its writer waits; as many more as it takes when nothing goes on otherwise.
constexpr size_t kFewBeats = 1024, kManyBeats = size_t{1} << 40;

// Rounding to nearest and subnormals, whatever the thread's flags are.
class FloatEnvironment {
 public:
  FloatEnvironment() {
    std::fegetenv(&saved_);
    std::fesetenv(FE_DFL_ENV);
  }
  FloatEnvironment(const FloatEnvironment&) = delete;
  FloatEnvironment& operator=(const FloatEnvironment&) = delete;
  ~FloatEnvironment() { std::fesetenv(&saved_); }

 private:
  std::fenv_t saved_ = {};
};

// A machine's registers, and the memories that it works on.
class MachineRunner {
 public:
  MachineRunner(const Kernel& kernel, const Machine& machine, Chip& chip)
      : kernel_(kernel), machine_(machine), chip_(chip), registers_(machine.registers.size()) {}

  // The cycles that it took, or nothing if it is given up.
  Result<int64_t> run() {
    int64_t cycles = 0;
    for (int64_t next = 0; next >= 0;) {
      const Machine::Block& block = machine_.blocks[static_cast<size_t>(next)];
      for (const Machine::Instruction& instruction : block.instructions) execute(instruction);
      cycles += block.cycles;
      if (cycles > kMaxMachineCycles) {
        return fail(StatusCode::kDeadlineExceeded, "the machine does not end within {} cycles",
                    kMaxMachineCycles);
      }
      const bool goes = block.condition < 0 || registers_[static_cast<size_t>(block.condition)] != 0;
      next = goes ? block.then : block.otherwise;
    }
    return cycles;
  }

 private:
  uint64_t operand(const Node& node, size_t i) const {
    return i < node.operands.size() ? registers_[node.operands[i]] : 0;
  }

  void execute(const Machine::Instruction& instruction) {
    const Node& node = instruction.node;
    if (instruction.is_store) return store(node);
    uint64_t& result = registers_[instruction.result];
    if (node.op == Operator::Const) {
      result = node.imm;
    } else if (node.op == Operator::Load) {
      const Memory& memory = kernel_.memories[node.object];
      const uint64_t address = operand(node, 0);
      result = address < memory.depth ? chip_.memories[node.object][address * memory.lanes + node.imm] : 0;
    } else {
      result = evaluate(node.op, node.type, machine_.registers[node.operands.back()], operand(node, 0),
                        operand(node, 1), operand(node, 2));
    }
  }

  void store(const Node& node) {
    const Memory& memory = kernel_.memories[node.object];
    const uint64_t address = operand(node, 0);
    if (address >= memory.depth) return;
    for (size_t lane = 0; lane < memory.lanes; ++lane) {
      chip_.memories[node.object][address * memory.lanes + lane] = operand(node, lane + 1);
    }
  }

  const Kernel& kernel_;
  const Machine& machine_;
  Chip& chip_;
  std::vector<uint64_t> registers_;
};

}  // namespace

Twin::Twin(const Kernel& kernel)
    : kernel_(kernel), done_(kernel.stages.size()), machine_cycles_(kernel.stages.size()) {
  for (const Stream& stream : kernel.streams) chip_.streams.emplace_back(stream.lanes);
  for (const Memory& memory : kernel.memories) {
    chip_.memories.push_back(memory.data);
    chip_.memories.back().resize(memory.depth * memory.lanes);
  }
  for (const Port& port : kernel.ports) ports_.emplace_back(kernel, port);
  for (const Stage& stage : kernel.stages) {
    const auto* nest = std::get_if<Nest>(&stage.work);
    nests_.push_back(nest ? std::make_unique<NestRunner>(kernel, *nest) : nullptr);
  }
}

Twin::~Twin() = default;

bool Twin::isReady(size_t stage) const {
  return !done_[stage] &&
         std::ranges::all_of(kernel_.stages[stage].after, [&](uint32_t s) { return done_[s]; });
}

// Whether anything went on.
Result<bool> Twin::pass(size_t limit) {
  bool any = false;
  for (PortRunner& port : ports_) {
    if (port.port().is_input) any |= port.advance(chip_.streams[port.port().stream], limit);
  }
  for (size_t i = 0; i < kernel_.stages.size(); ++i) {
    if (!isReady(i)) continue;
    if (nests_[i]) {
      any |= nests_[i]->advance(chip_, limit);
      done_[i] = nests_[i]->isDone();
      continue;
    }
    auto cycles = MachineRunner(kernel_, std::get<Machine>(kernel_.stages[i].work), chip_).run();
    if (!cycles) return propagate(cycles.error().withContext("stage " + kernel_.stages[i].name));
    machine_cycles_[i] = *cycles;
    done_[i] = any = true;
  }
  for (PortRunner& port : ports_) {
    if (!port.port().is_input) any |= port.advance(chip_.streams[port.port().stream], limit);
  }
  return any;
}

Status Twin::stuck() const {
  for (size_t i = 0; i < done_.size(); ++i) {
    if (done_[i]) continue;
    return fail(StatusCode::kFailedPrecondition, "stage {} waits for ever for a beat",
                kernel_.stages[i].name);
  }
  return fail(StatusCode::kFailedPrecondition, "a port waits for ever for a beat");
}

Result<std::vector<int64_t>> Twin::run(int64_t unit, std::span<void* const> buffers) {
  const FloatEnvironment environment;
  for (BeatQueue& queue : chip_.streams) queue.clear();
  for (PortRunner& port : ports_) port.reset(unit, buffers[port.port().buffer]);
  for (auto& nest : nests_) {
    if (nest) nest->reset();
  }
  done_.assign(done_.size(), false);
  const auto isOver = [&] {
    return std::ranges::all_of(ports_, &PortRunner::isDone) && std::ranges::find(done_, false) == done_.end();
  };
  for (size_t limit = kFewBeats; !isOver();) {
    TET_ASSIGN_OR_RETURN(const bool any, pass(limit));
    if (any) continue;
    if (limit == kManyBeats) return propagate(stuck());
    limit = kManyBeats;
  }
  return machine_cycles_;
}

}  // namespace tetrarch::fpga
