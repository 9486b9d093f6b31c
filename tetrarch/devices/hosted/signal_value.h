// The value behind a signal of device.h, and who waits for it: what all plug-ins that make their signals on
// the host share. It knows no device, only how to ask whether its device is still there.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <vector>

#include "tetrarch/base/status.h"

namespace tetrarch::hosted {

class SignalValue {
 public:
  using Then = std::function<void(const Status&)>;

  // `alive` is OK until the device is lost, then the error that everybody gets; asked with the lock held.
  SignalValue(uint64_t initial, std::function<Status()> alive) : alive_(std::move(alive)), value_(initial) {}
  // Nobody waits any more; a thread that has just set the value may still be on its way out.
  ~SignalValue() { std::lock_guard lock(mutex_); }

  Result<uint64_t> query();
  void set(uint64_t value);
  // No later value will come: whoever waits for one gets `status`.
  void fail(const Status& status);
  // Blocks until reached (OK), failed, lost, or `timeout_ns` has passed (DeadlineExceeded).
  Status wait(uint64_t value, uint64_t timeout_ns);
  // Calls back once with the outcome, from any thread and without the lock, at once if it is known.
  void whenOver(uint64_t value, Then then);
  // The device was lost: wakes everybody.
  void wake();
  // OK when reached, an error when it never will be, nothing when still open.
  std::optional<Status> outcome(uint64_t value);

 private:
  struct Waiter {
    uint64_t value;
    Then then;
  };
  std::optional<Status> outcomeLocked(uint64_t value) const;
  // Makes a change under the lock, wakes, and calls back those whose wait is over.
  template <typename Change>
  void change(const Change& change);

  const std::function<Status()> alive_;
  std::mutex mutex_;
  std::condition_variable changed_;
  uint64_t value_;
  Status failure_;
  std::vector<Waiter> waiters_;
};

}  // namespace tetrarch::hosted
