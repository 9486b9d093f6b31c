#include "tetrarch/graph/arithmetic.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

namespace tetrarch::tet {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

uint64_t u(int64_t value) { return static_cast<uint64_t>(value); }
int64_t s(uint64_t value) { return static_cast<int64_t>(value); }
// The low bits that the type has.
uint64_t bitsOf(int64_t value, IntType t) {
  return t.bits == 64 ? u(value) : u(value) & ((uint64_t{1} << t.bits) - 1);
}
bool isTooFar(int64_t shift, IntType t) { return bitsOf(shift, t) >= static_cast<uint64_t>(t.bits); }

double sign(double x) { return x > 0 ? 1 : x < 0 ? -1 : x; }
// -0 is below 0 here, as IEEE 754's maximum and minimum have it.
double maximum(double x, double y) {
  if (std::isnan(x) || std::isnan(y)) return kNaN;
  return x > y || (x == y && std::signbit(y)) ? x : y;
}
double minimum(double x, double y) {
  if (std::isnan(x) || std::isnan(y)) return kNaN;
  return x < y || (x == y && std::signbit(x)) ? x : y;
}

int64_t divide(int64_t x, int64_t y, IntType t) {
  if (y == 0) return -1;
  if (t.is_unsigned) return s(u(x) / u(y));
  return y == -1 ? s(-u(x)) : x / y;
}
int64_t remainder(int64_t x, int64_t y, IntType t) {
  if (y == 0) return x;
  if (t.is_unsigned) return s(u(x) % u(y));
  return y == -1 ? 0 : x % y;
}
int64_t power(int64_t x, int64_t y, IntType t) {
  if (!t.is_unsigned && y < 0) return x == 1 ? 1 : x == -1 ? (y % 2 ? -1 : 1) : 0;
  uint64_t result = 1, base = u(x);
  for (uint64_t n = u(y); n; n >>= 1, base *= base) {
    if (n & 1) result *= base;
  }
  return s(result);
}
int64_t arithmeticShift(int64_t x, int64_t y, IntType t) {
  // An unsigned type's top bit is repeated too.
  const int up = 64 - t.bits;
  return s(u(x) << up) >> up >> (isTooFar(y, t) ? t.bits - 1 : y);
}

constexpr UnaryKernel kUnary[] = {
    {"tet.abs", [](double x) { return std::fabs(x); },
     [](int64_t x, IntType) { return x < 0 ? s(-u(x)) : x; }},
    {"tet.cbrt", [](double x) { return std::cbrt(x); }, nullptr},
    {"tet.ceil", [](double x) { return std::ceil(x); }, nullptr},
    {"tet.cosine", [](double x) { return std::cos(x); }, nullptr},
    {"tet.count_leading_zeros", nullptr,
     [](int64_t x, IntType t) { return int64_t{std::countl_zero(bitsOf(x, t)) - (64 - t.bits)}; }},
    {"tet.erf", [](double x) { return std::erf(x); }, nullptr},
    {"tet.exponential", [](double x) { return std::exp(x); }, nullptr},
    {"tet.exponential_minus_one", [](double x) { return std::expm1(x); }, nullptr},
    {"tet.floor", [](double x) { return std::floor(x); }, nullptr},
    {"tet.log", [](double x) { return std::log(x); }, nullptr},
    {"tet.log_plus_one", [](double x) { return std::log1p(x); }, nullptr},
    {"tet.logistic", [](double x) { return 1 / (1 + std::exp(-x)); }, nullptr},
    {"tet.negate", [](double x) { return -x; }, [](int64_t x, IntType) { return s(-u(x)); }},
    {"tet.not", nullptr, [](int64_t x, IntType t) { return t.bits == 1 ? 1 - x : ~x; }},
    {"tet.popcnt", nullptr, [](int64_t x, IntType t) { return int64_t{std::popcount(bitsOf(x, t))}; }},
    {"tet.round_nearest_afz", [](double x) { return std::round(x); }, nullptr},
    {"tet.round_nearest_even", [](double x) { return std::nearbyint(x); }, nullptr},
    {"tet.rsqrt", [](double x) { return 1 / std::sqrt(x); }, nullptr},
    {"tet.sign", sign, [](int64_t x, IntType) { return int64_t{(x > 0) - (x < 0)}; }},
    {"tet.sine", [](double x) { return std::sin(x); }, nullptr},
    {"tet.sqrt", [](double x) { return std::sqrt(x); }, nullptr},
    {"tet.tan", [](double x) { return std::tan(x); }, nullptr},
    {"tet.tanh", [](double x) { return std::tanh(x); }, nullptr},
};

constexpr BinaryKernel kBinary[] = {
    {"tet.add", [](double x, double y) { return x + y; },
     [](int64_t x, int64_t y, IntType) { return s(u(x) + u(y)); }},
    {"tet.and", nullptr, [](int64_t x, int64_t y, IntType) { return x & y; }},
    {"tet.atan2", [](double x, double y) { return std::atan2(x, y); }, nullptr},
    {"tet.divide", [](double x, double y) { return x / y; }, divide},
    {"tet.maximum", maximum, [](int64_t x, int64_t y, IntType t) { return less(x, y, t) ? y : x; }},
    {"tet.minimum", minimum, [](int64_t x, int64_t y, IntType t) { return less(y, x, t) ? y : x; }},
    {"tet.multiply", [](double x, double y) { return x * y; },
     [](int64_t x, int64_t y, IntType) { return s(u(x) * u(y)); }},
    {"tet.or", nullptr, [](int64_t x, int64_t y, IntType) { return x | y; }},
    {"tet.power", [](double x, double y) { return std::pow(x, y); }, power},
    {"tet.remainder", [](double x, double y) { return std::fmod(x, y); }, remainder},
    {"tet.shift_left", nullptr,
     [](int64_t x, int64_t y, IntType t) { return isTooFar(y, t) ? 0 : s(u(x) << y); }},
    {"tet.shift_right_arithmetic", nullptr, arithmeticShift},
    {"tet.shift_right_logical", nullptr,
     [](int64_t x, int64_t y, IntType t) { return isTooFar(y, t) ? 0 : s(bitsOf(x, t) >> y); }},
    {"tet.subtract", [](double x, double y) { return x - y; },
     [](int64_t x, int64_t y, IntType) { return s(u(x) - u(y)); }},
    {"tet.xor", nullptr, [](int64_t x, int64_t y, IntType) { return x ^ y; }},
};

int64_t lowest(IntType t) { return t.is_unsigned ? 0 : s(~uint64_t{0} << (t.bits - 1)); }
int64_t highest(IntType t) { return t.is_unsigned ? s(bitsOf(-1, t)) : ~lowest(t); }

}  // namespace

std::span<const UnaryKernel> unaryKernels() { return kUnary; }
std::span<const BinaryKernel> binaryKernels() { return kBinary; }

const BinaryKernel& combinerOf(ReductionKind kind) {
  const std::string name = "tet." + stringifyReductionKind(kind).str();
  return *std::ranges::find(kBinary, std::string_view(name), &BinaryKernel::op);
}

double identityDouble(ReductionKind kind, ElementType type) {
  // f8E4M3FN has no infinity: its largest value is 448.
  const double largest = type == ElementType::F8E4M3FN ? 448 : kInf;
  switch (kind) {
    case ReductionKind::Multiply:
      return 1;
    case ReductionKind::Maximum:
      return -largest;
    case ReductionKind::Minimum:
      return largest;
    default:
      return 0;
  }
}

int64_t identityInt(ReductionKind kind, ElementType type) {
  switch (kind) {
    case ReductionKind::Multiply:
      return 1;
    case ReductionKind::Maximum:
      return lowest(intType(type));
    case ReductionKind::Minimum:
      return highest(intType(type));
    case ReductionKind::And:
      return type == ElementType::I1 ? 1 : -1;
    default:
      return 0;
  }
}

}  // namespace tetrarch::tet
