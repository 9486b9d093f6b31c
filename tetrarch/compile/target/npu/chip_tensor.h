// A tensor of bytes that stays on the chip between the task that computes it and those that read it.
#pragma once

#include <algorithm>
#include <cstdint>

namespace tetrarch::npu {

// In the scratchpad, blocks of S channels one after the other, each a plane of `lines` x `pixels` with room
// for the padding of whoever reads it. A row is S channels of one pixel.
struct ChipTensor {
  int64_t lines = 1, pixels = 1, channels = 1;
  int64_t above = 0, below = 0, left = 0, right = 0;  // lines and pixels of padding
  int64_t padding = 0;                                // its value
  int64_t row = 0;                                    // the first one

  int64_t pitch() const { return left + pixels + right; }  // rows from one line to the next
  int64_t blockRows() const { return (above + lines + below) * pitch(); }
  int64_t blocks(int64_t side) const { return (channels + side - 1) / side; }
  int64_t rows(int64_t side) const { return blocks(side) * blockRows(); }
  bool isPadded() const { return above + below + left + right > 0; }
  // Lines and pixels from -above and -left on.
  int64_t at(int64_t block, int64_t line, int64_t pixel) const {
    return row + block * blockRows() + (line + above) * pitch() + left + pixel;
  }

  // Whether one place can serve a reader that wants it like `other`; widens it so that it does.
  bool join(const ChipTensor& other) {
    if (lines != other.lines || pixels != other.pixels || channels != other.channels) return false;
    if (isPadded() && other.isPadded() && padding != other.padding) return false;
    if (other.isPadded()) padding = other.padding;
    above = std::max(above, other.above), below = std::max(below, other.below);
    left = std::max(left, other.left), right = std::max(right, other.right);
    return true;
  }
};

}  // namespace tetrarch::npu
