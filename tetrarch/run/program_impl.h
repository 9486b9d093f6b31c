// A bound program from the inside. bind.cpp makes it, program.cpp runs it.
#pragma once

#include <atomic>
#include <mutex>
#include <thread>

#include "tetrarch/run/ports.h"
#include "tetrarch/run/program.h"
#include "tetrarch/run/schedule.h"

namespace tetrarch::run {

// One thing that a lane does. What it names lives in the Impl.
struct Instruction {
  enum class Op : uint8_t {
    Launch,      // launches [first, first + count) on `device`
    CopyIn,      // `host` → `buffer` at `offset`
    CopyOut,     // `buffer` at `offset` → `host`
    Signal,      // have the device set its signal to `step` + 1
    WaitDevice,  // until that device's signal is there
    QueueWait,   // have `device` go on only when the signal of device `other` is there
    Publish,     // tell other lanes that `step` is done
    WaitLane,    // until lane `device` has published `step`
    Flush,       // see to it that the device begins
  } op = Op::Launch;
  int device = 0;
  int other = 0;
  int step = 0;
  uint32_t first = 0, count = 0;
  tet_buffer* buffer = nullptr;
  void* host = nullptr;
  uint64_t offset = 0, bytes = 0;
};

// A lane is what one thread does. Lane 0, the caller's, feeds all asynchronous devices and works for one
// blocking device; each further blocking device has a lane with a thread of its own.
struct Lane {
  std::vector<Instruction> instructions;
  std::vector<tet_launch> launches;
  std::vector<int> steps;                          // by launch
  alignas(64) std::atomic<uint64_t> published{0};  // run number * steps + step + 1; UINT64_MAX: given up
  std::thread thread;
};

// Page-aligned host memory, zeroed.
class HostMemory {
 public:
  static Result<HostMemory> allocate(uint64_t bytes);
  HostMemory() = default;
  HostMemory(HostMemory&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}
  HostMemory& operator=(HostMemory&& other) noexcept {
    std::swap(data_, other.data_), std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~HostMemory();
  std::byte* data() const { return data_; }
  uint64_t bytes() const { return bytes_; }

 private:
  std::byte* data_ = nullptr;
  uint64_t bytes_ = 0;
};

struct Program::Impl {
  ~Impl();
  void startThreads();
  Status run(std::span<const void* const> inputs, std::span<void* const> outputs);
  void setReceipts(bool on);
  RunReport report() const;

  std::shared_ptr<const abi::Artifact> artifact;
  abi::PlanEntry plan;
  Schedule schedule;
  Memory memory;
  uint64_t bytes_copied = 0;  // of a run

  // In the order in which they must be freed last to first: memory, devices, what lives on them.
  HostMemory arena;
  std::vector<std::shared_ptr<Device>> devices;
  std::vector<Buffer> parents, buffers;  // buffers may be slices of parents
  std::vector<Module> modules;
  std::vector<Queue> queues;           // by device, empty for those that do nothing
  std::vector<Signal> signals;         // by device, for asynchronous ones
  std::vector<int> asynchronous;       // devices to finish at the end
  std::vector<std::string> symbols;    // by step
  std::vector<tet_buffer*> arguments;  // of all launches; never grows once they point into it
  std::vector<std::unique_ptr<Lane>> lanes;

  Ports ports;

  struct Times {
    int64_t begin_ns = 0, end_ns = 0;
  };
  std::vector<tet_receipt> receipts;  // by step
  std::vector<Times> times;           // by step, of copies
  bool receipts_on = false;
  struct Hashes {
    std::string input, output;
  };
  std::vector<Hashes> hashes;  // by step, empty unless switched on
  // Of the last run that was OK: the whole call, and within it the steps without the caller's tensors.
  Times call, work;

 private:
  Status runSteps();
  Status runLane(size_t lane);
  Status execute(Lane& lane, const Instruction& instruction);
  Status waitDevice(const Instruction& instruction);
  Status waitLane(const Instruction& instruction);
  Status launchHashed(const Lane& lane, const Instruction& instruction);
  Result<std::string> hashBuffers(int device, std::span<tet_buffer* const> buffers,
                                  std::span<const int> tensors);
  Status timedCopy(const Instruction& instruction);
  void laneThread(size_t lane);
  void giveUp(const Status& status);
  Status finishDevices();
  uint64_t stamp(int step) const { return runs_ * schedule.steps.size() + static_cast<uint64_t>(step) + 1; }

  std::atomic<bool> running_{false};
  uint64_t runs_ = 0;
  std::atomic<uint64_t> started_{0};  // run that the lanes' threads are to do; UINT64_MAX: end
  std::atomic<int> lanes_left_{0};
  std::atomic<bool> given_up_{false};
  std::mutex failure_mutex_;
  Status failure_;  // of a run: the program cannot run again
};

}  // namespace tetrarch::run
