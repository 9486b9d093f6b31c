// What a model spells out in primitives is named as the composition that it is, and is one task.
// RUN: tet-opt %s --tet-rewrite --tet-fuse --split-input-file | FileCheck %s

// CHECK-LABEL: func.func @gelu
// CHECK: tet.composite "task"(%arg0) with {composite = "gelu", name = "gelu"
// CHECK-NOT: tet.composite
func.func @gelu(%x: tensor<4x64xf32>) -> tensor<4x64xf32> {
  %root2 = tet.constant dense<1.41421354> : tensor<4x64xf32>
  %one = tet.constant dense<1.0> : tensor<4x64xf32>
  %half = tet.constant dense<0.5> : tensor<4x64xf32>
  %0 = tet.divide %x, %root2 : tensor<4x64xf32>
  %1 = tet.erf %0 : tensor<4x64xf32>
  %2 = tet.add %1, %one : tensor<4x64xf32>
  %3 = tet.multiply %x, %2 : tensor<4x64xf32>
  %4 = tet.multiply %3, %half : tensor<4x64xf32>
  return %4 : tensor<4x64xf32>
}

// -----

// By tanh, with the cube and with the square.
// CHECK-LABEL: func.func @gelu_tanh
// CHECK: tet.composite "task"(%arg0) with {composite = "gelu", name = "gelu", root = "multiply"}
// CHECK: tet.composite "task"(%arg1) with {composite = "gelu", name = "gelu_1", root = "multiply"}
// CHECK-NOT: tet.composite
func.func @gelu_tanh(%x: tensor<4x64xf32>, %y: tensor<4x64xf32>) -> (tensor<4x64xf32>, tensor<4x64xf32>) {
  %one = tet.constant dense<1.0> : tensor<4x64xf32>
  %half = tet.constant dense<0.5> : tensor<4x64xf32>
  %k = tet.constant dense<4.471500e-02> : tensor<4x64xf32>
  %s = tet.constant dense<0.797884583> : tensor<4x64xf32>
  %0 = tet.multiply %x, %x : tensor<4x64xf32>
  %1 = tet.multiply %0, %x : tensor<4x64xf32>
  %2 = tet.multiply %1, %k : tensor<4x64xf32>
  %3 = tet.add %x, %2 : tensor<4x64xf32>
  %4 = tet.multiply %3, %s : tensor<4x64xf32>
  %5 = tet.tanh %4 : tensor<4x64xf32>
  %6 = tet.add %5, %one : tensor<4x64xf32>
  %7 = tet.multiply %x, %half : tensor<4x64xf32>
  %8 = tet.multiply %7, %6 : tensor<4x64xf32>

  %10 = tet.multiply %y, %y : tensor<4x64xf32>
  %11 = tet.multiply %10, %k : tensor<4x64xf32>
  %12 = tet.add %11, %one : tensor<4x64xf32>
  %13 = tet.multiply %y, %s : tensor<4x64xf32>
  %14 = tet.multiply %13, %12 : tensor<4x64xf32>
  %15 = tet.tanh %14 : tensor<4x64xf32>
  %16 = tet.add %15, %one : tensor<4x64xf32>
  %17 = tet.multiply %16, %half : tensor<4x64xf32>
  %18 = tet.multiply %y, %17 : tensor<4x64xf32>
  return %8, %18 : tensor<4x64xf32>, tensor<4x64xf32>
}

// -----

// Another factor is another function.
// CHECK-LABEL: func.func @no_gelu
// CHECK: tet.composite "task"(%arg0) with {name = "multiply", root = "multiply"}
func.func @no_gelu(%x: tensor<4x64xf32>) -> tensor<4x64xf32> {
  %factor = tet.constant dense<0.75> : tensor<4x64xf32>
  %one = tet.constant dense<1.0> : tensor<4x64xf32>
  %half = tet.constant dense<0.5> : tensor<4x64xf32>
  %0 = tet.multiply %x, %factor : tensor<4x64xf32>
  %1 = tet.erf %0 : tensor<4x64xf32>
  %2 = tet.add %1, %one : tensor<4x64xf32>
  %3 = tet.multiply %x, %2 : tensor<4x64xf32>
  %4 = tet.multiply %3, %half : tensor<4x64xf32>
  return %4 : tensor<4x64xf32>
}

// -----

// x * logistic(a x), for any a.
// CHECK-LABEL: func.func @swish
// CHECK: composite = "swish"
func.func @swish(%x: tensor<4x64xf32>) -> tensor<4x64xf32> {
  %a = tet.constant dense<1.702> : tensor<4x64xf32>
  %0 = tet.multiply %x, %a : tensor<4x64xf32>
  %1 = tet.logistic %0 : tensor<4x64xf32>
  %2 = tet.multiply %1, %x : tensor<4x64xf32>
  return %2 : tensor<4x64xf32>
}

// -----

// With the largest element subtracted and without; the scale before it is fused to it.
// CHECK-LABEL: func.func @softmax
// CHECK: composite = "softmax", name = "softmax", root = "reduce"
// CHECK: composite = "softmax", name = "softmax_1", root = "reduce"
// CHECK-NOT: tet.composite
func.func @softmax(%x: tensor<16x64xf32>, %y: tensor<16x64xf32>) -> (tensor<16x64xf32>, tensor<16x64xf32>) {
  %scale = tet.constant dense<0.125> : tensor<16x64xf32>
  %s = tet.multiply %x, %scale : tensor<16x64xf32>
  %0 = tet.reduce maximum, %s, dims = [1] : (tensor<16x64xf32>) -> tensor<16xf32>
  %1 = tet.broadcast_in_dim %0, dims = [0] : (tensor<16xf32>) -> tensor<16x64xf32>
  %2 = tet.subtract %s, %1 : tensor<16x64xf32>
  %3 = tet.exponential %2 : tensor<16x64xf32>
  %4 = tet.reduce add, %3, dims = [1] : (tensor<16x64xf32>) -> tensor<16xf32>
  %5 = tet.broadcast_in_dim %4, dims = [0] : (tensor<16xf32>) -> tensor<16x64xf32>
  %6 = tet.divide %3, %5 : tensor<16x64xf32>

  %13 = tet.exponential %y : tensor<16x64xf32>
  %14 = tet.reduce add, %13, dims = [1] : (tensor<16x64xf32>) -> tensor<16xf32>
  %15 = tet.broadcast_in_dim %14, dims = [0] : (tensor<16xf32>) -> tensor<16x64xf32>
  %16 = tet.divide %13, %15 : tensor<16x64xf32>
  return %6, %16 : tensor<16x64xf32>, tensor<16x64xf32>
}

// -----

// CHECK-LABEL: func.func @log_softmax
// CHECK: composite = "log_softmax"
// CHECK-NOT: tet.composite
func.func @log_softmax(%x: tensor<16x64xf32>) -> tensor<16x64xf32> {
  %0 = tet.reduce maximum, %x, dims = [1] : (tensor<16x64xf32>) -> tensor<16xf32>
  %1 = tet.broadcast_in_dim %0, dims = [0] : (tensor<16xf32>) -> tensor<16x64xf32>
  %2 = tet.subtract %x, %1 : tensor<16x64xf32>
  %3 = tet.exponential %2 : tensor<16x64xf32>
  %4 = tet.reduce add, %3, dims = [1] : (tensor<16x64xf32>) -> tensor<16xf32>
  %5 = tet.log %4 : tensor<16xf32>
  %6 = tet.broadcast_in_dim %5, dims = [0] : (tensor<16xf32>) -> tensor<16x64xf32>
  %7 = tet.subtract %2, %6 : tensor<16x64xf32>
  return %7 : tensor<16x64xf32>
}

// -----

// The affine part is fused to the norm.
// CHECK-LABEL: func.func @layer_norm
// CHECK: composite = "layer_norm", name = "layer_norm", root = "reduce"
// CHECK-NOT: tet.composite
func.func @layer_norm(%x: tensor<16x64xf32>, %scale: tensor<64xf32>, %bias: tensor<64xf32>) -> tensor<16x64xf32> {
  %count = tet.constant dense<64.0> : tensor<16xf32>
  %epsilon = tet.constant dense<1.0e-5> : tensor<16xf32>
  %0 = tet.reduce add, %x, dims = [1] : (tensor<16x64xf32>) -> tensor<16xf32>
  %1 = tet.divide %0, %count : tensor<16xf32>
  %2 = tet.broadcast_in_dim %1, dims = [0] : (tensor<16xf32>) -> tensor<16x64xf32>
  %3 = tet.subtract %x, %2 : tensor<16x64xf32>
  %4 = tet.multiply %3, %3 : tensor<16x64xf32>
  %5 = tet.reduce add, %4, dims = [1] : (tensor<16x64xf32>) -> tensor<16xf32>
  %6 = tet.divide %5, %count : tensor<16xf32>
  %7 = tet.add %6, %epsilon : tensor<16xf32>
  %8 = tet.sqrt %7 : tensor<16xf32>
  %9 = tet.broadcast_in_dim %8, dims = [0] : (tensor<16xf32>) -> tensor<16x64xf32>
  %10 = tet.divide %3, %9 : tensor<16x64xf32>
  %11 = tet.broadcast_in_dim %scale, dims = [1] : (tensor<64xf32>) -> tensor<16x64xf32>
  %12 = tet.multiply %10, %11 : tensor<16x64xf32>
  %13 = tet.broadcast_in_dim %bias, dims = [1] : (tensor<64xf32>) -> tensor<16x64xf32>
  %14 = tet.add %12, %13 : tensor<16x64xf32>
  return %14 : tensor<16x64xf32>
}

// -----

// As x * a + (bias - mean * a), with a = scale * rsqrt(...).
// CHECK-LABEL: func.func @layer_norm_by_factor
// CHECK: composite = "layer_norm", name = "layer_norm", root = "reduce"
// CHECK-NOT: tet.composite
func.func @layer_norm_by_factor(%x: tensor<16x64xf32>, %scale: tensor<64xf32>, %bias: tensor<64xf32>) -> tensor<16x64xf32> {
  %count = tet.constant dense<64.0> : tensor<16xf32>
  %epsilon = tet.constant dense<1.0e-5> : tensor<16xf32>
  %0 = tet.reduce add, %x, dims = [1] : (tensor<16x64xf32>) -> tensor<16xf32>
  %1 = tet.divide %0, %count : tensor<16xf32>
  %2 = tet.broadcast_in_dim %1, dims = [0] : (tensor<16xf32>) -> tensor<16x64xf32>
  %3 = tet.subtract %x, %2 : tensor<16x64xf32>
  %4 = tet.multiply %3, %3 : tensor<16x64xf32>
  %5 = tet.reduce add, %4, dims = [1] : (tensor<16x64xf32>) -> tensor<16xf32>
  %6 = tet.divide %5, %count : tensor<16xf32>
  %7 = tet.add %6, %epsilon : tensor<16xf32>
  %8 = tet.rsqrt %7 : tensor<16xf32>
  %9 = tet.broadcast_in_dim %8, dims = [0] : (tensor<16xf32>) -> tensor<16x64xf32>
  %10 = tet.broadcast_in_dim %scale, dims = [1] : (tensor<64xf32>) -> tensor<16x64xf32>
  %a = tet.multiply %9, %10 : tensor<16x64xf32>
  %11 = tet.multiply %x, %a : tensor<16x64xf32>
  %12 = tet.multiply %2, %a : tensor<16x64xf32>
  %13 = tet.broadcast_in_dim %bias, dims = [1] : (tensor<64xf32>) -> tensor<16x64xf32>
  %14 = tet.subtract %13, %12 : tensor<16x64xf32>
  %15 = tet.add %11, %14 : tensor<16x64xf32>
  return %15 : tensor<16x64xf32>
}

// -----

// CHECK-LABEL: func.func @rms_norm
// CHECK: composite = "rms_norm", name = "rms_norm", root = "reduce"
// CHECK-NOT: tet.composite
func.func @rms_norm(%x: tensor<16x64xf32>, %scale: tensor<64xf32>) -> tensor<16x64xf32> {
  %count = tet.constant dense<64.0> : tensor<16xf32>
  %epsilon = tet.constant dense<1.0e-6> : tensor<16xf32>
  %one = tet.constant dense<1.0> : tensor<16xf32>
  %0 = tet.multiply %x, %x : tensor<16x64xf32>
  %1 = tet.reduce add, %0, dims = [1] : (tensor<16x64xf32>) -> tensor<16xf32>
  %2 = tet.divide %1, %count : tensor<16xf32>
  %3 = tet.add %2, %epsilon : tensor<16xf32>
  %4 = tet.sqrt %3 : tensor<16xf32>
  %5 = tet.divide %one, %4 : tensor<16xf32>
  %6 = tet.broadcast_in_dim %5, dims = [0] : (tensor<16xf32>) -> tensor<16x64xf32>
  %7 = tet.multiply %x, %6 : tensor<16x64xf32>
  %8 = tet.broadcast_in_dim %scale, dims = [1] : (tensor<64xf32>) -> tensor<16x64xf32>
  %9 = tet.multiply %7, %8 : tensor<16x64xf32>
  return %9 : tensor<16x64xf32>
}

// -----

// A mean is over what was summed: a third of a sum of 64 is none.
// CHECK-LABEL: func.func @no_norm
// CHECK-NOT: composite =
// CHECK: return
func.func @no_norm(%x: tensor<16x64xf32>) -> tensor<16x64xf32> {
  %count = tet.constant dense<3.0> : tensor<16xf32>
  %epsilon = tet.constant dense<1.0e-6> : tensor<16xf32>
  %0 = tet.multiply %x, %x : tensor<16x64xf32>
  %1 = tet.reduce add, %0, dims = [1] : (tensor<16x64xf32>) -> tensor<16xf32>
  %2 = tet.divide %1, %count : tensor<16xf32>
  %3 = tet.add %2, %epsilon : tensor<16xf32>
  %4 = tet.rsqrt %3 : tensor<16xf32>
  %5 = tet.broadcast_in_dim %4, dims = [0] : (tensor<16xf32>) -> tensor<16x64xf32>
  %6 = tet.multiply %x, %5 : tensor<16x64xf32>
  return %6 : tensor<16x64xf32>
}
