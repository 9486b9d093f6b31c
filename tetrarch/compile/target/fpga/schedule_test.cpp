// What the scheduler makes of kernels: that they compute the same, what shares an operator, what a sum waits
// for, and what logic costs.
#include "tetrarch/compile/target/fpga/schedule.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "tetrarch/abi/fpga_cost.h"
#include "tetrarch/abi/fpga_part.h"
#include "tetrarch/compile/target/fpga/balance_sums.h"
#include "tetrarch/compile/target/fpga/nest_scheduler.h"
#include "tetrarch/compile/target/fpga/pipeline.h"
#include "tetrarch/compile/target/fpga/sharing.h"
#include "tetrarch/devices/fpga/random_program.h"
#include "tetrarch/devices/fpga/run.h"

namespace tetrarch::fpga {
namespace {

using Op = Operator;
constexpr Type kI32{32};

// A nest of one loop over the lanes of one stream.
struct Body {
  explicit Body(Type type, uint32_t lanes) : type(type) {
    nest.loops = {{100, false}};
    for (uint32_t lane = 0; lane < lanes; ++lane) add({.op = Op::Pop, .type = type, .imm = lane});
  }
  uint32_t add(Node node) {
    nest.nodes.push_back(std::move(node));
    return static_cast<uint32_t>(nest.nodes.size() - 1);
  }
  uint32_t add(Op op, std::vector<uint32_t> operands) {
    return add({.op = op, .type = type, .operands = std::move(operands)});
  }
  uint32_t constant(uint64_t value) { return add({.op = Op::Const, .type = type, .imm = value}); }
  uint32_t rotate(uint32_t x, uint64_t by) {
    const uint32_t up = add(Op::Shl, {x, constant(32 - by)});
    return add(Op::Or, {add(Op::ShrU, {x, constant(by)}), up});
  }
  // All values go to a stream.
  void give(std::vector<uint32_t> values) { nest.outputs = {{.object = 1, .values = std::move(values)}}; }

  Type type;
  Nest nest;
};

Kernel kernelOf(const Body& body) {
  Kernel kernel{.symbol = "body", .buffers = 2};
  const auto lanes = static_cast<uint32_t>(
      std::ranges::count_if(body.nest.nodes, [](const Node& node) { return node.op == Op::Pop; }));
  const auto results = static_cast<uint32_t>(body.nest.outputs[0].values.size());
  const auto bytes = static_cast<uint8_t>(body.type.width / 8);
  kernel.streams = {{body.type, lanes}, {body.type, results}};
  kernel.ports = {{.is_input = true, .buffer = 0, .stream = 0, .storage_bytes = bytes},
                  {.is_input = false, .buffer = 1, .stream = 1, .storage_bytes = bytes}};
  kernel.ports[0].loops = {{100 * lanes, 1}};
  kernel.ports[1].loops = {{100 * results, 1}};
  kernel.stages = {{.name = "nest", .work = body.nest}};
  return kernel;
}

Status verified(const Kernel& kernel) { return verify({.part = "ecp5-85k", .kernels = {kernel}}); }

std::vector<std::vector<std::byte>> resultsOf(const Kernel& kernel, uint64_t seed) {
  auto buffers = randomBuffers(kernel, seed);
  std::vector<void*> pointers;
  for (auto& buffer : buffers) pointers.push_back(buffer.data());
  EXPECT_TRUE(Twin(kernel).run(0, pointers));
  return buffers;
}

// Random kernels have any legal cycles; the scheduler's are others, and so may the order of sums be.
TEST(FpgaSchedule, LeavesWhatRandomKernelsCompute) {
  int legal = 0, shared = 0;
  for (uint64_t seed = 0; seed < 400; ++seed) {
    const Kernel kernel = randomKernel(seed, {.nodes = 20});
    for (const uint32_t interval : {1U, 3U}) {
      Kernel made = kernel;
      for (Stage& stage : made.stages) {
        if (auto* nest = std::get_if<Nest>(&stage.work)) balanceSums(*nest);
      }
      schedule(made, interval);
      // A nest that loads what it stores has to wait for it, which no task asks of the scheduler.
      if (const Status status = verified(made); !status.ok()) {
        EXPECT_NE(status.message().find("what the iteration before stores"), std::string_view::npos)
            << seed << ": " << status.message();
        continue;
      }
      ++legal;
      for (const Stage& stage : made.stages) {
        const auto* nest = std::get_if<Nest>(&stage.work);
        for (const auto& users : nest ? operatorsOf(*nest) : Operators()) shared += users.size() > 1;
      }
      EXPECT_EQ(resultsOf(made, seed), resultsOf(kernel, seed)) << "seed " << seed;
    }
  }
  EXPECT_GT(legal, 500);
  EXPECT_GT(shared, 20);
}

TEST(FpgaSchedule, NodesTakeTurnsWhereThePartIsTooSmall) {
  Body body(kF32, 2);
  std::vector<uint32_t> values = {0, 1};
  for (int i = 0; i < 8; ++i)
    values.push_back(body.add(Op::FMul, {values[values.size() - 2], values.back()}));
  body.give({values.back()});
  Kernel kernel = kernelOf(body);
  const Nest& nest = std::get<Nest>(kernel.stages[0].work);
  const Part small{"small", {100000, 100000, 8, 8}, kBlockRamBits};

  schedule(kernel);
  EXPECT_EQ(estimate(kernel, small).message(), "it needs 32 multipliers, and small has 8");
  schedule(kernel, 4);
  EXPECT_TRUE(nest.shares);
  EXPECT_EQ(nest.interval, 4U);
  EXPECT_TRUE(estimate(kernel, small).ok());
  EXPECT_EQ(kernel.estimate.multipliers, 8);
  EXPECT_TRUE(verified(kernel).ok()) << verified(kernel).message();
  size_t products = 0;
  for (const auto& users : operatorsOf(nest)) {
    std::set<uint32_t> phases;
    for (uint32_t user : users) EXPECT_TRUE(phases.insert(nest.nodes[user].cycle % 4).second);
    products += nest.nodes[users[0]].op == Op::FMul;
  }
  EXPECT_EQ(products, 2U);
}

TEST(FpgaSchedule, NestsWithoutCostlyOperatorsStayAsFastAsTheyAre) {
  Body body(kI32, 2);
  body.give({body.add(Op::Xor, {0, body.add(Op::Add, {0, 1})})});
  Kernel kernel = kernelOf(body);
  schedule(kernel, 4);
  EXPECT_EQ(std::get<Nest>(kernel.stages[0].work).interval, 1U);
}

TEST(FpgaSchedule, ACellIsAddedLast) {
  Body body(kI32, 3);
  body.nest.loops = {{100, true}};
  const uint32_t zero = body.constant(0);
  uint32_t sum = body.add({.op = Op::Acc, .type = kI32});
  for (uint32_t lane : {0U, 1U, 2U}) sum = body.add(Op::Add, {sum, lane});
  body.nest.accumulators = {{zero, sum}};
  body.give({sum});
  scheduleNest(body.nest, 1);
  EXPECT_EQ(body.nest.interval, 3U);
  for (Node& node : body.nest.nodes) node.cycle = 0;
  balanceSums(body.nest);
  scheduleNest(body.nest, 1);
  EXPECT_EQ(body.nest.interval, 1U);
}

TEST(FpgaSchedule, ASumThatWaitsForAnotherAddsItsValues) {
  Body body(kI32, 4);
  const uint32_t late = body.add(Op::Mul, {0, 1});
  const uint32_t first = body.add(Op::Add, {body.add(Op::Add, {late, 0}), 1});  // used twice
  const uint32_t second = body.add(Op::Add, {2, first});
  body.give({first, second});
  balanceSums(body.nest);
  scheduleNest(body.nest, 1);
  const auto& values = body.nest.outputs[0].values;
  EXPECT_EQ(readyCycle(body.nest.nodes, values[0]), readyCycle(body.nest.nodes, values[1]));
}

// Yosys makes 32 LUTs of each of these, and none of the rotations.
TEST(FpgaSchedule, RotationsAreWiresAndFourInputsOneLut) {
  Body body(kI32, 3);
  const uint32_t sum =
      body.add(Op::Xor, {body.add(Op::Xor, {body.rotate(0, 6), body.rotate(0, 11)}), body.rotate(0, 25)});
  const uint32_t not0 = body.add(Op::Xor, {0, body.constant(~0U)});
  const uint32_t choice = body.add(Op::Xor, {body.add(Op::And, {0, 1}), body.add(Op::And, {not0, 2})});
  body.give({sum, choice});
  scheduleNest(body.nest, 1);
  EXPECT_EQ(logicLuts(body.nest), 64);
  EXPECT_EQ(body.nest.depth, 1U);
}

TEST(FpgaSchedule, WhatWaitsLongLiesInRamOfLuts) {
  EXPECT_EQ(keepingOf(32, 5), (Resources{.flip_flops = 160}));
  EXPECT_EQ(keepingOf(32, 17), (Resources{.luts = 48, .flip_flops = 32}));
  EXPECT_EQ(keepingOf(32, 40), (Resources{.luts = 3 * 48, .flip_flops = 3 * 32}));
}

}  // namespace
}  // namespace tetrarch::fpga
