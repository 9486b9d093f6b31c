// The FPGA target through the twin of its kernels. It declines f64; those tasks go to the CPU's general path,
// as they do in a program.
#include <gtest/gtest.h>

#include <algorithm>

#include "tetrarch/abi/fpga_program.h"
#include "tetrarch/compile/kernel_tool/kernel_runner.h"
#include "tetrarch/compile/lower/differential.h"
#include "tetrarch/devices/fpga/run.h"

namespace tetrarch::compile {
namespace {

class FpgaTarget : public DifferentialTarget {
 public:
  Status compile(std::span<const Task> tasks) override {
    const CodeGenerator& generator = *findCodeGenerator("fpga");
    std::vector<Task> taken, declined;
    for (const Task& task : tasks) {
      const Status supported = generator.supports(task);
      const bool known = supported.message().find("f64") != std::string_view::npos;
      EXPECT_TRUE(supported.ok() || known) << task.name << ": " << supported.toString();
      places_.push_back({supported.ok(), supported.ok() ? taken.size() : declined.size()});
      (supported.ok() ? taken : declined).push_back(task);
    }
    if (!declined.empty()) {
      TET_ASSIGN_OR_RETURN(cpu_blob_, compileGeneral(declined));
      TET_ASSIGN_OR_RETURN(cpu_, KernelModule::load(cpu_blob_));
    }
    if (taken.empty()) return {};
    TET_ASSIGN_OR_RETURN(auto blobs, generator.compile(taken, {}));
    TET_ASSIGN_OR_RETURN(program_, fpga::readProgram(blobs[0].bytes));
    for (const KernelEntry& entry : blobs[0].entries) {
      const auto kernel = std::ranges::find(program_.kernels, entry.symbol, &fpga::Kernel::symbol);
      kernels_.push_back(&*kernel);
    }
    return {};
  }

  Status run(size_t task, std::vector<Tensor>& operands, std::vector<Tensor>& results) override {
    const auto [is_taken, place] = places_[task];
    if (!is_taken) {
      launch(*cpu_.find(cpu_blob_.entries[place].symbol), operands, results, 1);
      return {};
    }
    const fpga::Kernel& kernel = *kernels_[place];
    std::vector<void*> buffers;
    for (Tensor& tensor : operands) buffers.push_back(tensor.data());
    for (Tensor& tensor : results) buffers.push_back(tensor.data());
    int64_t units = 1;
    for (int64_t extent : kernel.units) units *= extent;
    fpga::Twin twin(kernel);
    for (int64_t unit = 0; unit < units; ++unit) {
      auto cycles = twin.run(unit, buffers);
      if (!cycles) return cycles.error().withContext(kernel.symbol);
    }
    return {};
  }

 private:
  std::vector<std::pair<bool, size_t>> places_;
  fpga::Program program_;
  std::vector<const fpga::Kernel*> kernels_;  // by taken task: equal ones are one
  CodeBlob cpu_blob_;
  KernelModule cpu_;
};

}  // namespace

std::unique_ptr<DifferentialTarget> makeDifferentialTarget() { return std::make_unique<FpgaTarget>(); }

}  // namespace tetrarch::compile
