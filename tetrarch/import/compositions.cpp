#include "tetrarch/import/compositions.h"

#include <cmath>

#include "llvm/ADT/STLExtras.h"
#include "tetrarch/graph/quantized.h"

namespace tetrarch {
namespace {

using tet::ReductionKind;

bool isNarrow(ElementType type) { return isFloat(type) && byteSize(type) < 4; }

Values convertAll(GraphBuilder& b, llvm::ArrayRef<Value> values, ElementType type) {
  Values converted;
  for (Value value : values) converted.push_back(b.convert(value, type));
  return converted;
}

Value first(const Values& values) { return values.empty() ? Value() : values.front(); }

Shape axesFrom(Value x, int64_t axis) {
  Shape axes;
  for (int64_t d = axis; d < rankOf(x); ++d) axes.push_back(d);
  return axes;
}

}  // namespace

Values inFloat32(GraphBuilder& b, llvm::ArrayRef<Value> values, GraphBuilder::Body body) {
  const ElementType type = values.empty() ? ElementType::F32 : typeOf(values.front());
  if (!isNarrow(type)) return body(values);
  Values wide;
  for (Value value : values)
    wide.push_back(value && isNarrow(typeOf(value)) ? b.convert(value, ElementType::F32) : value);
  return convertAll(b, body(wide), type);
}

Value softmax(GraphBuilder& b, Value x, int64_t axis) {
  auto body = [&](llvm::ArrayRef<Value> in) {
    return inFloat32(b, in, [&](llvm::ArrayRef<Value> v) -> Values {
      const Value shifted = b.sub(v[0], b.reduce(ReductionKind::Maximum, v[0], {axis}, true));
      const Value e = b.exp(shifted);
      return {b.div(e, b.sum(e, {axis}, true))};
    });
  };
  return first(b.composite("softmax", {x}, body, {b.attr("axis", axis)}));
}

Value logSoftmax(GraphBuilder& b, Value x, int64_t axis) {
  auto body = [&](llvm::ArrayRef<Value> in) {
    return inFloat32(b, in, [&](llvm::ArrayRef<Value> v) -> Values {
      const Value shifted = b.sub(v[0], b.reduce(ReductionKind::Maximum, v[0], {axis}, true));
      return {b.sub(shifted, b.log(b.sum(b.exp(shifted), {axis}, true)))};
    });
  };
  return first(b.composite("log_softmax", {x}, body, {b.attr("axis", axis)}));
}

Value gelu(GraphBuilder& b, Value x, bool tanh_approximation) {
  auto body = [&](llvm::ArrayRef<Value> in) {
    return inFloat32(b, in, [&](llvm::ArrayRef<Value> v) -> Values {
      Value inner;
      if (tanh_approximation) {
        const Value cube = b.mul(v[0], b.mul(v[0], v[0]));
        inner = b.unary("tanh", b.mul(b.add(v[0], b.mul(cube, 0.044715)), std::sqrt(2 / M_PI)));
      } else {
        inner = b.unary("erf", b.mul(v[0], std::sqrt(0.5)));
      }
      return {b.mul(b.mul(v[0], 0.5), b.add(inner, 1))};
    });
  };
  return first(b.composite("gelu", {x}, body, {b.attr("tanh", b.ops().getBoolAttr(tanh_approximation))}));
}

Value swish(GraphBuilder& b, Value x, double alpha) {
  auto body = [&](llvm::ArrayRef<Value> in) {
    return inFloat32(b, in, [&](llvm::ArrayRef<Value> v) -> Values {
      return {b.mul(v[0], b.unary("logistic", alpha == 1 ? v[0] : b.mul(v[0], alpha)))};
    });
  };
  return first(b.composite("swish", {x}, body, {b.attrFloat("alpha", alpha)}));
}

LayerNormResult layerNorm(GraphBuilder& b, Value x, Value scale, Value bias, int64_t axis, double epsilon) {
  Values inputs = {x, scale};
  if (bias) inputs.push_back(bias);
  const Shape axes = axesFrom(x, axis);
  auto body = [&](llvm::ArrayRef<Value> in) {
    // Mean and deviation stay in f32: that is their type in ONNX's operator too.
    const ElementType type = typeOf(in[0]);
    const ElementType wide = isNarrow(type) ? ElementType::F32 : type;
    const Values v = convertAll(b, in, wide);
    const Value mean = b.mean(v[0], axes, true);
    const Value centred = b.sub(v[0], mean);
    const Value variance = b.mean(b.mul(centred, centred), axes, true);
    const Value inverse = b.unary("rsqrt", b.add(variance, epsilon));
    Value y = b.mul(b.mul(centred, inverse), v[1]);
    if (bias) y = b.add(y, v[2]);
    return Values{b.convert(y, type), mean, inverse};
  };
  Values results =
      b.composite("layer_norm", inputs, body, {b.attr("axis", axis), b.attrFloat("epsilon", epsilon)});
  results.resize(3);
  return {results[0], results[1], results[2]};
}

Value rmsNorm(GraphBuilder& b, Value x, Value scale, int64_t axis, double epsilon) {
  const Shape axes = axesFrom(x, axis);
  auto body = [&](llvm::ArrayRef<Value> in) {
    return inFloat32(b, in, [&](llvm::ArrayRef<Value> v) -> Values {
      const Value mean_square = b.mean(b.mul(v[0], v[0]), axes, true);
      return {b.mul(b.mul(v[0], b.unary("rsqrt", b.add(mean_square, epsilon))), v[1])};
    });
  };
  return first(
      b.composite("rms_norm", {x, scale}, body, {b.attr("axis", axis), b.attrFloat("epsilon", epsilon)}));
}

// A scalar or a vector along `axis` at every element of `like`.
static Value spreadAlong(GraphBuilder& b, Value parameter, Value like, int64_t axis) {
  return b.broadcastInDim(parameter, shapeOf(like), rankOf(parameter) == 0 ? Shape{} : Shape{axis});
}

Value quantize(GraphBuilder& b, Value x, Value scale, Value zero_point, int64_t axis) {
  const ElementType type = typeOf(zero_point);
  auto body = [&](llvm::ArrayRef<Value> in) -> Values {
    const Value whole = b.unary("round_nearest_even", b.div(in[0], spreadAlong(b, in[1], in[0], axis)));
    const Value shifted = b.add(whole, spreadAlong(b, b.convert(in[2], ElementType::F32), in[0], axis));
    const bool is_signed = info(type).kind == ElementKind::Signed;
    return {b.convert(b.clamp(shifted, is_signed ? -128 : 0, is_signed ? 127 : 255), type)};
  };
  return first(b.composite(tet::kQuantize, {x, scale, zero_point}, body, {b.attr(tet::kAxis, axis)}));
}

Value dequantize(GraphBuilder& b, Value q, Value scale, Value zero_point, int64_t axis) {
  auto body = [&](llvm::ArrayRef<Value> in) -> Values {
    const Value zero = spreadAlong(b, b.convert(in[2], ElementType::I32), in[0], axis);
    const Value centred = b.sub(b.convert(in[0], ElementType::I32), zero);
    return {b.mul(b.convert(centred, ElementType::F32), spreadAlong(b, in[1], in[0], axis))};
  };
  return first(b.composite(tet::kDequantize, {q, scale, zero_point}, body, {b.attr(tet::kAxis, axis)}));
}

}  // namespace tetrarch
