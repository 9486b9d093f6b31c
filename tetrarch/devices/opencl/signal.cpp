#include <algorithm>
#include <chrono>

#include "tetrarch/devices/opencl/device.h"

using tetrarch::Result;
using tetrarch::Status;
using tetrarch::StatusCode;

tet_signal::tet_signal(tet_device* device, uint64_t initial) : device(device), value_(initial) {
  std::lock_guard lock(device->signals_mutex);
  device->signals.insert(this);
}

tet_signal::~tet_signal() {
  {
    std::lock_guard lock(device->signals_mutex);
    device->signals.erase(this);
  }
  // A thread that has just set the value may still hold the lock.
  std::lock_guard lock(mutex_);
}

std::optional<Status> tet_signal::outcome(uint64_t value) const {
  if (Status alive = device->checkAlive(); !alive.ok()) return alive;
  if (value_ >= value) return Status();
  if (!failure_.ok()) return failure_;
  return std::nullopt;
}

Result<uint64_t> tet_signal::query() {
  TET_RETURN_IF_ERROR(device->checkAlive());
  std::lock_guard lock(mutex_);
  TET_RETURN_IF_ERROR(failure_);
  return value_;
}

template <typename Change>
void tet_signal::change(const Change& change) {
  std::vector<std::pair<Waiter, Status>> over;
  {
    std::lock_guard lock(mutex_);
    change();
    std::erase_if(waiters_, [&](const Waiter& waiter) {
      std::optional<Status> found = outcome(waiter.value);
      if (found) over.emplace_back(waiter, *found);
      return found.has_value();
    });
    changed_.notify_all();
  }
  // Whoever waited may have destroyed the signal by now: `this` is not touched any more.
  for (const auto& [waiter, status] : over) waiter.then(status);
}

void tet_signal::set(uint64_t value) {
  change([&] { value_ = std::max(value_, value); });
}

void tet_signal::fail(const Status& status) {
  change([&] {
    if (failure_.ok()) failure_ = status;
  });
}

void tet_signal::wake() {
  change([] {});
}

Status tet_signal::wait(uint64_t value, uint64_t timeout_ns) {
  // Beyond a century the clock's arithmetic overflows, and nobody waits that long.
  constexpr uint64_t kForEver = uint64_t{100} * 365 * 86400 * 1'000'000'000;
  std::unique_lock lock(mutex_);
  std::optional<Status> found;
  auto over = [&] { return (found = outcome(value)).has_value(); };
  if (timeout_ns >= kForEver) {
    changed_.wait(lock, over);
  } else if (!changed_.wait_for(lock, std::chrono::nanoseconds(timeout_ns), over)) {
    return tetrarch::fail(StatusCode::kDeadlineExceeded, "the signal has not reached {} within {} ns", value,
                          timeout_ns);
  }
  return *found;
}

void tet_signal::whenOver(uint64_t value, std::function<void(const Status&)> then) {
  change([&] { waiters_.push_back({value, std::move(then)}); });
}
