// Entries of a plug-in's table that only hand their arguments on, the same for every plug-in whose classes
// have these members. Included by the one file that fills the table, after the headers that define
// tet_device, tet_queue and tet_signal.
#pragma once

#include <algorithm>
#include <cstring>
#include <memory>

#include "tetrarch/abi/device.h"
#include "tetrarch/base/status.h"

namespace tetrarch::hosted {

// A status as an entry returns it; the error, which may be null, is written where there is one.
inline tet_status give(const Status& status, tet_error* error) {
  if (status.ok()) [[likely]]
    return TET_OK;
  const auto code = static_cast<tet_status>(status.code());
  if (error && error->struct_size >= sizeof(tet_error)) {
    error->code = code;
    const std::string_view message = status.message().substr(0, sizeof error->message - 1);
    std::memcpy(error->message, message.data(), message.size());
    error->message[message.size()] = '\0';
  }
  return code;
}

// An output of the table's: only written on success.
template <typename T>
tet_status giveHandle(Result<std::unique_ptr<T>> made, T** out, tet_error* error) {
  if (!made) return give(made.error(), error);
  *out = made->release();
  return TET_OK;
}

// A struct of ours into the caller's, which may be older or newer.
template <typename T>
tet_status giveStruct(T full, T* out) {
  full.struct_size = out->struct_size;
  std::memcpy(out, &full, std::min(out->struct_size, sizeof full));
  return TET_OK;
}

inline void queueDestroy(tet_queue* queue) { delete queue; }

inline tet_status launch(tet_queue* queue, const tet_launch* launches, uint64_t count, tet_error* error) {
  return give(queue->launch(launches, count), error);
}
inline tet_status queueFinish(tet_queue* queue, tet_error* error) { return give(queue->finish(), error); }

inline tet_status signalCreate(tet_device* device, uint64_t initial, tet_signal** out, tet_error* error) {
  if (Status s = device->checkAlive(); !s.ok()) return give(s, error);
  *out = new tet_signal(device, initial);
  return TET_OK;
}
inline void signalDestroy(tet_signal* signal) { delete signal; }

inline tet_status signalQuery(tet_signal* signal, uint64_t* value, tet_error* error) {
  auto now = signal->query();
  if (!now) return give(now.error(), error);
  *value = *now;
  return TET_OK;
}

inline tet_status signalSet(tet_signal* signal, uint64_t value, tet_error* error) {
  if (Status s = signal->device->checkAlive(); !s.ok()) return give(s, error);
  signal->set(value);
  return TET_OK;
}

inline tet_status signalWait(tet_signal* signal, uint64_t value, uint64_t timeout_ns, tet_error* error) {
  return give(signal->wait(value, timeout_ns), error);
}

inline tet_status signalNotify(tet_signal* signal, uint64_t value, tet_notify_fn notify, void* user,
                               tet_error*) {
  signal->whenOver(value,
                   [=](const Status& outcome) { notify(user, static_cast<tet_status>(outcome.code())); });
  return TET_OK;
}

inline tet_status queueSignal(tet_queue* queue, tet_signal* signal, uint64_t value, tet_error* error) {
  return give(queue->signal(signal, value), error);
}
inline tet_status queueWait(tet_queue* queue, tet_signal* signal, uint64_t value, tet_error* error) {
  return give(queue->wait(signal, value), error);
}

}  // namespace tetrarch::hosted
