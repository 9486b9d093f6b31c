// What makes two runs of the processor different, in words: of model and RTL, of two models.
#pragma once

#include <string>

#include "tetrarch/devices/npu/state.h"
#include "tetrarch/devices/npu/timing.h"

namespace tetrarch::npu {

// Each gives the first difference in one sentence, or "".

// How the runs ended and what they took.
std::string difference(const Timing& a, const Timing& b);
// What they left on the chip. REQUIRES: both states are of one configuration.
std::string difference(const State& a, const State& b);

template <typename T>
std::string firstDifference(std::string_view what, std::span<const T> a, std::span<const T> b,
                            int64_t per_row) {
  for (size_t i = 0; i < a.size(); ++i) {
    if (a[i] == b[i]) continue;
    const auto at = static_cast<int64_t>(i);
    return fmt::format("{} differs at row {}, element {}: {:#x} against {:#x}", what, at / per_row,
                       at % per_row, static_cast<uint64_t>(a[i]), static_cast<uint64_t>(b[i]));
  }
  return "";
}

}  // namespace tetrarch::npu
