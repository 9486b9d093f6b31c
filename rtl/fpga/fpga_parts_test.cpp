// FIFOs, delays, memories and accumulators' cells against plain models of them, integer operators against
// evaluate().
#include <gtest/gtest.h>

#include <deque>
#include <optional>
#include <random>

#include "Vfpga_parts.h"
#include "rtl/fpga/sim/operator_checks.h"

namespace tetrarch::fpga {
namespace {

constexpr Type integer(int width) { return {static_cast<uint8_t>(width), 0}; }
constexpr int kCycles = 200'000;

template <typename Packed>
uint16_t lane(const Packed& packed, size_t i) {
  if constexpr (std::is_integral_v<Packed>) {
    return static_cast<uint16_t>(packed >> (16 * i));
  } else {
    return static_cast<uint16_t>(packed[i / 2] >> (16 * (i % 2)));
  }
}

class FpgaParts : public testing::Test {
 protected:
  FpgaParts() {
    clock(dut);
    dut.rst_ni = 1;
  }
  uint64_t bits() { return random(); }

  Vfpga_parts dut;
  std::mt19937_64 random{1};
};

TEST_F(FpgaParts, FifosGiveWhatTheyTookInOrder) {
  constexpr size_t kDepths[] = {2, 5, 33, 100};
  std::deque<uint16_t> held[4];
  uint64_t filling = 0;  // bit i: FIFO i is written more often than it is read
  size_t full = 0, empty = 0;
  for (int cycle = 0; cycle < kCycles; ++cycle) {
    if (cycle % 256 == 0) filling = bits();
    dut.wdata_i = bits();
    dut.wvalid_i = ((filling & bits()) | (bits() & bits())) & 15;
    dut.rready_i = ((~filling & bits()) | (bits() & bits())) & 15;
    if (cycle % 512 < 256) dut.rready_i = dut.wvalid_i = 15;  // as fast as they can
    dut.eval();
    for (size_t i = 0; i < 4; ++i) {
      ASSERT_EQ(dut.wready_o >> i & 1, held[i].size() < kDepths[i]) << "depth " << kDepths[i];
      ASSERT_EQ(dut.rvalid_o >> i & 1, !held[i].empty()) << "depth " << kDepths[i];
      if (!held[i].empty()) {
        ASSERT_EQ(lane(dut.rdata_o, i), held[i].front()) << "depth " << kDepths[i];
      }
      const bool writes = dut.wvalid_i >> i & dut.wready_o >> i & 1;
      full += held[i].size() == kDepths[i];
      empty += held[i].empty();
      if (dut.rvalid_o >> i & dut.rready_i >> i & 1) held[i].pop_front();
      if (writes) held[i].push_back(dut.wdata_i);
    }
    clock(dut);
  }
  EXPECT_GT(full, 1000U);
  EXPECT_GT(empty, 1000U);
}

TEST_F(FpgaParts, DelaysGiveWhatCameBefore) {
  constexpr size_t kCounts[] = {1, 5, 33, 100};
  std::deque<uint16_t> past(100, 0);  // the latest first
  for (int cycle = 0; cycle < kCycles; ++cycle) {
    dut.en_i = bits() % 4 != 0;
    dut.wdata_i = bits();
    dut.eval();
    for (size_t i = 0; i < 4; ++i) {
      ASSERT_EQ(lane(dut.delayed_o, i), past[kCounts[i] - 1]) << "delay of " << kCounts[i];
    }
    if (dut.en_i) {
      past.push_front(dut.wdata_i);
      past.pop_back();
    }
    clock(dut);
  }
}

TEST_F(FpgaParts, WaitsGiveWhatCameBefore) {
  constexpr size_t kStages[] = {2, 6, 17, 40};
  std::deque<uint16_t> past;  // the latest first
  for (int cycle = 0; cycle < kCycles; ++cycle) {
    dut.en_i = bits() % 4 != 0;
    dut.wdata_i = bits();
    dut.eval();
    for (size_t i = 0; i < 4; ++i) {
      if (past.size() < kStages[i]) continue;  // RAM holds anything before
      ASSERT_EQ(lane(dut.waited_o, i), past[kStages[i] - 1]) << "wait of " << kStages[i];
    }
    if (dut.en_i) past.push_front(dut.wdata_i);
    if (past.size() > 100) past.pop_back();
    clock(dut);
  }
}

TEST_F(FpgaParts, CellsHoldTheUpdateOfTheSameCycle) {
  std::optional<uint16_t> cells[3][100];
  uint32_t addresses[3] = {};  // of this cycle, and of the last two that were enabled
  size_t seen = 0;
  for (int cycle = 0; cycle < kCycles; ++cycle) {
    dut.en_i = bits() % 4 != 0;
    dut.we_i = bits() % 2;
    dut.wdata_i = bits();
    const uint32_t few = bits() % 3 == 0 ? 100 : 4;  // so that addresses meet
    dut.raddr_i = addresses[0] = bits() % few;
    dut.waddr_i = bits() % few;
    dut.eval();
    const uint32_t places[3][2] = {{0, 0},
                                   {dut.raddr_i % 32U, dut.waddr_i % 32U},  // the low five bits
                                   {addresses[2], dut.waddr_i}};
    for (size_t i = 0; i < 3; ++i) {
      const auto [read, written] = places[i];
      std::optional<uint16_t> expected = cells[i][read];
      if (dut.we_i && read == written) expected = dut.wdata_i;
      const bool exists = i != 1 || read < 30;
      if (expected && exists && dut.en_i) {
        ASSERT_EQ(lane(dut.cells_o, i), *expected) << "cells number " << i << ", cycle " << cycle;
        ++seen;
      }
      if (dut.en_i && dut.we_i) cells[i][written] = dut.wdata_i;
    }
    if (dut.en_i) {
      addresses[2] = addresses[1];
      addresses[1] = addresses[0];
    }
    clock(dut);
  }
  EXPECT_GT(seen, 300'000U);
}

TEST_F(FpgaParts, MemoriesHoldWhatWasWrittenAndNothingBeyond) {
  std::optional<uint16_t> words[2][128];
  std::optional<uint16_t> under_way[3][2];  // by cycles ago, nothing: anything
  for (int cycle = 0; cycle < kCycles; ++cycle) {
    dut.en_i = bits() % 4 != 0;
    dut.we_i = bits() % 2;
    dut.wdata_i = bits();
    dut.ram_raddr_i = bits() % (bits() % 2 ? 512 : 8);
    dut.ram_waddr_i = bits() % (bits() % 2 ? 512 : 8);
    dut.eval();
    for (size_t i = 0; i < 3; ++i) {
      if (const auto expected = under_way[i][1]) {
        ASSERT_EQ(lane(dut.words_o, i), *expected) << "memory " << i << ", cycle " << cycle;
      }
    }
    const uint32_t read[] = {dut.ram_raddr_i, dut.ram_raddr_i % 128U},
                   written[] = {dut.ram_waddr_i, dut.ram_waddr_i % 128U};
    constexpr uint32_t kDepths[] = {100, 128};
    for (size_t i = 0; i < 2; ++i) {
      std::optional<uint16_t> word = 0;
      if (read[i] < kDepths[i]) word = words[i][read[i]];
      if (dut.we_i && written[i] < kDepths[i]) {
        words[i][written[i]] = dut.wdata_i;
        if (read[i] == written[i]) word.reset();  // old or new
      }
      if (dut.en_i) under_way[i][1] = under_way[i][0], under_way[i][0] = word;
    }
    if (dut.en_i) {
      under_way[2][1] = under_way[2][0];
      under_way[2][0] = dut.ram_raddr_i < 5 ? 100 + dut.ram_raddr_i : 0;
    }
    clock(dut);
  }
}

std::vector<OperatorCheck<Vfpga_parts>> integerChecks() {
  using enum Operator;
  using Dut = Vfpga_parts;
  const auto on = [](const char* name, Operator op, int width, uint64_t (*output)(const Dut&)) {
    return OperatorCheck<Dut>{name, op, integer(width), integer(width), output, true};
  };
  return {
      on("mul8", Mul, 8, [](const Dut& d) -> uint64_t { return d.mul8_o; }),
      on("mul18", Mul, 18, [](const Dut& d) -> uint64_t { return d.mul18_o; }),
      on("mul32", Mul, 32, [](const Dut& d) -> uint64_t { return d.mul32_o; }),
      on("mul64", Mul, 64, [](const Dut& d) -> uint64_t { return d.mul64_o; }),
      on("div1", DivS, 1, [](const Dut& d) -> uint64_t { return d.div1_o; }),
      on("rem1", RemS, 1, [](const Dut& d) -> uint64_t { return d.rem1_o; }),
      on("divu8", DivU, 8, [](const Dut& d) -> uint64_t { return d.divu8_o; }),
      on("remu8", RemU, 8, [](const Dut& d) -> uint64_t { return d.remu8_o; }),
      on("divs8", DivS, 8, [](const Dut& d) -> uint64_t { return d.divs8_o; }),
      on("rems8", RemS, 8, [](const Dut& d) -> uint64_t { return d.rems8_o; }),
      on("divs32", DivS, 32, [](const Dut& d) -> uint64_t { return d.divs32_o; }),
      on("rems32", RemS, 32, [](const Dut& d) -> uint64_t { return d.rems32_o; }),
      on("divu64", DivU, 64, [](const Dut& d) -> uint64_t { return d.divu64_o; }),
      on("remu64", RemU, 64, [](const Dut& d) -> uint64_t { return d.remu64_o; }),
      on("clz1", Clz, 1, [](const Dut& d) -> uint64_t { return d.clz1_o; }),
      on("clz8", Clz, 8, [](const Dut& d) -> uint64_t { return d.clz8_o; }),
      on("clz64", Clz, 64, [](const Dut& d) -> uint64_t { return d.clz64_o; }),
      on("popcount1", Popcount, 1, [](const Dut& d) -> uint64_t { return d.popcount1_o; }),
      on("popcount11", Popcount, 11, [](const Dut& d) -> uint64_t { return d.popcount11_o; }),
      on("popcount64", Popcount, 64, [](const Dut& d) -> uint64_t { return d.popcount64_o; }),
  };
}

TEST_F(FpgaParts, IntegerOperatorsAreWhatTheyMean) {
  const auto checks = integerChecks();
  History history;
  // Small numbers, numbers of few bits from the top, ends, anything.
  const auto any = [&]() -> uint64_t {
    switch (bits() % 5) {
      case 0:
        return bits() % 4 - 2;
      case 1:
        return uint64_t{0x8000'0000'8000'0080} << bits() % 2 >> bits() % 2;
      case 2:
        return -(bits() >> bits() % 64);
      default:
        return bits() >> bits() % 64;
    }
  };
  for (int cycle = 0; cycle < kCycles; ++cycle) {
    const History::Entry entry{{}, {any(), any()}};
    dut.a_i = entry.integers.x;
    dut.b_i = entry.integers.y;
    dut.en_i = bits() % 4 != 0;
    clock(dut);
    if (!dut.en_i) continue;
    history.push(entry);
    // A product of which all bits are kept is no operator; it serves the floats.
    if (history.reaches(4)) {
      const Operands& of = history.before(4).integers;
      ASSERT_EQ(dut.mul24_o, (of.x & onesOf(24)) * (of.y & onesOf(24)));
    }
    ASSERT_TRUE(agree(checks, dut, history));
  }
}

}  // namespace
}  // namespace tetrarch::fpga
