// The pass flow-expand-math: what no operator computes becomes what operators do.
// RUN: tetrarch-kernel %s --emit flow | FileCheck %s

// |x| = max(x, 0 - x)
// CHECK-LABEL: flow.kernel @absolute
// CHECK:         %[[X:.*]] = flow.pop
// CHECK:         %[[N:.*]] = arith.subi %{{.*}}, %[[X]] : i16
// CHECK:         arith.maxsi %[[X]], %[[N]] : i16
func.func @absolute(%x0: tensor<8xi16>) -> tensor<8xi16> {
  %e = tensor.empty() : tensor<8xi16>
  %y = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]}
      ins(%x0 : tensor<8xi16>) outs(%e : tensor<8xi16>) {
  ^bb0(%v0: i16, %o: i16):
    %a = math.absi %v0 : i16
    linalg.yield %a : i16
  } -> tensor<8xi16>
  return %y : tensor<8xi16>
}

// Two roundings: a kernel's twin has them, too.
// CHECK-LABEL: flow.kernel @multiply_add
// CHECK:         %[[P:.*]] = arith.mulf
// CHECK:         arith.addf %[[P]]
func.func @multiply_add(%x0: tensor<8xf32>, %x1: tensor<8xf32>) -> tensor<8xf32> {
  %e = tensor.empty() : tensor<8xf32>
  %y = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]}
      ins(%x0, %x1 : tensor<8xf32>, tensor<8xf32>) outs(%e : tensor<8xf32>) {
  ^bb0(%v0: f32, %v1: f32, %o: f32):
    %a = math.fma %v0, %v1, %v0 : f32
    linalg.yield %a : f32
  } -> tensor<8xf32>
  return %y : tensor<8xf32>
}

// The bits below the lowest one that is set, counted.
// CHECK-LABEL: flow.kernel @trailing_zeros
// CHECK:         %[[X:.*]] = flow.pop
// CHECK-DAG:     %[[NOT:.*]] = arith.xori %[[X]]
// CHECK-DAG:     %[[LESS:.*]] = arith.subi %[[X]]
// CHECK:         %[[BELOW:.*]] = arith.andi %[[NOT]], %[[LESS]]
// CHECK:         math.ctpop %[[BELOW]]
func.func @trailing_zeros(%x0: tensor<8xi32>) -> tensor<8xi32> {
  %e = tensor.empty() : tensor<8xi32>
  %y = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]}
      ins(%x0 : tensor<8xi32>) outs(%e : tensor<8xi32>) {
  ^bb0(%v0: i32, %o: i32):
    %a = math.cttz %v0 : i32
    linalg.yield %a : i32
  } -> tensor<8xi32>
  return %y : tensor<8xi32>
}

// The other operand where one is a NaN.
// CHECK-LABEL: flow.kernel @number
// CHECK-DAG:     arith.maximumf
// CHECK-DAG:     %[[YN:.*]] = arith.cmpf uno, %[[YV:.*]], %[[YV]]
// CHECK:         %[[XY:.*]] = arith.select %[[YN]]
// CHECK-DAG:     %[[XN:.*]] = arith.cmpf uno
// CHECK:         arith.select %[[XN]], %{{.*}}, %[[XY]]
func.func @number(%x0: tensor<8xf32>, %x1: tensor<8xf32>) -> tensor<8xf32> {
  %e = tensor.empty() : tensor<8xf32>
  %y = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]}
      ins(%x0, %x1 : tensor<8xf32>, tensor<8xf32>) outs(%e : tensor<8xf32>) {
  ^bb0(%v0: f32, %v1: f32, %o: f32):
    %a = arith.maxnumf %v0, %v1 : f32
    linalg.yield %a : f32
  } -> tensor<8xf32>
  return %y : tensor<8xf32>
}

// Functions are polynomials in f32, whatever they are of.
// CHECK-LABEL: flow.kernel @exponential
// CHECK:         %[[X:.*]] = flow.pop
// CHECK:         %[[W:.*]] = arith.extf %[[X]] : f16 to f32
// CHECK-NOT:     math.exp
// CHECK:         arith.truncf %{{.*}} : f32 to f16
func.func @exponential(%x0: tensor<8xf16>) -> tensor<8xf16> {
  %e = tensor.empty() : tensor<8xf16>
  %y = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]}
      ins(%x0 : tensor<8xf16>) outs(%e : tensor<8xf16>) {
  ^bb0(%v0: f16, %o: f16):
    %a = math.exp %v0 : f16
    linalg.yield %a : f16
  } -> tensor<8xf16>
  return %y : tensor<8xf16>
}
