// Runs kernels of a CPU code blob in this process: for tests and for timing by hand. Not a device.
#pragma once

#include <memory>
#include <vector>

#include "tetrarch/abi/cpu_kernel.h"
#include "tetrarch/base/tensor.h"
#include "tetrarch/compile/code_generator.h"

namespace tetrarch::compile {

// A loaded shared object.
class KernelModule {
 public:
  static Result<KernelModule> load(const CodeBlob& blob);
  const tet_cpu_kernel* find(std::string_view name) const;

 private:
  std::shared_ptr<void> handle_;
  const tet_cpu_module* module_ = nullptr;
};

// Tensors of a task's operands, filled with small pseudo-random values of `seed`, and zeroed results.
Result<std::vector<Tensor>> makeOperands(const Task& task, uint32_t seed);
Result<std::vector<Tensor>> makeResults(const Task& task);

// One launch over all units: cut into `ranges` pieces that `threads` threads take, in a shuffled order when
// `seed` is not 0.
void launch(const tet_cpu_kernel& kernel, std::vector<Tensor>& operands, std::vector<Tensor>& results,
            int threads, uint32_t seed = 0);

// The tasks by the CPU target's general path, which shares no code with its tiles: what tests compare these
// with.
Result<CodeBlob> compileGeneral(std::span<const Task> tasks);

// Runs entry `i` of both blobs on the same values, the first in shuffled ranges on `threads` threads; the
// largest difference over all results.
Result<Difference> compareKernels(const CodeBlob& blob, const CodeBlob& reference, size_t i, const Task& task,
                                  int threads, uint32_t seed);

// The shortest of several launches, in seconds: for CodegenOptions::measure. Runs for about `budget_seconds`.
Result<double> timeKernel(const CodeBlob& blob, size_t entry, const Task& task, int threads,
                          double budget_seconds);

}  // namespace tetrarch::compile
