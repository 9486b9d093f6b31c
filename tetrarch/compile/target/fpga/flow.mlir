// Tasks as stages: an operand read in order is popped, one that is read often is kept, padding is a box around what is popped,
// temporaries of a row are memories.
// RUN: tetrarch-kernel %s --emit flow | FileCheck %s

// CHECK-LABEL: flow.kernel @scale units [] buffers 3
// CHECK:         %[[X:.*]] = flow.stream
// CHECK:         flow.port in %[[X]] buffer 0 bytes 4 at 0 units [] loops [2, 8] by [8, 1]
// CHECK:         flow.nest "nest_0" loops [2, 8] reductions [false, false]
// CHECK-NEXT:      %[[V:.*]] = flow.pop %[[X]][0]
// CHECK-NEXT:      %[[W:.*]] = flow.pop
// CHECK-NEXT:      %[[P:.*]] = arith.mulf %[[V]], %[[W]]
// CHECK-NEXT:      flow.push %{{.*}}, %[[P]]
func.func @scale(%x: tensor<2x8xf32>, %w: tensor<8xf32>) -> tensor<2x8xf32> {
  %e = tensor.empty() : tensor<2x8xf32>
  %y = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (j)>, affine_map<(i, j) -> (i, j)>],
                       iterator_types = ["parallel", "parallel"]}
      ins(%x, %w : tensor<2x8xf32>, tensor<8xf32>) outs(%e : tensor<2x8xf32>) {
  ^bb0(%v: f32, %s: f32, %o: f32):
    %p = arith.mulf %v, %s : f32
    linalg.yield %p : f32
  } -> tensor<2x8xf32>
  return %y : tensor<2x8xf32>
}

// A sum begins with what its init holds, which comes once, and is sent when it is whole.
// CHECK-LABEL: flow.kernel @sum
// CHECK:         flow.nest "nest_0" loops [3, 5] reductions [false, true]
// CHECK-DAG:       %[[I:.*]] = flow.pop %{{.*}}[0] inside [0, 3, 0, 1]
// CHECK-DAG:       %[[A:.*]] = flow.acc %[[I]]
// CHECK-DAG:       %[[S:.*]] = arith.addi %[[A]]
// CHECK:           flow.update %[[A]], %[[S]]
// CHECK:           flow.push %{{.*}}, %[[S]] last
func.func @sum(%x: tensor<3x5xi32>, %i: tensor<3xi32>) -> tensor<3xi32> {
  %y = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>], iterator_types = ["parallel", "reduction"]}
      ins(%x : tensor<3x5xi32>) outs(%i : tensor<3xi32>) {
  ^bb0(%v: i32, %a: i32):
    %s = arith.addi %a, %v : i32
    linalg.yield %s : i32
  } -> tensor<3xi32>
  return %y : tensor<3xi32>
}

// CHECK-LABEL: flow.kernel @window
// CHECK:         flow.nest "pad_0" loops [6, 6]
// CHECK:           %[[V:.*]] = flow.pop %{{.*}}[0] inside [1, 5, 1, 5]
// CHECK:           %[[B:.*]] = flow.inside [1, 5, 1, 5]
// CHECK:           %[[P:.*]] = arith.select %[[B]], %[[V]]
// CHECK:           flow.store %[[M:.*]][%{{.*}}], %[[P]]
// CHECK:         flow.nest "nest_0" loops [4, 4, 3, 3] reductions [false, false, true, true] after
// CHECK:           flow.affine 0 by [6, 1, 6, 1]
// CHECK:           flow.load %[[M]]
func.func @window(%x: tensor<4x4xi8>) -> tensor<4x4xi8> {
  %low = arith.constant -128 : i8
  %p = tensor.pad %x low[1, 1] high[1, 1] {
  ^bb0(%i: index, %j: index):
    tensor.yield %low : i8
  } : tensor<4x4xi8> to tensor<6x6xi8>
  %w = tensor.empty() : tensor<3x3xi8>
  %e = tensor.empty() : tensor<4x4xi8>
  %f = linalg.fill ins(%low : i8) outs(%e : tensor<4x4xi8>) -> tensor<4x4xi8>
  %y = linalg.generic {indexing_maps = [affine_map<(h, w, i, j) -> (h + i, w + j)>, affine_map<(h, w, i, j) -> (i, j)>, affine_map<(h, w, i, j) -> (h, w)>],
                       iterator_types = ["parallel", "parallel", "reduction", "reduction"]}
      ins(%p, %w : tensor<6x6xi8>, tensor<3x3xi8>) outs(%f : tensor<4x4xi8>) {
  ^bb0(%v: i8, %u: i8, %a: i8):
    %m = arith.maxsi %a, %v : i8
    linalg.yield %m : i8
  } -> tensor<4x4xi8>
  return %y : tensor<4x4xi8>
}

// Tables are whole on the chip, and what is looked up is a load.
// CHECK-LABEL: flow.kernel @lookup
// CHECK:         flow.nest "load_0" loops [256]
// CHECK:         flow.nest "nest_0" loops [8]
// CHECK:           %[[I:.*]] = flow.pop
// CHECK:           flow.load %{{.*}}[%{{.*}}, 0]
func.func @lookup(%table: tensor<256xi8>, %x: tensor<8xi8>) -> tensor<8xi8> {
  %e = tensor.empty() : tensor<8xi8>
  %y = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]}
      ins(%x : tensor<8xi8>) outs(%e : tensor<8xi8>) {
  ^bb0(%v: i8, %o: i8):
    %u = arith.extui %v : i8 to i32
    %i = arith.index_cast %u : i32 to index
    %t = tensor.extract %table[%i] : tensor<256xi8>
    linalg.yield %t : i8
  } -> tensor<8xi8>
  return %y : tensor<8xi8>
}
