// The code generator "opencl": tasks mapped to kernels, printed as OpenCL C, packed into a blob of format
// "opencl-c".
#include <algorithm>
#include <cmath>
#include <optional>
#include <unordered_map>

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/IR/BuiltinOps.h"
#include "tetrarch/abi/opencl_program.h"
#include "tetrarch/compile/target/buffers.h"
#include "tetrarch/compile/target/gpu/gpu_mapping.h"
#include "tetrarch/compile/target/gpu/opencl_printer.h"

namespace tetrarch::compile {
namespace {

using gpu::Cut;
using gpu::MappedArgument;
using gpu::MappedPass;
using gpu::MappedTask;

constexpr std::string_view kTarget = "opencl";

// Vectors of 16 floats that a work-item may keep in registers, in the order of preference: CPUs with AVX2
// hold 8 of them (a ninth costs little, and 7 rows divide the sizes of many networks), those with AVX-512 32.
constexpr int64_t kRegisterBudgets[] = {9, 8, 32};
constexpr int64_t kMostRegisters = 32;

// A device that is not known yet, for estimate().
constexpr double kFlopsPerSecond = 80e9;
constexpr double kBytesPerSecond = 8e9;
constexpr double kPassSeconds = 10e-6;

// Kernels under construction, in the tasks' context.
class Program {
 public:
  explicit Program(mlir::MLIRContext* context) {
    context->loadDialect<mlir::gpu::GPUDialect>();
    auto b = mlir::OpBuilder(context);
    top_ = mlir::ModuleOp::create(b.getUnknownLoc());
    b.setInsertionPointToStart(top_->getBody());
    module_ = mlir::gpu::GPUModuleOp::create(b, b.getUnknownLoc(), "kernels");
  }

  // Adds a task's kernels once and an entry `symbol` for it.
  Status add(const Task& task, const Cut& cut, const std::string& symbol);
  // Another entry for kernels that are there.
  void addAlias(const std::string& symbol, size_t entry) {
    program_.entries.push_back(program_.entries[entry]);
    program_.entries.back().symbol = symbol;
    entries_.push_back(entries_[entry]);
    entries_.back().symbol = symbol;
  }
  Result<CodeBlob> finish();

 private:
  mlir::OwningOpRef<mlir::ModuleOp> top_;
  mlir::gpu::GPUModuleOp module_;
  abi::OpenClProgram program_;
  std::vector<KernelEntry> entries_;  // beside program_.entries
};

uint32_t argumentKind(MappedArgument::Kind kind) {
  switch (kind) {
    case MappedArgument::Kind::Buffer:
      return TET_OPENCL_BUFFER;
    case MappedArgument::Kind::Workspace:
      return TET_OPENCL_WORKSPACE;
    case MappedArgument::Kind::ItemEnd:
      return TET_OPENCL_ITEM_END;
  }
  return TET_OPENCL_BUFFER;
}

abi::OpenClPass toPass(const MappedPass& mapped) {
  abi::OpenClPass pass{.kernel = mapped.kernel,
                       .kind = static_cast<uint32_t>(mapped.whole ? TET_OPENCL_WHOLE : TET_OPENCL_UNITS),
                       .local_items = static_cast<uint32_t>(mapped.local_items),
                       .items = static_cast<uint64_t>(mapped.items)};
  for (const MappedArgument& a : mapped.arguments) {
    pass.arguments.push_back({argumentKind(a.kind), static_cast<uint64_t>(a.buffer)});
  }
  return pass;
}

Status Program::add(const Task& task, const Cut& cut, const std::string& symbol) {
  const std::string prefix = fmt::format("k{}_{}", program_.entries.size(), symbol);
  std::string identifier;
  for (char c : prefix) identifier += std::isalnum(static_cast<unsigned char>(c)) ? c : '_';
  TET_ASSIGN_OR_RETURN(const MappedTask mapped, cut.plan.nests ? gpu::mapTask(task, cut, identifier, module_)
                                                               : gpu::mapGeneral(task, identifier, module_));
  abi::OpenClEntry entry{.symbol = symbol,
                         .units = static_cast<uint64_t>(mapped.units),
                         .granularity = static_cast<uint64_t>(cut.plan.granularity),
                         .workspace_bytes = static_cast<uint64_t>(mapped.workspace_bytes),
                         .buffer_count = static_cast<uint32_t>(mapped.buffers)};
  for (const MappedPass& pass : mapped.passes) {
    entry.passes.push_back(toPass(pass));
    if (pass.local_items > 0) continue;
    mlir::Operation* kernel = mlir::SymbolTable::lookupSymbolIn(module_, pass.kernel);
    kernel->setAttr(opencl::kLocalSizeMacroAttr,
                    mlir::StringAttr::get(module_.getContext(), TET_OPENCL_LOCAL_MACRO));
  }
  program_.entries.push_back(std::move(entry));
  entries_.push_back({.symbol = symbol,
                      .units = mapped.units,
                      .granularity = cut.plan.granularity,
                      .workspace_bytes = mapped.workspace_bytes,
                      .rows = mapped.rows,
                      .row_tile = mapped.row_tile});
  return {};
}

Result<CodeBlob> Program::finish() {
  TET_RETURN_IF_ERROR(gpu::cleanUp(module_));
  TET_ASSIGN_OR_RETURN(program_.source, opencl::printOpenCl(module_));
  CodeBlob blob{.format = "opencl-c"};
  blob.bytes = abi::writeOpenClProgram(program_);
  blob.entries = entries_;
  return blob;
}

constexpr std::string_view kByGroups = " by groups";

// What the tuning cache keeps of a cut.
std::string toText(const Cut& cut) {
  return toString(cut.plan.choice) + std::string(cut.group > 0 ? kByGroups : "");
}

// Nothing when the text is not of this task and this version, which is then measured anew.
std::optional<Cut> fromText(const Task& task, std::string_view text) {
  const bool by_groups = text.ends_with(kByGroups);
  if (by_groups) text.remove_suffix(kByGroups.size());
  auto choice = tileChoiceFromString(text);
  if (!choice) return std::nullopt;
  auto plan = planTile(*task.block, gpu::tileTarget(kMostRegisters), *choice);
  if (!plan) return std::nullopt;
  return by_groups ? gpu::cutByGroups(*plan) : gpu::cutByItems(std::move(*plan));
}

// The cuts worth comparing: one for each budget of registers that leads to another tile, and rows by
// work-groups. What tiles cannot express has one way only, and its cut no plan.
std::vector<Cut> proposals(const Task& task) {
  std::vector<Cut> cuts;
  for (int64_t registers : kRegisterBudgets) {
    auto plan = planTile(*task.block, gpu::tileTarget(registers));
    if (!plan) return {Cut{}};
    const bool known =
        std::ranges::any_of(cuts, [&](const Cut& cut) { return cut.plan.choice == plan->choice; });
    if (!known) cuts.push_back(gpu::cutByItems(std::move(*plan)));
    if (!cuts[0].plan.contraction) break;
  }
  if (auto groups = gpu::cutByGroups(cuts[0].plan)) cuts.push_back(std::move(*groups));
  return cuts;
}

class Compiler {
 public:
  Compiler(std::span<const Task> tasks, const CodegenOptions& options) : tasks_(tasks), options_(options) {}
  Result<CodeBlob> compile();

 private:
  Result<Cut> choose(const Task& task) const;
  Result<Cut> fastest(const Task& task, std::vector<Cut> cuts) const;

  std::span<const Task> tasks_;
  const CodegenOptions& options_;
};

Result<Cut> Compiler::choose(const Task& task) const {
  if (options_.cache.load) {
    if (auto text = options_.cache.load(task.hash, kTarget)) {
      if (auto cut = fromText(task, *text)) return std::move(*cut);
    }
  }
  std::vector<Cut> cuts = proposals(task);
  if (!options_.measure || cuts.size() == 1) return std::move(cuts[0]);
  TET_ASSIGN_OR_RETURN(Cut best, fastest(task, std::move(cuts)));
  if (options_.cache.store) options_.cache.store(task.hash, kTarget, toText(best));
  return best;
}

Result<Cut> Compiler::fastest(const Task& task, std::vector<Cut> cuts) const {
  Program program(task.block->getParentOp()->getContext());
  for (size_t i = 0; i < cuts.size(); ++i) {
    TET_RETURN_IF_ERROR(program.add(task, cuts[i], fmt::format("candidate{}", i)));
  }
  TET_ASSIGN_OR_RETURN(const CodeBlob blob, program.finish());
  size_t best = 0;
  double best_seconds = INFINITY;
  for (size_t i = 0; i < cuts.size(); ++i) {
    TET_ASSIGN_OR_RETURN(const double seconds, options_.measure(blob, i, task));
    if (seconds < best_seconds) best = i, best_seconds = seconds;
  }
  return std::move(cuts[best]);
}

Result<CodeBlob> Compiler::compile() {
  Program program(tasks_[0].block->getParentOp()->getContext());
  std::unordered_map<uint64_t, size_t> entry_of;
  for (size_t i = 0; i < tasks_.size(); ++i) {
    auto [known, is_new] = entry_of.try_emplace(tasks_[i].hash, i);
    if (is_new) {
      auto cut = choose(tasks_[i]);
      Status added = cut ? program.add(tasks_[i], *cut, tasks_[i].name) : cut.error();
      if (!added.ok()) return propagate(added.withContext(tasks_[i].name));
    } else {
      program.addAlias(tasks_[i].name, known->second);
    }
    if (options_.progress) options_.progress(i + 1, tasks_.size(), kTarget);
  }
  return program.finish();
}

class OpenClGenerator : public CodeGenerator {
 public:
  std::string_view name() const override { return kTarget; }
  std::string_view deviceClass() const override { return "gpu"; }

  // By doing it: the printer's tables say what has a spelling.
  Status supports(const Task& task) const override {
    const std::vector<Cut> cuts = proposals(task);
    Program program(task.block->getParentOp()->getContext());
    TET_RETURN_IF_ERROR(program.add(task, cuts[0], "task"));
    TET_RETURN_IF_ERROR(program.finish());
    return {};
  }

  Estimate estimate(const Task& task) const override {
    Estimate estimate{.error = 1e-6};
    auto plan = planTile(*task.block, gpu::tileTarget(kRegisterBudgets[0]));
    if (!plan) {
      double bytes = 0;
      for (mlir::MemRefType type : bufferTypes(*task.block))
        bytes += static_cast<double>(type.getNumElements() * type.getElementTypeBitWidth()) / 8;
      estimate.seconds = kPassSeconds + bytes / kBytesPerSecond;
      return estimate;
    }
    estimate.seconds = kPassSeconds * static_cast<double>(1 + plan->pads.size()) +
                       std::max(plan->flops / kFlopsPerSecond, plan->bytes / kBytesPerSecond);
    return estimate;
  }

  Result<std::vector<CodeBlob>> compile(std::span<const Task> tasks,
                                        const CodegenOptions& options) const override {
    std::vector<CodeBlob> blobs;
    if (tasks.empty()) return blobs;
    TET_ASSIGN_OR_RETURN(CodeBlob blob, Compiler(tasks, options).compile());
    blobs.push_back(std::move(blob));
    return blobs;
  }
};

}  // namespace

std::unique_ptr<CodeGenerator> makeOpenClGenerator() { return std::make_unique<OpenClGenerator>(); }

}  // namespace tetrarch::compile
