// Pools.
#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>

#include "tetrarch/import/onnx/importer.h"
#include "tetrarch/import/onnx/op_context.h"
#include "tetrarch/import/onnx/windows.h"

namespace tetrarch::onnx {
namespace {

using enum tet::ComparisonDirection;
using tet::ReductionKind;

// Unrolled over the window's elements, so for small windows only.
constexpr int64_t kUnrolledWindow = 1024;
// Divisors of an average are counted position by position.
constexpr int64_t kCountedElements = 1 << 24;

Shape spatialAxes(Value x) {
  Shape axes = range(rankOf(x));
  axes.erase(axes.begin(), axes.begin() + std::min<int64_t>(2, rankOf(x)));
  return axes;
}

// What each position's sum is divided by: how many of its elements lie in the input, or with `include_pad` in
// the padding too (but never beyond it, where ceil_mode may reach). Shape [1, 1, positions…].
Result<Tensor> elementsPerWindow(const Window& window, Value x, const Shape& declared_high,
                                 bool include_pad) {
  const size_t spatial = window.size.size();
  Shape shape = {1, 1};
  std::vector<Shape> counts(spatial);
  for (size_t i = 0; i < spatial; ++i) {
    const int64_t in = dimOf(x, static_cast<int64_t>(i) + 2), positions = windowPositions(window, x, i);
    if (positions * window.size[i] > kCountedElements)
      return unimplemented("a pool of {} positions", positions);
    const int64_t low = include_pad ? -window.pad_low[i] : 0, high = include_pad ? in + declared_high[i] : in;
    for (int64_t p = 0; p < positions; ++p) {
      int64_t count = 0;
      for (int64_t k = 0; k < window.size[i]; ++k) {
        const int64_t at = p * window.strides[i] - window.pad_low[i] + k * window.dilations[i];
        count += at >= low && at < high;
      }
      counts[i].push_back(count);
    }
    shape.push_back(positions);
  }
  TET_ASSIGN_OR_RETURN(Tensor tensor, Tensor::create(typeOf(x), shape));
  for (int64_t flat = 0; flat < tensor.count(); ++flat) {
    int64_t product = 1, rest = flat;
    for (size_t i = spatial; i-- > 0;) {
      product *= counts[i][rest % shape[i + 2]];
      rest /= shape[i + 2];
    }
    tensor.setDouble(flat, static_cast<double>(product));
  }
  return tensor;
}

// Calls f with x's elements at each offset of the window in turn, one value of the result's shape per offset.
void forEachOffset(GraphBuilder& b, Value padded, Value positions_of, const Window& window,
                   llvm::ArrayRef<int64_t> positions, llvm::function_ref<void(Value, Value)> f) {
  const size_t spatial = window.size.size();
  const int64_t total =
      std::accumulate(window.size.begin(), window.size.end(), int64_t{1}, std::multiplies<>());
  for (int64_t flat = 0; flat < total; ++flat) {
    Shape starts(spatial + 2, 0), limits(shapeOf(padded)), strides(spatial + 2, 1);
    int64_t rest = flat;
    for (size_t i = spatial; i-- > 0;) {
      starts[i + 2] = rest % window.size[i] * window.dilations[i];
      rest /= window.size[i];
      strides[i + 2] = window.strides[i];
      limits[i + 2] = starts[i + 2] + (positions[i] - 1) * window.strides[i] + 1;
    }
    f(b.slice(padded, starts, limits, strides), b.slice(positions_of, starts, limits, strides));
  }
}

// The flat index of each element of x, with the spatial dimensions counted column by column when asked.
Value flatIndices(GraphBuilder& b, Value x, bool column_major) {
  Shape shape(shapeOf(x)), order = range(rankOf(x));
  if (column_major) {
    std::reverse(shape.begin() + 2, shape.end());
    std::reverse(order.begin() + 2, order.end());
  }
  const Value flat = b.iota(ElementType::I64, {countOf(x)}, 0);
  return b.transpose(b.reshape(flat, shape), order);
}

// The index of the largest element of each window, the first one of equals.
Result<Value> maxPoolIndices(OpContext& n, Value x, const Window& window) {
  const int64_t elements =
      std::accumulate(window.size.begin(), window.size.end(), int64_t{1}, std::multiplies<>());
  if (elements > kUnrolledWindow) return n.decline("indices of a window of {} elements", elements);
  Shape low = {0, 0}, high = {0, 0}, positions;
  for (size_t i = 0; i < window.size.size(); ++i) {
    positions.push_back(windowPositions(window, x, i));
    low.push_back(window.pad_low[i]);
    high.push_back(window.pad_high[i]);
  }
  const double lowest = isFloat(x) ? -INFINITY : (typeOf(x) == ElementType::I8 ? -128 : 0);
  const Value padded = n.b.pad(x, n.b.scalar(typeOf(x), lowest), low, high);
  const Value flat = flatIndices(n.b, x, n.getInt("storage_order") != 0);
  const Value indices = n.b.pad(flat, n.b.scalar(ElementType::I64, 0), low, high);
  Value best, best_index;
  forEachOffset(n.b, padded, indices, window, positions, [&](Value element, Value index) {
    const Value better = best ? n.b.compare(GT, element, best) : Value();
    best = best ? n.b.select(better, element, best) : element;
    best_index = best_index ? n.b.select(better, index, best_index) : index;
  });
  return best_index;
}

Status importGlobal(OpContext& n, llvm::function_ref<Value(Value, const Shape&)> reduce) {
  const Value x = n.in(0);
  if (rankOf(x) < 3) return invalidArgument("its input has {} dimensions", rankOf(x));
  return n.result(reduce(x, spatialAxes(x)));
}

Value powerMean(GraphBuilder& b, Value x, double p, llvm::function_ref<Value(Value)> sum) {
  if (p == 1) return sum(b.abs(x));
  if (p == 2) return b.sqrt(sum(b.mul(x, x)));
  return b.binary("power", sum(b.binary("power", b.abs(x), p)), 1 / p);
}

}  // namespace

Status importMaxPool(OpContext& n) {
  const Value x = n.in(0);
  const Window window = readWindow(n, x, n.getInts("kernel_shape"));
  TET_RETURN_IF_ERROR(n.b.status());
  Value indices;
  if (n.wants(1)) {
    TET_ASSIGN_OR_RETURN(indices, maxPoolIndices(n, x, window));
  }
  return n.results({n.b.reduceWindow(ReductionKind::Maximum, x, window), indices});
}

Status importAveragePool(OpContext& n) {
  const Value x = n.in(0);
  const Window window = readWindow(n, x, n.getInts("kernel_shape"));
  TET_RETURN_IF_ERROR(n.b.status());
  const size_t spatial = window.size.size();
  // With ceil_mode the window carries more padding than the node declares.
  Shape declared = window.pad_high;
  if (n.getString("auto_pad", "NOTSET") == "NOTSET") {
    const Shape pads = n.getInts("pads", Shape(2 * spatial, 0));
    declared.assign(pads.begin() + static_cast<int64_t>(spatial), pads.end());
  }
  const bool include_pad = n.getInt("count_include_pad") != 0;
  TET_ASSIGN_OR_RETURN(const Tensor counts, elementsPerWindow(window, x, declared, include_pad));
  const Value sum = n.b.reduceWindow(ReductionKind::Add, x, window);
  return n.result(n.b.div(sum, n.b.constant(counts)));
}

Status importLpPool(OpContext& n) {
  const Value x = n.in(0);
  const Window window = readWindow(n, x, n.getInts("kernel_shape"));
  TET_RETURN_IF_ERROR(n.b.status());
  return n.result(powerMean(n.b, x, static_cast<double>(n.getInt("p", 2)),
                            [&](Value v) { return n.b.reduceWindow(ReductionKind::Add, v, window); }));
}

Status importGlobalMaxPool(OpContext& n) {
  return importGlobal(
      n, [&](Value x, const Shape& axes) { return n.b.reduce(ReductionKind::Maximum, x, axes, true); });
}
Status importGlobalAveragePool(OpContext& n) {
  return importGlobal(n, [&](Value x, const Shape& axes) { return n.b.mean(x, axes, true); });
}
Status importGlobalLpPool(OpContext& n) {
  return importGlobal(n, [&](Value x, const Shape& axes) {
    return powerMean(n.b, x, static_cast<double>(n.getInt("p", 2)),
                     [&](Value v) { return n.b.sum(v, axes, true); });
  });
}

Status importMaxUnpool(OpContext& n) {
  const Value x = n.in(0);
  const Window window = readWindow(n, x, n.getInts("kernel_shape"));
  TET_RETURN_IF_ERROR(n.b.status());
  Shape inferred = {dimOf(x, 0), dimOf(x, 1)};
  for (size_t i = 0; i < window.size.size(); ++i) {
    const int64_t in = dimOf(x, static_cast<int64_t>(i) + 2);
    inferred.push_back((in - 1) * window.strides[i] + window.size[i] - window.pad_low[i] -
                       window.pad_high[i]);
  }
  Shape shape = inferred;
  if (n.has(2)) {
    TET_ASSIGN_OR_RETURN(shape, n.constantInts(2, "the output shape"));
  }
  TET_ASSIGN_OR_RETURN(const int64_t count, elementCount(inferred));
  const Value zeros = n.b.full(typeOf(x), {count}, 0);
  const Value flat = n.b.scatterAlong(ReductionKind::Assign, zeros, n.b.reshape(n.in(1), {countOf(x)}),
                                      n.b.reshape(x, {countOf(x)}), 0);
  const Value unpooled = n.b.reshape(flat, inferred);
  if (shape == inferred) return n.result(unpooled);
  Shape high;
  if (shape.size() != inferred.size())
    return invalidArgument("its output shape has {} dimensions", shape.size());
  for (size_t d = 0; d < shape.size(); ++d) high.push_back(shape[d] - inferred[d]);
  return n.result(n.b.pad(unpooled, n.b.scalar(typeOf(x), 0), Shape(shape.size(), 0), high));
}

}  // namespace tetrarch::onnx
