// The end of the pipeline as data: which tensors and tasks a module has, and its weights.
#pragma once

#include <cstddef>
#include <vector>

#include "mlir/IR/BuiltinOps.h"
#include "tetrarch/abi/manifest.h"
#include "tetrarch/compile/code_generator.h"

namespace tetrarch::api {

struct TaskGraph {
  abi::Manifest manifest;            // inputs, outputs, tensors and tasks; no code, costs or plans yet
  std::vector<compile::Task> tasks;  // in the manifest's order; the blocks belong to the module
  std::vector<std::byte> weights;    // constants at the offsets that the manifest names
};

// Internal when the module is not what the pipeline's last stage promises: constants, reshapes and tasks
// alone.
Result<TaskGraph> collectTasks(mlir::ModuleOp module);

}  // namespace tetrarch::api
