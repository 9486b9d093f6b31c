// Softmax row by row: the row's maximum, exponentials and sum stay in scratch; reductions are vectors until their end.
// RUN: tetrarch-kernel %s --emit tile --vector-bytes 32 --vector-registers 16 | FileCheck %s

// CHECK-LABEL: func.func @softmax
// CHECK-SAME:    tile.units = 6
// CHECK-DAG:   %[[EXPONENTIALS:.*]] = memref.view %{{.*}} to memref<64xf32>
// CHECK:       scf.for
// CHECK:         :4 = scf.for
// CHECK-COUNT-4:   arith.maximumf {{.*}} vector<8xf32>
// CHECK:         vector.reduction <maximumf>
// CHECK:         scf.for
// CHECK:           math.exp {{.*}} : vector<8xf32>
// CHECK:           vector.store %{{.*}}, %[[EXPONENTIALS]]
// CHECK:         :4 = scf.for
// CHECK:         vector.reduction <add>
// CHECK:         scf.for
// CHECK:           arith.divf {{.*}} : vector<8xf32>
// CHECK:           vector.store %{{.*}}, %arg1
func.func @softmax(%x: tensor<2x3x64xf32>) -> tensor<2x3x64xf32> {
  %zero = arith.constant 0.0 : f32
  %low = arith.constant 0xFF800000 : f32
  %er = tensor.empty() : tensor<2x3xf32>
  %e = tensor.empty() : tensor<2x3x64xf32>
  %fm = linalg.fill ins(%low : f32) outs(%er : tensor<2x3xf32>) -> tensor<2x3xf32>
  %m = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2) -> (d0, d1, d2)>, affine_map<(d0, d1, d2) -> (d0, d1)>], iterator_types = ["parallel", "parallel", "reduction"]} ins(%x : tensor<2x3x64xf32>) outs(%fm : tensor<2x3xf32>) {
  ^bb0(%v: f32, %acc: f32):
    %a = arith.maximumf %acc, %v : f32
    linalg.yield %a : f32
  } -> tensor<2x3xf32>
  %ex = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2) -> (d0, d1, d2)>, affine_map<(d0, d1, d2) -> (d0, d1)>, affine_map<(d0, d1, d2) -> (d0, d1, d2)>], iterator_types = ["parallel", "parallel", "parallel"]} ins(%x, %m : tensor<2x3x64xf32>, tensor<2x3xf32>) outs(%e : tensor<2x3x64xf32>) {
  ^bb0(%v: f32, %mx: f32, %out: f32):
    %d = arith.subf %v, %mx : f32
    %a = math.exp %d : f32
    linalg.yield %a : f32
  } -> tensor<2x3x64xf32>
  %fs = linalg.fill ins(%zero : f32) outs(%er : tensor<2x3xf32>) -> tensor<2x3xf32>
  %s = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2) -> (d0, d1, d2)>, affine_map<(d0, d1, d2) -> (d0, d1)>], iterator_types = ["parallel", "parallel", "reduction"]} ins(%ex : tensor<2x3x64xf32>) outs(%fs : tensor<2x3xf32>) {
  ^bb0(%v: f32, %acc: f32):
    %a = arith.addf %acc, %v : f32
    linalg.yield %a : f32
  } -> tensor<2x3xf32>
  %y = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2) -> (d0, d1, d2)>, affine_map<(d0, d1, d2) -> (d0, d1)>, affine_map<(d0, d1, d2) -> (d0, d1, d2)>], iterator_types = ["parallel", "parallel", "parallel"]} ins(%ex, %s : tensor<2x3x64xf32>, tensor<2x3xf32>) outs(%e : tensor<2x3x64xf32>) {
  ^bb0(%v: f32, %sum: f32, %out: f32):
    %d = arith.divf %v, %sum : f32
    linalg.yield %d : f32
  } -> tensor<2x3x64xf32>
  return %y : tensor<2x3x64xf32>
}
