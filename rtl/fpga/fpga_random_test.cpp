// Random kernels as SystemVerilog against their twin: bits and cycles, and bits once more with ports that
// pause at random. FPGA_RANDOM_KERNELS=500 runs so many, from seed FPGA_RANDOM_SEED on.
#include <gtest/gtest.h>

#include <cstdlib>

#include "tetrarch/compile/target/fpga/schedule.h"
#include "tetrarch/compile/target/fpga/verilog.h"
#include "tetrarch/devices/fpga/random_program.h"
#include "tetrarch/devices/fpga/rtl_run.h"
#include "tetrarch/devices/fpga/run.h"
#include "tetrarch/devices/fpga/timing.h"

namespace tetrarch::fpga {
namespace {

uint64_t variable(const char* name, uint64_t absent) {
  const char* text = std::getenv(name);
  return text ? std::strtoull(text, nullptr, 10) : absent;
}

PortElements elementsOf(const Kernel& kernel, std::vector<std::vector<std::byte>>& buffers) {
  PortElements elements;
  for (const Port& port : kernel.ports) {
    elements.push_back(PortRunner(kernel, port).read(0, buffers[port.buffer].data()));
  }
  return elements;
}

// What differs, or "".
std::string difference(const RtlTools& tools, Kernel kernel, uint64_t seed) {
  kernel.top = fmt::format("random_{}", seed);
  kernel.verilog = printVerilog(kernel, kernel.top);
  auto rtl = openRtl(tools, kernel);
  if (!rtl) return std::string(rtl.error().message());
  auto buffers = randomBuffers(kernel, seed);
  PortElements of_rtl = elementsOf(kernel, buffers);
  std::vector<void*> pointers;
  for (auto& buffer : buffers) pointers.push_back(buffer.data());
  auto machines = Twin(kernel).run(0, pointers);
  if (!machines) return std::string(machines.error().message());
  auto timing = simulateTiming(kernel, *machines);
  if (!timing) return std::string(timing.error().message());
  const PortElements of_twin = elementsOf(kernel, buffers);
  for (const uint64_t stalls : {uint64_t{0}, seed | 1}) {
    auto cycles = RtlUnit(kernel, *rtl).run(of_rtl, timing->cycles, stalls);
    if (!cycles) return std::string(cycles.error().message());
    if (const std::string found = difference(kernel, of_rtl, of_twin); !found.empty()) return found;
    if (stalls == 0 && *cycles != timing->cycles) {
      return fmt::format("{} cycles against {} of the twin", *cycles, timing->cycles);
    }
  }
  return "";
}

TEST(FpgaRandomRtl, IsTheTwin) {
  auto tools = findRtlTools();
  if (!tools) GTEST_SKIP() << tools.error().message();
  const uint64_t first = variable("FPGA_RANDOM_SEED", 1), count = variable("FPGA_RANDOM_KERNELS", 4);
  for (uint64_t seed = first; seed < first + count; ++seed) {
    EXPECT_EQ(difference(*tools, randomKernel(seed), seed), "") << "seed " << seed;
    // The same with the scheduler's cycles, where that is legal, and operators that are shared.
    Kernel scheduled = randomKernel(seed, {.nodes = 20});
    schedule(scheduled, 3);
    if (!verify({.part = "ecp5-85k", .kernels = {scheduled}}).ok()) continue;
    EXPECT_EQ(difference(*tools, scheduled, seed), "") << "seed " << seed << ", scheduled";
  }
}

}  // namespace
}  // namespace tetrarch::fpga
