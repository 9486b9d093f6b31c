#include "tetrarch/api/binding.h"

#include <algorithm>

namespace tetrarch::api {
namespace {

// A copy that the caller cannot change behind our back; the same tensor when memory is short.
Tensor copyOf(const Tensor& tensor) {
  auto copy = Tensor::create(tensor.type(), tensor.shape());
  if (!copy) return tensor;
  std::copy_n(static_cast<const std::byte*>(tensor.data()), tensor.bytes(),
              static_cast<std::byte*>(copy->data()));
  return std::move(*copy);
}

// Binds the values of the inputs that `names` names; true when one of them is new.
bool bindValues(const std::vector<ModelPort>& inputs, std::span<const Tensor> given,
                const std::vector<std::string>& names, Binding& bound) {
  bool fresh = false;
  for (const std::string& name : names) {
    for (size_t i = 0; i < given.size(); ++i) {
      if (inputs[i].name != name) continue;
      fresh |= bound.values.emplace(name, copyOf(given[i])).second;
    }
  }
  return fresh;
}

}  // namespace

std::vector<std::string> namesOf(const std::vector<ModelPort>& ports) {
  std::vector<std::string> names;
  for (const ModelPort& port : ports) names.push_back(port.name);
  return names;
}

Status bindTo(const std::vector<ModelPort>& inputs, std::span<const Tensor> given, const Binding& base,
              const std::vector<std::string>& decisive,
              const std::function<Status(const Binding& bound, Needs* missing)>& attempt) {
  Binding bound = base;
  for (size_t i = 0; i < given.size(); ++i) bound.shapes[inputs[i].name] = given[i].shape();
  bindValues(inputs, given, decisive, bound);
  while (true) {
    Needs missing;
    Status status = attempt(bound, &missing);
    const bool learnt =
        status.code() == StatusCode::kFailedPrecondition && bindValues(inputs, given, missing.values, bound);
    if (!learnt) return status;
  }
}

}  // namespace tetrarch::api
