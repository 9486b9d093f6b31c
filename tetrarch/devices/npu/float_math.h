// The bf16 kind's arithmetic on fp32: every operation to nearest even, subnormals as zeros on the way in and
// out, one NaN (rtl/npu/README.md). Values are raw bits, so that no flag of the host's has a say.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

namespace tetrarch::npu {

inline constexpr uint32_t kFloatNan = 0x7fc00000, kFloatSign = 0x80000000, kFloatInfinity = 0x7f800000;

inline bool isNan(uint32_t bits) { return (bits & ~kFloatSign) > kFloatInfinity; }
// A subnormal becomes the zero of its sign.
inline uint32_t flush(uint32_t bits) { return (bits & kFloatInfinity) == 0 ? bits & kFloatSign : bits; }
inline uint32_t settle(float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  return isNan(bits) ? kFloatNan : flush(bits);
}
inline float operand(uint32_t bits) { return std::bit_cast<float>(flush(bits)); }

inline uint32_t addFloat(uint32_t a, uint32_t b) { return settle(operand(a) + operand(b)); }
// The exact product decides what is too small: the host would round it a bit coarser below 2^-126.
inline uint32_t multiplyFloat(uint32_t a, uint32_t b) {
  constexpr double kSmallest = 0x1p-126 - 0x1p-151;  // rounds up to 2^-126
  const double product = static_cast<double>(operand(a)) * static_cast<double>(operand(b));
  if (std::fabs(product) < kSmallest) return std::signbit(product) ? kFloatSign : 0;
  return settle(static_cast<float>(product));
}

inline uint32_t widenBf16(uint16_t bits) { return static_cast<uint32_t>(bits) << 16; }
// To nearest even; a subnormal counts as zero of its sign; overflow gives infinity.
inline uint16_t narrowToBf16(uint32_t bits) {
  if (isNan(bits)) return kFloatNan >> 16;
  const uint32_t normal = flush(bits);
  return static_cast<uint16_t>((normal + 0x7fff + (normal >> 16 & 1)) >> 16);
}

}  // namespace tetrarch::npu
