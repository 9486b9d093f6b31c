#include "tetrarch/graph/random_graph.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tetrarch/graph/interpreter.h"
#include "tetrarch/graph/parse.h"

namespace tetrarch::tet {
namespace {

// Not by operator<<, which leaves out the data of resources.
std::string textOf(mlir::ModuleOp module) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  module.print(stream);
  return text;
}

TEST(RandomGraph, VerifiesRunsAndStaysFinite) {
  auto context = makeContext();
  for (unsigned seed = 0; seed < 100; ++seed) {
    auto module = randomGraph(context.get(), seed);
    ASSERT_TRUE(verifyGraph(*module).ok()) << seed << verifyGraph(*module).message() << textOf(*module);
    const auto results = interpret(*module, randomInputs(*module, seed));
    ASSERT_TRUE(results) << results.error().message();
    for (const Tensor& tensor : *results) {
      for (int64_t i = 0; i < tensor.count(); ++i) EXPECT_TRUE(std::abs(tensor.getDouble(i)) < 1e6) << seed;
    }
  }
}

TEST(RandomGraph, TheSeedDecides) {
  auto context = makeContext();
  EXPECT_EQ(textOf(*randomGraph(context.get(), 7)), textOf(*randomGraph(context.get(), 7)));
  EXPECT_NE(textOf(*randomGraph(context.get(), 7)), textOf(*randomGraph(context.get(), 8)));
}

TEST(RandomGraph, TextMeansTheSameGraph) {
  auto context = makeContext();
  for (unsigned seed = 0; seed < 20; ++seed) {
    auto module = randomGraph(context.get(), seed);
    auto again = parseGraph(textOf(*module), context.get());
    ASSERT_TRUE(again) << again.error().message();
    const auto inputs = randomInputs(*module, seed);
    const auto first = interpret(*module, inputs), second = interpret(**again, inputs);
    ASSERT_TRUE(first) << first.error().message();
    ASSERT_TRUE(second) << second.error().message();
    for (size_t i = 0; i < first->size(); ++i) EXPECT_EQ(difference((*first)[i], (*second)[i])->absolute, 0);
  }
}

}  // namespace
}  // namespace tetrarch::tet
