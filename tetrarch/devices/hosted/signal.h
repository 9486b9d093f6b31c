// Signals: a growing 64-bit value with waiters, see device.h.
#pragma once

#include "tetrarch/devices/hosted/hosted.h"
#include "tetrarch/devices/hosted/signal_value.h"

struct tet_signal : tetrarch::hosted::SignalValue {
  tet_signal(tet_device* device, uint64_t initial);
  ~tet_signal();

  tet_device* const device;
};
