// The operators on floats, each as its module, against evaluate(): all pairs of special values, and random
// ones that crowd where rounding, cancellation, underflow and overflow happen. TETRARCH_FPGA_PAIRS says how
// many random pairs of each format; `make fpga-floats` runs the long form.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <random>

#include "Vfpga_floats_bf16.h"
#include "Vfpga_floats_f16.h"
#include "Vfpga_floats_f32.h"
#include "rtl/fpga/sim/operator_checks.h"

namespace tetrarch::fpga {
namespace {

constexpr Type integer(int width) { return {static_cast<uint8_t>(width), 0}; }

template <typename Dut>
std::vector<OperatorCheck<Dut>> checksOf(Type f) {
  using enum Operator;
  const auto on = [f](const char* name, Operator op, uint64_t (*output)(const Dut&)) {
    return OperatorCheck<Dut>{name, op, f, f, output};
  };
  const auto compare = [f](const char* name, Operator op, uint64_t (*output)(const Dut&)) {
    return OperatorCheck<Dut>{name, op, kI1, f, output};
  };
  const auto from = [f](const char* name, Operator op, int width, uint64_t (*output)(const Dut&)) {
    return OperatorCheck<Dut>{name, op, f, integer(width), output, true};
  };
  const auto to = [f](const char* name, Operator op, Type result, uint64_t (*output)(const Dut&)) {
    return OperatorCheck<Dut>{name, op, result, f, output};
  };
  return {
      on("fadd", FAdd, [](const Dut& d) -> uint64_t { return d.fadd_o; }),
      on("fsub", FSub, [](const Dut& d) -> uint64_t { return d.fsub_o; }),
      on("fmul", FMul, [](const Dut& d) -> uint64_t { return d.fmul_o; }),
      on("fdiv", FDiv, [](const Dut& d) -> uint64_t { return d.fdiv_o; }),
      on("fsqrt", FSqrt, [](const Dut& d) -> uint64_t { return d.fsqrt_o; }),
      on("fmin", FMin, [](const Dut& d) -> uint64_t { return d.fmin_o; }),
      on("fmax", FMax, [](const Dut& d) -> uint64_t { return d.fmax_o; }),
      on("ffloor", FFloor, [](const Dut& d) -> uint64_t { return d.ffloor_o; }),
      on("fceil", FCeil, [](const Dut& d) -> uint64_t { return d.fceil_o; }),
      on("ftrunc", FTrunc, [](const Dut& d) -> uint64_t { return d.ftrunc_o; }),
      on("fround", FRound, [](const Dut& d) -> uint64_t { return d.fround_o; }),
      on("froundeven", FRoundEven, [](const Dut& d) -> uint64_t { return d.froundeven_o; }),
      compare("feq", FEq, [](const Dut& d) -> uint64_t { return d.equal_o; }),
      compare("fne", FNe, [](const Dut& d) -> uint64_t { return !d.equal_o; }),
      compare("flt", FLt, [](const Dut& d) -> uint64_t { return d.less_o; }),
      compare("fle", FLe, [](const Dut& d) -> uint64_t { return d.less_o | d.equal_o; }),
      compare("funo", FUno, [](const Dut& d) -> uint64_t { return d.unordered_o; }),
      from("from_s64", IntToFloatS, 64, [](const Dut& d) -> uint64_t { return d.from_s64_o; }),
      from("from_u64", IntToFloatU, 64, [](const Dut& d) -> uint64_t { return d.from_u64_o; }),
      from("from_s9", IntToFloatS, 9, [](const Dut& d) -> uint64_t { return d.from_s9_o; }),
      from("from_s1", IntToFloatS, 1, [](const Dut& d) -> uint64_t { return d.from_s1_o; }),
      to("to_s64", FloatToIntS, integer(64), [](const Dut& d) -> uint64_t { return d.to_s64_o; }),
      to("to_u64", FloatToIntU, integer(64), [](const Dut& d) -> uint64_t { return d.to_u64_o; }),
      to("to_s32", FloatToIntS, integer(32), [](const Dut& d) -> uint64_t { return d.to_s32_o; }),
      to("to_s8", FloatToIntS, integer(8), [](const Dut& d) -> uint64_t { return d.to_s8_o; }),
      to("to_u8", FloatToIntU, integer(8), [](const Dut& d) -> uint64_t { return d.to_u8_o; }),
      to("to_s1", FloatToIntS, integer(1), [](const Dut& d) -> uint64_t { return d.to_s1_o; }),
      to("to_f32", FloatToFloat, kF32, [](const Dut& d) -> uint64_t { return d.to_f32_o; }),
      to("to_f16", FloatToFloat, kF16, [](const Dut& d) -> uint64_t { return d.to_f16_o; }),
      to("to_bf16", FloatToFloat, kBf16, [](const Dut& d) -> uint64_t { return d.to_bf16_o; }),
  };
}

// Zeros, subnormals, the ends of the normal numbers, integers and halves, where integers end, infinities,
// NaNs; of both signs.
std::vector<uint64_t> specials(Type f) {
  const int mantissa = f.mantissa();
  const uint64_t bias = onesOf(f.exponent - 1), one = bias << mantissa, unit = uint64_t{1} << mantissa;
  const uint64_t infinity = onesOf(f.exponent) << mantissa;
  std::vector<uint64_t> magnitudes = {0, 1, 2, 3, unit / 2, unit - 1, unit, unit + 1, 2 * unit - 1, 2 * unit};
  for (const uint64_t center :
       {one - 2 * unit, one - unit, one, one + unit / 2, one + unit, one + 3 * unit / 2})
    magnitudes.insert(magnitudes.end(), {center - 1, center, center + 1});
  for (const uint64_t power : {7, 8, 9, 31, 32, 63, 64, mantissa - 1, mantissa, mantissa + 1})
    for (const uint64_t by : {-1, 0, 1})
      magnitudes.push_back(std::min(one + power * unit + by, infinity - 1));
  magnitudes.insert(magnitudes.end(), {infinity - unit, infinity - 2, infinity - 1, infinity, infinity + 1,
                                       infinity + unit / 2, infinity + unit - 1});
  std::vector<uint64_t> values;
  for (const uint64_t magnitude : magnitudes) {
    values.push_back(magnitude);
    values.push_back(magnitude | uint64_t{1} << (f.width - 1));
  }
  return values;
}

class RandomFloats {
 public:
  explicit RandomFloats(Type f) : f_(f) {}

  History::Entry next() {
    const uint64_t a = any();
    return {{a, partner(a)}, {random_() >> (random_() % 64) ^ -(random_() % 2), random_()}};
  }
  uint64_t bits() { return random_(); }

 private:
  int bias() const { return static_cast<int>(onesOf(f_.exponent - 1)); }
  int exponentOf(uint64_t x) const { return static_cast<int>(x >> f_.mantissa() & onesOf(f_.exponent)); }
  uint64_t withExponent(uint64_t x, int exponent) const {
    const uint64_t field = onesOf(f_.exponent) << f_.mantissa();
    const auto kept = static_cast<uint64_t>(std::clamp(exponent, 0, static_cast<int>(onesOf(f_.exponent))));
    return (x & ~field) | kept << f_.mantissa();
  }
  int nearby(int by) { return static_cast<int>(random_() % (2 * by + 1)) - by; }

  uint64_t partner(uint64_t a) {
    const uint64_t sign = uint64_t{1} << (f_.width - 1), all = onesOf(f_.width);
    switch (random_() % 7) {
      case 0:
        return any();
      case 1:  // nearly cancels
        return ((a ^ sign) + static_cast<uint64_t>(nearby(4))) & all;
      case 2:  // cancels but for some bits
        return a ^ sign ^ (random_() & onesOf(f_.mantissa())) >> random_() % f_.mantissa();
      case 3:  // is far smaller, about where it rounds away
        return withExponent(any(), exponentOf(a) - f_.mantissa() + nearby(4));
      case 4:  // a product at either end of the exponents
        return withExponent(any(),
                            bias() + (random_() % 2 ? -bias() : bias()) - exponentOf(a) + bias() + nearby(2));
      case 5:  // a quotient there, subnormal as often as not
        return withExponent(any(),
                            exponentOf(a) + (random_() % 2 ? -bias() : bias()) + nearby(f_.mantissa() + 3));
      default:
        return withExponent(any(), exponentOf(a) + nearby(3));
    }
  }

  // Mantissas of few ones make ties.
  uint64_t any() {
    uint64_t value = random_() & onesOf(f_.width);
    if (random_() % 3 == 0)
      value &= ~onesOf(f_.mantissa()) | onesOf(f_.mantissa()) << random_() % f_.mantissa();
    switch (random_() % 6) {
      case 0:  // either end of the normal numbers
        return withExponent(value,
                            (random_() % 2 ? 1 : static_cast<int>(onesOf(f_.exponent)) - 1) + nearby(1));
      case 1:  // about where integers are
        return withExponent(value, bias() + static_cast<int>(random_() % (f_.mantissa() + 2)) - 1);
      default:
        return value;
    }
  }

  Type f_;
  std::mt19937_64 random_{1};
};

size_t randomPairs(size_t otherwise) {
  const char* wished = std::getenv("TETRARCH_FPGA_PAIRS");
  return wished ? std::strtoull(wished, nullptr, 10) : otherwise;
}

// With `stalls` the pipelines are held now and then, all of them at once.
template <typename Dut>
void compare(Type f, size_t random_pairs, bool stalls) {
  Dut dut;
  History history;
  RandomFloats random(f);
  const auto checks = checksOf<Dut>(f);
  const auto step = [&](const History::Entry& entry) {
    dut.a_i = entry.floats.x;
    dut.b_i = entry.floats.y;
    dut.int_i = entry.integers.x;
    dut.en_i = 1;
    if (stalls && random.bits() % 3 == 0) {
      dut.en_i = 0;
      clock(dut);
      dut.en_i = 1;
    }
    clock(dut);
    history.push(entry);
    return agree(checks, dut, history);
  };
  if (!stalls) {
    const std::vector<uint64_t> values = specials(f);
    for (const uint64_t a : values) {
      for (const uint64_t b : values) ASSERT_TRUE(step({{a, b}, {a ^ b << 31, b}}));
    }
  }
  for (size_t i = 0; i < random_pairs; ++i) ASSERT_TRUE(step(random.next()));
}

TEST(FpgaFloats, F16) { compare<Vfpga_floats_f16>(kF16, randomPairs(1'000'000), false); }
TEST(FpgaFloats, Bf16) { compare<Vfpga_floats_bf16>(kBf16, randomPairs(200'000), false); }
TEST(FpgaFloats, F32) { compare<Vfpga_floats_f32>(kF32, randomPairs(200'000), false); }
TEST(FpgaFloats, StallAsOne) {
  compare<Vfpga_floats_f16>(kF16, 100'000, true);
  compare<Vfpga_floats_f32>(kF32, 100'000, true);
}

}  // namespace
}  // namespace tetrarch::fpga
