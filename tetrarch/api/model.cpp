#include "tetrarch/api/model.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <fstream>
#include <mutex>

#include "tetrarch/api/binding.h"
#include "tetrarch/api/device_spec.h"
#include "tetrarch/api/driver.h"
#include "tetrarch/api/interface.h"
#include "tetrarch/api/retune.h"
#include "tetrarch/api/variant.h"
#include "tetrarch/api/version.h"

namespace tetrarch {
namespace {

using api::namesOf;
using api::Variant;

// The user's profile, or one in memory when the default file cannot be used; a file that was asked for must
// work.
Result<std::shared_ptr<plan::Profile>> openProfile(const CompileOptions& options) {
  auto profile = plan::Profile::open(options.profile.empty() ? plan::Profile::defaultPath()
                                                             : std::filesystem::path(options.profile));
  if (!profile && options.profile.empty()) profile = plan::Profile::open(":memory:");
  if (!profile) return propagate(std::move(profile));
  if (options.progress && !(*profile)->note().empty())
    options.progress({"profile", (*profile)->note(), 0, 0});
  return std::shared_ptr<plan::Profile>(std::move(*profile));
}

Result<api::DriverOptions> driverOptions(const CompileOptions& options) {
  api::DriverOptions driver{.place = options.place,
                            .measure = options.measure,
                            .divide = options.divide,
                            .progress = options.progress};
  driver.quantisation = {options.quantize, options.calibration};
  TET_RETURN_IF_ERROR(api::checkQuantisation(driver.quantisation));
  TET_ASSIGN_OR_RETURN(driver.devices, api::openDevices(options.devices));
  TET_RETURN_IF_ERROR(api::parsePlace(options.place, api::idsOf(driver.devices)));  // before the work
  TET_ASSIGN_OR_RETURN(driver.profile, openProfile(options));
  return driver;
}

}  // namespace

bool isArtifact(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  char magic[8] = {};
  file.read(magic, sizeof magic);
  return file && std::equal(magic, magic + sizeof magic, TET_ARTIFACT_MAGIC);
}

std::string version() { return TETRARCH_VERSION; }

struct Model::Impl {
  std::mutex mutex;
  std::vector<ModelPort> inputs, outputs;
  std::vector<std::unique_ptr<Variant>> variants;
  Variant* current = nullptr;

  // To compile further variants; without a source the model has only the one that it was loaded with.
  std::optional<api::ModelSource> source;
  api::Binding binding;
  api::DriverOptions driver;
  api::Needs needs;
  bool open = false;  // shapes are bound by each call

  void take(ModelInterface interface) {
    inputs = std::move(interface.inputs);
    outputs = std::move(interface.outputs);
  }
  // A model with the one variant that an artifact is. `compiles`: a plan that is new gets code of its own.
  static Result<Model> of(std::shared_ptr<const abi::Artifact> artifact, api::DriverOptions driver,
                          bool compiles);
  Status addVariant(const api::Binding& bound, api::Needs* missing);
  Status compileFor(std::span<const Tensor> given);
  Status choose(std::span<const Tensor> given);
};

Result<Model> Model::Impl::of(std::shared_ptr<const abi::Artifact> artifact, api::DriverOptions driver,
                              bool compiles) {
  auto plan = api::choosePlan(artifact->manifest(), driver.devices, driver.place, driver.divide);
  if (!plan) return propagate(plan.error().withContext(artifact->name()));
  if (compiles) TET_RETURN_IF_ERROR(api::compilePlanCode(*artifact, driver, *plan));
  auto impl = std::make_unique<Impl>();
  impl->take(api::interfaceOf(artifact->manifest()));
  TET_ASSIGN_OR_RETURN(auto variant, Variant::make(std::move(artifact), std::move(*plan),
                                                   std::move(driver.devices), namesOf(impl->inputs), {}));
  impl->current = variant.get();
  impl->variants.push_back(std::move(variant));
  return Model(std::move(impl));
}

// Compiles one binding and makes it the current variant.
Status Model::Impl::addVariant(const api::Binding& bound, api::Needs* missing) {
  TET_ASSIGN_OR_RETURN(auto artifact, api::compileArtifact(*source, bound, driver, missing));
  std::vector<std::pair<std::string, Tensor>> values;
  for (const auto& [name, value] : bound.values) {
    if (!binding.values.contains(name)) values.emplace_back(name, value);
  }
  if (!open) take(api::interfaceOf(artifact->manifest()));
  abi::PlanEntry plan = artifact->manifest().plans.front();
  TET_ASSIGN_OR_RETURN(auto variant, Variant::make(std::move(artifact), std::move(plan), driver.devices,
                                                   namesOf(inputs), std::move(values)));
  variants.push_back(std::move(variant));
  current = variants.back().get();
  return {};
}

Status Model::Impl::compileFor(std::span<const Tensor> given) {
  return api::bindTo(
      inputs, given, binding, needs.values,
      [&](const api::Binding& bound, api::Needs* missing) { return addVariant(bound, missing); });
}

Status Model::Impl::choose(std::span<const Tensor> given) {
  if (!open) return {};  // the program checks
  TET_RETURN_IF_ERROR(checkInputs(inputs, given));
  if (current && current->matches(given)) return {};
  for (const auto& variant : variants) {
    if (variant->matches(given)) return current = variant.get(), Status();
  }
  return compileFor(given);
}

Result<Model> Model::compile(const std::filesystem::path& path, CompileOptions options) {
  if (!isArtifact(path)) return compileSource({.path = path}, std::move(options));
  if (!options.dims.empty() || !options.shapes.empty() || !options.values.empty()) {
    return invalidArgument("{}: an artifact's shapes are fixed; bind them when its ONNX model is compiled",
                           path.string());
  }
  TET_ASSIGN_OR_RETURN(auto artifact, abi::Artifact::open(path));
  TET_ASSIGN_OR_RETURN(auto driver, driverOptions(options));
  TET_ASSIGN_OR_RETURN(artifact, api::recompileArtifact(*artifact, driver));
  return Impl::of(std::move(artifact), std::move(driver), true);
}

Result<Model> Model::compile(std::span<const std::byte> onnx, std::string name,
                             const std::filesystem::path& folder, CompileOptions options) {
  api::ModelSource source;
  source.in_memory = true;
  source.bytes.assign(onnx.begin(), onnx.end());
  source.name = std::move(name);
  source.folder = folder;
  return compileSource(std::move(source), std::move(options));
}

Result<Model> Model::compileSource(api::ModelSource source, CompileOptions options) {
  auto impl = std::make_unique<Impl>();
  impl->binding = {options.dims, options.values, options.shapes};
  TET_ASSIGN_OR_RETURN(auto interface, api::interfaceOf(source, impl->binding));
  TET_ASSIGN_OR_RETURN(impl->driver, driverOptions(options));
  impl->source = std::move(source);
  impl->take(std::move(interface));
  Status status = impl->addVariant(impl->binding, &impl->needs);
  if (status.code() == StatusCode::kFailedPrecondition && !impl->needs.empty()) {
    impl->open = true;
  } else if (!status.ok()) {
    return propagate(std::move(status));
  }
  return Model(std::move(impl));
}

Result<Model> Model::load(const std::filesystem::path& path, const LoadOptions& options) {
  TET_ASSIGN_OR_RETURN(auto artifact, abi::Artifact::open(path));
  std::vector<std::string> specs = options.devices;
  if (const auto& plans = artifact->manifest().plans; specs.empty() && !plans.empty()) {
    for (const abi::PlanDevice& device : plans.front().devices) specs.push_back(api::deviceSpec(device));
  }
  auto devices = api::openDevices(specs);
  if (!devices && options.devices.empty()) {
    return fail(StatusCode::kUnavailable, "{}: its plan needs a device that is not here: {}", path.string(),
                devices.error().message());
  }
  if (!devices) return propagate(std::move(devices));
  TET_RETURN_IF_ERROR(api::parsePlace(options.place, api::idsOf(*devices)));
  api::DriverOptions driver{.devices = *std::move(devices),
                            .place = options.place,
                            .measure = options.measure,
                            .progress = options.progress};
  if (options.retune) {
    TET_ASSIGN_OR_RETURN(driver.profile, openProfile({.progress = options.progress}));
    TET_ASSIGN_OR_RETURN(artifact, api::tuneForThisMachine(std::move(artifact), driver));
  }
  return Impl::of(std::move(artifact), std::move(driver), options.retune);
}

Model::Model(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Model::Model(Model&&) noexcept = default;
Model& Model::operator=(Model&&) noexcept = default;
Model::~Model() = default;

const std::vector<ModelPort>& Model::inputs() const { return impl_->inputs; }
const std::vector<ModelPort>& Model::outputs() const { return impl_->outputs; }

Status Model::save(const std::filesystem::path& path) const {
  std::lock_guard lock(impl_->mutex);
  if (impl_->current) return impl_->current->save(path);
  std::string missing;
  if (!impl_->needs.dims.empty())
    missing +=
        "; sizes of these dimensions are open: " + fmt::format("{}", fmt::join(impl_->needs.dims, ", "));
  if (!impl_->needs.values.empty())
    missing += "; the values of these inputs decide shapes: " +
               fmt::format("{}", fmt::join(impl_->needs.values, ", "));
  return fail(StatusCode::kFailedPrecondition, "{}: an artifact has fixed shapes{}", impl_->source->title(),
              missing);
}

Result<std::vector<Tensor>> Model::run(std::span<const Tensor> inputs) {
  std::lock_guard lock(impl_->mutex);
  TET_RETURN_IF_ERROR(impl_->choose(inputs));
  TET_ASSIGN_OR_RETURN(std::vector<Tensor> outputs, impl_->current->allocateOutputs());
  TET_RETURN_IF_ERROR(impl_->current->run(inputs, outputs));
  return outputs;
}

Status Model::runInto(std::span<const Tensor> inputs, std::span<Tensor> outputs) {
  std::lock_guard lock(impl_->mutex);
  TET_RETURN_IF_ERROR(impl_->choose(inputs));
  return impl_->current->run(inputs, outputs);
}

Report Model::report() const {
  std::lock_guard lock(impl_->mutex);
  if (impl_->current) return impl_->current->report();
  Report report;
  report.model = impl_->source->title();
  report.reason = "not compiled yet: its shapes are bound by the first call";
  return report;
}

Status Model::writeTrace(const std::filesystem::path& path) const {
  std::lock_guard lock(impl_->mutex);
  if (!impl_->current || !impl_->current->hasRun()) {
    return fail(StatusCode::kFailedPrecondition, "{}: there is no run to trace yet", path.string());
  }
  return impl_->current->writeTrace(path);
}

Result<std::string> compileToText(const std::filesystem::path& path, const std::string& stage,
                                  const CompileOptions& options) {
  const api::Quantisation quantisation{options.quantize, options.calibration};
  TET_RETURN_IF_ERROR(api::checkQuantisation(quantisation));
  return api::graphText({.path = path}, {options.dims, options.values, options.shapes}, quantisation, stage);
}

std::vector<std::string> stages() { return api::driverStages(); }

}  // namespace tetrarch
