// Small random graphs for tests that compare two ways to run one: what a compiled graph gives and what the
// interpreter gives.
#pragma once

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"
#include "tetrarch/base/tensor.h"

namespace tetrarch::tet {

struct RandomGraphOptions {
  int inputs = 3;
  int ops = 12;
  int64_t largest_dim = 17;
};

// A module whose @main takes f32 tensors of rank 0 to 4 and one of i64, and returns every value that no op
// uses. The same seed gives the same graph. Only continuous ops, so that results of a different rounding stay
// close; values stay near 1.
mlir::OwningOpRef<mlir::ModuleOp> randomGraph(mlir::MLIRContext* context, unsigned seed,
                                              const RandomGraphOptions& options = {});

// One tensor for each argument of the module's @main: floats in [-1, 1), integers in [0, 8), i1 either.
std::vector<Tensor> randomInputs(mlir::ModuleOp module, unsigned seed);

}  // namespace tetrarch::tet
