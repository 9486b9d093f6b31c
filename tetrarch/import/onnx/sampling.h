// Reading a picture between its elements, at positions that the network computes.
//
// A sample is a weighted sum of a few elements. Along each axis it has taps, each an element's index and its
// weight; a tap of the sample is one of each axis, and its weight their product.
#pragma once

#include <string_view>

#include "tetrarch/import/graph_builder.h"

namespace tetrarch::onnx {

enum class Outside { Zeros, Border, Reflection };  // what lies beyond the elements
enum class Interpolation { Nearest, Linear, Cubic };

// One axis of the picture: elements 0 … size-1, and between where reflection turns round.
struct SampledAxis {
  int64_t size;
  double low, high;
};

struct Tap {
  Value index;   // i64, inside of the axis
  Value weight;  // f32; null for 1
};
using Taps = llvm::SmallVector<Tap, 4>;

// The taps of one axis at `position`, f32 in units of elements.
Taps tapsAt(GraphBuilder& b, Value position, const SampledAxis& axis, Interpolation interpolation,
            Outside outside);

// The taps of one axis where positions beyond an element's width yield nothing, and those within it the
// border's element (RoiAlign).
Taps borderTaps(GraphBuilder& b, Value position, int64_t size);

// x of [n, c, sizes…] as rows of channels, [n * elements, c].
Value rowsOfChannels(GraphBuilder& b, Value x);

// Calls `visit` with the elements (positions of `axes`…, channels) and weights (positions, or null) of each
// tap of a sample. `first` is the row at which each sample's picture begins, of the positions' shape; `axes`
// and `sizes` are those of the picture, outer to inner.
void forEachTap(GraphBuilder& b, Value rows, Value first, llvm::ArrayRef<Taps> axes,
                llvm::ArrayRef<int64_t> sizes, llvm::function_ref<void(Value elements, Value weight)> visit);

// elements * weight, which has one number for all channels.
Value weighted(GraphBuilder& b, Value elements, Value weight);

// The samples: sums over the taps, [positions…, channels].
Value sample(GraphBuilder& b, Value rows, Value first, llvm::ArrayRef<Taps> axes,
             llvm::ArrayRef<int64_t> sizes);

}  // namespace tetrarch::onnx
