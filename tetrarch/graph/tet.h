// The `tet` dialect as C++: the graph that frontends make and the compiler rewrites. Its op table is
// tet_ops.td.
//
// Builders infer result types: `AddOp::create(builder, loc, lhs, rhs)`. They never abort on operands or
// attributes that break a constraint: the result then has a placeholder type, and mlir::verify reports the
// constraint.
#pragma once

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/Interfaces/ControlFlowInterfaces.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "tetrarch/graph/tet_dialect.h.inc"
#include "tetrarch/graph/tet_enums.h"

namespace tetrarch::tet {

// The sets that passes ask for instead of listing ops: `op->hasTrait<tet::Elementwise>()`. See tet_base.td.
template <typename Op>
class Elementwise : public mlir::OpTrait::TraitBase<Op, Elementwise> {};
template <typename Op>
class ElementwiseUnary : public mlir::OpTrait::TraitBase<Op, ElementwiseUnary> {};
template <typename Op>
class ElementwiseBinary : public mlir::OpTrait::TraitBase<Op, ElementwiseBinary> {};
template <typename Op>
class Associative : public mlir::OpTrait::TraitBase<Op, Associative> {};
template <typename Op>
class DataMovement : public mlir::OpTrait::TraitBase<Op, DataMovement> {};

// Starts a diagnostic: on the op while verifying, discarded while inferring.
using ErrorEmitter = llvm::function_ref<mlir::InFlightDiagnostic()>;

// Storage of all operands and results of `op`, in bytes.
int64_t operandAndResultBytes(mlir::Operation* op);

}  // namespace tetrarch::tet

#define GET_ATTRDEF_CLASSES
#include "tetrarch/graph/tet_attrs.h.inc"
#include "tetrarch/graph/tet_interfaces.h.inc"
#define GET_OP_CLASSES
#include "tetrarch/graph/tet_ops.h.inc"
