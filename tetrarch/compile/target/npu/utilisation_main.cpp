// npu-utilisation: how busy the array is, with the convolutions of ResNet-50, as docs/npu-utilisation.md, or
// with the tasks and segments of an artifact that was compiled for an NPU, and what they move.
#include <cstdio>

#include "tetrarch/abi/artifact_file.h"
#include "tetrarch/abi/npu_program.h"
#include "tetrarch/compile/target/npu/resnet50_layers.h"
#include "tetrarch/devices/npu/energy.h"
#include "tetrarch/devices/npu/timing.h"

namespace tetrarch::npu {
namespace {

constexpr const char* kAbout = R"(# How busy the NPU's array is

The convolutions of ResNet-50 on one image, int8, a {0} x {0} array: `build/bin/npu-utilisation` writes this page, and
`build/bin/npu-utilisation m.tet` says the same of the tasks of a model that was compiled for an NPU. Cycles are the
timing model's, which are the RTL's (rtl/npu/README.md), of the streams that the code generator writes, from reset to
the last byte in DRAM. Utilisation is products that the layer needs / (cycles * {1}); those with padding count.

| layer | input | channels | to | times | cycles | utilisation | load | vector | store |
| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |
)";

Result<Timing> timingOf(const ConvolutionLayer& layer, const Config& config) {
  TET_ASSIGN_OR_RETURN(const ContractionPlan plan, planContraction(config, contractionOf(layer, config)));
  StreamBuilder builder(config);
  emitContraction(config, plan, 0, plan.tiles(), builder);
  TET_ASSIGN_OR_RETURN(const auto program, builder.finish());
  TET_ASSIGN_OR_RETURN(const auto words, encode(program));
  return simulateTiming(config, words);
}

// What all streams of one kernel, or of several, take.
struct Work {
  Timing timing;
  double dram_bytes = 0;

  void add(const Work& other) {
    timing.cycles += other.timing.cycles;
    timing.multiplications += other.timing.multiplications;
    dram_bytes += other.dram_bytes;
  }
};

Result<Work> workOf(const Config& config, const ProgramEntry& entry) {
  Work work;
  for (const std::vector<Word>& words : entry.streams) {
    TET_ASSIGN_OR_RETURN(const auto instructions, decode(words));
    const Timing timing = simulateTiming(config, words);
    const EnergyUnits units = energyUnits(config, instructions, timing);
    work.add({timing, units[static_cast<size_t>(EnergyClass::DramByte)]});
  }
  return work;
}

void printRow(const Config& config, std::string_view name, size_t streams, const Work& work) {
  fmt::print("| {} | {} | {} | {:.1f} % | {:.3f} |\n", name, streams, work.timing.cycles,
             100 * work.timing.utilisation(config), work.dram_bytes / 1e6);
}

Status printCode(std::string_view title, const Program& program) {
  Config config = Config::standard(program.side, program.kind);
  config.sp_rows = program.sp_rows, config.acc_rows = program.acc_rows;
  fmt::print("{}\n\n| kernel | streams | cycles | array at work | MB of DRAM |\n", title);
  fmt::print("| --- | --- | --- | --- | --- |\n");
  Work all;
  size_t streams = 0;
  for (const ProgramEntry& entry : program.entries) {
    TET_ASSIGN_OR_RETURN(const Work work, workOf(config, entry));
    printRow(config, entry.symbol, entry.streams.size(), work);
    all.add(work);
    streams += entry.streams.size();
  }
  printRow(config, fmt::format("all {}", program.entries.size()), streams, all);
  return {};
}

Status printSection(const abi::Artifact& artifact, std::string_view title, int section) {
  TET_ASSIGN_OR_RETURN(const Program program, readProgram(artifact.bytes(section)));
  return printCode(title, program);
}

Status printArtifact(const char* path) {
  TET_ASSIGN_OR_RETURN(const auto artifact, abi::Artifact::open(path));
  const abi::Manifest& manifest = artifact->manifest();
  bool any = false;
  for (const abi::CodeEntry& code : manifest.code) {
    if (code.format != TET_NPU_FORMAT) continue;
    TET_RETURN_IF_ERROR(printSection(*artifact, "tasks, for " + code.features, code.section));
    any = true;
  }
  for (const abi::PlanEntry& plan : manifest.plans) {
    for (const abi::PlanCode& code : plan.code) {
      if (manifest.code[code.code].format != TET_NPU_FORMAT) continue;
      TET_RETURN_IF_ERROR(
          printSection(*artifact, fmt::format("\nsegments of plan {}", plan.name), code.section));
    }
  }
  return any ? Status()
             : invalidArgument("{} has no code for an NPU: compile it with --devices cpu,npu", path);
}

Status print(const Config& config) {
  fmt::print(fmt::runtime(kAbout), config.side, config.side * config.side);
  int64_t products = 0, cycles = 0;
  const auto array = static_cast<double>(config.side * config.side);
  for (const ConvolutionLayer& layer : kResNet50) {
    TET_ASSIGN_OR_RETURN(const Timing timing, timingOf(layer, config));
    const int64_t needed = contractionOf(layer, config).multiplications();
    products += layer.times * needed, cycles += layer.times * timing.cycles;
    const auto all = static_cast<double>(timing.cycles);
    const auto busy = [&](Queue q) {
      return 100 * static_cast<double>(timing.units[static_cast<int>(q)].busy) / all;
    };
    fmt::print("| {} | {} | {} | {} | {} | {} | {:.1f} % | {:.0f} % | {:.0f} % | {:.0f} % |\n", layer.name,
               layer.size, layer.channels, layer.columns, layer.times, timing.cycles,
               100 * static_cast<double>(needed) / (all * array), busy(Queue::Load), busy(Queue::Vector),
               busy(Queue::Store));
  }
  fmt::print("| **all {}** | | | | | **{}** | **{:.1f} %** | | | |\n", std::size(kResNet50), cycles,
             100 * static_cast<double>(products) / (static_cast<double>(cycles) * array));
  fmt::print("\nLoad, vector and store are the shares of cycles in which those units worked.\n");
  return {};
}

}  // namespace
}  // namespace tetrarch::npu

int main(int argc, char** argv) {
  const tetrarch::Status status =
      argc > 1 ? tetrarch::npu::printArtifact(argv[1]) : tetrarch::npu::print(tetrarch::npu::Config());
  if (status.ok()) return 0;
  fmt::print(stderr, "npu-utilisation: {}\n", status.message());
  return static_cast<int>(status.code());
}
