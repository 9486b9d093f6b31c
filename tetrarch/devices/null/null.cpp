// The device that does everything but compute: the smallest complete plug-in, and the one to clone (see
// README.md).
//
// A code blob of format "null" is text, one kernel a line, and both ends marked so that a cut one is noticed:
//   tetrarch-null 1
//   kernel <symbol> <units> <granularity> <buffers>
//   end
#include <limits>
#include <map>
#include <sstream>

#include "tetrarch/devices/hosted/hosted.h"

namespace tetrarch {
namespace {

constexpr const char* kFormats[] = {"null"};
constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();

class NullModule : public tet_module {
 public:
  static Result<std::unique_ptr<tet_module>> parse(const std::string& name,
                                                   std::span<const std::byte> bytes) {
    auto module = std::make_unique<NullModule>();
    std::istringstream in(std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
    std::string line;
    if (!std::getline(in, line) || line != "tetrarch-null 1") {
      return invalidArgument("{}: this is not code of format null (its first line is wrong)", name);
    }
    while (std::getline(in, line) && line != "end") TET_RETURN_IF_ERROR(module->parseKernel(name, line));
    if (line != "end") return invalidArgument("{}: the code is cut short (its last line is missing)", name);
    return module;
  }

  tet_kernel* find(std::string_view symbol) override {
    auto found = kernels_.find(symbol);
    return found == kernels_.end() ? nullptr : &found->second;
  }

 private:
  Status parseKernel(const std::string& name, const std::string& line) {
    std::istringstream in(line);
    std::string keyword, symbol;
    tet_kernel kernel;
    in >> keyword >> symbol >> kernel.info.units >> kernel.info.granularity >> kernel.info.buffer_count;
    if (!in || keyword != "kernel" || kernel.info.granularity == 0) {
      return invalidArgument("{}: '{}' is no line of format null", name, line);
    }
    kernels_[symbol] = kernel;
    return {};
  }

  std::map<std::string, tet_kernel, std::less<>> kernels_;
};

class NullDevice : public tet_device {
 public:
  void describe(tet_device_info& info) const override {
    info.name = "null";
    info.description = "does everything but compute";
    info.driver = info.features = info.shares = "";
    info.device_class = TET_CLASS_OTHER;
    info.kind = TET_KIND_SIMULATED;
    info.flags = TET_DEVICE_HOST_VISIBLE | TET_DEVICE_WRAPS_HOST | TET_DEVICE_BLOCKING;
    info.element_types = (1u << (TET_U64 + 1)) - 1;
    info.memory_bytes = info.max_buffer_bytes = memory_bytes;
    info.alignment = hosted::kAlignment;
    info.compute_units = info.max_queues = 1;
    info.format_count = 1;
    info.formats = kFormats;
    info.from_host = info.to_host = {{kUnknown, TET_SIMULATED, 0}, {kUnknown, TET_SIMULATED, 0}};
    info.idle_watts = info.busy_watts = {kUnknown, TET_SIMULATED, 0};
    info.counter_count = 1;
    info.counter_names[0] = "units";
  }

  Result<std::unique_ptr<tet_module>> load(const std::string& name, const std::string& format,
                                           std::span<const std::byte> bytes) override {
    if (format != "null")
      return invalidArgument("{}: format '{}' is unknown; this device takes null", name, format);
    return NullModule::parse(name, bytes);
  }

  Status run(std::span<const hosted::Launch> launches) override {
    for (const hosted::Launch& launch : launches) {
      if (!launch.receipt) continue;
      hosted::stamp(launch.receipt, 0, 0);
      launch.receipt->source = TET_SIMULATED;
      launch.receipt->counters[0] = launch.end - launch.begin;
    }
    return {};
  }
};

Result<std::unique_ptr<tet_device>> create(uint32_t, hosted::Options&) {
  return std::make_unique<NullDevice>();
}

}  // namespace

const hosted::Driver& hosted::driver() {
  static constexpr Driver made = {"null", "1", [] { return 1u; }, create, /*has_energy=*/false};
  return made;
}

}  // namespace tetrarch

const tet_plugin* tetrarch_plugin() { return tetrarch::hosted::table(); }
