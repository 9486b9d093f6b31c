// RUN: tet-opt %s --tet-quantize --split-input-file | FileCheck %s

// Softmax between two products: the scale and the mask are part of the first, and so low a mask does not widen the
// range of the sum.
// CHECK-LABEL: func.func @attention
// CHECK-SAME: (%[[Q:.*]]: tensor<2x3x8xf32>, %[[K:.*]]: tensor<2x8x40xf32>, %[[V:.*]]: tensor<2x40x8xf32>, %[[M:.*]]: tensor<40xf32>)
// CHECK-DAG: %[[STEP:.*]] = tet.constant dense<0.0862745121> : tensor<f32>
// CHECK-DAG: %[[MQ:.*]] = tet.composite "quantize"(%[[M]], %[[STEP]]
// CHECK: %[[D:.*]] = tet.dot_general {{.*}} -> tensor<2x3x40xi32>
// CHECK: %[[S:.*]] = tet.composite "requantize_add"(%[[D]]
// CHECK: %[[P:.*]] = tet.composite "softmax_int8"(%[[S]], %{{.*}}, %{{.*}}) with {axis = 2 : i64
// CHECK: tet.dot_general %[[P]], {{.*}} -> tensor<2x3x8xi32>
func.func @attention(%q: tensor<2x3x8xf32> {tet.range = array<f64: -4.0, 4.0>}, %k: tensor<2x8x40xf32> {tet.range = array<f64: -4.0, 4.0>}, %v: tensor<2x40x8xf32> {tet.range = array<f64: -4.0, 4.0>}, %mask: tensor<40xf32> {tet.range = array<f64: -1.0e9, 0.0>}) -> tensor<2x3x8xf32> {
  %f = tet.constant dense<0.25> : tensor<2x3x40xf32>
  %d = tet.dot_general %q, %k, batching_dims = [0] x [0], contracting_dims = [2] x [1] : (tensor<2x3x8xf32>, tensor<2x8x40xf32>) -> tensor<2x3x40xf32>
  %s = tet.multiply %d, %f {tet.range = array<f64: -9.0, 10.0>} : tensor<2x3x40xf32>
  %mb = tet.broadcast_in_dim %mask, dims = [2] {tet.range = array<f64: -1.0e9, 0.0>} : (tensor<40xf32>) -> tensor<2x3x40xf32>
  %z = tet.add %s, %mb {tet.range = array<f64: -12.0, 10.0>} : tensor<2x3x40xf32>
  %m = tet.reduce maximum, %z, dims = [2] : (tensor<2x3x40xf32>) -> tensor<2x3xf32>
  %mm = tet.broadcast_in_dim %m, dims = [0, 1] : (tensor<2x3xf32>) -> tensor<2x3x40xf32>
  %b = tet.subtract %z, %mm : tensor<2x3x40xf32>
  %e = tet.exponential %b : tensor<2x3x40xf32>
  %sum = tet.reduce add, %e, dims = [2] : (tensor<2x3x40xf32>) -> tensor<2x3xf32>
  %ss = tet.broadcast_in_dim %sum, dims = [0, 1] : (tensor<2x3xf32>) -> tensor<2x3x40xf32>
  %p = tet.divide %e, %ss {tet.range = array<f64: 0.0, 1.0>} : tensor<2x3x40xf32>
  %y = tet.dot_general %p, %v, batching_dims = [0] x [0], contracting_dims = [2] x [1] : (tensor<2x3x40xf32>, tensor<2x40x8xf32>) -> tensor<2x3x8xf32>
  return %y : tensor<2x3x8xf32>
}

// -----

// Layer norm with scale and offset; a scale of 0 becomes the least multiplier, for the offset's sake.
// CHECK-LABEL: func.func @layer_norm
// CHECK: %[[Q:.*]] = tet.composite "requantize"(
// CHECK-DAG: %[[SCALE:.*]] = tet.constant dense<[{{[0-9]+}}, -{{[0-9]+}}, 1, {{[0-9]+}}]> : tensor<4xi32>
// CHECK: %[[Y:.*]] = tet.composite "layer_norm_int8"(%[[Q]], %{{.*}}, %[[SCALE]], %{{.*}}) with {axis = 1 : i64
// CHECK: tet.dot_general %[[Y]], {{.*}} -> tensor<3x2xi32>
func.func @layer_norm(%in: tensor<3x4xf32> {tet.range = array<f64: -4.0, 4.0>}) -> tensor<3x2xf32> {
  %u = tet.constant dense<0.25> : tensor<4x4xf32>
  %x = tet.dot_general %in, %u, batching_dims = [] x [], contracting_dims = [1] x [0] {tet.range = array<f64: -4.0, 4.0>} : (tensor<3x4xf32>, tensor<4x4xf32>) -> tensor<3x4xf32>
  %v = tet.constant dense<0.5> : tensor<4x2xf32>
  %g = tet.constant dense<[1.0, -2.0, 0.0, 1.5]> : tensor<4xf32>
  %o = tet.constant dense<0.25> : tensor<4xf32>
  %n = tet.constant dense<4.0> : tensor<3xf32>
  %eps = tet.constant dense<1.0e-5> : tensor<3xf32>
  %sum = tet.reduce add, %x, dims = [1] : (tensor<3x4xf32>) -> tensor<3xf32>
  %mean = tet.divide %sum, %n : tensor<3xf32>
  %mb = tet.broadcast_in_dim %mean, dims = [0] : (tensor<3xf32>) -> tensor<3x4xf32>
  %d = tet.subtract %x, %mb : tensor<3x4xf32>
  %sq = tet.multiply %d, %d : tensor<3x4xf32>
  %ssq = tet.reduce add, %sq, dims = [1] : (tensor<3x4xf32>) -> tensor<3xf32>
  %var = tet.divide %ssq, %n : tensor<3xf32>
  %ve = tet.add %var, %eps : tensor<3xf32>
  %r = tet.rsqrt %ve : tensor<3xf32>
  %rb = tet.broadcast_in_dim %r, dims = [0] : (tensor<3xf32>) -> tensor<3x4xf32>
  %z = tet.multiply %d, %rb : tensor<3x4xf32>
  %gb = tet.broadcast_in_dim %g, dims = [1] : (tensor<4xf32>) -> tensor<3x4xf32>
  %zg = tet.multiply %z, %gb : tensor<3x4xf32>
  %ob = tet.broadcast_in_dim %o, dims = [1] : (tensor<4xf32>) -> tensor<3x4xf32>
  %w = tet.add %zg, %ob {tet.range = array<f64: -3.0, 3.0>} : tensor<3x4xf32>
  %y = tet.dot_general %w, %v, batching_dims = [] x [], contracting_dims = [1] x [0] : (tensor<3x4xf32>, tensor<4x2xf32>) -> tensor<3x2xf32>
  return %y : tensor<3x2xf32>
}

// -----

// RMS norm without an offset, as a quotient.
// CHECK-LABEL: func.func @rms_norm
// CHECK: tet.composite "rms_norm_int8"(%{{.*}}, %{{.*}}, %{{.*}}) with {axis = 1 : i64, epsilon = {{[0-9]+}} : i64, high = 127 : i64, input_zero_point = -1 : i64
func.func @rms_norm(%in: tensor<3x4xf32> {tet.range = array<f64: -4.0, 4.0>}) -> tensor<3x2xf32> {
  %u = tet.constant dense<0.25> : tensor<4x4xf32>
  %x = tet.dot_general %in, %u, batching_dims = [] x [], contracting_dims = [1] x [0] {tet.range = array<f64: -4.0, 4.0>} : (tensor<3x4xf32>, tensor<4x4xf32>) -> tensor<3x4xf32>
  %v = tet.constant dense<0.5> : tensor<4x2xf32>
  %g = tet.constant dense<[1.0, -2.0, 0.0, 1.5]> : tensor<4xf32>
  %n = tet.constant dense<0.25> : tensor<3xf32>
  %eps = tet.constant dense<1.0e-5> : tensor<3xf32>
  %sq = tet.multiply %x, %x : tensor<3x4xf32>
  %ssq = tet.reduce add, %sq, dims = [1] : (tensor<3x4xf32>) -> tensor<3xf32>
  %var = tet.multiply %ssq, %n : tensor<3xf32>
  %ve = tet.add %var, %eps : tensor<3xf32>
  %r = tet.sqrt %ve : tensor<3xf32>
  %rb = tet.broadcast_in_dim %r, dims = [0] : (tensor<3xf32>) -> tensor<3x4xf32>
  %z = tet.divide %x, %rb : tensor<3x4xf32>
  %gb = tet.broadcast_in_dim %g, dims = [1] : (tensor<4xf32>) -> tensor<3x4xf32>
  %w = tet.multiply %z, %gb {tet.range = array<f64: -3.0, 3.0>} : tensor<3x4xf32>
  %y = tet.dot_general %w, %v, batching_dims = [] x [], contracting_dims = [1] x [0] : (tensor<3x4xf32>, tensor<4x2xf32>) -> tensor<3x2xf32>
  return %y : tensor<3x2xf32>
}

// -----

// What no contraction makes is normalised as it is.
// CHECK-LABEL: func.func @embedding
// CHECK: tet.rsqrt
// CHECK-NOT: rms_norm_int8
func.func @embedding(%x: tensor<3x4xf32> {tet.range = array<f64: -4.0, 4.0>}) -> tensor<3x2xf32> {
  %v = tet.constant dense<0.5> : tensor<4x2xf32>
  %n = tet.constant dense<0.25> : tensor<3xf32>
  %sq = tet.multiply %x, %x : tensor<3x4xf32>
  %ssq = tet.reduce add, %sq, dims = [1] : (tensor<3x4xf32>) -> tensor<3xf32>
  %var = tet.multiply %ssq, %n : tensor<3xf32>
  %r = tet.rsqrt %var : tensor<3xf32>
  %rb = tet.broadcast_in_dim %r, dims = [0] : (tensor<3xf32>) -> tensor<3x4xf32>
  %w = tet.multiply %x, %rb {tet.range = array<f64: -3.0, 3.0>} : tensor<3x4xf32>
  %y = tet.dot_general %w, %v, batching_dims = [] x [], contracting_dims = [1] x [0] : (tensor<3x4xf32>, tensor<4x2xf32>) -> tensor<3x2xf32>
  return %y : tensor<3x2xf32>
}
