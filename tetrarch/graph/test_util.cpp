#include "tetrarch/graph/test_util.h"

#include <cstring>

#include "tetrarch/graph/interpreter.h"
#include "tetrarch/graph/parse.h"

namespace tetrarch::tet {

Result<std::vector<Tensor>> tryText(std::string_view text, std::vector<Tensor> inputs) {
  // Results may view constants, which live as long as the context.
  static const std::unique_ptr<mlir::MLIRContext> context = makeContext();
  TET_ASSIGN_OR_RETURN(auto module, parseGraph(text, context.get()));
  return interpret(*module, std::move(inputs));
}

std::vector<double> runText(std::string_view text, std::vector<Tensor> inputs) {
  const auto results = tryText(text, std::move(inputs));
  if (!results) {
    ADD_FAILURE() << results.error().message();
    return {};
  }
  EXPECT_EQ(results->size(), 1u);
  return results->empty() ? Values() : valuesOf(results->front());
}

Tensor tensorOf(ElementType type, Shape shape, std::vector<double> values) {
  Tensor tensor = Tensor::create(type, std::move(shape)).value();
  for (int64_t i = 0; i < tensor.count(); ++i) tensor.setDouble(i, values[i]);
  return tensor;
}

Tensor counting(Shape shape, ElementType type, double first) {
  Tensor tensor = Tensor::create(type, std::move(shape)).value();
  for (int64_t i = 0; i < tensor.count(); ++i) tensor.setDouble(i, first + static_cast<double>(i));
  return tensor;
}

std::vector<double> valuesOf(const Tensor& tensor) {
  std::vector<double> values;
  for (int64_t i = 0; i < tensor.count(); ++i) values.push_back(tensor.getDouble(i));
  return values;
}

}  // namespace tetrarch::tet
