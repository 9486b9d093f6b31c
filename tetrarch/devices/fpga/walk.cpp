#include "tetrarch/devices/fpga/walk.h"

#include <algorithm>
#include <cstring>

namespace tetrarch::fpga {

Odometer::Odometer(std::vector<int64_t> extents) : extents_(std::move(extents)), digits_(extents_.size()) {
  for (const int64_t extent : extents_) size_ *= extent;
}

void Odometer::moveTo(int64_t iteration) {
  at_ = iteration;
  for (size_t i = extents_.size(); i-- > 0;) {
    digits_[i] = iteration % extents_[i];
    iteration /= extents_[i];
  }
}

void Odometer::levels(size_t count, uint8_t* out) const {
  if (extents_.empty()) {
    std::memset(out, 0, count);
    return;
  }
  const size_t inner = extents_.size() - 1;
  std::vector<int64_t> digits = digits_;
  for (size_t i = 0; i < count;) {
    // Up to the innermost loop's end.
    const auto run = std::min(count - i, static_cast<size_t>(extents_[inner] - digits[inner]));
    std::memset(out + i, static_cast<int>(inner), run);
    i += run;
    digits[inner] += static_cast<int64_t>(run);
    if (digits[inner] < extents_[inner]) return;
    size_t level = inner;
    while (digits[level] == extents_[level] && level > 0) {
      digits[level] = 0;
      ++digits[--level];
    }
    out[i - 1] = static_cast<uint8_t>(level);
  }
}

Walker::Walker(const std::vector<int64_t>& extents, int64_t first, const std::vector<int64_t>& strides)
    : steps_(std::max<size_t>(extents.size(), 1)),
      first_(static_cast<uint64_t>(first)),
      value_(static_cast<uint64_t>(first)) {
  uint64_t back = 0;  // what the loops inside go back when they begin again
  for (size_t i = extents.size(); i-- > 0;) {
    const auto stride = static_cast<uint64_t>(strides[i]);
    steps_[i] = stride - back;
    back += static_cast<uint64_t>(extents[i] - 1) * stride;
  }
}

uint64_t Walker::go(size_t count, const uint8_t* levels, uint64_t mask, uint64_t* out) const {
  uint64_t value = value_;
  for (size_t i = 0; i < count; ++i) {
    out[i] = value & mask;
    value += steps_[levels[i]];
  }
  return value;
}

}  // namespace tetrarch::fpga
