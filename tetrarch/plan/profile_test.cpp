#include "tetrarch/plan/profile.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmath>
#include <fstream>

namespace tetrarch::plan {
namespace {

namespace fs = std::filesystem;

class ProfileTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / ("tetrarch_profile_" + std::to_string(getpid()));
    path_ = folder_ / "cache" / "profile.db";
  }
  void TearDown() override { fs::remove_all(folder_); }
  fs::path folder_, path_;
};

TEST(Merge, IsTheDistributionOfAllSamples) {
  // {1, 2, 3} and {5, 7}: mean 3.6, variance 5.8.
  const Measurement all = merge({2, 1, 3}, {6, std::sqrt(2.0), 2});
  EXPECT_NEAR(all.mean, 3.6, 1e-12);
  EXPECT_NEAR(all.stddev, std::sqrt(5.8), 1e-12);
  EXPECT_EQ(all.n, 5);
  EXPECT_EQ(merge({1, 0, 1, Source::Measured}, {1, 0, 1, Source::Modelled}).source, Source::Modelled);
}

TEST_F(ProfileTest, KeepsWhatItWasTold) {
  {
    auto profile = Profile::open(path_).value();
    EXPECT_TRUE(profile->note().empty());
    EXPECT_FALSE(profile->cost("k", "cpu/2", "base").value().has_value());
    ASSERT_TRUE(profile->addCost("k", "cpu/2", "base", {2, 1, 3}).ok());
    ASSERT_TRUE(profile->addCost("k", "cpu/2", "base", {6, std::sqrt(2.0), 2}).ok());
    ASSERT_TRUE(profile->setTuning("k", "cpu/2", "6x16").ok());
  }
  auto profile = Profile::open(path_).value();
  const auto cost = profile->cost("k", "cpu/2", "base").value();
  ASSERT_TRUE(cost);
  EXPECT_EQ(cost->n, 5);
  EXPECT_NEAR(cost->mean, 3.6, 1e-12);
  EXPECT_FALSE(profile->cost("k", "cpu/1", "base").value().has_value());
  EXPECT_EQ(profile->tuning("k", "cpu/2").value(), "6x16");
  EXPECT_FALSE(profile->tuning("other", "cpu/2").value().has_value());
}

TEST_F(ProfileTest, RefusesImpossibleTimes) {
  auto profile = Profile::open(":memory:").value();
  EXPECT_EQ(profile->addCost("k", "d", "", {-1, 0, 1}).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(profile->addCost("k", "d", "", {NAN, 0, 1}).code(), StatusCode::kInvalidArgument);
}

TEST_F(ProfileTest, ADamagedFileIsMovedAsideAndSaidSo) {
  fs::create_directories(path_.parent_path());
  std::ofstream(path_) << std::string(8192, 'x');
  auto profile = Profile::open(path_).value();
  EXPECT_NE(profile->note().find("damaged"), std::string::npos);
  EXPECT_TRUE(fs::exists(path_.string() + ".damaged"));
  EXPECT_TRUE(profile->addCost("k", "d", "", {1, 0, 1}).ok());
}

TEST_F(ProfileTest, AFolderThatCannotBeMadeIsAnError) {
  EXPECT_EQ(Profile::open("/proc/nowhere/profile.db").error().code(), StatusCode::kPermissionDenied);
}

// Each child adds its samples to one row; none may be lost.
TEST_F(ProfileTest, SeveralProcessesShareOneFile) {
  constexpr int kProcesses = 4, kRuns = 25;
  std::vector<pid_t> children;
  for (int i = 0; i < kProcesses; ++i) {
    const pid_t child = fork();
    if (child == 0) {
      auto profile = Profile::open(path_);
      if (!profile) _exit(1);
      for (int run = 0; run < kRuns; ++run) {
        if (!(*profile)->addCost("k", "d", "", {1.0 + i, 0, 1}).ok()) _exit(2);
      }
      _exit(0);
    }
    children.push_back(child);
  }
  for (pid_t child : children) {
    int status = -1;
    waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
  }
  const auto cost = Profile::open(path_).value()->cost("k", "d", "").value();
  ASSERT_TRUE(cost);
  EXPECT_EQ(cost->n, kProcesses * kRuns);
  EXPECT_NEAR(cost->mean, 2.5, 1e-9);
}

}  // namespace
}  // namespace tetrarch::plan
