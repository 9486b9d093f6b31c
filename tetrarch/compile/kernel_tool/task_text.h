// MLIR text of example tasks in the normal forms that fusion produces: for tests and benchmarks of code
// generators.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace tetrarch::compile {

// NHWC convolution with bias, and optionally a residual, ReLU, groups (dims [.., g, oc]) and padding. Weights
// packed.
struct ConvolutionText {
  std::string name;
  int batch = 1, height = 8, width = 8, in_channels = 1, out_channels = 1,
      groups = 1;  // channels of one group
  int kernel_height = 1, kernel_width = 1, stride = 1, dilation = 1, pad_low = 0, pad_high = 0;
  bool residual = false, relu = false;
};
std::string convolutionText(const ConvolutionText& c);

// [batch,] m × k by k × n, with bias and optionally an exact GELU.
struct ProductText {
  std::string name;
  int batch = 1, m = 1, k = 1, n = 1;
  bool packed = false, bias = true, gelu = false;
  std::string operand_type = "f32", sum_type = "f32",
              extend;  // `extend`: the arith op from operand to sum type
};
std::string productText(const ProductText& p);

// One generic over `shape`; each operand is read at the given dims. `body`: identity, add, addi, less,
// add_as_f32, add_index, or the name of a unary op such as math.exp.
using OperandText = std::pair<std::vector<int>, std::string>;
std::string elementwiseText(const std::string& name, const std::string& type, const std::vector<int>& shape,
                            const std::vector<OperandText>& operands, const std::string& body);
// `kind`: an arith op.
std::string reductionText(const std::string& name, const std::string& type, const std::vector<int>& shape,
                          const std::vector<int>& reduced, const std::string& kind);
// Value and index of the largest element of each row.
std::string argmaxText(const std::string& name, int rows, int columns);
std::string poolText(const std::string& name, int height, int width, int channels, int window, int stride,
                     int pad, const std::string& kind);
std::string depthwiseText(const std::string& name, int height, int width, int channels, int window,
                          int stride);
std::string softmaxText(const std::string& name, const std::vector<int>& shape);
std::string layerNormText(const std::string& name, int rows, int columns);
// Rows of a table [rows, columns] by `count` i64 indices.
std::string gatherText(const std::string& name, int rows, int columns, int count);

}  // namespace tetrarch::compile
