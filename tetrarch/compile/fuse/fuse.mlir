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

// What is computed for the sum alone goes where the product is, whichever comes first.
// CHECK-LABEL: func.func @addend
// CHECK: %[[T:.*]] = tet.composite "task"(%arg0, %arg1, %arg2)
// CHECK-SAME: root = "dot_general"
// CHECK-NOT: "task"
// CHECK: return %[[T]]
func.func @addend(%x: tensor<4x8xf32>, %w: tensor<8x16xf32>, %r: tensor<4x16xf32>) -> tensor<4x16xf32> {
  %p = tet.dot_general %x, %w, batching_dims = [] x [], contracting_dims = [1] x [0]
    : (tensor<4x8xf32>, tensor<8x16xf32>) -> tensor<4x16xf32>
  %0 = tet.exponential %r : tensor<4x16xf32>
  %1 = tet.add %p, %0 : tensor<4x16xf32>
  return %1 : tensor<4x16xf32>
}

// -----

// A product of bytes ends where its result is bytes again; the other product takes the sum.
// CHECK-LABEL: func.func @two_products
// CHECK: %[[A:.*]] = tet.composite "task"(%arg0, %arg1)
// CHECK: -> tensor<4x16xi8>
// CHECK: %[[B:.*]] = tet.composite "task"({{.*}}%[[A]]{{.*}})
// CHECK: return %[[B]]
func.func @two_products(%x: tensor<4x8xi8>, %w: tensor<8x16xi8>) -> tensor<4x16xi32> {
  %p = tet.dot_general %x, %w, batching_dims = [] x [], contracting_dims = [1] x [0]
    : (tensor<4x8xi8>, tensor<8x16xi8>) -> tensor<4x16xi32>
  %b = tet.convert %p : (tensor<4x16xi32>) -> tensor<4x16xi8>
  %t = tet.dot_general %x, %w, batching_dims = [] x [], contracting_dims = [1] x [0]
    : (tensor<4x8xi8>, tensor<8x16xi8>) -> tensor<4x16xi32>
  %c = tet.convert %b : (tensor<4x16xi8>) -> tensor<4x16xi32>
  %s = tet.add %t, %c : tensor<4x16xi32>
  return %s : tensor<4x16xi32>
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

// -----

// What a concatenation puts together is computed in its task, a slice is read where it lies.
// CHECK-LABEL: func.func @rotate
// CHECK: %[[T:.*]] = tet.composite "task"(%arg0)
// CHECK-SAME: root = "concatenate"
// CHECK: tet.slice
// CHECK: tet.negate
// CHECK: tet.slice
// CHECK: tet.concatenate
// CHECK-NOT: tet.composite
// CHECK: return %[[T]]
func.func @rotate(%x: tensor<16x32xf32>) -> tensor<16x32xf32> {
  %low = tet.slice %x, starts = [0, 0], limits = [16, 16], strides = [1, 1] : (tensor<16x32xf32>) -> tensor<16x16xf32>
  %high = tet.slice %x, starts = [0, 16], limits = [16, 32], strides = [1, 1] : (tensor<16x32xf32>) -> tensor<16x16xf32>
  %n = tet.negate %high : tensor<16x16xf32>
  %r = tet.concatenate(%n, %low), dim = 1 : (tensor<16x16xf32>, tensor<16x16xf32>) -> tensor<16x32xf32>
  return %r : tensor<16x32xf32>
}

// -----

// Embeddings: two lookups and their sum are one task; a table that is computed is a task before it.
// CHECK-LABEL: func.func @embed
// CHECK: %[[TABLE:.*]] = tet.composite "task"
// CHECK: tet.tanh
// CHECK: tet.return
// CHECK: %[[T:.*]] = tet.composite "task"
// CHECK-SAME: root = "add"
// CHECK: tet.gather
// CHECK: tet.gather
// CHECK: tet.add
// CHECK-NOT: tet.composite
// CHECK: return %[[T]]
func.func @embed(%words: tensor<100x32xf32>, %types: tensor<2x32xf32>, %i: tensor<8xi64>, %j: tensor<8xi64>) -> tensor<8x32xf32> {
  %table = tet.tanh %types : tensor<2x32xf32>
  %a = tet.gather %words, %i {offset_dims = array<i64: 1>, collapsed_slice_dims = array<i64: 0>, operand_batching_dims = array<i64>,
    start_indices_batching_dims = array<i64>, start_index_map = array<i64: 0>, index_vector_dim = 1 : i64, slice_sizes = array<i64: 1, 32>}
    : (tensor<100x32xf32>, tensor<8xi64>) -> tensor<8x32xf32>
  %b = tet.gather %table, %j {offset_dims = array<i64: 1>, collapsed_slice_dims = array<i64: 0>, operand_batching_dims = array<i64>,
    start_indices_batching_dims = array<i64>, start_index_map = array<i64: 0>, index_vector_dim = 1 : i64, slice_sizes = array<i64: 1, 32>}
    : (tensor<2x32xf32>, tensor<8xi64>) -> tensor<8x32xf32>
  %s = tet.add %a, %b : tensor<8x32xf32>
  return %s : tensor<8x32xf32>
}

// -----

// What a task hands over is cut where it is narrow: bytes cross, and their widening belongs to the reader.
// CHECK-LABEL: func.func @narrow
// CHECK: %[[Q:.*]] = tet.composite "task"(%arg0, %arg1)
// CHECK: tet.return {{.*}} : tensor<4x16xi8>
// CHECK: %[[R:.*]] = tet.composite "task"(%[[Q]], %arg2, %arg3)
// CHECK: tet.convert {{.*}} : (tensor<4x16xi8>) -> tensor<4x16xi64>
// CHECK: tet.dot_general
// CHECK: return %[[Q]], %[[R]]
func.func @narrow(%x: tensor<4x8xi8>, %w: tensor<8x16xi8>, %y: tensor<4x8xi8>, %v: tensor<8x16xi8>) -> (tensor<4x16xi8>, tensor<4x16xi8>) {
  %three = tet.constant dense<3> : tensor<4x16xi64>
  %p = tet.dot_general %x, %w, batching_dims = [] x [], contracting_dims = [1] x [0]
    : (tensor<4x8xi8>, tensor<8x16xi8>) -> tensor<4x16xi32>
  %q = tet.convert %p : (tensor<4x16xi32>) -> tensor<4x16xi8>
  %wide = tet.convert %q : (tensor<4x16xi8>) -> tensor<4x16xi64>
  %scaled = tet.multiply %wide, %three : tensor<4x16xi64>
  %r = tet.dot_general %y, %v, batching_dims = [] x [], contracting_dims = [1] x [0]
    : (tensor<4x8xi8>, tensor<8x16xi8>) -> tensor<4x16xi32>
  %rw = tet.convert %r : (tensor<4x16xi32>) -> tensor<4x16xi64>
  %sum = tet.add %rw, %scaled : tensor<4x16xi64>
  %s = tet.convert %sum : (tensor<4x16xi64>) -> tensor<4x16xi8>
  return %q, %s : tensor<4x16xi8>, tensor<4x16xi8>
}
