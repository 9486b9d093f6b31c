// RUN: tet-opt %s --tet-bfloat --split-input-file | FileCheck %s

// Weights are rounded once, an activation where it is made; sums stay f32.
// CHECK-LABEL: func.func @product
// CHECK-DAG: %[[W:.*]] = tet.constant dense<{{.*}}> : tensor<2x2xbf16>
// CHECK-DAG: %[[X:.*]] = tet.convert %arg0 : (tensor<4x2xf32>) -> tensor<4x2xbf16>
// CHECK: %[[Y:.*]] = tet.dot_general %[[X]], %[[W]]{{.*}} : (tensor<4x2xbf16>, tensor<2x2xbf16>) -> tensor<4x2xf32>
// CHECK: %[[Z:.*]] = tet.dot_general %[[X]], %[[W]]
// CHECK: tet.add %[[Y]], %[[Z]] : tensor<4x2xf32>
func.func @product(%x: tensor<4x2xf32>) -> tensor<4x2xf32> {
  %w = tet.constant dense<[[1.0, 1.001], [0.5, 3.14159]]> : tensor<2x2xf32>
  %y = tet.dot_general %x, %w, batching_dims = [] x [], contracting_dims = [1] x [0] : (tensor<4x2xf32>, tensor<2x2xf32>) -> tensor<4x2xf32>
  %z = tet.dot_general %x, %w, batching_dims = [] x [], contracting_dims = [1] x [0] : (tensor<4x2xf32>, tensor<2x2xf32>) -> tensor<4x2xf32>
  %s = tet.add %y, %z : tensor<4x2xf32>
  return %s : tensor<4x2xf32>
}

// -----

// Other numbers stay as they are.
// CHECK-LABEL: func.func @integers
// CHECK: tet.dot_general %arg0, %arg1{{.*}} : (tensor<4x2xi8>, tensor<2x3xi8>) -> tensor<4x3xi32>
func.func @integers(%x: tensor<4x2xi8>, %w: tensor<2x3xi8>) -> tensor<4x3xi32> {
  %y = tet.dot_general %x, %w, batching_dims = [] x [], contracting_dims = [1] x [0] : (tensor<4x2xi8>, tensor<2x3xi8>) -> tensor<4x3xi32>
  return %y : tensor<4x3xi32>
}
