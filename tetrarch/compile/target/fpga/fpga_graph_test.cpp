// Random graphs as kernels, through their twin, against the interpreter.
#include <gtest/gtest.h>

#include "tetrarch/compile/differential/task_program.h"
#include "tetrarch/compile/lower/differential.h"
#include "tetrarch/graph/interpreter.h"
#include "tetrarch/graph/parse.h"
#include "tetrarch/graph/random_graph.h"

namespace tetrarch::compile {
namespace {

constexpr unsigned kSeeds = 40;
// Of floats: relative to the largest value, or absolute where some hundreds of values near 1 cancel out.
constexpr double kTolerance = 1e-3, kRounding = 1e-4;

void checkSeed(mlir::MLIRContext* context, unsigned seed, size_t& tasks) {
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  auto graph = tet::randomGraph(context, seed);
  const std::vector<Tensor> inputs = tet::randomInputs(*graph, seed);
  const auto expected = tet::interpret(*graph, inputs);
  ASSERT_TRUE(expected) << expected.error().toString();
  const auto program = TaskProgram::make(std::move(graph));
  ASSERT_TRUE(program) << program.error().toString();
  auto target = makeDifferentialTarget();
  const Status compiled = target->compile(program->tasks());
  ASSERT_TRUE(compiled.ok()) << compiled.toString();
  tasks += program->tasks().size();
  const auto actual = program->run(inputs, [&](size_t task, auto& operands, auto& results) {
    return target->run(task, operands, results);
  });
  ASSERT_TRUE(actual) << actual.error().toString();
  for (size_t i = 0; i < expected->size(); ++i) {
    const auto found = difference((*actual)[i], (*expected)[i]);
    ASSERT_TRUE(found) << found.error().toString();
    const bool exact = isInteger((*expected)[i].type());
    EXPECT_TRUE(exact ? found->absolute == 0 : found->relative <= kTolerance || found->absolute <= kRounding)
        << "result " << i << " is " << (*actual)[i].getDouble(found->at) << " at " << found->at
        << " instead of " << (*expected)[i].getDouble(found->at);
  }
}

TEST(FpgaGraphs, Random) {
  auto context = tet::makeContext();
  mlir::DialectRegistry registry;
  registerCodegenDialects(registry);
  context->appendDialectRegistry(registry);
  context->loadAllAvailableDialects();
  size_t tasks = 0;
  for (unsigned seed = 0; seed < kSeeds; ++seed) checkSeed(context.get(), seed, tasks);
  EXPECT_GE(tasks, 200U);
}

}  // namespace
}  // namespace tetrarch::compile
