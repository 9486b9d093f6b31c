// The OpenCL C spelling of MLIR types and constants; see opencl_printer.h for how values map.
#pragma once

#include <string>

#include "llvm/ADT/SmallVector.h"
#include "mlir/IR/BuiltinTypes.h"
#include "tetrarch/base/status.h"

namespace tetrarch::opencl {

// Floats that compute in f32 and live in memory in two bytes.
enum class Narrow { None, Half, BFloat };

struct ScalarType {
  std::string name;         // of a value: "float"
  std::string storage;      // of an element in memory: "ushort" of narrow floats
  std::string as_unsigned;  // of the same width, "" for floats
  int bits = 0;             // of the value in C
  bool is_float = false;
  bool is_bool = false;
  bool is_index = false;
  Narrow narrow = Narrow::None;
};

// The element type of a vector or memref, or the scalar itself.
mlir::Type elementOf(mlir::Type type);
Result<ScalarType> scalarType(mlir::Type type, bool wide_index);

// "float8"; masks are "int8", and width 1 is the scalar.
std::string typeName(const ScalarType& type, int width);
std::string unsignedName(const ScalarType& type, int width);

// Widths of the OpenCL vectors that hold a value of `type`, row by row; {1} for a scalar.
llvm::SmallVector<int> partWidths(mlir::Type type);

// A literal of `type` for an IntegerAttr or FloatAttr. `in_vector` spells i1 as a mask.
std::string literal(mlir::Attribute value, const ScalarType& type, bool in_vector);

}  // namespace tetrarch::opencl
