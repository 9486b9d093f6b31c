// Operators that read a picture between its elements: grids, regions of interest, deformable convolution.
#include <algorithm>

#include "tetrarch/import/compositions.h"
#include "tetrarch/import/onnx/op_context.h"
#include "tetrarch/import/onnx/sampling.h"
#include "tetrarch/import/onnx/windows.h"

namespace tetrarch::onnx {
namespace {

using tet::ReductionKind;

constexpr int64_t kMostAxes = 3;      // of a picture; a cubic sample of it has 64 taps
constexpr int64_t kMostSamples = 32;  // of one bin of a region along an axis

Shape spatialSizes(Value x) { return Shape(shapeOf(x).drop_front(std::min<size_t>(2, rankOf(x)))); }

// [n, positions…, c] to [n, c, positions…].
Value channelsSecond(GraphBuilder& b, Value x) {
  Shape order = range(rankOf(x));
  if (order.size() > 2) std::rotate(order.begin() + 1, order.end() - 1, order.end());
  return b.transpose(x, order);
}

// For positions of `shape` [n, …]: the row at which picture n begins in rowsOfChannels(x).
Value firstRows(GraphBuilder& b, Value x, llvm::ArrayRef<int64_t> shape) {
  int64_t elements = 1;
  for (const int64_t size : spatialSizes(x)) elements *= size;
  return b.mul(b.iota(ElementType::I64, shape, 0), static_cast<double>(elements));
}

// Component `i` of vectors that lie along the last dimension.
Value component(GraphBuilder& b, Value vectors, int64_t i) {
  const int64_t last = rankOf(vectors) - 1;
  return b.squeeze(b.sliceAxis(vectors, last, i, i + 1), {last});
}

Result<Interpolation> readInterpolation(OpContext& n) {
  const std::string mode = n.getString("mode", "linear");
  if (mode == "nearest") return Interpolation::Nearest;
  if (mode == "linear" || mode == "bilinear") return Interpolation::Linear;
  if (mode == "cubic" || mode == "bicubic") return Interpolation::Cubic;
  return n.decline("mode '{}' is not known", mode);
}

Result<Outside> readOutside(OpContext& n) {
  const std::string mode = n.getString("padding_mode", "zeros");
  if (mode == "zeros") return Outside::Zeros;
  if (mode == "border") return Outside::Border;
  if (mode == "reflection") return Outside::Reflection;
  return n.decline("padding_mode '{}' is not known", mode);
}

}  // namespace

// Inputs: x [n, c, sizes…], grid [n, positions…, axes] with coordinates from -1 to 1, the innermost axis
// first.
Status importGridSample(OpContext& n) {
  GraphBuilder& b = n.b;
  const Value grid = n.in(1);
  const int64_t axes = rankOf(n.in(0)) - 2;
  TET_RETURN_IF_ERROR(b.status());
  if (axes < 1 || axes > kMostAxes || rankOf(grid) != axes + 2 || dimOf(grid, axes + 1) != axes ||
      dimOf(grid, 0) != dimOf(n.in(0), 0)) {
    return invalidArgument("its grid {} does not fit its input {}", toString(typeOf(grid), shapeOf(grid)),
                           toString(typeOf(n.in(0)), shapeOf(n.in(0))));
  }
  if (countOf(n.in(0)) == 0) return n.decline("an input without elements");
  TET_ASSIGN_OR_RETURN(const Interpolation interpolation, readInterpolation(n));
  TET_ASSIGN_OR_RETURN(const Outside outside, readOutside(n));
  const bool align = n.getInt("align_corners") != 0;
  const ElementType type = typeOf(n.in(0));
  if (!isFloat(n.in(0)) && interpolation != Interpolation::Nearest)
    return n.decline("interpolation on {}", info(type).name);
  const Values results = inFloat32(b, {n.in(0)}, [&](llvm::ArrayRef<Value> v) -> Values {
    const Shape sizes = spatialSizes(v[0]);
    std::vector<Taps> taps;
    for (int64_t d = 0; d < axes; ++d) {
      const double size = static_cast<double>(sizes[d]);
      const SampledAxis axis{sizes[d], align ? 0 : -0.5, align ? size - 1 : size - 0.5};
      // -1 is the first element's middle with align_corners, else its outer border.
      const Value g = b.add(b.convert(component(b, grid, axes - 1 - d), ElementType::F32), 1);
      const Value position = align ? b.mul(b.div(g, 2), size - 1) : b.div(b.sub(b.mul(g, size), 1), 2);
      taps.push_back(tapsAt(b, position, axis, interpolation, outside));
    }
    const Value first = firstRows(b, v[0], shapeOf(grid).drop_back());
    return {channelsSecond(b, sample(b, rowsOfChannels(b, v[0]), first, taps, sizes))};
  });
  return n.result(results.empty() ? Value() : results.front());
}

// Inputs: theta [n, axes, axes + 1], the size [n, c, sizes…]. The grid of a picture moved by theta.
Status importAffineGrid(OpContext& n) {
  GraphBuilder& b = n.b;
  TET_ASSIGN_OR_RETURN(const Shape size, n.constantInts(1, "the grid's size"));
  const int64_t axes = static_cast<int64_t>(size.size()) - 2;
  const Value theta = n.in(0);
  if (axes < 2 || axes > kMostAxes || shapeOf(theta) != llvm::ArrayRef(Shape{size[0], axes, axes + 1}) ||
      std::ranges::any_of(size, [](int64_t s) { return s < 1; })) {
    return invalidArgument("its size does not fit theta, which is {}",
                           toString(typeOf(theta), shapeOf(theta)));
  }
  const bool align = n.getInt("align_corners") != 0;
  const Values results = inFloat32(b, {theta}, [&](llvm::ArrayRef<Value> v) -> Values {
    const Shape picture(size.begin() + 2, size.end());
    Values coordinates;  // of each element from -1 to 1, the innermost axis first
    for (int64_t d = axes - 1; d >= 0; --d) {
      const double s = static_cast<double>(picture[d]), span = align ? std::max(s - 1, 1.0) : s;
      const Value i = b.iota(typeOf(v[0]), picture, d);
      coordinates.push_back(b.div(b.sub(b.mul(i, 2), align ? span : s - 1), span));
    }
    Shape shape = picture;
    shape.insert(shape.begin(), size[0]);
    Shape inner = range(axes);
    for (int64_t& d : inner) ++d;
    auto factor = [&](int64_t row, int64_t column) {
      const Value one = b.slice(v[0], {0, row, column}, {size[0], row + 1, column + 1});
      return b.broadcastInDim(b.reshape(one, {size[0]}), shape, {0});
    };
    Values components;
    for (int64_t row = 0; row < axes; ++row) {
      Value sum = factor(row, axes);
      for (int64_t d = 0; d < axes; ++d)
        sum = b.add(sum, b.mul(factor(row, d), b.broadcastInDim(coordinates[d], shape, inner)));
      components.push_back(b.expandDims(sum, {axes + 1}));
    }
    return {b.concat(components, axes + 1)};
  });
  return n.result(results.empty() ? Value() : results.front());
}

namespace {

// One axis of all regions: where their samples lie, [regions, bins, samples a bin].
struct RegionAxis {
  int64_t from, to;  // columns of the regions' corners
  int64_t size, bins;
};

Value samplePositions(OpContext& n, Value regions, const RegionAxis& axis, int64_t samples, bool half_pixel) {
  GraphBuilder& b = n.b;
  const Shape shape = {dimOf(regions, 0), axis.bins, samples};
  auto corner = [&](int64_t column) {
    return b.sub(b.mul(component(b, regions, column), n.getFloat("spatial_scale", 1)), half_pixel ? 0.5 : 0);
  };
  const Value start = corner(axis.from);
  Value length = b.sub(corner(axis.to), start);
  if (!half_pixel) length = b.max(length, 1);
  const Value bin = b.broadcastInDim(b.div(length, static_cast<double>(axis.bins)), shape, {0});
  const Value part = b.div(b.add(b.iota(ElementType::F32, shape, 2), 0.5), static_cast<double>(samples));
  const Value steps = b.add(b.iota(ElementType::F32, shape, 1), part);
  return b.add(b.broadcastInDim(start, shape, {0}), b.mul(steps, bin));
}

}  // namespace

// Inputs: x [n, c, h, w], regions [r, 4] (x and y of two corners), the picture of each region [r].
Status importRoiAlign(OpContext& n) {
  GraphBuilder& b = n.b;
  const int64_t samples = n.getInt("sampling_ratio"), height = n.getInt("output_height", 1),
                width = n.getInt("output_width", 1);
  const std::string mode = n.getString("mode", "avg");
  const bool half_pixel =
      n.opset >= 16 && n.getString("coordinate_transformation_mode", "half_pixel") == "half_pixel";
  const Value picture = n.in(2);
  TET_RETURN_IF_ERROR(b.status());
  if (samples == 0) return n.decline("sampling_ratio 0 leaves the number of samples to the data");
  if (mode != "avg" && mode != "max") return n.decline("mode '{}' is not known", mode);
  if (rankOf(n.in(0)) != 4 || rankOf(n.in(1)) != 2 || dimOf(n.in(1), 1) != 4 || rankOf(picture) != 1 ||
      dimOf(picture, 0) != dimOf(n.in(1), 0) || countOf(n.in(0)) == 0 || samples < 0 || height < 1 ||
      width < 1 || height > INT32_MAX || width > INT32_MAX) {
    return invalidArgument("its regions or sizes do not fit its input");
  }
  if (samples > kMostSamples) return n.decline("sampling_ratio {}", samples);
  const ElementType type = typeOf(n.in(0));
  const Values results = inFloat32(b, {n.in(0), n.in(1)}, [&](llvm::ArrayRef<Value> v) -> Values {
    const Shape sizes = spatialSizes(v[0]);
    const Value regions = b.convert(v[1], ElementType::F32);
    // [regions, bins down, bins across, samples down, samples across]
    const Shape shape = {dimOf(regions, 0), height, width, samples, samples};
    const Value y = samplePositions(n, regions, {1, 3, sizes[0], height}, samples, half_pixel);
    const Value x = samplePositions(n, regions, {0, 2, sizes[1], width}, samples, half_pixel);
    const Taps taps[] = {borderTaps(b, b.broadcastInDim(y, shape, {0, 1, 3}), sizes[0]),
                         borderTaps(b, b.broadcastInDim(x, shape, {0, 2, 4}), sizes[1])};
    const Value row = b.mul(b.convert(picture, ElementType::I64), static_cast<double>(sizes[0] * sizes[1]));
    const Value first = b.broadcastInDim(row, shape, {0});
    const bool largest = mode == "max";
    Value all;
    forEachTap(b, rowsOfChannels(b, v[0]), first, taps, sizes, [&](Value elements, Value weight) {
      const Value term = weighted(b, elements, weight);
      all = !all ? term : largest ? b.max(all, term) : b.add(all, term);
    });
    const Value bins = largest ? b.reduce(ReductionKind::Maximum, all, {3, 4}) : b.mean(all, {3, 4});
    return {channelsSecond(b, bins)};
  });
  return n.result(b.convert(results.empty() ? Value() : results.front(), type));
}

namespace {

struct DeformSpec {
  Window window;
  Shape positions;  // sizes of the result
  int64_t groups, offset_groups;
  int64_t elements;  // of the kernel
};

// [n * offset groups, kernel elements, positions…] along `axis`: where the kernel would read, moved by the
// offsets.
Value deformedPositions(GraphBuilder& b, Value offsets, const DeformSpec& spec, size_t axis) {
  const size_t spatial = spec.positions.size();
  Shape grid = spec.window.size;  // [kernel…, positions…]
  grid.insert(grid.end(), spec.positions.begin(), spec.positions.end());
  const Window& w = spec.window;
  const Value element = b.iota(ElementType::F32, grid, static_cast<int64_t>(axis));
  const Value position = b.iota(ElementType::F32, grid, static_cast<int64_t>(axis + spatial));
  const Value regular = b.sub(b.add(b.mul(position, static_cast<double>(w.strides[axis])),
                                    b.mul(element, static_cast<double>(w.dilations[axis]))),
                              static_cast<double>(w.pad_low[axis]));
  Shape shape = {dimOf(offsets, 0), spec.elements};
  shape.insert(shape.end(), spec.positions.begin(), spec.positions.end());
  const Value moved =
      b.squeeze(b.sliceAxis(offsets, 2, static_cast<int64_t>(axis), static_cast<int64_t>(axis) + 1), {2});
  return b.add(b.convert(moved, ElementType::F32),
               b.broadcastTo(b.reshape(regular, llvm::ArrayRef(shape).drop_front()), shape));
}

// Weights times samples, group by group: [n, m, positions…].
Value multiplyGroups(GraphBuilder& b, Value samples, Value w, const DeformSpec& spec, int64_t batch) {
  const int64_t channels = dimOf(w, 1), out = dimOf(w, 0) / spec.groups, count = countOf(samples);
  const int64_t inner = channels * spec.elements, places = count / (batch * spec.groups * inner);
  const Value columns = b.reshape(samples, {batch, spec.groups, inner, places});
  const Value rows = b.reshape(w, {spec.groups, out, inner});
  const Value product = b.dotGeneral(rows, columns, {0}, {1}, {2}, {2});  // [groups, out, n, places]
  Shape shape = {batch, dimOf(w, 0)};
  shape.insert(shape.end(), spec.positions.begin(), spec.positions.end());
  return b.reshape(b.transpose(product, {2, 0, 1, 3}), shape);
}

}  // namespace

// Inputs: x [n, c, sizes…], w, offsets [n, offset groups * kernel * axes, positions…], bias, mask.
Status importDeformConv(OpContext& n) {
  GraphBuilder& b = n.b;
  const Value x = n.in(0), w = n.in(1), offsets = n.in(2);
  if (rankOf(x) < 3 || rankOf(w) != rankOf(x) || rankOf(x) > kMostAxes + 2)
    return invalidArgument("its weights do not fit its input");
  const Shape kernel = spatialSizes(w);
  if (n.getInts("kernel_shape", kernel) != kernel)
    return invalidArgument("kernel_shape is not that of the weights");
  DeformSpec spec{readWindow(n, x, kernel), {}, n.getInt("group", 1), n.getInt("offset_group", 1), 1};
  TET_RETURN_IF_ERROR(b.status());
  const int64_t batch = dimOf(x, 0), channels = dimOf(x, 1), axes = rankOf(x) - 2;
  auto divides = [](int64_t part, int64_t whole) { return part >= 1 && whole % part == 0; };
  if (countOf(x) == 0 || countOf(w) == 0 || !divides(spec.groups, channels) ||
      !divides(spec.groups, dimOf(w, 0)) || !divides(spec.offset_groups, channels) ||
      dimOf(w, 1) != channels / spec.groups) {
    return invalidArgument("its weights do not fit its input and groups");
  }
  for (size_t i = 0; i < kernel.size(); ++i) {
    spec.positions.push_back(windowPositions(spec.window, x, i));
    spec.elements *= kernel[i];
  }
  Shape expected = {batch, spec.offset_groups * spec.elements * axes};
  expected.insert(expected.end(), spec.positions.begin(), spec.positions.end());
  if (shapeOf(offsets) != llvm::ArrayRef(expected))
    return invalidArgument("its offsets do not fit its input and kernel");
  Shape per_group = {batch * spec.offset_groups, spec.elements, axes};
  per_group.insert(per_group.end(), spec.positions.begin(), spec.positions.end());
  Values inputs = {x, w, offsets};
  for (const int i : {3, 4}) {
    if (n.has(i)) inputs.push_back(n.in(i));
  }
  const Values results = inFloat32(b, inputs, [&](llvm::ArrayRef<Value> v) -> Values {
    Shape picture = {batch * spec.offset_groups, channels / spec.offset_groups};
    for (const int64_t size : spatialSizes(x)) picture.push_back(size);
    const Value pictures = b.reshape(v[0], picture);
    std::vector<Taps> taps;
    for (size_t d = 0; d < kernel.size(); ++d) {
      const SampledAxis axis{picture[d + 2], 0, 0};
      const Value position = deformedPositions(b, b.reshape(v[2], per_group), spec, d);
      taps.push_back(tapsAt(b, position, axis, Interpolation::Linear, Outside::Zeros));
    }
    Shape places = per_group;  // [n * offset groups, kernel elements, positions…]
    places.erase(places.begin() + 2);
    const Value first = firstRows(b, pictures, places);
    Value samples = sample(b, rowsOfChannels(b, pictures), first, taps, spatialSizes(x));
    if (n.has(4)) samples = weighted(b, samples, b.reshape(v.back(), places));
    Value y = multiplyGroups(b, channelsSecond(b, samples), v[1], spec, batch);
    if (n.has(3)) y = b.add(y, b.broadcastInDim(v[3], shapeOf(y), {1}));
    return {y};
  });
  return n.result(results.empty() ? Value() : results.front());
}

}  // namespace tetrarch::onnx
