// The caller's memory in place of the program's own.
#include "tetrarch/run/ports.h"

#include <gtest/gtest.h>

#include <cstring>

#include "tetrarch/run/test_model.h"

namespace tetrarch::run {
namespace {

using abi::PlanDevice;
using abi::PlanEntry;

const PlanDevice kCpu{"cpu", R"({"threads":1})"};
const PlanDevice kAsync{"cpu", R"({"threads":1,"asynchronous":1})"};
const PlanDevice kApart{"cpu", R"({"threads":1,"own_memory":1,"asynchronous":1})"};
constexpr size_t kBytes = kElements * sizeof(float);

std::unique_ptr<Program> bindModel(TestModel& model, const PlanEntry& plan, uint64_t in_place_bytes = 1) {
  auto artifact = model.artifact();
  auto devices = openDevices(DeviceRegistry::instance(), plan);
  auto program = Program::bind(*artifact, plan, *devices);
  EXPECT_TRUE(program) << program.error().toString();
  (*program)->setInPlaceBytes(in_place_bytes);
  return std::move(*program);
}

// Memory of `count` tensors, one after the other, from a multiple of 64 on and `shift` bytes further.
class CallersMemory {
 public:
  CallersMemory(size_t count, size_t shift) : storage_(count * kBytes + 128) {
    auto at = reinterpret_cast<uintptr_t>(storage_.data());
    base_ = storage_.data() + (64 - at % 64) % 64 + shift;
  }
  std::byte* tensor(size_t i) { return base_ + i * kBytes; }
  void fill(size_t i, const Tensor& values) { std::memcpy(tensor(i), values.data(), kBytes); }
  std::vector<float> values(size_t i) const {
    std::vector<float> out(kElements);
    std::memcpy(out.data(), base_ + i * kBytes, kBytes);
    return out;
  }

 private:
  std::vector<std::byte> storage_;
  std::byte* base_;
};

// (x + 1) * 2, + y; x + 1 and x are outputs too, and the sum comes out twice.
TestModel sample() {
  TestModel model;
  int x = model.input(), y = model.input();
  int first = model.task("add_one", {x});
  int sum = model.task("add", {model.task("twice", {first}), y});
  for (int output : {sum, first, x, sum}) model.output(output);
  return model;
}

// Runs sample() with inputs 0 and 1 and outputs 2 … 5 of `memory`, and checks what comes out.
void expectRight(TestModel& model, Program& program, CallersMemory& memory, float seed,
                 std::array<size_t, 4> outputs = {2, 3, 4, 5}) {
  const std::vector<Tensor> inputs = {ramp(seed), ramp(seed + 10)};
  memory.fill(0, inputs[0]), memory.fill(1, inputs[1]);
  const void* in[] = {memory.tensor(0), memory.tensor(1)};
  void* out[4];
  for (size_t i = 0; i < 4; ++i) out[i] = memory.tensor(outputs[i]);
  Status status = program.run(in, out);
  ASSERT_TRUE(status.ok()) << status.toString();
  auto expected = reference(model.manifest, model.weights, inputs);
  for (size_t i = 0; i < 4; ++i) EXPECT_EQ(memory.values(outputs[i]), expected[i]) << "output " << i;
}

std::vector<PlanEntry> plans(const TestModel& model) {
  std::vector<PlanEntry> plans;
  for (const PlanDevice& device : {kCpu, kAsync, kApart})
    plans.push_back(singleDevicePlan(model.manifest, device));
  PlanEntry mixed = plans[0];
  mixed.devices = {kCpu, kAsync, kApart};
  mixed.placement = {{{1}}, {{2}}, {{0, 0, 8}, {1, 8, kUnits}}};
  plans.push_back(mixed);
  return plans;
}

TEST(Ports, AlignedMemoryIsUsedWhereItLies) {
  TestModel model = sample();
  for (const PlanEntry& plan : plans(model)) {
    auto program = bindModel(model, plan);
    CallersMemory memory(6, /*shift=*/16);  // what NumPy's allocator gives
    for (float seed : {1.0f, 2.0f}) {
      expectRight(model, *program, memory, seed);
      EXPECT_EQ(program->report().bytes_in, 0u);
      // The input that is an output, and the output that comes out twice, must be written.
      EXPECT_EQ(program->report().bytes_out, 2 * kBytes);
    }
  }
}

TEST(Ports, OtherMemoryIsCopied) {
  TestModel model = sample();
  for (const PlanEntry& plan : {plans(model)[0], plans(model)[3]}) {
    auto program = bindModel(model, plan);
    CallersMemory crooked(6, /*shift=*/4), straight(6, /*shift=*/0);
    expectRight(model, *program, crooked, 1);
    EXPECT_EQ(program->report().bytes_in, 2 * kBytes);
    expectRight(model, *program, straight, 2);
    EXPECT_EQ(program->report().bytes_in, 0u);
    expectRight(model, *program, crooked, 3);
  }
}

TEST(Ports, SmallTensorsAreCopied) {
  TestModel model = sample();
  auto program = bindModel(model, plans(model)[0], kBytes + 1);
  CallersMemory memory(6, 0);
  expectRight(model, *program, memory, 1);
  EXPECT_EQ(program->report().bytes_in, 2 * kBytes);
  EXPECT_EQ(program->report().bytes_out, 4 * kBytes);
  Trace trace;
  addToTrace(program->report(), model.manifest, program->plan(), trace);
  EXPECT_NE(trace.toJson().find("copy inputs"), std::string::npos);
}

// An output may lie over an input that is still to be read, or over another output.
TEST(Ports, OverlappingMemoryIsNoTrap) {
  TestModel model;
  int x = model.input(), y = model.input();
  int first = model.task("add_one", {x});
  model.output(model.task("add", {first, y}));
  model.output(first);
  auto program = bindModel(model, singleDevicePlan(model.manifest, kCpu));
  const std::vector<Tensor> inputs = {ramp(1), ramp(2)};
  auto expected = reference(model.manifest, model.weights, inputs);
  // Output 1, which is computed first, lies over input y, the one that is computed from it over input x.
  CallersMemory memory(3, 0);
  memory.fill(0, inputs[0]), memory.fill(1, inputs[1]);
  const void* in[] = {memory.tensor(0), memory.tensor(1)};
  void* out[] = {memory.tensor(0), memory.tensor(1)};
  ASSERT_TRUE(program->run(in, out).ok());
  EXPECT_EQ(memory.values(0), expected[0]);
  EXPECT_EQ(memory.values(1), expected[1]);
  memory.fill(0, inputs[0]), memory.fill(1, inputs[1]);
  void* same[] = {memory.tensor(2), memory.tensor(2)};
  ASSERT_TRUE(program->run(in, same).ok());
  EXPECT_EQ(memory.values(2), expected[1]) << "the later output wins";
}

TEST(Ports, AFailedRunForgetsTheCallersMemory) {
  TestModel model = sample();
  auto program =
      bindModel(model, singleDevicePlan(model.manifest, {"cpu", R"({"threads":1,"fail_after_launches":4})"}));
  CallersMemory memory(6, 0);
  expectRight(model, *program, memory, 1);
  const void* in[] = {memory.tensor(0), memory.tensor(1)};
  void* out[] = {memory.tensor(2), memory.tensor(3), memory.tensor(4), memory.tensor(5)};
  EXPECT_EQ(program->run(in, out).code(), StatusCode::kUnavailable);
  EXPECT_EQ(program->run(in, out).code(), StatusCode::kUnavailable);
}

}  // namespace
}  // namespace tetrarch::run
