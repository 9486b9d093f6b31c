// Runs a snippet of MLIR on the interpreter and reads results. For tests of graph/ and of what is compared
// with it.
#pragma once

#include <gtest/gtest.h>

#include <string_view>

#include "tetrarch/base/tensor.h"

namespace tetrarch::tet {

// The results of @main, or of the only function, in `text`.
Result<std::vector<Tensor>> tryText(std::string_view text, std::vector<Tensor> inputs = {});
// The values of its only result; fails the test and returns none on an error.
std::vector<double> runText(std::string_view text, std::vector<Tensor> inputs = {});

Tensor tensorOf(ElementType type, Shape shape, std::vector<double> values);
inline Tensor f32(Shape shape, std::vector<double> values) {
  return tensorOf(ElementType::F32, std::move(shape), std::move(values));
}
inline Tensor i32(Shape shape, std::vector<double> values) {
  return tensorOf(ElementType::I32, std::move(shape), std::move(values));
}
// 0, 1, 2, … of the shape.
Tensor counting(Shape shape, ElementType type = ElementType::F32, double first = 0);
std::vector<double> valuesOf(const Tensor& tensor);

using Values = std::vector<double>;

}  // namespace tetrarch::tet
