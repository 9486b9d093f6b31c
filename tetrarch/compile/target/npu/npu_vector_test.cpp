// Graphs of quantised compositions, through the whole pipeline, on the NPU's models: the reference
// interpreter's bits.
#include <gtest/gtest.h>

#include <random>

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/DialectRegistry.h"
#include "tetrarch/compile/differential/task_program.h"
#include "tetrarch/compile/kernel_tool/plugin_runner.h"
#include "tetrarch/graph/constants.h"
#include "tetrarch/graph/interpreter.h"
#include "tetrarch/graph/parse.h"
#include "tetrarch/graph/quantized_rows.h"
#include "tetrarch/graph/types.h"

namespace tetrarch::compile {
namespace {

using Builder = mlir::ImplicitLocOpBuilder;
using mlir::Value;
using tet::RequantizeOutput;

class NpuVector : public testing::Test {
 protected:
  NpuVector() {
    mlir::DialectRegistry registry;
    registerCodegenDialects(registry);
    context_->appendDialectRegistry(registry);
    context_->loadAllAvailableDialects();
  }

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
    auto device = PluginRunner::open(TETRARCH_NPU_PLUGIN, options);
    ASSERT_TRUE(device) << device.error().message();
    const auto generator = findCodeGenerator("npu")->forFeatures(features);
    auto run = [&](size_t i, std::vector<Tensor>& operands, std::vector<Tensor>& results) -> Status {
      Task task = program->tasks()[i];
      for (const Tensor& tensor : operands)
        task.constants.push_back({static_cast<const std::byte*>(tensor.data()), tensor.bytes()});
      TET_ASSIGN_OR_RETURN(auto blobs, generator->compile({&task, 1}, {}));
      return device->run(blobs.front(), 0, operands, results, 2);
    };
    const auto actual = program->run(tensors, run);
    ASSERT_TRUE(actual) << actual.error().message();
    for (int64_t e = 0; e < expected[0].count(); ++e)
      ASSERT_EQ(actual->front().getInt(e), expected[0].getInt(e)) << "element " << e;
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

const Shape kShapes[] = {{2, 3, 11}, {5, 128}, {7, 33}, {1, 1}, {3, 257}, {40, 384}};

TEST_F(NpuVector, SoftmaxIsTheInterpreters) {
  for (const Shape& shape : kShapes) {
    SCOPED_TRACE(shape.back());
    check(1, shape, [&](Builder& b, mlir::ValueRange in) {
      return tet::softmaxInt8(
          b, {in[0], table(b, tet::exponentialTable(0.03)), table(b, tet::reciprocalTable())},
          tet::fixedPoint(255 * std::ldexp(1, -30)), {.zero_point = -128});
    });
  }
}

TEST_F(NpuVector, NormalisationsAreTheInterpreters) {
  for (const Shape& shape : kShapes) {
    for (bool centred : {true, false}) {
      const int64_t n = shape.back();
      if (n == 1) continue;  // folds to something else
      SCOPED_TRACE(n);
      check(1, shape, [&](Builder& b, mlir::ValueRange in) {
        return tet::normInt8(
            b, {in[0], table(b, tet::rsqrtTable()), column(b, n, -32768, 32767), column(b, n, -3000, 3000)},
            {.centred = centred, .zero_point = centred ? 0 : -7, .epsilon = 300, .shift = 22},
            {.zero_point = 4, .low = -100, .high = 110});
      });
    }
  }
}

TEST_F(NpuVector, SumsProductsAndTablesAreTheInterpreters) {
  const auto wide = [](Builder& b, Value x) -> Value { return tet::ConvertOp::create(b, x, b.getI32Type()); };
  for (const Shape& shape : {Shape{1, 5, 7, 3}, Shape{17}, Shape{2, 4097}}) {
    check(2, shape, [&](Builder& b, mlir::ValueRange in) {
      return tet::requantizeAdd(b, {wide(b, in[0]), number(b, 9), number(b, 20000), number(b, 14), -1},
                                {in[1], -3, -30000, 15}, {.zero_point = 2, .low = -128, .high = 100});
    });
    check(2, shape, [&](Builder& b, mlir::ValueRange in) {
      Value product = tet::MultiplyOp::create(b, wide(b, in[0]), wide(b, in[1]));
      return tet::requantize(b, {product, {}, number(b, 17000), number(b, 21), -1}, {.zero_point = -5});
    });
    check(1, shape, [&](Builder& b, mlir::ValueRange in) {
      Tensor bytes = Tensor::create(ElementType::I8, {256}).value();
      for (int64_t i = 0; i < 256; ++i) bytes.setInt(i, i * 37 % 256 - 128);
      return tet::lookup(b, in[0], table(b, bytes));
    });
  }
}

TEST_F(NpuVector, OtherSidesOfTheArrayToo) {
  for (const auto& [features, options] :
       {std::pair{"side=8", R"({"side":8})"}, std::pair{"side=32", R"({"side":32})"}}) {
    check(
        1, {9, 77},
        [&](Builder& b, mlir::ValueRange in) {
          return tet::softmaxInt8(
              b, {in[0], table(b, tet::exponentialTable(0.03)), table(b, tet::reciprocalTable())},
              tet::fixedPoint(127 * std::ldexp(1, -30)), {});
        },
        features, options);
  }
}

}  // namespace
}  // namespace tetrarch::compile
