// Fourier transforms as products with a constant matrix, and the tables of signal processing.
#include <algorithm>
#include <cmath>
#include <functional>

#include "tetrarch/import/compositions.h"
#include "tetrarch/import/onnx/importer.h"
#include "tetrarch/import/onnx/op_context.h"

namespace tetrarch::onnx {
namespace {

constexpr int64_t kLargestMatrix = 1 << 24;  // or table, in elements; a transform of 2048 complex numbers

struct Transform {
  int64_t length;          // of the whole transform
  int64_t in_parts;        // 1: real numbers go in, 2: complex ones
  bool inverse, onesided;  // with both, real numbers come out
  int64_t taken() const { return inverse && onesided ? length / 2 + 1 : length; }
  int64_t made() const { return onesided && !inverse ? length / 2 + 1 : length; }
  int64_t outParts() const { return inverse && onesided ? 1 : 2; }
};

// How part `from` of number `t` enters part `to` of number `k`: parts of e^(∓2πi kt / length).
double coefficient(const Transform& f, int64_t t, int64_t from, int64_t k, int64_t to) {
  const double angle = 2 * M_PI * static_cast<double>(k * t % f.length) / static_cast<double>(f.length);
  const double sine = f.inverse ? std::sin(angle) : -std::sin(angle);
  double value = from == to ? std::cos(angle) : from == 0 ? sine : -sine;
  if (f.inverse) value /= static_cast<double>(f.length);
  // A one-sided spectrum leaves out the mirror image of all but its ends.
  const bool mirrored = f.inverse && f.onesided && t > 0 && 2 * t < f.length;
  return mirrored ? 2 * value : value;
}

// [taken, in parts, made, out parts].
Result<Tensor> matrixOf(const Transform& f, ElementType type) {
  if (f.length < 1 || f.length > kLargestMatrix ||
      f.taken() * f.in_parts * f.made() * f.outParts() > kLargestMatrix) {
    return unimplemented("a transform of length {}", f.length);
  }
  TET_ASSIGN_OR_RETURN(Tensor matrix, Tensor::create(type, {f.taken(), f.in_parts, f.made(), f.outParts()}));
  int64_t at = 0;
  for (int64_t t = 0; t < f.taken(); ++t)
    for (int64_t from = 0; from < f.in_parts; ++from)
      for (int64_t k = 0; k < f.made(); ++k)
        for (int64_t to = 0; to < f.outParts(); ++to) matrix.setDouble(at++, coefficient(f, t, from, k, to));
  return matrix;
}

ElementType atLeastF32(ElementType type) { return byteSize(type) < 4 ? ElementType::F32 : type; }

// The first `length` numbers along an axis; zeros where there are fewer.
Value resizeAxis(GraphBuilder& b, Value x, int64_t axis, int64_t length) {
  if (dimOf(x, axis) >= length) return b.sliceAxis(x, axis, 0, length);
  Shape low(rankOf(x), 0), high(rankOf(x), 0);
  high[axis] = length - dimOf(x, axis);
  return b.pad(x, b.scalar(typeOf(x), 0), low, high);
}

Result<int64_t> constantScalar(OpContext& n, int i, std::string_view what) {
  TET_ASSIGN_OR_RETURN(const Shape values, n.constantInts(i, what));
  if (values.size() != 1) return invalidArgument("input {} is no scalar", i);
  return values[0];
}

}  // namespace

// Inputs: x [..., length, ..., 1 or 2 parts], the transform's length, the axis (an attribute in older
// opsets).
Status importDft(OpContext& n) {
  GraphBuilder& b = n.b;
  const Value x = n.in(0);
  const int64_t rank = rankOf(x), last = rank - 1, parts = dimOf(x, last);
  if (rank < 2 || (parts != 1 && parts != 2) || !isFloat(x))
    return invalidArgument("its input is {}", toString(typeOf(x), shapeOf(x)));
  int64_t axis = n.opset < 20 ? n.getInt("axis", 1) : -2;
  if (n.opset >= 20 && n.has(2)) {
    TET_ASSIGN_OR_RETURN(axis, constantScalar(n, 2, "the axis"));
  }
  axis = n.wrapAxis(axis, rank);
  Transform f{0, parts, n.getInt("inverse") != 0, n.getInt("onesided") != 0};
  TET_RETURN_IF_ERROR(b.status());
  if (axis == last) return invalidArgument("its axis is that of real and imaginary parts");
  f.length = f.inverse && f.onesided ? 2 * (dimOf(x, axis) - 1) : dimOf(x, axis);
  if (n.has(1)) {
    TET_ASSIGN_OR_RETURN(f.length, constantScalar(n, 1, "the length"));
  }
  if (f.onesided && !f.inverse && parts != 1) return n.decline("a one-sided transform of complex numbers");
  const ElementType wide = atLeastF32(typeOf(x));
  TET_ASSIGN_OR_RETURN(const Tensor matrix, matrixOf(f, wide));
  // The axis moves to the parts, so that one product serves both.
  const Value signal = resizeAxis(b, b.convert(x, wide), axis, f.taken());
  const Value product =
      b.dotGeneral(signal, b.constant(matrix), {}, {}, {axis, last}, {0, 1});  // […, made, parts]
  Shape order = range(rank - 2);
  order.insert(order.begin() + axis, last - 1);
  order.push_back(last);
  return n.result(b.convert(b.transpose(product, order), typeOf(x)));
}

// Inputs: signal [n, length, 1 or 2 parts], step, window [frame], frame length. A convolution with the
// transform of a windowed frame, by steps.
Status importStft(OpContext& n) {
  GraphBuilder& b = n.b;
  const Value x = n.in(0);
  const int64_t parts = dimOf(x, 2);
  if (rankOf(x) != 3 || (parts != 1 && parts != 2) || !isFloat(x))
    return invalidArgument("its signal is {}", toString(typeOf(x), shapeOf(x)));
  TET_ASSIGN_OR_RETURN(const int64_t step, constantScalar(n, 1, "how many frames there are"));
  int64_t frame = n.has(2) ? dimOf(n.in(2), 0) : dimOf(x, 1);
  if (n.has(3)) {
    TET_ASSIGN_OR_RETURN(frame, constantScalar(n, 3, "the length of a frame"));
  }
  if (step < 1 || step > INT32_MAX || frame < 1 || frame > dimOf(x, 1) ||
      (n.has(2) && shapeOf(n.in(2)) != llvm::ArrayRef(Shape{frame}))) {
    return invalidArgument("its step, frame length {} and window do not fit its signal", frame);
  }
  const Transform f{frame, parts, false, n.getInt("onesided", 1) != 0};
  if (f.onesided && parts != 1) return n.decline("a one-sided transform of complex numbers");
  const ElementType wide = atLeastF32(typeOf(x));
  TET_ASSIGN_OR_RETURN(const Tensor matrix, matrixOf(f, wide));
  Value kernel = b.reshape(b.transpose(b.constant(matrix), {2, 3, 1, 0}), {f.made() * 2, parts, frame});
  if (n.has(2)) kernel = b.mul(kernel, b.convert(n.in(2), wide));
  const Window window{{frame}, {step}, {1}, {0}, {0}};
  const Value signal = b.transpose(b.convert(x, wide), {0, 2, 1});
  const Value y = b.convolution(signal, kernel, window, {1}, 1);  // [n, numbers * 2, frames]
  const Value split = b.reshape(y, {dimOf(y, 0), f.made(), 2, dimOf(y, 2)});
  return n.result(b.convert(b.transpose(split, {0, 3, 1, 2}), typeOf(x)));
}

//-- Windows

namespace {

Result<ElementType> outputType(OpContext& n) {
  return elementTypeOf(static_cast<int>(n.getInt("output_datatype", 1)));
}

// A table of `count` numbers, a function of the position.
Status importTable(OpContext& n, const Shape& shape, llvm::function_ref<double(int64_t)> at) {
  TET_ASSIGN_OR_RETURN(const ElementType type, outputType(n));
  TET_RETURN_IF_ERROR(n.b.status());
  const auto count = elementCount(shape);
  if (!count.has_value() || *count > kLargestMatrix) return invalidArgument("its size is not usable");
  TET_ASSIGN_OR_RETURN(Tensor table, Tensor::create(type, shape));
  for (int64_t i = 0; i < table.count(); ++i) table.setDouble(i, at(i));
  return n.result(n.b.constant(table));
}

// Weights of 1, cos φ and cos 2φ, where φ goes round once.
Status importWindow(OpContext& n, double constant, double once, double twice) {
  TET_ASSIGN_OR_RETURN(const int64_t size, constantScalar(n, 0, "the length"));
  if (size < 0) return invalidArgument("its length is {}", size);
  const double round = static_cast<double>(n.getInt("periodic", 1) ? size : std::max<int64_t>(size - 1, 1));
  return importTable(n, {size}, [&](int64_t i) {
    const double phase = 2 * M_PI * static_cast<double>(i) / round;
    return constant + once * std::cos(phase) + twice * std::cos(2 * phase);
  });
}

}  // namespace

Status importHannWindow(OpContext& n) { return importWindow(n, 0.5, -0.5, 0); }
Status importHammingWindow(OpContext& n) { return importWindow(n, 25.0 / 46, -21.0 / 46, 0); }
Status importBlackmanWindow(OpContext& n) { return importWindow(n, 0.42, -0.5, 0.08); }

// Inputs: number of bands, the transform's length, samples a second, lowest and highest frequency. Triangles
// that overlap by half, equally wide in mel.
Status importMelWeightMatrix(OpContext& n) {
  double in[5];
  for (int i = 0; i < 5; ++i) {
    TET_ASSIGN_OR_RETURN(const Tensor tensor, n.constant(i, "the matrix"));
    if (tensor.count() != 1) return invalidArgument("input {} is no scalar", i);
    in[i] = tensor.getDouble(0);
  }
  const auto [bands, length, rate, lowest, highest] = in;
  if (!(bands >= 1 && bands <= kLargestMatrix && length >= 1 && length <= kLargestMatrix && rate > 0 &&
        lowest >= 0 && highest >= lowest && std::isfinite(highest))) {
    return invalidArgument("its bands, lengths or frequencies are not usable");
  }
  const int64_t columns = static_cast<int64_t>(bands), rows = static_cast<int64_t>(length) / 2 + 1;
  auto mel = [](double hertz) { return 2595 * std::log10(1 + hertz / 700); };
  const double step = (mel(highest) - mel(lowest)) / (bands + 2);
  std::vector<double> edges;  // as numbers of the spectrum
  for (int64_t i = 0; i < columns + 2; ++i) {
    const double hertz = 700 * (std::pow(10, (mel(lowest) + static_cast<double>(i) * step) / 2595) - 1);
    edges.push_back(std::floor((length + 1) * hertz / rate));
  }
  return importTable(n, {rows, columns}, [&](int64_t i) {
    const double at = static_cast<double>(i / columns);
    const double low = edges[i % columns], centre = edges[i % columns + 1], high = edges[i % columns + 2];
    if (at == centre) return 1.0;
    if (at <= low || at >= high) return 0.0;
    return at < centre ? (at - low) / (centre - low) : (high - at) / (high - centre);
  });
}

}  // namespace tetrarch::onnx
