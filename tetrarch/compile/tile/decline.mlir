// What no nest can say is declined with the reason.
// RUN: not tetrarch-kernel %s --emit tile 2>&1 | FileCheck %s

// CHECK: UNIMPLEMENTED: the task is not a chain of strided loop nests: a result is not computed by a linalg op
func.func @slice(%x: tensor<8x4xf32>) -> tensor<2x4xf32> {
  %y = tensor.extract_slice %x[3, 0] [2, 4] [1, 1] : tensor<8x4xf32> to tensor<2x4xf32>
  return %y : tensor<2x4xf32>
}
