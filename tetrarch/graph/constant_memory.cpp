#include "tetrarch/graph/constant_memory.h"

#include "mlir/IR/AsmState.h"
#include "tetrarch/graph/tet.h"

namespace tetrarch::tet {

ConstantMemory& ConstantMemory::of(mlir::MLIRContext* context) {
  return *context->getOrLoadDialect<TetDialect>()->getRegisteredInterface<ConstantMemory>();
}

mlir::DenseResourceElementsHandle ConstantMemory::add(const Tensor& tensor, llvm::StringRef name) {
  // Without a deleter: the memory is the tensor's.
  mlir::AsmResourceBlob blob(llvm::ArrayRef<char>(tensor.as<char>(), tensor.bytes()), 64, {},
                             /*dataIsMutable=*/false);
  auto& manager = mlir::DenseResourceElementsHandle::getManagerInterface(getContext());
  const mlir::DenseResourceElementsHandle handle = manager.insert(name, std::move(blob));
  std::lock_guard lock(mutex_);
  kept_.try_emplace(handle.getKey().str(), Kept{handle, tensor});
  return handle;
}

std::optional<Tensor> ConstantMemory::find(llvm::StringRef key) const {
  std::lock_guard lock(mutex_);
  const auto kept = kept_.find(key.str());
  return kept == kept_.end() ? std::nullopt : std::optional(kept->second.tensor);
}

void ConstantMemory::empty(Kept& kept) { kept.handle.getResource()->setBlob(mlir::AsmResourceBlob()); }

void ConstantMemory::release(llvm::StringRef key) {
  std::lock_guard lock(mutex_);
  const auto kept = kept_.find(key.str());
  if (kept == kept_.end()) return;
  empty(kept->second);
  kept_.erase(kept);
}

size_t ConstantMemory::releaseAllBut(const llvm::StringSet<>& used) {
  std::lock_guard lock(mutex_);
  size_t bytes = 0;
  for (auto it = kept_.begin(); it != kept_.end();) {
    const auto kept = it++;
    if (used.contains(kept->first)) continue;
    bytes += kept->second.tensor.bytes();
    empty(kept->second);
    kept_.erase(kept);
  }
  return bytes;
}

size_t releaseUnusedConstants(mlir::ModuleOp module) {
  llvm::StringSet<> used;
  module->walk([&](mlir::Operation* op) {
    op->getAttrDictionary().walk(
        [&](mlir::DenseResourceElementsAttr constant) { used.insert(constant.getRawHandle().getKey()); });
  });
  return ConstantMemory::of(module->getContext()).releaseAllBut(used);
}

}  // namespace tetrarch::tet
