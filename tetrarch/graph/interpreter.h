// The reference interpreter: what a graph means. Every other way to run one is tested against it.
//
// Simple rather than fast: floats are computed in double and rounded once to the op's type, integers in 64
// bits and wrapped. Contractions use all cores, so that a whole ResNet-50 still takes seconds.
#pragma once

#include <functional>

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "tetrarch/base/tensor.h"

namespace tetrarch::tet {

// The function's results for `inputs`, one tensor per argument, in order. InvalidArgument when they do not
// fit the arguments; Unimplemented, naming the op, for an op that is not of func or tet, or a tet.task (whose
// meaning is its upstream ops). The graph must verify. Thread safe: the graph is only read.
Result<std::vector<Tensor>> interpret(mlir::func::FuncOp function, std::vector<Tensor> inputs);
// The same, telling of each argument and each result of the function's own ops as it is known.
using Observe = std::function<void(mlir::Value, const Tensor&)>;
Result<std::vector<Tensor>> interpret(mlir::func::FuncOp function, std::vector<Tensor> inputs,
                                      const Observe& observe);
// The same of @main, or of the only function.
Result<std::vector<Tensor>> interpret(mlir::ModuleOp module, std::vector<Tensor> inputs);
// The results of one op for the values of its operands. The op must verify and its regions use nothing from
// outside.
Result<std::vector<Tensor>> evaluate(mlir::Operation* op, std::vector<Tensor> operands);

}  // namespace tetrarch::tet
