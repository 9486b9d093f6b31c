// The meaning of the elementwise ops and reduction kinds on single elements: a table with one row an op.
// Internal to graph/'s interpreter.
#pragma once

#include <span>
#include <string_view>

#include "tetrarch/base/element_type.h"
#include "tetrarch/graph/tet.h"

namespace tetrarch::tet {

// An integer type's facts. Values travel as int64_t: signed ones sign-extended, unsigned ones zero-extended
// (ui64 keeps its bits), i1 as 0 or 1. A kernel's result is wrapped when it is stored.
struct IntType {
  int bits;
  bool is_unsigned;
};
inline IntType intType(ElementType type) { return {info(type).bits, info(type).kind != ElementKind::Signed}; }
// a < b in the type's order.
inline bool less(int64_t a, int64_t b, IntType t) {
  return t.is_unsigned ? static_cast<uint64_t>(a) < static_cast<uint64_t>(b) : a < b;
}

// Null where the op does not take the kind of type.
struct UnaryKernel {
  std::string_view op;
  double (*on_double)(double);
  int64_t (*on_int)(int64_t, IntType);
};
struct BinaryKernel {
  std::string_view op;
  double (*on_double)(double, double);
  int64_t (*on_int)(int64_t, int64_t, IntType);
};

std::span<const UnaryKernel> unaryKernels();
std::span<const BinaryKernel> binaryKernels();

// The binary op that a reduction of this kind repeats; not for assign.
const BinaryKernel& combinerOf(ReductionKind kind);
// What combining starts from.
double identityDouble(ReductionKind kind, ElementType type);
int64_t identityInt(ReductionKind kind, ElementType type);

}  // namespace tetrarch::tet
