// RUN: tet-opt %s -verify-diagnostics -split-input-file
//
// The numbered constraints of the reductions.

func.func @reduce_c1(%x: tensor<2x3xf32>) {
  // expected-error @below {{dims [0, 0] are not distinct dimensions of the operand (C1)}}
  %0 = tet.reduce add, %x, dims = [0, 0] : (tensor<2x3xf32>) -> tensor<3xf32>
  return
}

// -----

func.func @reduce_c2(%x: tensor<2x3xf32>) {
  // expected-error @below {{kind and does not combine 'f32' (C2)}}
  %0 = tet.reduce and, %x, dims = [0] : (tensor<2x3xf32>) -> tensor<3xf32>
  return
}

// -----

func.func @reduce_c2_assign(%x: tensor<2x3xf32>) {
  // expected-error @below {{kind assign does not combine 'f32' (C2)}}
  %0 = tet.reduce assign, %x, dims = [0] : (tensor<2x3xf32>) -> tensor<3xf32>
  return
}

// -----

func.func @reduce_c2_bool(%x: tensor<2xi1>) {
  // expected-error @below {{kind add does not combine 'i1' (C2)}}
  %0 = tet.reduce add, %x, dims = [0] : (tensor<2xi1>) -> tensor<i1>
  return
}

// -----

func.func @reduce_window_c1(%x: tensor<2x3xf32>) {
  // expected-error @below {{[2] is not one positive entry per dimension (C1)}}
  %0 = tet.reduce_window add, %x, window = [2], strides = [1, 1], base_dilations = [1, 1],
      window_dilations = [1, 1], padding = [0, 0, 0, 0] : (tensor<2x3xf32>) -> tensor<1x2xf32>
  return
}

// -----

func.func @reduce_window_c1_padding(%x: tensor<2x3xf32>) {
  // expected-error @below {{needs 4 paddings (C1)}}
  %0 = tet.reduce_window add, %x, window = [2, 2], strides = [1, 1], base_dilations = [1, 1],
      window_dilations = [1, 1], padding = [0] : (tensor<2x3xf32>) -> tensor<1x2xf32>
  return
}

// -----

func.func @reduce_window_c2(%x: tensor<2x3xf32>) {
  // expected-error @below {{kind xor does not combine 'f32' (C2)}}
  %0 = tet.reduce_window xor, %x, window = [2, 2], strides = [1, 1], base_dilations = [1, 1],
      window_dilations = [1, 1], padding = [0, 0, 0, 0] : (tensor<2x3xf32>) -> tensor<1x2xf32>
  return
}

// -----

func.func @reduce_window_c3(%x: tensor<2x3xf32>) {
  // expected-error @below {{padded dimension 0 is negative or too large (C3)}}
  %0 = tet.reduce_window add, %x, window = [2, 2], strides = [1, 1], base_dilations = [1, 1],
      window_dilations = [1, 1], padding = [-2, -1, 0, 0] : (tensor<2x3xf32>) -> tensor<1x2xf32>
  return
}

// -----

func.func @cumulative_c1(%x: tensor<2x3xf32>) {
  // expected-error @below {{dimension 2 is not one of the operand's (C1)}}
  %0 = tet.cumulative add, %x, dim = 2 : (tensor<2x3xf32>) -> tensor<2x3xf32>
  return
}

// -----

func.func @cumulative_c2(%x: tensor<2x3xf32>) {
  // expected-error @below {{kind or does not combine 'f32' (C2)}}
  %0 = tet.cumulative or, %x, dim = 1 : (tensor<2x3xf32>) -> tensor<2x3xf32>
  return
}
