#include "tetrarch/devices/cpu/rapl.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

namespace tetrarch::cpu {
namespace {

// A tree like /sys/class/powercap.
class RaplTest : public testing::Test {
 protected:
  void SetUp() override {
    root_ = std::filesystem::temp_directory_path() / ("tetrarch_powercap_" + std::to_string(::getpid()));
    std::filesystem::create_directories(root_);
  }
  void TearDown() override { std::filesystem::remove_all(root_); }
  void zone(const std::string& name, const std::string& energy, const std::string& range = "1000000") {
    std::filesystem::create_directories(root_ / name);
    std::ofstream(root_ / name / "energy_uj") << energy;
    std::ofstream(root_ / name / "max_energy_range_uj") << range;
  }
  std::filesystem::path root_;
};

TEST_F(RaplTest, SumsPackagesAndLeavesTheirPartsOut) {
  zone("intel-rapl:0", "100"), zone("intel-rapl:1", "200"), zone("intel-rapl:0:0", "5"), zone("dtpm", "9");
  auto rapl = Rapl::open(root_);
  ASSERT_TRUE(rapl);
  EXPECT_EQ(rapl->joules(), 0);
  zone("intel-rapl:0", "500100"), zone("intel-rapl:1", "200200"), zone("intel-rapl:0:0", "400000");
  EXPECT_DOUBLE_EQ(*rapl->joules(), 0.7);
}

TEST_F(RaplTest, UnwrapsTheCounter) {
  zone("intel-rapl:0", "900000");
  auto rapl = Rapl::open(root_);
  zone("intel-rapl:0", "100000");
  EXPECT_DOUBLE_EQ(*rapl->joules(), 0.2);
  zone("intel-rapl:0", "300000");
  EXPECT_DOUBLE_EQ(*rapl->joules(), 0.4);
}

TEST_F(RaplTest, WhatCannotBeReadIsAbsent) {
  EXPECT_FALSE(Rapl::open(root_ / "missing"));
  EXPECT_FALSE(Rapl::open(root_));
  zone("intel-rapl:0", "not a number");
  EXPECT_FALSE(Rapl::open(root_));
  zone("intel-rapl:0", "1");
  auto rapl = Rapl::open(root_);
  ASSERT_TRUE(rapl);
  std::filesystem::remove_all(root_ / "intel-rapl:0");
  EXPECT_FALSE(rapl->joules());
}

}  // namespace
}  // namespace tetrarch::cpu
