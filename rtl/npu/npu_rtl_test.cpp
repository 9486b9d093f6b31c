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

RandomOptions optionsOf(int64_t side, Kind kind = Kind::Int8) {
  const Config config = builtNpuRtl(side, kind);
  return {
      .side = side, .kind = static_cast<int>(kind), .sp_rows = config.sp_rows, .acc_rows = config.acc_rows};
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

TEST(NpuRtl, RandomProgramsOfBf16) {
  for (uint64_t seed = 0; seed < 400 && !HasFailure(); ++seed) {
    expectAgreement(seed, randomCase(seed, optionsOf(8, Kind::Bf16)));
  }
}

TEST(NpuRtl, WindowsOfRandomPrograms) {
  for (const Kind kind : {Kind::Int8, Kind::Bf16}) {
    for (uint64_t seed = 0; seed < 50 && !HasFailure(); ++seed) {
      const Case c = randomCase(seed, optionsOf(8, kind));
      const size_t count = c.program.size() - 1;
      expectAgreement(seed, windowOf(c, count / 3, 2 * count / 3));
    }
  }
}

TEST(NpuRtl, FaultsStopWithTheirCause) {
  for (const CauseRow& row : causeRows()) {
    const auto cause = static_cast<Cause>(row.value);
    if (cause == Cause::Done) continue;
    for (uint64_t seed = 0; seed < 40; ++seed) {
      const Kind kind = seed % 2 ? Kind::Bf16 : Kind::Int8;
      const Case c = randomFault(seed, cause, optionsOf(8, kind));
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
