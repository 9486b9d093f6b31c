// A padded convolution: the lines that the unit reads are copied to scratch with their border, then no load is guarded.
// RUN: tetrarch-kernel %s --emit tile --vector-bytes 32 --vector-registers 16 | FileCheck %s

// CHECK-LABEL: func.func @convolution
// CHECK:       %[[LINES:.*]] = memref.view %arg5
// CHECK:       scf.for
// CHECK:         %[[OUTSIDE:.*]] = arith.cmpi uge
// CHECK:         scf.if %[[OUTSIDE]] {
// CHECK:           vector.store %{{.*}}, %[[LINES]]
// CHECK:         } else {
// CHECK:           vector.load %arg0
// CHECK:           vector.store %{{.*}}, %[[LINES]]
// CHECK:         }
// CHECK:       scf.for
// The kernel's columns and channels are one loop of 3 * 8.
// CHECK:         :12 = scf.for %{{.*}} = %c0 to %c3 step %c1
// CHECK:           :12 = scf.for %{{.*}} = %c0 to %c24 step %c1
// CHECK-NOT:         scf.if
// CHECK:             memref.load %[[LINES]]
// CHECK-COUNT-12:    math.fma
// CHECK:         arith.maximumf
// CHECK:         vector.store {{.*}}, %arg3
func.func @convolution(%x: tensor<1x6x6x8xf32>, %w: tensor<1x3x3x8x16xf32>, %b: tensor<16xf32>) -> tensor<1x6x6x16xf32> {
  %zero = arith.constant 0.0 : f32
  %p = tensor.pad %x low[0, 1, 1, 0] high[0, 1, 1, 0] {
  ^bb0(%i0: index, %i1: index, %i2: index, %i3: index):
    tensor.yield %zero : f32
  } : tensor<1x6x6x8xf32> to tensor<1x8x8x8xf32>
  %e = tensor.empty() : tensor<1x6x6x16xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<1x6x6x16xf32>) -> tensor<1x6x6x16xf32>
  %c = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2, d3, d4, d5, d6) -> (d0, d1 + d4, d2 + d5, d6)>, affine_map<(d0, d1, d2, d3, d4, d5, d6) -> (d3 floordiv 16, d4, d5, d6, d3 mod 16)>, affine_map<(d0, d1, d2, d3, d4, d5, d6) -> (d0, d1, d2, d3)>], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]} ins(%p, %w : tensor<1x8x8x8xf32>, tensor<1x3x3x8x16xf32>) outs(%f : tensor<1x6x6x16xf32>) {
  ^bb0(%lhs: f32, %rhs: f32, %acc: f32):
    %m = arith.mulf %lhs, %rhs : f32
    %s = arith.addf %acc, %m : f32
    linalg.yield %s : f32
  } -> tensor<1x6x6x16xf32>
  %y = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>, affine_map<(d0, d1, d2, d3) -> (d3)>, affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%c, %b : tensor<1x6x6x16xf32>, tensor<16xf32>) outs(%e : tensor<1x6x6x16xf32>) {
  ^bb0(%v: f32, %bias: f32, %out: f32):
    %s = arith.addf %v, %bias : f32
    %m = arith.maximumf %s, %zero : f32
    linalg.yield %m : f32
  } -> tensor<1x6x6x16xf32>
  return %y : tensor<1x6x6x16xf32>
}
