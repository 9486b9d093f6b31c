// RUN: tet-opt %s --tet-rewrite --split-input-file | FileCheck %s

// A picture extended by its edge, and its neighbours to the north and the east: counted places that the gather clamps.
// CHECK-LABEL: func.func @neighbours
// CHECK-DAG: %[[NORTH:.*]] = tet.constant dense<-1> : tensor<8xi64>
// CHECK-DAG: %[[EAST:.*]] = tet.constant dense<1> : tensor<8xi64>
// CHECK-DAG: %[[ROWS:.*]] = tet.add %{{.*}}, %[[NORTH]]
// CHECK-DAG: %[[COLUMNS:.*]] = tet.add %{{.*}}, %[[EAST]]
// CHECK-DAG: %[[N:.*]] = tet.gather %arg0, %[[ROWS]]
// CHECK-DAG: %[[E:.*]] = tet.gather %arg0, %[[COLUMNS]]
// CHECK: return %[[N]], %[[E]], %arg0
func.func @neighbours(%x: tensor<8x8xf32>) -> (tensor<8x8xf32>, tensor<8x8xf32>, tensor<8x8xf32>) {
  %i = tet.constant dense<[0, 0, 1, 2, 3, 4, 5, 6, 7, 7]> : tensor<10xi64>
  %rows = tet.gather %x, %i {offset_dims = array<i64: 1>, collapsed_slice_dims = array<i64: 0>, operand_batching_dims = array<i64>,
    start_indices_batching_dims = array<i64>, start_index_map = array<i64: 0>, index_vector_dim = 1 : i64, slice_sizes = array<i64: 1, 8>}
    : (tensor<8x8xf32>, tensor<10xi64>) -> tensor<10x8xf32>
  %p = tet.gather %rows, %i {offset_dims = array<i64: 0>, collapsed_slice_dims = array<i64: 1>, operand_batching_dims = array<i64>,
    start_indices_batching_dims = array<i64>, start_index_map = array<i64: 1>, index_vector_dim = 1 : i64, slice_sizes = array<i64: 10, 1>}
    : (tensor<10x8xf32>, tensor<10xi64>) -> tensor<10x10xf32>
  %n = tet.slice %p, starts = [0, 1], limits = [8, 9], strides = [1, 1] : (tensor<10x10xf32>) -> tensor<8x8xf32>
  %e = tet.slice %p, starts = [1, 2], limits = [9, 10], strides = [1, 1] : (tensor<10x10xf32>) -> tensor<8x8xf32>
  %c = tet.slice %p, starts = [1, 1], limits = [9, 9], strides = [1, 1] : (tensor<10x10xf32>) -> tensor<8x8xf32>
  return %n, %e, %c : tensor<8x8xf32>, tensor<8x8xf32>, tensor<8x8xf32>
}

// -----

// Any other order stays a gather.
// CHECK-LABEL: func.func @other_order
// CHECK: tet.constant dense<[2, 0, 1]>
// CHECK: tet.gather
func.func @other_order(%x: tensor<8x8xf32>) -> tensor<3x8xf32> {
  %i = tet.constant dense<[2, 0, 1]> : tensor<3xi64>
  %rows = tet.gather %x, %i {offset_dims = array<i64: 1>, collapsed_slice_dims = array<i64: 0>, operand_batching_dims = array<i64>,
    start_indices_batching_dims = array<i64>, start_index_map = array<i64: 0>, index_vector_dim = 1 : i64, slice_sizes = array<i64: 1, 8>}
    : (tensor<8x8xf32>, tensor<3xi64>) -> tensor<3x8xf32>
  return %rows : tensor<3x8xf32>
}

// -----

// Places are read as bytes.
// CHECK-LABEL: func.func @narrow_places
// CHECK: tet.scatter add, %{{.*}}, %arg0, %{{.*}} : (tensor<256xi32>, tensor<64xui8>, tensor<64xi32>)
func.func @narrow_places(%pixels: tensor<64xui8>) -> tensor<256xi32> {
  %zero = tet.constant dense<0> : tensor<256xi32>
  %one = tet.constant dense<1> : tensor<64xi32>
  %i = tet.convert %pixels : (tensor<64xui8>) -> tensor<64xi64>
  %h = tet.scatter add, %zero, %i, %one {update_window_dims = array<i64>, inserted_window_dims = array<i64: 0>, input_batching_dims = array<i64>,
    scatter_indices_batching_dims = array<i64>, scatter_dims_to_operand_dims = array<i64: 0>, index_vector_dim = 1 : i64}
    : (tensor<256xi32>, tensor<64xi64>, tensor<64xi32>) -> tensor<256xi32>
  return %h : tensor<256xi32>
}

// -----

// Slices go before conversions, unit dimensions and other slices.
// CHECK-LABEL: func.func @slices
// CHECK: %[[S:.*]] = tet.slice %arg0, starts = [1, 2], limits = [9, 7], strides = [1, 2] : (tensor<9x9xui8>) -> tensor<8x3xui8>
// CHECK: %[[C:.*]] = tet.convert %[[S]]
// CHECK: return %[[C]]
func.func @slices(%x: tensor<9x9xui8>) -> tensor<8x3xi32> {
  %c = tet.convert %x : (tensor<9x9xui8>) -> tensor<9x9xi32>
  %r = tet.reshape %c : (tensor<9x9xi32>) -> tensor<1x9x9xi32>
  %s = tet.slice %r, starts = [0, 1, 0], limits = [1, 9, 9], strides = [1, 1, 2] : (tensor<1x9x9xi32>) -> tensor<1x8x5xi32>
  %t = tet.reshape %s : (tensor<1x8x5xi32>) -> tensor<8x5xi32>
  %u = tet.slice %t, starts = [0, 1], limits = [8, 4], strides = [1, 1] : (tensor<8x5xi32>) -> tensor<8x3xi32>
  return %u : tensor<8x3xi32>
}

// -----

// A sum of pixels is never negative; one of signed numbers may be.
// CHECK-LABEL: func.func @ranges
// CHECK: %[[FALSE:.*]] = tet.constant dense<false>
// CHECK: %[[MAYBE:.*]] = tet.compare LT
// CHECK: return %[[FALSE]], %[[MAYBE]]
func.func @ranges(%x: tensor<4xui8>, %y: tensor<4xi8>) -> (tensor<4xi1>, tensor<4xi1>) {
  %zero = tet.constant dense<0> : tensor<4xi32>
  %four = tet.constant dense<4> : tensor<4xi32>
  %a = tet.convert %x : (tensor<4xui8>) -> tensor<4xi32>
  %b = tet.convert %y : (tensor<4xi8>) -> tensor<4xi32>
  %s = tet.add %a, %four : tensor<4xi32>
  %t = tet.add %b, %four : tensor<4xi32>
  %0 = tet.compare LT, %s, %zero : (tensor<4xi32>, tensor<4xi32>) -> tensor<4xi1>
  %1 = tet.compare LT, %t, %zero : (tensor<4xi32>, tensor<4xi32>) -> tensor<4xi1>
  return %0, %1 : tensor<4xi1>, tensor<4xi1>
}
