// The code generator "fpga": a task as stages of the dialect `flow`, folded as widely as the part allows,
// scheduled, and printed as SystemVerilog.
#include <map>
#include <mutex>
#include <set>
#include <unordered_map>

#include "llvm/ADT/Hashing.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/xxhash.h"
#include "mlir/Dialect/Arith/Transforms/Passes.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/Passes.h"
#include "tetrarch/abi/fpga_blob.h"
#include "tetrarch/compile/target/buffers.h"
#include "tetrarch/compile/target/fpga/balance_sums.h"
#include "tetrarch/compile/target/fpga/flow.h"
#include "tetrarch/compile/target/fpga/kernel.h"
#include "tetrarch/compile/target/fpga/schedule.h"
#include "tetrarch/compile/target/fpga/to_program.h"
#include "tetrarch/compile/target/fpga/verilog.h"

namespace tetrarch::fpga {
namespace {

using Module = mlir::OwningOpRef<mlir::ModuleOp>;

// A router needs room: what it found for kernels that filled more of a part was slow, or nothing.
constexpr double kFill = 0.7;
constexpr int64_t kMostLanes = 32, kMostSteps = 256;
// Of all ports together, in a cycle: what a DMA of 64 bytes moves.
constexpr int64_t kBusBits = 512;
// What brings operands and takes results: the device's link, PCI Express 3.0 with four lanes.
constexpr double kLinkBytesPerSecond = 3.2e9;
// What loading another configuration takes: 1.9 MB from a quad SPI flash at 62 MHz.
constexpr double kConfigurationSeconds = 0.063;
// More hardware must bring at least so much.
constexpr double kWorthwhile = 0.9;

Part budgetOf(const Part& part, int64_t share) {
  Part budget = part;
  budget.has.luts = static_cast<int64_t>(kFill * static_cast<double>(part.has.luts)) / share;
  budget.has.flip_flops = static_cast<int64_t>(kFill * static_cast<double>(part.has.flip_flops)) / share;
  budget.has.multipliers /= share;
  budget.has.block_rams /= share;
  return budget;
}

// What stages compute, as operators compute it, and no more of it than is needed.
Status simplify(mlir::ModuleOp module) {
  compile::Complaints complaints(module.getContext());
  mlir::PassManager pm(module.getContext());
  mlir::OpPassManager& kernel = pm.nest<flow::KernelOp>();
  kernel.addPass(flow::createExpandMathPass());
  kernel.addPass(mlir::createCanonicalizerPass());
  kernel.addPass(mlir::createCSEPass());
  kernel.addPass(mlir::arith::createArithIntRangeOpts());
  // Narrowing takes 0 to 4095 for 12 bits, whatever reads them: a division must not see a sign there.
  kernel.addPass(mlir::arith::createArithUnsignedWhenEquivalentPass());
  kernel.addPass(mlir::arith::createArithIntRangeNarrowing(
      {.bitwidthsSupported = {8, 9, 10, 11, 12, 13, 14, 16, 18, 20, 24, 32}}));
  kernel.addPass(mlir::createCanonicalizerPass());
  kernel.addPass(mlir::createCSEPass());
  if (mlir::failed(pm.run(module))) return internalError("its stages are invalid: {}", complaints.text());
  return {};
}

// Operators of which as few are there as an interval of this many cycles allows.
constexpr uint32_t kIntervals[] = {2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64};

// Scheduled for the shortest interval at which it fits; `turns` allows longer ones than it needs for itself.
Result<Kernel> fit(Kernel kernel, const Part& part, bool turns) {
  schedule(kernel);
  const Status whole = estimate(kernel, part);
  if (whole.ok()) return kernel;
  for (const uint32_t interval : kIntervals) {
    if (!turns) break;
    const Resources before = kernel.estimate;
    schedule(kernel, interval);
    if (estimate(kernel, part).ok()) return kernel;
    if (kernel.estimate == before) break;
  }
  return propagate(whole);
}

Result<Kernel> finish(Module module, const Part& part, bool turns = false) {
  TET_RETURN_IF_ERROR(simplify(*module));
  TET_ASSIGN_OR_RETURN(Kernel kernel, toProgram(*module->getOps<flow::KernelOp>().begin()));
  for (Stage& stage : kernel.stages) {
    if (auto* nest = std::get_if<Nest>(&stage.work)) balanceSums(*nest);
  }
  return fit(std::move(kernel), part, turns);
}

int64_t longestInterval(const Kernel& kernel) {
  int64_t longest = 1;
  for (const Stage& stage : kernel.stages) {
    if (const auto* nest = std::get_if<Nest>(&stage.work))
      longest = std::max<int64_t>(longest, nest->interval);
  }
  return longest;
}

Result<Kernel> makeNestKernel(const compile::Task& task, const Part& part, const Fold& fold,
                              bool turns = false) {
  TET_ASSIGN_OR_RETURN(Module module, readNestKernel(task, part, fold));
  return finish(std::move(module), part, turns);
}

void add(Resources& sum, const Resources& more) {
  sum.luts += more.luts;
  sum.flip_flops += more.flip_flops;
  sum.multipliers += more.multipliers;
  sum.block_rams += more.block_rams;
}

bool fits(const Resources& uses, const Part& part) {
  return uses.luts <= part.has.luts && uses.flip_flops <= part.has.flip_flops &&
         uses.multipliers <= part.has.multipliers && uses.block_rams <= part.has.block_rams;
}

// Of the resource that it takes most of.
double partOf(const Resources& uses) {
  const Resources& has = kEcp5_85k.has;
  const auto part = [](int64_t use, int64_t of) {
    return static_cast<double>(use) / static_cast<double>(of);
  };
  return std::max({part(uses.luts, has.luts), part(uses.flip_flops, has.flip_flops),
                   part(uses.multipliers, has.multipliers), part(uses.block_rams, has.block_rams)});
}

int64_t busBits(const Kernel& kernel) {
  int64_t bits = 0;
  for (const Port& port : kernel.ports) {
    const Stream& stream = kernel.streams[port.stream];
    bits += int64_t{stream.lanes} * stream.type.width;
  }
  return bits;
}

}  // namespace

double estimateSeconds(const Kernel& kernel) {
  double units = 1, bytes = 0;
  for (int64_t extent : kernel.units) units *= static_cast<double>(extent);
  for (const Port& port : kernel.ports) {
    double elements = port.storage_bytes;
    for (const Port::Loop& loop : port.loops) elements *= static_cast<double>(loop.extent);
    bytes += elements;
  }
  return units *
         (static_cast<double>(estimateCycles(kernel)) / kernel.estimated_hz + bytes / kLinkBytesPerSecond);
}

Result<Module> readKernel(const compile::Task& task, const Part& part, const Fold& fold) {
  TET_ASSIGN_OR_RETURN(Module module, readNestKernel(task, part, fold));
  TET_RETURN_IF_ERROR(simplify(*module));
  return module;
}

namespace {

// From one fold on as wide as pays.
Result<Kernel> widen(const compile::Task& task, const Part& budget, Fold fold) {
  auto best = makeNestKernel(task, budget, fold);
  if (!best) return best;
  const auto improve = [&](const Fold& other) {  // false when it does not fit
    auto candidate = makeNestKernel(task, budget, other);
    if (!candidate) return false;
    if (estimateSeconds(*candidate) > kWorthwhile * estimateSeconds(*best)) return true;
    if (busBits(*candidate) > std::max(kBusBits, busBits(*best))) return true;
    best = std::move(candidate);
    fold = other;
    return true;
  };
  // Sums take turns first: then folding shows what it is worth.
  if (const int64_t cells = longestInterval(*best); cells > 1) {
    Fold other = fold;
    other.cells = cells;
    improve(other);
  }
  for (auto [factor, most] : {std::pair(&Fold::lanes, kMostLanes), std::pair(&Fold::steps, kMostSteps)}) {
    for (int64_t copies = 2; copies <= most; copies *= 2) {
      Fold other = fold;
      other.*factor = copies;
      if (!improve(other)) break;
    }
  }
  return best;
}

bool hasConstants(const compile::Task& task) {
  return llvm::any_of(task.constants, [](std::span<const std::byte> bytes) { return !bytes.empty(); });
}

}  // namespace

Result<Kernel> makeKernel(const compile::Task& task, const Part& part, int64_t share) {
  const Part budget = budgetOf(part, share);
  auto best = widen(task, budget, {});
  // A window that slides reads each element once and keeps some lines, not the image.
  auto slid = makeNestKernel(task, budget, {.slides = true});
  if (slid && (!best || estimateSeconds(*slid) < estimateSeconds(*best))) best = std::move(slid);
  // A kernel with weights in it is of no use to tasks that are the same but for these.
  if (hasConstants(task)) {
    auto resident = widen(task, budget, {.resident = true});
    if (resident && (!best || estimateSeconds(*resident) < kWorthwhile * estimateSeconds(*best)))
      best = std::move(resident);
  }
  if (best) return best;
  // What does not fit takes turns at its operators.
  for (const bool slides : {false, true}) {
    if (auto turns = makeNestKernel(task, budget, {.slides = slides}, /*turns=*/true)) return turns;
  }
  for (const auto read : {readUpdateKernel, readMachineKernel}) {
    auto module = read(task, budget);
    if (!module) continue;
    if (auto kernel = finish(std::move(*module), budget)) return kernel;
  }
  return best;  // the reason of the better way, where none is one
}

}  // namespace tetrarch::fpga

namespace tetrarch::compile {
namespace {

// As an identifier of SystemVerilog.
std::string moduleName(std::string_view name) {
  std::string text = "k_";
  for (char c : name) text += std::isalnum(static_cast<unsigned char>(c)) ? c : '_';
  return text;
}

// supports(), estimate() and compile() ask for the same kernels, one after the other. Safe for several
// threads.
class KernelCache {
 public:
  Result<fpga::Kernel> get(const Task& task, int64_t share = 1) {
    const uint64_t hash = llvm::hash_combine(hashOf(task), share);
    {
      const std::lock_guard lock(mutex_);
      if (auto known = kernels_.find(hash); task.hash != 0 && known != kernels_.end()) return known->second;
    }
    auto kernel = fpga::makeKernel(task, fpga::kEcp5_85k, share);
    const std::lock_guard lock(mutex_);
    if (kernels_.size() >= kMost) kernels_.clear();
    kernels_.insert_or_assign(hash, kernel);
    return kernel;
  }

 private:
  static uint64_t hashOf(const Task& task) {
    llvm::hash_code hash = llvm::hash_value(task.hash);
    for (std::span<const std::byte> constant : task.constants) {
      const llvm::StringRef bytes(reinterpret_cast<const char*>(constant.data()), constant.size());
      hash = llvm::hash_combine(hash, llvm::xxh3_64bits(bytes));
    }
    return hash;
  }

  static constexpr size_t kMost = 1024;
  std::mutex mutex_;
  std::unordered_map<uint64_t, Result<fpga::Kernel>> kernels_;
};

class FpgaGenerator : public CodeGenerator {
 public:
  std::string_view name() const override { return "fpga"; }
  std::string_view deviceClass() const override { return "fpga"; }
  bool readsConstants() const override { return true; }
  PlansGet plansGet() const override { return PlansGet::kTasksTogether; }

  Status supports(const Task& task) const override {
    auto kernel = kernels_.get(task);
    return kernel ? Status() : Status(kernel.error());
  }

  // Cycles at the clock that kernels of such operators reach; the device knows that of the routed kernel.
  Estimate estimate(const Task& task) const override {
    auto kernel = kernels_.get(task);
    if (!kernel) return {};
    return {.seconds = fpga::estimateSeconds(*kernel)};
  }

  Result<std::vector<CodeBlob>> compile(std::span<const Task> tasks,
                                        const CodegenOptions& options) const override {
    std::vector<CodeBlob> blobs;
    if (tasks.empty()) return blobs;
    CodeBlob blob{.format = TET_FPGA_FORMAT, .features = fmt::format("part={}", fpga::kEcp5_85k.name)};
    fpga::Program program{.part = std::string(fpga::kEcp5_85k.name), .kernels = {}};
    const Shares shares = sharesOf(tasks);
    for (const Task& task : tasks) {
      if (Status added = add(task, shares.at(task.hash), program, blob); !added.ok())
        return propagate(added.withContext(task.name));
      if (options.progress) options.progress(blob.entries.size(), tasks.size(), name());
    }
    if (Status legal = fpga::verify(program); !legal.ok())
      return internalError("the generator wrote an illegal kernel: {}", legal.message());
    blob.bytes = fpga::writeProgram(program);
    blobs.push_back(std::move(blob));
    return blobs;
  }

 private:
  // Of each kind of task, by its hash: 1 in so many of the part.
  using Shares = std::map<uint64_t, int64_t>;

  // A configuration takes as long as thousands of launches: where tasks can share one, the largest kernel
  // gets half of what it had until they do. Not where they would take longer than to load two of them.
  Shares sharesOf(std::span<const Task> tasks) const {
    Shares alone;
    for (const Task& task : tasks) alone[task.hash] = 1;
    if (tasks.size() > kTogether) return alone;
    Shares shares = alone;
    std::set<uint64_t> smallest;  // kinds that do not get smaller
    const double seconds = secondsOf(tasks, shares);
    for (;;) {
      const std::vector<fpga::Kernel> kernels = kernelsOf(tasks, shares);
      if (fpga::fits(usesOf(kernels), fpga::kEcp5_85k)) break;
      const Task* largest = largestOf(tasks, shares, smallest);
      if (!largest) return alone;
      const int64_t half = 2 * shares[largest->hash];
      if (half <= kSmallestShare && kernels_.get(*largest, half))
        shares[largest->hash] = half;
      else
        smallest.insert(largest->hash);
    }
    return secondsOf(tasks, shares) < seconds + 2 * fpga::kConfigurationSeconds ? shares : alone;
  }

  // Each one once.
  std::vector<fpga::Kernel> kernelsOf(std::span<const Task> tasks, const Shares& shares) const {
    std::vector<fpga::Kernel> kernels;
    for (const Task& task : tasks) {
      auto kernel = kernels_.get(task, shares.at(task.hash));
      if (!kernel) continue;
      if (!findSame(kernels, *kernel)) kernels.push_back(std::move(*kernel));
    }
    return kernels;
  }

  // The one of them that is the same but for its name.
  static const fpga::Kernel* findSame(const std::vector<fpga::Kernel>& kernels, fpga::Kernel kernel) {
    for (const fpga::Kernel& known : kernels) {
      kernel.symbol = known.symbol;
      kernel.top = known.top;
      kernel.verilog = known.verilog;
      if (kernel == known) return &known;
    }
    return nullptr;
  }

  static fpga::Resources usesOf(const std::vector<fpga::Kernel>& kernels) {
    fpga::Resources uses;
    for (const fpga::Kernel& kernel : kernels) fpga::add(uses, kernel.estimate);
    return uses;
  }

  // Of a kind that may get smaller, the one that takes most of the part.
  const Task* largestOf(std::span<const Task> tasks, const Shares& shares,
                        const std::set<uint64_t>& smallest) const {
    const Task* largest = nullptr;
    double most = 0;
    for (const Task& task : tasks) {
      const auto kernel = kernels_.get(task, shares.at(task.hash));
      if (!kernel || smallest.contains(task.hash)) continue;
      if (const double part = fpga::partOf(kernel->estimate); part > most) most = part, largest = &task;
    }
    return largest;
  }

  double secondsOf(std::span<const Task> tasks, const Shares& shares) const {
    double seconds = 0;
    for (const Task& task : tasks) {
      if (const auto kernel = kernels_.get(task, shares.at(task.hash)))
        seconds += fpga::estimateSeconds(*kernel);
    }
    return seconds;
  }

  Status add(const Task& task, int64_t share, fpga::Program& program, CodeBlob& blob) const {
    TET_ASSIGN_OR_RETURN(fpga::Kernel kernel, kernels_.get(task, share));
    int64_t units = 1;
    for (int64_t extent : kernel.units) units *= extent;
    // Tasks that differ in constants only share a kernel, unless it holds them.
    if (const fpga::Kernel* known = findSame(program.kernels, kernel)) {
      blob.entries.push_back({.symbol = known->symbol, .units = units});
      return {};
    }
    kernel.symbol = task.name;
    kernel.top = moduleName(task.name);
    kernel.verilog = fpga::printVerilog(kernel, kernel.top);
    blob.entries.push_back({.symbol = kernel.symbol, .units = units});
    program.kernels.push_back(std::move(kernel));
    return {};
  }

  static constexpr size_t kTogether = 16;
  static constexpr int64_t kSmallestShare = 16;
  mutable KernelCache kernels_;
};

}  // namespace

std::unique_ptr<CodeGenerator> makeFpgaGenerator() { return std::make_unique<FpgaGenerator>(); }

}  // namespace tetrarch::compile
