#include "tetrarch/graph/quantized.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "tetrarch/graph/constants.h"
#include "tetrarch/graph/quantized_test_util.h"
#include "tetrarch/graph/test_util.h"

namespace tetrarch::tet {
namespace {

TEST(Quantized, RoundsHalvesToEven) {
  EXPECT_EQ(roundingShift(2, 2), 0);
  EXPECT_EQ(roundingShift(6, 2), 2);
  EXPECT_EQ(roundingShift(-2, 2), 0);
  EXPECT_EQ(roundingShift(-6, 2), -2);
  std::mt19937_64 random(1);
  for (int i = 0; i < 100'000; ++i) {
    const int shift = static_cast<int>(1 + random() % kMostShift);
    const int64_t x = static_cast<int64_t>(random()) >> (16 + random() % 40);
    EXPECT_EQ(roundingShift(x, shift), static_cast<int64_t>(referenceShift(x, shift))) << x << " " << shift;
  }
}

TEST(Quantized, FixedPointIsWithinHalfAStepOfTheFactor) {
  std::mt19937 random(2);
  std::uniform_real_distribution<double> exponent(-30, 12.9);
  for (int i = 0; i < 10'000; ++i) {
    const double factor = std::exp2(exponent(random));
    const FixedPoint point = fixedPoint(factor);
    EXPECT_GE(point.multiplier, 1 << 14);
    EXPECT_LT(point.multiplier, 1 << 15);
    EXPECT_LE(std::fabs(std::ldexp(point.multiplier, -point.shift) / factor - 1), std::ldexp(1, -15));
  }
  EXPECT_EQ(fixedPoint(1 - 1e-9).multiplier, 1 << 14);  // rounds up to a power of two
  EXPECT_EQ(fixedPoint(std::ldexp(1, -60)).multiplier, 0);
  EXPECT_EQ(fixedPoint(std::ldexp(1, -40), 31).shift, 31);
}

struct Channel {
  int64_t bias, multiplier, shift;
};

TEST(Quantized, RequantizeIsExactUpToTheEndsOfItsTypes) {
  std::mt19937_64 random(3);
  constexpr int64_t kRows = 61, kChannels = 7;
  for (int round = 0; round < 20; ++round) {
    Ints acc, bias, multiplier, shift;
    for (int64_t c = 0; c < kChannels; ++c) {
      bias.push_back(c == 0   ? INT32_MAX
                     : c == 1 ? INT32_MIN
                              : static_cast<int32_t>(random()) >> (random() % 24));
      multiplier.push_back(static_cast<int64_t>(random() % (1 << 15)));
      shift.push_back(static_cast<int64_t>(1 + random() % kMostShift));
    }
    for (int64_t i = 0; i < kRows * kChannels; ++i) {
      const int64_t ends[] = {INT32_MAX, INT32_MIN, 0, -1};
      acc.push_back(i % 11 < 4 ? ends[i % 11] : static_cast<int32_t>(random()) >> (random() % 31));
    }
    const RequantizeOutput out{
        .zero_point = static_cast<int64_t>(random() % 256) - 128, .low = -100, .high = 90};
    const Tensor result = evaluated(
        {ints(ElementType::I32, {kRows, kChannels}, acc), ints(ElementType::I32, {kChannels}, bias),
         ints(ElementType::I32, {kChannels}, multiplier), ints(ElementType::I32, {kChannels}, shift)},
        [&](mlir::ImplicitLocOpBuilder& b, mlir::ValueRange in) {
          return requantize(b, {in[0], in[1], in[2], in[3], 1}, out);
        });
    for (int64_t i = 0; i < result.count(); ++i) {
      const int64_t c = i % kChannels;
      const __int128 product = (__int128{acc[i]} + bias[c]) * multiplier[c];
      const __int128 level = referenceShift(product, static_cast<int>(shift[c])) + out.zero_point;
      const auto expected = static_cast<int64_t>(level < out.low    ? out.low
                                                 : level > out.high ? out.high
                                                                    : level);
      ASSERT_EQ(result.getInt(i), expected)
          << acc[i] << " + " << bias[c] << ", " << multiplier[c] << " >> " << shift[c];
    }
  }
}

TEST(Quantized, RequantizeAddRoundsBothTermsAlone) {
  std::mt19937_64 random(4);
  constexpr int64_t kCount = 257;
  for (int round = 0; round < 20; ++round) {
    Ints acc, other;
    for (int64_t i = 0; i < kCount; ++i) {
      acc.push_back(static_cast<int32_t>(random()) >> (random() % 24));
      other.push_back(static_cast<int8_t>(random()));
    }
    const auto multiplier = static_cast<int64_t>(random() % (1 << 15)),
               shift = static_cast<int64_t>(1 + random() % 40);
    RequantizeOther second{{},
                           static_cast<int8_t>(random()),
                           static_cast<int16_t>(random()),
                           static_cast<int32_t>(1 + random() % 31)};
    const Tensor result =
        evaluated({ints(ElementType::I32, {kCount}, acc), ints(ElementType::I8, {kCount}, other),
                   ints(ElementType::I32, {}, {multiplier}), ints(ElementType::I32, {}, {shift})},
                  [&](mlir::ImplicitLocOpBuilder& b, mlir::ValueRange in) {
                    second.value = in[1];
                    return requantizeAdd(b, {in[0], {}, in[2], in[3], -1}, second, {.zero_point = 5});
                  });
    for (int64_t i = 0; i < kCount; ++i) {
      const __int128 first = referenceShift(__int128{acc[i]} * multiplier, static_cast<int>(shift));
      const __int128 added =
          referenceShift(__int128{other[i] - second.zero_point} * second.multiplier, second.shift);
      const __int128 level = first + added + 5;
      ASSERT_EQ(result.getInt(i), static_cast<int64_t>(level < -128 ? -128 : level > 127 ? 127 : level)) << i;
    }
  }
}

TEST(Quantized, QuantizeSaturatesAndDequantizeInverts) {
  const Tensor x = f32({6}, {-1000, -0.5, 0, 0.25, 0.75, 1000});
  auto parameters = [&](mlir::ImplicitLocOpBuilder& b, ElementType type) {
    return std::pair<mlir::Value, mlir::Value>{makeConstant(b, b.getLoc(), f32({}, {0.5})),
                                               makeConstant(b, b.getLoc(), tensorOf(type, {}, {3}))};
  };
  const Tensor q = evaluated({x}, [&](mlir::ImplicitLocOpBuilder& b, mlir::ValueRange in) {
    auto [scale, zero] = parameters(b, ElementType::I8);
    return quantize(b, in[0], scale, zero, 0);
  });
  EXPECT_EQ(valuesOf(q), Values({-128, 2, 3, 3, 5, 127}));
  const Tensor back = evaluated({q}, [&](mlir::ImplicitLocOpBuilder& b, mlir::ValueRange in) {
    auto [scale, zero] = parameters(b, ElementType::I8);
    return dequantize(b, in[0], scale, zero, 0);
  });
  EXPECT_EQ(valuesOf(back), Values({-65.5, -0.5, 0, 0, 1, 62}));
  const Tensor bytes = evaluated({x}, [&](mlir::ImplicitLocOpBuilder& b, mlir::ValueRange in) {
    auto [scale, zero] = parameters(b, ElementType::U8);
    return quantize(b, in[0], scale, zero, 0);
  });
  EXPECT_EQ(valuesOf(bytes), Values({0, 2, 3, 3, 5, 255}));
}

TEST(Quantized, LookupReadsTheTableByTheByte) {
  Ints table, q;
  for (int64_t i = 0; i < 256; ++i) table.push_back(i * 7), q.push_back(i - 128);
  const Tensor result =
      evaluated({ints(ElementType::I8, {2, 128}, q), ints(ElementType::I16, {256}, table)},
                [](mlir::ImplicitLocOpBuilder& b, mlir::ValueRange in) { return lookup(b, in[0], in[1]); });
  for (int64_t i = 0; i < 256; ++i) EXPECT_EQ(result.getInt(i), table[(q[i] + 256) % 256]);
}

}  // namespace
}  // namespace tetrarch::tet
