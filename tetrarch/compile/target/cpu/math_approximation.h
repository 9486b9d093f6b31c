// Elementary functions of f32 as polynomials, so that they run on vectors.
#pragma once

#include <memory>

namespace mlir {
class Pass;
}

namespace tetrarch::compile::cpu {

// Replaces exp, log, tanh, erf, sin, cos and their like on f32 scalars and vectors, with errors of a few ulp
// (the tests state them). What it leaves goes to libm.
std::unique_ptr<mlir::Pass> createMathApproximationPass();

}  // namespace tetrarch::compile::cpu
