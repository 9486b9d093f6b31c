// The neural processing unit of rtl/npu/ as a simulated device. Its engine is the functional model, bit for
// bit what the RTL computes, and its time the timing model's cycles at the clock of a file of figures.
//
// Options: "side" (8, 16, 32), "kind" ("int8", "bf16"), "latency" (cycles of a DRAM read), "figures" (path of
// a file such as figures.json).
#include <algorithm>
#include <limits>

#include "tetrarch/base/trace.h"
#include "tetrarch/devices/npu/figures.h"
#include "tetrarch/devices/npu/machine.h"
#include "tetrarch/devices/npu/module.h"

namespace tetrarch::npu {
namespace {

constexpr const char* kFormats[] = {TET_NPU_FORMAT};
constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();
// What an address of the processor can name.
constexpr uint64_t kAddressableBytes = uint64_t{1} << 32;

// The counters of a receipt. The first four are the cycles in which a unit moved or computed, in the order of
// queues.
constexpr const char* kCounters[] = {"load_cycles",  "matrix_cycles", "vector_cycles",
                                     "store_cycles", "instructions",  "multiplications"};

class NpuDevice : public tet_device {
 public:
  NpuDevice(const Config& config, Figures figures) : config_(config), figures_(std::move(figures)) {
    description_ =
        fmt::format("{0} x {0} {1} processor, modelled bit for bit, {2:.0f} MHz ({3}, {4})", config.side,
                    kindName(config.kind), figures_.clock_hz / 1e6, figures_.node, figures_.corner);
    features_ = fmt::format("side={} kind={} sp_rows={} acc_rows={}", config.side, kindName(config.kind),
                            config.sp_rows, config.acc_rows);
    driver_ = fmt::format("model ({})", simdLevelName(bestSimdLevel()));
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
    info.idle_watts = info.busy_watts = {kUnknown, TET_MODELLED, 0};
    info.counter_count = std::size(kCounters);
    std::ranges::copy(kCounters, info.counter_names);
  }

  Result<std::unique_ptr<tet_module>> load(const std::string& name, const std::string& format,
                                           std::span<const std::byte> bytes) override {
    if (format != TET_NPU_FORMAT) {
      return invalidArgument("{}: format '{}' is unknown; this device takes " TET_NPU_FORMAT, name, format);
    }
    return NpuModule::load(config_, name, bytes);
  }

  Status run(std::span<const hosted::Launch> launches) override {
    for (const hosted::Launch& launch : launches) TET_RETURN_IF_ERROR(run(launch));
    return {};
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
    for (const Stream& stream : streams) Machine(config_, dram).run(stream.instructions);
    if (launch.receipt) {
      hosted::stamp(launch.receipt, begin_ns, nowNs());
      sign(streams, *launch.receipt);
    }
    return {};
  }

  // The receipt in the processor's own time.
  void sign(std::span<const Stream> streams, tet_receipt& receipt) const {
    receipt.cycles = 0;
    std::ranges::fill(receipt.counters, 0);
    for (const Stream& stream : streams) {
      const Timing& timing = stream.timing;
      receipt.cycles += static_cast<uint64_t>(timing.cycles);
      for (int q = 0; q < kQueues; ++q) receipt.counters[q] += static_cast<uint64_t>(timing.units[q].busy);
      receipt.counters[kQueues] += stream.instructions.size();
      receipt.counters[kQueues + 1] += static_cast<uint64_t>(timing.multiplications);
    }
    receipt.seconds = static_cast<double>(receipt.cycles) / figures_.clock_hz;
    receipt.source = figures_.source;
  }

  const Config config_;
  const Figures figures_;
  std::string description_, features_, driver_;
};

Result<std::unique_ptr<tet_device>> create(uint32_t, hosted::Options& options) {
  const int64_t side = options.integer("side", 16, 8, 32);
  const std::string kind = options.text("kind", "int8");
  const int64_t latency = options.integer("latency", kDramLatency, 1, 1023);
  const std::string path = options.text("figures", "");
  if (kind != "int8" && kind != "bf16") {
    return invalidArgument("option 'kind' is '{}'; it is int8 or bf16", kind);
  }
  if (side != 8 && side != 16 && side != 32) {
    return invalidArgument("option 'side' is {}; it is 8, 16 or 32", side);
  }
  Config config = Config::standard(side, kind == "int8" ? Kind::Int8 : Kind::Bf16);
  config.latency = latency;
  TET_ASSIGN_OR_RETURN(Figures figures, loadFigures(path, config));
  return std::make_unique<NpuDevice>(config, std::move(figures));
}

}  // namespace
}  // namespace tetrarch::npu

const tetrarch::hosted::Driver& tetrarch::hosted::driver() {
  static constexpr Driver made = {"npu", "1", [] { return 1u; }, npu::create, /*has_energy=*/false};
  return made;
}

const tet_plugin* tetrarch_plugin() { return tetrarch::hosted::table(); }
