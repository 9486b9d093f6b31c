// The opaque types of device.h as this plug-in has them: device, buffer, signal. Queues and modules have
// their own files.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "tetrarch/abi/device.h"
#include "tetrarch/devices/hosted/options.h"
#include "tetrarch/devices/hosted/signal_value.h"
#include "tetrarch/devices/opencl/cl_api.h"

namespace tetrarch::opencl {

// What device_open's options say.
struct DeviceOptions {
  int64_t threads = 0;       // compute units to use; 0 is all
  int64_t memory_bytes = 0;  // 0 is all
  int64_t fail_after_launches = -1;
};
Result<DeviceOptions> parseOptions(const char* json);

// What device_describe and device_info say; the strings live here.
class Description {
 public:
  Description(uint32_t index, const FoundDevice& found, const DeviceOptions& options);
  const tet_device_info& info() const { return info_; }
  // The host and the device share the memory, and host pointers stay valid without mapping.
  bool hostVisible() const { return (info_.flags & TET_DEVICE_HOST_VISIBLE) != 0; }
  // What a cached binary must have been made by.
  const std::string& binaryKey() const { return binary_key_; }

 private:
  std::string name_, description_, driver_, features_, binary_key_;
  tet_device_info info_ = {};
};

// Never twice the same in a process: tells memory apart that drivers may give the same handle one after the
// other.
uint64_t nextNumber();

}  // namespace tetrarch::opencl

struct tet_device {
  static tetrarch::Result<std::unique_ptr<tet_device>> open(uint32_t index,
                                                            const tetrarch::opencl::DeviceOptions& options);
  ~tet_device();

  tetrarch::Status checkAlive() const;
  // Every call from here on is UNAVAILABLE; wakes whoever waits and raises the event once.
  void lose(const std::string& why);
  // Counts a launch toward the injected failure of tests.
  tetrarch::Status countLaunch();
  tetrarch::Status reserve(uint64_t bytes);
  void release(uint64_t bytes) { used_bytes_ -= bytes; }
  // An OpenCL error as a Status; a device that has gone away becomes lost.
  tetrarch::Status check(cl_int code, std::string_view what);
  // Host clock minus device clock, in nanoseconds, or nothing when the driver has no clock.
  std::optional<int64_t> clockOffset() const { return clock_offset_; }

  std::optional<tetrarch::opencl::Description> description;
  uint32_t index = 0;
  cl_device_id id = nullptr;  // the device or the part of it that the options ask for
  cl_context context = nullptr;
  size_t local_items = 1;  // work-group size where a kernel leaves it to the device
  tet_event_fn on_event = nullptr;
  void* event_user = nullptr;

  std::mutex signals_mutex;
  std::set<tet_signal*> signals;  // to wake, and queues to let go, when the device is lost
  std::set<tet_queue*> queues;

 private:
  tetrarch::Status takePart(int64_t threads);
  void measureClock();

  bool is_part_ = false;
  uint64_t memory_bytes_ = 0;
  std::atomic<uint64_t> used_bytes_{0};
  std::atomic<int64_t> launches_left_{-1};
  std::atomic<bool> lost_{false};
  std::string lost_why_;  // written before lost_ is set
  std::mutex lose_mutex_;
  std::optional<int64_t> clock_offset_;
};

struct tet_buffer {
  static tetrarch::Result<std::unique_ptr<tet_buffer>> allocate(tet_device* device, uint64_t bytes);
  static tetrarch::Result<std::unique_ptr<tet_buffer>> wrap(tet_device* device, void* host, uint64_t bytes);
  static tetrarch::Result<std::unique_ptr<tet_buffer>> slice(tet_buffer* parent, uint64_t offset,
                                                             uint64_t bytes);
  ~tet_buffer();

  tetrarch::Status checkRange(uint64_t offset, uint64_t size) const;

  tet_device* device = nullptr;
  cl_mem memory = nullptr;
  const uint64_t number = tetrarch::opencl::nextNumber();
  std::byte* host = nullptr;  // null where the host cannot see it
  uint64_t bytes = 0;
  bool is_slice = false, owns_host = false, counted = false;
};

struct tet_signal : tetrarch::hosted::SignalValue {
  tet_signal(tet_device* device, uint64_t initial);
  ~tet_signal();

  tet_device* const device;
};
