// The code generator "npu": tasks read as what the units of the processor do, written as streams that wait
// for each other by tokens, packed into a blob of format "npu".
#include <charconv>
#include <numeric>

#include "tetrarch/compile/target/npu/npu_task.h"
#include "tetrarch/compile/target/npu/segment.h"
#include "tetrarch/devices/npu/timing.h"

namespace tetrarch::compile {
namespace {

using npu::Config;
using npu::DramMap;
using npu::ProgramEntry;
using npu::StreamBuilder;
using npu::TaskEmitter;
using npu::TaskMemory;
using npu::TaskUnits;

// Of a device that does not say it.
constexpr double kClockHz = 250e6;

// What a task becomes.
struct TaskProgram {
  DramMap memory;
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
    auto streams = writeStreams(*program->emitter);
    if (streams) estimate.seconds = static_cast<double>(cyclesOf(*streams)) / clock_hz_;
    return estimate;
  }

  PlansGet plansGet() const override { return PlansGet::kSegments; }
  Result<SegmentCode> addSegments(std::span<const std::byte> blob,
                                  std::span<const Segment> segments) const override {
    npu::Program program = emptyProgram();
    if (!blob.empty()) {
      TET_ASSIGN_OR_RETURN(program, npu::readProgram(blob));
    }
    SegmentCode code;
    for (const Segment& segment : segments) {
      auto made = npu::compileSegment(segment, config_);
      if (!made) return propagate(made.error().withContext(segment.name));
      ProgramEntry entry{.symbol = segment.name};
      made->memory.describe(entry, program);
      entry.streams.push_back(std::move(made->words));
      program.entries.push_back(std::move(entry));
      code.kernels.push_back(kernelOf(*made));
    }
    code.bytes = npu::writeProgram(program);
    return code;
  }

  Result<std::vector<CodeBlob>> compile(std::span<const Task> tasks,
                                        const CodegenOptions& options) const override {
    std::vector<CodeBlob> blobs;
    if (tasks.empty()) return blobs;
    CodeBlob blob{.format = TET_NPU_FORMAT, .features = features()};
    npu::Program program = emptyProgram();
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
    TaskProgram program;
    TaskMemory memory = TaskMemory::ofBuffers(task, program.memory);
    TET_RETURN_IF_ERROR(program.memory.check());
    TET_ASSIGN_OR_RETURN(program.emitter, npu::readTask(task, config_, memory));
    TET_RETURN_IF_ERROR(program.memory.check());
    return program;
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

  npu::Program emptyProgram() const {
    return {
        .side = config_.side, .kind = config_.kind, .sp_rows = config_.sp_rows, .acc_rows = config_.acc_rows};
  }

  int64_t cyclesOf(std::span<const std::vector<npu::Word>> streams) const {
    int64_t cycles = 0;
    for (const auto& words : streams) cycles += npu::simulateTiming(config_, words).cycles;
    return cycles;
  }

  // Nothing of a task that multiplies nothing on the array.
  std::optional<double> utilisation(int64_t multiplications, int64_t cycles) const {
    if (multiplications == 0 || cycles == 0) return std::nullopt;
    return static_cast<double>(multiplications) / static_cast<double>(cycles * config_.side * config_.side);
  }

  SegmentKernel kernelOf(const npu::SegmentProgram& made) const {
    SegmentKernel kernel;
    const auto all = static_cast<double>(std::reduce(made.cycles.begin(), made.cycles.end()));
    for (size_t i = 0; i < made.cycles.size(); ++i) {
      kernel.shares.push_back(static_cast<double>(made.cycles[i]) / std::max(1.0, all));
      kernel.utilisation.push_back(utilisation(made.multiplications[i], made.cycles[i]).value_or(0));
    }
    return kernel;
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
    blob.entries.push_back(
        {.symbol = entry.symbol,
         .units = units.units,
         .granularity = units.granularity,
         .workspace_bytes = static_cast<int64_t>(entry.workspace_bytes),
         .rows = units.rows,
         .row_tile = units.row_tile,
         .utilisation = utilisation(made.emitter->multiplications(), cyclesOf(entry.streams))});
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
