// The code generator "opencl": tasks mapped to kernels, printed as OpenCL C, packed into a blob of format
// "opencl-c".
#include <cmath>
#include <unordered_map>

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/IR/BuiltinOps.h"
#include "tetrarch/abi/opencl_program.h"
#include "tetrarch/compile/target/gpu/gpu_mapping.h"
#include "tetrarch/compile/target/gpu/opencl_printer.h"

namespace tetrarch::compile {
namespace {

using gpu::MappedArgument;
using gpu::MappedPass;
using gpu::MappedTask;

constexpr std::string_view kTarget = "opencl";

// Vectors of 16 floats that a work-item may keep in registers, in the order of preference: CPUs with AVX2
// hold 8 of them, those with AVX-512 32, and GPUs something in between.
constexpr int64_t kRegisterBudgets[] = {9, 32, 17};

// A device that is not known yet, for estimate().
constexpr double kFlopsPerSecond = 80e9;
constexpr double kBytesPerSecond = 8e9;
constexpr double kPassSeconds = 10e-6;

// One way to compile one task.
struct Candidate {
  size_t task;  // index of the first task with this hash
  TilePlan plan;
  double seconds = 0;
};

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
  Status add(const Task& task, const TilePlan& plan, const std::string& symbol);
  // Another entry for kernels that are there.
  void addAlias(const std::string& symbol, size_t entry) {
    program_.entries.push_back(program_.entries[entry]);
    program_.entries.back().symbol = symbol;
  }
  Result<CodeBlob> finish();

 private:
  mlir::OwningOpRef<mlir::ModuleOp> top_;
  mlir::gpu::GPUModuleOp module_;
  abi::OpenClProgram program_;
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

Status Program::add(const Task& task, const TilePlan& plan, const std::string& symbol) {
  const std::string prefix = fmt::format("k{}_{}", program_.entries.size(), symbol);
  std::string identifier;
  for (char c : prefix) identifier += std::isalnum(static_cast<unsigned char>(c)) ? c : '_';
  TET_ASSIGN_OR_RETURN(const MappedTask mapped, gpu::mapTask(task, plan, identifier, module_));
  abi::OpenClEntry entry{.symbol = symbol,
                         .units = static_cast<uint64_t>(mapped.units),
                         .granularity = static_cast<uint64_t>(plan.granularity),
                         .workspace_bytes = static_cast<uint64_t>(mapped.workspace_bytes),
                         .buffer_count = static_cast<uint32_t>(mapped.buffers)};
  for (const MappedPass& pass : mapped.passes) entry.passes.push_back(toPass(pass));
  program_.entries.push_back(std::move(entry));
  return {};
}

Result<CodeBlob> Program::finish() {
  TET_RETURN_IF_ERROR(gpu::cleanUp(module_));
  TET_ASSIGN_OR_RETURN(program_.source, opencl::printOpenCl(module_));
  CodeBlob blob{.format = "opencl-c"};
  blob.bytes = abi::writeOpenClProgram(program_);
  for (const abi::OpenClEntry& entry : program_.entries) {
    blob.entries.push_back({.symbol = entry.symbol,
                            .units = static_cast<int64_t>(entry.units),
                            .granularity = static_cast<int64_t>(entry.granularity),
                            .workspace_bytes = static_cast<int64_t>(entry.workspace_bytes)});
  }
  return blob;
}

class Compiler {
 public:
  Compiler(std::span<const Task> tasks, const CodegenOptions& options) : tasks_(tasks), options_(options) {}
  Result<CodeBlob> compile();

 private:
  Result<TilePlan> choose(size_t task) const;
  Result<TilePlan> fastest(const Task& task, std::vector<TilePlan> plans) const;

  std::span<const Task> tasks_;
  const CodegenOptions& options_;
};

// The plans worth comparing: one for each budget of registers that leads to another tile.
Result<std::vector<TilePlan>> proposals(const Task& task) {
  std::vector<TilePlan> plans;
  for (int64_t registers : kRegisterBudgets) {
    TET_ASSIGN_OR_RETURN(TilePlan plan, planTile(*task.block, gpu::tileTarget(registers)));
    const bool known = std::ranges::any_of(plans, [&](const TilePlan& p) { return p.choice == plan.choice; });
    if (!known) plans.push_back(std::move(plan));
    if (!plans[0].contraction) break;
  }
  return plans;
}

Result<TilePlan> Compiler::choose(size_t index) const {
  const Task& task = tasks_[index];
  if (options_.cache.load) {
    if (auto text = options_.cache.load(task.hash, kTarget)) {
      auto choice = tileChoiceFromString(*text);
      if (choice) return planTile(*task.block, gpu::tileTarget(kRegisterBudgets[1]), *choice);
    }
  }
  TET_ASSIGN_OR_RETURN(std::vector<TilePlan> plans, proposals(task));
  if (!options_.measure || plans.size() == 1) return plans[0];
  TET_ASSIGN_OR_RETURN(TilePlan best, fastest(task, std::move(plans)));
  if (options_.cache.store) options_.cache.store(task.hash, kTarget, toString(best.choice));
  return best;
}

Result<TilePlan> Compiler::fastest(const Task& task, std::vector<TilePlan> plans) const {
  Program program(task.block->getParentOp()->getContext());
  for (size_t i = 0; i < plans.size(); ++i)
    TET_RETURN_IF_ERROR(program.add(task, plans[i], fmt::format("candidate{}", i)));
  TET_ASSIGN_OR_RETURN(const CodeBlob blob, program.finish());
  size_t best = 0;
  double best_seconds = INFINITY;
  for (size_t i = 0; i < plans.size(); ++i) {
    TET_ASSIGN_OR_RETURN(const double seconds, options_.measure(blob, i, task));
    if (seconds < best_seconds) best = i, best_seconds = seconds;
  }
  return std::move(plans[best]);
}

Result<CodeBlob> Compiler::compile() {
  Program program(tasks_[0].block->getParentOp()->getContext());
  std::unordered_map<uint64_t, size_t> entry_of;
  for (size_t i = 0; i < tasks_.size(); ++i) {
    auto [known, is_new] = entry_of.try_emplace(tasks_[i].hash, i);
    if (is_new) {
      auto plan = choose(i);
      Status added = plan ? program.add(tasks_[i], *plan, tasks_[i].name) : plan.error();
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
    TET_ASSIGN_OR_RETURN(const TilePlan plan, planTile(*task.block, gpu::tileTarget(kRegisterBudgets[0])));
    Program program(task.block->getParentOp()->getContext());
    TET_RETURN_IF_ERROR(program.add(task, plan, "task"));
    TET_RETURN_IF_ERROR(program.finish());
    return {};
  }

  Estimate estimate(const Task& task) const override {
    Estimate estimate{.error = 1e-6};
    auto plan = planTile(*task.block, gpu::tileTarget(kRegisterBudgets[0]));
    if (!plan) {
      estimate.seconds = INFINITY;
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
