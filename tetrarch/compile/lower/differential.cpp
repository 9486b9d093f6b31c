#include "tetrarch/compile/lower/differential.h"

#include <gtest/gtest.h>

#include <random>

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "tetrarch/compile/differential/task_program.h"
#include "tetrarch/graph/interpreter.h"
#include "tetrarch/graph/parse.h"
#include "tetrarch/graph/types.h"

namespace tetrarch::compile {
namespace {

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
  TaskProgram program;
  std::vector<Tensor> inputs, expected;
  size_t first_task = 0;  // among the tasks of all cases
};

Result<Compiled> prepare(const DifferentialCase& test, mlir::MLIRContext* context, std::vector<Task>& tasks) {
  Compiled compiled;
  TET_ASSIGN_OR_RETURN(auto module, tet::parseGraph(test.text, context, test.name));
  uint32_t seed = 1;
  for (mlir::Value argument : (*module->getOps<mlir::func::FuncOp>().begin()).getArguments()) {
    compiled.inputs.push_back(
        randomTensor(tet::elementTypeOf(argument), tet::shapeOf(argument), test.low, test.high, seed++));
  }
  TET_ASSIGN_OR_RETURN(compiled.expected, tet::interpret(*module, compiled.inputs));
  TET_ASSIGN_OR_RETURN(compiled.program, TaskProgram::make(std::move(module)));
  compiled.first_task = tasks.size();
  for (const Task& task : compiled.program.tasks()) {
    tasks.push_back({test.name + "." + task.name, task.block, task.hash});
  }
  return compiled;
}

void compare(const DifferentialCase& test, const Compiled& compiled, DifferentialTarget& target) {
  SCOPED_TRACE(test.name);
  auto actual = compiled.program.run(compiled.inputs, [&](size_t task, auto& operands, auto& results) {
    return target.run(compiled.first_task + task, operands, results);
  });
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
  const auto target = makeDifferentialTarget();
  const Status done = target->compile(tasks);
  ASSERT_TRUE(done.ok()) << done.toString();
  for (auto& [test, one] : compiled) compare(*test, one, *target);
}

}  // namespace tetrarch::compile
