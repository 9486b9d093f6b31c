#include "tetrarch/import/onnx/windows.h"

#include <algorithm>

namespace tetrarch::onnx {
namespace {

// Sizes beyond any tensor, so that the arithmetic on them cannot overflow.
constexpr int64_t kLargest = INT32_MAX, kLargestCount = int64_t{1} << 40;

bool allWithin(const Shape& values, int64_t low) {
  return std::ranges::all_of(values, [&](int64_t v) { return v >= low && v <= kLargest; });
}

int64_t reach(const Window& window, size_t i) { return (window.size[i] - 1) * window.dilations[i] + 1; }

// SAME_*: as many positions as strides fit into the input.
void padToSame(Window& window, Value x, bool upper) {
  for (size_t i = 0; i < window.size.size(); ++i) {
    const int64_t in = dimOf(x, static_cast<int64_t>(i) + 2), stride = window.strides[i];
    const int64_t out = (in + stride - 1) / stride;
    const int64_t total = std::max<int64_t>((out - 1) * stride + reach(window, i) - in, 0);
    window.pad_low[i] = upper ? total / 2 : total - total / 2;
    window.pad_high[i] = total - window.pad_low[i];
  }
}

// ceil_mode: a last window that begins inside the input or its low padding counts though it does not end
// there.
void padToCeil(Window& window, Value x) {
  for (size_t i = 0; i < window.size.size(); ++i) {
    const int64_t in = dimOf(x, static_cast<int64_t>(i) + 2), stride = window.strides[i];
    const int64_t room = in + window.pad_low[i] + window.pad_high[i] - reach(window, i);
    if (room < 0) continue;
    int64_t out = (room + stride - 1) / stride + 1;
    if ((out - 1) * stride >= in + window.pad_low[i]) --out;
    window.pad_high[i] = (out - 1) * stride + reach(window, i) - in - window.pad_low[i];
  }
}

// What the windows slide over is made in full by some devices, so it is held to the size of any value.
bool paddedIsReasonable(const Window& window, Value x) {
  Shape padded(shapeOf(x));
  for (size_t i = 0; i < window.size.size(); ++i) padded[i + 2] += window.pad_low[i] + window.pad_high[i];
  const auto count = elementCount(padded);
  return count.has_value() && *count <= kLargestCount;
}

}  // namespace

int64_t windowPositions(const Window& window, Value x, size_t i) {
  const int64_t room =
      dimOf(x, static_cast<int64_t>(i) + 2) + window.pad_low[i] + window.pad_high[i] - reach(window, i);
  return room < 0 ? 0 : room / window.strides[i] + 1;
}

Window readWindow(OpContext& n, Value x, Shape kernel) {
  const size_t spatial = kernel.size();
  Window window{kernel, n.getInts("strides", Shape(spatial, 1)), n.getInts("dilations", Shape(spatial, 1)),
                Shape(spatial, 0), Shape(spatial, 0)};
  const Shape pads = n.getInts("pads", Shape(2 * spatial, 0));
  const std::string mode = n.getString("auto_pad", "NOTSET");
  if (rankOf(x) != static_cast<int64_t>(spatial) + 2 || spatial == 0) {
    n.refuse("its input has {} dimensions, its kernel {}", rankOf(x), spatial);
    return {};
  }
  if (window.strides.size() != spatial || window.dilations.size() != spatial || pads.size() != 2 * spatial ||
      !allWithin(window.size, 1) || !allWithin(window.strides, 1) || !allWithin(window.dilations, 1) ||
      !allWithin(pads, 0)) {
    n.refuse("its kernel, strides, dilations and pads do not fit its input");
    return {};
  }
  if (mode == "SAME_UPPER" || mode == "SAME_LOWER") {
    padToSame(window, x, mode == "SAME_UPPER");
  } else if (mode == "NOTSET") {
    std::copy_n(pads.begin(), spatial, window.pad_low.begin());
    std::copy_n(pads.begin() + static_cast<int64_t>(spatial), spatial, window.pad_high.begin());
  } else if (mode != "VALID") {
    n.refuse("auto_pad '{}' is not known", mode);
    return {};
  }
  if (n.getInt("ceil_mode")) padToCeil(window, x);
  if (!paddedIsReasonable(window, x)) {
    n.refuse("its input with padding is too large");
    return {};
  }
  return window;
}

}  // namespace tetrarch::onnx
