#include "tetrarch/api/calibration.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

namespace tetrarch::api {
namespace {

std::string namesOf(const std::vector<CalibratedInput>& inputs) {
  std::string names;
  for (const CalibratedInput& input : inputs) names += (names.empty() ? "" : ", ") + input.name;
  return names;
}

// How many samples of `shape` the given shape holds; 0 when it does not hold them.
int64_t samplesIn(const Shape& given, const Shape& shape) {
  if (given == shape) return 1;
  const bool has_more = given.size() == shape.size() + 1;
  if (has_more && std::equal(shape.begin(), shape.end(), given.begin() + 1)) return given[0];
  if (given.size() != shape.size() || shape.empty() || shape[0] == 0) return 0;
  return std::equal(shape.begin() + 1, shape.end(), given.begin() + 1) && given[0] % shape[0] == 0
             ? given[0] / shape[0]
             : 0;
}

Status checkFinite(const CalibratedInput& input, const Tensor& tensor) {
  if (!isFloat(tensor.type())) return {};
  for (int64_t i = 0; i < tensor.count(); ++i) {
    const double number = tensor.getDouble(i);
    if (std::isfinite(number)) continue;
    return invalidArgument("calibration input '{}' holds {} at element {}; calibrate with finite numbers",
                           input.name, std::isnan(number) ? "NaN" : "an infinity", i);
  }
  return {};
}

Result<std::vector<Tensor>> cut(const CalibratedInput& input, const Tensor& given) {
  if (given.count() == 0) {
    return invalidArgument("calibration input '{}' is empty ({}); give at least one sample of {}", input.name,
                           toString(given.type(), given.shape()), toString(input.type, input.shape));
  }
  if (given.type() != input.type) {
    return invalidArgument("calibration input '{}' is {}, but the model's input is {}", input.name,
                           info(given.type()).name, info(input.type).name);
  }
  const int64_t samples = samplesIn(given.shape(), input.shape);
  if (samples == 0) {
    return invalidArgument("calibration input '{}' is {}, which is no number of samples of the model's {}",
                           input.name, toString(given.type(), given.shape()),
                           toString(input.type, input.shape));
  }
  TET_RETURN_IF_ERROR(checkFinite(input, given));
  auto whole = std::make_shared<Tensor>(given);
  std::vector<Tensor> parts;
  const size_t bytes = given.bytes() / static_cast<size_t>(samples);
  for (int64_t i = 0; i < samples; ++i) {
    parts.push_back(
        Tensor::view(input.type, input.shape, whole->as<char>() + static_cast<size_t>(i) * bytes, whole));
  }
  return parts;
}

Result<std::vector<std::vector<Tensor>>> samplesOf(const std::vector<CalibratedInput>& inputs,
                                                   const std::map<std::string, Tensor>& given) {
  for (const auto& [name, tensor] : given) {
    const bool known =
        std::ranges::any_of(inputs, [&](const CalibratedInput& input) { return input.name == name; });
    if (!known) {
      return invalidArgument("the model has no input '{}' to calibrate; its inputs are: {}", name,
                             namesOf(inputs));
    }
  }
  std::vector<std::vector<Tensor>> samples;
  for (const CalibratedInput& input : inputs) {
    const auto tensor = given.find(input.name);
    if (tensor == given.end()) return invalidArgument("calibration input '{}' is missing", input.name);
    TET_ASSIGN_OR_RETURN(std::vector<Tensor> parts, cut(input, tensor->second));
    if (samples.empty()) samples.resize(parts.size());
    if (samples.size() != parts.size()) {
      return invalidArgument("calibration input '{}' has {} samples, but '{}' has {}", input.name,
                             parts.size(), inputs[0].name, samples.size());
    }
    for (size_t i = 0; i < parts.size(); ++i) samples[i].push_back(std::move(parts[i]));
  }
  return samples;
}

}  // namespace

Status checkQuantisation(const Quantisation& quantisation) {
  if (quantisation.type.empty()) {
    if (quantisation.calibration.empty()) return {};
    return invalidArgument("calibration inputs are given, but no quantisation is asked for (int8 or bf16)");
  }
  if (quantisation.type == "bf16") return {};
  if (quantisation.type != "int8")
    return invalidArgument("'{}' is no quantisation; there are int8 and bf16", quantisation.type);
  if (!quantisation.calibration.empty()) return {};
  return invalidArgument("quantisation to int8 needs calibration inputs: at least one sample of each input");
}

Result<std::vector<std::vector<Tensor>>> calibrationSamples(const std::vector<CalibratedInput>& inputs,
                                                            const Quantisation& quantisation) {
  std::vector<std::vector<Tensor>> all;
  for (const auto& given : quantisation.calibration) {
    TET_ASSIGN_OR_RETURN(auto samples, samplesOf(inputs, given));
    for (std::vector<Tensor>& sample : samples) all.push_back(std::move(sample));
  }
  if (all.empty()) return invalidArgument("there is no calibration sample");
  return all;
}

}  // namespace tetrarch::api
