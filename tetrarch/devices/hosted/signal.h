// Signals: a growing 64-bit value with waiters, see device.h.
#pragma once

#include <condition_variable>
#include <mutex>
#include <optional>
#include <vector>

#include "tetrarch/devices/hosted/hosted.h"

struct tet_signal {
  tet_signal(tet_device* device, uint64_t initial);
  ~tet_signal();

  tetrarch::Result<uint64_t> query();
  void set(uint64_t value);
  // No later value will come: waiters for one get `status`.
  void fail(const tetrarch::Status& status);
  // Blocks until reached (OK), failed, lost, or `timeout_ns` has passed (DeadlineExceeded).
  tetrarch::Status wait(uint64_t value, uint64_t timeout_ns);
  void notify(uint64_t value, tet_notify_fn fn, void* user);
  // The device was lost: wakes everybody.
  void wake();
  // OK when reached, an error when it never will be, nothing when still open.
  std::optional<tetrarch::Status> outcome(uint64_t value);

  tet_device* const device;

 private:
  struct Waiter {
    uint64_t value;
    tet_notify_fn fn;
    void* user;
  };
  std::optional<tetrarch::Status> outcomeLocked(uint64_t value) const;
  // Makes a change, wakes, and calls back (without the lock) those whose wait is over.
  template <typename Change>
  void change(const Change& change);

  std::mutex mutex_;
  std::condition_variable changed_;
  uint64_t value_;
  tetrarch::Status failure_;
  std::vector<Waiter> waiters_;
};
