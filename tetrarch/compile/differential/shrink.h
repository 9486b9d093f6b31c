// A failing graph made small.
#pragma once

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"

namespace tetrarch::compile {

// Takes away results and ops for as long as `fails` holds of what is left: the end is a graph of which no
// single result or op can be taken away. An op's value is taken by one of its operands of the same type, or
// by a new argument of @main. `fails` must hold of the graph given, which is not changed.
mlir::OwningOpRef<mlir::ModuleOp> shrink(mlir::ModuleOp graph,
                                         llvm::function_ref<bool(mlir::ModuleOp)> fails);

// Ops of @main other than constants and the return.
int64_t countOps(mlir::ModuleOp graph);

}  // namespace tetrarch::compile
