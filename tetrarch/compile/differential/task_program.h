// A graph that went through the pipeline, run task by task without a runtime: for tests.
#pragma once

#include <vector>

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"
#include "tetrarch/base/tensor.h"
#include "tetrarch/compile/code_generator.h"
#include "tetrarch/compile/pipeline.h"

namespace tetrarch::compile {

class TaskProgram {
 public:
  // Runs the whole pipeline on the graph. Internal, with the pass's words, when that fails.
  static Result<TaskProgram> make(mlir::OwningOpRef<mlir::ModuleOp> graph,
                                  const PipelineOptions& options = {});

  // In the order in which run() needs them. Their blocks live as long as the program.
  const std::vector<Task>& tasks() const { return tasks_; }

  // Computes tasks()[task]: results have the right types and shapes already.
  using RunTask =
      llvm::function_ref<Status(size_t task, std::vector<Tensor>& operands, std::vector<Tensor>& results)>;
  Result<std::vector<Tensor>> run(std::vector<Tensor> inputs, RunTask run_task) const;

 private:
  mlir::OwningOpRef<mlir::ModuleOp> module_;
  std::vector<Task> tasks_;
};

}  // namespace tetrarch::compile
