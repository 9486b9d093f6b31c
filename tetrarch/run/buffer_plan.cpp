#include "tetrarch/run/buffer_plan.h"

#include <algorithm>
#include <numeric>

namespace tetrarch::run {
namespace {

constexpr uint64_t kMaxBytes = uint64_t{1} << 62;

struct Taken {
  uint64_t begin, end;
};

// The offset of the smallest gap between `taken` (sorted by begin, may overlap) that holds `bytes`; else
// behind all.
uint64_t tightestGap(const std::vector<Taken>& taken, uint64_t bytes) {
  uint64_t end = 0, best = UINT64_MAX, best_gap = UINT64_MAX;
  for (const Taken& t : taken) {
    if (t.begin > end && t.begin - end >= bytes && t.begin - end < best_gap)
      best = end, best_gap = t.begin - end;
    end = std::max(end, t.end);
  }
  return best == UINT64_MAX ? end : best;
}

}  // namespace

Result<BufferPlan> planBuffers(std::span<const uint64_t> bytes, uint64_t alignment,
                               const std::function<bool(size_t, size_t)>& conflict) {
  // Rounded up, every offset below is a sum of multiples of the alignment.
  std::vector<uint64_t> rounded(bytes.size());
  uint64_t sum = 0;
  for (size_t i = 0; i < bytes.size(); ++i) {
    if (bytes[i] > kMaxBytes)
      return fail(StatusCode::kResourceExhausted, "a tensor of {} bytes is too large", bytes[i]);
    rounded[i] = (bytes[i] + alignment - 1) / alignment * alignment;
    sum += rounded[i];
    if (sum > kMaxBytes) return fail(StatusCode::kResourceExhausted, "the tensors together are too large");
  }
  std::vector<size_t> order(bytes.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(),
            [&](size_t a, size_t b) { return rounded[a] != rounded[b] ? rounded[a] > rounded[b] : a < b; });

  BufferPlan plan{std::vector<uint64_t>(bytes.size(), 0), 0};
  std::vector<Taken> taken;
  for (size_t n = 0; n < order.size(); ++n) {
    size_t i = order[n];
    taken.clear();
    for (size_t m = 0; m < n; ++m) {
      size_t j = order[m];
      if (conflict(i, j)) taken.push_back({plan.offsets[j], plan.offsets[j] + rounded[j]});
    }
    std::sort(taken.begin(), taken.end(), [](const Taken& a, const Taken& b) { return a.begin < b.begin; });
    plan.offsets[i] = tightestGap(taken, rounded[i]);
    plan.bytes = std::max(plan.bytes, plan.offsets[i] + rounded[i]);
  }
  return plan;
}

}  // namespace tetrarch::run
