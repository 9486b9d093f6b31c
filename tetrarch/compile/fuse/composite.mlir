// A composition that becomes one task keeps its name; one that is cut does not.
// RUN: tet-opt %s --tet-rewrite --tet-fuse --split-input-file | FileCheck %s

// CHECK-LABEL: func.func @softmax
// CHECK: %[[T:.*]] = tet.composite "task"(%arg0) with {composite = "softmax", name = "softmax", root = "reduce"}
// CHECK-NOT: tet.composite
// CHECK: return %[[T]]
func.func @softmax(%x: tensor<16x32xf32>) -> tensor<16x32xf32> {
  %scale = tet.constant dense<0.125> : tensor<16x32xf32>
  %s = tet.multiply %x, %scale : tensor<16x32xf32>
  %0 = tet.composite "softmax" (%s) with {axis = 1 : i64} : (tensor<16x32xf32>) -> tensor<16x32xf32> {
  ^bb0(%a: tensor<16x32xf32>):
    %max = tet.reduce maximum, %a, dims = [1] : (tensor<16x32xf32>) -> tensor<16xf32>
    %maxb = tet.broadcast_in_dim %max, dims = [0] : (tensor<16xf32>) -> tensor<16x32xf32>
    %d = tet.subtract %a, %maxb : tensor<16x32xf32>
    %e = tet.exponential %d : tensor<16x32xf32>
    %sum = tet.reduce add, %e, dims = [1] : (tensor<16x32xf32>) -> tensor<16xf32>
    %sumb = tet.broadcast_in_dim %sum, dims = [0] : (tensor<16xf32>) -> tensor<16x32xf32>
    %r = tet.divide %e, %sumb : tensor<16x32xf32>
    tet.return %r : tensor<16x32xf32>
  }
  return %0 : tensor<16x32xf32>
}

// -----

// Two of one name are told apart; an activation alone is a task of its name, too.
// CHECK-LABEL: func.func @two
// CHECK: tet.composite "task"(%arg0) with {composite = "swish", name = "swish", root = "multiply"}
// CHECK: tet.composite "task"(%arg1) with {composite = "swish", name = "swish_1", root = "multiply"}
func.func @two(%x: tensor<16x32xf32>, %y: tensor<8x32xf32>) -> (tensor<16x32xf32>, tensor<8x32xf32>) {
  %0 = tet.composite "swish" (%x) with {alpha = 1.0 : f64} : (tensor<16x32xf32>) -> tensor<16x32xf32> {
  ^bb0(%a: tensor<16x32xf32>):
    %l = tet.logistic %a : tensor<16x32xf32>
    %m = tet.multiply %a, %l : tensor<16x32xf32>
    tet.return %m : tensor<16x32xf32>
  }
  %1 = tet.composite "swish" (%y) with {alpha = 1.0 : f64} : (tensor<8x32xf32>) -> tensor<8x32xf32> {
  ^bb0(%a: tensor<8x32xf32>):
    %l = tet.logistic %a : tensor<8x32xf32>
    %m = tet.multiply %a, %l : tensor<8x32xf32>
    tet.return %m : tensor<8x32xf32>
  }
  return %0, %1 : tensor<16x32xf32>, tensor<8x32xf32>
}

// -----

// As the tail of a product it is part of the product's task, which is more than it.
// CHECK-LABEL: func.func @tail
// CHECK: tet.composite "task"
// CHECK-NOT: composite =
// CHECK-SAME: root = "dot_general"
func.func @tail(%x: tensor<4x8xf32>, %w: tensor<8x16xf32>) -> tensor<4x16xf32> {
  %p = tet.dot_general %x, %w, batching_dims = [] x [], contracting_dims = [1] x [0]
    : (tensor<4x8xf32>, tensor<8x16xf32>) -> tensor<4x16xf32>
  %0 = tet.composite "swish" (%p) with {alpha = 1.0 : f64} : (tensor<4x16xf32>) -> tensor<4x16xf32> {
  ^bb0(%a: tensor<4x16xf32>):
    %l = tet.logistic %a : tensor<4x16xf32>
    %m = tet.multiply %a, %l : tensor<4x16xf32>
    tet.return %m : tensor<4x16xf32>
  }
  return %0 : tensor<4x16xf32>
}
