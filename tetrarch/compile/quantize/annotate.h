// Where a float graph is quantised. Private to quantize/.
#pragma once

#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/Value.h"

namespace tetrarch::compile {

// The range of numbers that a value takes, "tet.range" = [low, high], on the op that makes it or on the
// argument of
// @main: what calibration leaves for the quantize pass. Finite, low <= high.
inline constexpr llvm::StringLiteral kRange("tet.range");
void setRange(mlir::Value value, double low, double high);
mlir::DenseF64ArrayAttr rangeOf(mlir::Value value);
void eraseRanges(mlir::Block& block);

// Quantises and dequantises again what integer units will read: first of all the operands of contractions,
// then what makes those. Values get one affine scale (symmetric where two of them are multiplied in a
// contraction), constant weights a symmetric one an output feature. Changes nothing where there are no
// ranges.
void insertQuantization(mlir::Block& block);

}  // namespace tetrarch::compile
