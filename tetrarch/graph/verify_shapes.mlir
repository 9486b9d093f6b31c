// RUN: tet-opt %s -verify-diagnostics -split-input-file
//
// The numbered constraints of the ops that make or move elements.

func.func @iota_c1() {
  // expected-error @below {{dimension 2 is not one of the result's (C1)}}
  %0 = tet.iota dim = 2 : tensor<2x3xi32>
  return
}

// -----

func.func @broadcast_in_dim_c1(%x: tensor<2x3xf32>) {
  // expected-error @below {{element types differ (C1)}}
  %0 = tet.broadcast_in_dim %x, dims = [0, 1] : (tensor<2x3xf32>) -> tensor<2x3xf16>
  return
}

// -----

func.func @broadcast_in_dim_c2(%x: tensor<2x3xf32>) {
  // expected-error @below {{has 1 dims for an operand of rank 2 (C2)}}
  %0 = tet.broadcast_in_dim %x, dims = [0] : (tensor<2x3xf32>) -> tensor<2x3xf32>
  return
}

// -----

func.func @broadcast_in_dim_c3(%x: tensor<2x3xf32>) {
  // expected-error @below {{dims [1, 0] are not increasing dimensions of the result (C3)}}
  %0 = tet.broadcast_in_dim %x, dims = [1, 0] : (tensor<2x3xf32>) -> tensor<3x2xf32>
  return
}

// -----

func.func @broadcast_in_dim_c4(%x: tensor<2x3xf32>) {
  // expected-error @below {{cannot repeat dimension 1 of size 3 to 4 (C4)}}
  %0 = tet.broadcast_in_dim %x, dims = [0, 1] : (tensor<2x3xf32>) -> tensor<2x4xf32>
  return
}

// -----

func.func @reshape_c1(%x: tensor<2x3xf32>) {
  // expected-error @below {{element types differ (C1)}}
  %0 = tet.reshape %x : (tensor<2x3xf32>) -> tensor<6xf16>
  return
}

// -----

func.func @reshape_c2(%x: tensor<2x3xf32>) {
  // expected-error @below {{has 6 elements in and 5 out (C2)}}
  %0 = tet.reshape %x : (tensor<2x3xf32>) -> tensor<5xf32>
  return
}

// -----

func.func @bitcast_convert_c1(%x: tensor<2x3xf32>) {
  // expected-error @below {{does not keep the number of bits (C1)}}
  %0 = tet.bitcast_convert %x : (tensor<2x3xf32>) -> tensor<2x3xf16>
  return
}

// -----

func.func @bitcast_convert_c2(%x: tensor<2x3xf32>) {
  // expected-error @below {{shapes differ beyond the last dimension that the widths add or take (C2)}}
  %0 = tet.bitcast_convert %x : (tensor<2x3xf32>) -> tensor<4x3xf16>
  return
}

// -----

func.func @bitcast_convert_c3(%x: tensor<2xi8>) {
  // expected-error @below {{i1 and i4 convert only to themselves (C3)}}
  %0 = tet.bitcast_convert %x : (tensor<2xi8>) -> tensor<2x2xi4>
  return
}

// -----

func.func @transpose_c1(%x: tensor<2x3xf32>) {
  // expected-error @below {{[0, 0] is not a permutation of 2 dimensions (C1)}}
  %0 = tet.transpose %x, dims = [0, 0] : (tensor<2x3xf32>) -> tensor<2x3xf32>
  return
}

// -----

func.func @transpose_result(%x: tensor<2x3xf32>) {
  // expected-error @below {{gives 'tensor<3x2xf32>', not 'tensor<2x3xf32>'}}
  %0 = tet.transpose %x, dims = [1, 0] : (tensor<2x3xf32>) -> tensor<2x3xf32>
  return
}

// -----

func.func @reverse_c1(%x: tensor<2x3xf32>) {
  // expected-error @below {{dims [2] are not distinct dimensions of the operand (C1)}}
  %0 = tet.reverse %x, dims = [2] : (tensor<2x3xf32>) -> tensor<2x3xf32>
  return
}

// -----

func.func @slice_c1(%x: tensor<2x3xf32>) {
  // expected-error @below {{needs 2 starts, limits and strides (C1)}}
  %0 = tet.slice %x, starts = [0], limits = [2, 3], strides = [1, 1] : (tensor<2x3xf32>) -> tensor<2x3xf32>
  return
}

// -----

func.func @slice_c2(%x: tensor<2x3xf32>) {
  // expected-error @below {{range 1 to 4 leaves dimension 1 of size 3 (C2)}}
  %0 = tet.slice %x, starts = [0, 1], limits = [2, 4], strides = [1, 1] : (tensor<2x3xf32>) -> tensor<2x3xf32>
  return
}

// -----

func.func @slice_c3(%x: tensor<2x3xf32>) {
  // expected-error @below {{stride 0 is not positive (C3)}}
  %0 = tet.slice %x, starts = [0, 0], limits = [2, 3], strides = [1, 0] : (tensor<2x3xf32>) -> tensor<2x3xf32>
  return
}

// -----

func.func @dynamic_slice_c1(%x: tensor<2x3xf32>, %i: tensor<i32>) {
  // expected-error @below {{needs 2 starts and sizes (C1)}}
  %0 = tet.dynamic_slice %x[%i], sizes = [1, 1] : (tensor<2x3xf32>, tensor<i32>) -> tensor<1x1xf32>
  return
}

// -----

func.func @dynamic_slice_c2(%x: tensor<2x3xf32>, %i: tensor<i32>) {
  // expected-error @below {{size 4 does not fit in dimension 1 of size 3 (C2)}}
  %0 = tet.dynamic_slice %x[%i, %i], sizes = [1, 4] : (tensor<2x3xf32>, tensor<i32>, tensor<i32>) -> tensor<1x4xf32>
  return
}

// -----

func.func @dynamic_slice_c3(%x: tensor<2x3xf32>, %i: tensor<i32>, %j: tensor<i64>) {
  // expected-error @below {{starts have several types (C3)}}
  %0 = tet.dynamic_slice %x[%i, %j], sizes = [1, 1] : (tensor<2x3xf32>, tensor<i32>, tensor<i64>) -> tensor<1x1xf32>
  return
}

// -----

func.func @dynamic_update_slice_c1(%x: tensor<2x3xf32>, %u: tensor<1x1xf16>, %i: tensor<i32>) {
  // expected-error @below {{element types differ (C1)}}
  %0 = tet.dynamic_update_slice %x, %u[%i, %i] : (tensor<2x3xf32>, tensor<1x1xf16>, tensor<i32>, tensor<i32>) -> tensor<2x3xf32>
  return
}

// -----

func.func @dynamic_update_slice_c2(%x: tensor<2x3xf32>, %u: tensor<1xf32>, %i: tensor<i32>) {
  // expected-error @below {{operand, update and starts differ in rank (C2)}}
  %0 = tet.dynamic_update_slice %x, %u[%i, %i] : (tensor<2x3xf32>, tensor<1xf32>, tensor<i32>, tensor<i32>) -> tensor<2x3xf32>
  return
}

// -----

func.func @dynamic_update_slice_c3(%x: tensor<2x3xf32>, %u: tensor<3x1xf32>, %i: tensor<i32>) {
  // expected-error @below {{update is larger than the operand in dimension 0 (C3)}}
  %0 = tet.dynamic_update_slice %x, %u[%i, %i] : (tensor<2x3xf32>, tensor<3x1xf32>, tensor<i32>, tensor<i32>) -> tensor<2x3xf32>
  return
}

// -----

func.func @dynamic_update_slice_c4(%x: tensor<2x3xf32>, %u: tensor<1x1xf32>, %i: tensor<i32>, %j: tensor<i64>) {
  // expected-error @below {{starts have several types (C4)}}
  %0 = tet.dynamic_update_slice %x, %u[%i, %j] : (tensor<2x3xf32>, tensor<1x1xf32>, tensor<i32>, tensor<i64>) -> tensor<2x3xf32>
  return
}

// -----

func.func @pad_c1(%x: tensor<2x3xf32>, %v: tensor<f16>) {
  // expected-error @below {{padding value is not a scalar of the operand's element type (C1)}}
  %0 = tet.pad %x, %v, low = [0, 0], high = [0, 0], interior = [0, 0] : (tensor<2x3xf32>, tensor<f16>) -> tensor<2x3xf32>
  return
}

// -----

func.func @pad_c2(%x: tensor<2x3xf32>, %v: tensor<f32>) {
  // expected-error @below {{needs 2 low, high and interior paddings (C2)}}
  %0 = tet.pad %x, %v, low = [0], high = [0, 0], interior = [0, 0] : (tensor<2x3xf32>, tensor<f32>) -> tensor<2x3xf32>
  return
}

// -----

func.func @pad_c3(%x: tensor<2x3xf32>, %v: tensor<f32>) {
  // expected-error @below {{interior padding -1 is negative (C3)}}
  %0 = tet.pad %x, %v, low = [0, 0], high = [0, 0], interior = [0, -1] : (tensor<2x3xf32>, tensor<f32>) -> tensor<2x3xf32>
  return
}

// -----

func.func @pad_c4(%x: tensor<2x3xf32>, %v: tensor<f32>) {
  // expected-error @below {{dimension 0 becomes negative or too large (C4)}}
  %0 = tet.pad %x, %v, low = [-2, 0], high = [-1, 0], interior = [0, 0] : (tensor<2x3xf32>, tensor<f32>) -> tensor<0x3xf32>
  return
}

// -----

func.func @concatenate_c1() {
  // expected-error @below {{has no input (C1)}}
  %0 = tet.concatenate (), dim = 0 : () -> tensor<2xf32>
  return
}

// -----

func.func @concatenate_c2(%x: tensor<2x3xf32>) {
  // expected-error @below {{dimension -1 is not one of the inputs' (C2)}}
  %0 = tet.concatenate (%x), dim = -1 : (tensor<2x3xf32>) -> tensor<2x3xf32>
  return
}

// -----

func.func @concatenate_c3(%x: tensor<2x3xf32>, %y: tensor<2x2xf32>) {
  // expected-error @below {{input 1 does not agree with the first (C3)}}
  %0 = tet.concatenate (%x, %y), dim = 0 : (tensor<2x3xf32>, tensor<2x2xf32>) -> tensor<4x3xf32>
  return
}

// -----

func.func @pad_c4_overflow(%x: tensor<2x3xf32>, %v: tensor<f32>) {
  // expected-error @below {{dimension 1 becomes negative or too large (C4)}}
  %0 = tet.pad %x, %v, low = [0, 9223372036854775807], high = [0, 1], interior = [0, 9223372036854775806] : (tensor<2x3xf32>, tensor<f32>) -> tensor<2x3xf32>
  return
}
