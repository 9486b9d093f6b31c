// RUN: tetrarch-kernel --emit opencl %s | FileCheck %s

// A packed matrix product with bias: one work-item a tile of 7 x 16, the bias added in registers, one store a row.
// CHECK:      __attribute__((reqd_work_group_size(TET_LOCAL_ITEMS, 1, 1)))
// CHECK-NEXT: __kernel void k0_matmul(__global const float* restrict in0,
// CHECK:        __global float* restrict out0,
// CHECK-NEXT:   const long item_end) {
// CHECK-NEXT:   const int unit = (int)get_global_id(0);
// CHECK-NEXT:   if ((long)unit < item_end) {
// CHECK-COUNT-7:  float16 acc{{[0-9]*}} = (float16)(0.0f);
// CHECK-NOT:      float16 acc
// CHECK:          for (int i = 0; i < 64; ++i) {
// CHECK:            const float16 [[RHS:x[0-9]*]] = vload16(0, in1 + {{.*}}i * 16);
// CHECK-COUNT-7:    acc{{[0-9]*}} = fma((float16)({{x[0-9]*}}), [[RHS]], acc{{[0-9]*}});
// CHECK:          }
// CHECK:          const float16 [[BIAS:x[0-9]*]] = vload16(0, in2
// CHECK-COUNT-7:  vstore16(acc{{[0-9]*}} + [[BIAS]], 0, out0
func.func @matmul(%x: tensor<49x64xf32>, %w: tensor<2x64x16xf32>, %b: tensor<32xf32>) -> tensor<49x32xf32> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<49x32xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<49x32xf32>) -> tensor<49x32xf32>
  %c = linalg.generic {indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (n floordiv 16, k, n mod 16)>, affine_map<(m, n, k) -> (m, n)>], iterator_types = ["parallel", "parallel", "reduction"]} ins(%x, %w : tensor<49x64xf32>, tensor<2x64x16xf32>) outs(%f : tensor<49x32xf32>) {
  ^bb0(%l: f32, %r: f32, %a: f32):
    %p = arith.mulf %l, %r : f32
    %s = arith.addf %a, %p : f32
    linalg.yield %s : f32
  } -> tensor<49x32xf32>
  %y = linalg.generic {indexing_maps = [affine_map<(m, n) -> (m, n)>, affine_map<(m, n) -> (n)>, affine_map<(m, n) -> (m, n)>], iterator_types = ["parallel", "parallel"]} ins(%c, %b : tensor<49x32xf32>, tensor<32xf32>) outs(%e : tensor<49x32xf32>) {
  ^bb0(%v: f32, %bias: f32, %o: f32):
    %s = arith.addf %v, %bias : f32
    linalg.yield %s : f32
  } -> tensor<49x32xf32>
  return %y : tensor<49x32xf32>
}

// Elementwise work: work-groups of 64 work-items, sixteen elements each.
// CHECK:      __attribute__((reqd_work_group_size(64, 1, 1)))
// CHECK-NEXT: __kernel void k1_gelu(
// CHECK:          vload16(0, in0
// CHECK:          erf(
// CHECK:          vstore16(
func.func @gelu(%x: tensor<4096xf32>) -> tensor<4096xf32> {
  %half = arith.constant 0.5 : f32
  %one = arith.constant 1.0 : f32
  %root = arith.constant 0.70710678 : f32
  %e = tensor.empty() : tensor<4096xf32>
  %y = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]} ins(%x : tensor<4096xf32>) outs(%e : tensor<4096xf32>) {
  ^bb0(%v: f32, %o: f32):
    %s = arith.mulf %v, %root : f32
    %t = math.erf %s : f32
    %u = arith.addf %t, %one : f32
    %h = arith.mulf %v, %half : f32
    %r = arith.mulf %h, %u : f32
    linalg.yield %r : f32
  } -> tensor<4096xf32>
  return %y : tensor<4096xf32>
}
