// Quantised values and what turns the units between them into integer arithmetic. Private to quantize/.
#pragma once

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "tetrarch/compile/quantize/unit.h"
#include "tetrarch/graph/quantized.h"

namespace tetrarch::compile {

// How real numbers are seen as i8: x = (q - zero_point) * scale.
struct Affine {
  double scale = 1;
  int64_t zero_point = 0;
  bool operator==(const Affine&) const = default;
};

// The i8 numbers for reals in [low, high], which is widened to contain 0; symmetric: 0 stands for 0.
Affine affineFor(double low, double high, bool symmetric);

// A tensor as i8, with what it stands for.
struct Quantised {
  Value q;
  Affine affine;
};

// A constant: a scalar when all values are equal, else a vector.
Value vectorOf(mlir::ImplicitLocOpBuilder& b, ElementType type, llvm::ArrayRef<int64_t> values);

// The composites of graph/quantized_rows.h that compute a unit of rows; null where a number does not fit. A
// step of the result is `scale`. In rows.cpp.
Value integerSoftmax(mlir::ImplicitLocOpBuilder& b, const Unit& unit, const Quantised& x, double scale,
                     const tet::RequantizeOutput& out);
Value integerNorm(mlir::ImplicitLocOpBuilder& b, const Unit& unit, const Quantised& x, double scale,
                  const tet::RequantizeOutput& out);

// Marks by which errors are measured: the number of an op of the float graph, and on an op of the quantised
// one {name, reference, scale, zero_point} of the value that it stands for.
inline constexpr llvm::StringLiteral kReference("tet.reference"), kStandsFor("tet.stands_for");

// In @main's block: each unit between dequantize and quantize becomes integer arithmetic where that is exact
// but for the rounding of its factors (docs/quantisation.md), and a contraction of dequantised tensors that
// floats read gives its integer sum, scaled. What is left keeps its float meaning.
void makeInteger(mlir::Block& block);

}  // namespace tetrarch::compile
