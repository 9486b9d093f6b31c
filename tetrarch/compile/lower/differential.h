// Compares compiled tasks with the reference interpreter: a graph goes through the pipeline, each task
// through one target, and the results of both on the same pseudo-random inputs must agree. For tests.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/OwningOpRef.h"
#include "tetrarch/base/tensor.h"
#include "tetrarch/compile/code_generator.h"

namespace tetrarch::compile {

// What compiles and runs the tasks.
class DifferentialTarget {
 public:
  virtual ~DifferentialTarget() = default;
  virtual Status compile(std::span<const Task> tasks) = 0;
  // Task `task` of those compiled, over all its units.
  virtual Status run(size_t task, std::vector<Tensor>& operands, std::vector<Tensor>& results) = 0;
};
// The one that the test program is linked with: differential_cpu.cpp or differential_opencl.cpp.
std::unique_ptr<DifferentialTarget> makeDifferentialTarget();

struct DifferentialCase {
  std::string name;
  std::string text;           // a module, or one function
  double low = -2, high = 2;  // of float inputs; integers are in [low * 4, high * 4], unsigned ones from 0
  double tolerance = -1;      // largest difference, relative to the largest value; -1: by the narrowest type
};

// Compiles all cases at once, then fails the current test for each that differs.
void checkAgainstInterpreter(const std::vector<DifferentialCase>& cases);

// A tensor of pseudo-random values as a case's inputs have them.
Tensor randomTensor(ElementType type, Shape shape, double low, double high, uint32_t seed);

// "tensor<2x3xf32>"
std::string tensorText(const std::string& shape, const std::string& type);

}  // namespace tetrarch::compile
