// Maxima and sums over windows of a plane, channel by channel, by the vector unit's folds: first along the
// lines, then across them.
#pragma once

#include <optional>
#include <vector>

#include "tetrarch/compile/target/npu/contraction.h"

namespace tetrarch::npu {

// Addresses and strides in bytes. Of the epilogue: no second addend, no table; maxima have none at all.
struct Pool {
  Axis h, w;
  int64_t channels = 1;       // side by side in input and output
  int64_t padding = 0;        // the value; of each byte
  int64_t input_element = 1;  // bytes: 4 only of sums
  bool sums = false;          // else maxima

  int64_t input = 0, input_h = 0, input_w = 0;  // strides of one index of `in`
  int64_t output = 0, output_h = 0, output_w = 0;
  std::vector<OuterLoop> outer;  // outermost first
  Epilogue epilogue;
  bool same_parameters = false;  // one pair of rows is all channels' parameters

  bool requantizes() const { return sums && epilogue.kind == Epilogue::Kind::Requantize; }
  int64_t outputElementBytes() const { return sums && !requantizes() ? 4 : 1; }
};

// How pooling is cut. A step is `lines` x `pixels` outputs of `blocks` times S channels, or fewer at the
// ends. A line of them takes `pitch` rows, the inputs below it `pitch` * w.stride: so that one fold goes on
// from line to line. What it makes of the rows between two lines is not stored.
struct PoolPlan {
  Pool work;
  int64_t lines = 1, pixels = 1, blocks = 1;
  int64_t all_blocks = 1;

  int64_t pitch() const { return (work.w.span(pixels) + work.w.stride - 1) / work.w.stride; }
  int64_t inputLines() const { return work.h.span(lines); }
  int64_t inputPitch() const { return pitch() * work.w.stride; }
  // Of one block of channels; the last fold along a line may reach behind it.
  int64_t inputRows() const { return inputLines() * inputPitch() + (work.w.taps - 1) * work.w.dilation; }
  int64_t outputRows() const { return lines * pitch(); }
  int64_t groups() const { return (all_blocks + blocks - 1) / blocks; }
  int64_t lineTiles() const { return (work.h.out + lines - 1) / lines; }
  int64_t pixelTiles() const { return (work.w.out + pixels - 1) / pixels; }
  int64_t steps() const;
};

// Unimplemented when no step fits into the memories.
Result<PoolPlan> planPool(const Config& config, const Pool& pool);

// Adds steps [begin, end) to a stream that has nothing before, in the order outer loops, channels, lines,
// pixels.
void emitPool(const Config& config, const PoolPlan& plan, int64_t begin, int64_t end, StreamBuilder& builder);

}  // namespace tetrarch::npu
