// A matrix product with packed weights: tiles of 5 rows by two vectors, the bias added before the only store; the last row
// tile is moved back into the matrix, and the 8 columns of the last panel get a narrower tile.
// RUN: tetrarch-kernel %s --emit tile --vector-bytes 32 --vector-registers 16 | FileCheck %s

// CHECK-LABEL: func.func @product
// CHECK-SAME:    tile.choice = "rows=5 vectors=2 unit_rows=14 unit_columns=40"
// CHECK:       scf.for %[[COLUMN:.*]] = %c0 to %c2 step %c1
// CHECK:         scf.for %[[ROW:.*]] = %c0 to %c3 step %c1
// CHECK:           %[[START:.*]] = arith.muli %[[ROW]], %c5
// CHECK:           arith.minsi %[[START]], %c9
// CHECK:           %[[SUMS:.*]]:10 = scf.for
// CHECK:             memref.load %arg0
// CHECK:             vector.load %arg1{{.*}} vector<8xf32>
// CHECK-COUNT-10:    math.fma
// CHECK:             scf.yield
// CHECK:           vector.load %arg2
// CHECK-NEXT:      arith.addf %[[SUMS]]#0
// CHECK-NEXT:      vector.store {{.*}}, %arg3
// CHECK-COUNT-9:   vector.store {{.*}}, %arg3
// CHECK:       scf.for
// CHECK:         :5 = scf.for
// CHECK-COUNT-5:   vector.store {{.*}}, %arg3
// CHECK:       return
func.func @product(%x: tensor<14x8xf32>, %w: tensor<3x8x16xf32>, %b: tensor<40xf32>) -> tensor<14x40xf32> {
  %zero = arith.constant 0.0 : f32
  %half = arith.constant 0.5 : f32
  %one = arith.constant 1.0 : f32
  %r = arith.constant 0.707106769 : f32
  %e = tensor.empty() : tensor<14x40xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<14x40xf32>) -> tensor<14x40xf32>
  %c = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2) -> (d0, d2)>, affine_map<(d0, d1, d2) -> (d1 floordiv 16, d2, d1 mod 16)>, affine_map<(d0, d1, d2) -> (d0, d1)>], iterator_types = ["parallel", "parallel", "reduction"]} ins(%x, %w : tensor<14x8xf32>, tensor<3x8x16xf32>) outs(%f : tensor<14x40xf32>) {
  ^bb0(%lhs: f32, %rhs: f32, %acc: f32):
    %m = arith.mulf %lhs, %rhs : f32
    %s = arith.addf %acc, %m : f32
    linalg.yield %s : f32
  } -> tensor<14x40xf32>
  %y = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d1)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%c, %b : tensor<14x40xf32>, tensor<40xf32>) outs(%e : tensor<14x40xf32>) {
  ^bb0(%v: f32, %bias: f32, %out: f32):
    %s = arith.addf %v, %bias : f32
    linalg.yield %s : f32
  } -> tensor<14x40xf32>
  return %y : tensor<14x40xf32>
}
