// What tests of compositions of quantised graphs share.
#pragma once

#include <gtest/gtest.h>

#include <vector>

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "tetrarch/graph/interpreter.h"
#include "tetrarch/graph/parse.h"
#include "tetrarch/graph/quantized.h"
#include "tetrarch/graph/types.h"

namespace tetrarch::tet {

using Ints = std::vector<int64_t>;

inline Tensor ints(ElementType type, Shape shape, const Ints& values) {
  return Tensor::of<int64_t>(type, std::move(shape), values);
}

// Evaluates what `build` makes of the inputs' values.
inline Tensor evaluated(
    std::vector<Tensor> inputs,
    llvm::function_ref<mlir::Value(mlir::ImplicitLocOpBuilder&, mlir::ValueRange)> build) {
  auto context = makeContext();
  mlir::ImplicitLocOpBuilder b(mlir::UnknownLoc::get(context.get()), context.get());
  auto module = mlir::OwningOpRef<mlir::ModuleOp>(mlir::ModuleOp::create(b.getLoc()));
  b.setInsertionPointToStart(module->getBody());
  llvm::SmallVector<mlir::Type> types;
  for (const Tensor& input : inputs) types.push_back(toMlir(input.type(), input.shape(), context.get()));
  auto function = mlir::func::FuncOp::create(b, "main", b.getFunctionType(types, {}));
  mlir::Block* block = function.addEntryBlock();
  b.setInsertionPointToStart(block);
  mlir::Value result = build(b, block->getArguments());
  mlir::func::ReturnOp::create(b, result);
  function.setType(b.getFunctionType(types, result.getType()));
  EXPECT_TRUE(verifyGraph(*module).ok());
  return interpret(*module, std::move(inputs)).value().front();
}

// x / 2^shift to the nearest integer, ties to even, by long division.
inline __int128 referenceShift(__int128 x, int shift) {
  const __int128 one = __int128{1} << shift;
  __int128 quotient = x / one, rest = x % one;
  if (rest < 0) rest += one, --quotient;
  const __int128 twice = 2 * rest;
  return twice > one || (twice == one && quotient % 2 != 0) ? quotient + 1 : quotient;
}

}  // namespace tetrarch::tet
