#include "tetrarch/devices/fpga/timing.h"

#include <gtest/gtest.h>

#include <chrono>

#include "tetrarch/abi/fpga_boxes.h"
#include "tetrarch/devices/fpga/random_program.h"
#include "tetrarch/devices/fpga/reference.h"
#include "tetrarch/devices/fpga/run.h"

namespace tetrarch::fpga {
namespace {

std::vector<void*> pointers(std::vector<std::vector<std::byte>>& buffers) {
  std::vector<void*> result;
  for (auto& buffer : buffers) result.push_back(buffer.data());
  return result;
}

// One stage that hands beats on.
Kernel copyKernel(int64_t count, uint32_t interval, uint32_t depth, uint32_t fifo) {
  Nest nest{.loops = {{count, false}}, .nodes = {{.op = Operator::Pop, .type = {8}, .object = 0}}};
  nest.outputs = {{.object = 1, .values = {0}}};
  nest.interval = interval;
  nest.depth = depth;
  Kernel kernel{.symbol = "copy", .buffers = 2};
  kernel.streams = {{.type = {8}, .depth = fifo}, {.type = {8}, .depth = fifo}};
  kernel.ports = {{.buffer = 0, .stream = 0, .loops = {{count, 1}}},
                  {.is_input = false, .buffer = 1, .stream = 1, .loops = {{count, 1}}}};
  kernel.stages = {{.name = "copy", .work = nest}};
  return kernel;
}

int64_t cyclesOf(const Kernel& kernel) {
  auto timing = simulateTiming(kernel, std::vector<int64_t>(kernel.stages.size(), 1));
  EXPECT_TRUE(timing) << timing.error().message();
  return timing ? timing->cycles : -1;
}

TEST(FpgaTiming, OneBeatTakesItsWay) {
  // In cycle 0 it comes, in 1 it issues, in 1 + depth it leaves, in 2 + depth the port has it.
  EXPECT_EQ(cyclesOf(copyKernel(1, 1, 1, 2)), 4);
  EXPECT_EQ(cyclesOf(copyKernel(1, 1, 7, 2)), 10);
  EXPECT_EQ(cyclesOf(copyKernel(10, 1, 7, 2)), 19);
  EXPECT_EQ(cyclesOf(copyKernel(10, 3, 7, 2)), 37);
}

TEST(FpgaTiming, RandomKernelsThatMayBeStuck) {
  int stuck = 0;
  for (uint64_t seed = 0; seed < 300; ++seed) {
    const Kernel kernel =
        randomKernel(seed, {.stages = 6, .nodes = 3, .machines = false, .may_be_stuck = true});
    auto buffers = randomBuffers(kernel, seed);
    const Reference reference = runReference(kernel, 0, pointers(buffers));
    auto timing = simulateTiming(kernel, reference.machine_cycles);
    ASSERT_EQ(reference.is_stuck, !timing) << "seed " << seed;
    if (timing) ASSERT_EQ(timing->cycles, reference.cycles) << "seed " << seed;
    stuck += reference.is_stuck;
  }
  EXPECT_GT(stuck, 5);
}

TEST(FpgaTiming, ShallowFifosAreNamed) {
  // Two ways of different lengths from one stage to another.
  Kernel kernel = copyKernel(20, 1, 1, 2);
  Nest& split = std::get<Nest>(kernel.stages[0].work);
  split.outputs.push_back({.object = 2, .values = {0}});
  Nest join{.loops = {{20, false}},
            .nodes = {{.op = Operator::Pop, .type = {8}, .object = 1, .box = {{19, 20}}},
                      {.op = Operator::Pop, .type = {8}, .object = 2}}};
  join.outputs = {{.object = 3, .values = {1}}};
  split.outputs[0].box = {{19, 20}};
  std::get<Nest>(kernel.stages[0].work) = split;
  kernel.streams.push_back({.type = {8}});
  kernel.streams.push_back({.type = {8}});
  kernel.ports[1].stream = 3;
  kernel.stages.push_back({.name = "join", .work = join, .after = {0}});
  ASSERT_TRUE(verify({.part = "any", .kernels = {kernel}}).ok())
      << verify({.part = "any", .kernels = {kernel}}).message();
  const std::vector<int64_t> machines(2);
  auto timing = simulateTiming(kernel, machines);
  ASSERT_FALSE(timing);
  EXPECT_EQ(timing.error().message(), "stage copy waits for ever for room in stream 2, of depth 2");
  kernel.streams[2].depth = 20;
  EXPECT_TRUE(simulateTiming(kernel, machines));
}

TEST(FpgaTiming, StagesThatWaitForEachOtherAreNamed) {
  // Each needs the other's first beat for its own.
  Kernel kernel = copyKernel(5, 1, 1, 2);
  Nest& first = std::get<Nest>(kernel.stages[0].work);
  kernel.streams.push_back({.type = {8}});
  kernel.streams.push_back({.type = {8}});
  first.nodes.push_back({.op = Operator::Pop, .type = {8}, .object = 3});
  first.outputs.push_back({.object = 2, .values = {1}});
  Nest second{.loops = {{5, false}}, .nodes = {{.op = Operator::Pop, .type = {8}, .object = 2}}};
  second.outputs = {{.object = 3, .values = {0}}};
  kernel.stages.push_back({.name = "second", .work = second});
  ASSERT_TRUE(verify({.part = "any", .kernels = {kernel}}).ok());
  auto timing = simulateTiming(kernel, std::vector<int64_t>(2));
  ASSERT_FALSE(timing);
  EXPECT_EQ(timing.error().message(), "stage copy waits for ever for a beat of stream 3, of depth 2");
  auto buffers = randomBuffers(kernel, 1);
  auto run = Twin(kernel).run(0, pointers(buffers));
  ASSERT_FALSE(run);
  EXPECT_EQ(run.error().code(), StatusCode::kFailedPrecondition);
  EXPECT_EQ(run.error().message(), "stage copy waits for ever for a beat");
}

// A picture through two stages, the second a window of which some iterations give nothing.
Kernel pictureKernel(int64_t height, int64_t width) {
  Kernel kernel = copyKernel(height * width, 1, 9, 4);
  Nest& first = std::get<Nest>(kernel.stages[0].work);
  first.loops = {{height + 2, false}, {width + 2, false}};
  first.nodes[0].box = {{1, height + 1}, {1, width + 1}};
  Nest second{
      .loops = {{height, false}, {width, false}, {3, true}},
      .nodes = {{.op = Operator::Pop, .type = {8}, .object = 1, .box = {{0, height}, {0, width}, {0, 1}}}},
      .depth = 17};
  second.outputs = {{.object = 2, .values = {0}, .when = Output::When::Last}};
  first.outputs[0].box = {{1, height + 1}, {1, width + 1}};
  kernel.streams.push_back({.type = {8}});
  kernel.ports[1].stream = 2;
  kernel.stages.push_back({.name = "second", .work = second});
  return kernel;
}

TEST(FpgaTiming, PicturesAreAsTheReferenceHasThem) {
  for (const auto& [height, width] : {std::pair{1, 1}, {3, 5}, {20, 17}, {40, 9}}) {
    const Kernel kernel = pictureKernel(height, width);
    ASSERT_TRUE(verify({.part = "any", .kernels = {kernel}}).ok())
        << verify({.part = "any", .kernels = {kernel}}).message();
    auto buffers = randomBuffers(kernel, 1);
    EXPECT_EQ(cyclesOf(kernel), runReference(kernel, 0, pointers(buffers)).cycles)
        << height << " x " << width;
  }
}

TEST(FpgaTiming, MillionsOfCyclesTakeMilliseconds) {
  const Kernel kernel = pictureKernel(1080, 1920);
  const auto begin = std::chrono::steady_clock::now();
  auto timing = simulateTiming(kernel, std::vector<int64_t>(2));
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  ASSERT_TRUE(timing) << timing.error().message();
  EXPECT_GT(timing->cycles, 3 * 1080 * 1920);
  EXPECT_LT(timing->steps, 200'000);
  fmt::print("{} cycles in {} steps, {:.1f} ms\n", timing->cycles, timing->steps, seconds.count() * 1e3);
}

TEST(FpgaTiming, AMachineIsNotSimulatedCycleByCycle) {
  Kernel kernel{.symbol = "machine"};
  kernel.stages = {{.name = "a", .work = Machine{.blocks = {{}}}},
                   {.name = "b", .work = Nest{.loops = {{5, false}}}, .after = {0}}};
  auto timing = simulateTiming(kernel, std::vector<int64_t>{1'000'000'000, 0});
  ASSERT_TRUE(timing);
  EXPECT_EQ(timing->cycles, 1'000'000'000 + 6);
  EXPECT_LT(timing->steps, 20);
}

}  // namespace
}  // namespace tetrarch::fpga
