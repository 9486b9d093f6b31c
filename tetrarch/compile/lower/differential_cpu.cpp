// The CPU target's general path, which takes everything.
#include "tetrarch/compile/kernel_tool/kernel_runner.h"
#include "tetrarch/compile/lower/differential.h"

namespace tetrarch::compile {
namespace {

class CpuTarget : public DifferentialTarget {
 public:
  Status compile(std::span<const Task> tasks) override {
    TET_ASSIGN_OR_RETURN(blob_, compileGeneral(tasks));
    TET_ASSIGN_OR_RETURN(kernels_, KernelModule::load(blob_));
    return {};
  }
  Status run(size_t task, std::vector<Tensor>& operands, std::vector<Tensor>& results) override {
    const tet_cpu_kernel* kernel = kernels_.find(blob_.entries[task].symbol);
    if (!kernel) return internalError("no kernel for task {}", task);
    launch(*kernel, operands, results, /*threads=*/1);
    return {};
  }

 private:
  CodeBlob blob_;
  KernelModule kernels_;
};

}  // namespace

std::unique_ptr<DifferentialTarget> makeDifferentialTarget() { return std::make_unique<CpuTarget>(); }

}  // namespace tetrarch::compile
