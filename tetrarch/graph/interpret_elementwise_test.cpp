#include <cmath>
#include <limits>
#include <random>

#include "tetrarch/graph/test_util.h"

namespace tetrarch::tet {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
const double kNaN = std::nan("");

std::string unaryText(std::string_view op, std::string_view type, size_t n) {
  return fmt::format(
      "func.func @main(%x: tensor<{1}x{2}>) -> tensor<{1}x{2}> {{\n"
      "  %0 = tet.{0} %x : tensor<{1}x{2}>\n  return %0 : tensor<{1}x{2}>\n}}",
      op, n, type);
}

std::string binaryText(std::string_view op, std::string_view type, size_t n) {
  return fmt::format(
      "func.func @main(%x: tensor<{1}x{2}>, %y: tensor<{1}x{2}>) -> tensor<{1}x{2}> {{\n"
      "  %0 = tet.{0} %x, %y : tensor<{1}x{2}>\n  return %0 : tensor<{1}x{2}>\n}}",
      op, n, type);
}

Values unary(std::string_view op, ElementType type, Values x) {
  const auto n = static_cast<int64_t>(x.size());
  return runText(unaryText(op, info(type).name, x.size()), {tensorOf(type, {n}, x)});
}

Values binary(std::string_view op, ElementType type, Values x, Values y) {
  const auto n = static_cast<int64_t>(x.size());
  return runText(binaryText(op, info(type).name, x.size()), {tensorOf(type, {n}, x), tensorOf(type, {n}, y)});
}

Values randomValues(int64_t n, double low, double high, unsigned seed) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<float> distribution(static_cast<float>(low), static_cast<float>(high));
  Values values(n);
  for (double& v : values) v = distribution(random);
  return values;
}

struct UnaryCase {
  const char* op;
  double low, high;
  double (*expected)(double);
};

class UnaryFloat : public testing::TestWithParam<UnaryCase> {};

TEST_P(UnaryFloat, AgreesWithTheStandardLibraryRoundedOnce) {
  const UnaryCase& c = GetParam();
  const Values x = randomValues(100, c.low, c.high, 1);
  const Values y = unary(c.op, ElementType::F32, x);
  ASSERT_EQ(y.size(), x.size());
  for (size_t i = 0; i < x.size(); ++i)
    EXPECT_EQ(y[i], static_cast<float>(c.expected(x[i]))) << c.op << " of " << x[i];
}

INSTANTIATE_TEST_SUITE_P(
    Ops, UnaryFloat,
    testing::Values(UnaryCase{"abs", -9, 9, [](double x) { return std::abs(x); }},
                    UnaryCase{"cbrt", -9, 9, [](double x) { return std::cbrt(x); }},
                    UnaryCase{"ceil", -9, 9, [](double x) { return std::ceil(x); }},
                    UnaryCase{"cosine", -9, 9, [](double x) { return std::cos(x); }},
                    UnaryCase{"erf", -3, 3, [](double x) { return std::erf(x); }},
                    UnaryCase{"exponential", -9, 9, [](double x) { return std::exp(x); }},
                    UnaryCase{"exponential_minus_one", -1e-3, 1e-3, [](double x) { return std::expm1(x); }},
                    UnaryCase{"floor", -9, 9, [](double x) { return std::floor(x); }},
                    UnaryCase{"log", 0.1, 9, [](double x) { return std::log(x); }},
                    UnaryCase{"log_plus_one", -1e-3, 1e-3, [](double x) { return std::log1p(x); }},
                    UnaryCase{"logistic", -9, 9, [](double x) { return 1 / (1 + std::exp(-x)); }},
                    UnaryCase{"negate", -9, 9, [](double x) { return -x; }},
                    UnaryCase{"rsqrt", 0.1, 9, [](double x) { return 1 / std::sqrt(x); }},
                    UnaryCase{"sine", -9, 9, [](double x) { return std::sin(x); }},
                    UnaryCase{"sqrt", 0, 9, [](double x) { return std::sqrt(x); }},
                    UnaryCase{"tan", -1, 1, [](double x) { return std::tan(x); }},
                    UnaryCase{"tanh", -3, 3, [](double x) { return std::tanh(x); }}),
    [](const auto& info) { return info.param.op; });

TEST(Unary, RoundsHalvesAsNamed) {
  EXPECT_EQ(unary("round_nearest_afz", ElementType::F32, {-2.5, -0.5, 0.5, 1.5, 2.5}),
            (Values{-3, -1, 1, 2, 3}));
  EXPECT_EQ(unary("round_nearest_even", ElementType::F32, {-2.5, -0.5, 0.5, 1.5, 2.5}),
            (Values{-2, -0., 0, 2, 2}));
}

TEST(Unary, SignKeepsNaNAndNegativeZero) {
  const Values y = unary("sign", ElementType::F32, {-3, -0., 0, 5, kNaN});
  EXPECT_EQ((Values{y.begin(), y.end() - 1}), (Values{-1, 0, 0, 1}));
  EXPECT_TRUE(std::signbit(y[1]) && std::isnan(y[4]));
  EXPECT_EQ(unary("sign", ElementType::I8, {-128, 0, 7}), (Values{-1, 0, 1}));
}

TEST(Unary, IntegersWrap) {
  EXPECT_EQ(unary("abs", ElementType::I8, {-128, -5, 5}), (Values{-128, 5, 5}));
  EXPECT_EQ(unary("negate", ElementType::I8, {-128, 1}), (Values{-128, -1}));
  EXPECT_EQ(unary("negate", ElementType::U8, {1}), (Values{255}));
}

TEST(Unary, CountsBitsInTheWidthOfTheType) {
  EXPECT_EQ(unary("popcnt", ElementType::I4, {-1, 5, 0}), (Values{4, 2, 0}));
  EXPECT_EQ(unary("popcnt", ElementType::I8, {-1, 5, 0}), (Values{8, 2, 0}));
  EXPECT_EQ(unary("count_leading_zeros", ElementType::I8, {-1, 1, 0}), (Values{0, 7, 8}));
  EXPECT_EQ(unary("count_leading_zeros", ElementType::U16, {1, 0}), (Values{15, 16}));
}

TEST(Unary, NotIsLogicalOnI1) {
  EXPECT_EQ(unary("not", ElementType::I1, {0, 1}), (Values{1, 0}));
  EXPECT_EQ(unary("not", ElementType::I8, {0, 5}), (Values{-1, -6}));
  EXPECT_EQ(unary("not", ElementType::U8, {0, 5}), (Values{255, 250}));
}

TEST(Unary, NarrowFloatsRoundOnce) {
  EXPECT_EQ(unary("exponential", ElementType::F16, {1}), (Values{2.71875}));
  EXPECT_EQ(unary("exponential", ElementType::BF16, {1}), (Values{2.71875}));
  EXPECT_EQ(unary("exponential", ElementType::F8E5M2, {1}), (Values{2.5}));
  EXPECT_EQ(unary("exponential", ElementType::F16, {100}), (Values{kInf}));
}

TEST(Binary, FloatArithmetic) {
  const Values x{7.5, -7.5, 2, 0.5}, y{2, 2, -3, 4};
  EXPECT_EQ(binary("add", ElementType::F64, x, y), (Values{9.5, -5.5, -1, 4.5}));
  EXPECT_EQ(binary("subtract", ElementType::F64, x, y), (Values{5.5, -9.5, 5, -3.5}));
  EXPECT_EQ(binary("multiply", ElementType::F64, x, y), (Values{15, -15, -6, 2}));
  EXPECT_EQ(binary("divide", ElementType::F64, x, y), (Values{3.75, -3.75, 2. / -3, 0.125}));
  EXPECT_EQ(binary("remainder", ElementType::F64, x, y), (Values{1.5, -1.5, 2, 0.5}));
  EXPECT_EQ(binary("power", ElementType::F64, x, y), (Values{56.25, 56.25, 0.125, 0.0625}));
  EXPECT_EQ(binary("atan2", ElementType::F64, {1, -1}, {0, -1}),
            (Values{std::atan2(1, 0), std::atan2(-1, -1)}));
}

TEST(Binary, MaximumAndMinimumPropagateNaN) {
  const Values high = binary("maximum", ElementType::F32, {1, kNaN, -0., 0}, {kNaN, 1, 0, -0.});
  const Values low = binary("minimum", ElementType::F32, {1, kNaN, -0., 0}, {kNaN, 1, 0, -0.});
  for (int i : {0, 1}) EXPECT_TRUE(std::isnan(high[i]) && std::isnan(low[i]));
  for (int i : {2, 3}) EXPECT_TRUE(!std::signbit(high[i]) && std::signbit(low[i]));
  EXPECT_EQ(binary("maximum", ElementType::I1, {0, 0, 1}, {0, 1, 1}), (Values{0, 1, 1}));
  EXPECT_EQ(binary("minimum", ElementType::I1, {0, 0, 1}, {0, 1, 1}), (Values{0, 0, 1}));
  EXPECT_EQ(binary("maximum", ElementType::U64, {1.8e19}, {3}), (Values{1.8e19}));
}

TEST(Binary, IntegerDivisionTruncatesAndIsTotal) {
  EXPECT_EQ(binary("divide", ElementType::I8, {7, -7, 5, -128}, {2, 2, 0, -1}), (Values{3, -3, -1, -128}));
  EXPECT_EQ(binary("remainder", ElementType::I8, {7, -7, 5, -128}, {2, 2, 0, -1}), (Values{1, -1, 5, 0}));
  EXPECT_EQ(binary("divide", ElementType::U8, {200, 5}, {3, 0}), (Values{66, 255}));
  EXPECT_EQ(binary("divide", ElementType::U64, {1.8e19}, {2}), (Values{9e18}));
}

TEST(Binary, IntegerPower) {
  EXPECT_EQ(binary("power", ElementType::I32, {3, 2, 1, -1, -1, 0}, {4, -1, -5, -3, -2, 0}),
            (Values{81, 0, 1, -1, 1, 1}));
  EXPECT_EQ(binary("power", ElementType::U8, {2, 3}, {8, 5}), (Values{0, 243}));
}

TEST(Binary, ShiftsBeyondTheWidth) {
  EXPECT_EQ(binary("shift_left", ElementType::I8, {1, 1, -1}, {3, 8, -1}), (Values{8, 0, 0}));
  EXPECT_EQ(binary("shift_right_logical", ElementType::I8, {-8, -8, -8}, {1, 8, 7}), (Values{124, 0, 1}));
  EXPECT_EQ(binary("shift_right_arithmetic", ElementType::I8, {-8, -8, 8}, {1, 9, 2}), (Values{-4, -1, 2}));
  EXPECT_EQ(binary("shift_right_arithmetic", ElementType::U8, {128, 64}, {1, 1}), (Values{192, 32}));
}

TEST(Binary, Bits) {
  EXPECT_EQ(binary("and", ElementType::I8, {12, -1}, {10, 7}), (Values{8, 7}));
  EXPECT_EQ(binary("or", ElementType::I8, {12, -8}, {10, 7}), (Values{14, -1}));
  EXPECT_EQ(binary("xor", ElementType::I1, {0, 0, 1, 1}, {0, 1, 0, 1}), (Values{0, 1, 1, 0}));
  EXPECT_EQ(binary("add", ElementType::I4, {7}, {1}), (Values{-8}));
}

TEST(Compare, EveryDirectionAndNaN) {
  const struct {
    const char* direction;
    Values expected;
  } rows[] = {{"EQ", {0, 1, 0, 0}}, {"NE", {1, 0, 1, 1}}, {"GE", {0, 1, 1, 0}},
              {"GT", {0, 0, 1, 0}}, {"LE", {1, 1, 0, 0}}, {"LT", {1, 0, 0, 0}}};
  for (const auto& row : rows) {
    const std::string text = fmt::format(
        "func.func @main(%x: tensor<4xf32>, %y: tensor<4xf32>) -> tensor<4xi1> {{\n  %0 = tet.compare {}, "
        "%x, %y : "
        "(tensor<4xf32>, tensor<4xf32>) -> tensor<4xi1>\n  return %0 : tensor<4xi1>\n}}",
        row.direction);
    EXPECT_EQ(runText(text, {f32({4}, {1, 2, 3, kNaN}), f32({4}, {2, 2, 2, kNaN})}), row.expected)
        << row.direction;
  }
}

TEST(Compare, UnsignedOrder) {
  EXPECT_EQ(
      runText(R"(func.func @main(%x: tensor<2xui64>, %y: tensor<2xui64>) -> tensor<2xi1> {
    %0 = tet.compare GT, %x, %y : (tensor<2xui64>, tensor<2xui64>) -> tensor<2xi1>
    return %0 : tensor<2xi1> })",
              {tensorOf(ElementType::U64, {2}, {1.8e19, 1}), tensorOf(ElementType::U64, {2}, {1, 1.8e19})}),
      (Values{1, 0}));
}

TEST(Select, PicksByPredicate) {
  EXPECT_EQ(
      runText(R"(func.func @main(%p: tensor<3xi1>, %x: tensor<3xf16>, %y: tensor<3xf16>) -> tensor<3xf16> {
    %0 = tet.select %p, %x, %y : tensor<3xi1>, tensor<3xf16>
    return %0 : tensor<3xf16> })",
              {tensorOf(ElementType::I1, {3}, {1, 0, 1}), tensorOf(ElementType::F16, {3}, {1, 2, 3}),
               tensorOf(ElementType::F16, {3}, {4, 5, 6})}),
      (Values{1, 5, 3}));
}

TEST(Clamp, KeepsBetweenBounds) {
  EXPECT_EQ(runText(R"(func.func @main(%x: tensor<3xi32>) -> tensor<3xi32> {
    %low = tet.constant dense<0> : tensor<3xi32>
    %high = tet.constant dense<6> : tensor<3xi32>
    %0 = tet.clamp %low, %x, %high : tensor<3xi32>
    return %0 : tensor<3xi32> })",
                    {i32({3}, {-4, 3, 9})}),
            (Values{0, 3, 6}));
}

TEST(IsFinite, NeitherInfiniteNorNaN) {
  EXPECT_EQ(runText(R"(func.func @main(%x: tensor<4xf32>) -> tensor<4xi1> {
    %0 = tet.is_finite %x : (tensor<4xf32>) -> tensor<4xi1>
    return %0 : tensor<4xi1> })",
                    {f32({4}, {1, kInf, -kInf, kNaN})}),
            (Values{1, 0, 0, 0}));
}

Values convert(ElementType from, ElementType to, Values x) {
  const auto n = static_cast<int64_t>(x.size());
  return runText(
      fmt::format("func.func @main(%x: tensor<{0}x{1}>) -> tensor<{0}x{2}> {{\n  %0 = tet.convert %x : "
                  "(tensor<{0}x{1}>) -> tensor<{0}x{2}>\n  return %0 : tensor<{0}x{2}>\n}}",
                  n, info(from).name, info(to).name),
      {tensorOf(from, {n}, x)});
}

TEST(Convert, BetweenKinds) {
  EXPECT_EQ(convert(ElementType::F32, ElementType::I8, {2.9, -2.9}), (Values{2, -2}));
  EXPECT_EQ(convert(ElementType::F32, ElementType::I1, {0, 0.1, -3}), (Values{0, 1, 1}));
  EXPECT_EQ(convert(ElementType::I1, ElementType::F32, {0, 1}), (Values{0, 1}));
  EXPECT_EQ(convert(ElementType::I32, ElementType::U8, {-1, 256}), (Values{255, 0}));
  EXPECT_EQ(convert(ElementType::F32, ElementType::F16, {1.0004, 65520}), (Values{1, kInf}));
  EXPECT_EQ(convert(ElementType::U64, ElementType::F32, {1.8e19}), (Values{static_cast<float>(1.8e19)}));
}

TEST(Convert, LongIntegersRoundOnceToF32) {
  Tensor x = Tensor::create(ElementType::I64, {1}).value();
  x.setInt(0,
           (1LL << 60) + (1LL << 36) + 1);  // through double the lowest bit is lost, and the tie goes to even
  EXPECT_EQ(runText(R"(func.func @main(%x: tensor<1xi64>) -> tensor<1xf32> {
    %0 = tet.convert %x : (tensor<1xi64>) -> tensor<1xf32>
    return %0 : tensor<1xf32> })",
                    {x}),
            (Values{static_cast<double>((1LL << 60) + (1LL << 37))}));
}

}  // namespace
}  // namespace tetrarch::tet
