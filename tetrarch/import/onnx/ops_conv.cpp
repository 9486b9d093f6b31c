// Convolutions.
#include <algorithm>

#include "tetrarch/import/onnx/importer.h"
#include "tetrarch/import/onnx/op_context.h"
#include "tetrarch/import/onnx/windows.h"

namespace tetrarch::onnx {
namespace {

// The kernel's spatial sizes: those of the weights; the attribute, when there, must say the same.
Shape kernelOf(OpContext& n, Value w) {
  const Shape kernel(shapeOf(w).drop_front(std::min<size_t>(2, shapeOf(w).size())));
  if (n.getInts("kernel_shape", kernel) != kernel) n.refuse("kernel_shape is not that of the weights");
  return kernel;
}

Value addBias(GraphBuilder& b, Value y, Value bias) {
  return b.add(y, b.broadcastInDim(bias, shapeOf(y), {1}));
}

// [c, m/g, k…] as the transposed operator has it, to [m, c/g, k…] with each kernel mirrored.
Value transposeKernel(GraphBuilder& b, Value w, int64_t groups) {
  const int64_t rank = rankOf(w), in = dimOf(w, 0), out = dimOf(w, 1);
  Shape spatial = range(rank), split = {groups, in / groups, out}, merged = {groups * out, in / groups};
  spatial.erase(spatial.begin(), spatial.begin() + 2);
  for (const int64_t d : spatial) {
    split.push_back(dimOf(w, d));
    merged.push_back(dimOf(w, d));
  }
  Shape order = range(rank + 1);
  std::swap(order[1], order[2]);
  return b.reverse(b.reshape(b.transpose(b.reshape(w, split), order), merged), spatial);
}

// Padding of the transposed operator so that its result has `output_shape`, or `auto_pad` wants stride times
// the input.
void resolveOutputShape(OpContext& n, Value x, Window& window, const Shape& output_padding) {
  const std::string mode = n.getString("auto_pad", "NOTSET");
  const size_t spatial = window.size.size();
  Shape wanted = n.getInts("output_shape");
  if (wanted.size() == spatial + 2) wanted.erase(wanted.begin(), wanted.begin() + 2);
  if (wanted.empty() && mode != "SAME_UPPER" && mode != "SAME_LOWER") return;
  for (size_t i = 0; i < spatial; ++i) {
    const int64_t in = dimOf(x, static_cast<int64_t>(i) + 2),
                  reach = (window.size[i] - 1) * window.dilations[i] + 1;
    if (wanted.size() < spatial) wanted.push_back(in * window.strides[i]);
    const int64_t total = window.strides[i] * (in - 1) + output_padding[i] + reach - wanted[i];
    // What is wanted beyond the full result (a negative total) lies at its end.
    window.pad_low[i] = total < 0 ? 0 : mode == "SAME_UPPER" ? total / 2 : total - total / 2;
    window.pad_high[i] = total - window.pad_low[i];
  }
}

// x with its zero point subtracted, in i32; the zero point is one or one per index of `axis`.
Value centre(OpContext& n, Value x, int zero_point, int64_t axis) {
  const Value wide = n.b.convert(x, ElementType::I32);
  if (!n.has(zero_point)) return wide;
  const Value zero = n.b.convert(n.in(zero_point), ElementType::I32);
  if (countOf(zero) == 1) return n.b.sub(wide, n.b.reshape(zero, {}));
  return n.b.sub(wide, n.b.broadcastInDim(zero, shapeOf(x), {axis}));
}

}  // namespace

Status importConv(OpContext& n) {
  const Value x = n.in(0), w = n.in(1);
  const Window window = readWindow(n, x, kernelOf(n, w));
  TET_RETURN_IF_ERROR(n.b.status());
  Value y = n.b.convolution(x, w, window, Shape(window.size.size(), 1), n.getInt("group", 1));
  if (n.has(2)) y = addBias(n.b, y, n.in(2));
  return n.result(y);
}

Status importConvTranspose(OpContext& n) {
  const Value x = n.in(0), w = n.in(1);
  const int64_t groups = n.getInt("group", 1);
  Window window = readWindow(n, x, kernelOf(n, w));
  const size_t spatial = window.size.size();
  const Shape output_padding = n.getInts("output_padding", Shape(spatial, 0));
  if (groups < 1 || dimOf(w, 0) % groups != 0 || output_padding.size() != spatial) {
    return invalidArgument("its group or output_padding does not fit");
  }
  TET_RETURN_IF_ERROR(n.b.status());
  resolveOutputShape(n, x, window, output_padding);
  const Shape spread = window.strides;
  for (size_t i = 0; i < spatial; ++i) {
    const int64_t reach = (window.size[i] - 1) * window.dilations[i];
    window.pad_low[i] = reach - window.pad_low[i];
    window.pad_high[i] = reach - window.pad_high[i] + output_padding[i];
    window.strides[i] = 1;
  }
  Value y = n.b.convolution(x, transposeKernel(n.b, w, groups), window, spread, groups);
  if (n.has(2)) y = addBias(n.b, y, n.in(2));
  return n.result(y);
}

Status importConvInteger(OpContext& n) {
  const Value x = centre(n, n.in(0), 2, 1), w = centre(n, n.in(1), 3, 0);
  const Window window = readWindow(n, x, kernelOf(n, w));
  TET_RETURN_IF_ERROR(n.b.status());
  return n.result(n.b.convolution(x, w, window, Shape(window.size.size(), 1), n.getInt("group", 1)));
}

// Inputs: x, its scale and zero point, w, its scale and zero point, the result's scale and zero point, bias
// in i32.
Status importQLinearConv(OpContext& n) {
  const Value x = centre(n, n.in(0), 2, 1), w = centre(n, n.in(3), 5, 0);
  const Window window = readWindow(n, x, kernelOf(n, w));
  TET_RETURN_IF_ERROR(n.b.status());
  Value y = n.b.convolution(x, w, window, Shape(window.size.size(), 1), n.getInt("group", 1));
  if (n.has(8)) y = addBias(n.b, y, n.in(8));
  // One factor per output channel where the weights have one scale each.
  auto perChannel = [&](Value scale) {
    return countOf(scale) == 1 ? n.b.reshape(scale, {}) : n.b.broadcastInDim(scale, shapeOf(y), {1});
  };
  const Value factor =
      n.b.div(n.b.mul(n.b.reshape(n.in(1), {}), perChannel(n.in(4))), n.b.reshape(n.in(6), {}));
  const Value scaled = n.b.unary("round_nearest_even", n.b.mul(n.b.convert(y, ElementType::F32), factor));
  const ElementType type = typeOf(n.in(7));
  const bool is_signed = info(type).kind == ElementKind::Signed;
  const Value shifted = n.b.add(scaled, n.b.convert(n.b.reshape(n.in(7), {}), ElementType::F32));
  return n.result(n.b.convert(n.b.clamp(shifted, is_signed ? -128 : 0, is_signed ? 127 : 255), type));
}

}  // namespace tetrarch::onnx
