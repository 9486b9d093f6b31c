// The memory of a context's large constants. MLIR keeps a resource until its context dies, also when every op
// that showed it is gone; a network whose weights are laid out anew by stage after stage would be held once
// for each. So the dialect owns their memory, shares it with tensors read from it, and lets it go when asked.
#pragma once

#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>

#include "llvm/ADT/StringSet.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/DialectInterface.h"
#include "mlir/IR/DialectResourceBlobManager.h"
#include "mlir/IR/MLIRContext.h"
#include "tetrarch/base/tensor.h"

namespace tetrarch::tet {

// One for each context. Only of resources that add() made; those of a parsed text stay with MLIR. Thread
// safe.
class ConstantMemory : public mlir::DialectInterface::Base<ConstantMemory> {
 public:
  explicit ConstantMemory(mlir::Dialect* dialect) : Base(dialect) {}
  static ConstantMemory& of(mlir::MLIRContext* context);

  // A resource with the tensor's memory; `name` is made unique.
  mlir::DenseResourceElementsHandle add(const Tensor& tensor, llvm::StringRef name);
  // The tensor of a resource, with a share in its memory; nothing when add() did not make it.
  std::optional<Tensor> find(llvm::StringRef key) const;
  // The resource has no data from now on. Tensors read from it before keep theirs.
  void release(llvm::StringRef key);
  // Releases every resource that is not named in `used`; returns their bytes.
  size_t releaseAllBut(const llvm::StringSet<>& used);

 private:
  struct Kept {
    mlir::DenseResourceElementsHandle handle;
    Tensor tensor;
  };
  static void empty(Kept& kept);

  mutable std::mutex mutex_;
  std::unordered_map<std::string, Kept> kept_;
};

// Releases the constants that no op of the module shows any more; returns their bytes. The module must be the
// only one of its context that still needs any.
size_t releaseUnusedConstants(mlir::ModuleOp module);

}  // namespace tetrarch::tet
