// The kernel of a convolution with 2 groups of 17 features: panels for each group, zero padded, of which the kernel is put
// together again.
// RUN: tet-opt %s --tet-pack | FileCheck %s
// Constants fold that back to the same kernel.
// RUN: tet-opt %s --tet-pack --tet-rewrite | FileCheck %s --check-prefix=BACK
// The task reads the panels as they are stored, and adds bias and residual in the loops over groups; what joins the features
// moves nothing, and comes last.
// RUN: tet-opt %s --tet-pack --tet-fuse --tet-tasks | FileCheck %s --check-prefix=TASK

// CHECK: %[[P:.*]] = tet.constant dense<{{.*}}> : tensor<2x2x1x1x2x16xi8>
// CHECK: %[[T:.*]] = tet.transpose %[[P]], dims = [0, 2, 3, 4, 1, 5] : (tensor<2x2x1x1x2x16xi8>) -> tensor<2x1x1x2x2x16xi8>
// CHECK: %[[M:.*]] = tet.reshape %[[T]] : (tensor<2x1x1x2x2x16xi8>) -> tensor<2x1x1x2x32xi8>
// CHECK: %[[S:.*]] = tet.slice %[[M]], starts = [0, 0, 0, 0, 0], limits = [2, 1, 1, 2, 17]
// CHECK: %[[G:.*]] = tet.transpose %[[S]], dims = [1, 2, 3, 0, 4] : (tensor<2x1x1x2x17xi8>) -> tensor<1x1x2x2x17xi8>
// CHECK: %[[W:.*]] = tet.reshape %[[G]] : (tensor<1x1x2x2x17xi8>) -> tensor<1x1x2x34xi8>
// CHECK: tet.convolution %arg0, %[[W]]
// BACK: tet.constant dense<{{\[\[\[}}[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 21, 22, 23,
// TASK-DAG: #[[RHS:.*]] = affine_map<(d0, d1, d2, d3, d4, d5, d6, d7) -> (d3, d4 floordiv 16, d5, d6, d7, d4 mod 16)>
// TASK-DAG: #[[BIAS:.*]] = affine_map<(d0, d1, d2, d3, d4) -> (d3, d4)>
// TASK: tet.task "convolution"
// TASK: ^bb0(%{{.*}}: tensor<1x3x3x4xi8>, %[[P:.*]]: tensor<2x2x1x1x2x16xi8>, %[[B:.*]]: tensor<34xi32>, %[[R:.*]]: tensor<1x3x3x34xi32>)
// TASK: %[[SUM:.*]] = linalg.generic {indexing_maps = [#{{.*}}, #[[RHS]], #{{.*}}]
// TASK-DAG: %[[BE:.*]] = tensor.expand_shape %[[B]] {{.*}} output_shape [2, 17]
// TASK-DAG: %[[RE:.*]] = tensor.expand_shape %[[R]] {{.*}} output_shape [1, 3, 3, 2, 17]
// TASK: %[[Y:.*]] = linalg.generic {indexing_maps = [#[[ID:map[0-9]*]], #[[BIAS]], #[[ID]], #[[ID]]]
// TASK-SAME: ins(%[[SUM]], %[[BE]], %[[RE]] : {{.*}}) outs(%{{.*}} : tensor<1x3x3x2x17xi32>)
// TASK: %[[J:.*]] = tensor.collapse_shape %[[Y]]
// TASK-NEXT: tet.yield %[[J]]
func.func @main(%x: tensor<1x3x3x4xi8>, %b: tensor<34xi32>, %r: tensor<1x3x3x34xi32>) -> tensor<1x3x3x34xi32> {
  %w = tet.constant dense<[[[[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17,
                              21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37],
                             [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                              1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]]]]> : tensor<1x1x2x34xi8>
  %0 = tet.convolution %x, %w {window_strides = array<i64: 1, 1>, padding = array<i64: 0, 0, 0, 0>,
    lhs_dilation = array<i64: 1, 1>, rhs_dilation = array<i64: 1, 1>, input_batch_dimension = 0 : i64,
    input_feature_dimension = 3 : i64, input_spatial_dimensions = array<i64: 1, 2>,
    kernel_input_feature_dimension = 2 : i64, kernel_output_feature_dimension = 3 : i64,
    kernel_spatial_dimensions = array<i64: 0, 1>, output_batch_dimension = 0 : i64,
    output_feature_dimension = 3 : i64, output_spatial_dimensions = array<i64: 1, 2>, feature_group_count = 2 : i64}
    : (tensor<1x3x3x4xi8>, tensor<1x1x2x34xi8>) -> tensor<1x3x3x34xi32>
  %bb = tet.broadcast_in_dim %b, dims = [3] : (tensor<34xi32>) -> tensor<1x3x3x34xi32>
  %1 = tet.add %0, %bb : tensor<1x3x3x34xi32>
  %2 = tet.add %1, %r : tensor<1x3x3x34xi32>
  return %2 : tensor<1x3x3x34xi32>
}
