#include "tetrarch/plan/plan.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>

#include "tetrarch/plan/plan_test_problems.h"
#include "tetrarch/plan/planners.h"

namespace tetrarch::plan {
namespace {

// The least time over every way to give each task one of `sets`; with `must_use`, only ways that use those
// devices.
double bruteForce(const Problem& p, const std::vector<DeviceSet>& sets, DeviceSet must_use = 0) {
  const Outline outline(p);
  double best = kNever;
  std::vector<size_t> digits(p.tasks.size());
  while (true) {
    std::vector<DeviceSet> placement;
    DeviceSet used = 0;
    for (size_t d : digits) placement.push_back(sets[d]), used |= sets[d];
    if ((used & must_use) == must_use) best = std::min(best, evaluate(outline, placement));
    size_t i = 0;
    while (i < digits.size() && ++digits[i] == sets.size()) digits[i++] = 0;
    if (i == digits.size()) return best;
  }
}

double bestSingle(const Placement& placement) {
  double best = kNever;
  for (const SingleDevice& single : placement.singles) best = std::min(best, single.seconds);
  return best;
}

TEST(Plan, IsExactForChains) {
  std::mt19937 random(1);
  for (int round = 0; round < 200; ++round) {
    const int devices = 2 + round % 2;
    const Problem p = randomProblem(random, 1 + round % 6, devices, false);
    std::vector<DeviceSet> sets;
    for (int d = 0; d < devices; ++d) sets.push_back(1u << d);
    const Placement placement = plan(p, {.margin = 0}).value();
    const double best = bruteForce(p, sets);
    EXPECT_NEAR(placement.seconds, best, best * 1e-9) << "round " << round;
  }
}

TEST(Plan, IsExactForChainsWithEachDeviceUsed) {
  std::mt19937 random(2);
  for (int round = 0; round < 100; ++round) {
    const Problem p = randomProblem(random, 2 + round % 4, 2, false);
    const double best = bruteForce(p, {1, 2}, 3);
    const auto placement = plan(p, {.devices = {0, 1}, .use_each = true});
    if (best == kNever) {
      EXPECT_FALSE(placement.has_value());
      continue;
    }
    EXPECT_NEAR(placement->seconds, best, best * 1e-9) << "round " << round;
    EXPECT_EQ(placement->planner, "forced");
  }
}

TEST(Plan, IsExactForChainsOfDividedTasks) {
  std::mt19937 random(3);
  for (int round = 0; round < 100; ++round) {
    Problem p = randomProblem(random, 1 + round % 5, 2, false, 64);
    const double hop = p.links[0].latency;
    p.links.assign(9, {hop, 0, true});
    const double best = bruteForce(p, {1, 2, 3});
    EXPECT_NEAR(plan(p, {.margin = 0})->seconds, best, best * 1e-9) << "round " << round;
  }
}

// With branches the programme is an approximation: it must stay between the bound and the best single device,
// and in sum near the optimum.
TEST(Plan, IsNearTheOptimumOfGraphs) {
  std::mt19937 random(4);
  double found = 0, optimum = 0;
  for (int round = 0; round < 100; ++round) {
    const Problem p = randomProblem(random, 3 + round % 5, 2, true);
    const Placement placement = plan(p, {.margin = 0}).value();
    const double best = bruteForce(p, {1, 2});
    EXPECT_GE(placement.seconds, best * (1 - 1e-9));
    EXPECT_LE(placement.lower_bound, best * (1 + 1e-9));
    EXPECT_LE(placement.seconds, bestSingle(placement) * (1 + 1e-9));
    found += placement.seconds, optimum += best;
  }
  EXPECT_LT(found, optimum * 1.01);
}

TEST(Plan, IsNeverWorseThanTheBestSingleDevice) {
  std::mt19937 random(5);
  for (int round = 0; round < 50; ++round) {
    const Problem p = randomProblem(random, 40, 3, true, 16);
    const Placement placement = plan(p).value();
    EXPECT_LE(placement.seconds, bestSingle(placement) * (1 + 1e-9));
    EXPECT_LE(placement.lower_bound, placement.seconds);
    if (placement.planner != "single") EXPECT_LT(placement.seconds, bestSingle(placement) * 0.97);
  }
}

TEST(Plan, AMixMustBeatTheMargin) {
  Problem p = emptyProblem(2, {0, 0, true});
  p.inputs = {addTensor(p, 1)};
  int x = addTask(p, p.inputs, {1, 2}, 1);
  for (int i = 0; i < 8; ++i) x = addTask(p, {x}, {1, i == 0 ? 0.9 : 2}, 1);
  p.outputs = {x};
  EXPECT_EQ(plan(p)->planner, "single");  // 8.9 against 9
  const Placement mix = plan(p, {.margin = 0.01}).value();
  EXPECT_EQ(mix.planner, "chain");
  EXPECT_DOUBLE_EQ(mix.seconds, 8.9);
  EXPECT_NE(mix.tasks[1].reason.find("fastest"), std::string::npos);
}

TEST(Plan, DividesWhenThatIsFaster) {
  Problem p = emptyProblem(2, {1e-3, 0, true});
  p.inputs = {addTensor(p, 1)};
  p.outputs = {addTask(p, p.inputs, {1, 1}, 1, 100)};
  const Placement placement = plan(p).value();
  EXPECT_EQ(placement.planner, "divided");
  ASSERT_EQ(placement.tasks[0].parts.size(), 2u);
  EXPECT_EQ(placement.tasks[0].parts[0].end, 50);
  EXPECT_EQ(placement.tasks[0].parts[1].begin, 50);
  EXPECT_EQ(placement.tasks[0].parts[1].end, 100);
  EXPECT_NE(placement.tasks[0].reason.find("divided"), std::string::npos);
  EXPECT_EQ(plan(p, {.divide = false})->planner, "single");
}

// A device that is so slow that its part of a divided task would be nothing has not been used by dividing.
TEST(Plan, ForcedDevicesReallyRunSomething) {
  Problem p = emptyProblem(2, {0.1, 0, true});
  p.inputs = {addTensor(p, 1)};
  int x = addTask(p, p.inputs, {1, 900}, 1, 8);
  x = addTask(p, {x}, {1, 5}, 1);
  p.outputs = {x};
  const Placement placement = plan(p, {.devices = {0, 1}, .use_each = true}).value();
  bool used[2] = {};
  for (const Launch& launch : placement.timeline.launches) used[launch.device] |= launch.share > 0;
  EXPECT_TRUE(used[0] && used[1]);
}

TEST(Plan, FixedTasksStayWhereTheyAreAsked) {
  Problem p = emptyProblem(2, {0.1, 100, false});
  p.inputs = {addTensor(p, 1)};
  int x = addTask(p, p.inputs, {1, 2}, 1);
  x = addTask(p, {x}, {1, 2}, 1);
  p.outputs = {x};
  const Placement placement = plan(p, {.fixed = {{"task1", 1}}}).value();
  EXPECT_EQ(placement.tasks[0].parts[0].device, 0);
  EXPECT_EQ(placement.tasks[1].parts[0].device, 1);
  EXPECT_NE(placement.tasks[1].reason.find("forced"), std::string::npos);
  EXPECT_EQ(plan(p, {.fixed = {{"nothing", 1}}}).error().code(), StatusCode::kInvalidArgument);
  EXPECT_FALSE(plan(p, {.devices = {0}, .fixed = {{"task1", 1}}}).has_value());
}

TEST(Plan, ADeviceMayDecline) {
  Problem p = emptyProblem(2, {0.1, 100, false});
  p.inputs = {addTensor(p, 1)};
  p.outputs = {addTask(p, p.inputs, {9, -1}, 1)};
  const Placement placement = plan(p).value();
  EXPECT_EQ(placement.tasks[0].parts[0].device, 0);
  EXPECT_NE(placement.tasks[0].reason.find("b says: not this one"), std::string::npos);
  EXPECT_EQ(placement.singles[1].seconds, kNever);
  const auto nowhere = plan(p, {.devices = {1}});
  EXPECT_EQ(nowhere.error().code(), StatusCode::kFailedPrecondition);
  EXPECT_NE(nowhere.error().message().find("task0"), std::string::npos);
}

TEST(Plan, RespectsMemory) {
  std::mt19937 random(6);
  for (int round = 0; round < 50; ++round) {
    Problem p = randomProblem(random, 8, 2, true);
    for (Task& task : p.tasks) task.inputs.push_back(addTensor(p, 1000, true));
    p.devices[0].memory_bytes = 5 * 1000 + 900;
    const auto placement = plan(p);
    if (!placement) continue;
    const auto on_a = std::count_if(placement->tasks.begin(), placement->tasks.end(),
                                    [](const Assignment& a) { return a.parts[0].device == 0; });
    EXPECT_LE(on_a, 5);
  }
  Problem p = randomProblem(random, 8, 1, false);
  p.devices[0].memory_bytes = 1;
  EXPECT_NE(plan(p).error().message().find("memory"), std::string::npos);
}

TEST(Plan, CarriesUncertaintyAndSource) {
  Problem p = emptyProblem(1, {0, 0, true});
  p.inputs = {addTensor(p, 1)};
  int x = addTask(p, p.inputs, {3}, 1);
  p.outputs = {addTask(p, {x}, {4}, 1)};
  p.tasks[0].costs[0].cost->source = Source::Measured;
  const Placement placement = plan(p).value();
  EXPECT_DOUBLE_EQ(placement.seconds, 7);
  EXPECT_DOUBLE_EQ(placement.stddev, 0.5);
  EXPECT_EQ(placement.source, Source::Modelled);
}

TEST(Plan, AModelWithoutTasksTakesItsCopies) {
  Problem p = emptyProblem(2, {0.1, 100, false});
  p.inputs = p.outputs = {addTensor(p, 1)};
  const Placement placement = plan(p).value();
  EXPECT_EQ(placement.seconds, 0);
  EXPECT_TRUE(placement.tasks.empty());
}

TEST(Plan, PlansLargeModelsQuickly) {
  std::mt19937 random(7);
  const Problem p = randomProblem(random, 3000, 2, true, 16);
  EXPECT_TRUE(plan(p).has_value());
}

}  // namespace
}  // namespace tetrarch::plan
