#include "tetrarch/graph/quantized.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "tetrarch/graph/constants.h"
#include "tetrarch/graph/quantized_parts.h"

namespace tetrarch::tet {
namespace {

using namespace quantized;
using mlir::Type;
using mlir::Value;
using Values = llvm::SmallVector<Value>;

std::pair<int64_t, int64_t> limitsOf(Type type) {
  return type.isUnsignedInteger() ? std::pair<int64_t, int64_t>{0, 255}
                                  : std::pair<int64_t, int64_t>{-128, 127};
}

// roundingShift((acc + bias) * multiplier, shift) in i64.
Value scaled(Builder& b, const RequantizeInput& in) {
  Type i64 = b.getI64Type();
  Value sum = convert(b, in.acc, i64);
  if (in.bias) sum = AddOp::create(b, sum, spread(b, in.bias, i64, in.acc, in.axis));
  Value product = MultiplyOp::create(b, sum, spread(b, in.multiplier, i64, in.acc, in.axis));
  return shiftRounding(b, product, in.shift, in.axis);
}

Values inputsOf(const RequantizeInput& in) {
  Values inputs = {in.acc, in.multiplier, in.shift};
  if (in.bias) inputs.push_back(in.bias);
  return inputs;
}
// The same with the arguments of a region for the values.
RequantizeInput inRegion(const RequantizeInput& in, mlir::ValueRange arguments) {
  return {arguments[0], in.bias ? arguments[3] : Value(), arguments[1], arguments[2], in.axis};
}

}  // namespace

FixedPoint fixedPoint(double factor, int most_shift) {
  int exponent = 0;
  (void)std::frexp(factor, &exponent);  // factor = m * 2^exponent with 1/2 <= m < 1
  FixedPoint result{0, std::clamp(15 - exponent, 1, most_shift)};
  // A mantissa of almost 1 may round up to 2^15, which does not fit.
  if (std::nearbyint(std::ldexp(factor, result.shift)) >= std::ldexp(1, 15) && result.shift > 1)
    --result.shift;
  const double multiplier = std::nearbyint(std::ldexp(factor, result.shift));
  result.multiplier = static_cast<int32_t>(std::clamp(multiplier, 0.0, std::ldexp(1, 15) - 1));
  return result;
}

int64_t roundingShift(int64_t x, int shift) {
  const int64_t odd = (x >> shift) & 1;
  return (x + (int64_t{1} << (shift - 1)) - 1 + odd) >> shift;
}

Value quantize(Builder& b, Value x, Value scale, Value zero_point, int64_t axis) {
  Type element = typeOf(zero_point).getElementType();
  auto body = [&](Builder& b, mlir::ValueRange in) -> Value {
    Type f32 = b.getF32Type();
    Value real = DivideOp::create(b, in[0], spread(b, in[1], f32, in[0], axis));
    Value whole = RoundNearestEvenOp::create(b, real);
    Value shifted = AddOp::create(b, whole, spread(b, in[2], f32, in[0], axis));
    const auto [low, high] = limitsOf(element);
    auto number = [&](int64_t value) -> Value {
      return makeSplat(b, b.getLoc(), typeOf(in[0]), static_cast<double>(value));
    };
    return convert(b, ClampOp::create(b, in[0].getType(), number(low), shifted, number(high)), element);
  };
  return composite(b, kQuantize, {x, scale, zero_point}, typeOf(x).clone(element), {{kAxis, axis}}, body);
}

Value dequantize(Builder& b, Value q, Value scale, Value zero_point, int64_t axis) {
  auto body = [&](Builder& b, mlir::ValueRange in) -> Value {
    Type i32 = b.getI32Type(), f32 = b.getF32Type();
    Value wide = convert(b, in[0], i32);
    Value centred = SubtractOp::create(b, wide, spread(b, in[2], i32, in[0], axis));
    return MultiplyOp::create(b, convert(b, centred, f32), spread(b, in[1], f32, in[0], axis));
  };
  return composite(b, kDequantize, {q, scale, zero_point}, typeOf(q).clone(b.getF32Type()), {{kAxis, axis}},
                   body);
}

Value requantize(Builder& b, const RequantizeInput& in, const RequantizeOutput& out) {
  auto body = [&](Builder& b, mlir::ValueRange arguments) {
    return clipped(b, scaled(b, inRegion(in, arguments)), out);
  };
  return composite(b, kRequantize, inputsOf(in), typeOf(in.acc).clone(b.getI8Type()),
                   {{kAxis, in.axis}, {"zero_point", out.zero_point}, {"low", out.low}, {"high", out.high}},
                   body);
}

Value requantizeAdd(Builder& b, const RequantizeInput& in, const RequantizeOther& other,
                    const RequantizeOutput& out) {
  Values inputs = inputsOf(in);
  inputs.push_back(other.value);
  auto body = [&](Builder& b, mlir::ValueRange arguments) -> Value {
    Type i64 = b.getI64Type();
    Value first = scaled(b, inRegion(in, arguments));
    Value wide = convert(b, arguments.back(), i64);
    Value centred = SubtractOp::create(b, wide, splat(b, wide, i64, other.zero_point));
    Value product = MultiplyOp::create(b, centred, splat(b, wide, i64, int64_t{other.multiplier}));
    return clipped(b, AddOp::create(b, first, shiftRounding(b, product, other.shift)), out);
  };
  return composite(b, kRequantizeAdd, inputs, typeOf(in.acc).clone(b.getI8Type()),
                   {{kAxis, in.axis},
                    {"zero_point", out.zero_point},
                    {"low", out.low},
                    {"high", out.high},
                    {"other_zero_point", other.zero_point},
                    {"other_multiplier", other.multiplier},
                    {"other_shift", other.shift}},
                   body);
}

Value lookup(Builder& b, Value q, Value table) {
  auto type = typeOf(q).clone(typeOf(table).getElementType());
  auto body = [&](Builder& b, mlir::ValueRange in) -> Value {
    Value index = convert(b, in[0], b.getIntegerType(8, false));
    const llvm::SmallVector<int64_t> none, first = {0}, one = {1};
    return GatherOp::create(b, type, in[1], index, none, first, none, none, first,
                            static_cast<uint64_t>(type.getRank()), one);
  };
  return composite(b, kLookup, {q, table}, type, {}, body);
}

}  // namespace tetrarch::tet
