// The code generator "opencl": tasks mapped to kernels, printed as OpenCL C, packed into a blob of format
// "opencl-c".
#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <functional>
#include <optional>
#include <unordered_map>
#include <unordered_set>

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/IR/BuiltinOps.h"
#include "tetrarch/abi/opencl_program.h"
#include "tetrarch/base/trace.h"
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
constexpr int64_t kMostItems = 1024;  // of a work-group

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

// Work-group sizes to try: 0 is the device's own choice, which suits work-items with large tiles.
constexpr int64_t kTileGroups[] = {0, 32, 128}, kSmallGroups[] = {64, 16, 256}, kRowGroups[] = {64, 256};
// Work-groups that a processor should have at least for each of its compute units.
constexpr int64_t kGroupsPerUnit = 2;
// Tasks are worth a search that make up so much of the estimated time, the longest first.
constexpr double kWorthSearching = 0.98;

// What the tuning cache keeps of a cut: "rows=… unit_columns=… local=64", or "… group=64" for rows by groups.
std::string toText(const Cut& cut) {
  return fmt::format("{} {}={}", toString(cut.plan.choice), cut.group > 0 ? "group" : "local", cut.local);
}

// Nothing when the text is not of this task and this version, which is then measured anew.
std::optional<Cut> fromText(const Task& task, std::string_view text) {
  const size_t space = std::min(text.rfind(' '), text.size());
  const std::string_view last = text.substr(std::min(space + 1, text.size()));
  auto choice = tileChoiceFromString(text.substr(0, space));
  const size_t equals = std::min(last.find('='), last.size());
  int64_t items = -1;
  const std::string_view number = last.substr(std::min(equals + 1, last.size()));
  std::from_chars(number.data(), number.data() + number.size(), items);
  if (!choice || items < 0 || items > kMostItems) return std::nullopt;
  auto plan = planTile(*task.block, gpu::tileTarget(kMostRegisters), *choice);
  if (!plan) return std::nullopt;
  if (last.substr(0, equals) == "group" && std::has_single_bit(static_cast<uint64_t>(items)))
    return gpu::cutByGroups(*plan, items);
  if (last.substr(0, equals) != "local") return std::nullopt;
  Cut cut = gpu::cutByItems(std::move(*plan));
  cut.local = items;
  return cut;
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
  if (auto groups = gpu::cutByGroups(cuts[0].plan, kRowGroups[0])) cuts.push_back(std::move(*groups));
  return cuts;
}

// The same cut in work-groups of other sizes, as far as enough groups remain for `compute_units`.
std::vector<Cut> otherGroups(const Cut& cut, int64_t compute_units) {
  std::vector<Cut> cuts;
  if (!cut.plan.nests) return cuts;
  if (cut.group > 0) {
    for (int64_t items : kRowGroups) {
      auto other = gpu::cutByGroups(cut.plan, items);
      if (items != cut.group && other) cuts.push_back(std::move(*other));
    }
    return cuts;
  }
  for (int64_t items : cut.local == 0 ? kTileGroups : kSmallGroups) {
    if (items == cut.local || cut.plan.units < items * compute_units * kGroupsPerUnit) continue;
    cuts.push_back(cut);
    cuts.back().local = items;
  }
  return cuts;
}

class Compiler {
 public:
  Compiler(const CodeGenerator& generator, std::span<const Task> tasks, const CodegenOptions& options)
      : generator_(generator), tasks_(tasks), options_(options) {}
  Result<CodeBlob> compile();

 private:
  // How each task is cut: as remembered, as measured while the time for that lasts, else by default.
  Status choose();
  std::optional<Cut> remembered(const Task& task) const;
  std::vector<const Task*> worthSearching() const;
  Status search(const Task& task);
  // The fastest of some cuts, in one program; cuts that the device refuses do not count.
  struct Timed {
    size_t cut = 0;
    double seconds = INFINITY;
  };
  Result<Timed> fastest(const Task& task, std::span<const Cut> cuts) const;

  const CodeGenerator& generator_;
  std::span<const Task> tasks_;
  const CodegenOptions& options_;
  std::unordered_map<uint64_t, Cut> cuts_;  // by the task's hash
};

std::optional<Cut> Compiler::remembered(const Task& task) const {
  if (!options_.cache.load) return std::nullopt;
  const auto text = options_.cache.load(task.hash, kTarget);
  return text ? fromText(task, *text) : std::nullopt;
}

Status Compiler::choose() {
  for (const Task& task : tasks_) {
    if (cuts_.contains(task.hash)) continue;
    if (auto cut = remembered(task)) cuts_.emplace(task.hash, std::move(*cut));
  }
  const std::vector<const Task*> open = worthSearching();
  const int64_t begin = nowNs();
  for (const auto& [i, task] : llvm::enumerate(open)) {
    if (static_cast<double>(nowNs() - begin) * 1e-9 >= options_.search_seconds) break;
    const Status found = search(*task);
    if (!found.ok()) return found.withContext(task->name);
    if (options_.progress) options_.progress(i + 1, open.size(), kTarget);
  }
  return {};
}

// Tasks without a choice for which there are several, the longest first.
std::vector<const Task*> Compiler::worthSearching() const {
  std::vector<std::pair<double, const Task*>> open;
  std::unordered_set<uint64_t> seen;
  double total = 0, covered = 0;
  for (const Task& task : tasks_) {
    if (!seen.insert(task.hash).second) continue;
    const double seconds = generator_.estimate(task).seconds;
    total += seconds;
    if (options_.measure && !cuts_.contains(task.hash)) open.emplace_back(seconds, &task);
  }
  std::ranges::sort(open, std::ranges::greater(), &std::pair<double, const Task*>::first);
  std::vector<const Task*> worth;
  for (const auto& [seconds, task] : open) {
    if (covered >= kWorthSearching * total) break;
    covered += seconds;
    worth.push_back(task);
  }
  return worth;
}

// Registers first, then, for the best of those, the size of work-groups.
Status Compiler::search(const Task& task) {
  std::vector<Cut> cuts = proposals(task);
  if (cuts.size() == 1 && otherGroups(cuts[0], options_.threads).empty()) return {};
  TET_ASSIGN_OR_RETURN(const Timed tile, fastest(task, cuts));
  Cut best = cuts[tile.cut];
  double seconds = tile.seconds;
  for (const Cut& other : otherGroups(best, options_.threads)) {
    const auto timed = fastest(task, {&other, 1});
    if (timed && timed->seconds < seconds) best = other, seconds = timed->seconds;
  }
  if (options_.cache.store) options_.cache.store(task.hash, kTarget, toText(best));
  cuts_.emplace(task.hash, std::move(best));
  return {};
}

Result<Compiler::Timed> Compiler::fastest(const Task& task, std::span<const Cut> cuts) const {
  Program program(task.block->getParentOp()->getContext());
  for (size_t i = 0; i < cuts.size(); ++i) {
    TET_RETURN_IF_ERROR(program.add(task, cuts[i], fmt::format("candidate{}", i)));
  }
  TET_ASSIGN_OR_RETURN(const CodeBlob blob, program.finish());
  Timed best;
  Status refused;
  for (size_t i = 0; i < cuts.size(); ++i) {
    const auto seconds = options_.measure(blob, i, task);
    if (!seconds) {
      refused = seconds.error();
    } else if (*seconds < best.seconds) {
      best = {i, *seconds};
    }
  }
  if (best.seconds == INFINITY) return propagate(refused);
  return best;
}

Result<CodeBlob> Compiler::compile() {
  TET_RETURN_IF_ERROR(choose());
  Program program(tasks_[0].block->getParentOp()->getContext());
  std::unordered_map<uint64_t, size_t> entry_of;
  for (size_t i = 0; i < tasks_.size(); ++i) {
    const Task& task = tasks_[i];
    auto [known, is_new] = entry_of.try_emplace(task.hash, i);
    if (!is_new) {
      program.addAlias(task.name, known->second);
      continue;
    }
    auto chosen = cuts_.find(task.hash);
    const Status added =
        program.add(task, chosen != cuts_.end() ? chosen->second : proposals(task)[0], task.name);
    if (!added.ok()) return propagate(added.withContext(task.name));
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
    TET_ASSIGN_OR_RETURN(CodeBlob blob, Compiler(*this, tasks, options).compile());
    blobs.push_back(std::move(blob));
    return blobs;
  }
};

}  // namespace

std::unique_ptr<CodeGenerator> makeOpenClGenerator() { return std::make_unique<OpenClGenerator>(); }

}  // namespace tetrarch::compile
