#include "tetrarch/compile/target/cpu/cpu_generator.h"

#include <atomic>
#include <mutex>
#include <thread>
#include <unordered_map>

#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/Module.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/Block.h"
#include "mlir/IR/BuiltinTypes.h"
#include "tetrarch/compile/target/cpu/dot_product.h"
#include "tetrarch/compile/target/cpu/exact_doubles.h"
#include "tetrarch/compile/target/cpu/lowering.h"
#include "tetrarch/compile/target/cpu/object.h"

namespace tetrarch::compile {
namespace {

using cpu::ObjectCode;
using cpu::Variant;

TileTarget tileTarget(const Variant& variant, int threads) {
  TileTarget target;
  target.vector_bytes = variant.vector_bytes;
  target.vector_registers = variant.vector_registers;
  target.workers = std::max(2, threads);
  target.dot = &cpu::dotProduct(variant.dot, variant.vector_bytes);
  return target;
}

// One way to compile one task.
struct Candidate {
  size_t task;        // index of the first task with this hash
  TilePlan plan;      // without nests: the general path
  ObjectCode object;  // once assembled
  double seconds = 0;
};

// The tasks as they are compiled: those with requantisation in a form of their own.
class PreparedTasks {
 public:
  explicit PreparedTasks(std::span<const Task> tasks) : tasks_(tasks.begin(), tasks.end()) {
    std::unordered_map<uint64_t, mlir::Block*> block_of;
    for (Task& task : tasks_) {
      auto [found, is_new] = block_of.try_emplace(task.hash, task.block);
      if (is_new) found->second = prepare(*task.block);
      task.block = found->second;
    }
  }
  std::span<const Task> tasks() const { return tasks_; }

 private:
  mlir::Block* prepare(mlir::Block& block) {
    auto module = cpu::withExactDoubles(block);
    if (!module) return &block;
    mlir::Block* prepared = &(*module->getOps<mlir::func::FuncOp>().begin()).front();
    modules_.push_back(std::move(module));
    return prepared;
  }

  std::vector<Task> tasks_;
  std::vector<mlir::OwningOpRef<mlir::ModuleOp>> modules_;
};

// Compiles the tasks for one variant.
class VariantCompiler {
 public:
  VariantCompiler(std::span<const Task> tasks, const CodegenOptions& options, const Variant& variant,
                  bool tune)
      : tasks_(tasks),
        options_(options),
        variant_(variant),
        tune_(tune && options.measure),
        target_(tileTarget(variant, options.threads)) {}

  Result<CodeBlob> compile();

 private:
  void propose();
  void proposeFor(size_t task);
  Status assembleAll();
  Status assembleOne(Candidate& candidate, size_t number);
  Status measureAll();
  Result<CodeBlob> makeBlob(std::span<const cpu::Export> exports) const;
  Result<CodeBlob> bestBlob() const;

  std::span<const Task> tasks_;
  const CodegenOptions& options_;
  const Variant& variant_;
  bool tune_;
  TileTarget target_;
  std::vector<Candidate> candidates_;              // of one task side by side, the default first
  std::unordered_map<uint64_t, size_t> first_of_;  // hash → the task's first candidate
  std::mutex mlir_;                                // one thread at a time is in the tasks' MLIR context
};

void VariantCompiler::propose() {
  for (size_t i = 0; i < tasks_.size(); ++i) {
    if (first_of_.try_emplace(tasks_[i].hash, candidates_.size()).second) proposeFor(i);
  }
}

void VariantCompiler::proposeFor(size_t task) {
  mlir::Block& block = *tasks_[task].block;
  TileChoice choice;
  bool known = false;
  if (options_.cache.load) {
    if (auto text = options_.cache.load(tasks_[task].hash, variant_.name)) {
      if (auto parsed = tileChoiceFromString(*text)) choice = *parsed, known = true;
    }
  }
  Result<TilePlan> plan = planTile(block, target_, choice);
  candidates_.push_back({task, plan ? *plan : TilePlan{}, {}});
  if (!plan || known || !tune_) return;
  const TilePlan first = *plan;
  for (const TileChoice& other : tileAlternatives(first, target_)) {
    if (auto alternative = planTile(block, target_, other);
        alternative && alternative->choice != first.choice) {
      candidates_.push_back({task, std::move(*alternative), {}});
    }
  }
}

Status VariantCompiler::assembleOne(Candidate& candidate, size_t number) {
  const Task& task = tasks_[candidate.task];
  const std::string symbol = "kernel_" + std::to_string(number);
  llvm::LLVMContext context;
  TET_ASSIGN_OR_RETURN(cpu::LoweredKernel kernel, [&]() -> Result<cpu::LoweredKernel> {
    std::lock_guard lock(mlir_);
    if (candidate.plan.nests) return cpu::lowerTiled(task, candidate.plan, symbol, context);
    return cpu::lowerGeneral(task, symbol, context);
  }());
  TET_ASSIGN_OR_RETURN(candidate.object, cpu::assemble(std::move(kernel), variant_));
  return {};
}

Status VariantCompiler::assembleAll() {
  std::atomic<size_t> next = 0, done = 0;
  std::mutex mutex;
  Status first_error;
  auto work = [&] {
    for (size_t i = next++; i < candidates_.size(); i = next++) {
      Status status = assembleOne(candidates_[i], i);
      std::lock_guard lock(mutex);
      if (!status.ok() && first_error.ok())
        first_error = status.withContext(tasks_[candidates_[i].task].name);
      if (!first_error.ok()) return;
      if (options_.progress) options_.progress(++done, candidates_.size(), variant_.name);
    }
  };
  std::vector<std::jthread> threads;
  for (int i = 1; i < options_.threads; ++i) threads.emplace_back(work);
  work();
  threads.clear();
  return first_error;
}

Result<CodeBlob> VariantCompiler::makeBlob(std::span<const cpu::Export> exports) const {
  CodeBlob blob{"elf", variant_.features, {}, {}};
  TET_ASSIGN_OR_RETURN(blob.bytes, cpu::link(exports, variant_));
  for (const cpu::Export& e : exports) {
    blob.entries.push_back(e.object->entry);
    blob.entries.back().symbol = e.name;
  }
  return blob;
}

// Every candidate of a task that has more than one, in one shared object.
Status VariantCompiler::measureAll() {
  std::vector<size_t> rivals;
  for (size_t i = 0; i < candidates_.size(); ++i) {
    const bool before = i > 0 && candidates_[i - 1].task == candidates_[i].task;
    const bool after = i + 1 < candidates_.size() && candidates_[i + 1].task == candidates_[i].task;
    if (before || after) rivals.push_back(i);
  }
  if (rivals.empty()) return {};
  std::vector<cpu::Export> exports;
  for (size_t i : rivals) exports.push_back({candidates_[i].object.entry.symbol, &candidates_[i].object});
  TET_ASSIGN_OR_RETURN(CodeBlob blob, makeBlob(exports));
  for (size_t entry = 0; entry < rivals.size(); ++entry) {
    Candidate& candidate = candidates_[rivals[entry]];
    TET_ASSIGN_OR_RETURN(candidate.seconds, options_.measure(blob, entry, tasks_[candidate.task]));
    if (options_.progress) options_.progress(entry + 1, rivals.size(), "measure");
  }
  return {};
}

Result<CodeBlob> VariantCompiler::bestBlob() const {
  std::unordered_map<uint64_t, const Candidate*> best;
  for (const Candidate& candidate : candidates_) {
    const Candidate*& now = best[tasks_[candidate.task].hash];
    if (!now || candidate.seconds < now->seconds) now = &candidate;
  }
  std::vector<cpu::Export> exports;
  for (const Task& task : tasks_) exports.push_back({task.name, &best[task.hash]->object});
  if (tune_ && options_.cache.store) {
    for (const auto& [hash, candidate] : best) {
      if (candidate->plan.contraction)
        options_.cache.store(hash, variant_.name, toString(candidate->plan.choice));
    }
  }
  return makeBlob(exports);
}

Result<CodeBlob> VariantCompiler::compile() {
  propose();
  TET_RETURN_IF_ERROR(assembleAll());
  if (tune_) TET_RETURN_IF_ERROR(measureAll());
  return bestBlob();
}

// A core's peak, from which estimate() guesses before anything was measured.
constexpr double kFlopsPerSecond = 40e9;
constexpr double kBytesPerSecond = 8e9;
constexpr double kGeneralFlopsPerSecond = 0.5e9;
constexpr double kLaunchSeconds = 2e-6;

class CpuGenerator : public CodeGenerator {
 public:
  std::string_view name() const override { return "cpu"; }
  std::string_view deviceClass() const override { return "cpu"; }
  Status supports(const Task&) const override { return {}; }

  Estimate estimate(const Task& task) const override {
    Estimate estimate;
    if (auto plan = planTile(*task.block, TileTarget{})) {
      estimate.seconds =
          kLaunchSeconds + std::max(plan->flops / kFlopsPerSecond, plan->bytes / kBytesPerSecond);
    } else {
      double bytes = 0;
      for (mlir::Type type : task.block->getArgumentTypes()) {
        auto tensor = mlir::cast<mlir::RankedTensorType>(type);
        bytes += static_cast<double>(tensor.getNumElements()) * 4;
      }
      estimate.seconds = kLaunchSeconds + bytes / kGeneralFlopsPerSecond;
    }
    estimate.error = 1e-6;
    return estimate;
  }

  // Only the last variant, this machine's best, is tuned: the others are for machines that cannot be measured
  // here.
  Result<std::vector<CodeBlob>> compile(std::span<const Task> tasks,
                                        const CodegenOptions& options) const override {
    std::vector<CodeBlob> blobs;
    if (tasks.empty()) return blobs;
    tasks[0].block->getParentOp()->getContext()->getOrLoadDialect<mlir::LLVM::LLVMDialect>();
    const PreparedTasks prepared(tasks);
    const std::vector<Variant> variants = cpu::hostVariants();
    for (const Variant& variant : variants) {
      TET_ASSIGN_OR_RETURN(
          CodeBlob blob,
          VariantCompiler(prepared.tasks(), options, variant, &variant == &variants.back()).compile());
      blobs.push_back(std::move(blob));
    }
    return blobs;
  }
};

}  // namespace

std::unique_ptr<CodeGenerator> makeCpuGenerator() { return std::make_unique<CpuGenerator>(); }

}  // namespace tetrarch::compile
