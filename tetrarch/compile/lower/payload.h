// What an elementwise op does to one element, as arith and math ops on compute types (scalar.h). One table,
// shared by elementwise tasks, the tails of contractions, and reductions: payload.def.
#pragma once

#include "llvm/ADT/StringRef.h"
#include "mlir/IR/Attributes.h"
#include "tetrarch/compile/lower/scalar.h"
#include "tetrarch/graph/tet.h"

namespace tetrarch::compile {

// Whether payload() takes the op: every tet op with the Elementwise trait.
bool hasPayload(mlir::Operation* op);

// The op's result, rounded to its element type, from computed operands.
mlir::Value payload(Builder& b, mlir::Operation* op, mlir::ValueRange computed);

// Two elements combined; `element` is their type. `Assign` gives the second.
mlir::Value combine(Builder& b, tet::ReductionKind kind, mlir::Value x, mlir::Value y, mlir::Type element);
// What combines with x to x, as a constant of the compute type. Not for Assign.
mlir::Value identity(Builder& b, tet::ReductionKind kind, mlir::Type element);
// The same in the graph: the attribute of one element.
mlir::TypedAttr identityAttr(tet::ReductionKind kind, mlir::Type element);

}  // namespace tetrarch::compile
