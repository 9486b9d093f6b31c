// Between the types of base/ (ElementType, Shape) and MLIR's.
#pragma once

#include "mlir/IR/BuiltinTypes.h"
#include "tetrarch/base/tensor.h"

namespace tetrarch::tet {

// Signed integers and i1 are signless in MLIR (i8), unsigned ones ui8 and so on.
mlir::Type toMlir(ElementType type, mlir::MLIRContext* context);
mlir::RankedTensorType toMlir(ElementType type, std::span<const int64_t> shape, mlir::MLIRContext* context);

// Nullopt for a type that no tensor of a graph has, such as i2 or index.
std::optional<ElementType> elementTypeFromMlir(mlir::Type type);
// Of a tensor that the verifier accepted.
ElementType elementTypeOf(mlir::Value value);
Shape shapeOf(mlir::Value value);

// The element type that holds a graph's `type` inside a task: floats of 16 bits and more and signed integers
// as they are, i1 and i4 in an i8, unsigned integers signless, 8-bit floats as an i8 of their bits.
mlir::Type storageElementType(mlir::Type type);
mlir::RankedTensorType storageType(mlir::RankedTensorType type);

}  // namespace tetrarch::tet
