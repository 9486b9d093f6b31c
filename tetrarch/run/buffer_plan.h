// Where tensors lie in one arena so that those that are never alive together share bytes. A pure function.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "tetrarch/base/status.h"

namespace tetrarch::run {

struct BufferPlan {
  std::vector<uint64_t> offsets;  // by buffer, multiples of the alignment
  uint64_t bytes = 0;             // of the arena
};

// `conflict(i, j)` says that buffers i and j must not overlap; it is symmetric and is asked for i != j only.
// Largest first, each into the tightest gap that its conflicts leave, which is within a few percent of the
// lower bound for networks. Deterministic. ResourceExhausted when the sum does not fit 2^62 bytes.
Result<BufferPlan> planBuffers(std::span<const uint64_t> bytes, uint64_t alignment,
                               const std::function<bool(size_t, size_t)>& conflict);

}  // namespace tetrarch::run
