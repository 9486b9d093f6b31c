// The tasks of an artifact as text: what a compiler on another machine makes code from.
#pragma once

#include <string>

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/OwningOpRef.h"
#include "tetrarch/abi/artifact_file.h"
#include "tetrarch/api/task_graph.h"

namespace tetrarch::api {

// One function for each different task, named by its hash, that holds the task and nothing else. Weights are
// operands of tasks, so they are not in it.
std::string taskText(const TaskGraph& graph);

// What an artifact holds; the tasks' blocks belong to `module`, the weights to the artifact.
struct ParsedTasks {
  mlir::OwningOpRef<mlir::ModuleOp> module;
  TaskGraph graph;
};
// Any text is safe. InvalidArgument names the artifact when it does not parse, lacks a task, or has one whose
// operands are not the manifest's tensors.
Result<ParsedTasks> parseTasks(mlir::MLIRContext& context, const abi::Artifact& artifact);

}  // namespace tetrarch::api
