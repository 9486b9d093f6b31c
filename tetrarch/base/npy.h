// NumPy's .npy files (format 1.0 and 2.0, NumPy NEP 1): tensors in and out of the command line.
#pragma once

#include <filesystem>

#include "tetrarch/base/tensor.h"

namespace tetrarch {

// Reads a C- or Fortran-ordered little-endian array. NotFound when the file cannot be opened, InvalidArgument
// when it is not a well-formed .npy of a type in element_type.def; the message names the file.
Result<Tensor> readNpy(const std::filesystem::path& path);
// Writes version 1.0, C order. Types that NumPy lacks (bf16, f8) are written as the unsigned integer of their
// width.
Status writeNpy(const std::filesystem::path& path, const Tensor& tensor);

}  // namespace tetrarch
