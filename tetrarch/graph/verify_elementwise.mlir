// RUN: tet-opt %s -verify-diagnostics -split-input-file
//
// The numbered constraints of the elementwise ops: one breach a function, named <op>_c<number>.

func.func @add_c1(%x: tensor<2x3xf32>, %y: tensor<3x2xf32>) {
  // expected-error @below {{failed to verify that all of {lhs, rhs, result} have same type (C1)}}
  %0 = "tet.add"(%x, %y) : (tensor<2x3xf32>, tensor<3x2xf32>) -> tensor<2x3xf32>
  return
}

// -----

func.func @add_element_type(%x: tensor<2xi1>) {
  // expected-error @below {{operand #0 must be statically shaped number tensor}}
  %0 = tet.add %x, %x : tensor<2xi1>
  return
}

// -----

func.func @add_static_shape(%x: tensor<?xf32>) {
  // expected-error @below {{operand #0 must be statically shaped number tensor}}
  %0 = tet.add %x, %x : tensor<?xf32>
  return
}

// -----

func.func @add_known_element_type(%x: tensor<2xi7>) {
  // expected-error @below {{operand #0 must be statically shaped number tensor}}
  %0 = tet.add %x, %x : tensor<2xi7>
  return
}

// -----

func.func @tanh_c1(%x: tensor<2xf32>) {
  // expected-error @below {{failed to verify that all of {operand, result} have same type (C1)}}
  %0 = "tet.tanh"(%x) : (tensor<2xf32>) -> tensor<3xf32>
  return
}

// -----

func.func @compare_c1(%x: tensor<2xf32>, %y: tensor<2xf16>) {
  // expected-error @below {{failed to verify that all of {lhs, rhs} have same type (C1)}}
  %0 = tet.compare EQ, %x, %y : (tensor<2xf32>, tensor<2xf16>) -> tensor<2xi1>
  return
}

// -----

func.func @select_c1(%p: tensor<2xi1>, %x: tensor<2xf32>, %y: tensor<2xf16>) {
  // expected-error @below {{failed to verify that all of {on_true, on_false, result} have same type (C1)}}
  %0 = "tet.select"(%p, %x, %y) : (tensor<2xi1>, tensor<2xf32>, tensor<2xf16>) -> tensor<2xf32>
  return
}

// -----

func.func @select_pred_shape(%p: tensor<i1>, %x: tensor<2xf32>) {
  // expected-error @below {{requires the same shape for all operands and results}}
  %0 = tet.select %p, %x, %x : tensor<i1>, tensor<2xf32>
  return
}

// -----

func.func @clamp_c1(%a: tensor<f32>, %x: tensor<2xf32>) {
  // expected-error @below {{failed to verify that all of {min, operand, max, result} have same type (C1)}}
  %0 = "tet.clamp"(%a, %x, %a) : (tensor<f32>, tensor<2xf32>, tensor<f32>) -> tensor<2xf32>
  return
}

// -----

func.func @convert_c1(%x: tensor<2xf32>) {
  // expected-error @below {{failed to verify that all of {operand, result} have same shape (C1)}}
  %0 = tet.convert %x : (tensor<2xf32>) -> tensor<3xf16>
  return
}

// -----

func.func @is_finite_c1(%x: tensor<2xf32>) {
  // expected-error @below {{failed to verify that all of {operand, result} have same shape (C1)}}
  %0 = tet.is_finite %x : (tensor<2xf32>) -> tensor<3xi1>
  return
}

// -----

func.func @add_countable(%x: tensor<4294967296x4294967296xf32>) {
  // expected-error @below {{operand #0 must be statically shaped number tensor}}
  %0 = tet.add %x, %x : tensor<4294967296x4294967296xf32>
  return
}
