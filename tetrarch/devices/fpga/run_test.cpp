// The twin and the timing model against the README word by word (reference.h), on random kernels; and the
// twin's speed.
#include "tetrarch/devices/fpga/run.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <ctime>
#include <map>

#include "tetrarch/abi/fpga_boxes.h"
#include "tetrarch/abi/fpga_cost.h"
#include "tetrarch/devices/fpga/random_program.h"
#include "tetrarch/devices/fpga/reference.h"
#include "tetrarch/devices/fpga/timing.h"

namespace tetrarch::fpga {
namespace {

using Buffers = std::vector<std::vector<std::byte>>;

std::vector<void*> pointers(Buffers& buffers) {
  std::vector<void*> result;
  for (auto& buffer : buffers) result.push_back(buffer.data());
  return result;
}

int64_t unitsOf(const Kernel& kernel) {
  int64_t units = 1;
  for (const int64_t extent : kernel.units) units *= extent;
  return units;
}

// Where twin and timing model differ from the reference, or "".
std::string difference(const Kernel& kernel, uint64_t seed) {
  Buffers of_twin = randomBuffers(kernel, seed), of_reference = of_twin;
  Twin twin(kernel);
  for (int64_t unit = 0; unit < unitsOf(kernel); ++unit) {
    const Reference reference = runReference(kernel, unit, pointers(of_reference));
    if (reference.is_stuck) return "the reference is stuck";
    auto machines = twin.run(unit, pointers(of_twin));
    if (!machines) return std::string(machines.error().message());
    if (*machines != reference.machine_cycles) return "the machines' cycles differ";
    auto timing = simulateTiming(kernel, *machines);
    if (!timing) return std::string(timing.error().message());
    if (timing->cycles != reference.cycles) {
      return fmt::format("{} cycles against {}", timing->cycles, reference.cycles);
    }
  }
  for (size_t b = 0; b < of_twin.size(); ++b) {
    if (of_twin[b] != of_reference[b]) return fmt::format("buffer {} differs", b);
  }
  return "";
}

TEST(FpgaTwin, RandomKernelsAreAsTheReadmeSays) {
  for (uint64_t seed = 0; seed < 1000; ++seed) {
    const Kernel kernel = randomKernel(seed);
    const std::string found = difference(kernel, seed);
    if (found.empty()) continue;
    const Kernel small = shrink(kernel, [&](const Kernel& k) { return difference(k, seed) == found; });
    FAIL() << "seed " << seed << ": " << found << "; " << small.stages.size() << " stages";
  }
}

TEST(FpgaTwin, RandomKernelsReachTheCorners) {
  std::map<std::string, int> seen;
  for (const char* corner :
       {"two pops", "several cells", "several outputs of a stream", "machine", "store and load", "delay",
        "long delay", "interval", "lanes", "units", "enable", "no loops", "last"}) {
    seen[corner] = 0;
  }
  std::vector<int> operators(kOperators);
  for (uint64_t seed = 0; seed < 400; ++seed) {
    const Kernel kernel = randomKernel(seed);
    seen["units"] += unitsOf(kernel) > 1;
    for (const Stream& stream : kernel.streams) seen["lanes"] += stream.lanes > 1;
    for (const Stage& stage : kernel.stages) {
      const auto* nest = std::get_if<Nest>(&stage.work);
      seen["machine"] += nest == nullptr;
      if (!nest) continue;
      seen["two pops"] += popsOf(*nest).size() > 1;
      seen["several cells"] += !nest->accumulators.empty() && cellsOf(*nest) > 1;
      seen["interval"] += nest->interval > 1;
      seen["no loops"] += nest->loops.empty();
      for (const auto& [stream, boxes] : outputsOf(*nest, false))
        seen["several outputs of a stream"] += boxes.size() > 1;
      for (const Output& output : nest->outputs) {
        seen["enable"] += output.enable >= 0;
        seen["last"] +=
            output.when == Output::When::Last && sizeOf(fullBox(*nest, output)) < iterationsOf(*nest);
        seen["store and load"] += output.is_store && std::ranges::any_of(nest->nodes, [&](const Node& n) {
                                    return n.op == Operator::Load && n.object == output.object;
                                  });
      }
      for (const Node& node : nest->nodes) {
        ++operators[static_cast<size_t>(node.op)];
        seen["delay"] += node.op == Operator::Delay;
        seen["long delay"] += node.op == Operator::Delay && node.imm > 20;
      }
    }
  }
  for (const auto& [corner, times] : seen) EXPECT_GE(times, 5) << corner;
  for (int i = 0; i < kOperators; ++i)
    EXPECT_GE(operators[static_cast<size_t>(i)], 3) << operatorInfo(static_cast<Operator>(i)).name;
}

TEST(FpgaTwin, BlobsOfRandomKernelsRoundTrip) {
  for (uint64_t seed = 0; seed < 50; ++seed) {
    const Program program{.part = "ecp5-85k", .kernels = {randomKernel(seed)}};
    auto read = readProgram(writeProgram(program));
    ASSERT_TRUE(read) << read.error().message();
    EXPECT_EQ(*read, program);
  }
}

TEST(FpgaTwin, ShrinksToTheNodeAtFault) {
  // Pretend that multiplications fail.
  const auto fails = [](const Kernel& kernel) {
    for (const Stage& stage : kernel.stages) {
      const auto* nest = std::get_if<Nest>(&stage.work);
      if (nest && std::ranges::find(nest->nodes, Operator::Mul, &Node::op) != nest->nodes.end()) return true;
    }
    return false;
  };
  uint64_t seed = 0;
  while (!fails(randomKernel(seed))) ++seed;
  const Kernel small = shrink(randomKernel(seed), fails);
  EXPECT_TRUE(fails(small));
  int operators = 0;
  for (const Stage& stage : small.stages) {
    const auto* nest = std::get_if<Nest>(&stage.work);
    for (const Node& node : nest ? nest->nodes : std::vector<Node>()) {
      operators += node.op != Operator::Const && node.op != Operator::Pop;
    }
  }
  EXPECT_LE(operators, 3);
}

// ---- whole kernels ----------------------------------------------------------------------------------------

uint32_t add(Nest& nest, Node node) {
  for (const uint32_t operand : node.operands) {
    node.cycle = std::max(node.cycle, static_cast<uint32_t>(readyCycle(nest.nodes, operand)));
  }
  nest.nodes.push_back(std::move(node));
  const auto index = static_cast<uint32_t>(nest.nodes.size() - 1);
  nest.depth = std::max(nest.depth, static_cast<uint32_t>(readyCycle(nest.nodes, index)));
  return index;
}

// Sums of `length` products of bytes, `count` of them.
Kernel dotProducts(int64_t count, int64_t length) {
  constexpr Type kI8{8}, kI32{32};
  Nest nest{.loops = {{count, false}, {length, true}}};
  const uint32_t x = add(nest, {.op = Operator::Pop, .type = kI8, .object = 0});
  const uint32_t w = add(nest, {.op = Operator::Pop, .type = kI8, .object = 1});
  const uint32_t wide_x = add(nest, {.op = Operator::ExtS, .type = kI32, .operands = {x}});
  const uint32_t wide_w = add(nest, {.op = Operator::ExtS, .type = kI32, .operands = {w}});
  const uint32_t product = add(nest, {.op = Operator::Mul, .type = kI32, .operands = {wide_x, wide_w}});
  const uint32_t zero = add(nest, {.op = Operator::Const, .type = kI32});
  const auto ready = static_cast<uint32_t>(readyCycle(nest.nodes, product));
  const uint32_t acc = add(nest, {.op = Operator::Acc, .type = kI32, .cycle = ready});
  const uint32_t sum = add(nest, {.op = Operator::Add, .type = kI32, .operands = {acc, product}});
  nest.accumulators = {{zero, sum}};
  nest.outputs = {{.object = 2, .values = {sum}, .when = Output::When::Last}};
  Kernel kernel{.symbol = "dot", .buffers = 3};
  kernel.streams = {{.type = kI8}, {.type = kI8}, {.type = kI32}};
  kernel.ports = {{.buffer = 0, .stream = 0, .loops = {{count, 0}, {length, 1}}},
                  {.buffer = 1, .stream = 1, .loops = {{count, length}, {length, 1}}},
                  {.is_input = false, .buffer = 2, .stream = 2, .storage_bytes = 4, .loops = {{count, 1}}}};
  kernel.stages = {{.name = "dot", .work = nest}};
  return kernel;
}

TEST(FpgaTwin, SumsProductsAtSpeed) {
  constexpr int64_t kCount = 2000, kLength = 500;
  const Kernel kernel = dotProducts(kCount, kLength);
  ASSERT_TRUE(verify({.part = "any", .kernels = {kernel}}).ok());
  std::vector<int8_t> x(kLength), w(kCount * kLength);
  for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<int8_t>(i * 7);
  for (size_t i = 0; i < w.size(); ++i) w[i] = static_cast<int8_t>(i * 13 + i / 100);
  std::vector<int32_t> y(kCount);
  void* const buffers[] = {x.data(), w.data(), y.data()};
  Twin twin(kernel);
  const std::clock_t begin = std::clock();
  ASSERT_TRUE(twin.run(0, buffers));
  const double seconds = static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
  for (size_t n = 0; n < y.size(); n += 97) {
    int32_t sum = 0;
    for (size_t k = 0; k < x.size(); ++k) sum += x[k] * w[n * kLength + k];
    EXPECT_EQ(y[n], sum);
  }
  const double nodes = static_cast<double>(std::get<Nest>(kernel.stages[0].work).nodes.size());
  fmt::print("{:.2f} ns a node and iteration\n", seconds * 1e9 / nodes / (kCount * kLength));
}

TEST(FpgaTwin, AMachineThatDoesNotEndIsGivenUp) {
  Kernel kernel{.symbol = "loop"};
  kernel.stages = {{.name = "forever", .work = Machine{.blocks = {{.then = 0, .cycles = 1000}}}}};
  ASSERT_TRUE(verify({.part = "any", .kernels = {kernel}}).ok());
  Twin twin(kernel);
  auto run = twin.run(0, {});
  ASSERT_FALSE(run);
  EXPECT_EQ(run.error().code(), StatusCode::kDeadlineExceeded);
  EXPECT_EQ(run.error().message(), "stage forever: the machine does not end within 1000000000 cycles");
}

}  // namespace
}  // namespace tetrarch::fpga
