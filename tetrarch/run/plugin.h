// Device plug-ins: finding them, and the C contract of abi/device.h as C++ values that free themselves.
//
// A plug-in that cannot be used is left out, and problems() says why; it never stops the others. Loaded
// libraries stay loaded until the process ends (drivers below them do not like to be unloaded). All of it is
// thread safe but for Queue, whose calls must not overlap. Handles keep their device open.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tetrarch/abi/device.h"
#include "tetrarch/abi/manifest.h"
#include "tetrarch/base/status.h"

namespace tetrarch::run {

// DeviceInfo::shares of what computes on the host's CPU.
inline constexpr std::string_view kHostCpu = "host-cpu";

struct Link {
  double bytes_per_second, latency_seconds;  // NaN: unknown
  abi::Source source;
};

struct Watts {
  double value;  // NaN: unknown
  abi::Source source;
};

// tet_device_info with strings of its own.
struct DeviceInfo {
  std::string name, description, driver, features, shares;
  abi::DeviceClass device_class = abi::DeviceClass::Other;
  bool simulated = false;
  uint32_t flags = 0;          // TET_DEVICE_x
  uint32_t element_types = 0;  // 1 << ElementType
  uint64_t memory_bytes = 0, max_buffer_bytes = 0;
  uint32_t alignment = 1, compute_units = 1, max_queues = 1;
  std::vector<std::string> formats;
  std::vector<std::string> counter_names;
  Link from_host, to_host;
  Watts idle_watts, busy_watts;

  bool sharesHostMemory() const {
    return (flags & TET_DEVICE_HOST_VISIBLE) != 0 && (flags & TET_DEVICE_WRAPS_HOST) != 0;
  }
  bool blocking() const { return (flags & TET_DEVICE_BLOCKING) != 0; }
};

// A loaded plug-in: its table with every optional entry that it lacks set to null, whatever its struct_size.
struct Plugin {
  std::filesystem::path path;
  tet_plugin api = {};
};

class Buffer;
class Kernel;
class Module;
class Queue;
class Signal;

// An open device.
class Device : public std::enable_shared_from_this<Device> {
 public:
  ~Device();
  Device(const Device&) = delete;

  const DeviceInfo& info() const { return info_; }
  const abi::PlanDevice& id() const { return id_; }  // how it was asked for
  const Plugin& plugin() const { return *plugin_; }
  const tet_plugin& api() const { return plugin_->api; }
  tet_device* handle() const { return handle_; }
  bool lost() const;
  // What a call about the device's work returned, as an error of the device: in front of the message are the
  // plug-in's file and the device's name.
  Status workError(tet_status code, const tet_error& error) const;

  // 0 bytes are fine. ResourceExhausted when memory is short.
  Result<Buffer> allocate(uint64_t bytes);
  // The caller's memory without a copy. Unimplemented when the device cannot.
  Result<Buffer> wrap(void* host, uint64_t bytes);
  Result<Module> load(const std::string& name, const std::string& format, std::span<const std::byte> bytes);
  Result<Queue> createQueue();
  Result<Signal> createSignal(uint64_t initial = 0);
  // Unimplemented when the device has no such meter.
  Result<double> readJoules(abi::Source* source = nullptr);
  Result<double> readWatts(abi::Source* source = nullptr);

 private:
  friend class DeviceRegistry;
  struct Events;
  Device() = default;
  std::shared_ptr<const Plugin> plugin_;
  std::unique_ptr<Events> events_;
  tet_device* handle_ = nullptr;
  DeviceInfo info_;
  abi::PlanDevice id_;
};

// What a C handle needs to be freed: the device, and how.
template <typename T>
class Handle {
 public:
  Handle() = default;
  Handle(std::shared_ptr<Device> device, T* raw, void (*free)(T*))
      : device_(std::move(device)), raw_(raw), free_(free) {}
  Handle(Handle&& other) noexcept
      : device_(std::move(other.device_)), raw_(std::exchange(other.raw_, nullptr)), free_(other.free_) {}
  Handle& operator=(Handle&& other) noexcept {
    if (this != &other) {
      if (raw_) free_(raw_);
      device_ = std::move(other.device_);
      raw_ = std::exchange(other.raw_, nullptr);
      free_ = other.free_;
    }
    return *this;
  }
  ~Handle() {
    if (raw_) free_(raw_);
  }
  explicit operator bool() const { return raw_ != nullptr; }
  T* raw() const { return raw_; }
  Device& device() const { return *device_; }
  const std::shared_ptr<Device>& devicePtr() const { return device_; }

 private:
  std::shared_ptr<Device> device_;
  T* raw_ = nullptr;
  void (*free_)(T*) = nullptr;
};

class Buffer : public Handle<tet_buffer> {
 public:
  using Handle::Handle;
  // Part of this buffer, which must outlive it. The offset is a multiple of DeviceInfo::alignment.
  Result<Buffer> slice(uint64_t offset, uint64_t bytes) const;
  // Null when the host cannot see the buffer.
  void* hostPointer() const;
};

class Kernel {  // borrowed from its Module
 public:
  tet_kernel* raw() const { return raw_; }
  const tet_kernel_info& info() const { return info_; }

 private:
  friend class Module;
  tet_kernel* raw_ = nullptr;
  tet_kernel_info info_ = {};
};

class Module : public Handle<tet_module> {
 public:
  using Handle::Handle;
  Result<Kernel> find(const std::string& symbol) const;
  // The driver's own form of the module, for a cache. Unimplemented when there is none.
  struct Binary {
    std::string format;
    std::vector<std::byte> bytes;
  };
  Result<Binary> binary() const;
};

class Signal : public Handle<tet_signal> {
 public:
  using Handle::Handle;
  // DeadlineExceeded when `value` is not reached in time.
  Status wait(uint64_t value, uint64_t timeout_ns = UINT64_MAX) const;
};

class Queue : public Handle<tet_queue> {
 public:
  using Handle::Handle;
  Status copyIn(const Buffer& to, uint64_t offset, const void* from, uint64_t bytes) const;
  Status copyOut(void* to, const Buffer& from, uint64_t offset, uint64_t bytes) const;
  Status copy(const Buffer& to, uint64_t to_offset, const Buffer& from, uint64_t from_offset,
              uint64_t bytes) const;
  Status launch(std::span<const tet_launch> launches) const;
  Status signal(const Signal& signal, uint64_t value) const;
  Status wait(const Signal& signal, uint64_t value) const;
  Status flush() const;
  Status finish() const;
};

class DeviceRegistry {
 public:
  // The folders are searched in order, and the first plug-in of a name wins: TETRARCH_DEVICE_PATH
  // (colon-separated), then lib/tetrarch/devices beside the library or program that holds this code, in a
  // build and installed.
  static std::vector<std::filesystem::path> defaultFolders();
  // Loads every tetrarch_*.so of the folders; a missing folder is no problem.
  static std::shared_ptr<DeviceRegistry> discover(
      const std::vector<std::filesystem::path>& folders = defaultFolders());
  // The process's one registry over defaultFolders(), made at the first call.
  static DeviceRegistry& instance();

  // One sentence for each plug-in that was left out, and for each device that could not be described.
  const std::vector<std::string>& problems() const { return problems_; }
  // All devices, nothing opened. Names as open() takes them.
  std::vector<DeviceInfo> list();
  // `id.name` is "cpu" or "opencl:1". NotFound lists what there is; InvalidArgument when the options are not
  // right.
  Result<std::shared_ptr<Device>> open(const abi::PlanDevice& id) const;
  Result<std::shared_ptr<Device>> open(const std::string& name, const std::string& options = "") const {
    return open(abi::PlanDevice{name, options});
  }

 private:
  void loadFolder(const std::filesystem::path& folder);
  const Plugin* findPlugin(std::string_view name) const;
  std::vector<std::shared_ptr<const Plugin>> plugins_;
  std::vector<std::string> problems_;
};

// Loads one plug-in and checks its table. The error is one sentence that names the file.
Result<std::shared_ptr<const Plugin>> loadPlugin(const std::filesystem::path& path);

}  // namespace tetrarch::run
