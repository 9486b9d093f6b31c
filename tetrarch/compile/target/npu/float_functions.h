// Functions of floats as nodes of a vector program: from tables of 256 bf16, where a function is smooth with
// a straight line or a polynomial between the entries. Beside each is the error against the real function
// while nothing overflows; float_functions_test.cpp measures it.
#pragma once

#include "tetrarch/compile/target/npu/vector_program.h"

namespace tetrarch::npu {

// Adds nodes to programs of floats. Operands are nodes, and so is what is returned.
class FloatFunctions {
 public:
  explicit FloatFunctions(VectorProgram& program) : program_(program) {}

  int reciprocal(int x);  // relative 2^-14; of 0 NaN
  int rsqrt(int x);       // relative 2^-13; of 0 and below NaN
  int sqrt(int x);        // relative 2^-13; 0 below 2^-100
  int exp(int x);         // relative 2^-14, below -78 2^-8; at most e^88.7, 0 below -87
  int erf(int x);         // absolute 2^-11
  int tanh(int x);        // absolute 2^-10
  int negate(int x) { return sub(number(0), x); }
  int absolute(int x) { return program_.binary(VectorKind::Max, x, negate(x)); }
  // 1 where x > 0, else 0.
  int isPositive(int x);
  // x where `where`, a value of isPositive(), is 1, else y. Neither is changed, whatever it is but NaN.
  int select(int where, int x, int y);

 private:
  using Function = double (*)(double);
  using Table = std::array<uint16_t, 256>;

  int number(float value) { return program_.number(value); }
  int add(int a, int b) { return program_.binary(VectorKind::Add, a, b); }
  int sub(int a, int b) { return program_.binary(VectorKind::Sub, a, b); }
  int mul(int a, int b) { return program_.binary(VectorKind::Mul, a, b); }
  int clamp(int x, float low, float high);
  int within(int x, int limit);  // from -limit to limit
  int tableOf(const Table& entries);
  int lookUp(int x, double first, double step, const Table& entries);
  // f at first + i * step, as the sum of two bf16.
  int lookUpTwice(int x, double first, double step, Function f);
  int line(int x, double first, double step, Function f, Function slope);

  VectorProgram& program_;
};

}  // namespace tetrarch::npu
