// Compositions of quantised graphs, each a tet.composite whose region of primitives is its meaning. All but
// quantize and dequantize are integer arithmetic to the last bit, so that every class of processor computes
// the same result; docs/quantisation.md gives the formulas.
//
// Parameters are scalars, or one number an index of `axis` of the tensor. The functions write at the
// builder's insertion point and cannot fail; operands must have the types that they state.
#pragma once

#include <cstdint>
#include <optional>

#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/IR/Value.h"
#include "tetrarch/base/tensor.h"
#include "tetrarch/graph/tet.h"

namespace tetrarch::tet {

// Names of the composites, and of the attribute that holds `axis`.
inline constexpr llvm::StringLiteral kQuantize("quantize"), kDequantize("dequantize"),
    kRequantize("requantize"), kRequantizeAdd("requantize_add"), kLookup("lookup_table"), kAxis("axis");

// A positive real factor as multiplier * 2^-shift. The multiplier has 15 bits, so that a product with a
// 33-bit sum has 48: what processors of integers do in one step, and within 2^-15 of the factor.
struct FixedPoint {
  int32_t multiplier = 0;  // 0, or 2^14 to 2^15 - 1 where the shift allows it
  int32_t shift = 1;       // 1 to kMostShift
};
inline constexpr int kMostShift = 46;
// The nearest one; `factor` is positive and below 2^13. Below 2^-46 it becomes 0.
FixedPoint fixedPoint(double factor, int most_shift = kMostShift);
// round half to even (x / 2^shift), shift 1 to kMostShift, |x| <= 2^48.
int64_t roundingShift(int64_t x, int shift);

// q = saturate(round half to even (x / scale) + zero_point), of zero_point's type, an 8-bit integer.
mlir::Value quantize(mlir::ImplicitLocOpBuilder& b, mlir::Value x, mlir::Value scale, mlir::Value zero_point,
                     int64_t axis);
// (q - zero_point) * scale in f32; the difference is taken in i32.
mlir::Value dequantize(mlir::ImplicitLocOpBuilder& b, mlir::Value q, mlir::Value scale,
                       mlir::Value zero_point, int64_t axis);

// Factors of an i32 tensor `acc`, all i32. `bias` may be null.
struct RequantizeInput {
  mlir::Value acc, bias, multiplier, shift;
  int64_t axis = -1;  // of bias, multiplier and shift where they are not scalars
};
struct RequantizeOutput {
  int64_t zero_point = 0, low = -128, high = 127;
};
// clip(roundingShift((acc + bias) * multiplier, shift) + zero_point) as i8, without overflow on the way.
mlir::Value requantize(mlir::ImplicitLocOpBuilder& b, const RequantizeInput& in, const RequantizeOutput& out);

// The second operand of requantizeAdd: an i8 tensor of the result's shape.
struct RequantizeOther {
  mlir::Value value;
  int64_t zero_point = 0;
  int32_t multiplier = 0;  // may be negative
  int32_t shift = 1;       // 1 to 31
};
// clip(roundingShift((acc + bias) * multiplier, shift) +
//      roundingShift((other - its zero_point) * its multiplier, its shift) + zero_point) as i8.
mlir::Value requantizeAdd(mlir::ImplicitLocOpBuilder& b, const RequantizeInput& in,
                          const RequantizeOther& other, const RequantizeOutput& out);

// table[q mod 256] for an i8 tensor: 0 to 127, then -128 to -1. `table` has 256 elements.
mlir::Value lookup(mlir::ImplicitLocOpBuilder& b, mlir::Value q, mlir::Value table);

}  // namespace tetrarch::tet
