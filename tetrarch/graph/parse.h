// Graphs as text: MLIR's syntax of func and tet (and, inside tasks, of the upstream dialects).
#pragma once

#include <memory>
#include <string_view>

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/OwningOpRef.h"
#include "tetrarch/base/status.h"

namespace tetrarch::tet {

// Knows every dialect that a graph or a task holds. Single-threaded: MLIR's own pool is off.
std::unique_ptr<mlir::MLIRContext> makeContext();

// Parses and verifies. InvalidArgument with the first diagnostic, prefixed by `name` and its line.
Result<mlir::OwningOpRef<mlir::ModuleOp>> parseGraph(std::string_view text, mlir::MLIRContext* context,
                                                     std::string_view name = "graph");

// Runs MLIR's verifier. `code` with the first diagnostic: kInternal when our own pass broke the graph.
Status verifyGraph(mlir::Operation* op, StatusCode code = StatusCode::kInternal);

}  // namespace tetrarch::tet
