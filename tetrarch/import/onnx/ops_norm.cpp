// Normalisations and softmax.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "tetrarch/import/compositions.h"
#include "tetrarch/import/onnx/importer.h"
#include "tetrarch/import/onnx/op_context.h"

namespace tetrarch::onnx {
namespace {

using tet::ReductionKind;

Shape axesFrom(Value x, int64_t axis) {
  Shape axes;
  for (int64_t d = axis; d < rankOf(x); ++d) axes.push_back(d);
  return axes;
}

// v of one element per channel, spread over x.
Value perChannel(GraphBuilder& b, Value v, Value x) { return b.broadcastInDim(v, shapeOf(x), {1}); }

Value normalize(GraphBuilder& b, Value x, llvm::ArrayRef<int64_t> axes, double epsilon) {
  const Value centred = b.sub(x, b.mean(x, axes, true));
  const Value variance = b.mean(b.mul(centred, centred), axes, true);
  return b.mul(centred, b.unary("rsqrt", b.add(variance, epsilon)));
}

Status importAnySoftmax(OpContext& n, Value (*composition)(GraphBuilder&, Value, int64_t)) {
  const Value x = n.in(0);
  const int64_t axis = n.getAxis("axis", n.opset < 13 ? 1 : -1, rankOf(x));
  TET_RETURN_IF_ERROR(n.b.status());
  if (n.opset >= 13) return n.result(composition(n.b, x, axis));
  // The older form works on a matrix: all dimensions from `axis` on are one.
  int64_t rows = 1;
  for (int64_t d = 0; d < axis; ++d) rows *= dimOf(x, d);
  const Value matrix = n.b.reshape(x, {rows, rows ? countOf(x) / rows : 0});
  return n.result(n.b.reshape(composition(n.b, matrix, 1), shapeOf(x)));
}

}  // namespace

Status importSoftmax(OpContext& n) { return importAnySoftmax(n, softmax); }
Status importLogSoftmax(OpContext& n) { return importAnySoftmax(n, logSoftmax); }

// Inference: x * a + b, where a and b are constants when the statistics are.
Status importBatchNormalization(OpContext& n) {
  const Value x = n.in(0), scale = n.in(1), bias = n.in(2);
  Value mean = n.in(3), variance = n.in(4), running_mean, running_variance;
  if (rankOf(x) < 2) return invalidArgument("its input has {} dimensions", rankOf(x));
  const ElementType type = typeOf(x), wide = typeOf(mean);
  if (n.opset >= 14 && n.getInt("training_mode")) {
    const double momentum = n.getFloat("momentum", 0.9f);
    const Shape axes = complement(rankOf(x), {1});
    const Value real = n.b.convert(x, wide);
    const Value batch_mean = n.b.mean(real, axes, true), centred = n.b.sub(real, batch_mean);
    const Value batch_variance = n.b.mean(n.b.mul(centred, centred), axes);
    auto blend = [&](Value old, Value now) {
      return n.b.add(n.b.mul(old, momentum), n.b.mul(now, 1 - momentum));
    };
    running_mean = blend(mean, n.b.reshape(batch_mean, shapeOf(mean)));
    running_variance = blend(variance, batch_variance);
    mean = n.b.reshape(batch_mean, shapeOf(mean));
    variance = batch_variance;
  }
  const Value factor =
      n.b.mul(n.b.convert(scale, wide), n.b.unary("rsqrt", n.b.add(variance, n.getFloat("epsilon", 1e-5f))));
  const Value offset = n.b.sub(n.b.convert(bias, wide), n.b.mul(mean, factor));
  const Value scaled = n.b.mul(n.b.convert(x, wide), perChannel(n.b, factor, x));
  const Value y = n.b.convert(n.b.add(scaled, perChannel(n.b, offset, x)), type);
  return n.results({y, running_mean, running_variance});
}

Status importLayerNormalization(OpContext& n) {
  const Value x = n.in(0);
  const int64_t axis = n.getAxis("axis", -1, rankOf(x));
  TET_RETURN_IF_ERROR(n.b.status());
  const auto [y, mean, inverse] =
      layerNorm(n.b, x, n.in(1), n.has(2) ? n.in(2) : Value(), axis, n.getFloat("epsilon", 1e-5f));
  return n.results({y, mean, inverse});
}

Status importRmsNormalization(OpContext& n) {
  const int64_t axis = n.getAxis("axis", -1, rankOf(n.in(0)));
  TET_RETURN_IF_ERROR(n.b.status());
  return n.result(rmsNorm(n.b, n.in(0), n.in(1), axis, n.getFloat("epsilon", 1e-5f)));
}

Status importInstanceNormalization(OpContext& n) {
  const double epsilon = n.getFloat("epsilon", 1e-5f);
  const Values y = inFloat32(n.b, {n.in(0), n.in(1), n.in(2)}, [&](llvm::ArrayRef<Value> v) -> Values {
    const Value normal = normalize(n.b, v[0], axesFrom(v[0], 2), epsilon);
    return {n.b.add(n.b.mul(normal, perChannel(n.b, v[1], v[0])), perChannel(n.b, v[2], v[0]))};
  });
  return n.results(y);
}

// Before opset 21 scale and bias were one per group, since then one per channel.
Status importGroupNormalization(OpContext& n) {
  const Value x = n.in(0);
  const int64_t groups = n.getInt("num_groups"), channels = dimOf(x, 1);
  if (rankOf(x) < 2 || groups < 1 || channels % groups != 0 || dimOf(x, 0) == 0) {
    return invalidArgument("{} groups do not fit {}", groups, toString(typeOf(x), shapeOf(x)));
  }
  const int64_t elements = countOf(x) / dimOf(x, 0) / groups;
  const double epsilon = n.getFloat("epsilon", 1e-5f);
  const Values y = inFloat32(n.b, {x, n.in(1), n.in(2)}, [&](llvm::ArrayRef<Value> v) -> Values {
    const Value rows = n.b.reshape(v[0], {dimOf(x, 0), groups, elements});
    const Value normal = normalize(n.b, rows, {2}, epsilon);
    if (n.opset < 21) {
      const Value scaled = n.b.add(n.b.mul(normal, perChannel(n.b, v[1], rows)), perChannel(n.b, v[2], rows));
      return {n.b.reshape(scaled, shapeOf(x))};
    }
    const Value whole = n.b.reshape(normal, shapeOf(x));
    return {n.b.add(n.b.mul(whole, perChannel(n.b, v[1], whole)), perChannel(n.b, v[2], whole))};
  });
  return n.results(y);
}

Status importMeanVarianceNormalization(OpContext& n) {
  const Value x = n.in(0);
  const Shape axes = n.wrapAxes(n.getInts("axes", {0, 2, 3}), rankOf(x));
  TET_RETURN_IF_ERROR(n.b.status());
  const Value centred = n.b.sub(x, n.b.mean(x, axes, true));
  const Value deviation = n.b.sqrt(n.b.mean(n.b.mul(centred, centred), axes, true));
  return n.result(n.b.div(centred, n.b.add(deviation, 1e-9)));
}

Status importLpNormalization(OpContext& n) {
  const Value x = n.in(0);
  const int64_t axis = n.getAxis("axis", -1, rankOf(x)), p = n.getInt("p", 2);
  if (p != 1 && p != 2) return invalidArgument("p is {} instead of 1 or 2", p);
  const Value sum = n.b.sum(p == 1 ? n.b.abs(x) : n.b.mul(x, x), {axis}, true);
  const Value norm = p == 1 ? sum : n.b.sqrt(sum);
  // A zero vector stays zero.
  const Value zero = n.b.compare(tet::ComparisonDirection::EQ, norm, 0);
  return n.result(n.b.div(x, n.b.select(zero, n.b.like(norm, 1), norm)));
}

// x / (bias + alpha / size * sum of squares over `size` neighbouring channels) ^ beta.
Status importLrn(OpContext& n) {
  const Value x = n.in(0);
  const int64_t size = n.getInt("size");
  if (rankOf(x) < 2 || size < 1 || size > INT32_MAX) return invalidArgument("size {} does not fit", size);
  const size_t dims = static_cast<size_t>(rankOf(x) - 1);
  Window window{Shape(dims, 1), Shape(dims, 1), Shape(dims, 1), Shape(dims, 0), Shape(dims, 0)};
  window.size[0] = size;
  window.pad_low[0] = (size - 1) / 2;
  window.pad_high[0] = size / 2;
  const Value squares = n.b.reduceWindow(ReductionKind::Add, n.b.mul(x, x), window);
  const double alpha = n.getFloat("alpha", 1e-4f) / static_cast<double>(size);
  const Value base = n.b.add(n.b.mul(squares, alpha), n.getFloat("bias", 1));
  return n.result(n.b.div(x, n.b.binary("power", base, n.getFloat("beta", 0.75))));
}

}  // namespace tetrarch::onnx
