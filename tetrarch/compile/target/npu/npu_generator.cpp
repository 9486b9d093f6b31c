// The code generator "npu": tasks read as what the units of the processor do, written as streams that wait
// for each other by tokens, packed into a blob of format "npu".
#include <charconv>

#include "tetrarch/compile/target/npu/npu_task.h"
#include "tetrarch/devices/npu/timing.h"

namespace tetrarch::compile {
namespace {

using npu::Config;
using npu::ProgramEntry;
using npu::StreamBuilder;
using npu::TaskEmitter;
using npu::TaskMemory;
using npu::TaskUnits;

// Of a device that does not say it.
constexpr double kClockHz = 250e6;

// What a task becomes.
struct TaskProgram {
  TaskMemory memory;
  std::unique_ptr<TaskEmitter> emitter;
};

class NpuGenerator : public CodeGenerator {
 public:
  NpuGenerator(const Config& config, double clock_hz) : config_(config), clock_hz_(clock_hz) {}

  std::string_view name() const override { return "npu"; }
  std::string_view deviceClass() const override { return "asic"; }
  // Factors of sums, and weights that the array takes in another layout.
  bool readsConstants() const override { return true; }
  std::unique_ptr<CodeGenerator> forFeatures(std::string_view features) const override;

  Status supports(const Task& task) const override {
    auto program = read(task);
    return program ? Status() : Status(program.error());
  }

  // The cycles of the processor's timing model.
  Estimate estimate(const Task& task) const override {
    Estimate estimate;
    auto program = read(task);
    if (!program) return estimate;
    int64_t cycles = 0;
    if (auto streams = writeStreams(*program->emitter)) {
      for (const auto& words : *streams) cycles += npu::simulateTiming(config_, words).cycles;
    }
    estimate.seconds = static_cast<double>(cycles) / clock_hz_;
    return estimate;
  }

  Result<std::vector<CodeBlob>> compile(std::span<const Task> tasks,
                                        const CodegenOptions& options) const override {
    std::vector<CodeBlob> blobs;
    if (tasks.empty()) return blobs;
    CodeBlob blob{.format = TET_NPU_FORMAT, .features = features()};
    npu::Program program{
        .side = config_.side, .kind = config_.kind, .sp_rows = config_.sp_rows, .acc_rows = config_.acc_rows};
    for (const Task& task : tasks) {
      if (Status added = add(task, program, blob); !added.ok())
        return propagate(added.withContext(task.name));
      if (options.progress) options.progress(blob.entries.size(), tasks.size(), name());
    }
    blob.bytes = npu::writeProgram(program);
    blobs.push_back(std::move(blob));
    return blobs;
  }

 private:
  Result<TaskProgram> read(const Task& task) const {
    TET_ASSIGN_OR_RETURN(TaskMemory memory, TaskMemory::make(task));
    TET_ASSIGN_OR_RETURN(auto emitter, npu::readTask(task, config_, memory));
    if (memory.end() > uint64_t{1} << 32) {
      return propagate(
          unimplemented("with its constants it needs {} bytes of the NPU's memory", memory.end()));
    }
    return TaskProgram{std::move(memory), std::move(emitter)};
  }

  Result<std::vector<std::vector<npu::Word>>> writeStreams(const TaskEmitter& emitter) const {
    const TaskUnits units = emitter.units();
    std::vector<std::vector<npu::Word>> streams;
    for (int64_t begin = 0; begin < units.units; begin += units.granularity) {
      StreamBuilder builder(config_);
      TET_RETURN_IF_ERROR(emitter.emit(begin, std::min(units.units, begin + units.granularity), builder));
      TET_ASSIGN_OR_RETURN(const auto instructions, builder.finish());
      TET_ASSIGN_OR_RETURN(auto words, npu::encode(instructions));
      streams.push_back(std::move(words));
    }
    return streams;
  }

  Status add(const Task& task, npu::Program& program, CodeBlob& blob) const {
    TET_ASSIGN_OR_RETURN(const TaskProgram made, read(task));
    const TaskUnits units = made.emitter->units();
    ProgramEntry entry{.symbol = task.name,
                       .units = static_cast<uint64_t>(units.units),
                       .granularity = static_cast<uint64_t>(units.granularity)};
    made.memory.describe(entry, program);
    TET_ASSIGN_OR_RETURN(entry.streams, writeStreams(*made.emitter));
    // The device itself owns the workspace: no buffer is passed for it.
    blob.entries.push_back({.symbol = entry.symbol,
                            .units = units.units,
                            .granularity = units.granularity,
                            .workspace_bytes = static_cast<int64_t>(entry.workspace_bytes),
                            .rows = units.rows,
                            .row_tile = units.row_tile});
    program.entries.push_back(std::move(entry));
    return {};
  }

  std::string features() const {
    return fmt::format("side={} kind={} sp_rows={} acc_rows={}", config_.side, npu::kindName(config_.kind),
                       config_.sp_rows, config_.acc_rows);
  }

  Config config_;
  double clock_hz_;
};

// The number behind `name` in "name=number …".
template <typename T>
T numberOf(std::string_view features, std::string_view name, T otherwise) {
  for (size_t at = 0; at < features.size();
       at = features.find(' ', at) == std::string_view::npos ? features.size() : features.find(' ', at) + 1) {
    const std::string_view word = features.substr(at, features.find(' ', at) - at);
    if (!word.starts_with(name) || word.size() <= name.size() || word[name.size()] != '=') continue;
    T value = otherwise;
    std::from_chars(word.data() + name.size() + 1, word.data() + word.size(), value);
    return value;
  }
  return otherwise;
}

std::unique_ptr<CodeGenerator> NpuGenerator::forFeatures(std::string_view features) const {
  const auto kind = features.find("kind=bf16") == std::string_view::npos ? npu::Kind::Int8 : npu::Kind::Bf16;
  Config config = Config::standard(numberOf(features, "side", config_.side), kind);
  config.sp_rows = numberOf(features, "sp_rows", config.sp_rows);
  config.acc_rows = numberOf(features, "acc_rows", config.acc_rows);
  config.latency = numberOf(features, "latency", config.latency);
  if (!npu::check(config).ok()) return nullptr;
  return std::make_unique<NpuGenerator>(config, numberOf(features, "clock_hz", clock_hz_));
}

}  // namespace

std::unique_ptr<CodeGenerator> makeNpuGenerator() {
  return std::make_unique<NpuGenerator>(Config(), kClockHz);
}

}  // namespace tetrarch::compile
