#include "tetrarch/api/segments.h"

#include <gtest/gtest.h>

namespace tetrarch::api {
namespace {

using Runs = std::vector<std::pair<int, int>>;

// t0 -> t1 -> ..., and each task of `also` reads the result of the task before the one before it too.
abi::Manifest chain(int tasks, std::vector<int> also = {}) {
  abi::Manifest m;
  m.tensors.resize(tasks + 1);
  for (int t = 0; t < tasks; ++t) {
    abi::TaskEntry task;
    task.inputs = {t};
    if (std::ranges::find(also, t) != also.end()) task.inputs.push_back(t - 1);
    task.outputs = {t + 1};
    m.tasks.push_back(task);
  }
  m.outputs = {{"y", ElementType::F32, {}, tasks}};
  return m;
}

Runs runsOf(const abi::Manifest& m, std::vector<int> devices) {
  abi::PlanEntry plan;
  for (int device : devices) plan.placement.push_back({{device}});
  return segmentsOf(m, plan, 1);
}

TEST(Segments, AreRunsOfTasksOnTheDevice) {
  EXPECT_EQ(runsOf(chain(5), {1, 1, 1, 1, 1}), (Runs{{0, 5}}));
  EXPECT_EQ(runsOf(chain(5), {0, 1, 1, 0, 1}), (Runs{{1, 2}, {4, 1}}));
  EXPECT_EQ(runsOf(chain(3), {0, 0, 0}), Runs());
}

// Task 3 waits for task 0 only when it is reached; task 5 waits for what task 2 made.
TEST(Segments, EndWhereAnotherDeviceWaitsAndBeginWhereTheyWait) {
  abi::Manifest m = chain(6);
  m.tasks[3].inputs = {1, 3};
  EXPECT_EQ(runsOf(m, {0, 1, 1, 1, 1, 1}), (Runs{{1, 2}, {3, 3}}));
  m = chain(6);
  m.tasks[5].inputs = {3, 5};
  EXPECT_EQ(runsOf(m, {1, 1, 1, 1, 1, 0}), (Runs{{0, 3}, {3, 2}}));
}

TEST(Segments, LeaveDividedTasksAlone) {
  abi::PlanEntry plan;
  plan.placement = {{{1}}, {{0, 0, 2}, {1, 2, 4}}, {{1}}, {{1}}};
  EXPECT_EQ(segmentsOf(chain(4), plan, 1), (Runs{{0, 1}, {2, 2}}));
}

TEST(Segments, HaveTheTensorsThatPassTheirBorder) {
  const abi::SegmentTensors inner = abi::segmentTensors(chain(5, {3}), 1, 2);
  EXPECT_EQ(inner.inputs, std::vector{1});
  EXPECT_EQ(inner.outputs, (std::vector{2, 3}));  // task 3 reads both
  const abi::SegmentTensors last = abi::segmentTensors(chain(5, {3}), 3, 2);
  EXPECT_EQ(last.inputs, (std::vector{3, 2}));
  EXPECT_EQ(last.outputs, std::vector{5});
}

}  // namespace
}  // namespace tetrarch::api
