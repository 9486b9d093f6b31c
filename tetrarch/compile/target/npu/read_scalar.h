// Reads scalar code on integers: the inverse of what graph/quantized*.cpp and the lowering write.
#pragma once

#include "tetrarch/compile/target/npu/read_body.h"

namespace tetrarch::npu {

// The number of an arith.constant.
std::optional<int64_t> constantNumber(mlir::Value value);

// What a body stands in.
class ScalarContext {
 public:
  virtual ~ScalarContext() = default;
  virtual VectorProgram& program() = 0;
  // The operand that holds a table of 256 16-bit entries with the tensor's numbers.
  virtual Result<int> tableOf(mlir::Value tensor) = 0;
};

// One body. The context outlives it.
class ScalarReader : public BodyReader {
 public:
  explicit ScalarReader(ScalarContext& context) : context_(context) {}

 protected:
  Result<int> compute(mlir::Value value) override;

 private:
  // rne(value / 2^shift).
  struct Rounded {
    mlir::Value value;
    int64_t shift;
  };
  // (acc + bias) * multiplier before it is rounded.
  struct Scaled {
    int acc, bias, multiplier;
    int64_t shift;
  };

  VectorProgram& program() { return context_.program(); }
  const VectorNode& node(int index) { return program().nodes[index]; }

  Result<int> readBinary(VectorKind kind, mlir::Value a, mlir::Value b, bool may_wrap, int64_t imm = 0);
  Result<int> readRounded(const Rounded& rounded, bool may_wrap);
  Result<int> readNarrow(mlir::Value wide, unsigned bits);
  Result<int> readLimit(mlir::Operation* op);
  Result<int> readEntry(mlir::Operation* extract, VectorKind kind, int a, int64_t imm);
  // Null or negative where the code is something else.
  Result<int> readRequantized(mlir::Value value);
  Result<int> readScaledEntry(mlir::Value value);
  std::optional<Rounded> matchRounded(mlir::Value value);
  Result<Scaled> readScaled(const Rounded& rounded);
  int matchParameter(mlir::Value value, bool is_multiplier);
  template <typename Op>
  std::pair<mlir::Value, int> withParameter(mlir::Value value, bool is_multiplier);

  ScalarContext& context_;
};

}  // namespace tetrarch::npu
