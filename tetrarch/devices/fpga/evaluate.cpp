#include "tetrarch/devices/fpga/evaluate.h"

#include <bit>
#include <cmath>

#include "tetrarch/devices/fpga/float_format.h"

namespace tetrarch::fpga {
namespace {

// ---- integers: x and y are below 2^width ------------------------------------------------------------------

uint64_t divideSigned(uint64_t x, uint64_t y, int width) {
  if (y == 0) return onesOf(width);
  if (y == onesOf(width)) return (0 - x) & onesOf(width);  // by -1, which could overflow
  return static_cast<uint64_t>(signedValue(x, width) / signedValue(y, width)) & onesOf(width);
}

uint64_t remainderSigned(uint64_t x, uint64_t y, int width) {
  if (y == 0) return x;
  if (y == onesOf(width)) return 0;
  return static_cast<uint64_t>(signedValue(x, width) % signedValue(y, width)) & onesOf(width);
}

uint64_t shiftRightSigned(uint64_t x, uint64_t y, int width) {
  return static_cast<uint64_t>(signedValue(x, width) >> (y < 63 ? y : 63)) & onesOf(width);
}

// ---- floats -----------------------------------------------------------------------------------------------

template <typename Format>
uint64_t minimum(uint64_t x, uint64_t y, bool of_greatest) {
  if (Format::isNan(x) || Format::isNan(y)) return Format::kNan;
  const auto wide_x = Format::wide(x), wide_y = Format::wide(y);
  // Of equal ones only zeros differ, in their signs.
  const bool x_is_smaller = wide_x == wide_y ? x > y : wide_x < wide_y;
  return x_is_smaller != of_greatest ? x : y;
}

// To zero; beyond the type its nearest end; a NaN is 0.
uint64_t integerOf(double value, int width, bool is_signed) {
  if (value != value) return 0;
  const uint64_t highest = onesOf(width) >> (is_signed ? 1 : 0);
  const uint64_t lowest = is_signed ? highest + 1 : 0;  // its bits
  if (value <= (is_signed ? -std::ldexp(1, width - 1) : 0)) return lowest;
  if (value >= std::ldexp(1, is_signed ? width - 1 : width)) return highest;
  return (is_signed ? static_cast<uint64_t>(static_cast<int64_t>(value)) : static_cast<uint64_t>(value)) &
         onesOf(width);
}

// ---- one function an operator -----------------------------------------------------------------------------

// Calls visit(f), f(x, y, z) being what the operator computes: a loop around f is compiled for each operator.
template <typename Visit>
void visitInteger(Operator op, Type type, Visit&& visit) {
  const int width = type.width;
  const uint64_t ones = onesOf(width);
  const auto less = [width](uint64_t x, uint64_t y) { return signedValue(x, width) < signedValue(y, width); };
  using U = uint64_t;
  switch (op) {
    case Operator::Add:
      return visit([=](U x, U y, U) { return (x + y) & ones; });
    case Operator::Add3:
      return visit([=](U x, U y, U z) { return (x + y + z) & ones; });
    case Operator::Sub:
      return visit([=](U x, U y, U) { return (x - y) & ones; });
    case Operator::Mul:
      return visit([=](U x, U y, U) { return (x * y) & ones; });
    case Operator::DivS:
      return visit([=](U x, U y, U) { return divideSigned(x, y, width); });
    case Operator::DivU:
      return visit([=](U x, U y, U) { return y == 0 ? ones : x / y; });
    case Operator::RemS:
      return visit([=](U x, U y, U) { return remainderSigned(x, y, width); });
    case Operator::RemU:
      return visit([=](U x, U y, U) { return y == 0 ? x : x % y; });
    case Operator::And:
      return visit([=](U x, U y, U) { return x & y; });
    case Operator::Or:
      return visit([=](U x, U y, U) { return x | y; });
    case Operator::Xor:
      return visit([=](U x, U y, U) { return x ^ y; });
    case Operator::Shl:
      return visit([=](U x, U y, U) { return y < 64 ? x << y & ones : 0; });
    case Operator::ShrS:
      return visit([=](U x, U y, U) { return shiftRightSigned(x, y, width); });
    case Operator::ShrU:
      return visit([=](U x, U y, U) { return y < 64 ? x >> y : 0; });
    case Operator::MinS:
      return visit([=](U x, U y, U) { return less(x, y) ? x : y; });
    case Operator::MaxS:
      return visit([=](U x, U y, U) { return less(x, y) ? y : x; });
    case Operator::MinU:
      return visit([=](U x, U y, U) { return x < y ? x : y; });
    case Operator::MaxU:
      return visit([=](U x, U y, U) { return x < y ? y : x; });
    case Operator::Popcount:
      return visit([=](U x, U, U) { return static_cast<U>(std::popcount(x)); });
    case Operator::Clz:
      return visit([=](U x, U, U) { return static_cast<U>(std::countl_zero(x) - (64 - width)); });
    default:
      return visit([=](U x, U y, U z) { return x != 0 ? y : z; });  // Select
  }
}

template <typename Visit>
void visitIntegerCompare(Operator op, Type operand, Visit&& visit) {
  const int width = operand.width;
  using U = uint64_t;
  switch (op) {
    case Operator::Eq:
      return visit([](U x, U y, U) -> U { return x == y; });
    case Operator::Ne:
      return visit([](U x, U y, U) -> U { return x != y; });
    case Operator::LtS:
      return visit([=](U x, U y, U) -> U { return signedValue(x, width) < signedValue(y, width); });
    case Operator::LeS:
      return visit([=](U x, U y, U) -> U { return signedValue(x, width) <= signedValue(y, width); });
    case Operator::LtU:
      return visit([](U x, U y, U) -> U { return x < y; });
    default:
      return visit([](U x, U y, U) -> U { return x <= y; });  // LeU
  }
}

template <typename Format, typename Visit>
void visitFloatCompare(Operator op, Visit&& visit) {
  using U = uint64_t;
  using F = Format;
  switch (op) {
    case Operator::FEq:
      return visit([](U x, U y, U) -> U { return F::wide(x) == F::wide(y); });
    case Operator::FNe:
      return visit([](U x, U y, U) -> U { return F::wide(x) != F::wide(y); });
    case Operator::FLt:
      return visit([](U x, U y, U) -> U { return F::wide(x) < F::wide(y); });
    case Operator::FLe:
      return visit([](U x, U y, U) -> U { return F::wide(x) <= F::wide(y); });
    default:
      return visit([](U x, U y, U) -> U { return F::isNan(x) || F::isNan(y); });  // FUno
  }
}

template <typename Format, typename Visit>
void visitFloat(Operator op, Visit&& visit) {
  using U = uint64_t;
  using F = Format;
  switch (op) {
    case Operator::FAdd:
      return visit([](U x, U y, U) { return F::bits(F::wide(x) + F::wide(y)); });
    case Operator::FSub:
      return visit([](U x, U y, U) { return F::bits(F::wide(x) - F::wide(y)); });
    case Operator::FMul:
      return visit([](U x, U y, U) { return F::bits(F::wide(x) * F::wide(y)); });
    case Operator::FDiv:
      return visit([](U x, U y, U) { return F::bits(F::wide(x) / F::wide(y)); });
    case Operator::FSqrt:
      return visit([](U x, U, U) { return F::bits(std::sqrt(F::wide(x))); });
    case Operator::FNeg:
      return visit([](U x, U, U) { return x ^ F::kSign; });
    case Operator::FAbs:
      return visit([](U x, U, U) { return x & F::kMagnitude; });
    case Operator::FCopySign:
      return visit([](U x, U y, U) { return (x & F::kMagnitude) | (y & F::kSign); });
    case Operator::FMin:
      return visit([](U x, U y, U) { return minimum<F>(x, y, false); });
    case Operator::FMax:
      return visit([](U x, U y, U) { return minimum<F>(x, y, true); });
    case Operator::FFloor:
      return visit([](U x, U, U) { return F::bits(std::floor(F::wide(x))); });
    case Operator::FCeil:
      return visit([](U x, U, U) { return F::bits(std::ceil(F::wide(x))); });
    case Operator::FTrunc:
      return visit([](U x, U, U) { return F::bits(std::trunc(F::wide(x))); });
    case Operator::FRound:
      return visit([](U x, U, U) { return F::bits(std::round(F::wide(x))); });
    default:
      return visit([](U x, U, U) { return F::bits(std::nearbyint(F::wide(x))); });  // FRoundEven
  }
}

template <typename Visit>
void visitConvert(Operator op, Type result, Type operand, Visit&& visit) {
  using U = uint64_t;
  const int width = result.width, operand_width = operand.width;
  const uint64_t ones = onesOf(width);
  switch (op) {
    case Operator::ExtS:
      return visit([=](U x, U, U) { return static_cast<U>(signedValue(x, operand_width)) & ones; });
    case Operator::Trunc:
      return visit([=](U x, U, U) { return x & ones; });
    case Operator::IntToFloatS:
      return withFormat(result, [&](auto format) {
        visit([=](U x, U, U) {
          const bool is_negative = signedValue(x, operand_width) < 0;
          return format.fromInteger(is_negative, is_negative ? (0 - x) & onesOf(operand_width) : x);
        });
      });
    case Operator::IntToFloatU:
      return withFormat(result,
                        [&](auto format) { visit([=](U x, U, U) { return format.fromInteger(false, x); }); });
    case Operator::FloatToIntS:
    case Operator::FloatToIntU:
      return withFormat(operand, [&](auto format) {
        visit([=, is_signed = op == Operator::FloatToIntS](U x, U, U) {
          return integerOf(format.wide(x), width, is_signed);
        });
      });
    case Operator::FloatToFloat:
      return withFormat(operand, [&](auto from) {
        withFormat(result, [&](auto to) { visit([=](U x, U, U) { return to.fromDouble(from.wide(x)); }); });
      });
    default:
      return visit([](U x, U, U) { return x; });  // ExtU, Bits
  }
}

template <typename Visit>
void visitOperator(Operator op, Type result, Type operand, Visit&& visit) {
  if (op < Operator::Eq) return visitInteger(op, result, visit);
  if (op < Operator::FEq) return visitIntegerCompare(op, operand, visit);
  if (op < Operator::FAdd) {
    return withFormat(operand, [&](auto format) { visitFloatCompare<decltype(format)>(op, visit); });
  }
  if (op < Operator::ExtS) {
    return withFormat(result, [&](auto format) { visitFloat<decltype(format)>(op, visit); });
  }
  visitConvert(op, result, operand, visit);
}

}  // namespace

uint64_t evaluate(Operator op, Type result, Type operand, uint64_t x, uint64_t y, uint64_t z) {
  uint64_t value = 0;
  visitOperator(op, result, operand, [&](auto f) { value = f(x, y, z); });
  return value;
}

void Applied::toBlock(size_t count, const uint64_t* x, const uint64_t* y, const uint64_t* z,
                      uint64_t* out) const {
  // An operand that the operator does not have is read as another.
  const uint64_t *any_y = y ? y : x, *any_z = z ? z : x;
  visitOperator(op, result, operand, [=](auto f) {
    for (size_t i = 0; i < count; ++i) out[i] = f(x[i], any_y[i], any_z[i]);
  });
}

void Applied::toFold(size_t count, const Fold& fold, uint64_t& cell) const {
  visitOperator(op, result, operand, [&](auto f) {
    uint64_t value = cell;
    for (size_t i = 0; i < count; ++i) {
      value = fold.is_first[i] != 0 ? fold.init[i] : value;
      fold.before[i] = value;
      value = fold.cell_is_x ? f(value, fold.other[i], 0) : f(fold.other[i], value, 0);
      fold.out[i] = value;
    }
    cell = value;
  });
}

}  // namespace tetrarch::fpga
