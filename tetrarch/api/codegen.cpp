#include "tetrarch/api/codegen.h"

#include <algorithm>
#include <map>
#include <unordered_map>

#include "mlir/IR/Block.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Operation.h"
#include "tetrarch/api/device_spec.h"
#include "tetrarch/graph/types.h"
#include "tetrarch/run/clock_state.h"
#include "tetrarch/run/measure.h"
#include "tetrarch/run/program.h"

namespace tetrarch::api {
namespace {

using compile::CodeBlob;
using compile::CodeGenerator;
using compile::Task;

// Tasks of a graph without repetitions: `of[i]` is the place of task i among `tasks`.
struct UniqueTasks {
  std::vector<Task> tasks;
  std::vector<int> of;

  // With `by_constants`, tasks that are equal but for the constants that they read stay apart.
  UniqueTasks(const std::vector<Task>& all, bool by_constants) {
    using Key = std::pair<uint64_t, std::vector<const std::byte*>>;
    std::map<Key, int> seen;
    for (const Task& task : all) {
      Key key{task.hash, {}};
      for (std::span<const std::byte> constant : task.constants) {
        if (by_constants) key.second.push_back(constant.data());
      }
      const auto [it, fresh] = seen.try_emplace(std::move(key), static_cast<int>(tasks.size()));
      if (fresh) tasks.push_back(task);
      of.push_back(it->second);
    }
  }
};

void tell(const DriverOptions& options, std::string stage, std::string what, size_t done, size_t total) {
  if (options.progress) options.progress({std::move(stage), std::move(what), done, total});
}

Result<run::KernelBuffer> bufferOf(mlir::Type type) {
  const auto tensor = llvm::dyn_cast<mlir::RankedTensorType>(type);
  const auto element = tensor ? tet::elementTypeFromMlir(tensor.getElementType()) : std::nullopt;
  if (!element) return internalError("a task's operand is no tensor of a storage type");
  return run::KernelBuffer{*element, static_cast<uint64_t>(tensor.getNumElements()) * byteSize(*element), {}};
}

// Inputs then outputs of a task, to be filled at random.
Result<std::vector<run::KernelBuffer>> buffersOf(const Task& task) {
  std::vector<run::KernelBuffer> buffers;
  for (mlir::Value argument : task.block->getArguments()) {
    TET_ASSIGN_OR_RETURN(auto buffer, bufferOf(argument.getType()));
    buffers.push_back(buffer);
  }
  for (mlir::Value result : task.block->getTerminator()->getOperands()) {
    TET_ASSIGN_OR_RETURN(auto buffer, bufferOf(result.getType()));
    buffers.push_back(buffer);
  }
  return buffers;
}

// Times a candidate of the tuner on the device.
class Stopwatch {
 public:
  explicit Stopwatch(std::shared_ptr<run::Device> device) : device_(std::move(device)) {}

  Result<double> time(const CodeBlob& blob, size_t entry, const Task& task) {
    TET_ASSIGN_OR_RETURN(const auto buffers, buffersOf(task));
    TET_RETURN_IF_ERROR(load(blob));
    const run::MeasureOptions quick{.min_seconds = 0.004, .min_runs = 3, .max_runs = 200};
    TET_ASSIGN_OR_RETURN(const auto timing,
                         run::timeKernel(*device_, *module_, blob.entries[entry].symbol, buffers, quick));
    return timing.seconds;
  }

 private:
  // Candidates that come in one blob are loaded, and thereby built, once.
  Status load(const CodeBlob& blob) {
    if (module_ && loaded_ == blob.bytes) return {};
    module_.reset();
    TET_ASSIGN_OR_RETURN(module_, device_->load("candidate", blob.format, blob.bytes));
    loaded_ = blob.bytes;
    return {};
  }

  std::shared_ptr<run::Device> device_;
  std::optional<run::Module> module_;
  std::vector<std::byte> loaded_;
};

compile::TuningCache tuningOf(const DriverOptions& options, const run::Device& device) {
  const std::string machine = device.info().description + " " + device.info().driver;
  auto profile = options.profile;
  auto key = [](uint64_t hash) { return fmt::format("{:016x}", hash); };
  return {
      .load = [=](uint64_t hash, std::string_view target) -> std::optional<std::string> {
        const auto found = profile->tuning(key(hash), std::string(target) + " " + machine);
        return found ? *found : std::nullopt;
      },
      // A choice that cannot be kept is only searched for again.
      .store =
          [=](uint64_t hash, std::string_view target, std::string_view choice) {
            (void)profile->setTuning(key(hash), std::string(target) + " " + machine, std::string(choice));
          },
  };
}

// One code entry of the manifest: a row for each task, whether compiled, repeated or declined.
abi::CodeEntry codeEntry(const CodeGenerator& generator, abi::DeviceClass device_class, const CodeBlob& blob,
                         const UniqueTasks& unique, const std::vector<std::string>& declined) {
  abi::CodeEntry code;
  code.generator = generator.name();
  code.device_class = device_class;
  code.format = blob.format;
  code.features = blob.features;
  std::vector<abi::KernelEntry> rows;
  size_t next = 0;
  for (const std::string& reason : declined) {
    rows.push_back(reason.empty() ? entryOf(blob.entries[next++]) : abi::KernelEntry{"", reason});
  }
  for (int place : unique.of) code.kernels.push_back(rows[place]);
  return code;
}

// The code generator for one device.
class GeneratorChoice {
 public:
  GeneratorChoice(const CodeGenerator& row, const run::Device& device)
      : row_(&row), special_(row.forFeatures(device.info().features)) {
    if (special_) features_ = device.info().features;
  }
  const CodeGenerator& operator*() const { return special_ ? *special_ : *row_; }
  const CodeGenerator* operator->() const { return &**this; }
  // Whether the other one writes the same code.
  bool isAs(const GeneratorChoice& other) const { return row_ == other.row_ && features_ == other.features_; }

 private:
  const CodeGenerator* row_;
  std::unique_ptr<CodeGenerator> special_;
  std::string features_;  // of the device, where they matter
};

// The generator for a device: its class, and a format that the device takes.
const CodeGenerator* generatorFor(const run::Device& device) {
  for (const auto& generator : compile::codeGenerators()) {
    if (generator->deviceClass() == abi::deviceClassName(device.info().device_class)) return generator.get();
  }
  return nullptr;
}

Result<std::vector<CodeBlob>> compileWith(const CodeGenerator& generator, std::shared_ptr<run::Device> device,
                                          const DriverOptions& options, const std::vector<Task>& tasks) {
  compile::CodegenOptions codegen;
  codegen.threads = static_cast<int>(std::max<uint32_t>(1, device->info().compute_units));
  codegen.cache = tuningOf(options, *device);
  auto stopwatch = std::make_shared<Stopwatch>(device);
  if (options.measure) {
    codegen.measure = [stopwatch](const CodeBlob& blob, size_t entry, const Task& task) {
      return stopwatch->time(blob, entry, task);
    };
  }
  const std::string stage = fmt::format("code for {}", generator.name());
  tell(options, stage, "", 0, tasks.size());
  codegen.progress = [&](size_t done, size_t total, std::string_view what) {
    tell(options, stage, std::string(what), done, total);
  };
  if (tasks.empty()) return std::vector<CodeBlob>{};
  return generator.compile(tasks, codegen);
}

// The sections of the artifact by the numbers that the manifest uses.
class Sections {
 public:
  Sections(std::vector<Section>& sections, int first) : sections_(sections), first_(first) {}
  int add(uint32_t type, std::vector<std::byte> bytes) {
    sections_.push_back({type, std::move(bytes)});
    return first_ + static_cast<int>(sections_.size()) - 1;
  }
  std::span<const std::byte> bytes(int number) const { return sections_[number - first_].bytes; }

 private:
  std::vector<Section>& sections_;
  int first_;
};

// Times all tasks on one device.
class CostMeter {
 public:
  CostMeter(TaskGraph& graph, const DriverOptions& options, run::Device& device)
      : graph_(graph), options_(options), device_(device), spec_(deviceSpec(device.id())) {}

  Status run(Sections& sections) {
    TET_ASSIGN_OR_RETURN(const int number, run::chooseCode(graph_.manifest, device_.info()));
    abi::CodeEntry& code = graph_.manifest.code[number];
    if (!options_.measure) return estimate(code);
    const auto& kernels = code.kernels;
    if (std::all_of(kernels.begin(), kernels.end(), [](auto& kernel) { return kernel.symbol.empty(); }))
      return {};
    blob_ = abi::hexHash(sections.bytes(code.section));
    TET_ASSIGN_OR_RETURN(const run::Module module,
                         device_.load(graph_.manifest.model, code.format, sections.bytes(code.section)));
    keepBinary(module, code, sections);
    return measure(module, code);
  }

 private:
  void keepBinary(const run::Module& module, abi::CodeEntry& code, Sections& sections) {
    if (code.binary >= 0) return;
    auto binary = module.binary();  // only some devices have one
    if (!binary || binary->bytes.empty()) return;
    code.binary_format = binary->format;
    code.binary_driver = device_.info().driver;
    code.binary = sections.add(TET_SECTION_BINARY, std::move(binary->bytes));
  }

  Status estimate(const abi::CodeEntry& code) {
    const GeneratorChoice generator(*compile::findCodeGenerator(code.generator), device_);
    for (size_t i = 0; i < graph_.tasks.size(); ++i) {
      if (code.kernels[i].symbol.empty()) continue;
      const double seconds = generator->estimate(graph_.tasks[i]).seconds;
      graph_.manifest.costs.push_back(
          {static_cast<int>(i), spec_, seconds, 0, std::nullopt, abi::Source::Modelled});
    }
    return {};
  }

  Status measure(const run::Module& module, const abi::CodeEntry& code) {
    const std::string stage = "measure on " + spec_;
    std::unordered_map<uint64_t, plan::Measurement> known;
    for (size_t i = 0; i < graph_.tasks.size(); ++i) {
      tell(options_, stage, graph_.tasks[i].name, i, graph_.tasks.size());
      if (code.kernels[i].symbol.empty()) continue;
      auto it = known.find(graph_.tasks[i].hash);
      if (it == known.end()) {
        auto cost = costOf(module, code.kernels[i].symbol, i);
        if (!cost)
          return cost.error().withContext(fmt::format("task '{}' on {}", graph_.tasks[i].name, spec_));
        it = known.emplace(graph_.tasks[i].hash, *cost).first;
      }
      const plan::Measurement& cost = it->second;
      graph_.manifest.costs.push_back(
          {static_cast<int>(i), spec_, cost.mean, cost.stddev, std::nullopt, cost.source});
    }
    return {};
  }

  // From the profile, where this very code was timed on this device before, else by timing it.
  Result<plan::Measurement> costOf(const run::Module& module, const std::string& symbol, size_t task) {
    const std::string kernel = blob_ + "/" + symbol;
    const std::string machine =
        fmt::format("{}|{}|{}", spec_, device_.info().description, device_.info().driver);
    const std::string clock = run::clockState(device_.info());
    const auto known = options_.profile->cost(kernel, machine, clock);
    if (known && *known) return **known;
    TET_ASSIGN_OR_RETURN(const auto buffers, buffersWithWeights(task));
    TET_ASSIGN_OR_RETURN(const run::Timing timing, run::timeKernel(device_, module, symbol, buffers));
    const plan::Measurement cost{timing.seconds, timing.stddev, timing.runs, timing.source};
    (void)options_.profile->addCost(kernel, machine, clock, cost);  // what cannot be kept is measured again
    return cost;
  }

  // Weights hold their values, since some are indices and decide what is touched.
  Result<std::vector<run::KernelBuffer>> buffersWithWeights(size_t task) {
    TET_ASSIGN_OR_RETURN(auto buffers, buffersOf(graph_.tasks[task]));
    const auto& inputs = graph_.manifest.tasks[task].inputs;
    for (size_t i = 0; i < inputs.size(); ++i) {
      const abi::TensorEntry& tensor = graph_.manifest.tensors[abi::rootTensor(graph_.manifest, inputs[i])];
      if (tensor.kind != abi::TensorKind::Constant) continue;
      buffers[i].contents = bytesOf(graph_.weights).subspan(tensor.offset, tensor.bytes);
    }
    return buffers;
  }

  TaskGraph& graph_;
  const DriverOptions& options_;
  run::Device& device_;
  std::string spec_, blob_;
};

}  // namespace

abi::KernelEntry entryOf(const compile::KernelEntry& kernel) {
  abi::KernelEntry entry;
  entry.symbol = kernel.symbol;
  entry.units = static_cast<uint64_t>(kernel.units);
  entry.granularity = static_cast<uint64_t>(std::max<int64_t>(1, kernel.granularity));
  entry.workspace_bytes = static_cast<uint64_t>(kernel.workspace_bytes);
  entry.rows = static_cast<uint64_t>(kernel.rows);
  entry.row_tile = static_cast<uint64_t>(std::max<int64_t>(1, kernel.row_tile));
  entry.utilisation = kernel.utilisation;
  return entry;
}

Result<std::vector<Section>> generateCode(TaskGraph& graph, const DriverOptions& options, int first_section) {
  std::vector<Section> out;
  if (graph.tasks.empty()) return out;
  Sections sections(out, first_section);
  std::vector<GeneratorChoice> done;
  for (const auto& device : options.devices) {
    const CodeGenerator* row = generatorFor(*device);
    if (!row) {
      return fail(StatusCode::kFailedPrecondition, "no code generator writes for {}, a device of class {}",
                  device->info().name, abi::deviceClassName(device->info().device_class));
    }
    GeneratorChoice generator(*row, *device);
    if (std::ranges::any_of(done, [&](const GeneratorChoice& other) { return generator.isAs(other); }))
      continue;
    const UniqueTasks unique(graph.tasks, generator->readsConstants());
    std::vector<Task> taken;
    std::vector<std::string> declined;
    for (const Task& task : unique.tasks) {
      const Status supported = generator->supports(task);
      declined.emplace_back(supported.message());
      if (supported.ok()) taken.push_back(task);
    }
    TET_ASSIGN_OR_RETURN(auto blobs, compileWith(*generator, device, options, taken));
    if (taken.empty()) blobs.push_back({device->info().formats.empty() ? "none" : device->info().formats[0]});
    for (CodeBlob& blob : blobs) {
      graph.manifest.code.push_back(
          codeEntry(*generator, device->info().device_class, blob, unique, declined));
      graph.manifest.code.back().section = sections.add(TET_SECTION_CODE, std::move(blob.bytes));
    }
    done.push_back(std::move(generator));
  }
  return out;
}

Status measureCosts(TaskGraph& graph, const DriverOptions& options, std::vector<Section>& sections,
                    int first_section) {
  Sections numbered(sections, first_section);
  if (graph.tasks.empty()) return {};
  for (const auto& device : options.devices) {
    TET_RETURN_IF_ERROR(CostMeter(graph, options, *device).run(numbered));
  }
  return {};
}

}  // namespace tetrarch::api
