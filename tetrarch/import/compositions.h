// Compositions that every frontend meets, made of primitives and kept as a named tet.composite, so that a
// code generator may recognise them. Those on f16 and bf16 compute in f32 and round once.
#pragma once

#include "tetrarch/import/graph_builder.h"

namespace tetrarch {

// Calls `body` with the values in f32 where they are narrower floats, and converts its results back.
Values inFloat32(GraphBuilder& b, llvm::ArrayRef<Value> values, GraphBuilder::Body body);

Value softmax(GraphBuilder& b, Value x, int64_t axis);
Value logSoftmax(GraphBuilder& b, Value x, int64_t axis);
// x Φ(x), or its tanh approximation.
Value gelu(GraphBuilder& b, Value x, bool tanh_approximation);
// x / (1 + e^-αx).
Value swish(GraphBuilder& b, Value x, double alpha);

// (x - mean) / sqrt(variance + epsilon) * scale + bias over the dimensions from `axis`. Bias may be null.
struct LayerNormResult {
  Value y, mean, inverse_deviation;
};
LayerNormResult layerNorm(GraphBuilder& b, Value x, Value scale, Value bias, int64_t axis, double epsilon);
Value rmsNorm(GraphBuilder& b, Value x, Value scale, int64_t axis, double epsilon);

// q = saturate(round half to even (x / scale) + zero_point) of zero_point's 8-bit type, and (q - zero_point)
// * scale; in f32. Scale and zero point are scalars, or vectors along `axis`. The compiler makes integer
// arithmetic of what lies between the two (graph/quantized.h).
Value quantize(GraphBuilder& b, Value x, Value scale, Value zero_point, int64_t axis);
Value dequantize(GraphBuilder& b, Value q, Value scale, Value zero_point, int64_t axis);

}  // namespace tetrarch
