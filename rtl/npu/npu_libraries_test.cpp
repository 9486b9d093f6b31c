// The standard configurations of the RTL as the plug-in opens them: random programs, whole and in windows,
// against the models.
#include <gtest/gtest.h>

#include "tetrarch/devices/npu/random_case.h"
#include "tetrarch/devices/npu/rtl_runner.h"
#include "tetrarch/devices/npu/windows.h"

namespace tetrarch::npu {
namespace {

class NpuLibraries : public testing::TestWithParam<std::pair<Kind, int64_t>> {
 protected:
  void SetUp() override {
    auto table = openRtl(config_, TETRARCH_RTL_FOLDER);
    ASSERT_TRUE(table) << table.error().message();
    runner_ = std::make_unique<RtlRunner>(config_, **table);
  }

  Case caseOf(uint64_t seed) const {
    return randomCase(seed, {.side = config_.side,
                             .kind = static_cast<int>(config_.kind),
                             .sp_rows = config_.sp_rows,
                             .acc_rows = config_.acc_rows,
                             .latency = config_.latency});
  }
  static Stream streamOf(const Case& c) {
    Stream stream{.words = c.program, .instructions = *decode(c.program), .timing = {}, .windows = {}};
    stream.timing = simulateTiming(c.config, stream.words);
    return stream;
  }
  static Dram dramOf(std::vector<std::byte>& bytes) {
    return *Dram::make({{0, bytes.data(), bytes.size(), true}});
  }

  const Config config_ = Config::standard(GetParam().second, GetParam().first);
  std::unique_ptr<RtlRunner> runner_;
};

TEST_P(NpuLibraries, RunWholePrograms) {
  for (uint64_t seed = 0; seed < 10; ++seed) {
    Case c = caseOf(seed);
    c.state = State(config_);
    const Outcome expected = runModels(c);
    auto cycles = runner_->run(streamOf(c), dramOf(c.dram));
    ASSERT_TRUE(cycles) << "seed " << seed << ": " << cycles.error().message();
    EXPECT_EQ(*cycles, expected.timing.cycles);
    EXPECT_TRUE(c.dram == expected.dram) << "seed " << seed;
  }
}

TEST_P(NpuLibraries, RunWindowsFromSnapshots) {
  for (uint64_t seed = 100; seed < 110; ++seed) {
    Case c = caseOf(seed);
    Stream stream = streamOf(c);
    Stream* const streams[] = {&stream};
    chooseWindows(config_, streams, {.count = 2, .seed = seed, .cycles = 2000});
    for (const Window& window : stream.windows) {
      Case before = windowOf(c, window.begin, window.end);
      auto cycles = runner_->check(stream, window, before.state, dramOf(before.dram));
      ASSERT_TRUE(cycles) << "seed " << seed << ": " << cycles.error().message();
      EXPECT_EQ(*cycles, runModels(before).timing.cycles);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Configurations, NpuLibraries,
                         testing::Values(std::pair(Kind::Int8, 8), std::pair(Kind::Int8, 16),
                                         std::pair(Kind::Int8, 32), std::pair(Kind::Bf16, 8)));

}  // namespace
}  // namespace tetrarch::npu
