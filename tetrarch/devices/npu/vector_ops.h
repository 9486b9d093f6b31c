// The vector unit of the functional model: one VOP over its rows.
#pragma once

#include <cstdint>

#include "tetrarch/devices/npu/state.h"

namespace tetrarch::npu {

// x / 2^shift to the nearest integer, ties to even; 0 <= shift <= 63.
constexpr int64_t roundShift(int64_t x, int64_t shift) {
  if (shift == 0) return x;
  const int64_t floor = x >> shift;
  const uint64_t rest = static_cast<uint64_t>(x) & ((uint64_t{1} << shift) - 1);
  const uint64_t half = uint64_t{1} << (shift - 1);
  return floor + static_cast<int64_t>(rest > half || (rest == half && (floor & 1) != 0));
}

// REQUIRES: checkFields() has nothing against `vop`.
void runVectorOp(const Config& config, State& state, const Vop& vop);

}  // namespace tetrarch::npu
