#include "tetrarch/run/clock_state.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

namespace tetrarch::run {
namespace {

// A sysfs of our own.
class ClockState : public testing::Test {
 protected:
  ClockState()
      : root_(std::filesystem::temp_directory_path() / fmt::format("tetrarch_sysfs_{}", ::getpid())) {}
  ~ClockState() override { std::filesystem::remove_all(root_); }

  void write(const std::string& name, const std::string& line) {
    const std::filesystem::path file = root_ / "devices/system/cpu" / name;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file) << line << '\n';
  }
  void policy(int number, const std::string& governor, const std::string& khz) {
    write(fmt::format("cpufreq/policy{}/scaling_governor", number), governor);
    write(fmt::format("cpufreq/policy{}/scaling_max_freq", number), khz);
  }

  std::filesystem::path root_;
};

TEST_F(ClockState, IsUnknownWhereTheKernelTellsNothing) {
  EXPECT_EQ(hostClockState(root_), "unknown");
  write("cpufreq/policy0/scaling_governor", "performance");  // and no limit
  EXPECT_EQ(hostClockState(root_), "unknown");
}

TEST_F(ClockState, IsTheGovernorAndTheLimit) {
  policy(0, "performance", "3500000");
  policy(1, "performance", "3500000");
  EXPECT_EQ(hostClockState(root_), "performance 3500000 kHz");
  policy(1, "performance", "2400000");
  EXPECT_EQ(hostClockState(root_), "performance 2400000 kHz + performance 3500000 kHz");
}

TEST_F(ClockState, TellsBoostAsEitherDriverDoes) {
  policy(0, "powersave", "3500000");
  write("intel_pstate/no_turbo", "1");
  EXPECT_EQ(hostClockState(root_), "powersave 3500000 kHz no boost");
  write("intel_pstate/no_turbo", "0");
  EXPECT_EQ(hostClockState(root_), "powersave 3500000 kHz boost");
  std::filesystem::remove_all(root_ / "devices/system/cpu/intel_pstate");
  write("cpufreq/boost", "1");
  EXPECT_EQ(hostClockState(root_), "powersave 3500000 kHz boost");
}

TEST_F(ClockState, OfADeviceThatIsNotTheHostIsUnknown) {
  policy(0, "performance", "3500000");
  DeviceInfo device;
  EXPECT_EQ(clockState(device, root_), "unknown");
  device.shares = kHostCpu;
  EXPECT_EQ(clockState(device, root_), "performance 3500000 kHz");
}

}  // namespace
}  // namespace tetrarch::run
