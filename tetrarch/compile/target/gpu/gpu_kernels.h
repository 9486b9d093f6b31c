// How a task's kernels look, whatever fills them: one gpu.func a pass, all with the task's buffers, its
// workspace and the end of the range of work-items as arguments. Private to this folder.
#pragma once

#include <string>

#include "llvm/ADT/STLFunctionalExtras.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "tetrarch/compile/target/gpu/gpu_mapping.h"

namespace tetrarch::compile::gpu {

// Work-groups of passes whose work-items are small.
inline constexpr int64_t kSmallGroup = 64;
// More than this is no scratch: such a task should go elsewhere.
inline constexpr int64_t kWorkspaceLimit = int64_t{256} << 20;
// What a work-item may have in private memory.
inline constexpr int64_t kPrivateBytes = 2048;

// A kernel's arguments as values of its body.
struct KernelValues {
  llvm::SmallVector<mlir::Value> buffers;
  mlir::Value workspace;  // null when the task has none
  mlir::Value item;       // global number of the work-item
};

class KernelMaker {
 public:
  // Kernels go to the end of `module`, their names begin with `prefix`. Of the buffers, which have the given
  // types, the first `inputs` are only read.
  KernelMaker(mlir::gpu::GPUModuleOp module, std::string prefix, llvm::ArrayRef<mlir::MemRefType> types,
              int64_t inputs);

  // Before the first pass.
  void setWorkspace(int64_t bytes) { task_.workspace_bytes = bytes; }

  // A kernel that runs `body` in every work-item below its end, with the builder inside of that condition.
  // It is called what the prefix and `suffix` say.
  Status addPass(const std::string& suffix, MappedPass pass,
                 llvm::function_ref<Status(const KernelValues&)> body);
  // A kernel without a body and its arguments. `shared_bytes` of local memory are its first attribution.
  mlir::gpu::GPUFuncOp makeFunction(MappedPass& pass, KernelValues& values, int64_t shared_bytes = 0);
  void addPass(MappedPass pass) { task_.passes.push_back(std::move(pass)); }

  mlir::OpBuilder& builder() { return builder_; }
  mlir::Location loc() const { return builder_.getUnknownLoc(); }
  mlir::Location named(const std::string& text) { return mlir::NameLoc::get(builder_.getStringAttr(text)); }
  const std::string& prefix() const { return prefix_; }
  MappedTask& task() { return task_; }

 private:
  mutable mlir::OpBuilder builder_;
  std::string prefix_;
  llvm::SmallVector<mlir::MemRefType> types_;
  int64_t inputs_;
  MappedTask task_;
};

}  // namespace tetrarch::compile::gpu
