#include "tetrarch/devices/npu/energy.h"

#include <gtest/gtest.h>

namespace tetrarch::npu {
namespace {

double of(const EnergyUnits& units, EnergyClass which) { return units[static_cast<size_t>(which)]; }

const Config kSide8 = {.side = 8, .sp_rows = 256, .acc_rows = 64};

TEST(NpuEnergy, CountsWhatAProgramDoes) {
  const Instruction program[] = {
      Dim{.loop = 0, .count = 10, .row_stride = 1, .dram_stride = 8},
      Load{.loops = 1, .row = 0, .bytes = 8},
      Load{.loops = 1, .row = kAccBit, .bytes = 32},
      Fill{.loops = 1, .row = 20, .bytes = 1},
      Matmul{.accumulate = 1, .a_addr = 8, .n0 = 10, .n1 = 2, .s0 = 1, .k = 4},
      Matmul{.keep = 1, .a_addr = 8, .n0 = 3, .n1 = 1, .k = 8},
      Vop{.op = static_cast<int64_t>(VectorOp::REQUANT_ADD),
          .a = kAccBit,
          .b = 30,
          .n0 = 6,
          .n1 = 2,
          .d = 50},
      Vop{.op = static_cast<int64_t>(VectorOp::FOLD_MAX), .a = 0, .n0 = 5, .n1 = 3, .d = kAccBit},
      Store{.loops = 0, .row = 0, .bytes = 5},
      Halt{}};
  Timing timing;
  timing.cycles = 500;
  const EnergyUnits units = energyUnits(kSide8, program, timing);
  EXPECT_EQ(of(units, EnergyClass::Cycle), 500);
  EXPECT_EQ(of(units, EnergyClass::Instruction), 10);
  EXPECT_EQ(of(units, EnergyClass::LoadBeat), 10 + 40);
  EXPECT_EQ(of(units, EnergyClass::FillRow), 10);
  EXPECT_EQ(of(units, EnergyClass::StoreBeat), 1);
  EXPECT_EQ(of(units, EnergyClass::MatmulTile), 1);
  EXPECT_EQ(of(units, EnergyClass::MatmulRow), 20 * 4.0 / 8 + 3)
      << "array rows that are not live take nothing";
  EXPECT_EQ(of(units, EnergyClass::RequantAdd), 12);
  EXPECT_EQ(of(units, EnergyClass::Fold), 15);
  EXPECT_EQ(of(units, EnergyClass::SpRead), 8 + 20 + 3 + 12 + 15 + 1);
  EXPECT_EQ(of(units, EnergyClass::SpWrite), 10 + 10 + 12);
  EXPECT_EQ(of(units, EnergyClass::AccRead), 20 + 12);
  EXPECT_EQ(of(units, EnergyClass::AccWrite), 10 + 20 + 3 + 3);
  EXPECT_EQ(of(units, EnergyClass::DramByte), 80 + 320 + 5 + 10 * 16);
}

TEST(NpuEnergy, IsTheSumOfItsParts) {
  EnergyUnits units = {};
  units[static_cast<size_t>(EnergyClass::Cycle)] = 100;
  units[static_cast<size_t>(EnergyClass::Lut)] = 3;
  Energies energies{.known = true, .leakage_watts = 0.5};
  energies.joules[static_cast<size_t>(EnergyClass::Cycle)] = 2e-12;
  energies.joules[static_cast<size_t>(EnergyClass::Lut)] = 1e-9;
  EXPECT_DOUBLE_EQ(joulesOf(units, energies, 1e-6), 200e-12 + 3e-9 + 0.5e-6);
}

}  // namespace
}  // namespace tetrarch::npu
