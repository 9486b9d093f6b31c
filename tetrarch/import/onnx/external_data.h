// Weights that an ONNX model keeps in files beside it ("external data").
//
// A model is input from a stranger, and its external data names files: only a regular file below the model's
// own folder is ever opened, without following any link on the way.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "tetrarch/base/status.h"
#include "tetrarch/base/tensor.h"

namespace tetrarch::onnx {

// The bytes [offset, offset + length) of `location`, a path relative to `folder`, as a ui8 tensor; without a
// length, up to the end of the file. `expected` is the size that the tensor's type and shape demand.
// PermissionDenied when the path is absolute, leaves the folder, passes through a symbolic link, or names
// anything but a regular file with one name (a second hard link could lie anywhere); NotFound when there is
// no such file; InvalidArgument when the range does not lie in the file or is not `expected` bytes long;
// OutOfRange when no machine holds so many.
Result<Tensor> readExternalData(const std::filesystem::path& folder, const std::string& location,
                                int64_t offset, std::optional<int64_t> length, int64_t expected);

}  // namespace tetrarch::onnx
