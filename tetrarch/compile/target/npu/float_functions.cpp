#include "tetrarch/compile/target/npu/float_functions.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include "tetrarch/devices/npu/float_math.h"

namespace tetrarch::npu {
namespace {

constexpr int kEntries = 256;
constexpr float kInfinity = std::numeric_limits<float>::infinity();

uint16_t bf16Of(double value) { return narrowToBf16(std::bit_cast<uint32_t>(static_cast<float>(value))); }
double numberOf(uint16_t bf16) { return std::bit_cast<float>(widenBf16(bf16)); }

template <typename F>
std::array<uint16_t, kEntries> entriesOf(F f) {
  std::array<uint16_t, kEntries> entries;
  for (int i = 0; i < kEntries; ++i) entries[i] = bf16Of(f(i));
  return entries;
}

double erfSlope(double x) { return 2 * std::numbers::inv_sqrtpi * std::exp(-x * x); }
double tanhSlope(double x) { return 1 - std::tanh(x) * std::tanh(x); }

// e^x over -1/2 to 1/2 within 2^-15: the polynomial through Chebyshev's five points.
constexpr float kExponential[] = {1, 0.999836024F, 0.499972721F, 0.169286385F, 0.0421026371F};

}  // namespace

int FloatFunctions::clamp(int x, float low, float high) {
  const int above = program_.binary(VectorKind::Max, x, number(low));
  return program_.binary(VectorKind::Min, above, number(high));
}

int FloatFunctions::tableOf(const Table& entries) {
  const auto known = std::ranges::find(program_.tables, entries);
  const auto index = static_cast<int>(known - program_.tables.begin());
  if (known == program_.tables.end()) program_.tables.push_back(entries);
  return index;
}

int FloatFunctions::lookUp(int x, double first, double step, const Table& entries) {
  const int made = program_.table(VectorKind::Lookup, x, tableOf(entries));
  program_.nodes[made].scale = static_cast<float>(1 / step);
  program_.nodes[made].offset = static_cast<float>(-first / step);
  return made;
}

int FloatFunctions::lookUpTwice(int x, double first, double step, Function f) {
  const Table high = entriesOf([&](int i) { return f(first + i * step); });
  const Table low = entriesOf([&](int i) { return f(first + i * step) - numberOf(high[i]); });
  return add(lookUp(x, first, step, high), lookUp(x, first, step, low));
}

// Between entries the function goes on with its slope at the nearest one.
int FloatFunctions::line(int x, double first, double step, Function f, Function slope) {
  const int inside = clamp(x, static_cast<float>(first), static_cast<float>(first + (kEntries - 1) * step));
  const int nearest = lookUp(inside, first, step, entriesOf([&](int i) { return first + i * step; }));
  const int slopes = lookUp(inside, first, step, entriesOf([&](int i) { return slope(first + i * step); }));
  return add(lookUpTwice(inside, first, step, f), mul(slopes, sub(inside, nearest)));
}

// One step of Newton's: y (2 - x y).
int FloatFunctions::reciprocal(int x) {
  const int y = program_.table(VectorKind::Reciprocal, x,
                               tableOf(entriesOf([](int i) { return 1 / (1 + (i + 0.5) / kEntries); })));
  return mul(y, sub(number(2), mul(x, y)));
}

// One step of Newton's: y (3/2 - x/2 y y).
int FloatFunctions::rsqrt(int x) {
  const int y = program_.table(VectorKind::Rsqrt, x, tableOf(entriesOf([](int i) {
                                 const double mantissa = 1 + (i % 128 + 0.5) / 128;
                                 return 1 / std::sqrt(i < 128 ? mantissa : 2 * mantissa);
                               })));
  const int half = mul(x, number(0.5));
  return mul(y, sub(number(1.5), mul(mul(half, y), y)));
}

int FloatFunctions::sqrt(int x) {
  return mul(x, rsqrt(program_.binary(VectorKind::Max, x, number(0x1p-100F))));
}

// e^k of the nearest integer k from a table, times the polynomial of the rest.
int FloatFunctions::exp(int x) {
  constexpr double kFirst = -104;
  const int inside = clamp(x, kFirst, 88.7F);
  const int k = lookUp(inside, kFirst, 1, entriesOf([](int i) { return kFirst + std::min(i, 192); }));
  const int rest = sub(inside, k);
  int power = number(kExponential[4]);
  for (int i = 3; i >= 0; --i) power = add(mul(rest, power), number(kExponential[i]));
  return mul(power, lookUpTwice(inside, kFirst, 1, [](double y) { return std::exp(std::min(y, 88.0)); }));
}

int FloatFunctions::erf(int x) {
  return line(x, -4, 1.0 / 32, [](double y) { return std::erf(y); }, erfSlope);
}
int FloatFunctions::tanh(int x) {
  return line(x, -4, 1.0 / 32, [](double y) { return std::tanh(y); }, tanhSlope);
}

int FloatFunctions::isPositive(int x) {
  // The least number, 2^-126, becomes 2.
  return lookUp(x, 0, 0x1p-127, entriesOf([](int i) { return i > 0; }));
}

// Limits of infinity let a number through, limits of 0 make it 0.
int FloatFunctions::within(int x, int limit) {
  const int below = program_.binary(VectorKind::Min, x, limit);
  return program_.binary(VectorKind::Max, below, negate(limit));
}

int FloatFunctions::select(int where, int x, int y) {
  const auto limitOf = [&](bool of_x) {
    return lookUp(where, 0, 1, entriesOf([&](int i) { return (i > 0) == of_x ? kInfinity : 0; }));
  };
  return add(within(x, limitOf(true)), within(y, limitOf(false)));
}

}  // namespace tetrarch::npu
