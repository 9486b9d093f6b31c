// npu-utilisation: how busy the array is with the convolutions of ResNet-50, as docs/npu-utilisation.md.
#include <cstdio>

#include "tetrarch/compile/target/npu/resnet50_layers.h"
#include "tetrarch/devices/npu/timing.h"

namespace tetrarch::npu {
namespace {

constexpr const char* kAbout = R"(# How busy the NPU's array is

The convolutions of ResNet-50 on one image, int8, a {0} x {0} array: `build/bin/npu-utilisation` writes this page. Cycles
are the timing model's, which are the RTL's (rtl/npu/README.md), of the streams that the code generator writes, from
reset to the last byte in DRAM. Utilisation is products that the layer needs / (cycles * {1}); those with padding count.

| layer | input | channels | to | times | cycles | utilisation | load | vector | store |
| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |
)";

Result<Timing> timingOf(const ConvolutionLayer& layer, const Config& config) {
  TET_ASSIGN_OR_RETURN(const ContractionPlan plan, planContraction(config, contractionOf(layer, config)));
  StreamBuilder builder(config);
  TET_RETURN_IF_ERROR(emitContraction(config, plan, 0, plan.tiles(), builder));
  TET_ASSIGN_OR_RETURN(const auto program, builder.finish());
  TET_ASSIGN_OR_RETURN(const auto words, encode(program));
  return simulateTiming(config, words);
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

int main() {
  const tetrarch::Status status = tetrarch::npu::print(tetrarch::npu::Config());
  if (status.ok()) return 0;
  fmt::print(stderr, "npu-utilisation: {}\n", status.message());
  return static_cast<int>(status.code());
}
