// What the regions of compositions of quantised graphs are made of. Internal to graph/quantized*.cpp; all
// functions write at the builder's insertion point and cannot fail.
#pragma once

#include "tetrarch/graph/quantized.h"

namespace tetrarch::tet::quantized {

using Builder = mlir::ImplicitLocOpBuilder;

mlir::RankedTensorType typeOf(mlir::Value value);
mlir::Value convert(Builder& b, mlir::Value x, mlir::Type element);
// A parameter, in the element type, at every element of `like`'s shape: a scalar, one number an index of
// `axis`, or all of them.
mlir::Value spread(Builder& b, mlir::Value parameter, mlir::Type element, mlir::Value like, int64_t axis);
// A tensor like `like` whose elements are all `value`.
mlir::Value splat(Builder& b, mlir::Value like, mlir::Type element, int64_t value);

// roundingShift() on an i64 tensor. `shift` is a parameter of it, a scalar or along `axis`.
mlir::Value shiftRounding(Builder& b, mlir::Value x, mlir::Value shift, int64_t axis);
// The same by a number; 0 leaves x as it is.
mlir::Value shiftRounding(Builder& b, mlir::Value x, int64_t shift);
// clip(x + zero point) of an i64 tensor, as i8.
mlir::Value clipped(Builder& b, mlir::Value x, const RequantizeOutput& out);

// A composite whose region `body` makes of its arguments.
using Body = llvm::function_ref<mlir::Value(Builder&, mlir::ValueRange)>;
mlir::Value composite(Builder& b, llvm::StringRef name, mlir::ValueRange inputs,
                      mlir::RankedTensorType result,
                      llvm::ArrayRef<std::pair<llvm::StringRef, int64_t>> attributes, Body body);

}  // namespace tetrarch::tet::quantized
