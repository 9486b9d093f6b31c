// The operators against other arithmetic: 128-bit integers, and for floats a search among all values of the
// type.
#include "tetrarch/devices/fpga/evaluate.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <random>

#include "tetrarch/devices/fpga/float_format.h"

namespace tetrarch::fpga {
namespace {

using I128 = __int128;
using Op = Operator;

constexpr uint64_t kNanF32 = 0x7fc00000;

struct Row {
  Op op;
  I128 (*means)(I128 x, I128 y, int width);  // of signed or unsigned operands, as the row says
  bool is_signed;
};

I128 shifted(I128 x, I128 y, int width, bool left) {
  auto bits = static_cast<unsigned __int128>(x);  // what is shifted out at the top is lost
  for (I128 i = 0; i < y && i < width; ++i) bits = left ? bits * 2 : bits / 2;  // one place after the other
  return static_cast<I128>(bits);
}

const Row kRows[] = {
    {Op::Add, [](I128 x, I128 y, int) { return x + y; }, true},
    {Op::Sub, [](I128 x, I128 y, int) { return x - y; }, true},
    {Op::Mul, [](I128 x, I128 y, int) { return x * y; }, true},
    {Op::DivS, [](I128 x, I128 y, int) { return y == 0 ? I128(-1) : x / y; }, true},
    {Op::DivU, [](I128 x, I128 y, int) { return y == 0 ? I128(-1) : x / y; }, false},
    {Op::RemS, [](I128 x, I128 y, int) { return y == 0 ? x : x % y; }, true},
    {Op::RemU, [](I128 x, I128 y, int) { return y == 0 ? x : x % y; }, false},
    {Op::And, [](I128 x, I128 y, int) { return x & y; }, false},
    {Op::Or, [](I128 x, I128 y, int) { return x | y; }, false},
    {Op::Xor, [](I128 x, I128 y, int) { return x ^ y; }, false},
    {Op::Shl, [](I128 x, I128 y, int w) { return shifted(x, y, w, true); }, false},
    {Op::ShrU, [](I128 x, I128 y, int w) { return shifted(x, y, w, false); }, false},
    {Op::MinS, [](I128 x, I128 y, int) { return x < y ? x : y; }, true},
    {Op::MaxS, [](I128 x, I128 y, int) { return x > y ? x : y; }, true},
    {Op::MinU, [](I128 x, I128 y, int) { return x < y ? x : y; }, false},
    {Op::MaxU, [](I128 x, I128 y, int) { return x > y ? x : y; }, false},
    {Op::Eq, [](I128 x, I128 y, int) { return I128(x == y); }, false},
    {Op::Ne, [](I128 x, I128 y, int) { return I128(x != y); }, true},
    {Op::LtS, [](I128 x, I128 y, int) { return I128(x < y); }, true},
    {Op::LeS, [](I128 x, I128 y, int) { return I128(x <= y); }, true},
    {Op::LtU, [](I128 x, I128 y, int) { return I128(x < y); }, false},
    {Op::LeU, [](I128 x, I128 y, int) { return I128(x <= y); }, false},
};

I128 valueOf(uint64_t bits, int width, bool is_signed) {
  const auto value = static_cast<I128>(bits);
  return is_signed && bits >> (width - 1) != 0 ? value - (I128(1) << width) : value;
}

uint64_t bitsOf(I128 value, int width) {
  return static_cast<uint64_t>(static_cast<unsigned __int128>(value)) & onesOf(width);
}

void expectInteger(int width, uint64_t x, uint64_t y) {
  const Type type{static_cast<uint8_t>(width)};
  for (const Row& row : kRows) {
    const bool compares = row.op >= Op::Eq;
    const I128 expected =
        row.means(valueOf(x, width, row.is_signed), valueOf(y, width, row.is_signed), width);
    ASSERT_EQ(evaluate(row.op, compares ? kI1 : type, type, x, y), bitsOf(expected, compares ? 1 : width))
        << "operator " << static_cast<int>(row.op) << " of width " << width << " on " << x << " and " << y;
  }
  const I128 right = shifted(valueOf(x, width, true), valueOf(y, width, false), width, false);
  ASSERT_EQ(evaluate(Op::ShrS, type, type, x, y), bitsOf(right, width)) << width << " " << x << " " << y;
}

TEST(FpgaEvaluate, SmallIntegersExhaustively) {
  for (int width = 1; width <= 6; ++width) {
    for (uint64_t x = 0; x <= onesOf(width); ++x) {
      for (uint64_t y = 0; y <= onesOf(width); ++y) expectInteger(width, x, y);
    }
  }
}

// Few bits, many bits, and the ends.
uint64_t corner(std::mt19937_64& random, int width) {
  const uint64_t kinds[] = {
      random() >> random() % 64, random(),     0, 1, 2, ~uint64_t{0}, uint64_t{1} << (width - 1),
      onesOf(width) >> 1,        random() % 80};
  return kinds[random() % std::size(kinds)] & onesOf(width);
}

TEST(FpgaEvaluate, WideIntegersAtRandom) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 100000; ++i) {
    const int width = 1 + static_cast<int>(random() % 64);
    expectInteger(width, corner(random, width), corner(random, width));
  }
}

TEST(FpgaEvaluate, BitsAreCounted) {
  for (int width = 1; width <= 12; ++width) {
    const Type type{static_cast<uint8_t>(width)};
    for (uint64_t x = 0; x <= onesOf(width); ++x) {
      uint64_t ones = 0, zeros = 0;
      for (int i = 0; i < width; ++i) ones += x >> i & 1;
      for (int i = width; i-- > 0 && (x >> i & 1) == 0;) ++zeros;
      EXPECT_EQ(evaluate(Op::Popcount, type, type, x), ones);
      EXPECT_EQ(evaluate(Op::Clz, type, type, x), zeros & onesOf(width));
    }
  }
}

TEST(FpgaEvaluate, IntegersChangeTheirWidth) {
  for (uint64_t x = 0; x < 64; ++x) {
    EXPECT_EQ(evaluate(Op::ExtS, {64}, {6}, x), bitsOf(valueOf(x, 6, true), 64));
    EXPECT_EQ(evaluate(Op::ExtS, {9}, {6}, x), bitsOf(valueOf(x, 6, true), 9));
    EXPECT_EQ(evaluate(Op::ExtU, {64}, {6}, x), x);
    EXPECT_EQ(evaluate(Op::Trunc, {3}, {6}, x), x % 8);
    EXPECT_EQ(evaluate(Op::Select, {6}, {6}, x & 1, 5, 9), x % 2 == 1 ? 5u : 9u);
  }
  EXPECT_EQ(evaluate(Op::Bits, {32}, kF32, 0xffffffff), 0xffffffffu);
}

// ---- floats -----------------------------------------------------------------------------------------------

// What the bits of a float say, by the definition.
double meaning(uint64_t bits, Type type) {
  const int m = type.mantissa(), bias = (1 << (type.exponent - 1)) - 1;
  const auto fraction = static_cast<double>(bits & onesOf(m));
  const int exponent = static_cast<int>(bits >> m & onesOf(type.exponent));
  const double sign = bits >> (type.width - 1) != 0 ? -1 : 1;
  if (exponent == (1 << type.exponent) - 1) {
    return fraction != 0 ? std::numeric_limits<double>::quiet_NaN()
                         : sign * std::numeric_limits<double>::infinity();
  }
  if (exponent == 0) return sign * std::ldexp(fraction, 1 - bias - m);
  return sign * std::ldexp(1 + std::ldexp(fraction, -m), exponent - bias);
}

// The nearest of all values of the type, of two the even one: `compare(v)` says whether the exact magnitude
// is below (-1), at (0) or above (1) the double v, which has one digit more than the type.
template <typename Compare>
uint64_t nearest(Type type, const Compare& compare) {
  const uint64_t infinity = onesOf(type.exponent) << type.mantissa();
  uint64_t low = 0, high = infinity;  // the result lies in [low, high]
  while (low < high) {
    const uint64_t middle = (low + high) / 2;
    // Between `middle` and its successor; infinity counts as one more step.
    const double here = meaning(middle, type);
    const double next = middle + 1 == infinity ? 2 * meaning(infinity - 1, type) - meaning(infinity - 2, type)
                                               : meaning(middle + 1, type);
    const int order = compare(here + (next - here) / 2);
    if (order > 0 || (order == 0 && middle % 2 == 1)) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

int orderOf(long double a, long double b) { return a < b ? -1 : a > b ? 1 : 0; }

uint64_t nearestTo(Type type, long double exact) {
  const uint64_t sign = std::signbit(exact) ? uint64_t{1} << (type.width - 1) : 0;
  return sign | nearest(type, [&](double v) { return orderOf(std::fabs(exact), v); });
}

uint64_t canonical(Type type) {
  return onesOf(type.exponent) << type.mantissa() | uint64_t{1} << (type.mantissa() - 1);
}

bool isNan(uint64_t bits, Type type) { return std::isnan(meaning(bits, type)); }

// Sums and products of values with few digits are exact in long double, as long as their exponents are near.
uint64_t expectedFloat(Op op, Type type, uint64_t x, uint64_t y) {
  const long double a = meaning(x, type), b = meaning(y, type);
  const long double doubled = op == Op::FMul   ? a * b
                              : op == Op::FDiv ? a / b
                              : op == Op::FSub ? a - b
                                               : a + b;
  if (std::isnan(doubled)) return canonical(type);
  if (std::isinf(doubled) || doubled == 0 || op != Op::FDiv) return nearestTo(type, doubled);
  // |a| / |b| against v: |a| against v * |b|, which is exact.
  const uint64_t sign = std::signbit(doubled) ? uint64_t{1} << (type.width - 1) : 0;
  return sign | nearest(type, [&](double v) { return orderOf(std::fabs(a), v * std::fabs(b)); });
}

std::vector<uint64_t> specials(Type type) {
  const uint64_t infinity = onesOf(type.exponent) << type.mantissa(),
                 one = infinity / 2 >> type.mantissa() << type.mantissa();
  std::vector<uint64_t> bits = {0,
                                1,
                                2,
                                3,
                                (uint64_t{1} << type.mantissa()) - 1,
                                uint64_t{1} << type.mantissa(),
                                (uint64_t{1} << type.mantissa()) + 1,
                                one - 1,
                                one,
                                one + 1,
                                infinity - 1,
                                infinity,
                                infinity + 1,
                                canonical(type),
                                canonical(type) + 1};
  for (size_t i = 0, n = bits.size(); i < n; ++i) bits.push_back(bits[i] | uint64_t{1} << (type.width - 1));
  return bits;
}

void expectFloat(Type type, uint64_t x, uint64_t y) {
  for (const Op op : {Op::FAdd, Op::FSub, Op::FMul, Op::FDiv}) {
    ASSERT_EQ(evaluate(op, type, type, x, y), expectedFloat(op, type, x, y))
        << "operator " << static_cast<int>(op) << " of width " << int{type.width} << " on " << x << " and "
        << y;
  }
  const double a = meaning(x, type), b = meaning(y, type);
  ASSERT_EQ(evaluate(Op::FEq, kI1, type, x, y), a == b);
  ASSERT_EQ(evaluate(Op::FNe, kI1, type, x, y), !(a == b));
  ASSERT_EQ(evaluate(Op::FLt, kI1, type, x, y), a < b);
  ASSERT_EQ(evaluate(Op::FLe, kI1, type, x, y), a <= b);
  ASSERT_EQ(evaluate(Op::FUno, kI1, type, x, y), std::isnan(a) || std::isnan(b));
  const bool any_nan = std::isnan(a) || std::isnan(b);
  const bool x_first = a < b || (a == b && std::signbit(a) && !std::signbit(b));
  ASSERT_EQ(evaluate(Op::FMin, type, type, x, y), any_nan   ? canonical(type)
                                                  : x_first ? x
                                                            : y)
      << x << " " << y;
  const bool x_last = a > b || (a == b && !std::signbit(a) && std::signbit(b));
  ASSERT_EQ(evaluate(Op::FMax, type, type, x, y), any_nan  ? canonical(type)
                                                  : x_last ? x
                                                           : y)
      << x << " " << y;
  const uint64_t sign = uint64_t{1} << (type.width - 1);
  ASSERT_EQ(evaluate(Op::FCopySign, type, type, x, y), (x & ~sign) | (y & sign));
}

TEST(FpgaEvaluate, NarrowFloatsAreRoundedOnce) {
  std::mt19937_64 random(2);
  for (const Type type : {kF16, kBf16}) {
    for (const uint64_t x : specials(type)) {
      for (const uint64_t y : specials(type)) expectFloat(type, x, y);
    }
    for (int i = 0; i < 30000; ++i) {
      const uint64_t x = random() & 0xffff;
      // Half of them of exponents so near that the sum is a matter of rounding (and exact in long double).
      const uint64_t near = (x ^ (random() & (onesOf(type.mantissa() + 3)))) & 0xffff;
      expectFloat(type, x, near);
      if (type == kF16) expectFloat(type, x, random() & 0xffff);
    }
  }
}

TEST(FpgaEvaluate, F32IsRoundedOnce) {
  std::mt19937_64 random(3);
  for (const uint64_t x : {0x3f800000u, 0x00000001u, 0x007fffffu, 0x00800000u, 0x7f7fffffu, 0xbf800001u}) {
    for (const uint64_t y : {0x3f800000u, 0x3f7fffffu, 0x40000001u, 0x3e800000u}) expectFloat(kF32, x, y);
  }
  for (int i = 0; i < 10000; ++i) {
    const uint64_t x = random() & 0xffffffff;
    expectFloat(kF32, x, (x ^ (random() & onesOf(27))) & 0xffffffff);
  }
}

TEST(FpgaEvaluate, RootsOfAllNarrowFloats) {
  for (const Type type : {kF16, kBf16}) {
    for (uint64_t x = 0; x < 65536; ++x) {
      const double value = meaning(x, type);
      uint64_t expected = canonical(type);
      if (value == 0) expected = x;
      // v against the root: its square, exact in a double, against x.
      if (value > 0) expected = nearest(type, [&](double v) { return orderOf(value, v * v); });
      ASSERT_EQ(evaluate(Op::FSqrt, type, type, x), expected) << x;
    }
  }
}

TEST(FpgaEvaluate, RoundsAllNarrowFloatsToIntegers) {
  for (const Type type : {kF16, kBf16}) {
    for (uint64_t x = 0; x < 65536; ++x) {
      const double v = meaning(x, type);
      const double down = std::floor(v), rest = v - down;
      const bool even = std::fmod(down, 2) == 0;
      const double expected[] = {down, std::ceil(v), v < 0 ? std::ceil(v) : down,
                                 rest > 0.5 || (rest == 0.5 && v > 0) ? down + 1 : down,
                                 rest > 0.5 || (rest == 0.5 && !even) ? down + 1 : down};
      const Op ops[] = {Op::FFloor, Op::FCeil, Op::FTrunc, Op::FRound, Op::FRoundEven};
      for (size_t i = 0; i < std::size(ops); ++i) {
        const double signed_zero = std::isinf(v) ? v : std::copysign(expected[i], v);
        ASSERT_EQ(evaluate(ops[i], type, type, x),
                  isNan(x, type) ? canonical(type) : nearestTo(type, signed_zero))
            << x << " " << i;
      }
      const uint64_t sign = 0x8000;
      ASSERT_EQ(evaluate(Op::FNeg, type, type, x), x ^ sign);
      ASSERT_EQ(evaluate(Op::FAbs, type, type, x), x & ~sign);
    }
  }
}

TEST(FpgaEvaluate, FloatsBecomeFloats) {
  std::mt19937_64 random(4);
  for (const Type from : {kF16, kBf16, kF32}) {
    for (const Type to : {kF16, kBf16, kF32}) {
      if (from == to) continue;
      for (uint64_t i = 0; i < 65536; ++i) {
        const uint64_t x = from == kF32 ? random() & 0xffffffff : i;
        const uint64_t expected = isNan(x, from) ? canonical(to) : nearestTo(to, meaning(x, from));
        ASSERT_EQ(evaluate(Op::FloatToFloat, to, from, x), expected) << x;
      }
    }
  }
}

TEST(FpgaEvaluate, IntegersBecomeFloats) {
  std::mt19937_64 random(5);
  for (const Type to : {kF16, kBf16, kF32}) {
    for (int i = 0; i < 30000; ++i) {
      const int width = 1 + static_cast<int>(random() % 64);
      const Type from{static_cast<uint8_t>(width)};
      const uint64_t x = corner(random, width);
      const I128 value = valueOf(x, width, true);
      // A long double has all 64 digits; zero is +0.
      ASSERT_EQ(evaluate(Op::IntToFloatS, to, from, x), nearestTo(to, static_cast<long double>(value)))
          << x << " " << width;
      ASSERT_EQ(evaluate(Op::IntToFloatU, to, from, x), nearestTo(to, static_cast<long double>(x)))
          << x << " " << width;
    }
  }
}

TEST(FpgaEvaluate, FloatsBecomeIntegers) {
  std::mt19937_64 random(6);
  for (const Type from : {kF16, kBf16, kF32}) {
    for (int i = 0; i < 60000; ++i) {
      const uint64_t x = from == kF32 ? random() & 0xffffffff : static_cast<uint64_t>(i);
      const int width = 1 + static_cast<int>(random() % 64);
      const Type to{static_cast<uint8_t>(width)};
      for (const bool is_signed : {true, false}) {
        const I128 low = is_signed ? -(I128(1) << (width - 1)) : 0;
        const I128 high = (I128(1) << (is_signed ? width - 1 : width)) - 1;
        const double v = meaning(x, from);
        I128 expected = 0;
        if (!std::isnan(v)) {
          expected = v >= 0x1p100 ? high : v <= -0x1p100 ? low : std::clamp(static_cast<I128>(v), low, high);
        }
        ASSERT_EQ(evaluate(is_signed ? Op::FloatToIntS : Op::FloatToIntU, to, from, x),
                  bitsOf(expected, width))
            << x << " to " << width;
      }
    }
  }
}

TEST(FpgaEvaluate, NansAreCanonicalButWhereBitsStay) {
  EXPECT_EQ(evaluate(Op::FAdd, kF32, kF32, 0xffc00001, 0x3f800000), kNanF32);
  EXPECT_EQ(evaluate(Op::FSub, kF32, kF32, 0x7f800000, 0x7f800000), kNanF32);
  EXPECT_EQ(evaluate(Op::FMul, kF32, kF32, 0, 0xff800000), kNanF32);
  EXPECT_EQ(evaluate(Op::FSqrt, kF32, kF32, 0xbf800000), kNanF32);
  EXPECT_EQ(evaluate(Op::FSqrt, kF32, kF32, 0x80000000), 0x80000000u);
  EXPECT_EQ(evaluate(Op::FNeg, kF32, kF32, 0x7fc00001), 0xffc00001u);
  EXPECT_EQ(evaluate(Op::FMin, kF32, kF32, 0, 0x80000000), 0x80000000u);
  EXPECT_EQ(evaluate(Op::FMax, kF32, kF32, 0x80000000, 0), 0u);
}

// ---- blocks -----------------------------------------------------------------------------------------------

TEST(FpgaEvaluate, BlocksGiveTheSame) {
  std::mt19937_64 random(7);
  constexpr size_t kCount = 37;
  const auto fill = [&](int width) {
    std::vector<uint64_t> values(kCount);
    for (uint64_t& value : values) value = corner(random, width);
    return values;
  };
  for (const Type type : {Type{13}, Type{64}, kF16, kBf16, kF32}) {
    for (int i = static_cast<int>(Op::Add); i <= static_cast<int>(Op::FRoundEven); ++i) {
      const auto op = static_cast<Op>(i);
      const bool is_float = op >= Op::FEq, compares = op >= Op::Eq && op <= Op::FUno;
      if (is_float != type.isFloat()) continue;
      const auto x = fill(op == Op::Select ? 1 : type.width), y = fill(type.width), z = fill(type.width);
      const Applied applied{op, compares ? kI1 : type, type};
      std::vector<uint64_t> out(kCount);
      applied.toBlock(kCount, x.data(), y.data(), z.data(), out.data());
      for (size_t k = 0; k < kCount; ++k) {
        EXPECT_EQ(out[k], evaluate(op, applied.result, type, x[k], y[k], z[k])) << i;
      }
    }
  }
}

TEST(FpgaEvaluate, FoldsGoFromIterationToIteration) {
  const std::vector<uint64_t> other = {5, 6, 7, 8}, init = {1, 1, 100, 1}, is_first = {0, 0, 1, 0};
  std::vector<uint64_t> before(4), out(4);
  uint64_t cell = 200;
  const Applied add{Op::Add, {8}, {8}}, subtract{Op::Sub, {8}, {8}};
  add.toFold(4, {true, other.data(), init.data(), is_first.data(), before.data(), out.data()}, cell);
  EXPECT_EQ(before, (std::vector<uint64_t>{200, 205, 100, 107}));
  EXPECT_EQ(out, (std::vector<uint64_t>{205, 211, 107, 115}));
  EXPECT_EQ(cell, 115u);
  cell = 3;
  subtract.toFold(2, {false, other.data(), init.data(), is_first.data(), before.data(), out.data()}, cell);
  EXPECT_EQ(cell, 4u);  // 6 - (5 - 3)
}

}  // namespace
}  // namespace tetrarch::fpga
