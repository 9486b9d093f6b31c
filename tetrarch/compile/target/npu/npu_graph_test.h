// What tests of graphs on the NPU share: the graph of i8 inputs through the whole pipeline, on the NPU's
// models, against the reference interpreter's bits.
#pragma once

#include <gtest/gtest.h>

#include <random>

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/DialectRegistry.h"
#include "tetrarch/compile/differential/task_program.h"
#include "tetrarch/compile/kernel_tool/plugin_runner.h"
#include "tetrarch/graph/constants.h"
#include "tetrarch/graph/interpreter.h"
#include "tetrarch/graph/parse.h"
#include "tetrarch/graph/types.h"

namespace tetrarch::compile {

class NpuGraphTest : public testing::Test {
 protected:
  NpuGraphTest() {
    mlir::DialectRegistry registry;
    registerCodegenDialects(registry);
    context_->appendDialectRegistry(registry);
    context_->loadAllAvailableDialects();
  }

  using Builder = mlir::ImplicitLocOpBuilder;
  using Value = mlir::Value;
  using Build = llvm::function_ref<Value(Builder&, mlir::ValueRange)>;

  mlir::OwningOpRef<mlir::ModuleOp> graphOf(size_t inputs, const Shape& shape, Build build) {
    Builder b(mlir::UnknownLoc::get(context_.get()), context_.get());
    mlir::OwningOpRef<mlir::ModuleOp> module(mlir::ModuleOp::create(b.getLoc()));
    b.setInsertionPointToStart(module->getBody());
    const llvm::SmallVector<mlir::Type> types(inputs, tet::toMlir(ElementType::I8, shape, context_.get()));
    auto function = mlir::func::FuncOp::create(b, "main", b.getFunctionType(types, {}));
    mlir::Block* block = function.addEntryBlock();
    b.setInsertionPointToStart(block);
    Value result = build(b, block->getArguments());
    mlir::func::ReturnOp::create(b, result);
    function.setType(b.getFunctionType(types, result.getType()));
    return module;
  }

  // The graph of i8 inputs of one shape as tasks, all of them on the NPU.
  void check(size_t inputs, const Shape& shape, Build build, const char* features = "side=16",
             const char* options = "") {
    auto graph = graphOf(inputs, shape, build);
    std::vector<Tensor> tensors;
    for (size_t i = 0; i < inputs; ++i) {
      tensors.push_back(Tensor::create(ElementType::I8, shape).value());
      for (int64_t e = 0; e < tensors[i].count(); ++e)
        tensors[i].setInt(e, static_cast<int64_t>(random_() % 256) - 128);
    }
    const std::vector<Tensor> expected = tet::interpret(*graph, tensors).value();
    auto program = TaskProgram::make(std::move(graph));
    ASSERT_TRUE(program) << program.error().message();
    const auto actual = runOnNpu(*program, tensors, features, options);
    ASSERT_TRUE(actual) << actual.error().message();
    for (int64_t e = 0; e < expected[0].count(); ++e)
      ASSERT_EQ(actual->front().getInt(e), expected[0].getInt(e)) << "element " << e;
  }

  // Every task on a device of the options.
  static Result<std::vector<Tensor>> runOnNpu(const TaskProgram& program, const std::vector<Tensor>& inputs,
                                              const char* features, const char* options) {
    TET_ASSIGN_OR_RETURN(auto device, PluginRunner::open(TETRARCH_NPU_PLUGIN, options));
    const auto generator = findCodeGenerator("npu")->forFeatures(features);
    auto run = [&](size_t i, std::vector<Tensor>& operands, std::vector<Tensor>& results) -> Status {
      Task task = program.tasks()[i];
      for (const Tensor& tensor : operands)
        task.constants.push_back({static_cast<const std::byte*>(tensor.data()), tensor.bytes()});
      TET_ASSIGN_OR_RETURN(auto blobs, generator->compile({&task, 1}, {}));
      return device.run(blobs.front(), 0, operands, results, 2);
    };
    return program.run(inputs, run);
  }

  Value table(Builder& b, const Tensor& numbers) { return tet::makeConstant(b, b.getLoc(), numbers); }
  Value column(Builder& b, int64_t n, int64_t least, int64_t most) {
    Tensor numbers = Tensor::create(ElementType::I32, {n}).value();
    for (int64_t i = 0; i < n; ++i)
      numbers.setInt(i, least + static_cast<int64_t>(random_() % static_cast<uint64_t>(most - least)));
    return table(b, numbers);
  }
  Value number(Builder& b, int64_t value) {
    const int64_t numbers[] = {value};
    return table(b, Tensor::of<int64_t>(ElementType::I32, {}, numbers));
  }

  std::unique_ptr<mlir::MLIRContext> context_ = tet::makeContext();
  std::mt19937_64 random_{1};
};

}  // namespace tetrarch::compile
