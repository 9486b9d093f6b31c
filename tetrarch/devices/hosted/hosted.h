// All of a plug-in but its own work, for devices whose work the host's threads do: null, cpu, simulators.
//
// The plug-in derives from tet_device, tet_module and tet_kernel, defines driver(), and exports table(). This
// folder adds buffers in host memory, in-order queues, signals, loss, and the checks of arguments that
// device.h asks for. Work runs in the thread that enqueues it, until a queue has to wait for a signal: from
// there to when it has caught up, a thread of the queue's own runs it.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <mutex>
#include <set>
#include <span>
#include <string>

#include "tetrarch/abi/device.h"
#include "tetrarch/base/status.h"
#include "tetrarch/devices/hosted/options.h"

namespace tetrarch::hosted {

// A launch whose arguments have been checked.
struct Launch {
  tet_kernel* kernel;
  void* const* buffers;
  uint64_t begin, end;
  tet_receipt* receipt;  // or null
};

// What a plug-in says of itself before a device is open.
struct Driver {
  const char* name;
  const char* version;
  uint32_t (*count)();
  Result<std::unique_ptr<tet_device>> (*create)(uint32_t index, Options& options);
  bool has_energy;  // joules() may work
};
const Driver& driver();  // defined by the plug-in
// The table for tetrarch_plugin() to return.
const tet_plugin* table();

// Writes a receipt's common part; `begin_ns` and `end_ns` on the host's monotonic clock.
void stamp(tet_receipt* receipt, int64_t begin_ns, int64_t end_ns);

// Of wrapped host memory and slices: what every allocator gives, so that any array may be used in place.
inline constexpr uint32_t kAlignment = 16;
// Of the buffers that the device itself allocates: whole cache lines.
inline constexpr uint32_t kAllocationAlignment = 64;

}  // namespace tetrarch::hosted

// The opaque types of device.h. Members are the plug-in's business only where the comment says so.

struct tet_kernel {
  tet_device* device = nullptr;
  tet_kernel_info info = {};  // set by the plug-in
};

struct tet_module {
  virtual ~tet_module() = default;
  // Null when there is none. Kernels live as long as the module.
  virtual tet_kernel* find(std::string_view symbol) = 0;
  tet_device* device = nullptr;
};

struct tet_buffer {
  enum class Storage { Owned, Wrapped, Slice };
  tet_device* device;
  std::byte* data;
  uint64_t bytes;
  Storage storage;
  ~tet_buffer();
};

struct tet_device {
  tet_device();
  virtual ~tet_device() = default;

  // For the plug-in to implement. describe() fills `info` but for struct_size, strings living as long as the
  // device.
  virtual void describe(tet_device_info& info) const = 0;
  virtual tetrarch::Result<std::unique_ptr<tet_module>> load(const std::string& name,
                                                             const std::string& format,
                                                             std::span<const std::byte> bytes) = 0;
  // Runs the launches one after the other; called from several threads at a time when there are several
  // queues.
  virtual tetrarch::Status run(std::span<const tetrarch::hosted::Launch> launches) = 0;
  virtual tetrarch::Result<tet_figure> joules();

  // From here on for this folder.
  // Options that every such device has: "memory_bytes" limits it; the others are for tests of what is above:
  // "fail_after_launches" loses it, "own_memory":1 hides its memory from the host, "asynchronous":1 gives
  // its queues threads.
  void takeCommonOptions(tetrarch::hosted::Options& options);
  tetrarch::Status checkAlive() const;
  // Counts launches toward "fail_after_launches".
  tetrarch::Status countLaunches(uint64_t count);
  void lose(const std::string& why);
  tetrarch::Status reserve(uint64_t bytes);
  void release(uint64_t bytes) { used_bytes -= bytes; }

  uint32_t index = 0;
  bool own_memory = false, asynchronous = false;
  uint64_t memory_bytes;  // of the machine, or the option's
  tet_event_fn on_event = nullptr;
  void* event_user = nullptr;
  std::mutex signals_mutex;
  std::set<tet_signal*> signals;  // to wake when the device is lost

 private:
  std::atomic<uint64_t> used_bytes{0};
  std::atomic<int64_t> launches_left{-1};  // until the injected failure; negative: none
  std::atomic<bool> lost_{false};
  std::string lost_why_;  // written before lost_ is set
  std::mutex lose_mutex_;
};
