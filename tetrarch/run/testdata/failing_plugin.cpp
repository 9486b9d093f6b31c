// A device whose second launch of a program fails, without the device being lost.
#include "tetrarch/devices/hosted/hosted.h"

namespace tetrarch {
namespace {

constexpr const char* kFormats[] = {"null"};

class AnyModule : public tet_module {
 public:
  tet_kernel* find(std::string_view) override {
    kernel_.info = {sizeof(tet_kernel_info), 16, 1, 0, UINT32_MAX, 0};
    return &kernel_;
  }

 private:
  tet_kernel kernel_;
};

class FailingDevice : public tet_device {
 public:
  void describe(tet_device_info& info) const override {
    info.name = "failing";
    info.description = info.driver = info.features = info.shares = "";
    info.device_class = TET_CLASS_OTHER;
    info.flags = TET_DEVICE_HOST_VISIBLE | TET_DEVICE_WRAPS_HOST | TET_DEVICE_BLOCKING;
    info.memory_bytes = info.max_buffer_bytes = memory_bytes;
    info.alignment = hosted::kAlignment;
    info.compute_units = info.max_queues = info.format_count = 1;
    info.formats = kFormats;
  }
  Result<std::unique_ptr<tet_module>> load(const std::string&, const std::string&,
                                           std::span<const std::byte>) override {
    return std::make_unique<AnyModule>();
  }
  Status run(std::span<const hosted::Launch> launches) override {
    if (launches.size() < 2) return {};
    return fail(StatusCode::kInternal, "the command processor stopped in the middle of a launch");
  }
};

Result<std::unique_ptr<tet_device>> create(uint32_t, hosted::Options&) {
  return std::make_unique<FailingDevice>();
}

}  // namespace

const hosted::Driver& hosted::driver() {
  static constexpr Driver made = {"failing", "1", [] { return 1u; }, create, false};
  return made;
}

}  // namespace tetrarch

const tet_plugin* tetrarch_plugin() { return tetrarch::hosted::table(); }
