#include "tetrarch/base/element_type.h"

#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

namespace tetrarch {
namespace {

constexpr std::array<ElementTypeInfo, kElementTypeCount> kInfos = {{
#define ELEMENT_TYPE(id, name, bytes, bits, numpy, onnx, kind) \
  {name, bytes, bits, numpy, onnx, ElementKind::kind},
#include "tetrarch/base/element_type.def"
#undef ELEMENT_TYPE
}};

// A binary float format of at most 16 bits: `exponent` and `mantissa` bits, and whether the all-ones exponent
// holds infinities (IEEE) or only one NaN (the "FN" types).
struct NarrowFloat {
  int exponent, mantissa;
  bool has_infinity;
  int bias() const { return (1 << (exponent - 1)) - 1; }
  int signBit() const { return exponent + mantissa; }
  uint16_t nan() const {
    uint16_t ones = (1u << signBit()) - 1;
    return has_infinity ? ones ^ ((1u << (mantissa - 1)) - 1) : ones;
  }
  uint16_t infinity() const { return ((1u << exponent) - 1) << mantissa; }
};
constexpr NarrowFloat kF16{5, 10, true}, kBf16{8, 7, true}, kF8E4M3FN{4, 3, false}, kF8E5M2{5, 2, true};

double decode(const NarrowFloat& f, uint16_t bits) {
  const double sign = (bits >> f.signBit()) & 1 ? -1.0 : 1.0;
  const int exponent = (bits >> f.mantissa) & ((1 << f.exponent) - 1);
  const int mantissa = bits & ((1 << f.mantissa) - 1);
  const bool top = exponent == (1 << f.exponent) - 1;
  if (top && f.has_infinity) {
    return mantissa ? std::numeric_limits<double>::quiet_NaN()
                    : sign * std::numeric_limits<double>::infinity();
  }
  if (!f.has_infinity && (bits & ((1 << f.signBit()) - 1)) == f.nan())
    return std::numeric_limits<double>::quiet_NaN();
  if (exponent == 0) return sign * std::ldexp(mantissa, 1 - f.bias() - f.mantissa);
  return sign * std::ldexp((1 << f.mantissa) + mantissa, exponent - f.bias() - f.mantissa);
}

// Rounds once, from the exact double, to nearest even.
uint16_t encode(const NarrowFloat& f, double value) {
  const uint16_t sign = std::signbit(value) ? 1u << f.signBit() : 0;
  if (std::isnan(value)) return sign | f.nan();
  const double magnitude = std::fabs(value);
  if (std::isinf(magnitude)) return sign | (f.has_infinity ? f.infinity() : f.nan());
  if (magnitude == 0) return sign;
  int exponent = std::max(std::ilogb(magnitude), 1 - f.bias());
  // The significand in units of the last place; nearbyint rounds to even in the default mode.
  auto steps = static_cast<int64_t>(std::nearbyint(std::ldexp(magnitude, f.mantissa - exponent)));
  if (steps >= (2LL << f.mantissa)) steps >>= 1, ++exponent;
  const bool subnormal = steps < (1LL << f.mantissa);
  const int64_t biased = subnormal ? 0 : exponent + f.bias();
  const int64_t bits = (biased << f.mantissa) | (steps & ((1LL << f.mantissa) - 1));
  const int64_t limit = f.has_infinity ? f.infinity() : f.nan();
  if (biased >= (1 << f.exponent) || bits >= limit) return sign | static_cast<uint16_t>(limit);
  return sign | static_cast<uint16_t>(bits);
}

template <typename T>
T load(const void* p) {
  T value;
  std::memcpy(&value, p, sizeof value);
  return value;
}
template <typename T>
void store(void* p, T value) {
  std::memcpy(p, &value, sizeof value);
}
int64_t signExtend4(int64_t value) { return ((value & 15) ^ 8) - 8; }

// Double to integer as hardware-independent truncation: NaN is 0, out of range saturates.
int64_t truncate(double value) {
  if (std::isnan(value)) return 0;
  if (value >= 9223372036854775808.0) {
    return value >= 18446744073709551616.0 ? -1 : static_cast<int64_t>(static_cast<uint64_t>(value));
  }
  if (value < -9223372036854775808.0) return std::numeric_limits<int64_t>::min();
  return static_cast<int64_t>(value);
}

}  // namespace

const ElementTypeInfo& info(ElementType type) { return kInfos[static_cast<size_t>(type)]; }

std::optional<ElementType> elementTypeFromName(std::string_view name) {
  for (int i = 0; i < kElementTypeCount; ++i) {
    if (kInfos[i].name == name) return static_cast<ElementType>(i);
  }
  return std::nullopt;
}

std::optional<ElementType> elementTypeFromOnnx(int data_type) {
  for (int i = 0; i < kElementTypeCount; ++i) {
    if (kInfos[i].onnx == data_type) return static_cast<ElementType>(i);
  }
  return std::nullopt;
}

double loadDouble(ElementType type, const void* p) {
  switch (type) {
    case ElementType::F64:
      return load<double>(p);
    case ElementType::F32:
      return load<float>(p);
    case ElementType::F16:
      return decode(kF16, load<uint16_t>(p));
    case ElementType::BF16:
      return bf16ToF32(load<uint16_t>(p));
    case ElementType::F8E4M3FN:
      return decode(kF8E4M3FN, load<uint8_t>(p));
    case ElementType::F8E5M2:
      return decode(kF8E5M2, load<uint8_t>(p));
    case ElementType::U64:
      return static_cast<double>(load<uint64_t>(p));
    default:
      return static_cast<double>(loadInt(type, p));
  }
}

int64_t loadInt(ElementType type, const void* p) {
  switch (type) {
    case ElementType::I1:
      return load<uint8_t>(p) != 0;
    case ElementType::I4:
      return signExtend4(load<int8_t>(p));
    case ElementType::I8:
      return load<int8_t>(p);
    case ElementType::I16:
      return load<int16_t>(p);
    case ElementType::I32:
      return load<int32_t>(p);
    case ElementType::I64:
      return load<int64_t>(p);
    case ElementType::U8:
      return load<uint8_t>(p);
    case ElementType::U16:
      return load<uint16_t>(p);
    case ElementType::U32:
      return load<uint32_t>(p);
    case ElementType::U64:
      return static_cast<int64_t>(load<uint64_t>(p));
    default:
      return truncate(loadDouble(type, p));
  }
}

void storeDouble(ElementType type, void* p, double value) {
  switch (type) {
    case ElementType::F64:
      return store(p, value);
    case ElementType::F32:
      return store(p, static_cast<float>(value));
    case ElementType::F16:
      return store(p, encode(kF16, value));
    case ElementType::BF16:
      return store(p, encode(kBf16, value));
    case ElementType::F8E4M3FN:
      return store(p, static_cast<uint8_t>(encode(kF8E4M3FN, value)));
    case ElementType::F8E5M2:
      return store(p, static_cast<uint8_t>(encode(kF8E5M2, value)));
    case ElementType::I1:
      return store<uint8_t>(p, value != 0);
    default:
      return storeInt(type, p, truncate(value));
  }
}

void storeInt(ElementType type, void* p, int64_t value) {
  switch (type) {
    case ElementType::I1:
      return store<uint8_t>(p, value != 0);
    case ElementType::I4:
      return store(p, static_cast<int8_t>(signExtend4(value)));
    case ElementType::I8:
      return store(p, static_cast<int8_t>(value));
    case ElementType::I16:
      return store(p, static_cast<int16_t>(value));
    case ElementType::I32:
      return store(p, static_cast<int32_t>(value));
    case ElementType::I64:
      return store(p, value);
    case ElementType::U8:
      return store(p, static_cast<uint8_t>(value));
    case ElementType::U16:
      return store(p, static_cast<uint16_t>(value));
    case ElementType::U32:
      return store(p, static_cast<uint32_t>(value));
    case ElementType::U64:
      return store(p, static_cast<uint64_t>(value));
    default:
      return storeDouble(type, p, static_cast<double>(value));
  }
}

uint16_t f32ToF16(float value) { return encode(kF16, value); }
float f16ToF32(uint16_t bits) { return static_cast<float>(decode(kF16, bits)); }
uint16_t f32ToBf16(float value) { return encode(kBf16, value); }
float bf16ToF32(uint16_t bits) { return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16); }

}  // namespace tetrarch
