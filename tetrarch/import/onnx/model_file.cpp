#include "tetrarch/import/onnx/model_file.h"

#include <google/protobuf/stubs/logging.h>

#include <algorithm>
#include <fstream>
#include <limits>
#include <unordered_set>

#include "tetrarch/import/onnx/tensor_data.h"

namespace tetrarch::onnx {
namespace {

constexpr int64_t kOldestIr = 3, kNewestIr = 14;

std::string_view kindName(const Type& type) {
  switch (type.value_case()) {
    case Type::kSequenceType:
      return "sequence";
    case Type::kMapType:
      return "map";
    case Type::kOpaqueType:
      return "opaque";
    case Type::kSparseTensorType:
      return "sparse tensor";
    case Type::kOptionalType:
      return "optional";
    default:
      return "no type";
  }
}

OnnxValue describeValue(const ValueInfo& info) {
  OnnxValue value{.name = info.name()};
  if (info.type().value_case() != Type::kTensorType) {
    value.type = kindName(info.type());
    return value;
  }
  const Type::Tensor& tensor = info.type().tensor_type();
  value.element = elementTypeFromOnnx(tensor.elem_type());
  value.type =
      value.element ? std::string(tetrarch::info(*value.element).name) : dataTypeName(tensor.elem_type());
  if (!tensor.has_shape()) return value;
  value.dims.emplace();
  for (const auto& dim : tensor.shape().dim()) {
    OnnxDim& out = value.dims->emplace_back();
    if (dim.has_dim_param()) out.name = dim.dim_param();
    // Zero and below stand for "unknown" in files of some exporters, but 0 is also an honest empty dimension.
    if (dim.has_dim_value() && dim.dim_value() >= 0) out.size = dim.dim_value();
  }
  return value;
}

}  // namespace

Result<std::vector<std::byte>> readModelFile(const std::filesystem::path& path) {
  std::error_code error;
  if (!std::filesystem::exists(path, error)) return fail(StatusCode::kNotFound, "no such file");
  if (!std::filesystem::is_regular_file(path, error)) return invalidArgument("it is not a regular file");
  const auto size = std::filesystem::file_size(path, error);
  if (error) return fail(StatusCode::kNotFound, "cannot be read: {}", error.message());
  if (size > static_cast<uintmax_t>(std::numeric_limits<int32_t>::max())) {
    return invalidArgument(
        "it has {} bytes, an ONNX file has at most 2 GiB (larger weights go to external data)", size);
  }
  std::vector<std::byte> bytes(size);
  std::ifstream in(path, std::ios::binary);
  if (!in.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(size))) {
    return fail(StatusCode::kNotFound, "cannot be read");
  }
  return bytes;
}

Result<std::shared_ptr<Model>> parseModel(std::span<const std::byte> bytes) {
  auto model = std::make_shared<Model>();
  const google::protobuf::LogSilencer silent;  // what is wrong is said by the error
  if (bytes.size() > static_cast<size_t>(std::numeric_limits<int32_t>::max()) ||
      !model->ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return invalidArgument(
        "it is not an ONNX model, is truncated, nests deeper than 100 messages, or has a name that is not "
        "UTF-8");
  }
  if (!model->has_graph() || !model->has_ir_version()) {
    return invalidArgument("it is not an ONNX model or is truncated: it has no graph or no format version");
  }
  if (model->ir_version() < kOldestIr || model->ir_version() > kNewestIr) {
    return invalidArgument("its format version is {}, known are {} to {}", model->ir_version(), kOldestIr,
                           kNewestIr);
  }
  return model;
}

Result<Opsets> readOpsets(const google::protobuf::RepeatedPtrField<OperatorSetId>& imports) {
  Opsets opsets;
  for (const OperatorSetId& import : imports) {
    const std::string& domain = import.domain() == "ai.onnx" ? "" : import.domain();
    if (!opsets.emplace(domain, import.version()).second) {
      return invalidArgument("it imports the operator set '{}' twice", import.domain());
    }
    if (domain.empty() && (import.version() < kOldestOpset || import.version() > kNewestOpset)) {
      return unimplemented("it uses opset {}, supported are {} to {} (onnx.version_converter can change it)",
                           import.version(), kOldestOpset, kNewestOpset);
    }
  }
  if (opsets.empty()) return invalidArgument("it imports no operator set (it may be truncated)");
  return opsets;
}

OnnxInterface describe(const Model& model) {
  OnnxInterface interface;
  for (const OperatorSetId& import : model.opset_import()) {
    if (import.domain().empty() || import.domain() == "ai.onnx") interface.opset = import.version();
  }
  std::unordered_set<std::string_view> initialized;
  for (const auto& tensor : model.graph().initializer()) initialized.insert(tensor.name());
  for (const auto& tensor : model.graph().sparse_initializer()) initialized.insert(tensor.values().name());
  for (const auto& input : model.graph().input()) {
    if (!initialized.contains(input.name())) interface.inputs.push_back(describeValue(input));
  }
  for (const auto& output : model.graph().output()) interface.outputs.push_back(describeValue(output));
  return interface;
}

}  // namespace tetrarch::onnx

namespace tetrarch {

Result<OnnxInterface> describeOnnx(std::span<const std::byte> bytes, const std::string& name) {
  auto model = onnx::parseModel(bytes);
  if (!model.has_value()) return propagate(model.error().withContext(name));
  return onnx::describe(**model);
}

Result<OnnxInterface> describeOnnx(const std::filesystem::path& path) {
  auto bytes = onnx::readModelFile(path);
  if (!bytes.has_value()) return propagate(bytes.error().withContext(path.string()));
  return describeOnnx(*bytes, path.string());
}

}  // namespace tetrarch
