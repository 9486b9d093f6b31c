// One element of a tensor inside a task's loops: how it leaves its storage, is computed with, converted and
// put back.
//
// Three types belong to an element type of the graph:
//   storage  what memory holds (graph/types.h): i1 and i4 in an i8, ui16 in an i16, f8 in the i8 of its bits;
//   compute  what arithmetic sees: f32 for all floats narrower than f32, i1 for i1, i8 for i4, the rest as
//   stored; carrier  what a sum or an extremum in memory holds: f32 for the narrow floats, else the storage
//   type.
// The functions write arith ops at the builder's insertion point and cannot fail.
#pragma once

#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace tetrarch::compile {

using Builder = mlir::ImplicitLocOpBuilder;

mlir::Type computeType(mlir::Type element);
mlir::Type carrierType(mlir::Type element);

// storage -> compute, and back (rounding to the element type, wrapping to its width).
mlir::Value loadScalar(Builder& b, mlir::Value stored, mlir::Type element);
mlir::Value storeScalar(Builder& b, mlir::Value computed, mlir::Type element);
// The computed value as if it had been stored and loaded: what keeps a chain of ops on f16 equal to op by op.
mlir::Value roundScalar(Builder& b, mlir::Value computed, mlir::Type element);
// carrier -> compute, and back.
mlir::Value loadCarrier(Builder& b, mlir::Value carried, mlir::Type element);
mlir::Value storeCarrier(Builder& b, mlir::Value computed, mlir::Type element);

// tet.convert on compute types.
mlir::Value convertScalar(Builder& b, mlir::Value computed, mlir::Type from, mlir::Type to);

// An arith.constant of the compute type from an element of a constant's value (FloatAttr or IntegerAttr).
mlir::Value scalarConstant(Builder& b, mlir::Attribute element_value, mlir::Type element);
// The same from a number; `type` is any float or signless integer type.
mlir::Value floatConstant(Builder& b, mlir::Type type, double value);
mlir::Value intConstant(Builder& b, mlir::Type type, int64_t value);

// Whether arithmetic on the element type rounds to fewer bits than it computes with.
bool isNarrowFloat(mlir::Type element);

}  // namespace tetrarch::compile
