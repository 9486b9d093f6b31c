// Multiplier and shift of each column in one word, the bias in 32 bits; the task unpacks them by itself, and its types and
// masks bound every number.
// RUN: tet-opt %s --tet-pack | FileCheck %s

// CHECK-LABEL: func.func @main
// CHECK-DAG: %[[BIAS:.*]] = tet.constant dense<[5, -6, 7]> : tensor<3xi32>
// CHECK-DAG: %[[WORDS:.*]] = tet.constant dense<[81920, 151072, 1343487]> : tensor<3xi32>
// CHECK: %[[W:.*]] = tet.broadcast_in_dim %[[WORDS]], dims = [1]
// CHECK: %[[LOW:.*]] = tet.and %[[W]]
// CHECK: %[[M:.*]] = tet.convert %[[LOW]]
// CHECK: %[[HIGH:.*]] = tet.shift_right_logical %[[W]]
// CHECK: %[[BITS:.*]] = tet.and %[[HIGH]]
// CHECK: %[[S:.*]] = tet.maximum %[[BITS]]
// CHECK: %[[SHIFT:.*]] = tet.convert %[[S]]
// CHECK: tet.shift_left
// CHECK: %[[X:.*]] = tet.multiply %{{.*}}, %[[M]] : tensor<2x3xi64>
// CHECK: tet.shift_right_arithmetic %[[X]], %[[SHIFT]]
// CHECK: %[[Y:.*]] = tet.shift_right_arithmetic %{{.*}}, %[[SHIFT]]
// CHECK: return %[[Y]]
func.func @main(%acc: tensor<2x3xi32>) -> tensor<2x3xi64> {
  %bias = tet.constant dense<[5, -6, 7]> : tensor<3xi64>
  %multipliers = tet.constant dense<[16384, 20000, 32767]> : tensor<3xi64>
  %shifts = tet.constant dense<[1, 2, 20]> : tensor<3xi64>
  %halves = tet.constant dense<[0, 1, 524287]> : tensor<3xi64>
  %one = tet.constant dense<1> : tensor<2x3xi64>
  %wide = tet.convert %acc : (tensor<2x3xi32>) -> tensor<2x3xi64>
  %b = tet.broadcast_in_dim %bias, dims = [1] : (tensor<3xi64>) -> tensor<2x3xi64>
  %m = tet.broadcast_in_dim %multipliers, dims = [1] : (tensor<3xi64>) -> tensor<2x3xi64>
  %s = tet.broadcast_in_dim %shifts, dims = [1] : (tensor<3xi64>) -> tensor<2x3xi64>
  %h = tet.broadcast_in_dim %halves, dims = [1] : (tensor<3xi64>) -> tensor<2x3xi64>
  %sum = tet.add %wide, %b : tensor<2x3xi64>
  %x = tet.multiply %sum, %m : tensor<2x3xi64>
  %floor = tet.shift_right_arithmetic %x, %s : tensor<2x3xi64>
  %odd = tet.and %floor, %one : tensor<2x3xi64>
  %raised = tet.add %x, %h : tensor<2x3xi64>
  %nudged = tet.add %raised, %odd : tensor<2x3xi64>
  %y = tet.shift_right_arithmetic %nudged, %s : tensor<2x3xi64>
  return %y : tensor<2x3xi64>
}
