#include "tetrarch/devices/hosted/signal.h"

tet_signal::tet_signal(tet_device* device, uint64_t initial)
    : SignalValue(initial, [device] { return device->checkAlive(); }), device(device) {
  std::lock_guard lock(device->signals_mutex);
  device->signals.insert(this);
}

tet_signal::~tet_signal() {
  std::lock_guard lock(device->signals_mutex);
  device->signals.erase(this);
}
