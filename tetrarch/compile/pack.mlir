// Weights [3, 18] in two panels of 16 columns, zero padded; slice(reshape(transpose(panels))) is what they were.
// RUN: tet-opt %s --tet-pack | FileCheck %s
// Constants fold that back to the same weights.
// RUN: tet-opt %s --tet-pack --tet-rewrite | FileCheck %s --check-prefix=BACK

// CHECK: %[[P:.*]] = tet.constant dense<{{.*}}> : tensor<2x3x16xi8>
// CHECK: %[[T:.*]] = tet.transpose %[[P]], dims = [1, 0, 2] : (tensor<2x3x16xi8>) -> tensor<3x2x16xi8>
// CHECK: %[[M:.*]] = tet.reshape %[[T]] : (tensor<3x2x16xi8>) -> tensor<3x32xi8>
// CHECK: %[[W:.*]] = tet.slice %[[M]], starts = [0, 0], limits = [3, 18], strides = [1, 1]
// CHECK: tet.dot_general %arg0, %[[W]]
// BACK: tet.constant dense<{{\[}}[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18], [0, 0
func.func @main(%x: tensor<2x3xi8>) -> tensor<2x18xi32> {
  %w = tet.constant dense<[[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18],
                           [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
                           [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]]> : tensor<3x18xi8>
  %0 = tet.dot_general %x, %w, batching_dims = [] x [], contracting_dims = [1] x [0]
    : (tensor<2x3xi8>, tensor<3x18xi8>) -> tensor<2x18xi32>
  return %0 : tensor<2x18xi32>
}
