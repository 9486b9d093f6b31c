#include "tetrarch/run/buffer_plan.h"

#include <gtest/gtest.h>

#include <random>

namespace tetrarch::run {
namespace {

struct Life {
  int begin, end;
};

Result<BufferPlan> planLives(const std::vector<uint64_t>& bytes, const std::vector<Life>& lives,
                             uint64_t alignment) {
  return planBuffers(bytes, alignment, [&](size_t a, size_t b) {
    return lives[a].begin <= lives[b].end && lives[b].begin <= lives[a].end;
  });
}

TEST(BufferPlan, NothingNeedsNothing) {
  auto plan = planBuffers({}, 64, [](size_t, size_t) { return true; });
  EXPECT_EQ(plan->bytes, 0u);
}

TEST(BufferPlan, AChainNeedsItsTwoLargestNeighbours) {
  auto plan = planLives({64, 128, 64, 256, 64}, {{0, 1}, {1, 2}, {2, 3}, {3, 4}, {4, 5}}, 64);
  EXPECT_EQ(plan->bytes, 320u);
}

TEST(BufferPlan, FillsTheTightestGap) {
  // 256 in front and 64 at the end live for ever; a gap of 128 between them is left by a buffer that dies.
  auto plan = planLives({256, 128, 64, 100}, {{0, 9}, {0, 1}, {0, 9}, {2, 9}}, 64);
  EXPECT_EQ(plan->offsets[3], plan->offsets[1]);
  EXPECT_EQ(plan->bytes, 448u);
}

TEST(BufferPlan, TooLargeIsAnError) {
  EXPECT_EQ(planLives({UINT64_MAX}, {{0, 0}}, 64).error().code(), StatusCode::kResourceExhausted);
  EXPECT_EQ(planLives({uint64_t{1} << 61, uint64_t{1} << 61, 1}, {{0, 0}, {1, 1}, {2, 2}}, 64).error().code(),
            StatusCode::kResourceExhausted);
}

TEST(BufferPlan, RandomPlansNeverOverlapAndStayNearTheBound) {
  std::mt19937 random(1);
  for (int round = 0; round < 300; ++round) {
    size_t count = 1 + random() % 60;
    std::vector<uint64_t> bytes(count);
    std::vector<Life> lives(count);
    for (size_t i = 0; i < count; ++i) {
      bytes[i] = random() % 5000;
      lives[i].begin = static_cast<int>(random() % 50);
      lives[i].end = lives[i].begin + static_cast<int>(random() % 8);
    }
    auto plan = planLives(bytes, lives, 64);
    ASSERT_TRUE(plan);
    uint64_t bound = 0;
    for (int time = 0; time < 60; ++time) {
      uint64_t alive = 0;
      std::vector<char> owner(plan->bytes, 0);  // brute force: each byte has one owner at each time
      for (size_t i = 0; i < count; ++i) {
        if (lives[i].begin > time || time > lives[i].end) continue;
        ASSERT_EQ(plan->offsets[i] % 64, 0u);
        ASSERT_LE(plan->offsets[i] + bytes[i], plan->bytes);
        for (uint64_t b = 0; b < bytes[i]; ++b) ASSERT_EQ(owner[plan->offsets[i] + b]++, 0);
        alive += (bytes[i] + 63) / 64 * 64;
      }
      bound = std::max(bound, alive);
    }
    EXPECT_LE(plan->bytes, bound + bound / 2);
  }
}

}  // namespace
}  // namespace tetrarch::run
