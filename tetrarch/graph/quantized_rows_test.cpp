#include "tetrarch/graph/quantized_rows.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <random>

#include "tetrarch/graph/constants.h"
#include "tetrarch/graph/quantized_test_util.h"

namespace tetrarch::tet {
namespace {

constexpr int64_t kLengths[] = {1, 2, 7, 16, 33, 128, 384, 768, 1001};
constexpr int64_t kRows = 6;

int64_t clip(int64_t x, const RequantizeOutput& out) { return std::clamp(x, out.low, out.high); }
int64_t rne(__int128 x, int64_t shift) {
  return static_cast<int64_t>(shift == 0 ? x : referenceShift(x, static_cast<int>(shift)));
}
int position(int64_t x) { return std::bit_width(static_cast<uint64_t>(std::max<int64_t>(x, 1))) - 1; }
// The bits below the leading one.
int64_t mantissa(int64_t x, int bits) {
  return (std::max<int64_t>(x, 1) << bits >> position(x)) & ((int64_t{1} << bits) - 1);
}
int64_t reciprocal(int64_t x, const Tensor& table) {
  return table.getInt(mantissa(x, 8)) << (30 - position(x));
}
int64_t rsqrt(int64_t x, const Tensor& table) {
  return table.getInt(position(x) % 2 * 128 + mantissa(x, 7)) << (15 - position(x) / 2);
}

// Rows of all sorts: random, narrow, equal, and one large element.
Ints randomRows(std::mt19937& random, int64_t n) {
  Ints x;
  for (int64_t row = 0; row < kRows; ++row) {
    const auto middle = static_cast<int64_t>(random() % 200) - 100;
    for (int64_t i = 0; i < n; ++i) {
      const auto any = static_cast<int64_t>(random() % 256) - 128;
      const int64_t sorts[] = {any, any, middle + any / 16, middle, i == n / 2 ? 127 : -128, any / 40};
      x.push_back(std::clamp<int64_t>(sorts[row % 6], -128, 127));
    }
  }
  return x;
}

struct Drift {
  double largest = 0;
  void add(int64_t level, double real, const RequantizeOutput& out) {
    const double expected = std::clamp(real + static_cast<double>(out.zero_point),
                                       static_cast<double>(out.low), static_cast<double>(out.high));
    largest = std::max(largest, std::fabs(static_cast<double>(level) - expected));
  }
};

TEST(QuantizedRows, SoftmaxIsItsFormulaAndWithinOneStepOfTheReals) {
  std::mt19937 random(1);
  Drift drift;
  for (int64_t n : kLengths) {
    for (double scale : {0.004, 0.05, 0.3}) {
      const Ints x = randomRows(random, n);
      const double step = 1.0 / 255 * (1 + static_cast<double>(random() % 8));
      const RequantizeOutput out{.zero_point = -128};
      const FixedPoint factor = fixedPoint(std::ldexp(1 / step, -30));
      const Tensor exponential = exponentialTable(scale), table = reciprocalTable();
      const Tensor y = evaluated({ints(ElementType::I8, {2, kRows / 2, n}, x), exponential, table},
                                 [&](mlir::ImplicitLocOpBuilder& b, mlir::ValueRange in) {
                                   return softmaxInt8(b, {in[0], in[1], in[2]}, factor, out);
                                 });
      for (int64_t row = 0; row < kRows; ++row) {
        const int64_t* values = x.data() + row * n;
        const int64_t largest = *std::max_element(values, values + n);
        int64_t sum = 0;
        double real_sum = 0;
        auto entry = [&](int64_t i) { return exponential.getInt((values[i] - largest + 127) & 255); };
        auto real = [&](int64_t i) { return std::exp(scale * static_cast<double>(values[i] - largest)); };
        for (int64_t i = 0; i < n; ++i) sum += entry(i), real_sum += real(i);
        for (int64_t i = 0; i < n; ++i) {
          const int64_t p = rne(__int128{reciprocal(sum, table)} * entry(i), 15);
          const int64_t level = rne(__int128{p} * factor.multiplier, factor.shift) + out.zero_point;
          ASSERT_EQ(y.getInt(row * n + i), clip(level, out)) << n << " " << row << " " << i;
          drift.add(y.getInt(row * n + i), real(i) / real_sum / step, out);
        }
      }
    }
  }
  EXPECT_LT(drift.largest, 1);
  RecordProperty("largest_drift_in_steps", std::to_string(drift.largest));
}

struct NormCase {
  int64_t n;
  bool centred;
  Ints x, multiplier, bias;
  NormNumbers numbers;
  std::vector<double> gamma, beta;  // in steps of the result
};

NormCase randomNorm(std::mt19937& random, int64_t n, bool centred) {
  NormCase c{n, centred, randomRows(random, n), {}, {}, {}, {}, {}};
  std::uniform_real_distribution<double> weight(-40, 40);
  for (int64_t i = 0; i < n; ++i) c.gamma.push_back(weight(random)), c.beta.push_back(weight(random));
  const FixedPoint largest = fixedPoint(40 / normScale(n, centred));
  c.numbers = {.centred = centred,
               .zero_point = centred ? 0 : static_cast<int64_t>(random() % 100) - 50,
               .epsilon = static_cast<int64_t>(random() % 1000),
               .shift = largest.shift};
  for (int64_t i = 0; i < n; ++i) {
    const double m = std::nearbyint(std::ldexp(c.gamma[i] / normScale(n, centred), largest.shift));
    c.multiplier.push_back(m == 0 ? 1 : static_cast<int64_t>(m));
    c.bias.push_back(static_cast<int64_t>(
        std::nearbyint(std::ldexp(c.beta[i], largest.shift) / static_cast<double>(c.multiplier.back()))));
  }
  return c;
}

// The formula of quantized_rows.h, one element after the other; w of all elements of a row.
Ints normalisedRow(const NormCase& c, const int64_t* x, const Tensor& table) {
  int64_t sum = 0, squares = c.numbers.epsilon;
  for (int64_t i = 0; i < c.n; ++i) sum += x[i];
  const FixedPoint part = fixedPoint(128.0 / static_cast<double>(c.n), 31);
  const int64_t mean =
      c.centred ? rne(__int128{sum} * part.multiplier, part.shift) : c.numbers.zero_point * 128;
  Ints d;
  for (int64_t i = 0; i < c.n; ++i) {
    d.push_back(x[i] * 128 - mean);
    EXPECT_LT(std::abs(d.back()), 1 << 15);
    squares += rne(__int128{d.back()} * d.back(), squareShift(c.n, c.centred));
  }
  EXPECT_LT(squares, INT32_MAX);
  for (int64_t& value : d) value = rne(__int128{rsqrt(squares, table)} * value, 16);
  return d;
}

double realDeviation(const NormCase& c, const int64_t* x, double& mean) {
  double sum = 0, squares = 0;
  for (int64_t i = 0; i < c.n; ++i) sum += static_cast<double>(x[i]);
  mean = c.centred ? sum / static_cast<double>(c.n) : static_cast<double>(c.numbers.zero_point);
  for (int64_t i = 0; i < c.n; ++i) squares += std::pow(static_cast<double>(x[i]) - mean, 2);
  const double scale = std::ldexp(1, 14 - static_cast<int>(squareShift(c.n, c.centred)));
  return std::sqrt((squares + static_cast<double>(c.numbers.epsilon) / scale) / static_cast<double>(c.n));
}

void checkNorm(const NormCase& c, Drift& drift) {
  const RequantizeOutput out{.zero_point = 3, .low = -120, .high = 120};
  const Tensor table = rsqrtTable();
  const Tensor y =
      evaluated({ints(ElementType::I8, {kRows, c.n}, c.x), table, ints(ElementType::I32, {c.n}, c.multiplier),
                 ints(ElementType::I32, {c.n}, c.bias)},
                [&](mlir::ImplicitLocOpBuilder& b, mlir::ValueRange in) {
                  return normInt8(b, {in[0], in[1], in[2], in[3]}, c.numbers, out);
                });
  for (int64_t row = 0; row < kRows; ++row) {
    const int64_t* x = c.x.data() + row * c.n;
    const Ints w = normalisedRow(c, x, table);
    double mean = 0;
    const double deviation = realDeviation(c, x, mean);
    for (int64_t i = 0; i < c.n; ++i) {
      const __int128 product = (__int128{w[i]} + c.bias[i]) * c.multiplier[i];
      ASSERT_EQ(y.getInt(row * c.n + i), clip(rne(product, c.numbers.shift) + out.zero_point, out));
      // Rows without a spread are divided by a rounding error: nothing to compare with.
      if (deviation < 0.5) continue;
      drift.add(y.getInt(row * c.n + i),
                (static_cast<double>(x[i]) - mean) / deviation * c.gamma[i] + c.beta[i], out);
    }
  }
}

TEST(QuantizedRows, NormalisationsAreTheirFormulaAndWithinOneStepOfTheReals) {
  std::mt19937 random(2);
  for (bool centred : {true, false}) {
    Drift drift;
    for (int64_t n : kLengths) {
      for (int round = 0; round < 4; ++round) checkNorm(randomNorm(random, n, centred), drift);
    }
    EXPECT_LT(drift.largest, 1);
    RecordProperty(centred ? "layer_norm_drift_in_steps" : "rms_norm_drift_in_steps",
                   std::to_string(drift.largest));
  }
}

TEST(QuantizedRows, TheLongestRowsDoNotOverflow) {
  std::mt19937 random(3);
  for (bool centred : {true, false}) {
    NormCase c = randomNorm(random, kMostRowElements, centred);
    c.numbers.zero_point = centred ? 0 : -128;
    for (int64_t i = 0; i < c.n * kRows; ++i) c.x[i] = i % 2 == 0 || !centred ? 127 : -128;
    Drift drift;
    checkNorm(c, drift);
  }
}

}  // namespace
}  // namespace tetrarch::tet
