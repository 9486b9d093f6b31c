// RUN: tet-opt %s --tet-tasks --split-input-file | FileCheck %s

// A product is a generic over a zeroed tensor and one epilogue; f16 is summed in f32 and rounded once.
// CHECK-DAG: #[[LHS:.*]] = affine_map<(d0, d1, d2) -> (d0, d2)>
// CHECK-DAG: #[[RHS:.*]] = affine_map<(d0, d1, d2) -> (d2, d1)>
// CHECK-LABEL: func.func @product
// CHECK: tet.task "fc"(%arg0, %arg1) {bytes = 448 : i64, flops = {{.*}}, root = "dot_general"}
// CHECK: ^bb0(%[[X:.*]]: tensor<4x8xf16>, %[[W:.*]]: tensor<8x16xf16>):
// CHECK: linalg.fill ins(%{{.*}} : f32)
// CHECK: linalg.generic {indexing_maps = [#[[LHS]], #[[RHS]]
// CHECK-SAME: iterator_types = ["parallel", "parallel", "reduction"]
// CHECK: arith.extf %{{.*}} : f16 to f32
// CHECK: arith.mulf
// CHECK: arith.addf
// CHECK: linalg.generic
// CHECK-SAME: iterator_types = ["parallel", "parallel"]
// CHECK: arith.truncf %{{.*}} : f32 to f16
// CHECK: math.exp
// CHECK: arith.truncf
// CHECK-NOT: linalg.generic
// CHECK: tet.yield
func.func @product(%x: tensor<4x8xf16>, %w: tensor<8x16xf16>) -> tensor<4x16xf16> {
  %0 = tet.composite "task" (%x, %w) with {name = "fc", root = "dot_general"}
      : (tensor<4x8xf16>, tensor<8x16xf16>) -> tensor<4x16xf16> {
  ^bb0(%a: tensor<4x8xf16>, %b: tensor<8x16xf16>):
    %p = tet.dot_general %a, %b, batching_dims = [] x [], contracting_dims = [1] x [0]
      : (tensor<4x8xf16>, tensor<8x16xf16>) -> tensor<4x16xf16>
    %e = tet.exponential %p : tensor<4x16xf16>
    tet.return %e : tensor<4x16xf16>
  }
  return %0 : tensor<4x16xf16>
}

// -----

// Weights in panels are read as they are stored.
// CHECK-DAG: affine_map<(d0, d1, d2) -> (d1 floordiv 16, d2, d1 mod 16)>
// CHECK-LABEL: func.func @panels
// CHECK: ^bb0(%{{.*}}: tensor<2x3xf32>, %[[P:.*]]: tensor<2x3x16xf32>):
// CHECK-NOT: tensor.extract_slice
// CHECK: linalg.generic {{.*}} ins(%{{.*}}, %[[P]] : tensor<2x3xf32>, tensor<2x3x16xf32>)
func.func @panels(%x: tensor<2x3xf32>, %panels: tensor<2x3x16xf32>) -> tensor<2x18xf32> {
  %0 = tet.composite "task" (%x, %panels) with {name = "fc", root = "dot_general"}
      : (tensor<2x3xf32>, tensor<2x3x16xf32>) -> tensor<2x18xf32> {
  ^bb0(%a: tensor<2x3xf32>, %b: tensor<2x3x16xf32>):
    %t = tet.transpose %b, dims = [1, 0, 2] : (tensor<2x3x16xf32>) -> tensor<3x2x16xf32>
    %m = tet.reshape %t : (tensor<3x2x16xf32>) -> tensor<3x32xf32>
    %w = tet.slice %m, starts = [0, 0], limits = [3, 18], strides = [1, 1] : (tensor<3x32xf32>) -> tensor<3x18xf32>
    %p = tet.dot_general %a, %w, batching_dims = [] x [], contracting_dims = [1] x [0]
      : (tensor<2x3xf32>, tensor<3x18xf32>) -> tensor<2x18xf32>
    tet.return %p : tensor<2x18xf32>
  }
  return %0 : tensor<2x18xf32>
}

// -----

// A chain of elementwise ops with a broadcast is one generic; i1 lives in an i8.
// CHECK-LABEL: func.func @chain
// CHECK: ^bb0(%{{.*}}: tensor<4x8xf32>, %{{.*}}: tensor<8xf32>):
// CHECK: linalg.generic
// CHECK: arith.addf
// CHECK: arith.cmpf olt
// CHECK: arith.extui %{{.*}} : i1 to i8
// CHECK-NOT: linalg.generic
// CHECK: tet.yield %{{.*}} : tensor<4x8xi8>
func.func @chain(%x: tensor<4x8xf32>, %b: tensor<8xf32>) -> tensor<4x8xi1> {
  %0 = tet.composite "task" (%x, %b) with {name = "compare", root = "compare"}
      : (tensor<4x8xf32>, tensor<8xf32>) -> tensor<4x8xi1> {
  ^bb0(%a: tensor<4x8xf32>, %c: tensor<8xf32>):
    %cb = tet.broadcast_in_dim %c, dims = [1] : (tensor<8xf32>) -> tensor<4x8xf32>
    %s = tet.add %a, %cb : tensor<4x8xf32>
    %one = tet.constant dense<1.0> : tensor<4x8xf32>
    %p = tet.compare LT, %s, %one : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xi1>
    tet.return %p : tensor<4x8xi1>
  }
  return %0 : tensor<4x8xi1>
}

// -----

// Parts that have arithmetic in common are computed in one loop.
// CHECK-LABEL: func.func @side_by_side
// CHECK: linalg.generic {{.*}} ins(%{{.*}} : tensor<4x8xf32>) outs(%{{.*}}, %{{.*}} : tensor<4x8xf32>, tensor<4x8xf32>)
// CHECK-NOT: linalg.generic
// CHECK-COUNT-2: tensor.insert_slice
func.func @side_by_side(%x: tensor<4x8xf32>) -> tensor<8x8xf32> {
  %t = tet.composite "task"(%x) with {name = "t", root = "concatenate"} : (tensor<4x8xf32>) -> tensor<8x8xf32> {
  ^bb0(%a: tensor<4x8xf32>):
    %e = tet.exponential %a : tensor<4x8xf32>
    %s = tet.sqrt %e : tensor<4x8xf32>
    %n = tet.negate %e : tensor<4x8xf32>
    %c = tet.concatenate(%s, %n), dim = 0 : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<8x8xf32>
    tet.return %c : tensor<8x8xf32>
  }
  return %t : tensor<8x8xf32>
}
