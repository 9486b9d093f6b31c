// Operators that choose elements by value or by index.
#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>

#include "tetrarch/import/onnx/importer.h"
#include "tetrarch/import/onnx/op_context.h"

namespace tetrarch::onnx {
namespace {

using enum tet::ComparisonDirection;
using tet::ReductionKind;

Result<ReductionKind> scatterKind(OpContext& n) {
  static const std::map<std::string_view, ReductionKind> kinds = {
      {"none", ReductionKind::Assign}, {"add", ReductionKind::Add},     {"mul", ReductionKind::Multiply},
      {"max", ReductionKind::Maximum}, {"min", ReductionKind::Minimum},
  };
  const std::string name = n.getString("reduction", "none");
  const auto found = kinds.find(name);
  if (found == kinds.end()) return n.decline("reduction '{}' is not known", name);
  return found->second;
}

// Where along `axis` the largest (smallest) element lies, a NaN before all others; keeps the dimension.
Value argExtreme(GraphBuilder& b, Value x, int64_t axis, bool largest, bool last) {
  const Value extreme = b.reduce(largest ? ReductionKind::Maximum : ReductionKind::Minimum, x, {axis}, true);
  Value hit = b.compare(EQ, x, extreme);
  if (isFloat(x)) hit = b.binary("or", hit, b.isNan(x));
  const Value position = b.iota(ElementType::I64, shapeOf(x), axis);
  const double never = last ? -1 : static_cast<double>(dimOf(x, axis));
  return b.reduce(last ? ReductionKind::Maximum : ReductionKind::Minimum, b.select(hit, position, never),
                  {axis}, true);
}

Status importArg(OpContext& n, bool largest) {
  const Value x = n.in(0);
  const int64_t axis = n.getAxis("axis", 0, rankOf(x));
  if (dimOf(x, axis) == 0) return invalidArgument("axis {} is empty", axis);
  const Value index = argExtreme(n.b, x, axis, largest, n.getInt("select_last_index") != 0);
  return n.result(n.getInt("keepdims", 1) ? index : n.b.squeeze(index, {axis}));
}

Status importCumulative(OpContext& n, ReductionKind kind, double identity) {
  Value x = n.in(0);
  TET_ASSIGN_OR_RETURN(const Shape axes, n.constantInts(1, "the axis"));
  if (axes.size() != 1) return invalidArgument("it has {} axes", axes.size());
  const int64_t axis = n.wrapAxis(axes[0], rankOf(x));
  const bool reverse = n.getInt("reverse") != 0;
  if (reverse) x = n.b.reverse(x, {axis});
  if (n.getInt("exclusive") && dimOf(x, axis) > 0) {
    Shape low(rankOf(x), 0), high(rankOf(x), 0);
    low[axis] = 1;
    high[axis] = -1;
    x = n.b.pad(x, n.b.scalar(typeOf(x), identity), low, high);
  }
  x = n.b.cumulative(kind, x, axis);
  return n.result(reverse ? n.b.reverse(x, {axis}) : x);
}

}  // namespace

//-- Gather and scatter

Status importGather(OpContext& n) {
  return n.result(n.b.take(n.in(0), n.in(1), n.getAxis("axis", 0, rankOf(n.in(0)))));
}

Status importGatherElements(OpContext& n) {
  return n.result(n.b.takeAlong(n.in(0), n.in(1), n.getAxis("axis", 0, rankOf(n.in(0)))));
}

Status importGatherNd(OpContext& n) {
  return n.result(n.b.gatherNd(n.in(0), n.in(1), n.getInt("batch_dims")));
}

Status importScatterElements(OpContext& n) {
  TET_ASSIGN_OR_RETURN(const ReductionKind kind, scatterKind(n));
  const int64_t axis = n.getAxis("axis", 0, rankOf(n.in(0)));
  return n.result(n.b.scatterAlong(kind, n.in(0), n.in(1), n.in(2), axis));
}

Status importScatterNd(OpContext& n) {
  TET_ASSIGN_OR_RETURN(const ReductionKind kind, scatterKind(n));
  return n.result(n.b.scatterNd(kind, n.in(0), n.in(1), n.in(2)));
}

// Writes `update` into the cache from each sample's own position on.
Status importTensorScatter(OpContext& n) {
  const Value cache = n.in(0), update = n.in(1);
  const int64_t axis = n.getAxis("axis", -2, rankOf(cache));
  const std::string mode = n.getString("mode", "linear");
  if (mode != "linear" && mode != "circular") return n.decline("mode '{}' is not known", mode);
  Value position = n.b.iota(ElementType::I64, shapeOf(update), axis);
  if (n.has(2)) {
    const Value start = n.b.convert(n.in(2), ElementType::I64);
    position = n.b.add(position, n.b.broadcastInDim(start, shapeOf(update), {0}));
  }
  if (mode == "circular")
    position = n.b.binary("remainder", position, static_cast<double>(dimOf(cache, axis)));
  return n.result(n.b.scatterAlong(ReductionKind::Assign, cache, position, update, axis));
}

Status importArrayFeatureExtractor(OpContext& n) {
  const Value x = n.in(0);
  const Value indices = n.b.reshape(n.in(1), {countOf(n.in(1))});
  return n.result(
      n.b.take(rankOf(x) == 1 ? n.b.expandDims(x, {0}) : x, indices, std::max<int64_t>(rankOf(x) - 1, 1)));
}

Status importBinarizer(OpContext& n) {
  const Value above = n.b.compare(GT, n.in(0), n.getFloat("threshold"));
  return n.result(n.b.convert(above, typeOf(n.in(0))));
}

//-- Order

Status importArgMax(OpContext& n) { return importArg(n, true); }
Status importArgMin(OpContext& n) { return importArg(n, false); }

Status importHardmax(OpContext& n) {
  Value x = n.in(0);
  const Shape shape(shapeOf(x));
  int64_t axis = n.getAxis("axis", n.opset < 13 ? 1 : -1, rankOf(x));
  TET_RETURN_IF_ERROR(n.b.status());
  if (n.opset < 13) {  // the older form works on a matrix
    int64_t rows = 1;
    for (int64_t d = 0; d < axis; ++d) rows *= shape[d];
    x = n.b.reshape(x, {rows, rows ? countOf(x) / rows : 0});
    axis = 1;
  }
  const Value index = argExtreme(n.b, x, axis, true, false);
  const Value hit = n.b.compare(EQ, n.b.iota(ElementType::I64, shapeOf(x), axis), index);
  return n.result(n.b.reshape(n.b.convert(hit, typeOf(x)), shape));
}

Status importTopK(OpContext& n) {
  const Value x = n.in(0);
  const int64_t axis = n.getAxis("axis", -1, rankOf(x));
  Shape k = {n.getInt("k", -1)};  // an attribute before opset 10
  if (n.opset >= 10) {
    TET_ASSIGN_OR_RETURN(k, n.constantInts(1, "the number of elements k"));
  }
  if (k.size() != 1 || k[0] < 0 || k[0] > dimOf(x, axis))
    return invalidArgument("k does not fit the dimension");
  const auto direction =
      n.getInt("largest", 1) ? tet::SortDirection::Descending : tet::SortDirection::Ascending;
  const Values sorted = n.b.sort({x, n.b.iota(ElementType::I64, shapeOf(x), axis)}, axis, direction);
  return n.results({n.b.sliceAxis(sorted[0], axis, 0, k[0]), n.b.sliceAxis(sorted[1], axis, 0, k[0])});
}

Status importCumSum(OpContext& n) { return importCumulative(n, ReductionKind::Add, 0); }
Status importCumProd(OpContext& n) { return importCumulative(n, ReductionKind::Multiply, 1); }

Status importOneHot(OpContext& n) {
  const Value indices = n.in(0), values = n.in(2);
  TET_ASSIGN_OR_RETURN(const Tensor depth, n.constant(1, "the depth"));
  if (depth.count() != 1 || depth.getInt(0) < 0 || depth.getInt(0) > INT32_MAX) {
    return invalidArgument("its depth is not usable");
  }
  const int64_t classes = depth.getInt(0), rank = rankOf(indices) + 1, axis = n.getAxis("axis", -1, rank);
  TET_RETURN_IF_ERROR(n.b.status());
  if (rankOf(values) != 1 || dimOf(values, 0) != 2) return invalidArgument("its values are not [off, on]");
  Shape shape(shapeOf(indices));
  shape.insert(shape.begin() + axis, classes);
  const Value index = n.b.expandDims(n.b.wrapIndices(indices, classes), {axis});
  const Value hit = n.b.compare(EQ, n.b.iota(typeOf(indices), shape, axis), index);
  const Value off = n.b.squeeze(n.b.sliceAxis(values, 0, 0, 1), {0}),
              on = n.b.squeeze(n.b.sliceAxis(values, 0, 1, 2), {0});
  return n.result(n.b.select(hit, on, off));
}

//-- Operators whose result's shape depends on the data: taken where the data is known at import

Status importNonZero(OpContext& n) {
  TET_ASSIGN_OR_RETURN(const Tensor x, n.constant(0, "how many elements are not zero"));
  Shape found;
  for (int64_t i = 0; i < x.count(); ++i) {
    if (x.getDouble(i) != 0) found.push_back(i);
  }
  const int64_t count = static_cast<int64_t>(found.size());
  TET_ASSIGN_OR_RETURN(Tensor indices, Tensor::create(ElementType::I64, {x.rank(), count}));
  for (int64_t k = 0; k < count; ++k) {
    int64_t rest = found[k];
    for (int64_t d = x.rank() - 1; d >= 0; --d) {
      indices.setInt(d * count + k, rest % x.shape()[d]);
      rest /= x.shape()[d];
    }
  }
  return n.result(n.b.constant(indices));
}

Status importCompress(OpContext& n) {
  TET_ASSIGN_OR_RETURN(const Shape condition, n.constantInts(1, "how many elements remain"));
  Value x = n.in(0);
  if (!n.hasAttribute("axis")) x = n.b.reshape(x, {countOf(x)});
  const int64_t axis = n.getAxis("axis", 0, rankOf(x));
  Shape kept;
  for (size_t i = 0; i < condition.size() && static_cast<int64_t>(i) < dimOf(x, axis); ++i) {
    if (condition[i]) kept.push_back(static_cast<int64_t>(i));
  }
  return n.result(n.b.take(x, n.b.ints(kept), axis));
}

namespace {

// The slices of a tensor along one axis, each a row of doubles (exact for all that ONNX's Unique is used on).
std::vector<std::vector<double>> slicesOf(const Tensor& x, int64_t axis) {
  const int64_t size = x.shape()[axis];
  std::vector<std::vector<double>> rows(size);
  int64_t inner = 1;
  for (int64_t d = axis + 1; d < x.rank(); ++d) inner *= x.shape()[d];
  for (int64_t i = 0; i < x.count(); ++i) rows[i / inner % size].push_back(x.getDouble(i));
  return rows;
}

struct UniqueRows {
  Shape first, inverse, counts;
};

UniqueRows uniqueRows(const std::vector<std::vector<double>>& rows, bool sorted) {
  std::map<std::vector<double>, int64_t> seen;  // row -> its number in order of first occurrence
  UniqueRows unique;
  for (size_t i = 0; i < rows.size(); ++i) {
    const auto [at, is_new] = seen.emplace(rows[i], static_cast<int64_t>(unique.first.size()));
    if (is_new) {
      unique.first.push_back(static_cast<int64_t>(i));
      unique.counts.push_back(0);
    }
    unique.inverse.push_back(at->second);
    ++unique.counts[at->second];
  }
  if (!sorted) return unique;
  Shape rank(unique.first.size());
  UniqueRows ordered{{}, unique.inverse, {}};
  for (const auto& [row, number] : seen) {
    rank[number] = static_cast<int64_t>(ordered.first.size());
    ordered.first.push_back(unique.first[number]);
    ordered.counts.push_back(unique.counts[number]);
  }
  for (int64_t& number : ordered.inverse) number = rank[number];
  return ordered;
}

}  // namespace

Status importUnique(OpContext& n) {
  TET_ASSIGN_OR_RETURN(Tensor x, n.constant(0, "how many elements differ"));
  Value data = n.in(0);
  if (!n.hasAttribute("axis")) {
    x = Tensor::view(x.type(), {x.count()}, x.data(), std::make_shared<Tensor>(x));
    data = n.b.reshape(data, {countOf(data)});
  }
  const int64_t axis = n.getAxis("axis", 0, x.rank());
  TET_RETURN_IF_ERROR(n.b.status());
  if (isFloat(x.type()) &&
      std::ranges::any_of(range(x.count()), [&](int64_t i) { return std::isnan(x.getDouble(i)); })) {
    return n.decline("its data holds NaN, which equals nothing");
  }
  const UniqueRows unique = uniqueRows(slicesOf(x, axis), n.getInt("sorted", 1) != 0);
  return n.results({n.b.take(data, n.b.ints(unique.first), axis), n.b.ints(unique.first),
                    n.b.ints(unique.inverse), n.b.ints(unique.counts)});
}

}  // namespace tetrarch::onnx
