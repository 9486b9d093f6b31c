// A field-programmable gate array as a simulated device. What it computes is the twin's, bit for bit what the
// kernels' SystemVerilog does, or that SystemVerilog's itself in Verilator; its time the cycles at the clock
// that place and route found for each kernel, or where it was not run yet at an estimate, and transfers over
// a stated link.
//
// Options: "part"; "designs", the folder where place and route left its reports; "link_bytes_per_second" and
// "link_latency_ns" of what brings operands and takes results, one launch after the other; "engine" ("model",
// "rtl"). With the model, "check_rtl" units of each launch, drawn by "check_seed", run in the SystemVerilog
// too, all of them where a launch is small, and a bit or a cycle that differs is an error; once more with
// ports that pause at random. An RTL that hangs loses the device. Loading another configuration than the one
// on the part takes its bitstream's time. Energy is a model: what the part takes by being on while it works,
// and a share for each resource and cycle.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>
#include <random>

#include "tetrarch/abi/fpga_blob.h"
#include "tetrarch/abi/fpga_design.h"
#include "tetrarch/base/trace.h"
#include "tetrarch/devices/fpga/module.h"
#include "tetrarch/devices/fpga/timing.h"

namespace tetrarch::fpga {
namespace {

constexpr const char* kFormats[] = {TET_FPGA_FORMAT};
constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();
constexpr int64_t kSmall = 20'000;  // cycles of a launch that is checked wholly

// The counters of a receipt, one row each. Refused: units that ran with the estimate although the cache holds
// a report, for it is not that of the kernel. Of the last two what ran in the RTL and agreed with the twin.
enum Counter : uint8_t {
  kCycles,
  kReconfigurations,
  kTransferBytes,
  kRoutedUnits,
  kRefusedUnits,
  kRtlUnits,
  kRtlCycles,
  kCounterCount
};
constexpr const char* kCounters[] = {"cycles",        "reconfigurations", "transfer_bytes", "routed_units",
                                     "refused_units", "rtl_units",        "rtl_cycles"};
static_assert(std::size(kCounters) == kCounterCount && kCounterCount <= TET_MAX_COUNTERS);

struct Options {
  Board board;
  std::filesystem::path designs;
  bool is_rtl = false;
  int64_t checks = 0;
  uint64_t seed = 1;
  std::optional<RtlTools> tools;  // when anything runs in the RTL
};

// What a launch did.
struct Tally {
  int64_t cycles = 0;
  uint64_t counters[kCounterCount] = {};
};

class FpgaDevice : public tet_device {
 public:
  explicit FpgaDevice(Options options) : options_(std::move(options)), configurations_(options_.board) {
    const Board& board = options_.board;
    description_ = fmt::format("{}, {} LUTs, {}, clocks as routed or estimated", board.part, board.has.luts,
                               options_.is_rtl ? "its SystemVerilog" : "modelled bit for bit");
    features_ = fmt::format("part={}", board.part);
    driver_ = options_.is_rtl ? "rtl (Verilator)" : "model";
  }

  void describe(tet_device_info& info) const override {
    info.name = "fpga";
    info.description = description_.c_str();
    info.driver = driver_.c_str();
    info.features = features_.c_str();
    info.shares = "";
    info.device_class = TET_CLASS_FPGA;
    info.kind = TET_KIND_SIMULATED;
    info.flags = TET_DEVICE_HOST_VISIBLE | TET_DEVICE_WRAPS_HOST | TET_DEVICE_BLOCKING;
    for (const int type : {TET_F32, TET_F16, TET_BF16, TET_I1, TET_I4, TET_I8, TET_I16, TET_I32, TET_I64,
                           TET_U8, TET_U16, TET_U32, TET_U64}) {
      info.element_types |= 1u << type;
    }
    info.memory_bytes = info.max_buffer_bytes = memory_bytes;
    info.alignment = hosted::kAlignment;
    info.compute_units = info.max_queues = 1;
    info.format_count = 1;
    info.formats = kFormats;
    info.from_host = info.to_host = {{kUnknown, TET_MODELLED, 0}, {kUnknown, TET_MODELLED, 0}};
    info.idle_watts = {options_.board.static_watts, TET_MODELLED, 0};
    info.busy_watts = {kUnknown, TET_MODELLED, 0};
    info.counter_count = std::size(kCounters);
    std::ranges::copy(kCounters, info.counter_names);
  }

  Result<std::unique_ptr<tet_module>> load(const std::string& name, const std::string& format,
                                           std::span<const std::byte> bytes) override {
    if (format != TET_FPGA_FORMAT) {
      return invalidArgument("{}: format '{}' is unknown; this device takes " TET_FPGA_FORMAT, name, format);
    }
    return FpgaModule::load(options_.board, options_.designs, configurations_, name, bytes);
  }

  Status run(std::span<const hosted::Launch> launches) override {
    for (const hosted::Launch& launch : launches) {
      auto& kernel = *static_cast<FpgaKernel*>(launch.kernel);
      Status status = run(kernel, launch).withContext("kernel " + kernel.kernel->symbol);
      if (status.code() == StatusCode::kDeadlineExceeded) {
        lose(std::string(status.message()));
        return checkAlive();
      }
      if (!status.ok()) return status;
    }
    return {};
  }

  Result<tet_figure> joules() override { return tet_figure{joules_.load(), TET_MODELLED, 0}; }

 private:
  Status run(FpgaKernel& kernel, const hosted::Launch& launch) {
    std::lock_guard lock(kernel.mutex);
    const int64_t begin_ns = nowNs();
    Tally tally;
    const double configuring = configure(kernel, tally);
    TET_ASSIGN_OR_RETURN(const std::vector<bool> checked, chooseUnits(kernel, launch));
    if (options_.is_rtl || std::ranges::find(checked, true) != checked.end())
      TET_RETURN_IF_ERROR(openRtlOf(kernel));
    for (uint64_t unit = launch.begin; unit < launch.end; ++unit) {
      Status status = run(kernel, launch, static_cast<int64_t>(unit), checked[unit - launch.begin], tally);
      if (!status.ok()) return status.withContext(fmt::format("unit {}", unit));
    }
    sign(kernel, launch, tally, configuring, begin_ns);
    return {};
  }

  // The seconds that it takes to have the kernel on the part.
  double configure(const FpgaKernel& kernel, Tally& tally) {
    if (!configurations_.load(*kernel.configuration)) return 0;
    tally.counters[kReconfigurations] = 1;
    return configurationSeconds(options_.board);
  }

  // Which units of the launch run in the RTL as well.
  Result<std::vector<bool>> chooseUnits(const FpgaKernel& kernel, const hosted::Launch& launch) {
    const uint64_t units = launch.end - launch.begin;
    std::vector<bool> chosen(units);
    if (options_.is_rtl || options_.checks == 0) return chosen;
    if (static_cast<int64_t>(units) <= options_.checks ||
        kernel.cycles.value_or(kSmall) <= kSmall / static_cast<int64_t>(units)) {
      chosen.assign(units, true);
      return chosen;
    }
    std::mt19937_64 random(options_.seed + 0x9e3779b97f4a7c15 * ++launches_);
    for (int64_t left = options_.checks; left > 0;) {
      const uint64_t unit = random() % units;
      left -= chosen[unit] ? 0 : 1;
      chosen[unit] = true;
    }
    return chosen;
  }

  Status openRtlOf(FpgaKernel& kernel) {
    if (kernel.rtl) return {};
    TET_ASSIGN_OR_RETURN(const tetrarch_fpga_rtl_fn rtl, openRtl(*options_.tools, *kernel.kernel));
    kernel.rtl = std::make_unique<RtlUnit>(*kernel.kernel, rtl);
    return {};
  }

  static PortElements elementsOf(FpgaKernel& kernel, int64_t unit, void* const* buffers, bool of_outputs) {
    PortElements elements;
    for (PortRunner& port : kernel.ports) {
      const bool reads = port.port().is_input || of_outputs;
      elements.push_back(reads ? port.read(unit, buffers[port.port().buffer]) : std::vector<uint64_t>());
      const Stream& stream = kernel.kernel->streams[port.port().stream];
      elements.back().resize(static_cast<size_t>(port.beats()) * stream.lanes);
    }
    return elements;
  }

  Status run(FpgaKernel& kernel, const hosted::Launch& launch, int64_t unit, bool is_checked, Tally& tally) {
    const std::span<void* const> buffers(launch.buffers, kernel.kernel->buffers);
    PortElements rtl;
    if (is_checked || options_.is_rtl) rtl = elementsOf(kernel, unit, launch.buffers, /*of_outputs=*/false);
    // The RTL's cycles are the twin's, so the twin says how long to wait for it.
    TET_ASSIGN_OR_RETURN(const std::vector<int64_t> machines, kernel.twin->run(unit, buffers));
    int64_t cycles = kernel.cycles.value_or(0);
    if (!kernel.cycles) {
      TET_ASSIGN_OR_RETURN(const Timing timing, simulateTiming(*kernel.kernel, machines));
      cycles = timing.cycles;
    }
    tally.cycles += cycles + kResetCycles;
    if (rtl.empty()) return {};
    const PortElements twin = elementsOf(kernel, unit, launch.buffers, /*of_outputs=*/true);
    TET_RETURN_IF_ERROR(check(kernel, rtl, twin, cycles, /*stalls=*/0));
    ++tally.counters[kRtlUnits];
    tally.counters[kRtlCycles] += static_cast<uint64_t>(cycles);
    if (options_.is_rtl) {
      for (size_t p = 0; p < kernel.ports.size(); ++p) {
        PortRunner& port = kernel.ports[p];
        if (!port.port().is_input) port.write(unit, launch.buffers[port.port().buffer], rtl[p]);
      }
      return {};
    }
    return cycles <= kSmall ? check(kernel, rtl, twin, cycles, options_.seed | 1) : Status();
  }

  Status check(const FpgaKernel& kernel, PortElements& rtl, const PortElements& twin, int64_t cycles,
               uint64_t stalls) const {
    TET_ASSIGN_OR_RETURN(const int64_t of_rtl, kernel.rtl->run(rtl, cycles, stalls));
    if (const std::string found = difference(*kernel.kernel, rtl, twin); !found.empty()) {
      return internalError("RTL and twin differ{}: {}", stalls == 0 ? "" : " when ports pause", found);
    }
    if (stalls == 0 && of_rtl != cycles) {
      return internalError("RTL and twin differ: one took {} cycles, the other {}", of_rtl, cycles);
    }
    return {};
  }

  // Reports the device's own time.
  void sign(const FpgaKernel& kernel, const hosted::Launch& launch, Tally& tally, double configuring,
            int64_t begin_ns) {
    const uint64_t units = launch.end - launch.begin;
    const auto bytes = static_cast<uint64_t>(kernel.bytes_per_unit) * units;
    const double seconds = configuring + secondsOf(options_.board, static_cast<double>(tally.cycles),
                                                   kernel.hz, static_cast<double>(bytes));
    joules_ += seconds * options_.board.static_watts +
               static_cast<double>(tally.cycles) * joulesPerCycle(kernel.uses);
    if (!launch.receipt) return;
    tally.counters[kCycles] = static_cast<uint64_t>(tally.cycles);
    tally.counters[kTransferBytes] = bytes;
    tally.counters[kRoutedUnits] = kernel.is_routed ? units : 0;
    tally.counters[kRefusedUnits] = kernel.is_refused ? units : 0;
    hosted::stamp(launch.receipt, begin_ns, nowNs());
    tet_receipt& receipt = *launch.receipt;
    receipt.cycles = static_cast<uint64_t>(tally.cycles);
    receipt.seconds = seconds;
    receipt.source = kernel.source();
    std::ranges::fill(receipt.counters, 0);
    std::ranges::copy(tally.counters, receipt.counters);
  }

  const Options options_;
  Configurations configurations_;
  std::atomic<uint64_t> launches_ = 0;
  std::atomic<double> joules_ = 0;
  std::string description_, features_, driver_;
};

Result<std::unique_ptr<tet_device>> create(uint32_t, hosted::Options& given) {
  TET_ASSIGN_OR_RETURN(const Board board, findBoard(given.text("part", "ecp5-85k")));
  Options options{.board = board, .designs = given.text("designs", designCache().string())};
  const auto rate = static_cast<int64_t>(board.link_bytes_per_second),
             latency_ns = std::lround(board.link_latency * 1e9);
  options.board.link_bytes_per_second =
      static_cast<double>(given.integer("link_bytes_per_second", rate, 1, int64_t{1} << 50));
  options.board.link_latency =
      static_cast<double>(given.integer("link_latency_ns", latency_ns, 0, int64_t{1} << 40)) * 1e-9;
  const std::string engine = given.text("engine", "model");
  if (engine != "rtl" && engine != "model") {
    return invalidArgument("option 'engine' is '{}'; it is model or rtl", engine);
  }
  options.is_rtl = engine == "rtl";
  options.checks = given.integer("check_rtl", 0, 0, 1'000'000);
  options.seed = static_cast<uint64_t>(given.integer("check_seed", 1, 0, INT64_MAX));
  if (options.is_rtl && options.checks > 0) {
    return invalidArgument("option 'check_rtl' is for engine model: engine rtl runs everything in the RTL");
  }
  if (options.is_rtl || options.checks > 0) {
    TET_ASSIGN_OR_RETURN(options.tools, findRtlTools());
  }
  return std::make_unique<FpgaDevice>(std::move(options));
}

}  // namespace
}  // namespace tetrarch::fpga

const tetrarch::hosted::Driver& tetrarch::hosted::driver() {
  static constexpr Driver made = {"fpga", "1", [] { return 1u; }, fpga::create, /*has_energy=*/true};
  return made;
}

const tet_plugin* tetrarch_plugin() { return tetrarch::hosted::table(); }
