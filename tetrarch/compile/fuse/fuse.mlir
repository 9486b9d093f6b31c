// RUN: tet-opt %s --tet-fuse --split-input-file | FileCheck %s

// A product takes bias, residual and activation with it: x * logistic(x) reads the sum twice.
// CHECK-LABEL: func.func @epilogue
// CHECK-NEXT: %[[T:.*]] = tet.composite "task"(%arg0, %arg1, %arg2, %arg3)
// CHECK-SAME: name = "dot_general", root = "dot_general"
// CHECK: tet.dot_general
// CHECK: tet.broadcast_in_dim
// CHECK: tet.multiply
// CHECK-NEXT: tet.return
// CHECK: return %[[T]]
func.func @epilogue(%x: tensor<4x8xf32>, %w: tensor<8x16xf32>, %b: tensor<16xf32>, %r: tensor<4x16xf32>) -> tensor<4x16xf32> {
  %p = tet.dot_general %x, %w, batching_dims = [] x [], contracting_dims = [1] x [0]
    : (tensor<4x8xf32>, tensor<8x16xf32>) -> tensor<4x16xf32>
  %bb = tet.broadcast_in_dim %b, dims = [1] : (tensor<16xf32>) -> tensor<4x16xf32>
  %0 = tet.add %p, %bb : tensor<4x16xf32>
  %1 = tet.add %0, %r : tensor<4x16xf32>
  %2 = tet.logistic %1 : tensor<4x16xf32>
  %3 = tet.multiply %1, %2 : tensor<4x16xf32>
  return %3 : tensor<4x16xf32>
}

// -----

// A product has one result: what else reads it becomes a task of its own.
// CHECK-LABEL: func.func @two_readers
// CHECK: %[[P:.*]] = tet.composite "task"(%arg0, %arg1)
// CHECK-NOT: tet.exponential
// CHECK: %[[E:.*]] = tet.composite "task"(%[[P]])
// CHECK: tet.exponential
// CHECK: return %[[P]], %[[E]]
func.func @two_readers(%x: tensor<4x8xf32>, %w: tensor<8x16xf32>) -> (tensor<4x16xf32>, tensor<4x16xf32>) {
  %p = tet.dot_general %x, %w, batching_dims = [] x [], contracting_dims = [1] x [0]
    : (tensor<4x8xf32>, tensor<8x16xf32>) -> tensor<4x16xf32>
  %e = tet.exponential %p : tensor<4x16xf32>
  return %p, %e : tensor<4x16xf32>, tensor<4x16xf32>
}

// -----

// Softmax, written out, is one task of rows.
// CHECK-LABEL: func.func @softmax
// CHECK: %[[T:.*]] = tet.composite "task"(%arg0)
// CHECK: tet.reduce maximum
// CHECK: tet.exponential
// CHECK: tet.reduce add
// CHECK: tet.divide
// CHECK-NOT: tet.composite
// CHECK: return %[[T]]
func.func @softmax(%x: tensor<16x32xf32>) -> tensor<16x32xf32> {
  %max = tet.reduce maximum, %x, dims = [1] : (tensor<16x32xf32>) -> tensor<16xf32>
  %maxb = tet.broadcast_in_dim %max, dims = [0] : (tensor<16xf32>) -> tensor<16x32xf32>
  %d = tet.subtract %x, %maxb : tensor<16x32xf32>
  %e = tet.exponential %d : tensor<16x32xf32>
  %sum = tet.reduce add, %e, dims = [1] : (tensor<16x32xf32>) -> tensor<16xf32>
  %sumb = tet.broadcast_in_dim %sum, dims = [0] : (tensor<16xf32>) -> tensor<16x32xf32>
  %r = tet.divide %e, %sumb : tensor<16x32xf32>
  return %r : tensor<16x32xf32>
}

// -----

// The sum reads both a product and what was made from it by another: joining the first product would be a cycle.
// CHECK-LABEL: func.func @no_cycle
// CHECK: %[[A:.*]] = tet.composite "task"(%arg0, %arg1)
// CHECK: tet.composite "task"(%[[A]], %arg1)
// CHECK: tet.dot_general
// CHECK: tet.add
func.func @no_cycle(%x: tensor<8x8xf32>, %w: tensor<8x8xf32>) -> tensor<8x8xf32> {
  %a = tet.dot_general %x, %w, batching_dims = [] x [], contracting_dims = [1] x [0]
    : (tensor<8x8xf32>, tensor<8x8xf32>) -> tensor<8x8xf32>
  %b = tet.dot_general %a, %w, batching_dims = [] x [], contracting_dims = [1] x [0]
    : (tensor<8x8xf32>, tensor<8x8xf32>) -> tensor<8x8xf32>
  %c = tet.add %a, %b : tensor<8x8xf32>
  return %c : tensor<8x8xf32>
}
