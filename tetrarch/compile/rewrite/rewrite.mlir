// RUN: tet-opt %s --tet-rewrite --split-input-file | FileCheck %s

// x * 1 = x, x - 0 = x and x + -y = x - y; -0 is what floats may be added.
// CHECK-LABEL: func.func @identities
// CHECK-NEXT: %[[R:.*]] = tet.subtract %arg0, %arg1
// CHECK-NEXT: return %[[R]]
func.func @identities(%x: tensor<4xf32>, %y: tensor<4xf32>) -> tensor<4xf32> {
  %one = tet.constant dense<1.0> : tensor<4xf32>
  %zero = tet.constant dense<0.0> : tensor<4xf32>
  %minus_zero = tet.constant dense<-0.0> : tensor<4xf32>
  %0 = tet.multiply %x, %one : tensor<4xf32>
  %1 = tet.subtract %0, %zero : tensor<4xf32>
  %2 = tet.add %1, %minus_zero : tensor<4xf32>
  %3 = tet.negate %y : tensor<4xf32>
  %4 = tet.add %2, %3 : tensor<4xf32>
  return %4 : tensor<4xf32>
}

// -----

// A sum with +0 turns -0 into 0, so it stays.
// CHECK-LABEL: func.func @keeps_zero
// CHECK: tet.add
func.func @keeps_zero(%x: tensor<4xf32>) -> tensor<4xf32> {
  %zero = tet.constant dense<0.0> : tensor<4xf32>
  %0 = tet.add %x, %zero : tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----

// Batch normalisation after a convolution is in its weights, and one bias is left.
// CHECK-LABEL: func.func @batch_norm
// CHECK-DAG: %[[W:.*]] = tet.constant dense<{{.*}}2.000000e+00{{.*}}6.000000e+00{{.*}}> : tensor<2x1x1x1xf32>
// CHECK-DAG: %[[B:.*]] = tet.constant dense<[8.000000e+00, 1.200000e+01]> : tensor<2xf32>
// CHECK: %[[C:.*]] = tet.convolution %arg0, %[[W]]
// CHECK: %[[BB:.*]] = tet.broadcast_in_dim %[[B]], dims = [1]
// CHECK: %[[R:.*]] = tet.add %[[C]], %[[BB]]
// CHECK-NEXT: return %[[R]]
func.func @batch_norm(%x: tensor<1x1x3x3xf32>) -> tensor<1x2x3x3xf32> {
  %w = tet.constant dense<[[[[1.0]]], [[[2.0]]]]> : tensor<2x1x1x1xf32>
  %c = tet.convolution %x, %w {window_strides = array<i64: 1, 1>, padding = array<i64: 0, 0, 0, 0>,
    lhs_dilation = array<i64: 1, 1>, rhs_dilation = array<i64: 1, 1>, input_batch_dimension = 0 : i64,
    input_feature_dimension = 1 : i64, input_spatial_dimensions = array<i64: 2, 3>,
    kernel_input_feature_dimension = 1 : i64, kernel_output_feature_dimension = 0 : i64,
    kernel_spatial_dimensions = array<i64: 2, 3>, output_batch_dimension = 0 : i64,
    output_feature_dimension = 1 : i64, output_spatial_dimensions = array<i64: 2, 3>}
    : (tensor<1x1x3x3xf32>, tensor<2x1x1x1xf32>) -> tensor<1x2x3x3xf32>
  %bias = tet.constant dense<[3.0, 3.0]> : tensor<2xf32>
  %scale = tet.constant dense<[2.0, 3.0]> : tensor<2xf32>
  %offset = tet.constant dense<[2.0, 3.0]> : tensor<2xf32>
  %bias_b = tet.broadcast_in_dim %bias, dims = [1] : (tensor<2xf32>) -> tensor<1x2x3x3xf32>
  %scale_b = tet.broadcast_in_dim %scale, dims = [1] : (tensor<2xf32>) -> tensor<1x2x3x3xf32>
  %offset_b = tet.broadcast_in_dim %offset, dims = [1] : (tensor<2xf32>) -> tensor<1x2x3x3xf32>
  %0 = tet.add %c, %bias_b : tensor<1x2x3x3xf32>
  %1 = tet.multiply %0, %scale_b : tensor<1x2x3x3xf32>
  %2 = tet.add %1, %offset_b : tensor<1x2x3x3xf32>
  return %2 : tensor<1x2x3x3xf32>
}

// -----

// Composites are their meaning; equal ops are one.
// CHECK-LABEL: func.func @composite
// CHECK-NEXT: %[[E:.*]] = tet.exponential %arg0
// CHECK-NEXT: %[[R:.*]] = tet.add %[[E]], %[[E]]
// CHECK-NEXT: return %[[R]]
func.func @composite(%x: tensor<4xf32>) -> tensor<4xf32> {
  %0 = tet.exponential %x : tensor<4xf32>
  %1 = tet.composite "mine" (%x) : (tensor<4xf32>) -> tensor<4xf32> {
  ^bb0(%a: tensor<4xf32>):
    %e = tet.exponential %a : tensor<4xf32>
    tet.return %e : tensor<4xf32>
  }
  %2 = tet.add %0, %1 : tensor<4xf32>
  return %2 : tensor<4xf32>
}

// -----

// The canonical product: rhs is [k, n]; a transpose of lhs that keeps k last is read through.
// CHECK-LABEL: func.func @product
// CHECK: %[[T:.*]] = tet.transpose %arg1, dims = [1, 0]
// CHECK: tet.dot_general %arg0, %[[T]], batching_dims = [] x [], contracting_dims = [1] x [0]
func.func @product(%x: tensor<3x4xf32>, %y: tensor<5x4xf32>) -> tensor<3x5xf32> {
  %0 = tet.dot_general %x, %y, batching_dims = [] x [], contracting_dims = [1] x [1]
    : (tensor<3x4xf32>, tensor<5x4xf32>) -> tensor<3x5xf32>
  return %0 : tensor<3x5xf32>
}

// -----

// A branch that is known is taken; what constants give is computed.
// CHECK-LABEL: func.func @known
// CHECK-NEXT: %[[C:.*]] = tet.constant dense<[3, 5]>
// CHECK-NEXT: return %[[C]]
func.func @known() -> tensor<2xi32> {
  %p = tet.constant dense<true> : tensor<i1>
  %a = tet.constant dense<[1, 2]> : tensor<2xi32>
  %b = tet.constant dense<[2, 3]> : tensor<2xi32>
  %0 = tet.if %p : (tensor<i1>) -> tensor<2xi32> {
    %s = tet.add %a, %b : tensor<2xi32>
    tet.return %s : tensor<2xi32>
  } else {
    tet.return %a : tensor<2xi32>
  }
  return %0 : tensor<2xi32>
}

// -----

// What keepdims added and a broadcast repeats goes: the broadcast reads the reduction itself.
// CHECK-LABEL: func.func @keepdims
// CHECK-NEXT: %[[M:.*]] = tet.reduce maximum, %arg0, dims = [2]
// CHECK-NEXT: %[[B:.*]] = tet.broadcast_in_dim %[[M]], dims = [0, 1]
// CHECK-NEXT: return %[[B]]
func.func @keepdims(%x: tensor<1x4x8xf32>) -> tensor<1x4x8xf32> {
  %m = tet.reduce maximum, %x, dims = [2] : (tensor<1x4x8xf32>) -> tensor<1x4xf32>
  %k = tet.reshape %m : (tensor<1x4xf32>) -> tensor<1x4x1xf32>
  %b = tet.broadcast_in_dim %k, dims = [0, 1, 2] : (tensor<1x4x1xf32>) -> tensor<1x4x8xf32>
  return %b : tensor<1x4x8xf32>
}

// -----

// What has no elements needs no task.
// CHECK-LABEL: func.func @nothing
// CHECK-NEXT: %[[C:.*]] = tet.constant dense<> : tensor<2x0xf32>
// CHECK-NEXT: return %[[C]]
func.func @nothing(%x: tensor<2x8xf32>) -> tensor<2x0xf32> {
  %0 = tet.slice %x, starts = [0, 8], limits = [2, 8], strides = [1, 1] : (tensor<2x8xf32>) -> tensor<2x0xf32>
  %1 = tet.exponential %0 : tensor<2x0xf32>
  return %1 : tensor<2x0xf32>
}
