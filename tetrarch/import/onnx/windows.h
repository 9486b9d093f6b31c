// Kernel, strides, dilations and padding of convolutions and pools, from a node's attributes.
#pragma once

#include "tetrarch/import/onnx/op_context.h"

namespace tetrarch::onnx {

// The window of `kernel` that slides over the dimensions of x from the third on. Resolves auto_pad, and
// ceil_mode by more padding at the high end. Sets the sticky error (and returns an empty window) when sizes
// do not fit or make no sense.
Window readWindow(OpContext& n, Value x, Shape kernel);

// How many positions the window has along spatial dimension i of x.
int64_t windowPositions(const Window& window, Value x, size_t i);

}  // namespace tetrarch::onnx
