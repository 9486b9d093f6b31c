#include "tetrarch/plan/schedule.h"

#include <gtest/gtest.h>

#include "tetrarch/plan/plan_test_problems.h"

namespace tetrarch::plan {
namespace {

constexpr DeviceSet kA = 1, kB = 2, kBoth = 3;

TEST(Schedule, AChainPaysForItsCopies) {
  Problem p = emptyProblem(2, {0.5, 10, false});
  p.inputs = {addTensor(p, 10)};
  int x = addTask(p, p.inputs, {1, 2}, 20);
  x = addTask(p, {x}, {3, 1}, 5);
  p.outputs = {x};
  ASSERT_TRUE(validate(p).ok());
  const Outline outline(p);
  // Input 0.5 + 1, task 1, copy 0.5 + 2, task 1, output 0.5 + 0.5.
  Timeline timeline;
  EXPECT_DOUBLE_EQ(evaluate(outline, {kA, kB}, &timeline), 1.5 + 1 + 2.5 + 1 + 1);
  EXPECT_EQ(timeline.launches.size(), 2u);
  ASSERT_EQ(timeline.copies.size(), 3u);
  EXPECT_EQ(timeline.copies[1].from, 0);
  EXPECT_EQ(timeline.copies[1].to, 1);
  EXPECT_DOUBLE_EQ(timeline.copies[1].begin, 2.5);
  EXPECT_DOUBLE_EQ(evaluate(outline, {kA, kA}), 1.5 + 1 + 3 + 1);
}

// A network that was folded to a constant has an output that no task makes or reads.
TEST(Schedule, AConstantOutputNeedsNoTask) {
  Problem p = emptyProblem(1, {0.5, 10, false});
  p.outputs = {addTensor(p, 10, true)};
  ASSERT_TRUE(validate(p).ok());
  const Outline outline(p);
  EXPECT_GE(outline.slot[p.outputs[0]], 0);
  EXPECT_EQ(evaluate(outline, {}), 0);
}

TEST(Schedule, BranchesOverlapUnlessTheSiliconIsShared) {
  Problem p = emptyProblem(2, {0, 0, true});
  p.inputs = {addTensor(p, 1)};
  const int x = addTask(p, p.inputs, {1, 1}, 1), y = addTask(p, p.inputs, {1, 1}, 1);
  p.outputs = {addTask(p, {x, y}, {1, 1}, 1)};
  EXPECT_DOUBLE_EQ(evaluate(Outline(p), {kA, kB, kA}), 2);
  p.devices[0].shares = p.devices[1].shares = "core 0";
  EXPECT_DOUBLE_EQ(evaluate(Outline(p), {kA, kB, kA}), 3);
}

TEST(Schedule, ADividedTaskFinishesTogether) {
  Problem p = emptyProblem(2, {0.125, 0, true});
  p.inputs = {addTensor(p, 1)};
  p.outputs = {addTask(p, p.inputs, {1, 3}, 1, 400)};
  const Outline outline(p);
  Timeline timeline;
  // Both begin when the input has arrived: 3/4 on a, 1/4 on b; the output then goes to the host.
  EXPECT_DOUBLE_EQ(evaluate(outline, {kBoth}, &timeline), 0.125 + 0.75 + 0.125 + 0.125);
  ASSERT_EQ(timeline.launches.size(), 2u);
  EXPECT_DOUBLE_EQ(timeline.launches[0].share, 0.75);
  p.devices[0].shares = p.devices[1].shares = "core 0";
  EXPECT_EQ(evaluate(Outline(p), {kBoth}), kNever);
}

TEST(Schedule, SharesAreWholeUnits) {
  Problem p = emptyProblem(2, {0, 0, true});
  p.inputs = {addTensor(p, 1)};
  p.outputs = {addTask(p, p.inputs, {1, 1.5}, 1, 3)};
  Timeline timeline;
  evaluate(Outline(p), {kBoth}, &timeline);
  ASSERT_EQ(timeline.launches.size(), 2u);
  EXPECT_DOUBLE_EQ(timeline.launches[0].share, 2.0 / 3);
  EXPECT_DOUBLE_EQ(timeline.launches[1].share, 1.0 / 3);
}

TEST(Schedule, MemoryHoldsWeightsAlwaysAndTensorsToTheirLastUse) {
  Problem p = emptyProblem(1, {0, 0, true});
  p.inputs = {addTensor(p, 10)};
  const int w1 = addTensor(p, 100, true), w2 = addTensor(p, 50, true);
  int x = addTask(p, {p.inputs[0], w1}, {1}, 20);
  x = addTask(p, {x, w2}, {1}, 30);
  p.outputs = {addTask(p, {x, w1}, {1}, 5)};
  // w1 is counted once; the peak is w1 + w2 + 20 + 30 in the second task.
  p.devices[0].memory_bytes = 200;
  EXPECT_NE(evaluate(Outline(p), {kA, kA, kA}), kNever);
  p.devices[0].memory_bytes = 199;
  EXPECT_EQ(evaluate(Outline(p), {kA, kA, kA}), kNever);
}

TEST(Validate, NamesWhatIsWrong) {
  Problem p = emptyProblem(1, {0, 1, false});
  EXPECT_TRUE(validate(p).ok());
  p.inputs = {addTensor(p, 1)};
  addTask(p, {0}, {1}, 1);
  p.tasks[0].inputs = {1};
  EXPECT_NE(validate(p).message().find("'task0' uses 't1' before"), std::string::npos);
  p.tasks[0].inputs = {7};
  EXPECT_EQ(validate(p).code(), StatusCode::kInvalidArgument);
  p.tasks[0].inputs = {0};
  p.tasks[0].costs.clear();
  EXPECT_NE(validate(p).message().find("0 costs for 1 devices"), std::string::npos);
  p = emptyProblem(2, {0, 0, false});
  EXPECT_NE(validate(p).message().find("no bandwidth"), std::string::npos);
  EXPECT_FALSE(validate(Problem{}).ok());
}

}  // namespace
}  // namespace tetrarch::plan
