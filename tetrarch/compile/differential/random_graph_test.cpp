// Random graphs through the whole compiler against the interpreter. `make differential` runs thousands.
#include <gtest/gtest.h>

#include "tetrarch/compile/differential/graph_check.h"
#include "tetrarch/compile/differential/shrink.h"
#include "tetrarch/graph/parse.h"
#include "tetrarch/graph/random_graph.h"
#include "tetrarch/graph/tet.h"

namespace tetrarch::compile {
namespace {

std::unique_ptr<mlir::MLIRContext> codegenContext() {
  auto context = tet::makeContext();
  mlir::DialectRegistry registry;
  registerCodegenDialects(registry);
  context->appendDialectRegistry(registry);
  context->loadAllAvailableDialects();
  return context;
}

void checkSeeds(const GraphCheckOptions& options, unsigned first, unsigned count) {
  auto context = codegenContext();
  GraphCheck check(options);
  for (unsigned seed = first; seed < first + count; ++seed) {
    auto graph = tet::randomGraph(context.get(), seed);
    const Status status = check.check(*graph, seed);
    EXPECT_TRUE(status.ok()) << "tetrarch-differential --target " << options.target << " --seed " << seed
                             << " shows it small: " << status.toString();
  }
}

TEST(RandomGraphs, CompileForTheCpu) { checkSeeds({}, 0, 20); }

TEST(RandomGraphs, CompileForOpenCl) {
  checkSeeds({.target = "opencl", .plugin = TETRARCH_OPENCL_PLUGIN}, 100, 3);
}

TEST(Shrink, LeavesTheOpThatFails) {
  auto context = tet::makeContext();
  auto graph = tet::parseGraph(R"(
    func.func @main(%x: tensor<4xf32>, %y: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
      %a = tet.tanh %x : tensor<4xf32>
      %b = tet.abs %a : tensor<4xf32>
      %c = tet.add %b, %y : tensor<4xf32>
      %d = tet.cosine %c : tensor<4xf32>
      return %a, %d : tensor<4xf32>, tensor<4xf32>
    })",
                               context.get());
  ASSERT_TRUE(graph.has_value()) << graph.error().toString();
  auto small = shrink(**graph, [](mlir::ModuleOp candidate) {
    bool found = false;
    candidate.walk([&](tet::AddOp) { found = true; });
    return found;
  });
  EXPECT_EQ(countOps(*small), 1);
  EXPECT_TRUE(tet::verifyGraph(*small).ok());
}

}  // namespace
}  // namespace tetrarch::compile
