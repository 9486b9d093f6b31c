// An ONNX file, parsed and checked as far as it can be without looking at its nodes.
#pragma once

#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>

#include "tetrarch/base/status.h"
#include "tetrarch/import/onnx/import.h"
#include "tetrarch/import/onnx/onnx.pb.h"

namespace tetrarch::onnx {

inline constexpr int64_t kOldestOpset = 7, kNewestOpset = 28;

// Opset versions by domain, the default domain under "".
using Opsets = std::unordered_map<std::string, int64_t>;

Result<std::vector<std::byte>> readModelFile(const std::filesystem::path& path);
// InvalidArgument when `bytes` are not an ONNX model of a version that is known.
Result<std::shared_ptr<Model>> parseModel(std::span<const std::byte> bytes);
// The versions that a model or function imports. Unimplemented when the default domain's lies outside of
// kOldestOpset..kNewestOpset.
Result<Opsets> readOpsets(const google::protobuf::RepeatedPtrField<OperatorSetId>& imports);
OnnxInterface describe(const Model& model);

}  // namespace tetrarch::onnx
