#include "tetrarch/compile/lower/differential.h"

#include <gtest/gtest.h>

#include <random>

#include "tetrarch/compile/kernel_tool/kernel_runner.h"
#include "tetrarch/compile/pipeline.h"
#include "tetrarch/graph/constants.h"
#include "tetrarch/graph/interpreter.h"
#include "tetrarch/graph/parse.h"
#include "tetrarch/graph/types.h"

namespace tetrarch::compile {
namespace {

using Module = mlir::OwningOpRef<mlir::ModuleOp>;

mlir::func::FuncOp mainOf(mlir::ModuleOp module) { return *module.getOps<mlir::func::FuncOp>().begin(); }

// Twice the rounding error of a type's last place; the sums and functions of f32 and f64 get more.
double toleranceOf(ElementType type) {
  switch (type) {
    case ElementType::F64:
      return 1e-6;
    case ElementType::F32:
      return 2e-5;
    case ElementType::F16:
      return 2e-3;
    case ElementType::BF16:
      return 1.6e-2;
    case ElementType::F8E4M3FN:
      return 0.13;
    case ElementType::F8E5M2:
      return 0.26;
    default:
      return 0;
  }
}

struct Compiled {
  Module module;
  std::vector<Tensor> inputs, expected;
  size_t first_task = 0;
};

Result<Compiled> prepare(const DifferentialCase& test, mlir::MLIRContext* context, std::vector<Task>& tasks) {
  Compiled compiled;
  TET_ASSIGN_OR_RETURN(compiled.module, tet::parseGraph(test.text, context, test.name));
  uint32_t seed = 1;
  for (mlir::Value argument : mainOf(*compiled.module).getArguments()) {
    compiled.inputs.push_back(
        randomTensor(tet::elementTypeOf(argument), tet::shapeOf(argument), test.low, test.high, seed++));
  }
  TET_ASSIGN_OR_RETURN(compiled.expected, tet::interpret(*compiled.module, compiled.inputs));
  TET_RETURN_IF_ERROR(runPipeline(*compiled.module));
  compiled.first_task = tasks.size();
  compiled.module->walk([&](tet::TaskOp op) {
    mlir::Block& block = op.getBody().front();
    tasks.push_back({test.name + "." + op.getName().str(), &block, taskHash(block)});
  });
  return compiled;
}

// Runs @main's tasks one after the other.
class Runner {
 public:
  Runner(const KernelModule& kernels, const CodeBlob& blob) : kernels_(kernels), blob_(blob) {}

  Result<std::vector<Tensor>> run(const Compiled& compiled) {
    size_t task = compiled.first_task;
    auto function = mainOf(*compiled.module);
    for (auto [argument, tensor] : llvm::zip(function.getArguments(), compiled.inputs))
      values_[argument] = tensor;
    for (mlir::Operation& op : function.front().without_terminator()) {
      if (auto constant = llvm::dyn_cast<tet::ConstantOp>(op)) {
        TET_ASSIGN_OR_RETURN(values_[constant.getResult()], tet::tensorOf(constant.getValue()));
      } else if (auto reshape = llvm::dyn_cast<tet::ReshapeOp>(op)) {
        auto owner = std::make_shared<Tensor>(values_[reshape.getOperand()]);
        values_[reshape.getResult()] =
            Tensor::view(owner->type(), tet::shapeOf(reshape.getResult()), owner->data(), owner);
      } else if (auto call = llvm::dyn_cast<tet::TaskOp>(op)) {
        TET_RETURN_IF_ERROR(runTask(call, blob_.entries[task++].symbol));
      } else {
        return internalError("{} is left outside of tasks", op.getName().getStringRef().str());
      }
    }
    std::vector<Tensor> results;
    for (mlir::Value value : function.front().getTerminator()->getOperands())
      results.push_back(values_[value]);
    return results;
  }

 private:
  Status runTask(tet::TaskOp op, std::string_view symbol) {
    const tet_cpu_kernel* kernel = kernels_.find(symbol);
    if (!kernel) return internalError("no kernel for {}", op.getName().str());
    std::vector<Tensor> operands, results;
    for (mlir::Value input : op.getInputs()) operands.push_back(values_[input]);
    for (mlir::Value result : op.getResults()) {
      TET_ASSIGN_OR_RETURN(Tensor tensor, Tensor::create(tet::elementTypeOf(result), tet::shapeOf(result)));
      results.push_back(std::move(tensor));
    }
    launch(*kernel, operands, results, /*threads=*/1);
    for (auto [value, tensor] : llvm::zip(op.getResults(), results)) values_[value] = tensor;
    return {};
  }

  const KernelModule& kernels_;
  const CodeBlob& blob_;
  llvm::DenseMap<mlir::Value, Tensor> values_;
};

void compare(const DifferentialCase& test, const Compiled& compiled, const KernelModule& kernels,
             const CodeBlob& blob) {
  SCOPED_TRACE(test.name);
  auto actual = Runner(kernels, blob).run(compiled);
  ASSERT_TRUE(actual.has_value()) << actual.error().toString();
  double tolerance = test.tolerance;
  for (const Tensor& input : compiled.inputs) {
    if (test.tolerance < 0) tolerance = std::max(tolerance, toleranceOf(input.type()));
  }
  for (size_t i = 0; i < actual->size(); ++i) {
    const double allowed =
        test.tolerance < 0 ? std::max(tolerance, toleranceOf((*actual)[i].type())) : tolerance;
    auto difference = tetrarch::difference((*actual)[i], compiled.expected[i]);
    ASSERT_TRUE(difference.has_value()) << difference.error().toString();
    const bool exact = isInteger((*actual)[i].type());
    EXPECT_LE(exact ? difference->absolute : difference->relative, exact ? 0 : allowed)
        << "result " << i << " at " << difference->at << ": " << (*actual)[i].getDouble(difference->at)
        << " instead of " << compiled.expected[i].getDouble(difference->at);
  }
}

}  // namespace

Tensor randomTensor(ElementType type, Shape shape, double low, double high, uint32_t seed) {
  Tensor tensor = Tensor::create(type, std::move(shape)).value();
  std::minstd_rand random(seed * 7919);
  std::uniform_real_distribution<double> real(low, high);
  const bool is_signed = info(type).kind == ElementKind::Signed;
  std::uniform_int_distribution<int64_t> whole(is_signed ? std::llround(low * 4) : 0,
                                               std::max<int64_t>(std::llround(high * 4), 0));
  for (int64_t i = 0; i < tensor.count(); ++i) {
    if (isFloat(type)) {
      tensor.setDouble(i, real(random));
    } else if (type == ElementType::I1) {
      tensor.setInt(i, random() >> 8 & 1);
    } else {
      tensor.setInt(i, whole(random));
    }
  }
  return tensor;
}

std::string tensorText(const std::string& shape, const std::string& type) {
  return "tensor<" + (shape.empty() ? "" : shape + "x") + type + ">";
}

void checkAgainstInterpreter(const std::vector<DifferentialCase>& cases) {
  auto context = tet::makeContext();
  mlir::DialectRegistry registry;
  registerCodegenDialects(registry);
  context->appendDialectRegistry(registry);
  context->loadAllAvailableDialects();
  std::vector<Task> tasks;
  std::vector<std::pair<const DifferentialCase*, Compiled>> compiled;
  for (const DifferentialCase& test : cases) {
    Result<Compiled> one = prepare(test, context.get(), tasks);
    if (one) {
      compiled.emplace_back(&test, *std::move(one));
    } else {
      ADD_FAILURE() << test.name << ": " << one.error().toString();
    }
  }
  Result<CodeBlob> blob = compileGeneral(tasks);
  ASSERT_TRUE(blob.has_value()) << blob.error().toString();
  Result<KernelModule> kernels = KernelModule::load(*blob);
  ASSERT_TRUE(kernels.has_value()) << kernels.error().toString();
  for (auto& [test, one] : compiled) compare(*test, one, *kernels, *blob);
}

}  // namespace tetrarch::compile
