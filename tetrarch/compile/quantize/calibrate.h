// Quantisation of a float graph from samples of its inputs: ranges by observation, and the error that it
// costs.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "mlir/IR/BuiltinOps.h"
#include "tetrarch/base/status.h"
#include "tetrarch/base/tensor.h"

namespace tetrarch::compile {

// How far a quantised value is from the float graph's, over all samples.
struct QuantisationError {
  double relative = 0;  // root mean square of the difference, by that of the float values (0: both are 0)
  double largest = 0;   // |difference|
};

// Samples go in, errors come out.
struct Calibration {
  std::vector<std::vector<Tensor>> samples;  // one tensor an argument of @main, of its type; finite
  std::map<std::string, QuantisationError>
      errors;  // by the name of what computes the value, as tasks are named
};

// Runs the reference interpreter on every sample and leaves on each f32 value the range that quantises what
// was seen with the least square error. Values that are not finite get none.
Status observeRanges(mlir::ModuleOp module, const Calibration& calibration);

// Sets calibration.errors by running both graphs on every sample. `quantised` is what the quantize pass made
// of a clone of `reference` whose ops numberReferences() had numbered; the numbers are erased.
void numberReferences(mlir::ModuleOp module);
Status measureErrors(mlir::ModuleOp reference, mlir::ModuleOp quantised, Calibration& calibration);

}  // namespace tetrarch::compile
