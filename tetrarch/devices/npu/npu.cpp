// The neural processing unit of rtl/npu/ as a simulated device. Its engine is the functional model, bit for
// bit what the RTL computes, or the RTL itself; its time the cycles of the timing model, which are the RTL's,
// at the clock of a file of figures.
//
// Options: "side" (8, 16, 32), "kind" ("int8", "bf16"), "latency" (cycles of a DRAM read), "figures" (path of
// a file such as figures.json), "engine" ("model", "rtl"). With the model, "check_rtl" windows of each
// module's streams, drawn by "check_seed" and of about "check_cycles" cycles each, run in the RTL too
// whenever their stream runs, and a bit or cycle that differs is an error. "rtl" is the folder with the RTL's
// libraries. An RTL that hangs loses the device. "progress" is a file that gets a line with its cycles for
// each stream or window that the RTL has run. "activity" ("random", "relu", "idle") is how busy the data is
// that modelled energy is for; the energy is that of all programs so far, DRAM and leakage in it, without
// what the processor takes while it has nothing to run.
#include <algorithm>
#include <atomic>
#include <fstream>
#include <limits>
#include <mutex>

#include "tetrarch/base/trace.h"
#include "tetrarch/devices/npu/figures.h"
#include "tetrarch/devices/npu/machine.h"
#include "tetrarch/devices/npu/module.h"
#include "tetrarch/devices/npu/rtl_runner.h"
#include "tetrarch/devices/npu/windows.h"

namespace tetrarch::npu {
namespace {

constexpr const char* kFormats[] = {TET_NPU_FORMAT};
constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();
// What an address of the processor can name.
constexpr uint64_t kAddressableBytes = uint64_t{1} << 32;

// The counters of a receipt. The first four are the cycles in which a unit moved or computed, in the order of
// queues; the last two what ran in the RTL and agreed with the models in every bit and in its cycles.
constexpr const char* kCounters[] = {"load_cycles",  "matrix_cycles",   "vector_cycles", "store_cycles",
                                     "instructions", "multiplications", "rtl_windows",   "rtl_cycles"};
static_assert(std::size(kCounters) <= TET_MAX_COUNTERS);

struct Engine {
  bool is_rtl = false;
  WindowChoice windows;           // of the model
  const RtlTable* rtl = nullptr;  // null when neither needs it
  std::string progress;           // a file, or ""
};

// Tells whoever reads the file how far the RTL is.
class ProgressFile {
 public:
  explicit ProgressFile(const std::string& path) {
    if (!path.empty()) file_.open(path, std::ios::app);
  }
  void add(int64_t cycles) {
    std::lock_guard lock(mutex_);
    if (file_.is_open()) file_ << cycles << '\n' << std::flush;
  }

 private:
  std::mutex mutex_;
  std::ofstream file_;
};

// What ran in the RTL.
struct Tally {
  uint64_t windows = 0, cycles = 0;
};

class NpuDevice : public tet_device {
 public:
  NpuDevice(const Config& config, Figures figures, const Engine& engine)
      : config_(config), figures_(std::move(figures)), engine_(engine), progress_(engine.progress) {
    description_ = fmt::format("{0} x {0} {1} processor, {5}, {2:.0f} MHz ({3}, {4})", config.side,
                               kindName(config.kind), figures_.clock_hz / 1e6, figures_.node, figures_.corner,
                               engine.is_rtl ? "its RTL" : "modelled bit for bit");
    features_ = fmt::format("side={} kind={} sp_rows={} acc_rows={}", config.side, kindName(config.kind),
                            config.sp_rows, config.acc_rows);
    driver_ = engine.is_rtl ? fmt::format("rtl ({})", engine.rtl->simulator)
                            : fmt::format("model ({})", simdLevelName(bestSimdLevel()));
    if (engine.rtl) rtl_ = std::make_unique<RtlRunner>(config_, *engine.rtl);
  }

  void describe(tet_device_info& info) const override {
    info.name = "npu";
    info.description = description_.c_str();
    info.driver = driver_.c_str();
    info.features = features_.c_str();
    info.shares = "";
    info.device_class = TET_CLASS_ASIC;
    info.kind = TET_KIND_SIMULATED;
    info.flags = TET_DEVICE_HOST_VISIBLE | TET_DEVICE_WRAPS_HOST | TET_DEVICE_BLOCKING;
    info.element_types =
        config_.kind == Kind::Int8 ? 1u << TET_I8 | 1u << TET_I32 : 1u << TET_BF16 | 1u << TET_F32;
    info.memory_bytes = info.max_buffer_bytes = std::min(memory_bytes, kAddressableBytes);
    info.alignment = hosted::kAlignment;
    info.compute_units = info.max_queues = 1;
    info.format_count = 1;
    info.formats = kFormats;
    info.from_host = info.to_host = {{kUnknown, TET_MODELLED, 0}, {kUnknown, TET_MODELLED, 0}};
    info.idle_watts = {idleWatts(), TET_MODELLED, 0};
    info.busy_watts = {kUnknown, TET_MODELLED, 0};
    info.counter_count = std::size(kCounters);
    std::ranges::copy(kCounters, info.counter_names);
  }

  Result<std::unique_ptr<tet_module>> load(const std::string& name, const std::string& format,
                                           std::span<const std::byte> bytes) override {
    if (format != TET_NPU_FORMAT) {
      return invalidArgument("{}: format '{}' is unknown; this device takes " TET_NPU_FORMAT, name, format);
    }
    TET_ASSIGN_OR_RETURN(std::unique_ptr<NpuModule> module, NpuModule::load(config_, name, bytes));
    if (rtl_ && !engine_.is_rtl) chooseWindows(config_, module->streams(), engine_.windows);
    return module;
  }

  Status run(std::span<const hosted::Launch> launches) override {
    for (const hosted::Launch& launch : launches) {
      Status status = run(launch);
      if (status.code() == StatusCode::kDeadlineExceeded) {  // its RTL hangs
        lose(std::string(status.message()));
        return checkAlive();
      }
      if (!status.ok()) return status;
    }
    return {};
  }

  Result<tet_figure> joules() override {
    if (!figures_.energies.known) return unimplemented("the figures of this processor have no energies");
    return tet_figure{joules_.load(), TET_MODELLED, 0};
  }

 private:
  Status run(const hosted::Launch& launch) {
    const int64_t begin_ns = nowNs();
    const auto& kernel = *static_cast<const NpuKernel*>(launch.kernel);
    std::vector<std::byte> workspace(kernel.info.workspace_bytes);
    TET_ASSIGN_OR_RETURN(const Dram dram,
                         kernel.dram(launch.buffers, kernel.module->constants(), workspace.data()));
    const uint64_t granularity = kernel.info.granularity;
    const std::span streams = std::span(kernel.streams)
                                  .subspan(launch.begin / granularity)
                                  .first((launch.end - launch.begin + granularity - 1) / granularity);
    Tally tally;
    for (const Stream& stream : streams) {
      if (Status status = run(stream, dram, tally); !status.ok()) {
        return status.withContext(
            fmt::format("task {}: stream {}", kernel.symbol, &stream - kernel.streams.data()));
      }
    }
    for (const Stream& stream : streams)
      joules_ += joulesOf(stream.energy, figures_.energies, seconds(stream));
    if (launch.receipt) {
      hosted::stamp(launch.receipt, begin_ns, nowNs());
      sign(streams, tally, *launch.receipt);
    }
    return {};
  }

  Status run(const Stream& stream, const Dram& dram, Tally& tally) {
    const auto count = [&](int64_t cycles) {
      ++tally.windows;
      tally.cycles += static_cast<uint64_t>(cycles);
      progress_.add(cycles);
    };
    if (engine_.is_rtl) {
      TET_ASSIGN_OR_RETURN(const int64_t cycles, rtl_->run(stream, dram));
      count(cycles);
      return {};
    }
    Machine machine(config_, dram);
    size_t at = 0;
    for (const Window& window : stream.windows) {
      machine.run(std::span(stream.instructions).subspan(at, window.begin - at));
      at = window.begin;
      TET_ASSIGN_OR_RETURN(const int64_t cycles, rtl_->check(stream, window, machine.state(), dram));
      count(cycles);
    }
    machine.run(std::span(stream.instructions).subspan(at));
    return {};
  }

  double seconds(const Stream& stream) const {
    return static_cast<double>(stream.timing.cycles) / figures_.clock_hz;
  }

  // With its clock running.
  double idleWatts() const {
    const Energies& energies = figures_.energies;
    return energies.known ? energies.leakage_watts +
                                energies.joules[static_cast<size_t>(EnergyClass::Cycle)] * figures_.clock_hz
                          : kUnknown;
  }

  // The receipt in the processor's own time.
  void sign(std::span<const Stream> streams, const Tally& tally, tet_receipt& receipt) const {
    receipt.cycles = 0;
    std::ranges::fill(receipt.counters, 0);
    for (const Stream& stream : streams) {
      const Timing& timing = stream.timing;
      receipt.cycles += static_cast<uint64_t>(timing.cycles);
      for (int q = 0; q < kQueues; ++q) receipt.counters[q] += static_cast<uint64_t>(timing.units[q].busy);
      receipt.counters[kQueues] += stream.instructions.size();
      receipt.counters[kQueues + 1] += static_cast<uint64_t>(timing.multiplications);
    }
    receipt.counters[kQueues + 2] = tally.windows;
    receipt.counters[kQueues + 3] = tally.cycles;
    receipt.seconds = static_cast<double>(receipt.cycles) / figures_.clock_hz;
    receipt.source = figures_.source;
  }

  const Config config_;
  const Figures figures_;
  const Engine engine_;
  ProgressFile progress_;
  std::unique_ptr<RtlRunner> rtl_;  // null when the engine needs none
  std::atomic<double> joules_ = 0;
  std::string description_, features_, driver_;
};

Result<Config> configOf(hosted::Options& options) {
  const int64_t side = options.integer("side", 16, 8, 32);
  const std::string kind = options.text("kind", "int8");
  if (kind != "int8" && kind != "bf16") {
    return invalidArgument("option 'kind' is '{}'; it is int8 or bf16", kind);
  }
  if (side != 8 && side != 16 && side != 32) {
    return invalidArgument("option 'side' is {}; it is 8, 16 or 32", side);
  }
  Config config = Config::standard(side, kind == "int8" ? Kind::Int8 : Kind::Bf16);
  config.latency = options.integer("latency", kDramLatency, 1, 1023);
  return config;
}

Result<Engine> engineOf(const Config& config, hosted::Options& options) {
  const std::string name = options.text("engine", "model");
  const std::string folder = options.text("rtl", defaultRtlFolder());
  Engine engine{.is_rtl = name == "rtl"};
  engine.windows.count = options.integer("check_rtl", 0, 0, 1000000);
  engine.windows.seed = static_cast<uint64_t>(options.integer("check_seed", 1, 0, INT64_MAX));
  engine.progress = options.text("progress", "");
  engine.windows.cycles = options.integer("check_cycles", engine.windows.cycles, 1, int64_t{1} << 32);
  if (name != "rtl" && name != "model") {
    return invalidArgument("option 'engine' is '{}'; it is model or rtl", name);
  }
  if (engine.is_rtl && engine.windows.count > 0) {
    return invalidArgument("option 'check_rtl' is for engine model: engine rtl runs everything in the RTL");
  }
  if (engine.is_rtl || engine.windows.count > 0) {
    TET_ASSIGN_OR_RETURN(engine.rtl, openRtl(config, folder));
  }
  return engine;
}

Result<std::unique_ptr<tet_device>> create(uint32_t, hosted::Options& options) {
  TET_ASSIGN_OR_RETURN(const Config config, configOf(options));
  TET_ASSIGN_OR_RETURN(const Engine engine, engineOf(config, options));
  const std::string activity = options.text("activity", kActivities[0]);
  if (std::ranges::find(kActivities, activity) == std::end(kActivities)) {
    return invalidArgument("option 'activity' is '{}'; it is {}", activity, fmt::join(kActivities, ", "));
  }
  TET_ASSIGN_OR_RETURN(Figures figures, loadFigures(options.text("figures", ""), config, activity));
  return std::make_unique<NpuDevice>(config, std::move(figures), engine);
}

}  // namespace
}  // namespace tetrarch::npu

const tetrarch::hosted::Driver& tetrarch::hosted::driver() {
  static constexpr Driver made = {"npu", "1", [] { return 1u; }, npu::create, /*has_energy=*/true};
  return made;
}

const tet_plugin* tetrarch_plugin() { return tetrarch::hosted::table(); }
