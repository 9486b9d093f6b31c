#include "tetrarch/abi/fpga_cost.h"

#include <gtest/gtest.h>

namespace tetrarch::fpga {
namespace {

constexpr Type integer(int width) { return {static_cast<uint8_t>(width), 0}; }

OperatorCost same(Operator op, Type type) { return costOf(op, type, type); }

TEST(FpgaCost, LatenciesAreThoseOfTheModules) {
  EXPECT_EQ(same(Operator::Add, integer(32)).latency, 1);
  EXPECT_EQ(same(Operator::Mul, integer(18)).latency, 2);
  EXPECT_EQ(same(Operator::Mul, integer(32)).latency, 4);
  EXPECT_EQ(same(Operator::Mul, integer(64)).latency, 6);
  EXPECT_EQ(same(Operator::DivS, integer(16)).latency, 18);
  EXPECT_EQ(same(Operator::FAdd, kF32).latency, 6);
  EXPECT_EQ(same(Operator::FMul, kF16).latency, 5);
  EXPECT_EQ(same(Operator::FMul, kF32).latency, 7);
  EXPECT_EQ(same(Operator::FDiv, kF32).latency, 32);
  EXPECT_EQ(same(Operator::FSqrt, kBf16).latency, 13);
  EXPECT_EQ(costOf(Operator::FloatToIntS, integer(8), kF32).latency, 3);
}

TEST(FpgaCost, MultipliersAreThePiecesThatReachIntoTheResult) {
  EXPECT_EQ(same(Operator::Mul, integer(8)).uses.multipliers, 1);
  EXPECT_EQ(same(Operator::Mul, integer(32)).uses.multipliers, 3);
  EXPECT_EQ(same(Operator::Mul, integer(64)).uses.multipliers, 10);
  EXPECT_EQ(same(Operator::FMul, kF32).uses.multipliers, 4);
}

TEST(FpgaCost, GrowsWithTheWidth) {
  for (const Operator op : {Operator::Add, Operator::DivS, Operator::Shl, Operator::MinS}) {
    int64_t before = 0;
    for (const int width : {4, 8, 12, 16, 24, 32, 48, 64}) {
      const int64_t luts = same(op, integer(width)).uses.luts;
      EXPECT_GT(luts, before) << width;
      before = luts;
    }
  }
}

TEST(FpgaCost, KnowsEveryOperatorThatComputes) {
  for (const Operator op : {Operator::Sub, Operator::RemU, Operator::Xor, Operator::ShrS, Operator::MaxU,
                            Operator::Popcount, Operator::Clz, Operator::Select})
    EXPECT_GT(same(op, integer(32)).uses.luts, 0) << static_cast<int>(op);
  for (const Operator op : {Operator::FSub, Operator::FMul, Operator::FDiv, Operator::FSqrt, Operator::FMax,
                            Operator::FTrunc, Operator::Select})
    EXPECT_GT(same(op, kBf16).uses.luts, 0) << static_cast<int>(op);
  EXPECT_GT(costOf(Operator::LeU, kI1, integer(32)).uses.luts, 0);
  EXPECT_GT(costOf(Operator::FNe, kI1, kF16).uses.luts, 0);
  EXPECT_GT(costOf(Operator::IntToFloatU, kF32, integer(20)).uses.luts, 0);
  EXPECT_GT(costOf(Operator::FloatToFloat, kF16, kF32).uses.luts, 0);
  EXPECT_GT(same(Operator::FAdd, Type{64, 11}).uses.luts, same(Operator::FAdd, kF32).uses.luts);
}

TEST(FpgaCost, AValueIsReadyAfterItsOperator) {
  std::vector<Node> nodes(2);
  nodes[0].type = nodes[1].type = kF32;
  nodes[1].op = Operator::FAdd;
  nodes[1].operands = {0, 0};
  nodes[1].cycle = 3;
  EXPECT_EQ(readyCycle(nodes, 0), 0);
  EXPECT_EQ(readyCycle(nodes, 1), 9);
}

}  // namespace
}  // namespace tetrarch::fpga
