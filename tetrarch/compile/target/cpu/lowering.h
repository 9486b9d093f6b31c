// From a task to LLVM IR: the function that runs a range of its units.
#pragma once

#include <memory>
#include <string>

#include "tetrarch/compile/code_generator.h"
#include "tetrarch/compile/tile/tile.h"

namespace llvm {
class LLVMContext;
class Module;
}  // namespace llvm

namespace tetrarch::compile::cpu {

// One function `symbol` of type tet_cpu_kernel_fn (abi/cpu_kernel.h), and what its table row says.
struct LoweredKernel {
  std::unique_ptr<llvm::Module> module;  // borrows the LLVMContext
  KernelEntry entry;                     // its symbol is the function's
  int64_t buffers = 0;
};

// By tiles (tile/tile.h).
Result<LoweredKernel> lowerTiled(const Task& task, const TilePlan& plan, const std::string& symbol,
                                 llvm::LLVMContext& context);

// Whatever the block holds: buffers are assigned, linalg becomes scalar loops, LLVM vectorises what it can.
// One unit.
Result<LoweredKernel> lowerGeneral(const Task& task, const std::string& symbol, llvm::LLVMContext& context);

}  // namespace tetrarch::compile::cpu
