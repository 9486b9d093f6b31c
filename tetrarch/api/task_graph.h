// The end of the pipeline as data: which tensors and tasks a module has, and its weights.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "mlir/IR/BuiltinOps.h"
#include "tetrarch/abi/manifest.h"
#include "tetrarch/base/tensor.h"
#include "tetrarch/compile/code_generator.h"

namespace tetrarch::api {

struct TaskGraph {
  abi::Manifest manifest;            // inputs, outputs, tensors and tasks; no code, costs or plans yet
  std::vector<compile::Task> tasks;  // in the manifest's order; the blocks belong to the module
  Tensor weights;                    // u8: constants at the offsets that the manifest names
};

inline std::span<const std::byte> bytesOf(const Tensor& weights) {
  return {weights.as<std::byte>(), weights.bytes()};
}

// Moves the module's large constants into `weights`, one after the other, so that there is hardly more than
// one copy of them at any time; the module has no data for them any more, nor has a clone of it. Internal
// when it is not what the pipeline's last stage promises: constants, reshapes and tasks alone.
Result<TaskGraph> collectTasks(mlir::ModuleOp module);

// Gives each task the bytes of its constants, which stay where the graph has them.
void attachConstants(TaskGraph& graph);

}  // namespace tetrarch::api
