#include "tetrarch/devices/hosted/signal_value.h"

#include <algorithm>
#include <chrono>

namespace tetrarch::hosted {

std::optional<Status> SignalValue::outcomeLocked(uint64_t value) const {
  if (Status alive = alive_(); !alive.ok()) return alive;
  if (value_ >= value) return Status();
  if (!failure_.ok()) return failure_;
  return std::nullopt;
}

std::optional<Status> SignalValue::outcome(uint64_t value) {
  std::lock_guard lock(mutex_);
  return outcomeLocked(value);
}

Result<uint64_t> SignalValue::query() {
  TET_RETURN_IF_ERROR(alive_());
  std::lock_guard lock(mutex_);
  TET_RETURN_IF_ERROR(failure_);
  return value_;
}

template <typename Change>
void SignalValue::change(const Change& change) {
  std::vector<std::pair<Then, Status>> over;
  {
    std::lock_guard lock(mutex_);
    change();
    std::erase_if(waiters_, [&](const Waiter& waiter) {
      std::optional<Status> found = outcomeLocked(waiter.value);
      if (found) over.emplace_back(waiter.then, *found);
      return found.has_value();
    });
    changed_.notify_all();
  }
  // Whoever waited may have destroyed the signal by now: `this` is not touched any more.
  for (const auto& [then, status] : over) then(status);
}

void SignalValue::set(uint64_t value) {
  change([&] { value_ = std::max(value_, value); });
}

void SignalValue::fail(const Status& status) {
  change([&] {
    if (failure_.ok()) failure_ = status;
  });
}

void SignalValue::wake() {
  change([] {});
}

Status SignalValue::wait(uint64_t value, uint64_t timeout_ns) {
  // Beyond a century the clock's arithmetic overflows, and nobody waits that long.
  constexpr uint64_t kForEver = uint64_t{100} * 365 * 86400 * 1'000'000'000;
  std::unique_lock lock(mutex_);
  std::optional<Status> found;
  auto over = [&] { return (found = outcomeLocked(value)).has_value(); };
  if (timeout_ns >= kForEver) {
    changed_.wait(lock, over);
  } else if (!changed_.wait_for(lock, std::chrono::nanoseconds(timeout_ns), over)) {
    return tetrarch::fail(StatusCode::kDeadlineExceeded, "the signal has not reached {} within {} ns", value,
                          timeout_ns);
  }
  return *found;
}

void SignalValue::whenOver(uint64_t value, Then then) {
  change([&] { waiters_.push_back({value, std::move(then)}); });
}

}  // namespace tetrarch::hosted
