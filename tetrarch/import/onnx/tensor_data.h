// ONNX's TensorProto (and its sparse form) to a host Tensor.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>

#include "tetrarch/base/tensor.h"
#include "tetrarch/import/onnx/onnx.pb.h"

namespace tetrarch::onnx {

// ONNX's name of a TensorProto.DataType ("float8e4m3fnuz"), or "type 99".
std::string dataTypeName(int data_type);
// The element type, or Unimplemented with the name of one that Tetrarch lacks, InvalidArgument for a number
// that ONNX lacks.
Result<ElementType> elementTypeOf(int data_type);

// Where the tensors of one model get their bytes from and how much memory they may take together. Not thread
// safe.
struct TensorSource {
  std::filesystem::path folder;  // of external data; nothing outside it is opened
  std::shared_ptr<void> owner;   // keeps the parsed message alive: the result may be a view of its raw_data
  int64_t bytes_left =
      1LL << 36;  // for tensors whose declared size is not backed by bytes of the file (sparse ones)
};

// The payload must be exactly what type and shape demand. Errors begin with "it" or "its", to be put after
// the tensor's name.
Result<Tensor> readTensor(const TensorData& data, TensorSource& source);
Result<Tensor> readSparseTensor(const SparseTensorData& data, TensorSource& source);

}  // namespace tetrarch::onnx
