// Quantisation: q = saturate(round(x / scale) + zero point).
#include "tetrarch/import/compositions.h"
#include "tetrarch/import/onnx/importer.h"
#include "tetrarch/import/onnx/op_context.h"

namespace tetrarch::onnx {
namespace {

using tet::ReductionKind;

// Lowest and highest value of an integer type of at most 32 bits.
std::pair<double, double> limitsOf(ElementType type) {
  const int bits = info(type).bits;
  if (info(type).kind == ElementKind::Unsigned) return {0, static_cast<double>((1LL << bits) - 1)};
  return {-static_cast<double>(1LL << (bits - 1)), static_cast<double>((1LL << (bits - 1)) - 1)};
}

// A scale or zero point brought to the shape of x: one for all, one per index of `axis`, or one per block of
// it.
Value spread(OpContext& n, Value parameter, Value x, int64_t block) {
  if (countOf(parameter) == 1 && rankOf(parameter) <= 1)
    return n.b.broadcastInDim(n.b.reshape(parameter, {}), shapeOf(x), {});
  const int64_t axis = n.getAxis("axis", 1, rankOf(x));
  if (!n.b.ok()) return {};
  if (block == 0) return n.b.broadcastInDim(parameter, shapeOf(x), {axis});
  if (rankOf(parameter) != rankOf(x) || block < 0 || block > dimOf(x, axis)) {
    n.refuse("its blocks of {} do not fit", block);
    return {};
  }
  Shape wide(shapeOf(parameter)), merged(shapeOf(parameter));
  wide.insert(wide.begin() + axis + 1, block);
  merged[axis] *= block;
  Shape dims = range(rankOf(x) + 1);
  dims.erase(dims.begin() + axis + 1);
  return n.b.sliceAxis(n.b.reshape(n.b.broadcastInDim(parameter, wide, dims), merged), axis, 0,
                       dimOf(x, axis));
}

Value saturate(GraphBuilder& b, Value real, ElementType type) {
  if (isFloat(type)) {
    const double largest = type == ElementType::F8E4M3FN ? 448 : 57344;
    return b.convert(b.clamp(real, -largest, largest), type);
  }
  const auto [low, high] = limitsOf(type);
  return b.convert(b.clamp(real, low, high), type);
}

// Scale and zero point as the compositions take them: scalars, or vectors along an axis. Nothing for blocks,
// and for other types than theirs.
struct Parameters {
  Value scale, zero_point;
  int64_t axis = 0;
};
std::optional<Parameters> readParameters(OpContext& n, Value x, ElementType type) {
  const Value scale = n.in(1);
  const bool is_byte = type == ElementType::I8 || type == ElementType::U8;
  const bool fits_one = countOf(scale) == 1 && rankOf(scale) <= 1, fits_axis = rankOf(scale) == 1;
  if (n.getInt("block_size") != 0 || !is_byte || !(fits_one || fits_axis)) return std::nullopt;
  Parameters parameters{n.b.convert(scale, ElementType::F32), n.has(2) ? n.in(2) : Value()};
  const Shape shape = fits_one ? Shape{} : Shape(shapeOf(scale));
  if (!parameters.zero_point) parameters.zero_point = n.b.fullInt(type, shape, 0);
  if (countOf(parameters.zero_point) != countOf(scale)) return std::nullopt;
  parameters.scale = n.b.reshape(parameters.scale, shape);
  parameters.zero_point = n.b.reshape(parameters.zero_point, shape);
  if (!fits_one) parameters.axis = n.getAxis("axis", 1, rankOf(x));
  return n.b.ok() ? std::optional(parameters) : std::nullopt;
}

}  // namespace

Status importQuantizeLinear(OpContext& n) {
  const Value x = n.b.convert(n.in(0), ElementType::F32);
  const int64_t block = n.getInt("block_size");
  ElementType type = n.has(2) ? typeOf(n.in(2)) : ElementType::U8;
  if (!n.has(2) && n.getInt("output_dtype")) {
    TET_ASSIGN_OR_RETURN(type, elementTypeOf(static_cast<int>(n.getInt("output_dtype"))));
  }
  const bool narrow_float = type == ElementType::F8E4M3FN || type == ElementType::F8E5M2;
  if (!narrow_float && (isFloat(type) || info(type).bits > 16))
    return n.decline("it quantises to {}", info(type).name);
  if (auto p = readParameters(n, x, type))
    return n.result(quantize(n.b, x, p->scale, p->zero_point, p->axis));
  Value real = n.b.div(x, spread(n, n.b.convert(n.in(1), ElementType::F32), x, block));
  if (narrow_float) {
    return n.result(n.getInt("saturate", 1) ? saturate(n.b, real, type) : n.b.convert(real, type));
  }
  real = n.b.unary("round_nearest_even", real);
  if (n.has(2)) real = n.b.add(real, spread(n, n.b.convert(n.in(2), ElementType::F32), x, block));
  return n.result(saturate(n.b, real, type));
}

Status importDequantizeLinear(OpContext& n) {
  const Value x = n.in(0), scale = n.in(1);
  const int64_t block = n.getInt("block_size");
  ElementType type = typeOf(scale);
  if (n.getInt("output_dtype")) {
    TET_ASSIGN_OR_RETURN(type, elementTypeOf(static_cast<int>(n.getInt("output_dtype"))));
  }
  const bool is_f32 = type == ElementType::F32;
  if (auto p = is_f32 ? readParameters(n, x, typeOf(x)) : std::nullopt)
    return n.result(dequantize(n.b, x, p->scale, p->zero_point, p->axis));
  // The difference is exact: in 32-bit integers, or in f32 for 8-bit floats.
  const ElementType wide = isFloat(x) ? ElementType::F32 : ElementType::I32;
  Value centred = n.b.convert(x, wide);
  if (n.has(2)) centred = n.b.sub(centred, spread(n, n.b.convert(n.in(2), wide), x, block));
  const Value factor = spread(n, n.b.convert(scale, ElementType::F32), x, block);
  return n.result(n.b.convert(n.b.mul(n.b.convert(centred, ElementType::F32), factor), type));
}

// To u8, with scale and zero point from the range of the data, which always includes 0.
Status importDynamicQuantizeLinear(OpContext& n) {
  const Value x = n.in(0);
  const Shape all = range(rankOf(x));
  const Value low = n.b.min(n.b.reduce(ReductionKind::Minimum, x, all), 0);
  const Value high = n.b.max(n.b.reduce(ReductionKind::Maximum, x, all), 0);
  const Value scale = n.b.div(n.b.sub(high, low), 255);
  const Value divisor =
      n.b.select(n.b.compare(tet::ComparisonDirection::EQ, scale, 0), n.b.like(scale, 1), scale);
  const Value zero = n.b.clamp(n.b.unary("round_nearest_even", n.b.div(n.b.neg(low), divisor)), 0, 255);
  const Value y = n.b.add(n.b.unary("round_nearest_even", n.b.div(x, divisor)), zero);
  return n.results({saturate(n.b, y, ElementType::U8), scale, n.b.convert(zero, ElementType::U8)});
}

}  // namespace tetrarch::onnx
