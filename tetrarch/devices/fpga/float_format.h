// Floats of IEEE 754's layouts as bits. What arithmetic needs is in `Wide`, in which an operation that is
// then rounded by bits() is rounded as if once: float itself for f32; double for the narrow ones, which has
// more than twice their digits and two, and all exponents of their products and quotients.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "tetrarch/abi/fpga_program.h"

namespace tetrarch::fpga {

template <int kExponent, int kMantissa>
struct FloatFormat {
  static constexpr int kWidth = 1 + kExponent + kMantissa;
  static constexpr int64_t kBias = (int64_t{1} << (kExponent - 1)) - 1;
  static constexpr uint64_t kSign = uint64_t{1} << (kWidth - 1);
  static constexpr uint64_t kMagnitude = kSign - 1;
  static constexpr uint64_t kInfinity = ((uint64_t{1} << kExponent) - 1) << kMantissa;
  static constexpr uint64_t kNan = kInfinity | uint64_t{1} << (kMantissa - 1);
  static constexpr bool kIsFloat = kExponent == 8 && kMantissa == 23;
  using Wide = std::conditional_t<kIsFloat, float, double>;

  static bool isNan(uint64_t x) { return (x & kMagnitude) > kInfinity; }

  static Wide wide(uint64_t x) {
    if constexpr (kIsFloat) {
      return std::bit_cast<float>(static_cast<uint32_t>(x));
    } else {
      const uint64_t magnitude = x & kMagnitude, sign = x >> (kWidth - 1) << 63;
      // Of a subnormal the integer that it is, times the value of one.
      const double subnormal = static_cast<double>(static_cast<int64_t>(magnitude)) * kSmallest;
      uint64_t bits = std::bit_cast<uint64_t>(subnormal);
      if (magnitude >> kMantissa != 0)
        bits = (magnitude << (52 - kMantissa)) + (uint64_t{1023 - kBias} << 52);
      if (magnitude >= kInfinity) bits = kDoubleInfinity | (magnitude & ~kInfinity) << (52 - kMantissa);
      return std::bit_cast<double>(bits | sign);
    }
  }

  // Rounded to nearest even; the canonical NaN for a NaN.
  static uint64_t bits(Wide value) {
    if constexpr (kIsFloat) {
      return value == value ? std::bit_cast<uint32_t>(value) : kNan;
    } else {
      return narrowed(value);
    }
  }

  // From any float: one rounding.
  static uint64_t fromDouble(double value) {
    if constexpr (kIsFloat) {
      return bits(static_cast<float>(value));
    } else {
      return narrowed(value);
    }
  }

  static uint64_t fromInteger(bool is_negative, uint64_t magnitude) {
    if (magnitude == 0) return 0;
    const int top = 63 - std::countl_zero(magnitude);  // the highest bit
    uint64_t significand = top <= kMantissa ? magnitude << (kMantissa - top) : magnitude >> (top - kMantissa);
    if (top > kMantissa) {
      const uint64_t rest = magnitude << (63 - top + kMantissa) << 1, half = uint64_t{1} << 63;
      significand += rest > half || (rest == half && (significand & 1) != 0);
    }
    // The significand's own leading one counts in the exponent.
    const uint64_t encoded = (static_cast<uint64_t>(top + kBias - 1) << kMantissa) + significand;
    return std::min(encoded, kInfinity) | (is_negative ? kSign : 0);
  }

 private:
  static constexpr uint64_t kDoubleInfinity = uint64_t{0x7ff} << 52;
  static constexpr double kSmallest =
      std::bit_cast<double>(static_cast<uint64_t>(1023 + 1 - kBias - kMantissa) << 52);

  static uint64_t narrowed(double value) {
    const auto raw = std::bit_cast<uint64_t>(value);
    const uint64_t magnitude = raw & ~(uint64_t{1} << 63), sign = raw >> 63 << (kWidth - 1);
    if (magnitude > kDoubleInfinity) return kNan;
    const int64_t exponent = static_cast<int64_t>(magnitude >> 52) - (1023 - kBias);  // as ours is stored
    const bool is_subnormal = exponent < 1;
    const uint64_t significand = is_subnormal ? (magnitude & ((uint64_t{1} << 52) - 1)) | uint64_t{1} << 52
                                              : magnitude - (static_cast<uint64_t>(1023 - kBias) << 52);
    // Past 60 nothing is left anyway.
    const auto drop = static_cast<uint64_t>(
        52 - kMantissa + (is_subnormal ? std::min<int64_t>(1 - exponent, 8 + kMantissa) : 0));
    const uint64_t half = uint64_t{1} << (drop - 1);
    const uint64_t rounded = (significand + half - 1 + (significand >> drop & 1)) >> drop;
    return std::min(rounded, kInfinity) | sign;
  }
};

using F32 = FloatFormat<8, 23>;
using F16 = FloatFormat<5, 10>;
using Bf16 = FloatFormat<8, 7>;

// Calls visit(format) with the format of a float's type.
template <typename Visit>
auto withFormat(Type type, Visit&& visit) {
  return type == kF32 ? visit(F32()) : type == kF16 ? visit(F16()) : visit(Bf16());
}

}  // namespace tetrarch::fpga
