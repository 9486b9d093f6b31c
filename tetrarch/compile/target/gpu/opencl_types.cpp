#include "tetrarch/compile/target/gpu/opencl_types.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>

#include "mlir/IR/BuiltinAttributes.h"
#include "tetrarch/compile/target/gpu/mlir_text.h"

namespace tetrarch::opencl {
namespace {

ScalarType floating(std::string name, std::string storage, int bits, Narrow narrow = Narrow::None) {
  return {.name = std::move(name),
          .storage = std::move(storage),
          .bits = bits,
          .is_float = true,
          .narrow = narrow};
}

ScalarType integer(std::string name, int bits) {
  return {.name = name, .storage = name, .as_unsigned = "u" + name, .bits = bits};
}

std::string floatLiteral(double value, bool is_double) {
  if (std::isnan(value)) return is_double ? "(double)NAN" : "NAN";
  if (std::isinf(value))
    return fmt::format("{}{}INFINITY", value < 0 ? "-" : "", is_double ? "(double)" : "");
  std::string text = fmt::format("{:.{}g}", value, is_double ? 17 : 9);
  if (text.find_first_of(".e") == std::string::npos) text += ".0";
  return is_double ? text : text + "f";
}

std::string integerLiteral(int64_t value, const ScalarType& type) {
  if (type.bits == 64) {
    return value == std::numeric_limits<int64_t>::min() ? "(-9223372036854775807L - 1)"
                                                        : fmt::format("{}L", value);
  }
  if (type.bits == 32) {
    return value == std::numeric_limits<int32_t>::min() ? "(-2147483647 - 1)" : fmt::format("{}", value);
  }
  return fmt::format("({}){}", type.name, value);
}

}  // namespace

mlir::Type elementOf(mlir::Type type) {
  auto shaped = mlir::dyn_cast<mlir::ShapedType>(type);
  return shaped ? shaped.getElementType() : type;
}

Result<ScalarType> scalarType(mlir::Type type, bool wide_index) {
  type = elementOf(type);
  if (type.isF32()) return floating("float", "float", 32);
  if (type.isF64()) return floating("double", "double", 64);
  if (type.isF16()) return floating("float", "ushort", 32, Narrow::Half);
  if (type.isBF16()) return floating("float", "ushort", 32, Narrow::BFloat);
  if (type.isIndex()) {
    ScalarType index = wide_index ? integer("long", 64) : integer("int", 32);
    index.is_index = true;
    return index;
  }
  if (type.isInteger(1))
    return ScalarType{.name = "bool", .storage = "char", .as_unsigned = "bool", .bits = 32, .is_bool = true};
  if (type.isSignlessInteger(8)) return integer("char", 8);
  if (type.isSignlessInteger(16)) return integer("short", 16);
  if (type.isSignlessInteger(32)) return integer("int", 32);
  if (type.isSignlessInteger(64)) return integer("long", 64);
  return unimplemented("OpenCL C has no spelling for the type {}", textOf(type));
}

std::string typeName(const ScalarType& type, int width) {
  if (width == 1) return type.name;
  return fmt::format("{}{}", type.is_bool ? "int" : type.name, width);
}

std::string unsignedName(const ScalarType& type, int width) {
  if (width == 1) return type.as_unsigned;
  return fmt::format("{}{}", type.is_bool ? "uint" : type.as_unsigned, width);  // a mask of ints
}

llvm::SmallVector<int> partWidths(mlir::Type type) {
  auto vector = mlir::dyn_cast<mlir::VectorType>(type);
  if (!vector || vector.getRank() == 0) return {1};
  llvm::SmallVector<int> row, all;
  for (int64_t left = vector.getShape().back(), width = 16; left > 0;) {
    if (left >= width) {
      row.push_back(static_cast<int>(width));
      left -= width;
    } else {
      width /= 2;
    }
  }
  const int64_t rows = vector.getNumElements() / vector.getShape().back();
  for (int64_t r = 0; r < rows; ++r) all.append(row);
  return all;
}

std::string literal(mlir::Attribute value, const ScalarType& type, bool in_vector) {
  if (auto real = mlir::dyn_cast<mlir::FloatAttr>(value)) {
    return floatLiteral(real.getValueAsDouble(), type.bits == 64);
  }
  auto whole = mlir::cast<mlir::IntegerAttr>(value).getValue();
  if (type.is_bool) {
    if (in_vector) return whole.isZero() ? "0" : "-1";
    return whole.isZero() ? "false" : "true";
  }
  return integerLiteral(whole.getSExtValue(), type);
}

}  // namespace tetrarch::opencl
