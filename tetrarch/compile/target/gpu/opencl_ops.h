// The table of ops that OpenCL C spells as one expression, lane by lane, and the helper functions that some
// need.
#pragma once

#include <string>
#include <string_view>

#include "tetrarch/compile/target/gpu/opencl_types.h"

namespace tetrarch::opencl {

// How tightly an expression binds, tightest first; C's own order.
enum class Prec { Atom, Unary, Mul, Add, Shift, Compare, Equal, And, Xor, Or, Ternary };

// What must be done to the expression so that it has the result's type and value.
enum class Finish {
  None,     // nothing
  Signed,   // it is unsigned, or of a narrow integer that C has promoted: cast back
  Rounded,  // a float operation: round when the result is f16 or bf16
  Mask,     // a truth value: in vectors make it an int mask
};

struct OpRow {
  std::string_view op;    // "arith.addf"
  std::string_view text;  // $0 $1 $2: operands; $u0: operand as unsigned; $T $N: the first operand's type in
                          // C, its element
  Prec prec;
  Finish finish;
  std::string_view helper;  // name in the table of helpers, or ""
};
// Null when the op is no row.
const OpRow* findRow(std::string_view op);

// A function that rows call, for the type `type` of `width` lanes: "" when there is no such helper.
std::string helperText(std::string_view helper, const ScalarType& type, int width);

// The C spelling of a comparison predicate as a row's text over $0 and $1.
std::string_view integerPredicate(int predicate);
std::string_view floatPredicate(int predicate);

}  // namespace tetrarch::opencl
