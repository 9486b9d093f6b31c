#include "tetrarch/run/program.h"

#include <gtest/gtest.h>

#include <thread>

#include "tetrarch/run/ports.h"
#include "tetrarch/run/test_model.h"

namespace tetrarch::run {
namespace {

using abi::PlanDevice;
using abi::PlanEntry;
using abi::Share;

const PlanDevice kCpu{"cpu", R"({"threads":2})"};
const PlanDevice kOther{"cpu", R"({"threads":1})"};
// A CPU that behaves like most accelerators: memory and threads of its own.
const PlanDevice kApart{"cpu", R"({"threads":1,"own_memory":1,"asynchronous":1})"};
const PlanDevice kAsync{"cpu", R"({"threads":1,"asynchronous":1})"};

Result<std::unique_ptr<Program>> bindModel(TestModel& model, const PlanEntry& plan) {
  TET_ASSIGN_OR_RETURN(auto artifact, model.artifact());
  TET_ASSIGN_OR_RETURN(auto devices, openDevices(DeviceRegistry::instance(), plan));
  return Program::bind(artifact, plan, devices);
}

void expectRight(TestModel& model, Program& program, float seed) {
  std::vector<Tensor> inputs;
  for (size_t i = 0; i < model.manifest.inputs.size(); ++i)
    inputs.push_back(ramp(seed + static_cast<float>(10 * i)));
  auto outputs = program.run(inputs);
  ASSERT_TRUE(outputs) << outputs.error().toString();
  auto expected = reference(model.manifest, model.weights, inputs);
  for (size_t i = 0; i < expected.size(); ++i) {
    const float* got = (*outputs)[i].as<float>();
    EXPECT_EQ(std::vector<float>(got, got + kElements), expected[i]) << "output " << i;
  }
}

// in0 → +1 → *2 → + constant, with a reshape in between and the input itself as a second output.
TestModel sample() {
  TestModel model;
  int x = model.input();
  int y = model.task("add_one", {x});
  int z = model.task("twice", {model.alias(y, {32, 32})});
  model.output(model.task("add", {z, model.constant(5)}));
  model.output(x);
  return model;
}

TEST(Program, OneDevice) {
  TestModel model = sample();
  auto program = bindModel(model, singleDevicePlan(model.manifest, kCpu));
  ASSERT_TRUE(program) << program.error().toString();
  for (float seed : {1.0f, 2.0f, 3.0f}) expectRight(model, **program, seed);
  EXPECT_EQ((*program)->memory().weights_copied, 0u) << "weights are used in place";
}

TEST(Program, AnEmptyModelAndAModelOfCopies) {
  TestModel empty;
  auto program = bindModel(empty, singleDevicePlan(empty.manifest, kCpu));
  ASSERT_TRUE(program) << program.error().toString();
  EXPECT_TRUE((*program)->run(std::span<const void* const>{}, std::span<void* const>{}).ok());
  TestModel copies;
  copies.output(copies.input());
  copies.output(copies.constant(3));
  program = bindModel(copies, singleDevicePlan(copies.manifest, kCpu));
  ASSERT_TRUE(program) << program.error().toString();
  expectRight(copies, **program, 1);
}

#if !TETRARCH_SANITIZED  // which would be timed instead

#endif

TEST(Program, MemoryIsReused) {
  TestModel model;
  int t = model.input();
  for (int i = 0; i < 30; ++i) t = model.task(i % 2 ? "twice" : "add_one", {t});
  model.output(t);
  auto program = bindModel(model, singleDevicePlan(model.manifest, kCpu));
  ASSERT_TRUE(program);
  EXPECT_EQ((*program)->memory().temporaries, 2 * kElements * sizeof(float));
  EXPECT_EQ((*program)->memory().temporaries_apart, 31 * kElements * sizeof(float));
}

TEST(Program, ATaskDividedOverDevices) {
  for (const PlanDevice& other : {kOther, kApart, kAsync}) {
    TestModel model = sample();
    PlanEntry plan = singleDevicePlan(model.manifest, kCpu);
    plan.devices.push_back(other);
    plan.placement[0] = {{0, 0, 5}, {1, 5, 16}};
    plan.placement[1] = {{1, 0, 3}, {0, 3, abi::kAllUnits}};
    plan.placement[2] = {{1}};
    auto program = bindModel(model, plan);
    ASSERT_TRUE(program) << program.error().toString();
    for (float seed : {1.0f, 2.0f}) expectRight(model, **program, seed);
  }
}

// Random graphs on random placements over every mix of devices, against the reference. Memory is reused
// heavily, so a missing wait or a wrong lifetime shows as a wrong number.
TEST(Program, RandomGraphsOnRandomPlacements) {
  const std::vector<std::vector<PlanDevice>> boxes = {{kCpu},         {kCpu, kOther},
                                                      {kCpu, kApart}, {kApart, kApart},
                                                      {kCpu, kAsync}, {kOther, kOther, kApart, kAsync}};
  std::mt19937 random(3);
  for (int round = 0; round < 60; ++round) {
    TestModel model;
    std::vector<int> tensors = {model.input(), model.input(), model.constant(2)};
    int count = 1 + static_cast<int>(random() % 25);
    auto any = [&] { return tensors[tensors.size() - 1 - random() % std::min<size_t>(tensors.size(), 6)]; };
    for (int i = 0; i < count; ++i) {
      const char* symbol = std::array{"add_one", "twice", "add"}[random() % 3];
      std::vector<int> inputs = {any()};
      if (std::string(symbol) == "add") inputs.push_back(any());
      tensors.push_back(model.task(symbol, inputs));
    }
    model.output(tensors.back());
    model.output(any());
    PlanEntry plan;
    plan.name = "random";
    plan.devices = boxes[round % boxes.size()];
    int devices = static_cast<int>(plan.devices.size());
    for (int i = 0; i < count; ++i) {
      int first = static_cast<int>(random() % devices), second = static_cast<int>(random() % devices);
      uint64_t cut = random() % (kUnits + 1);
      bool divide = random() % 4 == 0;
      plan.placement.push_back(divide ? std::vector<Share>{{first, 0, cut}, {second, cut, kUnits}}
                                      : std::vector<Share>{{first}});
    }
    auto program = bindModel(model, plan);
    ASSERT_TRUE(program) << program.error().toString();
    (*program)->setInPlaceBytes(round % 2 == 0 ? 1 : Ports::kInPlaceBytes);
    for (int run = 0; run < 4; ++run) expectRight(model, **program, static_cast<float>(run));
  }
}

TEST(Program, ReportsEveryStep) {
  TestModel model = sample();
  PlanEntry plan = singleDevicePlan(model.manifest, kCpu);
  plan.devices.push_back(kApart);
  plan.placement[1] = {{1}};
  auto program = bindModel(model, plan);
  ASSERT_TRUE(program);
  EXPECT_EQ((*program)->report().seconds(), 0) << "before the first run";
  expectRight(model, **program, 1);
  RunReport report = (*program)->report();
  ASSERT_EQ(report.steps.size(), 5u);  // three launches, in and out of the second device
  EXPECT_GT(report.seconds(), 0);
  EXPECT_EQ(report.bytes_copied, 2 * kElements * sizeof(float));
  int launches = 0;
  for (const StepReport& step : report.steps) {
    if (step.kind != StepReport::Kind::Launch) continue;
    ++launches;
    EXPECT_GE(step.seconds, 0);
    EXPECT_LT(step.seconds, report.seconds());
    EXPECT_EQ(step.source, abi::Source::Measured);
    EXPECT_EQ(step.bytes, kElements * 8u);
    EXPECT_GE(step.begin_ns, report.begin_ns);
    EXPECT_EQ(step.kernel, model.manifest.tasks[step.task].root);
  }
  EXPECT_EQ(launches, 3);
  Trace trace;
  addToTrace(report, model.manifest, plan, trace);
  EXPECT_EQ(trace.size(), 8u);  // with the call as a whole, and the copies of its small inputs and outputs
}

TEST(Program, HashesProveWhatWasComputedWhereverItRan) {
  std::vector<std::string> first;
  for (const PlanDevice& device : {kCpu, kAsync, kApart}) {
    TestModel model = sample();
    auto program = bindModel(model, singleDevicePlan(model.manifest, device));
    ASSERT_TRUE(program) << program.error().toString();
    (*program)->setHashes(true);
    expectRight(model, **program, 1);
    std::vector<std::string> hashes;
    for (const StepReport& step : (*program)->report().steps) {
      if (step.kind != StepReport::Kind::Launch) continue;
      hashes.push_back(step.input_hash);
      hashes.push_back(step.output_hash);
    }
    ASSERT_EQ(hashes.size(), 6u);
    EXPECT_EQ(hashes[1], hashes[2]) << "what the first task wrote, the second one read";
    EXPECT_NE(hashes[0], hashes[1]);
    if (first.empty()) first = hashes;
    EXPECT_EQ(hashes, first);
    (*program)->setHashes(false);
    expectRight(model, **program, 2);
    EXPECT_EQ((*program)->report().steps.back().output_hash, "");
  }
}

TEST(Program, SimulatedDevicesSaySo) {
  TestModel model = sample();
  auto program = bindModel(model, singleDevicePlan(model.manifest, {"null", ""}));
  ASSERT_TRUE(program) << program.error().toString();
  ASSERT_TRUE((*program)->run(std::vector<Tensor>{ramp(1)}));
  StepReport step = (*program)->report().steps[0];
  EXPECT_EQ(step.source, abi::Source::Simulated);
  EXPECT_EQ(step.counters[0], (std::pair<std::string, uint64_t>("units", 16)));
}

TEST(Program, LossNamesTheDeviceAndNothingHangs) {
  const char* options[] = {R"({"threads":1,"fail_after_launches":7})",
                           R"({"threads":1,"fail_after_launches":7,"asynchronous":1})",
                           R"({"threads":1,"fail_after_launches":7,"asynchronous":1,"own_memory":1})"};
  for (const char* option : options) {
    TestModel model = sample();
    PlanEntry plan = singleDevicePlan(model.manifest, kCpu);
    plan.devices = {{"cpu", option}, kOther, kApart};
    plan.placement = {{{0, 0, 8}, {1, 8, 16}}, {{0}}, {{0, 0, 8}, {2, 8, 16}}};
    auto program = bindModel(model, plan);
    ASSERT_TRUE(program) << program.error().toString();
    for (int i = 0; i < 2; ++i) expectRight(model, **program, 1);
    Status status = (*program)->run(std::vector<Tensor>{ramp(1)}).error();
    EXPECT_EQ(status.code(), StatusCode::kUnavailable) << status.toString();
    EXPECT_TRUE(status.message().starts_with("tetrarch_cpu.so: cpu: the device is lost"))
        << status.toString();
    EXPECT_TRUE((*program)->devices()[0]->lost());
    EXPECT_FALSE((*program)->devices()[1]->lost());
    EXPECT_EQ((*program)->run(std::vector<Tensor>{ramp(1)}).error().code(), StatusCode::kUnavailable);
  }
}

TEST(Program, AFailureInTheMiddleOfALaunchIsOneSentence) {
  TestModel model = sample();
  auto artifact = model.artifact();
  auto registry = DeviceRegistry::discover({TETRARCH_FAILING_DEVICE});
  PlanEntry plan = singleDevicePlan(model.manifest, {"failing", ""});
  auto program = Program::bind(*artifact, plan, *openDevices(*registry, plan));
  ASSERT_TRUE(program) << program.error().toString();
  Status status = (*program)->run(std::vector<Tensor>{ramp(1)}).error();
  EXPECT_EQ(exitCode(status), 3) << "a device is at fault, whatever code it gives";
  EXPECT_EQ(
      status.toString(),
      "INTERNAL: tetrarch_failing.so: failing: the command processor stopped in the middle of a launch");
}

TEST(Program, BadPlansAreErrors) {
  TestModel model = sample();
  PlanEntry good = singleDevicePlan(model.manifest, kCpu), plan = good;
  auto messageOf = [&](const PlanEntry& p) { return bindModel(model, p).error().toString(); };
  plan.placement[0] = {{0, 0, 5}, {0, 6, 16}};
  EXPECT_EQ(messageOf(plan), "FAILED_PRECONDITION: task 'add_one_0': its placement leaves out unit 5 of 16");
  plan = good, plan.placement.pop_back();
  EXPECT_NE(messageOf(plan).find("places 2 tasks and the model has 3"), std::string::npos);
  plan = good, plan.placement[1] = {{4}};
  EXPECT_NE(messageOf(plan).find("gives task 'twice_1' no proper place"), std::string::npos);
  model.kernels[1] = {.symbol = "", .reason = "it is too odd"};
  EXPECT_EQ(messageOf(good), "FAILED_PRECONDITION: task 'twice_1': cpu declines it: it is too odd");
  model.kernels[1] = {.symbol = "nowhere", .units = 16};
  EXPECT_NE(messageOf(good).find("no kernel 'nowhere'"), std::string::npos);
  model.kernels[1] = {.symbol = "twice", .units = 8};
  EXPECT_NE(messageOf(good).find("has 16 units and the manifest says 8"), std::string::npos);
}

TEST(Program, BadArgumentsAreErrors) {
  TestModel model = sample();
  auto program = bindModel(model, singleDevicePlan(model.manifest, kCpu));
  EXPECT_EQ((*program)->run(std::vector<Tensor>{}).error().code(), StatusCode::kInvalidArgument);
  Tensor wrong = Tensor::create(ElementType::F32, {7}).value();
  EXPECT_EQ((*program)->run(std::vector<Tensor>{wrong}).error().message(),
            "input 'in0' is 7xf32 and the model takes 1024xf32");
  expectRight(model, **program, 1);
}

TEST(ChooseCode, PicksTheMostFeaturesThatAreThere) {
  abi::Manifest m;
  m.code = {{"cpu", abi::DeviceClass::Cpu, "elf", "x86-64-v3"},
            {"cpu", abi::DeviceClass::Cpu, "elf", "+avx512f,+avx512bw,-sse4a"},
            {"gpu", abi::DeviceClass::Gpu, "opencl-c", ""}};
  DeviceInfo device;
  device.name = "cpu";
  device.device_class = abi::DeviceClass::Cpu;
  device.formats = {"elf"};
  device.features = "avx2 x86-64-v3";
  EXPECT_EQ(chooseCode(m, device), 0);
  device.features = "avx2 avx512bw avx512f x86-64-v3";
  EXPECT_EQ(chooseCode(m, device), 1);
  device.features = "avx";
  EXPECT_NE(chooseCode(m, device).error().message().find("needs x86-64-v3"), std::string_view::npos);
}

}  // namespace
}  // namespace tetrarch::run
