// Reads scalar code on floats: bodies whose tensors are of bf16 and f32.
#pragma once

#include "tetrarch/compile/target/npu/float_functions.h"
#include "tetrarch/compile/target/npu/read_body.h"

namespace tetrarch::npu {

// The bits of an f32 that is an arith.constant of bf16 or f32.
std::optional<int64_t> floatConstant(mlir::Attribute number);

// One body; the program outlives it. What MLIR computes in f32 the nodes compute with the roundings of the
// bf16 kind, functions by tables (float_functions.h).
class FloatReader : public BodyReader {
 public:
  explicit FloatReader(VectorProgram& program) : program_(program), functions_(program) {}

 protected:
  Result<int> compute(mlir::Value value) override;

 private:
  Result<int> computeUnary(mlir::Operation* op, int x);
  Result<int> computeBinary(mlir::Operation* op, int x, int y);
  Result<int> computeQuotient(mlir::Operation* op);
  Result<int> computePower(mlir::Operation* op);
  // 1 or 0 for an i1.
  Result<int> readCondition(mlir::Value condition);
  std::optional<float> numberOf(int node) const;
  int narrowed(int node);

  VectorProgram& program_;
  FloatFunctions functions_;
};

}  // namespace tetrarch::npu
