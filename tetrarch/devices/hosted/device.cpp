// Memory, loss and the parts of a receipt that all devices of this kind share.
#include <unistd.h>

#include <cstdlib>
#include <cstring>

#include "tetrarch/devices/hosted/signal.h"

using tetrarch::fail;
using tetrarch::Status;
using tetrarch::StatusCode;

tet_device::tet_device()
    : memory_bytes(static_cast<uint64_t>(::sysconf(_SC_PHYS_PAGES)) *
                   static_cast<uint64_t>(::sysconf(_SC_PAGESIZE))) {}

tet_buffer::~tet_buffer() {
  if (storage != Storage::Owned) return;
  std::free(data);
  device->release(bytes);
}

tetrarch::Result<tet_figure> tet_device::joules() {
  return tetrarch::unimplemented("this device has no energy meter");
}

void tet_device::takeCommonOptions(tetrarch::hosted::Options& options) {
  memory_bytes = static_cast<uint64_t>(
      options.integer("memory_bytes", static_cast<int64_t>(memory_bytes), 0, INT64_MAX));
  own_memory = options.integer("own_memory", 0, 0, 1) != 0;
  asynchronous = options.integer("asynchronous", 0, 0, 1) != 0;
  launches_left = options.integer("fail_after_launches", -1, 0, INT64_MAX);
}

Status tet_device::checkAlive() const {
  if (!lost_.load(std::memory_order_acquire)) [[likely]]
    return {};
  return fail(StatusCode::kUnavailable, "the device is lost: {}", lost_why_);
}

Status tet_device::countLaunches(uint64_t count) {
  int64_t left = launches_left.load(std::memory_order_relaxed);
  if (left < 0) [[likely]]
    return {};
  if (static_cast<uint64_t>(left) < count) {
    lose("option fail_after_launches has run out");
    return checkAlive();
  }
  launches_left = left - static_cast<int64_t>(count);
  return {};
}

void tet_device::lose(const std::string& why) {
  {
    std::lock_guard lock(lose_mutex_);
    if (lost_) return;
    lost_why_ = why;
    lost_.store(true, std::memory_order_release);
  }
  {
    std::lock_guard lock(signals_mutex);
    for (tet_signal* signal : signals) signal->wake();
  }
  if (!on_event) return;
  tet_event event = {sizeof(tet_event), TET_EVENT_LOST, index, this, why.c_str()};
  on_event(event_user, &event);
}

Status tet_device::reserve(uint64_t bytes) {
  uint64_t used = used_bytes.load();
  do {
    if (bytes > memory_bytes || used > memory_bytes - bytes) {
      return fail(StatusCode::kResourceExhausted, "{} bytes were asked for and {} of {} are free", bytes,
                  memory_bytes - used, memory_bytes);
    }
  } while (!used_bytes.compare_exchange_weak(used, used + bytes));
  return {};
}

namespace tetrarch::hosted {

void stamp(tet_receipt* receipt, int64_t begin_ns, int64_t end_ns) {
  tet_receipt full = {};
  full.struct_size = receipt->struct_size;
  full.seconds = static_cast<double>(end_ns - begin_ns) * 1e-9;
  full.begin_ns = begin_ns;
  full.source = TET_MEASURED;
  std::memcpy(receipt, &full, std::min(receipt->struct_size, sizeof full));
}

}  // namespace tetrarch::hosted
