// The tasks of an artifact as text: what a compiler on another machine makes code from.
#pragma once

#include <string>
#include <string_view>

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/OwningOpRef.h"
#include "tetrarch/api/task_graph.h"

namespace tetrarch::api {

// One function for each different task, named by its hash, that holds the task and nothing else. Weights are
// operands of tasks, so they are not in it.
std::string taskText(const TaskGraph& graph);

// The tasks that `manifest` lists, in its order; their blocks belong to `module`.
struct ParsedTasks {
  mlir::OwningOpRef<mlir::ModuleOp> module;
  std::vector<compile::Task> tasks;
};
// Any text is safe to pass. InvalidArgument when it does not parse, lacks a task, or has one whose operands
// are not the manifest's tensors.
Result<ParsedTasks> parseTasks(mlir::MLIRContext& context, std::string_view text,
                               const abi::Manifest& manifest);

}  // namespace tetrarch::api
