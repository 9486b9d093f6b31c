// Resize and its ancestor Upsample, one axis after the other. Sizes and scales are known at import, so each
// output element of an axis is a weighted sum of a few input elements whose numbers and weights are
// constants.
#include <algorithm>
#include <cmath>
#include <optional>

#include "tetrarch/import/onnx/importer.h"
#include "tetrarch/import/onnx/op_context.h"

namespace tetrarch::onnx {
namespace {

constexpr int64_t kGatheredTaps = 4;  // more are one product with a matrix
constexpr int64_t kLargestAxis = 1 << 20;
constexpr double kSmallestScale = 1e-3;  // of a filter, whose width is its inverse
constexpr int64_t kLargestMatrix = 1 << 24;

struct ResizeSpec {
  std::string mode, coordinates, nearest;
  double cubic_a = -0.75, extrapolation = 0;
  bool exclude_outside = false, antialias = false;
};

struct AxisSpec {
  int64_t axis, in, out;
  double scale, roi_start = 0, roi_end = 1;
};

// Input elements and weights of one output element.
struct Taps {
  Shape indices;
  std::vector<double> weights;
  bool outside = false;  // takes the extrapolation value
};

// The position in the input of element `x` of the output; nullopt when the mode is not known.
std::optional<double> sourcePosition(const ResizeSpec& spec, const AxisSpec& a, double x) {
  const double in = static_cast<double>(a.in), wide = a.scale * in;
  const std::string& mode = spec.coordinates;
  if (mode == "half_pixel") return (x + 0.5) / a.scale - 0.5;
  if (mode == "pytorch_half_pixel") return wide == 1 ? -0.5 : (x + 0.5) / a.scale - 0.5;
  if (mode == "asymmetric") return x / a.scale;
  if (mode == "align_corners") return wide == 1 ? 0 : x * (in - 1) / (wide - 1);
  if (mode == "half_pixel_symmetric") {
    return in / 2 * (1 - static_cast<double>(a.out) / wide) + (x + 0.5) / a.scale - 0.5;
  }
  if (mode == "tf_crop_and_resize") {
    const double span = (a.roi_end - a.roi_start) * (in - 1), start = a.roi_start * (in - 1);
    return wide == 1 ? span / 2 + start : x * span / (wide - 1) + start;
  }
  return std::nullopt;
}

double cubicWeight(double distance, double a) {
  const double x = std::fabs(distance);
  if (x <= 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? ((a * x - 5 * a) * x + 8 * a) * x - 4 * a : 0;
}

int64_t nearestIndex(const std::string& mode, double at) {
  const double low = std::floor(at), part = at - low;
  if (part == 0) return static_cast<int64_t>(low);
  const bool up = mode == "ceil" ||
                  (mode == "round_prefer_ceil" ? part >= 0.5 : mode == "round_prefer_floor" && part > 0.5);
  return static_cast<int64_t>(low) + up;
}

Taps tapsAt(const ResizeSpec& spec, const AxisSpec& a, double at) {
  Taps taps;
  taps.outside = spec.coordinates == "tf_crop_and_resize" && (at < 0 || at > static_cast<double>(a.in - 1));
  auto inside = [&](int64_t i) { return std::clamp<int64_t>(i, 0, a.in - 1); };
  if (spec.mode == "nearest") {
    taps.indices = {inside(nearestIndex(spec.nearest, at))};
    taps.weights = {1};
    return taps;
  }
  // The window reaches 1 (2 for cubic) to either side, further by 1 / scale when it also smooths.
  const double shrink = spec.antialias ? std::min(a.scale, 1.0) : 1.0, reach = spec.mode == "cubic" ? 2 : 1;
  const int64_t base = static_cast<int64_t>(std::ceil(at)) - 1;
  const int64_t first = static_cast<int64_t>(std::floor(-reach / shrink)) + 1;
  double total = 0;
  for (int64_t i = base + first; i < base + 2 - first; ++i) {
    const double distance = (static_cast<double>(i) - at) * shrink;
    double weight = reach == 2 ? cubicWeight(distance, spec.cubic_a) : std::max(0.0, 1 - std::fabs(distance));
    if (spec.exclude_outside && i != inside(i)) weight = 0;
    taps.indices.push_back(inside(i));
    taps.weights.push_back(weight);
    total += weight;
  }
  const bool normalize = (spec.exclude_outside || spec.antialias) && total != 0;
  for (double& weight : taps.weights) weight /= normalize ? total : 1;
  return taps;
}

// Elements `indices` of an axis, as a slice or a repetition where they are one.
Value pick(GraphBuilder& b, Value x, int64_t axis, const Shape& indices) {
  const int64_t in = dimOf(x, axis), out = static_cast<int64_t>(indices.size());
  if (indices == range(in)) return x;
  const int64_t times = in > 0 ? out / in : 0;
  bool repeats = times > 1 && out == times * in;
  for (int64_t i = 0; repeats && i < out; ++i) repeats = indices[i] == i / times;
  if (!repeats) return b.take(x, b.ints(indices), axis);
  Shape wide(shapeOf(x)), merged(shapeOf(x)), dims = range(rankOf(x) + 1);
  wide.insert(wide.begin() + axis + 1, times);
  merged[axis] = out;
  dims.erase(dims.begin() + axis + 1);
  return b.reshape(b.broadcastInDim(x, wide, dims), merged);
}

Value weightedPicks(GraphBuilder& b, Value x, int64_t axis, const std::vector<Taps>& all) {
  Value sum;
  for (size_t t = 0; t < all.front().indices.size(); ++t) {
    Shape indices;
    std::vector<double> weights;
    for (const Taps& taps : all) {
      indices.push_back(taps.indices[t]);
      weights.push_back(taps.weights[t]);
    }
    if (std::ranges::all_of(weights, [](double w) { return w == 0; })) continue;
    const Value factor =
        b.constant(Tensor::of<double>(typeOf(x), {static_cast<int64_t>(weights.size())}, weights));
    const Value picked = pick(b, x, axis, indices);
    const Value term = b.mul(picked, b.broadcastInDim(factor, shapeOf(picked), {axis}));
    sum = sum ? b.add(sum, term) : term;
  }
  return sum;
}

Result<Value> productWithMatrix(GraphBuilder& b, Value x, int64_t axis, const std::vector<Taps>& all) {
  const int64_t in = dimOf(x, axis), out = static_cast<int64_t>(all.size());
  if (in * out > kLargestMatrix) return unimplemented("smoothing an axis of {} elements to {}", in, out);
  TET_ASSIGN_OR_RETURN(Tensor matrix, Tensor::create(typeOf(x), {in, out}));
  for (int64_t o = 0; o < out; ++o) {
    for (size_t t = 0; t < all[o].indices.size(); ++t) {
      const int64_t at = all[o].indices[t] * out + o;
      matrix.setDouble(at, matrix.getDouble(at) + all[o].weights[t]);
    }
  }
  const Value product = b.dotGeneral(x, b.constant(matrix), {}, {}, {axis}, {0});
  Shape order = range(rankOf(x) - 1);  // the new axis came out last
  order.insert(order.begin() + axis, rankOf(x) - 1);
  return b.transpose(product, order);
}

Result<Value> resizeAxis(OpContext& n, Value x, const ResizeSpec& spec, const AxisSpec& a) {
  if (spec.antialias && !(a.scale >= kSmallestScale)) return n.decline("antialias at scale {}", a.scale);
  std::vector<Taps> all;
  for (int64_t i = 0; i < a.out; ++i) {
    const auto at = sourcePosition(spec, a, static_cast<double>(i));
    if (!at || !std::isfinite(*at))
      return n.decline("coordinate_transformation_mode '{}' is not known", spec.coordinates);
    all.push_back(tapsAt(spec, a, *at));
  }
  if (all.empty() || a.in == 0) return invalidArgument("axis {} is empty", a.axis);
  const int64_t taps = static_cast<int64_t>(all.front().indices.size());
  if (spec.mode == "nearest") {
    Shape indices;
    for (const Taps& one : all) indices.push_back(one.indices.front());
    x = pick(n.b, x, a.axis, indices);
  } else if (taps <= kGatheredTaps) {
    x = weightedPicks(n.b, x, a.axis, all);
  } else {
    TET_ASSIGN_OR_RETURN(x, productWithMatrix(n.b, x, a.axis, all));
  }
  if (std::ranges::none_of(all, [](const Taps& one) { return one.outside; })) return x;
  Shape outside;
  for (const Taps& one : all) outside.push_back(one.outside);
  const Value mask = n.b.constant(Tensor::of<int64_t>(ElementType::I1, {a.out}, outside));
  return n.b.select(n.b.broadcastInDim(mask, shapeOf(x), {a.axis}), n.b.like(x, spec.extrapolation), x);
}

Result<std::vector<double>> constantDoubles(OpContext& n, int i, std::string_view what) {
  TET_ASSIGN_OR_RETURN(const Tensor tensor, n.constant(i, what));
  std::vector<double> values;
  for (int64_t k = 0; k < tensor.count(); ++k) values.push_back(tensor.getDouble(k));
  return values;
}

// Sizes of the axes under keep_aspect_ratio_policy: one scale for all.
void keepRatio(const std::string& policy, std::vector<AxisSpec>& axes) {
  if (policy == "stretch" || axes.empty()) return;
  double scale = axes.front().scale;
  for (const AxisSpec& a : axes)
    scale = policy == "not_larger" ? std::min(scale, a.scale) : std::max(scale, a.scale);
  for (AxisSpec& a : axes) {
    a.scale = scale;
    a.out = static_cast<int64_t>(std::floor(scale * static_cast<double>(a.in) + 0.5));
  }
}

Result<std::vector<AxisSpec>> readAxes(OpContext& n, Value x, int scales_input, int sizes_input) {
  const Shape axes = n.wrapAxes(n.getInts("axes", range(rankOf(x))), rankOf(x));
  std::vector<double> scales, sizes, roi;
  if (sizes_input >= 0 && n.has(sizes_input)) {
    TET_ASSIGN_OR_RETURN(sizes, constantDoubles(n, sizes_input, "the size"));
  }
  if (sizes.empty() && n.hasAttribute("scales")) scales = n.getFloats("scales");
  if (sizes.empty() && scales.empty() && n.has(scales_input)) {
    TET_ASSIGN_OR_RETURN(scales, constantDoubles(n, scales_input, "the size"));
  }
  const bool crops = n.getString("coordinate_transformation_mode") == "tf_crop_and_resize";
  if (crops && n.has(1)) {
    TET_ASSIGN_OR_RETURN(roi, constantDoubles(n, 1, "the region"));
  }
  TET_RETURN_IF_ERROR(n.b.status());
  if (std::max(scales.size(), sizes.size()) != axes.size() ||
      (!roi.empty() && roi.size() != 2 * axes.size())) {
    return invalidArgument("its scales, sizes or region do not fit its axes");
  }
  std::vector<AxisSpec> specs;
  for (size_t i = 0; i < axes.size(); ++i) {
    const double in = static_cast<double>(dimOf(x, axes[i]));
    const double out = sizes.empty() ? std::floor(in * scales[i]) : sizes[i];
    if (!(out >= 0 && out <= kLargestAxis))
      return invalidArgument("its result would have {} elements along an axis", out);
    specs.push_back(
        {axes[i], dimOf(x, axes[i]), static_cast<int64_t>(out), sizes.empty() ? scales[i] : out / in});
    if (!roi.empty()) {
      specs.back().roi_start = roi[i];
      specs.back().roi_end = roi[i + axes.size()];
    }
  }
  if (!sizes.empty()) keepRatio(n.getString("keep_aspect_ratio_policy", "stretch"), specs);
  return specs;
}

Status resize(OpContext& n, const ResizeSpec& spec, const std::vector<AxisSpec>& axes) {
  const ElementType type = typeOf(n.in(0));
  if (spec.mode != "nearest" && spec.mode != "linear" && spec.mode != "cubic")
    return n.decline("mode '{}'", spec.mode);
  if (spec.mode != "nearest" && !isFloat(type))
    return n.decline("mode '{}' on {}", spec.mode, info(type).name);
  const bool widen = spec.mode != "nearest" && byteSize(type) < 4;
  Value x = widen ? n.b.convert(n.in(0), ElementType::F32) : n.in(0);
  // From the last axis to the first: what lies outside of an inner axis stays the extrapolation value.
  for (size_t i = axes.size(); i-- > 0;) {
    const AxisSpec& a = axes[i];
    const bool crops = spec.coordinates == "tf_crop_and_resize" && (a.roi_start != 0 || a.roi_end != 1);
    if (a.in == a.out && a.scale == 1 && !crops) continue;
    TET_ASSIGN_OR_RETURN(x, resizeAxis(n, x, spec, a));
    TET_RETURN_IF_ERROR(n.b.status());
  }
  return n.result(n.b.convert(x, type));
}

}  // namespace

Status importResize(OpContext& n) {
  ResizeSpec spec;
  spec.mode = n.getString("mode", "nearest");
  if (n.opset < 11) {  // inputs: x, scales
    spec.coordinates = "asymmetric";
    spec.nearest = "floor";
    TET_ASSIGN_OR_RETURN(const auto axes, readAxes(n, n.in(0), 1, -1));
    return resize(n, spec, axes);
  }
  spec.coordinates = n.getString("coordinate_transformation_mode", "half_pixel");
  spec.nearest = n.getString("nearest_mode", "round_prefer_floor");
  spec.cubic_a = n.getFloat("cubic_coeff_a", -0.75);
  spec.extrapolation = n.getFloat("extrapolation_value", 0);
  spec.exclude_outside = n.getInt("exclude_outside") != 0;
  spec.antialias = n.getInt("antialias") != 0;
  TET_ASSIGN_OR_RETURN(const auto axes, readAxes(n, n.in(0), 2, 3));
  return resize(n, spec, axes);
}

Status importUpsample(OpContext& n) {
  ResizeSpec spec;
  spec.mode = n.getString("mode", "nearest");
  spec.coordinates = "asymmetric";
  spec.nearest = "floor";
  TET_ASSIGN_OR_RETURN(const auto axes, readAxes(n, n.in(0), 1, -1));
  return resize(n, spec, axes);
}

}  // namespace tetrarch::onnx
