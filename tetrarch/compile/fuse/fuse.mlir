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

// -----

// Real and imaginary part of a butterfly read the same differences: one task stacks both.
// CHECK-LABEL: func.func @butterfly
// CHECK: %[[T:.*]]:2 = tet.composite "task"(%arg0, %arg2, %arg1)
// CHECK: tet.concatenate
// CHECK: tet.concatenate
// CHECK-NOT: tet.composite
// CHECK: return %[[T]]#0, %[[T]]#1
func.func @butterfly(%re: tensor<2x8x4xf32>, %im: tensor<2x8x4xf32>, %w: tensor<8x4xf32>) -> (tensor<8x2x4xf32>, tensor<8x2x4xf32>) {
  %ar0 = tet.slice %re, starts = [0, 0, 0], limits = [1, 8, 4], strides = [1, 1, 1] : (tensor<2x8x4xf32>) -> tensor<1x8x4xf32>
  %br0 = tet.slice %re, starts = [1, 0, 0], limits = [2, 8, 4], strides = [1, 1, 1] : (tensor<2x8x4xf32>) -> tensor<1x8x4xf32>
  %bi0 = tet.slice %im, starts = [1, 0, 0], limits = [2, 8, 4], strides = [1, 1, 1] : (tensor<2x8x4xf32>) -> tensor<1x8x4xf32>
  %ar = tet.reshape %ar0 : (tensor<1x8x4xf32>) -> tensor<8x4xf32>
  %br = tet.reshape %br0 : (tensor<1x8x4xf32>) -> tensor<8x4xf32>
  %bi = tet.reshape %bi0 : (tensor<1x8x4xf32>) -> tensor<8x4xf32>
  %d = tet.subtract %ar, %br : tensor<8x4xf32>
  %e = tet.multiply %d, %w : tensor<8x4xf32>
  %s = tet.add %ar, %br : tensor<8x4xf32>
  %t = tet.multiply %e, %bi : tensor<8x4xf32>
  %s1 = tet.reshape %s : (tensor<8x4xf32>) -> tensor<8x1x4xf32>
  %e1 = tet.reshape %e : (tensor<8x4xf32>) -> tensor<8x1x4xf32>
  %t1 = tet.reshape %t : (tensor<8x4xf32>) -> tensor<8x1x4xf32>
  %real = tet.concatenate(%s1, %e1), dim = 1 : (tensor<8x1x4xf32>, tensor<8x1x4xf32>) -> tensor<8x2x4xf32>
  %imag = tet.concatenate(%t1, %e1), dim = 1 : (tensor<8x1x4xf32>, tensor<8x1x4xf32>) -> tensor<8x2x4xf32>
  return %real, %imag : tensor<8x2x4xf32>, tensor<8x2x4xf32>
}

// -----

// Four quarters: the concatenations of two of them each are part of the one that puts the halves together.
// CHECK-LABEL: func.func @quarters
// CHECK: %[[T:.*]] = tet.composite "task"(%arg0)
// CHECK-NOT: tet.composite
// CHECK: return %[[T]]
func.func @quarters(%x: tensor<4x4xf32>) -> tensor<8x8xf32> {
  %a = tet.negate %x : tensor<4x4xf32>
  %b = tet.add %x, %x : tensor<4x4xf32>
  %top = tet.concatenate(%x, %a), dim = 1 : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x8xf32>
  %bottom = tet.concatenate(%b, %a), dim = 1 : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x8xf32>
  %all = tet.concatenate(%top, %bottom), dim = 0 : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<8x8xf32>
  return %all : tensor<8x8xf32>
}

// -----

// A stencil whose corner is read twice, by ops that come apart: one loop all the same.
// CHECK-LABEL: func.func @corner
// CHECK: %[[T:.*]] = tet.composite "task"(%arg0)
// CHECK-NOT: tet.composite
// CHECK: return %[[T]]
func.func @corner(%x: tensor<9x9xui8>) -> tensor<8x8xi32> {
  %s = tet.slice %x, starts = [0, 0], limits = [8, 8], strides = [1, 1] : (tensor<9x9xui8>) -> tensor<8x8xui8>
  %t = tet.slice %x, starts = [1, 0], limits = [9, 8], strides = [1, 1] : (tensor<9x9xui8>) -> tensor<8x8xui8>
  %u = tet.slice %x, starts = [0, 1], limits = [8, 9], strides = [1, 1] : (tensor<9x9xui8>) -> tensor<8x8xui8>
  %a = tet.convert %s : (tensor<8x8xui8>) -> tensor<8x8xi32>
  %b = tet.convert %t : (tensor<8x8xui8>) -> tensor<8x8xi32>
  %c = tet.convert %u : (tensor<8x8xui8>) -> tensor<8x8xi32>
  %0 = tet.subtract %b, %a : tensor<8x8xi32>
  %1 = tet.subtract %c, %a : tensor<8x8xi32>
  %2 = tet.abs %0 : tensor<8x8xi32>
  %3 = tet.abs %1 : tensor<8x8xi32>
  %4 = tet.add %2, %3 : tensor<8x8xi32>
  return %4 : tensor<8x8xi32>
}

// -----

// A difference that a later loop reads too is a result of the loop that goes on with it.
// CHECK-LABEL: func.func @two_loops
// CHECK: %[[A:.*]]:2 = tet.composite "task"(%arg0, %arg1)
// CHECK: tet.composite "task"(%[[A]]#{{[01]}}, %[[A]]#{{[01]}})
// CHECK-NOT: tet.composite
func.func @two_loops(%x: tensor<9x8xf32>, %y: tensor<8x8xf32>) -> tensor<7x8xf32> {
  %s = tet.slice %x, starts = [1, 0], limits = [9, 8], strides = [1, 1] : (tensor<9x8xf32>) -> tensor<8x8xf32>
  %d = tet.subtract %s, %y : tensor<8x8xf32>
  %q = tet.multiply %d, %d : tensor<8x8xf32>
  %c = tet.add %q, %y : tensor<8x8xf32>
  %below = tet.slice %c, starts = [1, 0], limits = [8, 8], strides = [1, 1] : (tensor<8x8xf32>) -> tensor<7x8xf32>
  %here = tet.slice %d, starts = [0, 0], limits = [7, 8], strides = [1, 1] : (tensor<8x8xf32>) -> tensor<7x8xf32>
  %r = tet.multiply %below, %here : tensor<7x8xf32>
  return %r : tensor<7x8xf32>
}

// -----

// The same matrix for all of a batch is read where it is.
// CHECK-LABEL: func.func @shared_lhs
// CHECK: tet.composite "task"(%arg0, %arg1)
// CHECK: tet.broadcast_in_dim
// CHECK: tet.dot_general
// CHECK-NOT: tet.composite
func.func @shared_lhs(%w: tensor<8x8xf32>, %x: tensor<5x8x8xf32>) -> tensor<5x8x8xf32> {
  %b = tet.broadcast_in_dim %w, dims = [1, 2] : (tensor<8x8xf32>) -> tensor<5x8x8xf32>
  %p = tet.dot_general %b, %x, batching_dims = [0] x [0], contracting_dims = [2] x [1]
    : (tensor<5x8x8xf32>, tensor<5x8x8xf32>) -> tensor<5x8x8xf32>
  return %p : tensor<5x8x8xf32>
}

// -----

// What a convolution of the same shape alone reads is made once, by a task of its own.
// CHECK-LABEL: func.func @narrowed
// CHECK: %[[A:.*]] = tet.composite "task"(%arg0)
// CHECK: tet.convert
// CHECK: tet.composite "task"(%[[A]], %arg1)
// CHECK: tet.convolution
// CHECK-NOT: tet.composite
func.func @narrowed(%x: tensor<2x14x14x8xf32>, %k: tensor<3x3x8x8xbf16>) -> tensor<2x14x14x8xf32> {
  %c = tet.convert %x : (tensor<2x14x14x8xf32>) -> tensor<2x14x14x8xbf16>
  %0 = tet.convolution %c, %k {
    window_strides = array<i64: 1, 1>, padding = array<i64: 1, 1, 1, 1>, lhs_dilation = array<i64: 1, 1>,
    rhs_dilation = array<i64: 1, 1>, input_batch_dimension = 0, input_feature_dimension = 3,
    input_spatial_dimensions = array<i64: 1, 2>, kernel_input_feature_dimension = 2,
    kernel_output_feature_dimension = 3, kernel_spatial_dimensions = array<i64: 0, 1>, output_batch_dimension = 0,
    output_feature_dimension = 3, output_spatial_dimensions = array<i64: 1, 2>, feature_group_count = 1}
    : (tensor<2x14x14x8xbf16>, tensor<3x3x8x8xbf16>) -> tensor<2x14x14x8xf32>
  return %0 : tensor<2x14x14x8xf32>
}
