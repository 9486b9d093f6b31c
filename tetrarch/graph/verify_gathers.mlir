// RUN: tet-opt %s -verify-diagnostics -split-input-file
//
// The numbered constraints of gather, scatter and sort.

func.func @gather_c1(%x: tensor<5x3xf32>, %i: tensor<4xi32>) {
  // expected-error @below {{index_vector_dim 2 is beyond the rank of the indices (C1)}}
  %0 = tet.gather %x, %i {
      offset_dims = array<i64: 1>, collapsed_slice_dims = array<i64: 0>, operand_batching_dims = array<i64>,
      start_indices_batching_dims = array<i64>, start_index_map = array<i64: 0>, index_vector_dim = 2,
      slice_sizes = array<i64: 1, 3>} : (tensor<5x3xf32>, tensor<4xi32>) -> tensor<4x3xf32>
  return
}

// -----

func.func @gather_c2(%x: tensor<5x3xf32>, %i: tensor<4xi32>) {
  // expected-error @below {{an index vector of 1 does not map to distinct dimensions (C2)}}
  %0 = tet.gather %x, %i {
      offset_dims = array<i64: 1>, collapsed_slice_dims = array<i64: 0>, operand_batching_dims = array<i64>,
      start_indices_batching_dims = array<i64>, start_index_map = array<i64: 0, 1>, index_vector_dim = 1,
      slice_sizes = array<i64: 1, 3>} : (tensor<5x3xf32>, tensor<4xi32>) -> tensor<4x3xf32>
  return
}

// -----

func.func @gather_c3(%x: tensor<5x3xf32>, %i: tensor<4xi32>) {
  // expected-error @below {{slice size 4 does not fit in dimension 1 (C3)}}
  %0 = tet.gather %x, %i {
      offset_dims = array<i64: 1>, collapsed_slice_dims = array<i64: 0>, operand_batching_dims = array<i64>,
      start_indices_batching_dims = array<i64>, start_index_map = array<i64: 0>, index_vector_dim = 1,
      slice_sizes = array<i64: 1, 4>} : (tensor<5x3xf32>, tensor<4xi32>) -> tensor<4x3xf32>
  return
}

// -----

func.func @gather_c3_collapsed(%x: tensor<5x3xf32>, %i: tensor<4xi32>) {
  // expected-error @below {{slice size 2 does not fit in dimension 0 (C3)}}
  %0 = tet.gather %x, %i {
      offset_dims = array<i64: 1>, collapsed_slice_dims = array<i64: 0>, operand_batching_dims = array<i64>,
      start_indices_batching_dims = array<i64>, start_index_map = array<i64: 0>, index_vector_dim = 1,
      slice_sizes = array<i64: 2, 3>} : (tensor<5x3xf32>, tensor<4xi32>) -> tensor<4x3xf32>
  return
}

// -----

func.func @gather_c3_count(%x: tensor<5x3xf32>, %i: tensor<4xi32>) {
  // expected-error @below {{needs one slice size per dimension (C3)}}
  %0 = tet.gather %x, %i {
      offset_dims = array<i64: 1>, collapsed_slice_dims = array<i64: 0>, operand_batching_dims = array<i64>,
      start_indices_batching_dims = array<i64>, start_index_map = array<i64: 0>, index_vector_dim = 1,
      slice_sizes = array<i64: 1>} : (tensor<5x3xf32>, tensor<4xi32>) -> tensor<4x3xf32>
  return
}

// -----

func.func @gather_c4(%x: tensor<5x3xf32>, %i: tensor<4xi32>) {
  // expected-error @below {{window, collapsed and batching dimensions do not cover the operand once, in order (C4)}}
  %0 = tet.gather %x, %i {
      offset_dims = array<i64: 1>, collapsed_slice_dims = array<i64: 0, 0>, operand_batching_dims = array<i64>,
      start_indices_batching_dims = array<i64>, start_index_map = array<i64: 0>, index_vector_dim = 1,
      slice_sizes = array<i64: 1, 3>} : (tensor<5x3xf32>, tensor<4xi32>) -> tensor<4x3xf32>
  return
}

// -----

func.func @gather_c4_offsets(%x: tensor<5x3xf32>, %i: tensor<4xi32>) {
  // expected-error @below {{window, collapsed and batching dimensions do not cover the operand once, in order (C4)}}
  %0 = tet.gather %x, %i {
      offset_dims = array<i64: 0, 1>, collapsed_slice_dims = array<i64: 0>, operand_batching_dims = array<i64>,
      start_indices_batching_dims = array<i64>, start_index_map = array<i64: 0>, index_vector_dim = 1,
      slice_sizes = array<i64: 1, 3>} : (tensor<5x3xf32>, tensor<4xi32>) -> tensor<4x3xf32>
  return
}

// -----

func.func @gather_c5(%x: tensor<5x3xf32>, %i: tensor<4xi32>) {
  // expected-error @below {{batching dimensions of operand and indices do not pair (C5)}}
  %0 = tet.gather %x, %i {
      offset_dims = array<i64>, collapsed_slice_dims = array<i64: 1>, operand_batching_dims = array<i64: 0>,
      start_indices_batching_dims = array<i64: 0>, start_index_map = array<i64: 1>, index_vector_dim = 1,
      slice_sizes = array<i64: 1, 1>} : (tensor<5x3xf32>, tensor<4xi32>) -> tensor<4xf32>
  return
}

// -----

func.func @scatter_c1(%x: tensor<5x3xf32>, %i: tensor<4xi32>, %u: tensor<4x3xf32>) {
  // expected-error @below {{index_vector_dim -1 is beyond the rank of the indices (C1)}}
  %0 = tet.scatter add, %x, %i, %u {
      update_window_dims = array<i64: 1>, inserted_window_dims = array<i64: 0>, input_batching_dims = array<i64>,
      scatter_indices_batching_dims = array<i64>, scatter_dims_to_operand_dims = array<i64: 0>, index_vector_dim = -1}
      : (tensor<5x3xf32>, tensor<4xi32>, tensor<4x3xf32>) -> tensor<5x3xf32>
  return
}

// -----

func.func @scatter_c2(%x: tensor<5x3xf32>, %i: tensor<4xi32>, %u: tensor<4x3xf32>) {
  // expected-error @below {{an index vector of 1 does not map to distinct dimensions (C2)}}
  %0 = tet.scatter add, %x, %i, %u {
      update_window_dims = array<i64: 1>, inserted_window_dims = array<i64: 0>, input_batching_dims = array<i64>,
      scatter_indices_batching_dims = array<i64>, scatter_dims_to_operand_dims = array<i64: 2>, index_vector_dim = 1}
      : (tensor<5x3xf32>, tensor<4xi32>, tensor<4x3xf32>) -> tensor<5x3xf32>
  return
}

// -----

func.func @scatter_c3(%x: tensor<5x3xf32>, %i: tensor<4xi32>, %u: tensor<4x3xf32>) {
  // expected-error @below {{kind and does not combine 'f32' into 'f32' (C3)}}
  %0 = tet.scatter and, %x, %i, %u {
      update_window_dims = array<i64: 1>, inserted_window_dims = array<i64: 0>, input_batching_dims = array<i64>,
      scatter_indices_batching_dims = array<i64>, scatter_dims_to_operand_dims = array<i64: 0>, index_vector_dim = 1}
      : (tensor<5x3xf32>, tensor<4xi32>, tensor<4x3xf32>) -> tensor<5x3xf32>
  return
}

// -----

func.func @scatter_c3_type(%x: tensor<5x3xf32>, %i: tensor<4xi32>, %u: tensor<4x3xf16>) {
  // expected-error @below {{kind add does not combine 'f16' into 'f32' (C3)}}
  %0 = tet.scatter add, %x, %i, %u {
      update_window_dims = array<i64: 1>, inserted_window_dims = array<i64: 0>, input_batching_dims = array<i64>,
      scatter_indices_batching_dims = array<i64>, scatter_dims_to_operand_dims = array<i64: 0>, index_vector_dim = 1}
      : (tensor<5x3xf32>, tensor<4xi32>, tensor<4x3xf16>) -> tensor<5x3xf32>
  return
}

// -----

func.func @scatter_c4(%x: tensor<5x3xf32>, %i: tensor<4xi32>, %u: tensor<4x3xf32>) {
  // expected-error @below {{window, collapsed and batching dimensions do not cover the operand once, in order (C4)}}
  %0 = tet.scatter add, %x, %i, %u {
      update_window_dims = array<i64: 1>, inserted_window_dims = array<i64>, input_batching_dims = array<i64>,
      scatter_indices_batching_dims = array<i64>, scatter_dims_to_operand_dims = array<i64: 0>, index_vector_dim = 1}
      : (tensor<5x3xf32>, tensor<4xi32>, tensor<4x3xf32>) -> tensor<5x3xf32>
  return
}

// -----

func.func @scatter_c5(%x: tensor<5x3xf32>, %i: tensor<4xi32>, %u: tensor<4xf32>) {
  // expected-error @below {{batching dimensions of operand and indices do not pair (C5)}}
  %0 = tet.scatter add, %x, %i, %u {
      update_window_dims = array<i64>, inserted_window_dims = array<i64: 1>, input_batching_dims = array<i64: 0>,
      scatter_indices_batching_dims = array<i64: 0>, scatter_dims_to_operand_dims = array<i64: 1>, index_vector_dim = 1}
      : (tensor<5x3xf32>, tensor<4xi32>, tensor<4xf32>) -> tensor<5x3xf32>
  return
}

// -----

func.func @scatter_c6(%x: tensor<5x3xf32>, %i: tensor<4xi32>, %u: tensor<4x4xf32>) {
  // expected-error @below {{the shape of the updates does not fit the indices and the input (C6)}}
  %0 = tet.scatter add, %x, %i, %u {
      update_window_dims = array<i64: 1>, inserted_window_dims = array<i64: 0>, input_batching_dims = array<i64>,
      scatter_indices_batching_dims = array<i64>, scatter_dims_to_operand_dims = array<i64: 0>, index_vector_dim = 1}
      : (tensor<5x3xf32>, tensor<4xi32>, tensor<4x4xf32>) -> tensor<5x3xf32>
  return
}

// -----

func.func @sort_c1() {
  // expected-error @below {{has no input (C1)}}
  tet.sort ascending (), dim = 0, stable = true : () -> ()
  return
}

// -----

func.func @sort_c2(%x: tensor<2x3xf32>, %y: tensor<3xf32>) {
  // expected-error @below {{inputs differ in shape (C2)}}
  %0:2 = tet.sort ascending (%x, %y), dim = 0, stable = true
      : (tensor<2x3xf32>, tensor<3xf32>) -> (tensor<2x3xf32>, tensor<3xf32>)
  return
}

// -----

func.func @sort_c3(%x: tensor<2x3xf32>) {
  // expected-error @below {{dimension 2 is not one of the inputs' (C3)}}
  %0 = tet.sort ascending (%x), dim = 2, stable = true : (tensor<2x3xf32>) -> tensor<2x3xf32>
  return
}
