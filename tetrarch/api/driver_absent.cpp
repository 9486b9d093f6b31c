#include "tetrarch/api/driver.h"

namespace tetrarch::api {
namespace {

Failure absent(const ModelSource& source) {
  return unimplemented(
      "{}: this build of Tetrarch has no compiler; compile the model to an artifact elsewhere",
      source.title());
}

}  // namespace

Result<ModelInterface> describeModel(const ModelSource& source) { return absent(source); }

Result<std::shared_ptr<const abi::Artifact>> compileArtifact(const ModelSource& source, const Binding&,
                                                             const DriverOptions&, Needs*) {
  return absent(source);
}

std::optional<abi::Maker> thisMachine() { return std::nullopt; }

Result<std::shared_ptr<const abi::Artifact>> recompileArtifact(const abi::Artifact& artifact,
                                                               const DriverOptions&) {
  return unimplemented("{}: this build of Tetrarch has no compiler", artifact.name());
}

Status compilePlanCode(const abi::Artifact&, const DriverOptions&, abi::PlanEntry&) { return {}; }

Result<std::vector<Tensor>> interpretModel(const ModelSource& source, const Binding&, const Quantisation&,
                                           const std::map<std::string, Tensor>&, Needs*) {
  return absent(source);
}

Result<std::string> graphText(const ModelSource& source, const Binding&, const Quantisation&,
                              const std::string&) {
  return absent(source);
}

std::vector<std::string> driverStages() { return {}; }

}  // namespace tetrarch::api
