// RUN: tet-opt %s --tet-quantize --split-input-file | FileCheck %s

// What the graph gives dequantised is multiplied as bytes; the bias and the zero point are in one i32 vector, and the
// limits of relu6 are those of the result.
// CHECK-LABEL: func.func @dense
// CHECK-DAG: %[[W:.*]] = tet.constant dense<{{.*}}> : tensor<2x3xi8>
// CHECK: %[[ACC:.*]] = tet.dot_general %arg0, %[[W]]{{.*}} : (tensor<4x2xi8>, tensor<2x3xi8>) -> tensor<4x3xi32>
// CHECK-DAG: %[[BIAS:.*]] = tet.constant dense<[98, 194, 290]> : tensor<3xi32>
// CHECK: %[[Y:.*]] = tet.composite "requantize"(%[[ACC]], %{{.*}}, %{{.*}}, %[[BIAS]]) with {axis = 1 : i64, high = 2 : i64, low = -10 : i64, zero_point = -10 : i64}
// CHECK: return %[[Y]]
func.func @dense(%x: tensor<4x2xi8>) -> tensor<4x3xi8> {
  %half = tet.constant dense<0.5> : tensor<f32>
  %quarter = tet.constant dense<0.25> : tensor<f32>
  %one = tet.constant dense<1> : tensor<i8>
  %zero = tet.constant dense<0> : tensor<i8>
  %ten = tet.constant dense<-10> : tensor<i8>
  %w = tet.constant dense<[[1, 2, 3], [1, 4, 7]]> : tensor<2x3xi8>
  %b = tet.constant dense<[12.5, 25.0, 37.5]> : tensor<3xf32>
  %low = tet.constant dense<0.0> : tensor<4x3xf32>
  %high = tet.constant dense<6.0> : tensor<4x3xf32>
  %xf = tet.composite "dequantize"(%x, %half, %one) with {axis = 0 : i64} : (tensor<4x2xi8>, tensor<f32>, tensor<i8>) -> tensor<4x2xf32> {
  ^bb0(%a: tensor<4x2xi8>, %s: tensor<f32>, %z: tensor<i8>):
    %0 = tet.convert %a : (tensor<4x2xi8>) -> tensor<4x2xf32>
    tet.return %0 : tensor<4x2xf32>
  }
  %wf = tet.composite "dequantize"(%w, %quarter, %zero) with {axis = 0 : i64} : (tensor<2x3xi8>, tensor<f32>, tensor<i8>) -> tensor<2x3xf32> {
  ^bb0(%a: tensor<2x3xi8>, %s: tensor<f32>, %z: tensor<i8>):
    %0 = tet.convert %a : (tensor<2x3xi8>) -> tensor<2x3xf32>
    tet.return %0 : tensor<2x3xf32>
  }
  %d = tet.dot_general %xf, %wf, batching_dims = [] x [], contracting_dims = [1] x [0] : (tensor<4x2xf32>, tensor<2x3xf32>) -> tensor<4x3xf32>
  %bb = tet.broadcast_in_dim %b, dims = [1] : (tensor<3xf32>) -> tensor<4x3xf32>
  %s = tet.add %d, %bb : tensor<4x3xf32>
  %c = tet.clamp %low, %s, %high : tensor<4x3xf32>
  %q = tet.composite "quantize"(%c, %half, %ten) with {axis = 0 : i64} : (tensor<4x3xf32>, tensor<f32>, tensor<i8>) -> tensor<4x3xi8> {
  ^bb0(%a: tensor<4x3xf32>, %s2: tensor<f32>, %z: tensor<i8>):
    %0 = tet.convert %a : (tensor<4x3xf32>) -> tensor<4x3xi8>
    tet.return %0 : tensor<4x3xi8>
  }
  return %q : tensor<4x3xi8>
}

// -----

// Ranges alone: the input is quantised, padding is the zero point, a gate x * sigmoid(x) is one table, and the sum
// that leaves the graph is scaled as a float.
// CHECK-LABEL: func.func @ranges
// CHECK-SAME: (%[[X:.*]]: tensor<1x1x3x3xf32>)
// CHECK: %[[Q:.*]] = tet.composite "quantize"(%[[X]]
// CHECK: %[[Z:.*]] = tet.constant dense<-64> : tensor<i8>
// CHECK: %[[P:.*]] = tet.pad %[[Q]], %[[Z]], low = [0, 0, 1, 1], high = [0, 0, 1, 1]
// CHECK: %[[C:.*]] = tet.convolution %[[P]]{{.*}}padding = array<i64: 0, 0, 0, 0>{{.*}} -> tensor<1x2x4x4xi32>
// CHECK: %[[R:.*]] = tet.composite "requantize"(%[[C]]
// CHECK: %[[T:.*]] = tet.composite "lookup_table"(%[[R]]
// CHECK-NOT: tet.logistic
// CHECK: %[[M:.*]] = tet.reduce maximum, %[[T]]{{.*}} -> tensor<1x2xi8>
// CHECK: %[[D:.*]] = tet.dot_general %[[M]]{{.*}} -> tensor<1x2xi32>
// CHECK: %[[Y:.*]] = tet.composite "dequantize"(%[[D]]
// CHECK: return %[[Y]]
func.func @ranges(%x: tensor<1x1x3x3xf32> {tet.range = array<f64: -1.0, 3.0>}) -> tensor<1x2xf32> {
  %w = tet.constant dense<[[[[1.0, 2.0], [3.0, 4.0]]], [[[0.1, 0.2], [0.3, 0.4]]]]> : tensor<2x1x2x2xf32>
  %v = tet.constant dense<[[1.0, 2.0], [3.0, 4.0]]> : tensor<2x2xf32>
  %c = tet.convolution %x, %w {window_strides = array<i64: 1, 1>, padding = array<i64: 1, 1, 1, 1>, lhs_dilation = array<i64: 1, 1>, rhs_dilation = array<i64: 1, 1>, input_batch_dimension = 0, input_feature_dimension = 1, input_spatial_dimensions = array<i64: 2, 3>, kernel_input_feature_dimension = 1, kernel_output_feature_dimension = 0, kernel_spatial_dimensions = array<i64: 2, 3>, output_batch_dimension = 0, output_feature_dimension = 1, output_spatial_dimensions = array<i64: 2, 3>, tet.range = array<f64: -10.0, 30.0>} : (tensor<1x1x3x3xf32>, tensor<2x1x2x2xf32>) -> tensor<1x2x4x4xf32>
  %l = tet.logistic %c {tet.range = array<f64: 0.0, 1.0>} : tensor<1x2x4x4xf32>
  %g = tet.multiply %c, %l {tet.range = array<f64: -0.3, 30.0>} : tensor<1x2x4x4xf32>
  %m = tet.reduce maximum, %g, dims = [2, 3] {tet.range = array<f64: 0.0, 30.0>} : (tensor<1x2x4x4xf32>) -> tensor<1x2xf32>
  %d = tet.dot_general %m, %v, batching_dims = [] x [], contracting_dims = [1] x [0] : (tensor<1x2xf32>, tensor<2x2xf32>) -> tensor<1x2xf32>
  return %d : tensor<1x2xf32>
}

// -----

// The sum of a contraction and another tensor is rounded term by term.
// CHECK-LABEL: func.func @residual
// CHECK: %[[Q:.*]] = tet.composite "quantize"(%arg0
// CHECK: %[[D:.*]] = tet.dot_general %[[Q]]
// CHECK: %[[S:.*]] = tet.composite "requantize_add"(%[[D]], %{{.*}}, %{{.*}}, %{{.*}}, %[[Q]]) with {axis = 1 : i64, high = 127 : i64, low = -128 : i64, other_multiplier = {{[0-9]+}} : i64
// CHECK: tet.dot_general %[[S]]
func.func @residual(%x: tensor<4x2xf32> {tet.range = array<f64: -1.0, 3.0>}) -> tensor<4x2xf32> {
  %w = tet.constant dense<[[1.0, 2.0], [3.0, 4.0]]> : tensor<2x2xf32>
  %d = tet.dot_general %x, %w, batching_dims = [] x [], contracting_dims = [1] x [0] : (tensor<4x2xf32>, tensor<2x2xf32>) -> tensor<4x2xf32>
  %s = tet.add %d, %x {tet.range = array<f64: -10.0, 10.0>} : tensor<4x2xf32>
  %e = tet.dot_general %s, %w, batching_dims = [] x [], contracting_dims = [1] x [0] : (tensor<4x2xf32>, tensor<2x2xf32>) -> tensor<4x2xf32>
  return %e : tensor<4x2xf32>
}

// -----

// Without ranges nothing changes.
// CHECK-LABEL: func.func @floats
// CHECK-NEXT: tet.constant
// CHECK-NEXT: tet.dot_general {{.*}} -> tensor<4x2xf32>
// CHECK-NEXT: return
func.func @floats(%x: tensor<4x2xf32>) -> tensor<4x2xf32> {
  %w = tet.constant dense<[[1.0, 2.0], [3.0, 4.0]]> : tensor<2x2xf32>
  %d = tet.dot_general %x, %w, batching_dims = [] x [], contracting_dims = [1] x [0] : (tensor<4x2xf32>, tensor<2x2xf32>) -> tensor<4x2xf32>
  return %d : tensor<4x2xf32>
}
