// The host's processor as a device. Options: "threads" (with the caller's), "cpus" ("0,2-3": pin the workers,
// and the calling thread while it computes), "spin_us" (how long idle workers stay awake), "powercap" (folder
// of the energy counters).
#include <fmt/ranges.h>

#include <algorithm>
#include <limits>

#include "tetrarch/devices/cpu/cpu_info.h"
#include "tetrarch/devices/cpu/module.h"
#include "tetrarch/devices/cpu/pool.h"
#include "tetrarch/devices/cpu/rapl.h"

namespace tetrarch::cpu {
namespace {

constexpr const char* kFormats[] = {"elf"};
constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();
constexpr const char* kPowercap = "/sys/class/powercap";

class CpuDevice : public tet_device {
 public:
  CpuDevice(PoolOptions options, const std::string& powercap)
      : threads_(options.threads), cpu_(cpuInfo()), pool_(std::move(options)), rapl_(Rapl::open(powercap)) {
    description_ = fmt::format("{}, {} thread{}", cpu_.name, threads_, threads_ == 1 ? "" : "s");
  }

  void describe(tet_device_info& info) const override {
    info.name = "cpu";
    info.description = description_.c_str();
    info.driver = "";
    info.features = cpu_.features.c_str();
    info.shares = "host-cpu";
    info.device_class = TET_CLASS_CPU;
    info.kind = TET_KIND_REAL;
    info.flags = TET_DEVICE_HOST_VISIBLE | TET_DEVICE_WRAPS_HOST | TET_DEVICE_BLOCKING;
    info.element_types = (1u << (TET_U64 + 1)) - 1;
    info.memory_bytes = info.max_buffer_bytes = memory_bytes;
    info.alignment = hosted::kAlignment;
    info.compute_units = static_cast<uint32_t>(threads_);
    info.max_queues = 1;
    info.format_count = 1;
    info.formats = kFormats;
    info.from_host =
        info.to_host = {{kUnknown, TET_MEASURED, 0}, {0, TET_MODELLED, 0}};  // shared memory: no copies
    info.idle_watts = info.busy_watts = {kUnknown, TET_MEASURED, 0};
  }

  Result<std::unique_ptr<tet_module>> load(const std::string& name, const std::string& format,
                                           std::span<const std::byte> bytes) override {
    if (format != "elf")
      return invalidArgument("{}: format '{}' is unknown; this device takes elf", name, format);
    return CpuModule::load(name, bytes);
  }

  Status run(std::span<const hosted::Launch> launches) override {
    static thread_local std::vector<Job> jobs;
    jobs.clear();
    for (const hosted::Launch& l : launches) {
      auto* kernel = static_cast<CpuKernel*>(l.kernel);
      jobs.push_back({kernel->run, l.buffers, static_cast<int64_t>(l.begin), static_cast<int64_t>(l.end),
                      static_cast<int64_t>(kernel->info.granularity), kernel->scratch_bytes, l.receipt});
    }
    return pool_.run(jobs);
  }

  Result<tet_figure> joules() override {
    if (!rapl_) return unimplemented("the kernel shows no readable energy counter (powercap)");
    std::optional<double> joules = rapl_->joules();
    if (!joules) return fail(StatusCode::kUnknown, "the kernel's energy counter cannot be read any more");
    return tet_figure{*joules, TET_MEASURED, 0};
  }

 private:
  int threads_;
  CpuInfo cpu_;
  std::string description_;
  Pool pool_;
  std::optional<Rapl> rapl_;
};

Result<std::unique_ptr<tet_device>> create(uint32_t, hosted::Options& options) {
  PoolOptions pool;
  std::string cpus = options.text("cpus", "");
  pool.cpus = parseCpuList(cpus);
  if (!cpus.empty() && pool.cpus.empty()) {
    return invalidArgument("option 'cpus' is '{}'; it takes a list such as 0,2-3", cpus);
  }
  const std::vector<int> usable = usableCpus();
  for (int cpu : pool.cpus) {
    if (std::find(usable.begin(), usable.end(), cpu) != usable.end()) continue;
    return invalidArgument("option 'cpus' names CPU {}; this process may use {}", cpu,
                           fmt::join(usable, ", "));
  }
  auto absent = static_cast<int64_t>(pool.cpus.empty() ? usable.size() : pool.cpus.size());
  constexpr int64_t kMaxThreads = 250;  // the pool numbers its contexts in 8 bits
  pool.threads = static_cast<int>(options.integer("threads", std::min(absent, kMaxThreads), 1, kMaxThreads));
  pool.spin_ns = options.integer("spin_us", 20, 0, 1'000'000) * 1000;
  std::string powercap = options.text("powercap", kPowercap);
  return std::make_unique<CpuDevice>(std::move(pool), powercap);
}

}  // namespace
}  // namespace tetrarch::cpu

const tetrarch::hosted::Driver& tetrarch::hosted::driver() {
  static constexpr Driver made = {"cpu", "1", [] { return 1u; }, cpu::create, /*has_energy=*/true};
  return made;
}

const tet_plugin* tetrarch_plugin() { return tetrarch::hosted::table(); }
