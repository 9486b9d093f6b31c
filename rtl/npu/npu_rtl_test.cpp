// The RTL against the models: the same random programs, every bit of memory and the exact cycle count.
#include <gtest/gtest.h>

#include "rtl/npu/sim/npu_rtl.h"
#include "tetrarch/devices/npu/random_case.h"

namespace tetrarch::npu {
namespace {

constexpr int64_t kMaxCycles = 1000000;

// "" when RTL and models agree on the case.
std::string compare(const Case& c) {
  auto rtl = makeNpuRtl(c.config);
  if (!rtl) return rtl.error().toString();
  auto outcome = runRtl(**rtl, c, kMaxCycles);
  if (!outcome) return outcome.error().toString();
  return difference(*outcome, runModels(c));
}

void expectAgreement(uint64_t seed, const Case& c) {
  const std::string found = compare(c);
  if (found.empty()) return;
  const Case small = shrink(c, [](const Case& smaller) { return !compare(smaller).empty(); });
  ADD_FAILURE() << "seed " << seed << ": of RTL and model, " << found << "; shrunk: " << compare(small)
                << "\n"
                << listing(small);
}

RandomOptions optionsOf(int64_t side) {
  const Config config = builtNpuRtl(side);
  return {.side = side,
          .kind = static_cast<int>(Kind::Int8),
          .sp_rows = config.sp_rows,
          .acc_rows = config.acc_rows};
}

TEST(NpuRtl, RandomProgramsOfSide8) {
  for (uint64_t seed = 0; seed < 900 && !HasFailure(); ++seed)
    expectAgreement(seed, randomCase(seed, optionsOf(8)));
}

TEST(NpuRtl, RandomProgramsOfSide16) {
  for (uint64_t seed = 0; seed < 100 && !HasFailure(); ++seed) {
    expectAgreement(seed, randomCase(seed, optionsOf(16)));
  }
}

TEST(NpuRtl, WindowsOfRandomPrograms) {
  for (uint64_t seed = 0; seed < 50 && !HasFailure(); ++seed) {
    const Case c = randomCase(seed, optionsOf(8));
    const size_t count = c.program.size() - 1;
    expectAgreement(seed, windowOf(c, count / 3, 2 * count / 3));
  }
}

TEST(NpuRtl, FaultsStopWithTheirCause) {
  for (const CauseRow& row : causeRows()) {
    const auto cause = static_cast<Cause>(row.value);
    if (cause == Cause::Done) continue;
    for (uint64_t seed = 0; seed < 20; ++seed) {
      const Case c = randomFault(seed, cause, optionsOf(8));
      EXPECT_EQ(compare(c), "") << row.id << ", seed " << seed << "\n" << listing(c);
    }
  }
}

TEST(NpuRtl, SaysWhatWasBuilt) {
  auto rtl = makeNpuRtl({.side = 16, .sp_rows = 32, .acc_rows = 4});
  ASSERT_FALSE(rtl);
  EXPECT_EQ(rtl.error().code(), StatusCode::kUnimplemented);
  EXPECT_NE(rtl.error().message().find("16x16384x1024"), std::string::npos) << rtl.error().message();
}

}  // namespace
}  // namespace tetrarch::npu
