// MLIR text of example tasks of quantised graphs, as the pipeline leaves them.
#pragma once

#include <string>

namespace tetrarch::compile {

// NHWC convolution of bytes with packed weights, requantised by the word of each channel
// (compile/pack_factors.h); optionally with another i8 tensor added. 1x1 on one row of places it is a matrix
// product.
struct QuantisedText {
  std::string name;
  int height = 8, width = 8, in_channels = 1, out_channels = 1;
  int kernel = 1, stride = 1, pad = 0;
  bool residual = false;
};
std::string quantisedText(const QuantisedText& q);

// [m, k] x [k, n] of bytes, both row-major, sums as they are.
std::string byteProductText(const std::string& name, int m, int k, int n);

}  // namespace tetrarch::compile
