// The compiler from a model file to an artifact: the list of all stages, joined. A build without the compiler
// half has driver_absent.cpp in its place, whose functions fail with Unimplemented.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tetrarch/abi/artifact_file.h"
#include "tetrarch/api/calibration.h"
#include "tetrarch/api/devices.h"
#include "tetrarch/api/model.h"
#include "tetrarch/plan/profile.h"

namespace tetrarch::api {

// An ONNX model: a file, or bytes with a name for messages.
struct ModelSource {
  std::filesystem::path path;
  bool in_memory = false;
  std::vector<std::byte> bytes;
  std::string name;              // in memory: stands for the file
  std::filesystem::path folder;  // in memory: of external data

  std::string title() const { return in_memory ? name : path.string(); }
};

// What makes a model's shapes static.
struct Binding {
  std::map<std::string, int64_t> dims;
  std::map<std::string, Tensor> values;
  std::map<std::string, Shape> shapes;
};

// What a binding lacks: a compile that fails for it says FailedPrecondition and fills this.
struct Needs {
  std::vector<std::string> values, dims;
  bool empty() const { return values.empty() && dims.empty(); }
};

struct DriverOptions {
  OpenDevices devices;
  std::string place;
  bool measure = true, divide = true;
  Quantisation quantisation;
  std::shared_ptr<plan::Profile> profile;
  std::function<void(const Progress&)> progress;
};

// As the file states them.
Result<ModelInterface> describeModel(const ModelSource& source);

Result<std::shared_ptr<const abi::Artifact>> compileArtifact(const ModelSource& source,
                                                             const Binding& binding,
                                                             const DriverOptions& options, Needs* needs);

// What compiles here: versions, this CPU and its features. None in a build without a compiler.
std::optional<abi::Maker> thisMachine();

// The artifact with code, costs and plans for the devices of `options` in place of those that it had, made
// from its tasks. InvalidArgument names the artifact when its tasks make no sense.
Result<std::shared_ptr<const abi::Artifact>> recompileArtifact(const abi::Artifact& artifact,
                                                               const DriverOptions& options);

// Gives a plan that was not made with the artifact code of its own where that is worth something
// (segments.h): in memory, for this plan alone. Nothing changes in a build without a compiler, or without
// tasks in the file.
Status compilePlanCode(const abi::Artifact& artifact, const DriverOptions& options, abi::PlanEntry& plan);

// What the model, quantised if that is asked for, gives for `inputs`, by name, according to the reference
// interpreter.
Result<std::vector<Tensor>> interpretModel(const ModelSource& source, const Binding& binding,
                                           const Quantisation& quantisation,
                                           const std::map<std::string, Tensor>& inputs, Needs* needs);

// The graph as text after a stage of driverStages().
Result<std::string> graphText(const ModelSource& source, const Binding& binding,
                              const Quantisation& quantisation, const std::string& stage);
std::vector<std::string> driverStages();

}  // namespace tetrarch::api
