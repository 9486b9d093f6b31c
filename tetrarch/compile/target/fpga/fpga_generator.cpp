// The code generator "fpga": a task as stages of the dialect `flow`, folded as widely as the part allows,
// scheduled, and printed as SystemVerilog.
#include <mutex>
#include <unordered_map>

#include "mlir/Dialect/Arith/Transforms/Passes.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/Passes.h"
#include "tetrarch/abi/fpga_blob.h"
#include "tetrarch/compile/target/buffers.h"
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
constexpr int64_t kMostCopies = 32;
// Of all ports together, in a cycle: what a DMA of 64 bytes moves.
constexpr int64_t kBusBits = 512;
// What brings operands and takes results: the device's link, PCI Express 3.0 with four lanes.
constexpr double kLinkBytesPerSecond = 3.2e9;
// More hardware must bring at least so much.
constexpr double kWorthwhile = 0.9;

Part budgetOf(const Part& part) {
  Part budget = part;
  budget.has.luts = static_cast<int64_t>(kFill * static_cast<double>(part.has.luts));
  budget.has.flip_flops = static_cast<int64_t>(kFill * static_cast<double>(part.has.flip_flops));
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
  kernel.addPass(mlir::arith::createArithIntRangeNarrowing({.bitwidthsSupported = {8, 12, 16, 20, 24, 32}}));
  kernel.addPass(mlir::createCanonicalizerPass());
  kernel.addPass(mlir::createCSEPass());
  if (mlir::failed(pm.run(module))) return internalError("its stages are invalid: {}", complaints.text());
  return {};
}

Result<Kernel> finish(Module module, const Part& part) {
  TET_RETURN_IF_ERROR(simplify(*module));
  TET_ASSIGN_OR_RETURN(Kernel kernel, toProgram(*module->getOps<flow::KernelOp>().begin()));
  schedule(kernel);
  TET_RETURN_IF_ERROR(estimate(kernel, part));
  return kernel;
}

int64_t longestInterval(const Kernel& kernel) {
  int64_t longest = 1;
  for (const Stage& stage : kernel.stages) {
    if (const auto* nest = std::get_if<Nest>(&stage.work))
      longest = std::max<int64_t>(longest, nest->interval);
  }
  return longest;
}

Result<Kernel> makeNestKernel(const compile::Task& task, const Part& part, const Fold& fold) {
  TET_ASSIGN_OR_RETURN(Module module, readNestKernel(task, part, fold));
  return finish(std::move(module), part);
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

Result<Kernel> makeKernel(const compile::Task& task, const Part& part) {
  const Part budget = budgetOf(part);
  Fold fold;
  auto best = makeNestKernel(task, budget, fold);
  // A window that slides reads each element once and keeps some lines, not the image.
  auto slid = makeNestKernel(task, budget, {.slides = true});
  if (!best && slid) return slid;
  if (!best) {
    TET_ASSIGN_OR_RETURN(Module module, readMachineKernel(task, budget));
    auto kernel = finish(std::move(module), budget);
    // The reason of the better way, where neither is one.
    return kernel ? std::move(kernel) : Result<Kernel>(std::unexpected(best.error()));
  }
  const auto improve = [&](const Fold& other) {
    auto candidate = makeNestKernel(task, budget, other);
    if (!candidate || estimateSeconds(*candidate) > kWorthwhile * estimateSeconds(*best)) return;
    if (busBits(*candidate) > std::max(kBusBits, busBits(*best))) return;
    best = std::move(candidate);
    fold = other;
  };
  // Sums take turns first: then folding shows what it is worth.
  if (const int64_t cells = longestInterval(*best); cells > 1) {
    Fold other = fold;
    other.cells = cells;
    improve(other);
  }
  for (int64_t Fold::* factor : {&Fold::lanes, &Fold::steps}) {
    for (int64_t copies = 2; copies <= kMostCopies; copies *= 2) {
      Fold other = fold;
      other.*factor = copies;
      improve(other);
    }
  }
  return slid && estimateSeconds(*slid) < estimateSeconds(*best) ? slid : best;
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
  Result<fpga::Kernel> get(const Task& task) {
    {
      const std::lock_guard lock(mutex_);
      if (auto known = kernels_.find(task.hash); task.hash != 0 && known != kernels_.end())
        return known->second;
    }
    auto kernel = fpga::makeKernel(task, fpga::kEcp5_85k);
    const std::lock_guard lock(mutex_);
    if (kernels_.size() >= kMost) kernels_.clear();
    kernels_.insert_or_assign(task.hash, kernel);
    return kernel;
  }

 private:
  static constexpr size_t kMost = 1024;
  std::mutex mutex_;
  std::unordered_map<uint64_t, Result<fpga::Kernel>> kernels_;
};

class FpgaGenerator : public CodeGenerator {
 public:
  std::string_view name() const override { return "fpga"; }
  std::string_view deviceClass() const override { return "fpga"; }

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
    for (const Task& task : tasks) {
      if (Status added = add(task, program, blob); !added.ok())
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
  Status add(const Task& task, fpga::Program& program, CodeBlob& blob) const {
    TET_ASSIGN_OR_RETURN(fpga::Kernel kernel, kernels_.get(task));
    kernel.symbol = task.name;
    kernel.top = moduleName(task.name);
    kernel.verilog = fpga::printVerilog(kernel, kernel.top);
    int64_t units = 1;
    for (int64_t extent : kernel.units) units *= extent;
    blob.entries.push_back({.symbol = kernel.symbol, .units = units});
    program.kernels.push_back(std::move(kernel));
    return {};
  }

  mutable KernelCache kernels_;
};

}  // namespace

std::unique_ptr<CodeGenerator> makeFpgaGenerator() { return std::make_unique<FpgaGenerator>(); }

}  // namespace tetrarch::compile
