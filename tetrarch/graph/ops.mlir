// Every op once: it parses, verifies, and prints to what parses again to the same.
// RUN: tet-opt %s | tet-opt | FileCheck %s
// RUN: tet-opt %s --mlir-print-op-generic | tet-opt | FileCheck %s

// CHECK-LABEL: func.func @elementwise
func.func @elementwise(%x: tensor<2x3xf32>, %i: tensor<2x3xi32>, %p: tensor<2x3xi1>) {
  // CHECK: tet.abs %{{.*}} : tensor<2x3xf32>
  %0 = tet.abs %x : tensor<2x3xf32>
  %1 = tet.cbrt %x : tensor<2x3xf32>
  %2 = tet.ceil %x : tensor<2x3xf32>
  %3 = tet.cosine %x : tensor<2x3xf32>
  %4 = tet.count_leading_zeros %i : tensor<2x3xi32>
  %5 = tet.erf %x : tensor<2x3xf32>
  %6 = tet.exponential %x : tensor<2x3xf32>
  %7 = tet.exponential_minus_one %x : tensor<2x3xf32>
  %8 = tet.floor %x : tensor<2x3xf32>
  %9 = tet.log %x : tensor<2x3xf32>
  %10 = tet.log_plus_one %x : tensor<2x3xf32>
  %11 = tet.logistic %x : tensor<2x3xf32>
  %12 = tet.negate %x : tensor<2x3xf32>
  %13 = tet.not %p : tensor<2x3xi1>
  %14 = tet.popcnt %i : tensor<2x3xi32>
  %15 = tet.round_nearest_afz %x : tensor<2x3xf32>
  %16 = tet.round_nearest_even %x : tensor<2x3xf32>
  %17 = tet.rsqrt %x : tensor<2x3xf32>
  %18 = tet.sign %i : tensor<2x3xi32>
  %19 = tet.sine %x : tensor<2x3xf32>
  %20 = tet.sqrt %x : tensor<2x3xf32>
  %21 = tet.tan %x : tensor<2x3xf32>
  %22 = tet.tanh %x : tensor<2x3xf32>
  // CHECK: tet.is_finite %{{.*}} : (tensor<2x3xf32>) -> tensor<2x3xi1>
  %23 = tet.is_finite %x : (tensor<2x3xf32>) -> tensor<2x3xi1>
  // CHECK: tet.convert %{{.*}} : (tensor<2x3xf32>) -> tensor<2x3xf8E4M3FN>
  %24 = tet.convert %x : (tensor<2x3xf32>) -> tensor<2x3xf8E4M3FN>
  // CHECK: tet.add %{{.*}}, %{{.*}} : tensor<2x3xf32>
  %25 = tet.add %x, %x : tensor<2x3xf32>
  %26 = tet.and %p, %p : tensor<2x3xi1>
  %27 = tet.atan2 %x, %x : tensor<2x3xf32>
  %28 = tet.divide %x, %x : tensor<2x3xf32>
  %29 = tet.maximum %x, %x : tensor<2x3xf32>
  %30 = tet.minimum %p, %p : tensor<2x3xi1>
  %31 = tet.multiply %x, %x : tensor<2x3xf32>
  %32 = tet.or %i, %i : tensor<2x3xi32>
  %33 = tet.power %x, %x : tensor<2x3xf32>
  %34 = tet.remainder %x, %x : tensor<2x3xf32>
  %35 = tet.shift_left %i, %i : tensor<2x3xi32>
  %36 = tet.shift_right_arithmetic %i, %i : tensor<2x3xi32>
  %37 = tet.shift_right_logical %i, %i : tensor<2x3xi32>
  %38 = tet.subtract %x, %x : tensor<2x3xf32>
  %39 = tet.xor %i, %i : tensor<2x3xi32>
  // CHECK: tet.compare LT, %{{.*}}, %{{.*}} : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xi1>
  %40 = tet.compare LT, %x, %x : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xi1>
  // CHECK: tet.select %{{.*}}, %{{.*}}, %{{.*}} : tensor<2x3xi1>, tensor<2x3xf32>
  %41 = tet.select %p, %x, %x : tensor<2x3xi1>, tensor<2x3xf32>
  %42 = tet.clamp %x, %x, %x : tensor<2x3xf32>
  return
}

// CHECK-LABEL: func.func @shapes
func.func @shapes(%x: tensor<2x3xf32>, %i: tensor<i32>) {
  // CHECK: tet.constant dense<[1.000000e+00, 2.000000e+00]> : tensor<2xf32>
  %0 = tet.constant dense<[1.0, 2.0]> : tensor<2xf32>
  // CHECK: tet.constant dense_resource<weights> : tensor<2xf32>
  %1 = tet.constant dense_resource<weights> : tensor<2xf32>
  // CHECK: tet.iota dim = 1 : tensor<2x3xi64>
  %2 = tet.iota dim = 1 : tensor<2x3xi64>
  // CHECK: tet.broadcast_in_dim %{{.*}}, dims = [1, 2] : (tensor<2x3xf32>) -> tensor<4x2x3xf32>
  %3 = tet.broadcast_in_dim %x, dims = [1, 2] : (tensor<2x3xf32>) -> tensor<4x2x3xf32>
  %4 = tet.reshape %x : (tensor<2x3xf32>) -> tensor<6xf32>
  %5 = tet.bitcast_convert %x : (tensor<2x3xf32>) -> tensor<2x3x4xui8>
  // CHECK: tet.transpose %{{.*}}, dims = [1, 0] : (tensor<2x3xf32>) -> tensor<3x2xf32>
  %6 = tet.transpose %x, dims = [1, 0] : (tensor<2x3xf32>) -> tensor<3x2xf32>
  %7 = tet.reverse %x, dims = [0] : (tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK: tet.slice %{{.*}}, starts = [0, 1], limits = [2, 3], strides = [1, 2] : (tensor<2x3xf32>) -> tensor<2x1xf32>
  %8 = tet.slice %x, starts = [0, 1], limits = [2, 3], strides = [1, 2] : (tensor<2x3xf32>) -> tensor<2x1xf32>
  // CHECK: tet.dynamic_slice %{{.*}}[%{{.*}}, %{{.*}}], sizes = [1, 2]
  %9 = tet.dynamic_slice %x[%i, %i], sizes = [1, 2] : (tensor<2x3xf32>, tensor<i32>, tensor<i32>) -> tensor<1x2xf32>
  // CHECK: tet.dynamic_update_slice
  %10 = tet.dynamic_update_slice %x, %9[%i, %i]
      : (tensor<2x3xf32>, tensor<1x2xf32>, tensor<i32>, tensor<i32>) -> tensor<2x3xf32>
  %11 = tet.constant dense<0.0> : tensor<f32>
  // CHECK: tet.pad %{{.*}}, %{{.*}}, low = [1, 0], high = [0, -1], interior = [0, 2]
  %12 = tet.pad %x, %11, low = [1, 0], high = [0, -1], interior = [0, 2]
      : (tensor<2x3xf32>, tensor<f32>) -> tensor<3x6xf32>
  // CHECK: tet.concatenate(%{{.*}}, %{{.*}}), dim = 0
  %13 = tet.concatenate (%x, %x), dim = 0 : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<4x3xf32>
  return
}

// CHECK-LABEL: func.func @contractions
func.func @contractions(%a: tensor<5x2x3xf32>, %b: tensor<5x3x4xf32>, %x: tensor<1x8x8x3xf32>, %k: tensor<3x3x3x4xf32>) {
  // CHECK: tet.dot_general %{{.*}}, %{{.*}}, batching_dims = [0] x [0], contracting_dims = [2] x [1]
  %0 = tet.dot_general %a, %b, batching_dims = [0] x [0], contracting_dims = [2] x [1]
      : (tensor<5x2x3xf32>, tensor<5x3x4xf32>) -> tensor<5x2x4xf32>
  // CHECK: tet.convolution
  %1 = tet.convolution %x, %k {
      window_strides = array<i64: 2, 2>, padding = array<i64: 1, 1, 1, 1>, lhs_dilation = array<i64: 1, 1>,
      rhs_dilation = array<i64: 1, 1>, input_batch_dimension = 0, input_feature_dimension = 3,
      input_spatial_dimensions = array<i64: 1, 2>, kernel_input_feature_dimension = 2,
      kernel_output_feature_dimension = 3, kernel_spatial_dimensions = array<i64: 0, 1>, output_batch_dimension = 0,
      output_feature_dimension = 3, output_spatial_dimensions = array<i64: 1, 2>}
      : (tensor<1x8x8x3xf32>, tensor<3x3x3x4xf32>) -> tensor<1x4x4x4xf32>
  return
}

// CHECK-LABEL: func.func @reductions
func.func @reductions(%x: tensor<4x6xf32>, %i: tensor<4x6xi1>) {
  // CHECK: tet.reduce maximum, %{{.*}}, dims = [1] : (tensor<4x6xf32>) -> tensor<4xf32>
  %0 = tet.reduce maximum, %x, dims = [1] : (tensor<4x6xf32>) -> tensor<4xf32>
  %1 = tet.reduce and, %i, dims = [0] : (tensor<4x6xi1>) -> tensor<6xi1>
  // CHECK: tet.reduce_window add, %{{.*}}, window = [2, 2], strides = [2, 2]
  %2 = tet.reduce_window add, %x, window = [2, 2], strides = [2, 2], base_dilations = [1, 1],
      window_dilations = [1, 1], padding = [0, 0, 0, 0] : (tensor<4x6xf32>) -> tensor<2x3xf32>
  // CHECK: tet.cumulative add, %{{.*}}, dim = 1
  %3 = tet.cumulative add, %x, dim = 1 : (tensor<4x6xf32>) -> tensor<4x6xf32>
  return
}

// CHECK-LABEL: func.func @gathers
func.func @gathers(%x: tensor<5x3xf32>, %i: tensor<4xi64>, %u: tensor<4x3xf32>) {
  // CHECK: tet.gather
  %0 = tet.gather %x, %i {
      offset_dims = array<i64: 1>, collapsed_slice_dims = array<i64: 0>, operand_batching_dims = array<i64>,
      start_indices_batching_dims = array<i64>, start_index_map = array<i64: 0>, index_vector_dim = 1,
      slice_sizes = array<i64: 1, 3>} : (tensor<5x3xf32>, tensor<4xi64>) -> tensor<4x3xf32>
  // CHECK: tet.scatter add,
  %1 = tet.scatter add, %x, %i, %u {
      update_window_dims = array<i64: 1>, inserted_window_dims = array<i64: 0>, input_batching_dims = array<i64>,
      scatter_indices_batching_dims = array<i64>, scatter_dims_to_operand_dims = array<i64: 0>, index_vector_dim = 1}
      : (tensor<5x3xf32>, tensor<4xi64>, tensor<4x3xf32>) -> tensor<5x3xf32>
  // CHECK: tet.sort descending(%{{.*}}, %{{.*}}), dim = 1, stable = true
  %2 = tet.iota dim = 1 : tensor<5x3xi32>
  %3:2 = tet.sort descending (%x, %2), dim = 1, stable = true
      : (tensor<5x3xf32>, tensor<5x3xi32>) -> (tensor<5x3xf32>, tensor<5x3xi32>)
  return
}

// CHECK-LABEL: func.func @control
func.func @control(%p: tensor<i1>, %x: tensor<4xf32>, %n: tensor<i32>) -> tensor<4xf32> {
  // CHECK: tet.if %{{.*}} : (tensor<i1>) -> tensor<4xf32>
  %0 = tet.if %p : (tensor<i1>) -> tensor<4xf32> {
    tet.return %x : tensor<4xf32>
  } else {
    %1 = tet.negate %x : tensor<4xf32>
    tet.return %1 : tensor<4xf32>
  }
  // CHECK: tet.while(%{{.*}}, %{{.*}}) : tensor<i32>, tensor<4xf32>
  %2:2 = tet.while (%n, %0) : tensor<i32>, tensor<4xf32> {
  ^bb0(%i: tensor<i32>, %v: tensor<4xf32>):
    %zero = tet.constant dense<0> : tensor<i32>
    %more = tet.compare GT, %i, %zero : (tensor<i32>, tensor<i32>) -> tensor<i1>
    tet.return %more : tensor<i1>
  } do {
  ^bb0(%i: tensor<i32>, %v: tensor<4xf32>):
    %one = tet.constant dense<1> : tensor<i32>
    %less = tet.subtract %i, %one : tensor<i32>
    %twice = tet.add %v, %v : tensor<4xf32>
    tet.return %less, %twice : tensor<i32>, tensor<4xf32>
  }
  return %2#1 : tensor<4xf32>
}

// CHECK-LABEL: func.func @structure
func.func @structure(%x: tensor<2x3xf32>, %p: tensor<2x3xi1>) -> tensor<2x3xf32> {
  // CHECK: tet.composite "twice"(%{{.*}}) with {axis = 1 : i64} : (tensor<2x3xf32>) -> tensor<2x3xf32> {
  %0 = tet.composite "twice" (%x) with {axis = 1 : i64} : (tensor<2x3xf32>) -> tensor<2x3xf32> {
  ^bb0(%a: tensor<2x3xf32>):
    %1 = tet.add %a, %a : tensor<2x3xf32>
    tet.return %1 : tensor<2x3xf32>
  }
  // CHECK: tet.task "copy"(%{{.*}}, %{{.*}}) {root = "elementwise"} : (tensor<2x3xf32>, tensor<2x3xi1>) -> tensor<2x3xf32>
  // CHECK-NEXT: ^bb0(%{{.*}}: tensor<2x3xf32>, %{{.*}}: tensor<2x3xi8>):
  %2 = tet.task "copy" (%0, %p) {root = "elementwise"} : (tensor<2x3xf32>, tensor<2x3xi1>) -> tensor<2x3xf32> {
  ^bb0(%a: tensor<2x3xf32>, %b: tensor<2x3xi8>):
    // CHECK: tet.yield %{{.*}} : tensor<2x3xf32>
    tet.yield %a : tensor<2x3xf32>
  }
  return %2 : tensor<2x3xf32>
}

{-#
  dialect_resources: { builtin: { weights: "0x040000000000803F00000040" } }
#-}
