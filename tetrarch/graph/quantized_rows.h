// Compositions of quantised graphs over the rows of a tensor, its last dimension: softmax and the
// normalisations. Integer arithmetic to the last bit, of what processors of integers have: products of 32 by
// 16 bits that are rounded by a shift, sums and maxima in 32 bits in any order, tables of 256 16-bit numbers.
// docs/quantisation.md gives the formulas.
//
// The functions write at the builder's insertion point and cannot fail; operands must have the types that
// they state. Rows have 1 to kMostRowElements elements: no sum overflows, in any order.
#pragma once

#include "tetrarch/graph/quantized.h"

namespace tetrarch::tet {

inline constexpr llvm::StringLiteral kSoftmaxInt8("softmax_int8"), kLayerNormInt8("layer_norm_int8"),
    kRmsNormInt8("rms_norm_int8");

inline constexpr int64_t kMostRowElements = int64_t{1} << 16;

// Tables are i16[256].

// Entry d mod 256 is 32767 * e^((d - 127) * scale), for d in -128 to 127.
Tensor exponentialTable(double scale);
// 2^30 / x of a positive x = 2^e * (1 + u / 256 + …) is table[u] * 2^(15 - e), within 2^-9 of it.
Tensor reciprocalTable();
// 2^30 / sqrt(x) of a positive x = 2^e * (1 + u / 128 + …) is table[(e mod 2) * 128 + u] * 2^(15 - e / 2),
// within 2^-9.
Tensor rsqrtTable();

struct SoftmaxInput {
  mlir::Value x;            // i8[…, n]
  mlir::Value exponential;  // exponentialTable() of its scale
  mlir::Value reciprocal;   // reciprocalTable()
};
// A probability is a number of 30 fraction bits, which `factor` scales to the result's steps.
//   e = exponential[x - max x + 127]    r = 2^45 / sum e, of 15 bits and more
//   y = clip(rne(rne(r * e / 2^15) * factor) + zero_point)
mlir::Value softmaxInt8(mlir::ImplicitLocOpBuilder& b, const SoftmaxInput& in, const FixedPoint& factor,
                        const RequantizeOutput& out);

struct NormInput {
  mlir::Value x;           // i8[…, n]
  mlir::Value rsqrt;       // rsqrtTable()
  mlir::Value multiplier;  // i32[n] or i32, of which 16 bits and their sign count
  mlir::Value bias;        // the same of 32 bits; may be null
};
struct NormNumbers {
  bool centred = true;     // layer norm; else RMS norm
  int64_t zero_point = 0;  // of x; layer norm needs none
  int64_t epsilon = 0;     // added to the sum of squares; 0 to 2^30
  int64_t shift = 1;       // 1 to kMostShift
};
// How far each square is shifted, so that n of them have a sum below 2^30.
int64_t squareShift(int64_t n, bool centred);
// What normalised numbers are, times this, is w below.
double normScale(int64_t n, bool centred);
//   layer norm: d = 2^7 x - rne(2^7 / n * sum x)        RMS norm: d = 2^7 (x - zero_point)
//   v = sum rne(d * d / 2^squareShift) + epsilon        r = 2^30 / sqrt(v), of 15 bits and more
//   w = rne(r * d / 2^16)                               y = clip(rne((w + bias) * multiplier / 2^shift) +
//   out.zero_point)
mlir::Value normInt8(mlir::ImplicitLocOpBuilder& b, const NormInput& in, const NormNumbers& numbers,
                     const RequantizeOutput& out);

}  // namespace tetrarch::tet
