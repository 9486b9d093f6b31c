// Operators that make constants or move elements by position.
#include <algorithm>
#include <cmath>

#include "tetrarch/import/onnx/importer.h"
#include "tetrarch/import/onnx/op_context.h"

namespace tetrarch::onnx {
namespace {

using enum tet::ComparisonDirection;

Value fill(OpContext& n, const Tensor& element, const Shape& shape) {
  if (isFloat(element.type())) return n.b.full(element.type(), shape, element.getDouble(0));
  return n.b.fullInt(element.type(), shape, element.getInt(0));
}

}  // namespace

//-- Constants

Status importConstant(OpContext& n) {
  if (const Attribute* value = n.attribute("value")) {
    TET_ASSIGN_OR_RETURN(const Value tensor, n.importer.readConstant(value->t()));
    return n.result(tensor);
  }
  if (const Attribute* value = n.attribute("sparse_value")) {
    TET_ASSIGN_OR_RETURN(const Value tensor, n.importer.readConstant(value->sparse_tensor()));
    return n.result(tensor);
  }
  if (n.hasAttribute("value_int")) return n.result(n.b.scalarInt(ElementType::I64, n.getInt("value_int")));
  if (n.hasAttribute("value_ints")) return n.result(n.b.ints(n.getInts("value_ints")));
  if (n.hasAttribute("value_float")) return n.result(n.b.scalar(ElementType::F32, n.getFloat("value_float")));
  if (n.hasAttribute("value_floats")) {
    const std::vector<double> values = n.getFloats("value_floats");
    const Shape shape = {static_cast<int64_t>(values.size())};
    return n.result(n.b.constant(Tensor::of<double>(ElementType::F32, shape, values)));
  }
  return n.decline("it holds strings or nothing");
}

Status importConstantOfShape(OpContext& n) {
  TET_ASSIGN_OR_RETURN(const Shape shape, n.constantInts(0, "the shape"));
  TET_ASSIGN_OR_RETURN(Tensor element, Tensor::create(ElementType::F32, {}));
  if (const Attribute* value = n.attribute("value")) {
    TET_ASSIGN_OR_RETURN(const Value constant, n.importer.readConstant(value->t()));
    TET_ASSIGN_OR_RETURN(const Tensor given, n.importer.require(constant, "its value"));
    if (given.count() != 1) return invalidArgument("its value has {} elements", given.count());
    element =
        Tensor::view(given.type(), {}, const_cast<void*>(given.data()), std::make_shared<Tensor>(given));
  }
  return n.result(fill(n, element, shape));
}

Status importShape(OpContext& n) {
  const Value x = n.in(0);
  const int64_t rank = rankOf(x);
  auto clampAxis = [&](int64_t axis) { return std::clamp<int64_t>(axis < 0 ? axis + rank : axis, 0, rank); };
  const int64_t start = clampAxis(n.getInt("start", 0));
  const int64_t end = n.hasAttribute("end") ? clampAxis(n.getInt("end")) : rank;
  return n.result(n.b.ints(shapeOf(x).slice(start, std::max<int64_t>(end - start, 0))));
}

Status importSize(OpContext& n) { return n.result(n.b.scalarInt(ElementType::I64, countOf(n.in(0)))); }

Status importRange(OpContext& n) {
  TET_ASSIGN_OR_RETURN(const Tensor start, n.constant(0, "the length"));
  TET_ASSIGN_OR_RETURN(const Tensor limit, n.constant(1, "the length"));
  TET_ASSIGN_OR_RETURN(const Tensor delta, n.constant(2, "the length"));
  if (start.count() != 1 || limit.count() != 1 || delta.count() != 1)
    return invalidArgument("a bound is no scalar");
  const double step = delta.getDouble(0),
               length = std::ceil((limit.getDouble(0) - start.getDouble(0)) / step);
  if (step == 0 || !(length * 8 <= static_cast<double>(n.importer.limits().expanded_bytes)))
    return invalidArgument("its length {} is not usable", length);
  const Shape shape = {static_cast<int64_t>(std::max(length, 0.0))};
  TET_ASSIGN_OR_RETURN(Tensor values, Tensor::create(start.type(), shape));
  for (int64_t i = 0; i < values.count(); ++i) {
    if (isFloat(values.type())) {
      values.setDouble(i, start.getDouble(0) + static_cast<double>(i) * step);
    } else {
      values.setInt(i, start.getInt(0) + i * delta.getInt(0));
    }
  }
  return n.result(n.b.constant(values));
}

// Row and column number of each element of the last two dimensions.
static std::pair<Value, Value> rowsAndColumns(GraphBuilder& b, int64_t rows, int64_t columns) {
  const Shape shape = {rows, columns};
  return {b.iota(ElementType::I64, shape, 0), b.iota(ElementType::I64, shape, 1)};
}

Status importEyeLike(OpContext& n) {
  const Value x = n.in(0);
  ElementType type = typeOf(x);
  if (n.hasAttribute("dtype")) {
    TET_ASSIGN_OR_RETURN(type, elementTypeOf(static_cast<int>(n.getInt("dtype"))));
  }
  if (rankOf(x) != 2) return invalidArgument("its input has {} dimensions instead of 2", rankOf(x));
  const auto [row, column] = rowsAndColumns(n.b, dimOf(x, 0), dimOf(x, 1));
  const Value on = n.b.compare(EQ, n.b.add(row, static_cast<double>(n.getInt("k"))), column);
  return n.result(n.b.convert(on, type));
}

Status importTrilu(OpContext& n) {
  const Value x = n.in(0);
  if (rankOf(x) < 2) return invalidArgument("its input has {} dimensions", rankOf(x));
  Value k = n.inOr(1, n.b.scalarInt(ElementType::I64, 0));
  if (rankOf(k) == 1 && countOf(k) == 1) k = n.b.reshape(k, {});
  const auto [row, column] = rowsAndColumns(n.b, dimOf(x, rankOf(x) - 2), dimOf(x, rankOf(x) - 1));
  const Value diagonal = n.b.add(row, k);
  const Value keep = n.b.compare(n.getInt("upper", 1) ? GE : LE, column, diagonal);
  return n.result(n.b.select(keep, x, n.b.like(x, 0)));
}

//-- Shape only

Status importReshape(OpContext& n) {
  const Value x = n.in(0);
  TET_ASSIGN_OR_RETURN(Shape shape, n.constantInts(1, "the shape"));
  const bool allow_zero = n.getInt("allowzero");
  int64_t known = 1, wild = -1;
  for (size_t d = 0; d < shape.size(); ++d) {
    if (shape[d] == 0 && !allow_zero) shape[d] = dimOf(x, static_cast<int64_t>(d));
    if (shape[d] < -1 || (shape[d] == -1 && wild >= 0))
      return invalidArgument("its shape has more than one unknown");
    if (shape[d] == -1) {
      wild = static_cast<int64_t>(d);
    } else if (__builtin_mul_overflow(known, shape[d], &known)) {
      return invalidArgument("its shape is too large");
    }
  }
  const int64_t count = countOf(x);
  if (wild >= 0) shape[wild] = known == 0 ? 0 : count / known;
  if (known * (wild >= 0 ? shape[wild] : 1) != count) {
    return invalidArgument("{} cannot become {}", toString(typeOf(x), shapeOf(x)),
                           toString(typeOf(x), shape));
  }
  return n.result(n.b.reshape(x, shape));
}

Status importFlatten(OpContext& n) {
  const Value x = n.in(0);
  int64_t axis = n.getInt("axis", 1);
  if (axis < 0) axis += rankOf(x);
  if (axis < 0 || axis > rankOf(x)) return invalidArgument("axis {} does not exist", axis);
  int64_t rows = 1, columns = 1;
  for (int64_t d = 0; d < rankOf(x); ++d) (d < axis ? rows : columns) *= dimOf(x, d);
  return n.result(n.b.reshape(x, {rows, columns}));
}

Status importSqueeze(OpContext& n) {
  const Value x = n.in(0);
  TET_ASSIGN_OR_RETURN(Shape axes, n.intsFrom("axes", 1));
  axes = n.wrapAxes(axes, rankOf(x));
  if (!n.hasAttribute("axes") && !n.has(1)) {
    for (int64_t d = 0; d < rankOf(x); ++d) {
      if (dimOf(x, d) == 1) axes.push_back(d);
    }
  }
  return n.result(n.b.squeeze(x, axes));
}

Status importUnsqueeze(OpContext& n) {
  TET_ASSIGN_OR_RETURN(Shape axes, n.intsFrom("axes", 1));
  return n.result(
      n.b.expandDims(n.in(0), n.wrapAxes(axes, rankOf(n.in(0)) + static_cast<int64_t>(axes.size()))));
}

Status importTranspose(OpContext& n) {
  Shape order = range(rankOf(n.in(0)));
  std::ranges::reverse(order);
  return n.result(n.b.transpose(n.in(0), n.getInts("perm", order)));
}

Status importExpand(OpContext& n) {
  TET_ASSIGN_OR_RETURN(const Shape target, n.constantInts(1, "the shape"));
  const auto shape = broadcastShapes(shapeOf(n.in(0)), target);
  if (!shape) return invalidArgument("its input does not broadcast to the shape");
  return n.result(n.b.broadcastTo(n.in(0), *shape));
}

Status importTile(OpContext& n) {
  const Value x = n.in(0);
  TET_ASSIGN_OR_RETURN(const Shape repeats, n.constantInts(1, "the repeats"));
  if (static_cast<int64_t>(repeats.size()) != rankOf(x))
    return invalidArgument("it needs one repeat per dimension");
  Shape wide, dims, merged;  // [r0, d0, r1, d1, …]
  for (int64_t d = 0; d < rankOf(x); ++d) {
    wide.push_back(repeats[d]);
    dims.push_back(static_cast<int64_t>(wide.size()));
    wide.push_back(dimOf(x, d));
    int64_t size = 0;
    if (repeats[d] < 0 || __builtin_mul_overflow(repeats[d], dimOf(x, d), &size)) {
      return invalidArgument("repeat {} is not usable", repeats[d]);
    }
    merged.push_back(size);
  }
  return n.result(n.b.reshape(n.b.broadcastInDim(x, wide, dims), merged));
}

//-- Blocks

Status importConcat(OpContext& n) {
  const Values parts = n.allInputs();
  return n.result(n.b.concat(parts, n.getAxis("axis", 0, rankOf(n.in(0)))));
}

Status importSplit(OpContext& n) {
  const Value x = n.in(0);
  const int64_t axis = n.getAxis("axis", 0, rankOf(x)), size = dimOf(x, axis);
  TET_ASSIGN_OR_RETURN(Shape parts, n.intsFrom("split", 1));
  const int64_t count = n.node.output_size();
  if (parts.empty()) {
    const int64_t chunk = (size + count - 1) / count;
    for (int64_t i = 0; i < count; ++i) parts.push_back(std::clamp<int64_t>(size - i * chunk, 0, chunk));
  }
  Values results;
  int64_t begin = 0;
  for (const int64_t part : parts) {
    results.push_back(n.b.sliceAxis(x, axis, begin, begin + part));
    begin += part;
  }
  if (begin != size) return invalidArgument("the parts add up to {}, the dimension is {}", begin, size);
  return n.results(results);
}

namespace {

struct SliceSpec {
  Shape starts, ends, axes, steps;
};

Result<SliceSpec> readSlice(OpContext& n) {
  SliceSpec spec;
  TET_ASSIGN_OR_RETURN(spec.starts, n.intsFrom("starts", 1));
  TET_ASSIGN_OR_RETURN(spec.ends, n.intsFrom("ends", 2));
  TET_ASSIGN_OR_RETURN(spec.axes, n.intsFrom("axes", 3));
  TET_ASSIGN_OR_RETURN(spec.steps, n.intsFrom("steps", 4));
  if (spec.axes.empty()) spec.axes = range(static_cast<int64_t>(spec.starts.size()));
  if (spec.steps.empty()) spec.steps = Shape(spec.starts.size(), 1);
  spec.axes = n.wrapAxes(spec.axes, rankOf(n.in(0)));
  TET_RETURN_IF_ERROR(n.b.status());
  const size_t count = spec.starts.size();
  if (spec.ends.size() != count || spec.axes.size() != count || spec.steps.size() != count) {
    return invalidArgument("starts, ends, axes and steps differ in length");
  }
  return spec;
}

// One axis as Python slices it.
Value sliceLikePython(OpContext& n, Value x, int64_t axis, int64_t start, int64_t end, int64_t step) {
  const int64_t size = dimOf(x, axis);
  auto wrap = [&](int64_t at) { return at < 0 ? std::max<int64_t>(at, -size - 1) + size : at; };
  if (step > 0) {
    start = std::clamp<int64_t>(wrap(start), 0, size);
    end = std::clamp<int64_t>(wrap(end), start, std::max(start, size));
    return n.b.sliceAxis(x, axis, start, end, step);
  }
  start = std::clamp<int64_t>(wrap(start), -1, size - 1);
  end = std::clamp<int64_t>(wrap(end), -1, start);
  // Elements start, start + step, … above end: the same of the reversed axis.
  return n.b.sliceAxis(n.b.reverse(x, {axis}), axis, size - 1 - start, size - 1 - end, -step);
}

}  // namespace

Status importSlice(OpContext& n) {
  TET_ASSIGN_OR_RETURN(const SliceSpec spec, readSlice(n));
  Value x = n.in(0);
  for (size_t i = 0; i < spec.axes.size(); ++i) {
    if (spec.steps[i] == 0 || spec.steps[i] == INT64_MIN)
      return invalidArgument("step {} is not usable", spec.steps[i]);
    x = sliceLikePython(n, x, spec.axes[i], spec.starts[i], spec.ends[i], spec.steps[i]);
  }
  return n.result(x);
}

namespace {

// Elements of an axis that is padded with copies are listed one by one.
constexpr int64_t kLargestIndexList = 1 << 24;

// Which element of a dimension of `size` lies at `at` once it is extended without end.
int64_t extended(int64_t at, int64_t size, std::string_view mode) {
  if (mode == "edge") return std::clamp<int64_t>(at, 0, size - 1);
  if (mode == "wrap") return (at % size + size) % size;
  const int64_t period = std::max<int64_t>(2 * (size - 1), 1);
  const int64_t phase = (at % period + period) % period;
  return phase < size ? phase : period - phase;
}

Result<Value> padByIndex(OpContext& n, Value x, const Shape& low, const Shape& high, std::string_view mode) {
  for (int64_t d = 0; d < rankOf(x); ++d) {
    if (low[d] == 0 && high[d] == 0) continue;
    const int64_t size = dimOf(x, d);
    const int64_t padded = low[d] + high[d] + size;
    if (size == 0 || padded < 0 || padded > kLargestIndexList)
      return invalidArgument("dimension {} cannot be padded", d);
    Shape indices;
    for (int64_t i = -low[d]; i < size + high[d]; ++i) indices.push_back(extended(i, size, mode));
    x = n.b.take(x, n.b.ints(indices), d);
  }
  return x;
}

}  // namespace

Status importPad(OpContext& n) {
  Value x = n.in(0);
  const int64_t rank = rankOf(x);
  TET_ASSIGN_OR_RETURN(const Shape pads, n.intsFrom("pads", 1));
  Shape axes = range(rank);
  if (n.has(3)) {
    TET_ASSIGN_OR_RETURN(axes, n.constantInts(3, "the axes"));
    axes = n.wrapAxes(axes, rank);
  }
  TET_RETURN_IF_ERROR(n.b.status());
  if (pads.size() != 2 * axes.size())
    return invalidArgument("it has {} pads for {} axes", pads.size(), axes.size());
  Shape low(rank, 0), high(rank, 0);
  for (size_t i = 0; i < axes.size(); ++i) {
    low[axes[i]] = pads[i];
    high[axes[i]] = pads[i + axes.size()];
    if (std::abs(pads[i]) > INT32_MAX || std::abs(pads[i + axes.size()]) > INT32_MAX) {
      return invalidArgument("a pad is too large");
    }
  }
  const std::string mode = n.getString("mode", "constant");
  if (mode == "constant") {
    Value value = n.has(2) ? n.in(2) : n.b.scalar(typeOf(x), n.getFloat("value", 0));
    if (rankOf(value) == 1 && countOf(value) == 1) value = n.b.reshape(value, {});
    return n.result(n.b.pad(x, value, low, high));
  }
  if (mode != "edge" && mode != "reflect" && mode != "wrap") return n.decline("mode '{}' is not known", mode);
  TET_ASSIGN_OR_RETURN(x, padByIndex(n, x, low, high, mode));
  return n.result(x);
}

Status importCenterCropPad(OpContext& n) {
  Value x = n.in(0);
  TET_ASSIGN_OR_RETURN(const Shape target, n.constantInts(1, "the shape"));
  const Shape axes = n.wrapAxes(n.getInts("axes", range(rankOf(x))), rankOf(x));
  if (axes.size() != target.size())
    return invalidArgument("it has {} sizes for {} axes", target.size(), axes.size());
  for (size_t i = 0; i < axes.size(); ++i) {
    const int64_t axis = axes[i], size = dimOf(x, axis), goal = target[i];
    if (goal < 0 || goal > INT32_MAX) return invalidArgument("size {} is not usable", goal);
    if (goal < size) {
      x = n.b.sliceAxis(x, axis, (size - goal) / 2, (size - goal) / 2 + goal);
    } else {
      Shape low(rankOf(x), 0), high(rankOf(x), 0);
      low[axis] = (goal - size) / 2;
      high[axis] = goal - size - low[axis];
      x = n.b.pad(x, n.b.scalar(typeOf(x), 0), low, high);
    }
  }
  return n.result(x);
}

//-- Blocks of pixels

Status importDepthToSpace(OpContext& n) {
  const Value x = n.in(0);
  const int64_t size = n.getInt("blocksize");
  if (rankOf(x) != 4 || size < 1 || size > INT16_MAX || dimOf(x, 1) % (size * size) != 0) {
    return invalidArgument("block size {} does not fit {}", size, toString(typeOf(x), shapeOf(x)));
  }
  const int64_t batch = dimOf(x, 0), depth = dimOf(x, 1) / (size * size), height = dimOf(x, 2),
                width = dimOf(x, 3);
  const bool crd = n.getString("mode", "DCR") == "CRD";
  const Value blocks = crd ? n.b.reshape(x, {batch, depth, size, size, height, width})
                           : n.b.reshape(x, {batch, size, size, depth, height, width});
  const Value woven = n.b.transpose(blocks, crd ? Shape{0, 1, 4, 2, 5, 3} : Shape{0, 3, 4, 1, 5, 2});
  return n.result(n.b.reshape(woven, {batch, depth, height * size, width * size}));
}

Status importSpaceToDepth(OpContext& n) {
  const Value x = n.in(0);
  const int64_t size = n.getInt("blocksize");
  if (rankOf(x) != 4 || size < 1 || dimOf(x, 2) % size != 0 || dimOf(x, 3) % size != 0) {
    return invalidArgument("block size {} does not fit {}", size, toString(typeOf(x), shapeOf(x)));
  }
  const int64_t batch = dimOf(x, 0), depth = dimOf(x, 1), height = dimOf(x, 2) / size,
                width = dimOf(x, 3) / size;
  const bool crd = n.getString("mode", "DCR") == "CRD";
  const Value blocks = n.b.reshape(x, {batch, depth, height, size, width, size});
  const Value woven = n.b.transpose(blocks, crd ? Shape{0, 1, 3, 5, 2, 4} : Shape{0, 3, 5, 1, 2, 4});
  return n.result(n.b.reshape(woven, {batch, depth * size * size, height, width}));
}

Status importReverseSequence(OpContext& n) {
  const Value x = n.in(0);
  const int64_t batch = n.getAxis("batch_axis", 1, rankOf(x)), time = n.getAxis("time_axis", 0, rankOf(x));
  TET_RETURN_IF_ERROR(n.b.status());
  if (rankOf(x) < 2 || rankOf(n.in(1)) != 1 || dimOf(n.in(1), 0) != dimOf(x, batch)) {
    return invalidArgument("its lengths do not fit its data");
  }
  const Value position = n.b.iota(ElementType::I64, shapeOf(x), time);
  const Value length = n.b.broadcastInDim(n.b.convert(n.in(1), ElementType::I64), shapeOf(x), {batch});
  const Value mirrored = n.b.sub(n.b.sub(length, 1), position);
  const Value index = n.b.select(n.b.compare(LT, position, length), mirrored, position);
  return n.result(n.b.takeAlong(x, index, time));
}

}  // namespace tetrarch::onnx
