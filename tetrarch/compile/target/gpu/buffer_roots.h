// Which memory an op touches: the buffer behind a chain of views.
#pragma once

#include "llvm/ADT/DenseSet.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "mlir/Interfaces/ViewLikeInterface.h"

namespace tetrarch::compile::gpu {

// The memref at the far end of a chain of views.
inline mlir::Value rootOf(mlir::Value memref) {
  while (auto view = memref.getDefiningOp<mlir::ViewLikeOpInterface>()) memref = view.getViewSource();
  return memref;
}

// Adds the roots of all memrefs that `op` and what is inside of it store to.
inline void collectWritten(mlir::Operation* op, llvm::DenseSet<mlir::Value>& written) {
  op->walk([&](mlir::MemoryEffectOpInterface inner) {
    llvm::SmallVector<mlir::MemoryEffects::EffectInstance> effects;
    inner.getEffects(effects);
    for (const auto& effect : effects) {
      if (mlir::isa<mlir::MemoryEffects::Write>(effect.getEffect()) && effect.getValue())
        written.insert(rootOf(effect.getValue()));
    }
  });
}

}  // namespace tetrarch::compile::gpu
