// RUN: tet-opt %s -verify-diagnostics -split-input-file
//
// The numbered constraints of dot_general and convolution.

func.func @dot_general_c1(%x: tensor<2x3xf32>, %y: tensor<3x4xf32>) {
  // expected-error @below {{operands and result are not all floats or all integers (C1)}}
  %0 = tet.dot_general %x, %y, batching_dims = [] x [], contracting_dims = [1] x [0] : (tensor<2x3xf32>, tensor<3x4xf32>) -> tensor<2x4xi32>
  return
}

// -----

func.func @dot_general_c2(%x: tensor<2x3xf32>, %y: tensor<3x4xf32>) {
  // expected-error @below {{lhs and rhs differ in their number of batching or contracting dimensions (C2)}}
  %0 = tet.dot_general %x, %y, batching_dims = [] x [], contracting_dims = [1] x [0, 1] : (tensor<2x3xf32>, tensor<3x4xf32>) -> tensor<2x4xf32>
  return
}

// -----

func.func @dot_general_c3(%x: tensor<2x3xf32>, %y: tensor<3x4xf32>) {
  // expected-error @below {{batching and contracting dimensions are not distinct dimensions of their operand (C3)}}
  %0 = tet.dot_general %x, %y, batching_dims = [1] x [1], contracting_dims = [1] x [0] : (tensor<2x3xf32>, tensor<3x4xf32>) -> tensor<2x4xf32>
  return
}

// -----

func.func @dot_general_c4(%x: tensor<2x3xf32>, %y: tensor<3x4xf32>) {
  // expected-error @below {{dimension 0 of lhs has size 2 but its pair 0 of rhs 3 (C4)}}
  %0 = tet.dot_general %x, %y, batching_dims = [] x [], contracting_dims = [0] x [0] : (tensor<2x3xf32>, tensor<3x4xf32>) -> tensor<2x4xf32>
  return
}

// -----

func.func @dot_general_result(%x: tensor<2x3xf32>, %y: tensor<3x4xf32>) {
  // expected-error @below {{gives 'tensor<2x4xf32>', not 'tensor<2x5xf32>'}}
  %0 = tet.dot_general %x, %y, batching_dims = [] x [], contracting_dims = [1] x [0] : (tensor<2x3xf32>, tensor<3x4xf32>) -> tensor<2x5xf32>
  return
}

// -----

func.func @convolution_c1(%x: tensor<1x5x5x6xf32>, %k: tensor<3x3x6x4xf32>) {
  // expected-error @below {{operands and result are not all floats or all integers (C1)}}
  %0 = tet.convolution %x, %k {
      window_strides = array<i64: 1, 1>, padding = array<i64: 0, 0, 0, 0>, lhs_dilation = array<i64: 1, 1>,
      rhs_dilation = array<i64: 1, 1>, input_batch_dimension = 0, input_feature_dimension = 3,
      input_spatial_dimensions = array<i64: 1, 2>, kernel_input_feature_dimension = 2,
      kernel_output_feature_dimension = 3, kernel_spatial_dimensions = array<i64: 0, 1>, output_batch_dimension = 0,
      output_feature_dimension = 3, output_spatial_dimensions = array<i64: 1, 2>,
      feature_group_count = 1, batch_group_count = 1}
      : (tensor<1x5x5x6xf32>, tensor<3x3x6x4xf32>) -> tensor<1x3x3x4xi32>
  return
}

// -----

func.func @convolution_c2(%x: tensor<1x5x5x6xf32>, %k: tensor<3x3x6x4xf32>) {
  // expected-error @below {{dimension numbers do not name each dimension of input, kernel and output once (C2)}}
  %0 = tet.convolution %x, %k {
      window_strides = array<i64: 1, 1>, padding = array<i64: 0, 0, 0, 0>, lhs_dilation = array<i64: 1, 1>,
      rhs_dilation = array<i64: 1, 1>, input_batch_dimension = 0, input_feature_dimension = 3,
      input_spatial_dimensions = array<i64: 1, 3>, kernel_input_feature_dimension = 2,
      kernel_output_feature_dimension = 3, kernel_spatial_dimensions = array<i64: 0, 1>, output_batch_dimension = 0,
      output_feature_dimension = 3, output_spatial_dimensions = array<i64: 1, 2>,
      feature_group_count = 1, batch_group_count = 1}
      : (tensor<1x5x5x6xf32>, tensor<3x3x6x4xf32>) -> tensor<1x3x3x4xf32>
  return
}

// -----

func.func @convolution_c3(%x: tensor<1x5x5x6xf32>, %k: tensor<3x3x6x4xf32>) {
  // expected-error @below {{[1] is not one positive entry per spatial dimension (C3)}}
  %0 = tet.convolution %x, %k {
      window_strides = array<i64: 1>, padding = array<i64: 0, 0, 0, 0>, lhs_dilation = array<i64: 1, 1>,
      rhs_dilation = array<i64: 1, 1>, input_batch_dimension = 0, input_feature_dimension = 3,
      input_spatial_dimensions = array<i64: 1, 2>, kernel_input_feature_dimension = 2,
      kernel_output_feature_dimension = 3, kernel_spatial_dimensions = array<i64: 0, 1>, output_batch_dimension = 0,
      output_feature_dimension = 3, output_spatial_dimensions = array<i64: 1, 2>,
      feature_group_count = 1, batch_group_count = 1}
      : (tensor<1x5x5x6xf32>, tensor<3x3x6x4xf32>) -> tensor<1x3x3x4xf32>
  return
}

// -----

func.func @convolution_c3_padding(%x: tensor<1x5x5x6xf32>, %k: tensor<3x3x6x4xf32>) {
  // expected-error @below {{needs 4 paddings (C3)}}
  %0 = tet.convolution %x, %k {
      window_strides = array<i64: 1, 1>, padding = array<i64: 0, 0>, lhs_dilation = array<i64: 1, 1>,
      rhs_dilation = array<i64: 1, 1>, input_batch_dimension = 0, input_feature_dimension = 3,
      input_spatial_dimensions = array<i64: 1, 2>, kernel_input_feature_dimension = 2,
      kernel_output_feature_dimension = 3, kernel_spatial_dimensions = array<i64: 0, 1>, output_batch_dimension = 0,
      output_feature_dimension = 3, output_spatial_dimensions = array<i64: 1, 2>,
      feature_group_count = 1, batch_group_count = 1}
      : (tensor<1x5x5x6xf32>, tensor<3x3x6x4xf32>) -> tensor<1x3x3x4xf32>
  return
}

// -----

func.func @convolution_c4(%x: tensor<1x5x5x6xf32>, %k: tensor<3x3x6x4xf32>) {
  // expected-error @below {{group counts 2 and 2 are not positive, one of them 1 (C4)}}
  %0 = tet.convolution %x, %k {
      window_strides = array<i64: 1, 1>, padding = array<i64: 0, 0, 0, 0>, lhs_dilation = array<i64: 1, 1>,
      rhs_dilation = array<i64: 1, 1>, input_batch_dimension = 0, input_feature_dimension = 3,
      input_spatial_dimensions = array<i64: 1, 2>, kernel_input_feature_dimension = 2,
      kernel_output_feature_dimension = 3, kernel_spatial_dimensions = array<i64: 0, 1>, output_batch_dimension = 0,
      output_feature_dimension = 3, output_spatial_dimensions = array<i64: 1, 2>,
      feature_group_count = 2, batch_group_count = 2}
      : (tensor<1x5x5x6xf32>, tensor<3x3x6x4xf32>) -> tensor<1x3x3x4xf32>
  return
}

// -----

func.func @convolution_c5(%x: tensor<1x5x5x6xf32>, %k: tensor<3x3x6x4xf32>) {
  // expected-error @below {{has 6 input features, but the kernel 6 in each of 2 groups (C5)}}
  %0 = tet.convolution %x, %k {
      window_strides = array<i64: 1, 1>, padding = array<i64: 0, 0, 0, 0>, lhs_dilation = array<i64: 1, 1>,
      rhs_dilation = array<i64: 1, 1>, input_batch_dimension = 0, input_feature_dimension = 3,
      input_spatial_dimensions = array<i64: 1, 2>, kernel_input_feature_dimension = 2,
      kernel_output_feature_dimension = 3, kernel_spatial_dimensions = array<i64: 0, 1>, output_batch_dimension = 0,
      output_feature_dimension = 3, output_spatial_dimensions = array<i64: 1, 2>,
      feature_group_count = 2, batch_group_count = 1}
      : (tensor<1x5x5x6xf32>, tensor<3x3x6x4xf32>) -> tensor<1x3x3x4xf32>
  return
}

// -----

func.func @convolution_c6(%x: tensor<1x5x5x6xf32>, %k: tensor<3x3x6x4xf32>) {
  // expected-error @below {{output features or batch do not divide by the group count (C6)}}
  %0 = tet.convolution %x, %k {
      window_strides = array<i64: 1, 1>, padding = array<i64: 0, 0, 0, 0>, lhs_dilation = array<i64: 1, 1>,
      rhs_dilation = array<i64: 1, 1>, input_batch_dimension = 0, input_feature_dimension = 3,
      input_spatial_dimensions = array<i64: 1, 2>, kernel_input_feature_dimension = 2,
      kernel_output_feature_dimension = 3, kernel_spatial_dimensions = array<i64: 0, 1>, output_batch_dimension = 0,
      output_feature_dimension = 3, output_spatial_dimensions = array<i64: 1, 2>,
      feature_group_count = 1, batch_group_count = 2}
      : (tensor<1x5x5x6xf32>, tensor<3x3x6x4xf32>) -> tensor<1x3x3x4xf32>
  return
}

// -----

func.func @convolution_c7(%x: tensor<1x5x5x6xf32>, %k: tensor<3x3x6x4xf32>) {
  // expected-error @below {{kernel or padded input is empty in spatial dimension 0 (C7)}}
  %0 = tet.convolution %x, %k {
      window_strides = array<i64: 1, 1>, padding = array<i64: -3, -3, 0, 0>, lhs_dilation = array<i64: 1, 1>,
      rhs_dilation = array<i64: 1, 1>, input_batch_dimension = 0, input_feature_dimension = 3,
      input_spatial_dimensions = array<i64: 1, 2>, kernel_input_feature_dimension = 2,
      kernel_output_feature_dimension = 3, kernel_spatial_dimensions = array<i64: 0, 1>, output_batch_dimension = 0,
      output_feature_dimension = 3, output_spatial_dimensions = array<i64: 1, 2>,
      feature_group_count = 1, batch_group_count = 1}
      : (tensor<1x5x5x6xf32>, tensor<3x3x6x4xf32>) -> tensor<1x0x3x4xf32>
  return
}
