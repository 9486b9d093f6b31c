// The sixteen element types of a tensor, one row each in element_type.def, and conversion of single elements.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace tetrarch {

enum class ElementType : uint8_t {
#define ELEMENT_TYPE(id, name, bytes, bits, numpy, onnx, kind) id,
#include "tetrarch/base/element_type.def"
#undef ELEMENT_TYPE
};
inline constexpr int kElementTypeCount = 16;

enum class ElementKind : uint8_t { Float, Signed, Unsigned, Bool };

struct ElementTypeInfo {
  std::string_view name;   // MLIR's spelling, also used in JSON: "f32", "ui8"
  uint8_t bytes;           // storage of one element
  uint8_t bits;            // significant bits
  std::string_view numpy;  // descr of a .npy header
  int onnx;                // TensorProto.DataType
  ElementKind kind;
};

const ElementTypeInfo& info(ElementType type);
std::optional<ElementType> elementTypeFromName(std::string_view name);
std::optional<ElementType> elementTypeFromOnnx(int data_type);

inline size_t byteSize(ElementType type) { return info(type).bytes; }
inline bool isFloat(ElementType type) { return info(type).kind == ElementKind::Float; }
inline bool isInteger(ElementType type) { return !isFloat(type); }

// One element in memory as a double, or as a 64-bit integer (floats truncate toward zero, unsigned values
// keep their bits). Exact for each type but i64/u64 through double beyond 2^53, which is why both exist.
double loadDouble(ElementType type, const void* element);
int64_t loadInt(ElementType type, const void* element);
// The reverse: floats round to nearest even (f8E4M3FN has no infinity: it overflows to NaN, as MLIR's type
// does); integers wrap; i1 is value != 0.
void storeDouble(ElementType type, void* element, double value);
void storeInt(ElementType type, void* element, int64_t value);

// Narrow floats, round to nearest even (IEEE 754-2019; OCP OFP8 for the 8-bit ones).
uint16_t f32ToF16(float value);
float f16ToF32(uint16_t bits);
uint16_t f32ToBf16(float value);
float bf16ToF32(uint16_t bits);

}  // namespace tetrarch
