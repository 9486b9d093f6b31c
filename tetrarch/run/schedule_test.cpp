#include "tetrarch/run/schedule.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace tetrarch::run {
namespace {

using abi::Manifest;
using abi::PlanEntry;
using abi::TensorKind;

// x → t0 → y0 → t1 → y1 …, each of four rows in two units of two rows.
Manifest chain(int tasks) {
  Manifest m;
  m.tensors = {{ElementType::F32, {4}, 16, TensorKind::Input}};
  m.inputs = {{"x", ElementType::F32, {4}, 0}};
  m.code.resize(2);
  for (int t = 0; t < tasks; ++t) {
    m.tensors.push_back({ElementType::F32, {4}, 16, TensorKind::Temporary});
    abi::TaskEntry task;
    task.name = fmt::format("t{}", t);
    task.inputs = {t};
    task.outputs = {t + 1};
    m.tasks.push_back(task);
    m.code[0].kernels.push_back({"k", "", 2, 1, 0, 4, 2});
    m.code[1].kernels.push_back({"k", "", 4, 1, 0, 4, 1});  // unlike code: units of one row
  }
  m.outputs = {{"y", ElementType::F32, {4}, tasks}};
  return m;
}

PlanEntry placed(std::vector<std::vector<abi::Share>> placement) {
  PlanEntry plan;
  plan.placement = std::move(placement);
  return plan;
}

const ScheduleDevice kHost{"cpu", true, true, 0};
const ScheduleDevice kGpu{"gpu", false, false, 1};
const ScheduleDevice kShared{"igpu", true, false, 1};

std::string text(const Schedule& schedule) {
  std::string out;
  for (const Step& s : schedule.steps) {
    const char* kind = s.kind == Step::Kind::Launch ? "run" : s.kind == Step::Kind::CopyIn ? "in" : "out";
    out += fmt::format("{}{}@{} ", kind, s.task >= 0 ? s.task : s.tensor, s.device);
  }
  return out;
}

TEST(Schedule, OneDeviceNeedsNoCopies) {
  EXPECT_EQ(text(*makeSchedule(chain(3), placed({{{0}}, {{0}}, {{0}}}), {kHost})), "run0@0 run1@0 run2@0 ");
}

// Tasks 1 and 2 together, beside the code of each: where the device loads the plan's own code.
TEST(Schedule, ASegmentIsOneLaunch) {
  PlanEntry plan = placed({{{0}}, {{1}}, {{1}}, {{0}}});
  plan.code = {{1, 1, 0, {{1, "segment", {0.5, 0.5}, {0, 0}}}}};
  ScheduleDevice fused = kGpu;
  fused.own = &plan.code[0];
  const Schedule schedule = *makeSchedule(chain(4), plan, {kHost, fused});
  EXPECT_EQ(text(schedule), "run0@0 in1@1 run1@1 out3@1 run3@0 ");
  const Step& step = schedule.steps[2];
  EXPECT_EQ(step.segment, plan.code[0].segments.data());
  EXPECT_EQ(step.inputs, std::vector{1});
  EXPECT_EQ(step.outputs, std::vector{3});
  EXPECT_EQ(step.units, 1);
  EXPECT_EQ(schedule.tensors[1], (std::vector{1, 3}));  // what is between them needs no memory
  EXPECT_EQ(text(*makeSchedule(chain(4), plan, {kHost, kGpu})), "run0@0 in1@1 run1@1 run2@1 out3@1 run3@0 ");
}

// The plan's code may have its tasks in other units than the code of all tasks has.
TEST(Schedule, APlansOwnKernelsCount) {
  PlanEntry plan = placed({{{0}}, {{1}}});
  plan.code = {{.device = 1, .code = 1}};
  plan.code[0].kernels = {{}, {.symbol = "own", .units = 3}};
  ScheduleDevice own = kGpu;
  own.own = &plan.code[0];
  const Schedule schedule = *makeSchedule(chain(2), plan, {kHost, own});
  EXPECT_EQ(text(schedule), "run0@0 in1@1 run1@1 out2@1 ");
  EXPECT_EQ(schedule.steps[2].units, 3U);
  EXPECT_EQ(schedule.steps[2].end, 3U);
}

TEST(Schedule, SharedMemoryNeedsNoCopies) {
  EXPECT_EQ(text(*makeSchedule(chain(3), placed({{{0}}, {{1}}, {{0}}}), {kHost, kShared})),
            "run0@0 run1@1 run2@0 ");
}

TEST(Schedule, MemoryOfItsOwnIsFilledOnceAndEmptiedOnce) {
  EXPECT_EQ(text(*makeSchedule(chain(3), placed({{{1}}, {{1}}, {{0}}}), {kHost, kGpu})),
            "in0@1 run0@1 run1@1 out2@1 run2@0 ");
}

TEST(Schedule, BetweenTwoSuchDevicesThroughTheHost) {
  EXPECT_EQ(text(*makeSchedule(chain(2), placed({{{0}}, {{1}}}), {kGpu, kGpu})),
            "in0@0 run0@0 out1@0 in1@1 run1@1 out2@1 ");
}

TEST(Schedule, ADividedTaskComesTogetherInTheHost) {
  auto schedule = makeSchedule(chain(1), placed({{{0, 0, 1}, {1, 2, 4}}}), {kHost, kGpu});
  ASSERT_TRUE(schedule) << schedule.error().toString();
  EXPECT_EQ(text(*schedule), "in0@1 run0@1 out1@1 run0@0 ");
  EXPECT_EQ(schedule->steps[2].offset, 8u);
  EXPECT_EQ(schedule->steps[2].bytes, 8u);
}

TEST(Schedule, RowsThatNobodyWritesAreAnError) {
  auto schedule = makeSchedule(chain(1), placed({{{0, 0, 1}, {1, 3, 4}}}), {kHost, kGpu});
  EXPECT_EQ(schedule.error().message(), "task 't0': its placement leaves out row 2 of 4");
  EXPECT_TRUE(makeSchedule(chain(1), placed({{{0, 0, 1}, {1, 1, 4}}}), {kHost, kGpu}))
      << "written twice is fine";
}

TEST(Schedule, AsynchronousWorkIsEnqueuedFirst) {
  Manifest m = chain(2);
  m.tasks[1].inputs = {0};  // two independent tasks
  m.outputs.push_back({"z", ElementType::F32, {4}, 1});
  EXPECT_EQ(text(*makeSchedule(m, placed({{{0}}, {{1}}}), {kHost, kShared})), "run1@1 run0@0 ");
}

TEST(Lifetimes, WhatTwoQueuesUseAtOnceDoesNotShareMemory) {
  // Two branches from x on two devices: y1 of the first and y2 of the second may be alive together.
  Manifest m = chain(4);
  m.tasks[2].inputs = {0};  // x → t0 → 1 → t1 → 2 and x → t2 → 3 → t3 → 4
  m.outputs.push_back({"z", ElementType::F32, {4}, 2});
  auto schedule = makeSchedule(m, placed({{{0}}, {{0}}, {{1}}, {{1}}}), {kHost, kShared});
  ASSERT_TRUE(schedule);
  Lifetimes lives(m, *schedule);
  EXPECT_TRUE(lives.conflict(0, 1, 3)) << "nothing orders the two devices";
  auto alone = makeSchedule(m, placed({{{0}}, {{0}}, {{0}}, {{0}}}), {kHost});
  Lifetimes ordered(m, *alone);
  EXPECT_FALSE(ordered.conflict(0, 1, 3)) << "one queue does";
  EXPECT_TRUE(ordered.conflict(0, 1, 2)) << "input and output of one task";
  EXPECT_TRUE(ordered.conflict(0, 2, 3)) << "an output lives to the end";
}

}  // namespace
}  // namespace tetrarch::run
