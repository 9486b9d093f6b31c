#include "tetrarch/api/interface.h"

#include <fmt/ranges.h>

#include <set>

#include "tetrarch/api/binding.h"

namespace tetrarch {
namespace api {
namespace {

// A misspelt dimension would bind nothing, and nobody would notice.
Status checkDims(const std::vector<ModelPort>& inputs, const std::map<std::string, int64_t>& dims,
                 const std::string& title) {
  std::set<std::string> names;
  for (const ModelPort& input : inputs) names.insert(input.dim_names.begin(), input.dim_names.end());
  names.erase("");
  for (const auto& [name, size] : dims) {
    if (names.contains(name)) continue;
    return invalidArgument("{}: the model has no dimension '{}'; its named dimensions are: {}", title, name,
                           names.empty() ? "none" : fmt::format("{}", fmt::join(names, ", ")));
  }
  return {};
}

void bindSizes(ModelPort& port, const Binding& binding) {
  for (size_t d = 0; d < port.shape.size(); ++d) {
    const auto size = binding.dims.find(port.dim_names[d]);
    if (port.shape[d] < 0 && size != binding.dims.end()) port.shape[d] = size->second;
  }
}

// The whole shape of an input; where the model contradicts it, the import says how.
void bindShape(ModelPort& port, const Binding& binding) {
  const auto whole = binding.shapes.find(port.name);
  if (whole == binding.shapes.end()) return;
  port.ranked = true;
  port.shape = whole->second;
  port.dim_names.resize(port.shape.size());
}

std::vector<ModelPort> portsOf(const std::vector<abi::Port>& ports) {
  std::vector<ModelPort> out;
  for (const abi::Port& port : ports) {
    out.push_back({port.name, port.type, true, port.shape, std::vector<std::string>(port.shape.size())});
  }
  return out;
}

std::string describePort(const ModelPort& port) {
  std::string text;
  for (const int64_t size : port.shape) text += size < 0 ? "?x" : fmt::format("{}x", size);
  return text + std::string(info(port.type).name);
}

bool fits(const ModelPort& port, const Tensor& tensor) {
  if (tensor.type() != port.type) return false;
  if (!port.ranked) return true;
  bool same = tensor.shape().size() == port.shape.size();
  for (size_t d = 0; same && d < port.shape.size(); ++d)
    same = port.shape[d] < 0 || port.shape[d] == tensor.shape()[d];
  return same;
}

}  // namespace

Result<ModelInterface> interfaceOf(const ModelSource& source, const Binding& binding) {
  TET_ASSIGN_OR_RETURN(ModelInterface interface, describeModel(source));
  TET_RETURN_IF_ERROR(checkDims(interface.inputs, binding.dims, source.title()));
  std::erase_if(interface.inputs, [&](const ModelPort& port) { return binding.values.contains(port.name); });
  for (ModelPort& port : interface.outputs) bindSizes(port, binding);
  for (ModelPort& port : interface.inputs) bindSizes(port, binding), bindShape(port, binding);
  return interface;
}

ModelInterface interfaceOf(const abi::Manifest& manifest) {
  return {portsOf(manifest.inputs), portsOf(manifest.outputs)};
}

}  // namespace api

Result<ModelInterface> describe(const std::filesystem::path& path, const CompileOptions& options) {
  if (!isArtifact(path))
    return api::interfaceOf({.path = path}, {options.dims, options.values, options.shapes});
  TET_ASSIGN_OR_RETURN(const auto artifact, abi::Artifact::open(path));
  return api::interfaceOf(artifact->manifest());
}

Status checkInputs(const std::vector<ModelPort>& inputs, std::span<const Tensor> given) {
  if (given.size() != inputs.size()) {
    return invalidArgument("the model takes {} inputs ({}), {} were given", inputs.size(),
                           fmt::join(api::namesOf(inputs), ", "), given.size());
  }
  for (size_t i = 0; i < given.size(); ++i) {
    if (api::fits(inputs[i], given[i])) continue;
    return invalidArgument("input '{}' is {} and the model takes {}", inputs[i].name,
                           toString(given[i].type(), given[i].shape()), api::describePort(inputs[i]));
  }
  return {};
}

}  // namespace tetrarch
