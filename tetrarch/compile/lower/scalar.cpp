#include "tetrarch/compile/lower/scalar.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "tetrarch/graph/types.h"

namespace tetrarch::compile {
namespace {

namespace arith = mlir::arith;
using mlir::Type;
using mlir::Value;

// An 8-bit float: `mantissa` bits, exponent bias, the largest finite magnitude and what lies above it.
struct Float8 {
  int mantissa, bias;
  int largest;   // bits of the largest finite value
  int overflow;  // bits of infinity, or of NaN where there is none
  int nan;
};
constexpr Float8 kE4M3FN{3, 7, 0x7e, 0x7f, 0x7f}, kE5M2{2, 15, 0x7b, 0x7c, 0x7e};

bool isFloat8(Type element) { return llvm::isa<mlir::Float8E4M3FNType, mlir::Float8E5M2Type>(element); }
const Float8& format(Type element) { return llvm::isa<mlir::Float8E4M3FNType>(element) ? kE4M3FN : kE5M2; }
bool isInt4(Type element) { return element.isSignlessInteger(4); }
bool isBool(Type element) { return element.isSignlessInteger(1); }

Value extractBits(Builder& b, Value x, int64_t mask) {
  return arith::AndIOp::create(b, x, intConstant(b, x.getType(), mask));
}

// Exponent and mantissa move to their places in an f32, and a multiplication mends the bias: subnormals
// included.
Value decodeFloat8(Builder& b, Value stored, const Float8& f) {
  Type i32 = b.getI32Type(), f32 = b.getF32Type();
  Value bits = arith::ExtUIOp::create(b, i32, stored);
  Value magnitude = extractBits(b, bits, 0x7f);
  Value shifted = arith::ShLIOp::create(b, magnitude, intConstant(b, i32, 23 - f.mantissa));
  Value scaled = arith::MulFOp::create(b, arith::BitcastOp::create(b, f32, shifted),
                                       floatConstant(b, f32, std::ldexp(1.0, 127 - f.bias)));
  // What lies above the largest finite value keeps its mantissa under an all-ones exponent; E4M3FN's is only
  // NaN.
  Value special = arith::OrIOp::create(b, shifted, intConstant(b, i32, 0x7f800000));
  Value is_special =
      arith::CmpIOp::create(b, arith::CmpIPredicate::ugt, magnitude, intConstant(b, i32, f.largest));
  Value finite = arith::BitcastOp::create(b, i32, scaled);
  Value unsigned_bits = arith::SelectOp::create(b, is_special, special, finite);
  Value sign = arith::ShLIOp::create(b, extractBits(b, bits, 0x80), intConstant(b, i32, 24));
  return arith::BitcastOp::create(b, f32, arith::OrIOp::create(b, unsigned_bits, sign));
}

// Rounds to nearest even: by integer carry for normal results, by adding a constant whose last place is the
// smallest subnormal for the others.
Value encodeFloat8(Builder& b, Value x, const Float8& f) {
  Type i32 = b.getI32Type(), f32 = b.getF32Type();
  const int drop = 23 - f.mantissa;
  Value bits = arith::BitcastOp::create(b, i32, x);
  Value magnitude = extractBits(b, bits, 0x7fffffff);

  Value last = extractBits(b, arith::ShRUIOp::create(b, magnitude, intConstant(b, i32, drop)), 1);
  Value half = arith::AddIOp::create(b, last, intConstant(b, i32, (1 << (drop - 1)) - 1));
  Value carried =
      arith::ShRUIOp::create(b, arith::AddIOp::create(b, magnitude, half), intConstant(b, i32, drop));
  Value normal = arith::SubIOp::create(b, carried, intConstant(b, i32, (127 - f.bias) << f.mantissa));

  const int magic_bits = (127 - f.bias + drop + 1) << 23;
  Value magic = arith::BitcastOp::create(b, f32, intConstant(b, i32, magic_bits));
  Value sum = arith::AddFOp::create(b, arith::BitcastOp::create(b, f32, magnitude), magic);
  Value subnormal =
      arith::SubIOp::create(b, arith::BitcastOp::create(b, i32, sum), intConstant(b, i32, magic_bits));
  Value is_subnormal = arith::CmpIOp::create(b, arith::CmpIPredicate::ult, magnitude,
                                             intConstant(b, i32, (128 - f.bias) << 23));
  Value rounded = arith::SelectOp::create(b, is_subnormal, subnormal, normal);

  Value too_large =
      arith::CmpIOp::create(b, arith::CmpIPredicate::sgt, rounded, intConstant(b, i32, f.largest));
  Value bounded = arith::SelectOp::create(b, too_large, intConstant(b, i32, f.overflow), rounded);
  Value is_nan =
      arith::CmpIOp::create(b, arith::CmpIPredicate::ugt, magnitude, intConstant(b, i32, 0x7f800000));
  Value result = arith::SelectOp::create(b, is_nan, intConstant(b, i32, f.nan), bounded);
  Value sign = extractBits(b, arith::ShRUIOp::create(b, bits, intConstant(b, i32, 24)), 0x80);
  return arith::TruncIOp::create(b, b.getI8Type(), arith::OrIOp::create(b, result, sign));
}

Value wrapInt4(Builder& b, Value x) {
  Value four = intConstant(b, x.getType(), 4);
  return arith::ShRSIOp::create(b, arith::ShLIOp::create(b, x, four), four);
}

// f64 to f32 with the discarded bits remembered in the last place ("round to odd"), so that rounding the f32
// once more to a narrower type gives what one rounding would have given.
Value narrowToOdd(Builder& b, Value x) {
  Type i32 = b.getI32Type(), f32 = b.getF32Type();
  Value nearest = arith::TruncFOp::create(b, f32, x);
  Value back = arith::ExtFOp::create(b, x.getType(), nearest);
  Value inexact = arith::CmpFOp::create(b, arith::CmpFPredicate::ONE, back, x);
  Value bits = arith::BitcastOp::create(b, i32, nearest);
  Type i64 = b.getI64Type();
  auto magnitude = [&](Value v) {
    return extractBits(b, arith::BitcastOp::create(b, i64, v), std::numeric_limits<int64_t>::max());
  };
  Value away = arith::CmpIOp::create(b, arith::CmpIPredicate::ugt, magnitude(back), magnitude(x));
  Value toward_zero = arith::SubIOp::create(b, bits, arith::ExtUIOp::create(b, i32, away));
  Value odd = arith::OrIOp::create(b, toward_zero, intConstant(b, i32, 1));
  return arith::BitcastOp::create(b, f32, arith::SelectOp::create(b, inexact, odd, bits));
}

Value floatToFloat(Builder& b, Value x, Type to) {
  Type target = computeType(to);
  if (x.getType() == target) return roundScalar(b, x, to);
  if (target.isF64()) return arith::ExtFOp::create(b, target, x);
  if (isNarrowFloat(to)) return roundScalar(b, narrowToOdd(b, x), to);
  return arith::TruncFOp::create(b, target, x);
}

Value intToFloat(Builder& b, Value x, bool is_unsigned, Type to) {
  // The detour over f64 saves narrow types from rounding twice.
  const bool wide = isNarrowFloat(to) && x.getType().getIntOrFloatBitWidth() >= 32;
  Type type = wide ? Type(b.getF64Type()) : computeType(to);
  Value converted =
      is_unsigned ? Value(arith::UIToFPOp::create(b, type, x)) : arith::SIToFPOp::create(b, type, x);
  return floatToFloat(b, converted, to);
}

// Truncates toward zero; NaN gives 0 and what does not fit the integer it goes through saturates, then wraps.
Value floatToInt(Builder& b, Value x, Type to) {
  Type target = computeType(to), type = x.getType();
  const unsigned width = target.getIntOrFloatBitWidth();
  const bool through_i32 = width < 32 || (width == 32 && !to.isUnsignedInteger());
  const bool as_unsigned = width == 64 && to.isUnsignedInteger();
  Type through = through_i32 ? b.getI32Type() : b.getI64Type();
  const int bits = through_i32 ? 31 : 63;
  Value zero = floatConstant(b, type, 0), limit = floatConstant(b, type, std::ldexp(1.0, bits));
  Value is_number = arith::CmpFOp::create(b, arith::CmpFPredicate::ORD, x, x);
  Value number = arith::SelectOp::create(b, is_number, x, zero);
  Value low = arith::MaxNumFOp::create(b, number, floatConstant(b, type, -std::ldexp(1.0, bits)));
  Value fits = arith::CmpFOp::create(b, arith::CmpFPredicate::OLT, low, limit);
  Value safe = arith::SelectOp::create(b, fits, low, zero);
  const int64_t largest =
      through_i32 ? std::numeric_limits<int32_t>::max() : std::numeric_limits<int64_t>::max();
  Value above = intConstant(b, through, largest);
  if (as_unsigned) {
    // The upper half of u64: converted after 2^63 is taken away, then put back as the top bit.
    Value rest = arith::MinNumFOp::create(b, arith::SubFOp::create(b, low, limit),
                                          floatConstant(b, type, std::ldexp(1.0, 62)));
    Value upper = arith::FPToSIOp::create(b, through, arith::SelectOp::create(b, fits, zero, rest));
    above = arith::OrIOp::create(b, upper, intConstant(b, through, std::numeric_limits<int64_t>::min()));
  }
  Value whole = arith::SelectOp::create(b, fits, arith::FPToSIOp::create(b, through, safe), above);
  Value narrowed = through == target ? whole : Value(arith::TruncIOp::create(b, target, whole));
  return isInt4(to) ? wrapInt4(b, narrowed) : narrowed;
}

Value intToInt(Builder& b, Value x, bool is_unsigned, Type to) {
  Type target = computeType(to);
  const unsigned from_width = x.getType().getIntOrFloatBitWidth(), width = target.getIntOrFloatBitWidth();
  Value sized = x;
  if (width < from_width) sized = arith::TruncIOp::create(b, target, x);
  if (width > from_width) {
    sized = is_unsigned ? Value(arith::ExtUIOp::create(b, target, x)) : arith::ExtSIOp::create(b, target, x);
  }
  return isInt4(to) ? wrapInt4(b, sized) : sized;
}

}  // namespace

bool isNarrowFloat(Type element) {
  return llvm::isa<mlir::FloatType>(element) && element.getIntOrFloatBitWidth() < 32;
}

Type computeType(Type element) {
  if (isNarrowFloat(element)) return mlir::Float32Type::get(element.getContext());
  return isBool(element) ? element : tet::storageElementType(element);
}

Type carrierType(Type element) {
  return isNarrowFloat(element) ? mlir::Float32Type::get(element.getContext())
                                : tet::storageElementType(element);
}

Value loadScalar(Builder& b, Value stored, Type element) {
  if (isFloat8(element)) return decodeFloat8(b, stored, format(element));
  if (isNarrowFloat(element)) return arith::ExtFOp::create(b, b.getF32Type(), stored);
  if (isBool(element)) return b.createOrFold<arith::TruncIOp>(element, stored);
  return stored;
}

Value storeScalar(Builder& b, Value computed, Type element) {
  if (isFloat8(element)) return encodeFloat8(b, computed, format(element));
  if (isNarrowFloat(element)) return b.createOrFold<arith::TruncFOp>(element, computed);
  if (isBool(element)) return arith::ExtUIOp::create(b, b.getI8Type(), computed);
  return computed;
}

Value roundScalar(Builder& b, Value computed, Type element) {
  if (isInt4(element)) return wrapInt4(b, computed);
  if (!isNarrowFloat(element)) return computed;
  return loadScalar(b, storeScalar(b, computed, element), element);
}

Value loadCarrier(Builder& b, Value carried, Type element) {
  return isBool(element) ? loadScalar(b, carried, element) : carried;
}

Value storeCarrier(Builder& b, Value computed, Type element) {
  return isBool(element) ? storeScalar(b, computed, element) : computed;
}

Value convertScalar(Builder& b, Value x, Type from, Type to) {
  const bool from_float = llvm::isa<mlir::FloatType>(from);
  if (from == to) return x;
  if (isBool(to)) {
    if (!from_float)
      return arith::CmpIOp::create(b, arith::CmpIPredicate::ne, x, intConstant(b, x.getType(), 0));
    return arith::CmpFOp::create(b, arith::CmpFPredicate::UNE, x, floatConstant(b, x.getType(), 0));
  }
  const bool is_unsigned = isBool(from) || from.isUnsignedInteger();
  if (llvm::isa<mlir::FloatType>(to)) {
    return from_float ? floatToFloat(b, x, to) : intToFloat(b, x, is_unsigned, to);
  }
  return from_float ? floatToInt(b, x, to) : intToInt(b, x, is_unsigned, to);
}

Value floatConstant(Builder& b, Type type, double value) {
  return arith::ConstantOp::create(b, mlir::FloatAttr::get(type, value));
}

Value intConstant(Builder& b, Type type, int64_t value) {
  return arith::ConstantOp::create(b, mlir::IntegerAttr::get(type, value));
}

Value scalarConstant(Builder& b, mlir::Attribute element_value, Type element) {
  Type type = computeType(element);
  if (auto number = llvm::dyn_cast<mlir::FloatAttr>(element_value)) {
    // Every narrow float is an f32 exactly.
    return floatConstant(b, type, number.getValueAsDouble());
  }
  const llvm::APInt& bits = llvm::cast<mlir::IntegerAttr>(element_value).getValue();
  return arith::ConstantOp::create(
      b, mlir::IntegerAttr::get(type, bits.sextOrTrunc(type.getIntOrFloatBitWidth())));
}

}  // namespace tetrarch::compile
