#include "tetrarch/compile/differential/task_program.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "tetrarch/graph/constants.h"
#include "tetrarch/graph/tet.h"
#include "tetrarch/graph/types.h"

namespace tetrarch::compile {
namespace {

using Values = llvm::DenseMap<mlir::Value, Tensor>;

mlir::func::FuncOp mainOf(mlir::ModuleOp module) { return *module.getOps<mlir::func::FuncOp>().begin(); }

Tensor reshaped(const Tensor& tensor, Shape shape) {
  auto owner = std::make_shared<Tensor>(tensor);
  return Tensor::view(owner->type(), std::move(shape), owner->data(), owner);
}

Status runTask(tet::TaskOp op, size_t number, Values& values, TaskProgram::RunTask run_task) {
  std::vector<Tensor> operands, results;
  for (mlir::Value input : op.getInputs()) operands.push_back(values[input]);
  for (mlir::Value result : op.getResults()) {
    TET_ASSIGN_OR_RETURN(Tensor tensor, Tensor::create(tet::elementTypeOf(result), tet::shapeOf(result)));
    results.push_back(std::move(tensor));
  }
  TET_RETURN_IF_ERROR(run_task(number, operands, results));
  for (auto [value, tensor] : llvm::zip(op.getResults(), results)) values[value] = tensor;
  return {};
}

}  // namespace

Result<TaskProgram> TaskProgram::make(mlir::OwningOpRef<mlir::ModuleOp> graph,
                                      const PipelineOptions& options) {
  TaskProgram program;
  program.module_ = std::move(graph);
  TET_RETURN_IF_ERROR(runPipeline(*program.module_, options));
  program.module_->walk([&](tet::TaskOp op) {
    mlir::Block& block = op.getBody().front();
    program.tasks_.push_back({op.getName().str(), &block, taskHash(block)});
  });
  return program;
}

Result<std::vector<Tensor>> TaskProgram::run(std::vector<Tensor> inputs, RunTask run_task) const {
  Values values;
  size_t task = 0;
  auto function = mainOf(*module_);
  for (auto [argument, tensor] : llvm::zip(function.getArguments(), inputs)) values[argument] = tensor;
  for (mlir::Operation& op : function.front().without_terminator()) {
    if (auto constant = llvm::dyn_cast<tet::ConstantOp>(op)) {
      TET_ASSIGN_OR_RETURN(values[constant.getResult()], tet::tensorOf(constant.getValue()));
    } else if (auto reshape = llvm::dyn_cast<tet::ReshapeOp>(op)) {
      values[reshape.getResult()] = reshaped(values[reshape.getOperand()], tet::shapeOf(reshape.getResult()));
    } else if (auto call = llvm::dyn_cast<tet::TaskOp>(op)) {
      TET_RETURN_IF_ERROR(runTask(call, task++, values, run_task));
    } else {
      return internalError("{} is left outside of tasks", op.getName().getStringRef().str());
    }
  }
  std::vector<Tensor> results;
  for (mlir::Value value : function.front().getTerminator()->getOperands()) results.push_back(values[value]);
  return results;
}

}  // namespace tetrarch::compile
