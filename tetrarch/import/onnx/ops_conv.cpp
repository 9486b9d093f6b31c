// Convolutions.
#include <algorithm>

#include "tetrarch/import/compositions.h"
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
// in i32, of scale x's times w's.
Status importQLinearConv(OpContext& n) {
  auto scalar = [&](int i) { return n.b.reshape(n.in(i), {}); };
  // One number for all, or one an output channel.
  auto perChannel = [&](int i) { return countOf(n.in(i)) == 1 ? scalar(i) : n.in(i); };
  const Value x = dequantize(n.b, n.in(0), scalar(1), scalar(2), 0);
  const Value w = dequantize(n.b, n.in(3), perChannel(4), perChannel(5), 0);
  const Window window = readWindow(n, x, kernelOf(n, w));
  TET_RETURN_IF_ERROR(n.b.status());
  Value y = n.b.convolution(x, w, window, Shape(window.size.size(), 1), n.getInt("group", 1));
  if (n.has(8)) {
    const Value scale = n.b.mul(scalar(1), perChannel(4));
    y = addBias(n.b, y,
                dequantize(n.b, n.in(8), scale, n.b.like(n.b.convert(scale, ElementType::I32), 0), 0));
  }
  return n.result(quantize(n.b, y, scalar(6), scalar(7), 0));
}

// Inputs: x [n, c, length], w [c, 1, kernel], bias, past state [n, c, kernel - 1]. Each element sees those
// before it; the last ones are the next call's past.
Status importCausalConvWithState(OpContext& n) {
  GraphBuilder& b = n.b;
  const Value x = n.in(0), w = n.in(1);
  const int64_t channels = dimOf(x, 1), kernel = dimOf(w, 2);
  if (rankOf(x) != 3 || rankOf(w) != 3 || dimOf(w, 0) != channels || dimOf(w, 1) != 1 || kernel < 1 ||
      channels < 1) {
    return invalidArgument("its weights do not fit its input");
  }
  const std::string activation = n.getString("activation", "none");
  if (activation != "none" && activation != "silu" && activation != "swish")
    return n.decline("activation '{}' is not known", activation);
  const Shape shape = {dimOf(x, 0), channels, kernel - 1};
  const Value past = n.has(3) ? n.in(3) : b.full(typeOf(x), shape, 0);
  if (shapeOf(past) != llvm::ArrayRef(shape)) return invalidArgument("its past state does not fit");
  const Value all = b.concat({past, x}, 2);
  Value y = b.convolution(all, w, {{kernel}, {1}, {1}, {0}, {0}}, {1}, channels);
  if (n.has(2)) y = addBias(b, y, n.in(2));
  if (activation != "none") y = swish(b, y, 1);
  return n.results({y, b.sliceAxis(all, 2, dimOf(x, 2), dimOf(all, 2))});
}

namespace {

constexpr int64_t kLargestTable = 1 << 24;  // of where the elements of columns go

// For each kernel element and position, the flat element of a picture of `sizes`; their number where it is
// outside.
Result<Tensor> columnTargets(const Window& window, const Shape& positions, const Shape& sizes) {
  Shape shape = window.size;
  shape.insert(shape.end(), positions.begin(), positions.end());
  const auto count = elementCount(shape), elements = elementCount(sizes);
  if (!count.has_value() || *count > kLargestTable || !elements.has_value())
    return unimplemented("columns of {} elements", toString(ElementType::I64, shape));
  TET_ASSIGN_OR_RETURN(Tensor targets, Tensor::create(ElementType::I64, {*count}));
  Shape at(shape.size(), 0);
  for (int64_t i = 0; i < *count; ++i) {
    int64_t target = 0;
    bool inside = true;
    for (size_t d = 0; d < sizes.size(); ++d) {
      const int64_t x =
          at[sizes.size() + d] * window.strides[d] + at[d] * window.dilations[d] - window.pad_low[d];
      inside = inside && x >= 0 && x < sizes[d];
      target = target * sizes[d] + x;
    }
    targets.setInt(i, inside ? target : *elements);
    for (size_t d = shape.size(); d-- > 0 && ++at[d] == shape[d];) at[d] = 0;
  }
  return targets;
}

}  // namespace

// Inputs: columns [n, c * kernel elements, positions], the picture's sizes, the kernel's. Each column is
// added to the picture where its window lies.
Status importCol2Im(OpContext& n) {
  GraphBuilder& b = n.b;
  TET_ASSIGN_OR_RETURN(const Shape sizes, n.constantInts(1, "the picture's size"));
  TET_ASSIGN_OR_RETURN(const Shape kernel, n.constantInts(2, "the block's size"));
  Value x = n.in(0);
  if (sizes.size() != kernel.size() || rankOf(x) != 3 ||
      std::ranges::any_of(sizes, [](int64_t s) { return s < 1 || s > INT32_MAX; })) {
    return invalidArgument("its picture and block do not fit its input");
  }
  // The windows are those of a picture of that size.
  Shape picture = {dimOf(x, 0), 1};
  picture.insert(picture.end(), sizes.begin(), sizes.end());
  const Value like = b.full(ElementType::I8, picture, 0);
  const Window window = readWindow(n, like, kernel);
  TET_RETURN_IF_ERROR(b.status());
  Shape positions;
  for (size_t d = 0; d < sizes.size(); ++d) positions.push_back(windowPositions(window, like, d));
  TET_ASSIGN_OR_RETURN(const Tensor targets, columnTargets(window, positions, sizes));
  const auto elements = elementCount(kernel);
  const auto places = elementCount(positions);
  if (!elements.has_value() || !places.has_value() || dimOf(x, 1) % *elements != 0 || dimOf(x, 2) != *places)
    return invalidArgument("its columns do not fit its picture and block");
  picture[1] = dimOf(x, 1) / *elements;
  // Pictures along the rows of a matrix, and one row beyond for what falls outside.
  const int64_t pictures = picture[0] * picture[1];
  TET_ASSIGN_OR_RETURN(const int64_t size, elementCount(sizes));
  const Value columns = b.transpose(b.reshape(x, {pictures, targets.count()}), {1, 0});
  const Value sum = b.scatterNd(tet::ReductionKind::Add, b.full(typeOf(x), {size + 1, pictures}, 0),
                                b.reshape(b.constant(targets), {targets.count(), 1}), columns);
  return n.result(b.reshape(b.transpose(b.sliceAxis(sum, 0, 0, size), {1, 0}), picture));
}

}  // namespace tetrarch::onnx
