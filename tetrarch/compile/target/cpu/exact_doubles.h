// Requantisation in double precision: a sum of products times a factor, shifted with rounding, needs more
// than 32 bits but fewer than 53. Vectors of doubles have every operation that this takes and round half to
// even by one instruction; vectors of 64-bit integers lack most of them before AVX-512, and some after.
#pragma once

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"

namespace tetrarch::compile::cpu {

// The task with each 64-bit integer chain around a rounding shift, (x + 2^(s-1) - 1 + (x >> s & 1)) >> s,
// computed in f64 wherever types and masks prove that no number on the way leaves 2^52 and that s is 1 to 63:
// then every double is the integer, and the results have the same bits. Null when there is nothing of the
// kind. The copy is a function whose block reads and yields what the task's does; `block` stays as it is.
mlir::OwningOpRef<mlir::ModuleOp> withExactDoubles(mlir::Block& block);

}  // namespace tetrarch::compile::cpu
