// A convolution, a bias, a pool and a mean: channels-last throughout, with one transpose at the input and none at the
// result.
// RUN: tet-opt %s --tet-rewrite --tet-layout | FileCheck %s

// CHECK-LABEL: func.func @main
// CHECK: %[[X:.*]] = tet.transpose %arg0, dims = [0, 2, 3, 1]
// CHECK-NOT: tet.transpose
// CHECK: tet.convolution %[[X]], {{.*}}input_feature_dimension = 3 : i64
// CHECK-SAME: -> tensor<1x6x6x4xf32>
// CHECK: tet.broadcast_in_dim %arg2, dims = [3] : (tensor<4xf32>) -> tensor<1x6x6x4xf32>
// CHECK: tet.reduce_window maximum, {{.*}}window = [1, 2, 2, 1]
// CHECK: tet.reduce add, {{.*}}dims = [1, 2] : (tensor<1x3x3x4xf32>) -> tensor<1x4xf32>
// CHECK-NEXT: return
func.func @main(%x: tensor<1x2x6x6xf32>, %w: tensor<1x1x2x4xf32>, %b: tensor<4xf32>) -> tensor<1x4xf32> {
  %c = tet.convolution %x, %w {window_strides = array<i64: 1, 1>, padding = array<i64: 0, 0, 0, 0>,
    lhs_dilation = array<i64: 1, 1>, rhs_dilation = array<i64: 1, 1>, input_batch_dimension = 0 : i64,
    input_feature_dimension = 1 : i64, input_spatial_dimensions = array<i64: 2, 3>,
    kernel_input_feature_dimension = 2 : i64, kernel_output_feature_dimension = 3 : i64,
    kernel_spatial_dimensions = array<i64: 0, 1>, output_batch_dimension = 0 : i64,
    output_feature_dimension = 1 : i64, output_spatial_dimensions = array<i64: 2, 3>}
    : (tensor<1x2x6x6xf32>, tensor<1x1x2x4xf32>) -> tensor<1x4x6x6xf32>
  %bb = tet.broadcast_in_dim %b, dims = [1] : (tensor<4xf32>) -> tensor<1x4x6x6xf32>
  %s = tet.add %c, %bb : tensor<1x4x6x6xf32>
  %p = tet.reduce_window maximum, %s, window = [1, 1, 2, 2], strides = [1, 1, 2, 2], base_dilations = [1, 1, 1, 1],
    window_dilations = [1, 1, 1, 1], padding = [0, 0, 0, 0, 0, 0, 0, 0] : (tensor<1x4x6x6xf32>) -> tensor<1x4x3x3xf32>
  %r = tet.reduce add, %p, dims = [2, 3] : (tensor<1x4x3x3xf32>) -> tensor<1x4xf32>
  return %r : tensor<1x4xf32>
}

// -----

// Patches of one image become rows: the transposes around the reshape cancel, also where the batch is one.
// CHECK-LABEL: func.func @patches
// CHECK: tet.convolution
// CHECK-NOT: tet.transpose
// CHECK: tet.reshape {{.*}} (tensor<1x4x4x8xf32>) -> tensor<1x16x8xf32>
// CHECK-NEXT: return
func.func @patches(%x: tensor<1x8x8x3xf32>, %w: tensor<8x3x2x2xf32>) -> tensor<1x16x8xf32> {
  %image = tet.transpose %x, dims = [0, 3, 1, 2] : (tensor<1x8x8x3xf32>) -> tensor<1x3x8x8xf32>
  %c = tet.convolution %image, %w {window_strides = array<i64: 2, 2>, padding = array<i64: 0, 0, 0, 0>,
    lhs_dilation = array<i64: 1, 1>, rhs_dilation = array<i64: 1, 1>, input_batch_dimension = 0 : i64,
    input_feature_dimension = 1 : i64, input_spatial_dimensions = array<i64: 2, 3>,
    kernel_input_feature_dimension = 1 : i64, kernel_output_feature_dimension = 0 : i64,
    kernel_spatial_dimensions = array<i64: 2, 3>, output_batch_dimension = 0 : i64,
    output_feature_dimension = 1 : i64, output_spatial_dimensions = array<i64: 2, 3>}
    : (tensor<1x3x8x8xf32>, tensor<8x3x2x2xf32>) -> tensor<1x8x4x4xf32>
  %r = tet.reshape %c : (tensor<1x8x4x4xf32>) -> tensor<1x8x16xf32>
  %t = tet.transpose %r, dims = [0, 2, 1] : (tensor<1x8x16xf32>) -> tensor<1x16x8xf32>
  return %t : tensor<1x16x8xf32>
}

// -----

// A transposed convolution reads its input as it is: a 2x2 kernel at stride 2 is one of 1x1 with four times the
// features, which are then laid side by side.
// CHECK-LABEL: func.func @spread_input
// CHECK: tet.convolution %arg0, %{{.*}}lhs_dilation = array<i64: 1, 1>{{.*}}padding = array<i64: 0, 0, 0, 0>{{.*}}-> tensor<1x3x4x20xf32>
// CHECK: tet.transpose %{{.*}} : (tensor<1x3x4x1x2x2x5xf32>) -> tensor<1x3x2x4x2x1x5xf32>
// CHECK-NOT: tet.slice
func.func @spread_input(%x: tensor<1x3x4x6xf32>, %w: tensor<2x2x6x5xf32>) -> tensor<1x6x8x5xf32> {
  %y = tet.convolution %x, %w {window_strides = array<i64: 1, 1>, padding = array<i64: 1, 1, 1, 1>,
    lhs_dilation = array<i64: 2, 2>, rhs_dilation = array<i64: 1, 1>, input_batch_dimension = 0 : i64,
    input_feature_dimension = 3 : i64, input_spatial_dimensions = array<i64: 1, 2>,
    kernel_input_feature_dimension = 2 : i64, kernel_output_feature_dimension = 3 : i64,
    kernel_spatial_dimensions = array<i64: 0, 1>, output_batch_dimension = 0 : i64,
    output_feature_dimension = 3 : i64, output_spatial_dimensions = array<i64: 1, 2>}
    : (tensor<1x3x4x6xf32>, tensor<2x2x6x5xf32>) -> tensor<1x6x8x5xf32>
  return %y : tensor<1x6x8x5xf32>
}
