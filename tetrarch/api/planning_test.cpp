#include "tetrarch/api/planning.h"

#include <gtest/gtest.h>

namespace tetrarch::api {
namespace {

// x -> conv -> y -> add -> z, with a kernel of each for two devices whose tiles differ.
class PlanningTest : public testing::Test {
 protected:
  void SetUp() override {
    auto tensor = [](abi::TensorKind kind) { return abi::TensorEntry{ElementType::F32, {96}, 384, kind}; };
    manifest_.tensors = {tensor(abi::TensorKind::Input), tensor(abi::TensorKind::Temporary),
                         tensor(abi::TensorKind::Temporary)};
    manifest_.inputs = {{"x", ElementType::F32, {96}, 0}};
    manifest_.outputs = {{"z", ElementType::F32, {96}, 2}};
    manifest_.tasks = {{"conv", "convolution", "1", {0}, {1}}, {"add", "add", "2", {1}, {2}}};
    abi::CodeEntry cpu, gpu;
    cpu.kernels = {{"k0", "", 32, 1, 0, 96, 6}, {"k1", "", 1, 1, 0}};
    gpu.kernels = {{"g0", "", 24, 1, 0, 96, 4}, {"", "no gather"}};
    manifest_.code = {cpu, gpu};
    manifest_.costs = {
        {0, "cpu:threads=1", 3e-3, 1e-4}, {1, "cpu:threads=1", 1e-3, 0}, {0, "opencl:0", 1e-3, 0}};
    for (int i = 0; i < 2; ++i) {
      DeviceFacts device;
      device.id = i == 0 ? abi::PlanDevice{"cpu", "{\"threads\":1}"} : abi::PlanDevice{"opencl:0", ""};
      device.code = i;
      device.host_memory = true;
      device.from_host = device.to_host = {1e-6, 0, true};
      devices_.push_back(device);
    }
  }
  abi::Manifest manifest_;
  std::vector<DeviceFacts> devices_;
};

TEST_F(PlanningTest, PiecesAreRowsThatSuitAllTiles) {
  const plan::Problem problem = makeProblem(manifest_, devices_).value();
  EXPECT_EQ(problem.tasks[0].units, 8);  // 96 rows in steps of lcm(6, 4)
  EXPECT_EQ(problem.tasks[1].units, 1);
  EXPECT_EQ(problem.tasks[1].costs[1].declined, "no gather");
  EXPECT_EQ(problem.tasks[0].costs[0].cost->mean, 3e-3);
}

TEST_F(PlanningTest, PartsBecomeEachDevicesUnits) {
  const plan::Problem problem = makeProblem(manifest_, devices_).value();
  const plan::Placement placement = plan::plan(problem).value();
  EXPECT_EQ(placement.planner, "divided");
  const abi::PlanEntry entry = makePlan(manifest_, devices_, problem, placement, "fastest");
  // 2 of 8 pieces for the CPU: 24 rows are 4 of its 16 groups of 2 units; the other 72 begin at group 6
  // of 24.
  ASSERT_EQ(entry.placement[0].size(), 2u);
  EXPECT_EQ(entry.placement[0][0], (abi::Share{0, 0, 8}));
  EXPECT_EQ(entry.placement[0][1], (abi::Share{1, 6, abi::kAllUnits}));
  EXPECT_EQ(entry.placement[1][0], (abi::Share{0, 0, abi::kAllUnits}));
  ASSERT_EQ(entry.singles.size(), 1u);
  EXPECT_EQ(entry.singles[0].device, 0);
  EXPECT_EQ(entry.reasons.size(), 2u);
}

TEST_F(PlanningTest, CostsOfOtherOptionsCountAsModelled) {
  devices_[0].id.options = "{\"threads\":2}";
  const plan::Problem problem = makeProblem(manifest_, devices_).value();
  EXPECT_EQ(problem.tasks[0].costs[0].cost->source, plan::Source::Modelled);
  devices_[0].code = -1;
  devices_[0].no_code_reason = "needs avx512f";
  EXPECT_EQ(makeProblem(manifest_, devices_)->tasks[0].costs[0].declined, "needs avx512f");
}

}  // namespace
}  // namespace tetrarch::api
