// Windows over an image that comes once: each element is popped when its turn is, and what was popped before
// is there as delays, a line of the image for a row of the window.
#pragma once

#include "tetrarch/compile/target/fpga/stage_loops.h"

namespace tetrarch::fpga {

// Places of a window: more would be more hardware than is worth an iteration a pixel.
inline constexpr int64_t kMostTaps = 64;

// What a stage reads of one buffer, at places that differ from copy to copy and from operand to operand.
struct SlidingWindow {
  unsigned buffer = 0;
  std::vector<int64_t> taps;     // offsets in the buffer, each once
  std::vector<int64_t> strides;  // one a dim of the loops
  std::vector<int64_t> first;    // along each dim, of the first element that comes: in strides of the dim
  std::vector<int64_t> reach;    // along each dim, from the first tap to the last
  int64_t rest = 0;              // of the offsets, beyond all strides

  // Along each dim, where a tap lies behind the first one.
  std::vector<int64_t> placeOf(int64_t tap) const;
};

// The windows of a stage whose copies are chosen; none when a buffer is read in another way than in the order
// of the loops.
std::vector<SlidingWindow> findWindows(const StageLoops& loops, const compile::TileNestPlan& plan);

// The part of an image that comes along a dim of the loops.
struct ImageRange {
  int64_t from = 0, to = 0;  // places, counted from the first tap of the first window
  int64_t place = 0;         // of that tap, in the source
  int64_t stride = 0;        // of the dim, in the source
};
ImageRange imageRange(const SlidingWindow& window, const StageLoops& loops, const compile::TileNestPlan& plan,
                      size_t dim);

// Unrolls the loops over windows and lets the others begin so much earlier that the first window is whole
// when it is needed. False, and nothing is changed, when nothing slides.
bool slide(StageLoops& loops, const compile::TileNestPlan& plan);

}  // namespace tetrarch::fpga
