#include "tetrarch/api/driver.h"

#include <fmt/ranges.h>

#include <set>

#include "llvm/Config/llvm-config.h"
#include "llvm/Support/raw_ostream.h"
#include "llvm/TargetParser/Host.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/OwningOpRef.h"
#include "tetrarch/api/codegen.h"
#include "tetrarch/api/device_spec.h"
#include "tetrarch/api/segments.h"
#include "tetrarch/api/task_graph.h"
#include "tetrarch/api/task_text.h"
#include "tetrarch/api/variant.h"
#include "tetrarch/api/version.h"
#include "tetrarch/compile/pipeline.h"
#include "tetrarch/compile/quantize/calibrate.h"
#include "tetrarch/graph/interpreter.h"
#include "tetrarch/graph/parse.h"
#include "tetrarch/graph/types.h"
#include "tetrarch/import/onnx/import.h"

namespace tetrarch::api {
namespace {

using Graph = mlir::OwningOpRef<mlir::ModuleOp>;

std::unique_ptr<mlir::MLIRContext> makeContext() {
  auto context = tet::makeContext();
  mlir::DialectRegistry registry;
  compile::registerCodegenDialects(registry);
  context->appendDialectRegistry(registry);
  context->loadAllAvailableDialects();  // passes make ops of dialects that no graph holds yet
  return context;
}

Result<Graph> import(mlir::MLIRContext& context, const ModelSource& source, const Binding& binding,
                     Needs* needs) {
  OnnxImportOptions options;
  options.dims = binding.dims;
  options.values = binding.values;
  options.shapes = binding.shapes;
  OnnxNeeds missing;
  auto graph = source.in_memory
                   ? importOnnx(context, source.bytes, source.name, source.folder, options, &missing)
                   : importOnnx(context, source.path, options, &missing);
  if (needs) *needs = {missing.values, missing.dims};
  return graph;
}

std::vector<CalibratedInput> inputsOf(mlir::ModuleOp graph) {
  auto main = graph.lookupSymbol<mlir::func::FuncOp>("main");
  std::vector<CalibratedInput> inputs;
  for (unsigned i = 0; main && i < main.getNumArguments(); ++i) {
    const auto name = main.getArgAttrOfType<mlir::StringAttr>(i, "tet.name");
    inputs.push_back(
        {name ? name.str() : "", tet::elementTypeOf(main.getArgument(i)), tet::shapeOf(main.getArgument(i))});
  }
  return inputs;
}

// Runs the stages; the errors of quantised values go to `errors` where the graph is quantised here.
using Errors = std::map<std::string, compile::QuantisationError>;
Status runStages(mlir::ModuleOp graph, const DriverOptions& options, std::string_view stop_after,
                 Errors* errors) {
  compile::PipelineOptions pipeline;
  pipeline.stop_after = stop_after;
  pipeline.frees_constants = true;  // the driver has one graph a context
  compile::Calibration calibration;
  pipeline.bf16 = options.quantisation.type == "bf16";
  if (!options.quantisation.calibration.empty()) {
    TET_ASSIGN_OR_RETURN(calibration.samples, calibrationSamples(inputsOf(graph), options.quantisation));
    pipeline.calibration = &calibration;
  }
  // A stage is announced when the one before it is done.
  const auto names = compile::stageNames();
  pipeline.on_stage = [&](std::string_view stage, double) {
    for (size_t i = 0; i + 1 < names.size(); ++i) {
      if (names[i] == stage && options.progress) options.progress({std::string(names[i + 1]), "", 0, 0});
    }
  };
  TET_RETURN_IF_ERROR(compile::runPipeline(graph, pipeline));
  if (errors) *errors = std::move(calibration.errors);
  return {};
}

// Name, hash and bindings: where the artifact comes from.
Status describeOrigin(const ModelSource& source, const Binding& binding, abi::Manifest& manifest) {
  const std::filesystem::path path = source.title();
  manifest.model = path.stem().string();
  manifest.source = path.filename().string();
  if (source.in_memory) {
    manifest.source_hash = abi::hexHash(source.bytes);
  } else {
    TET_ASSIGN_OR_RETURN(manifest.source_hash, abi::hexHashOfFile(source.path));
  }
  manifest.dims = binding.dims;
  return {};
}

void describeQuantisation(const Quantisation& quantisation, const Errors& errors, abi::Manifest& manifest) {
  manifest.precision = quantisation.type;
  for (abi::TaskEntry& task : manifest.tasks) {
    const auto error = errors.find(task.name);
    if (error == errors.end()) continue;
    task.error = error->second.relative;
    task.largest_error = error->second.largest;
  }
}

// The plan that runs, then each device alone where it can run the whole model.
Status addPlans(abi::Manifest& manifest, const DriverOptions& options) {
  if (options.progress) options.progress({"plan", "", 0, 0});
  auto found = choosePlan(manifest, options.devices, options.place, options.divide);
  if (!found) return found.error().withContext(manifest.source);
  const abi::PlanEntry chosen = std::move(*found);
  std::vector<abi::PlanEntry> plans{chosen};
  if (options.devices.size() > 1) {
    for (const abi::SinglePrice& single : chosen.singles) {
      const abi::PlanDevice& device = chosen.devices[single.device];
      abi::PlanEntry plan = run::singleDevicePlan(manifest, device);
      plan.name = deviceSpec(device);
      plan.seconds = plan.lower_bound_seconds = single.seconds;
      plan.source = single.source;
      plan.singles = {{0, single.seconds, single.source}};
      plans.push_back(std::move(plan));
    }
  }
  manifest.plans = std::move(plans);
  return {};
}

Result<std::shared_ptr<const abi::Artifact>> pack(const TaskGraph& graph,
                                                  const std::vector<Section>& sections,
                                                  const std::string& name) {
  abi::ArtifactWriter writer;
  if (graph.weights.bytes() > 0) writer.addWeights(bytesOf(graph.weights));
  for (const Section& section : sections) writer.add(section.type, section.bytes);
  const std::string tasks = taskText(graph);
  if (!tasks.empty()) writer.addTasks(std::as_bytes(std::span(tasks)));
  TET_ASSIGN_OR_RETURN(const auto image, writer.toImage(graph.manifest));
  return abi::Artifact::fromBytes(image.bytes, name, image.owner);
}

// From tasks to the artifact: the second half of the way, for any devices.
Result<std::shared_ptr<const abi::Artifact>> finish(TaskGraph tasks, const DriverOptions& options,
                                                    const std::string& name) {
  tasks.manifest.maker = *thisMachine();
  const int first_section = tasks.weights.bytes() > 0 ? 1 : 0;
  TET_ASSIGN_OR_RETURN(auto sections, generateCode(tasks, options, first_section));
  TET_RETURN_IF_ERROR(measureCosts(tasks, options, sections, first_section));
  TET_RETURN_IF_ERROR(addPlans(tasks.manifest, options));
  for (abi::PlanEntry& plan : tasks.manifest.plans) {
    TET_RETURN_IF_ERROR(addPlanCode(tasks, options, plan));
    for (abi::PlanCode& code : plan.code) {
      code.section = first_section + static_cast<int>(sections.size());
      sections.push_back({TET_SECTION_CODE, *std::exchange(code.made, nullptr)});
    }
  }
  if (options.progress) options.progress({"artifact", "", 0, 0});
  return pack(tasks, sections, name);
}

std::vector<ModelPort> portsOf(const std::vector<OnnxValue>& values) {
  std::vector<ModelPort> ports;
  for (const OnnxValue& value : values) {
    ModelPort port{value.name, value.element.value_or(ElementType::F32), value.dims.has_value(), {}, {}};
    if (value.dims) {
      for (const OnnxDim& dim : *value.dims)
        port.shape.push_back(dim.size), port.dim_names.push_back(dim.name);
    }
    ports.push_back(std::move(port));
  }
  return ports;
}

}  // namespace

Result<ModelInterface> describeModel(const ModelSource& source) {
  TET_ASSIGN_OR_RETURN(const OnnxInterface interface, source.in_memory
                                                          ? describeOnnx(source.bytes, source.name)
                                                          : describeOnnx(source.path));
  return ModelInterface{portsOf(interface.inputs), portsOf(interface.outputs)};
}

Result<std::shared_ptr<const abi::Artifact>> compileArtifact(const ModelSource& source,
                                                             const Binding& binding,
                                                             const DriverOptions& options, Needs* needs) {
  const auto context = makeContext();
  if (options.progress) options.progress({"import", "", 0, 0});
  TET_ASSIGN_OR_RETURN(const Graph graph, import(*context, source, binding, needs));
  Errors errors;
  TET_RETURN_IF_ERROR(runStages(*graph, options, compile::stageNames().back(), &errors));
  TET_ASSIGN_OR_RETURN(TaskGraph tasks, collectTasks(*graph));
  describeQuantisation(options.quantisation, errors, tasks.manifest);
  TET_RETURN_IF_ERROR(describeOrigin(source, binding, tasks.manifest));
  return finish(std::move(tasks), options, source.title());
}

std::optional<abi::Maker> thisMachine() {
  abi::Maker maker{TETRARCH_VERSION, LLVM_VERSION_STRING, llvm::sys::getHostCPUName().str(), ""};
  std::set<std::string> features;  // in order, so that equal machines are equal
  for (const auto& feature : llvm::sys::getHostCPUFeatures()) {
    if (feature.second) features.insert(feature.first().str());
  }
  maker.host_features = fmt::format("{}", fmt::join(features, " "));
  return maker;
}

Result<std::shared_ptr<const abi::Artifact>> recompileArtifact(const abi::Artifact& artifact,
                                                               const DriverOptions& options) {
  const auto context = makeContext();
  TET_ASSIGN_OR_RETURN(auto parsed, parseTasks(*context, artifact));
  TaskGraph graph = std::move(parsed.graph);
  graph.manifest.code.clear();
  graph.manifest.costs.clear();
  graph.manifest.plans.clear();
  return finish(std::move(graph), options, artifact.name());
}

Status compilePlanCode(const abi::Artifact& artifact, const DriverOptions& options, abi::PlanEntry& plan) {
  if (artifact.tasks().empty() || missingCode(artifact.manifest(), options.devices, plan).empty()) return {};
  const auto context = makeContext();
  TET_ASSIGN_OR_RETURN(const auto parsed, parseTasks(*context, artifact));
  Status fused = addPlanCode(parsed.graph, options, plan);
  return fused.ok() ? fused : fused.withContext(artifact.name());
}

Result<std::vector<Tensor>> interpretModel(const ModelSource& source, const Binding& binding,
                                           const Quantisation& quantisation,
                                           const std::map<std::string, Tensor>& inputs, Needs* needs) {
  const auto context = makeContext();
  TET_ASSIGN_OR_RETURN(const Graph graph, import(*context, source, binding, needs));
  if (!quantisation.type.empty()) {
    DriverOptions options;
    options.quantisation = quantisation;
    TET_RETURN_IF_ERROR(runStages(*graph, options, "quantize", nullptr));
  }
  auto main = graph.get().lookupSymbol<mlir::func::FuncOp>("main");
  std::vector<Tensor> arguments;
  for (unsigned i = 0; main && i < main.getNumArguments(); ++i) {
    const auto name = main.getArgAttrOfType<mlir::StringAttr>(i, "tet.name");
    const auto input = inputs.find(name ? name.str() : "");
    if (input == inputs.end()) return invalidArgument("input '{}' is missing", name ? name.str() : "?");
    arguments.push_back(input->second);
  }
  return tet::interpret(*graph, std::move(arguments));
}

Result<std::string> graphText(const ModelSource& source, const Binding& binding,
                              const Quantisation& quantisation, const std::string& stage) {
  const auto context = makeContext();
  Needs needs;
  TET_ASSIGN_OR_RETURN(const Graph graph, import(*context, source, binding, &needs));
  DriverOptions options;
  options.quantisation = quantisation;
  TET_RETURN_IF_ERROR(runStages(*graph, options, stage, nullptr));
  std::string text;
  llvm::raw_string_ostream stream(text);
  mlir::OpPrintingFlags flags;
  flags.elideLargeElementsAttrs(16).elideLargeResourceString(16);
  graph.get()->print(stream, flags);
  return text + "\n";
}

std::vector<std::string> driverStages() {
  std::vector<std::string> names;
  for (std::string_view name : compile::stageNames()) names.emplace_back(name);
  return names;
}

}  // namespace tetrarch::api
