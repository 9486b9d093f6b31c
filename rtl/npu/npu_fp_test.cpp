// The float units on their own against the models' arithmetic: all pairs of special values, and random
// operands that crowd where rounding, cancellation, underflow and overflow happen.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <random>
#include <string>
#include <vector>

#include "Vnpu_fp_add_32.h"
#include "Vnpu_fp_max_32.h"
#include "Vnpu_fp_mul_32.h"
#include "Vnpu_fp_mul_bf16.h"
#include "tetrarch/devices/npu/float_math.h"

namespace tetrarch::npu {
namespace {

constexpr int kRandomPairs = 1'500'000;

struct Pair {
  uint32_t a, b;
};

// Zeros, subnormals, the ends of the normal numbers, ones and their neighbours, infinities, NaNs; of both
// signs.
std::vector<uint32_t> specials() {
  constexpr uint32_t kMagnitudes[] = {0x00000000, 0x00000001, 0x00400000, 0x007fffff, 0x00800000, 0x00800001,
                                      0x00ffffff, 0x01000000, 0x0c000000, 0x1f800000, 0x20000000, 0x33800000,
                                      0x34000000, 0x3effffff, 0x3f000000, 0x3f7fffff, 0x3f800000, 0x3f800001,
                                      0x3fb504f3, 0x3fffffff, 0x40000000, 0x4b7fffff, 0x4b800000, 0x5f800000,
                                      0x7e800000, 0x7effffff, 0x7f000000, 0x7f7f0000, 0x7f7ffffe, 0x7f7fffff,
                                      0x7f800000, 0x7f800001, 0x7fbfffff, 0x7fc00000, 0x7fffffff};
  std::vector<uint32_t> values;
  for (const uint32_t magnitude : kMagnitudes) {
    values.push_back(magnitude);
    values.push_back(magnitude | kFloatSign);
  }
  return values;
}

class Operands {
 public:
  explicit Operands(uint32_t seed) : random_(seed) {}

  Pair next() {
    const uint32_t a = any();
    switch (random_() % 6) {
      case 0:
        return {a, any()};
      case 1:  // nearly cancels
        return {a, (a ^ kFloatSign) + static_cast<uint32_t>(nearby(4))};
      case 2:  // cancels but for some bits
        return {a, a ^ kFloatSign ^ (bits() >> (9 + random_() % 23))};
      case 3:  // is far smaller, about where it rounds away
        return {a, withExponent(any(), exponentOf(a) - 20 - static_cast<int>(random_() % 8))};
      case 4:  // a product at either end of the exponents, a sum of equal exponents
        return {a, withExponent(any(), (random_() % 2 ? 127 : 381) - exponentOf(a) + nearby(2))};
      default:
        return {a, withExponent(any(), exponentOf(a) + nearby(3))};
    }
  }

 private:
  static int exponentOf(uint32_t bits) { return static_cast<int>(bits >> 23 & 255); }
  static uint32_t withExponent(uint32_t bits, int exponent) {
    return (bits & ~kFloatInfinity) | static_cast<uint32_t>(std::clamp(exponent, 0, 255)) << 23;
  }
  uint32_t bits() { return static_cast<uint32_t>(random_()); }
  int nearby(int by) { return static_cast<int>(random_() % (2 * by + 1)) - by; }

  // Mantissas of few ones make ties.
  uint32_t any() {
    uint32_t value = bits();
    if (random_() % 3 == 0) value &= 0xff800000 | (0x7fffff << (random_() % 23));
    if (random_() % 4 == 0) value = withExponent(value, (random_() % 2 ? 2 : 253) + nearby(2));
    return value;
  }

  std::mt19937 random_;
};

std::vector<Pair> allPairs(uint32_t seed) {
  std::vector<Pair> pairs;
  for (const uint32_t a : specials()) {
    for (const uint32_t b : specials()) pairs.push_back({a, b});
  }
  Operands operands(seed);
  for (int i = 0; i < kRandomPairs; ++i) pairs.push_back(operands.next());
  return pairs;
}

std::string text(const Pair& pair, uint32_t got, uint32_t expected) {
  std::array<char, 96> line;
  std::snprintf(line.data(), line.size(), "of %08x and %08x: %08x, not %08x", pair.a, pair.b, got, expected);
  return line.data();
}

void clock(auto& dut) {
  dut.clk_i = 0;
  dut.eval();
  dut.clk_i = 1;
  dut.eval();
}

TEST(NpuFloat, AddsAsTheModelDoes) {
  Vnpu_fp_add_32 dut;
  constexpr size_t kLatency = 3;
  dut.en_i = 7;
  const std::vector<Pair> pairs = allPairs(1);
  for (size_t i = 0; i < pairs.size() + kLatency - 1; ++i) {
    if (i < pairs.size()) {
      dut.a_i = pairs[i].a;
      dut.b_i = pairs[i].b;
    }
    clock(dut);
    if (i + 1 < kLatency) continue;
    const Pair& pair = pairs[i + 1 - kLatency];
    const uint32_t expected = addFloat(pair.a, pair.b);
    ASSERT_EQ(dut.sum_o, expected) << text(pair, dut.sum_o, expected);
  }
}

TEST(NpuFloat, AddsOnlyWhereItIsEnabled) {
  Vnpu_fp_add_32 dut;
  const uint32_t one = 0x3f800000, two = 0x40000000, three = 0x40400000;
  dut.a_i = one;
  dut.b_i = two;
  for (const int stage : {1, 2, 4}) {
    dut.en_i = stage;
    clock(dut);
    dut.a_i = dut.b_i = one;
  }
  EXPECT_EQ(dut.sum_o, three);
  dut.en_i = 3;
  for (int i = 0; i < 4; ++i) clock(dut);
  EXPECT_EQ(dut.sum_o, three) << "the sum stays until the next";
}

TEST(NpuFloat, MultipliesAsTheModelDoes) {
  Vnpu_fp_mul_32 dut;
  dut.en_i = 1;
  for (const Pair& pair : allPairs(2)) {
    dut.a_i = pair.a;
    dut.b_i = pair.b;
    clock(dut);
    const uint32_t expected = multiplyFloat(pair.a, pair.b);
    ASSERT_EQ(dut.product_o, expected) << text(pair, dut.product_o, expected);
  }
}

TEST(NpuFloat, MultipliesBf16AsTheModelDoes) {
  Vnpu_fp_mul_bf16 dut;
  for (const Pair& pair : allPairs(3)) {
    dut.a_i = pair.a >> 16;
    dut.b_i = pair.b >> 16;
    dut.eval();
    const uint32_t expected = multiplyFloat(widenBf16(dut.a_i), widenBf16(dut.b_i));
    ASSERT_EQ(dut.product_o, expected) << text(pair, dut.product_o, expected);
  }
}

// In plain words, without the integer order that model and RTL use.
uint32_t largerOf(uint32_t a, uint32_t b, bool smaller) {
  if (isNan(a) || isNan(b)) return kFloatNan;
  const float x = operand(a), y = operand(b);
  if (x == 0 && y == 0) return smaller ? flush(a) | flush(b) : flush(a) & flush(b);
  return flush((x < y) == smaller ? a : b);
}

TEST(NpuFloat, ChoosesTheLargerAndTheSmaller) {
  Vnpu_fp_max_32 dut;
  for (const Pair& pair : allPairs(4)) {
    dut.a_i = pair.a;
    dut.b_i = pair.b;
    for (const bool smaller : {false, true}) {
      dut.min_i = smaller;
      dut.eval();
      const uint32_t expected = largerOf(pair.a, pair.b, smaller);
      ASSERT_EQ(dut.result_o, expected) << text(pair, dut.result_o, expected);
    }
  }
}

}  // namespace
}  // namespace tetrarch::npu
