// What is put together from boxes: each box is a nest that writes where it belongs, and units of its own.
// RUN: tetrarch-kernel %s --emit tile --vector-bytes 32 | FileCheck %s
// RUN: tetrarch-kernel %s --check --threads 2 | FileCheck %s --check-prefix=SAME

// A concatenation: the first half of the result is copied, the second computed.
// CHECK-LABEL: func.func @concatenate
// CHECK-SAME: tile.units = 2
// CHECK: %[[FIRST:.*]] = arith.cmpi slt
// CHECK: scf.if %[[FIRST]]
// CHECK: vector.load %arg0
// CHECK: vector.store %{{.*}}, %arg2
// CHECK: else
// CHECK: arith.negf %{{.*}} : vector<8xf32>
// CHECK: vector.store %{{.*}}, %arg2
// SAME: concatenate relative difference 0
func.func @concatenate(%x: tensor<4x16xf32>, %y: tensor<4x16xf32>) -> tensor<4x32xf32> {
  %e = tensor.empty() : tensor<4x16xf32>
  %a = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]}
      ins(%x : tensor<4x16xf32>) outs(%e : tensor<4x16xf32>) {
  ^bb0(%v: f32, %o: f32):
    linalg.yield %v : f32
  } -> tensor<4x16xf32>
  %b = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]}
      ins(%y : tensor<4x16xf32>) outs(%e : tensor<4x16xf32>) {
  ^bb0(%v: f32, %o: f32):
    %n = arith.negf %v : f32
    linalg.yield %n : f32
  } -> tensor<4x16xf32>
  %r = tensor.empty() : tensor<4x32xf32>
  %0 = tensor.insert_slice %a into %r[0, 0] [4, 16] [1, 1] : tensor<4x16xf32> into tensor<4x32xf32>
  %1 = tensor.insert_slice %b into %0[0, 16] [4, 16] [1, 1] : tensor<4x16xf32> into tensor<4x32xf32>
  return %1 : tensor<4x32xf32>
}

// A slice is read where it lies: from element 3 * 8 + 1, every second row.
// CHECK-LABEL: func.func @slice
// CHECK: %[[START:.*]] = arith.constant 25 : index
// CHECK-NOT: scf.if
// CHECK: arith.addi %{{.*}}, %[[START]]
// CHECK: vector.load %arg0
// SAME: slice relative difference 0
func.func @slice(%x: tensor<9x8xf32>) -> tensor<3x7xf32> {
  %s = tensor.extract_slice %x[3, 1] [3, 7] [2, 1] : tensor<9x8xf32> to tensor<3x7xf32>
  %e = tensor.empty() : tensor<3x7xf32>
  %y = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]}
      ins(%s : tensor<3x7xf32>) outs(%e : tensor<3x7xf32>) {
  ^bb0(%v: f32, %o: f32):
    linalg.yield %v : f32
  } -> tensor<3x7xf32>
  return %y : tensor<3x7xf32>
}
