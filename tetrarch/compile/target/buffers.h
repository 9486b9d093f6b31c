// The beginning of every target's general path: a task's tensors become buffers.
#pragma once

#include <string>

#include "mlir/IR/Block.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/Pass/PassManager.h"

namespace tetrarch::compile {

// Buffers of a task's operands, then of its results, in their shapes. A tensor without elements gets a buffer
// of one, which nobody touches: a memref without elements may have no strides.
llvm::SmallVector<mlir::MemRefType> bufferTypes(mlir::Block& task);

// Clones the task's ops to the insertion point, on tensors that read the operands' buffers and write the
// results'.
void cloneOntoBuffers(mlir::OpBuilder& b, mlir::Location loc, mlir::Block& task, mlir::ValueRange buffers);

// Passes that leave linalg and scf on memrefs. What is allocated is not freed again, and copies are
// memref.copy.
void addBufferization(mlir::PassManager& pm);
// memref.copy as a linalg op.
std::unique_ptr<mlir::Pass> createCopyToLinalgPass();

// Collects what MLIR complains about while it lives, to put it into one error.
class Complaints {
 public:
  explicit Complaints(mlir::MLIRContext* context)
      : handler_(context, [this](mlir::Diagnostic& diagnostic) {
          if (text_.empty()) text_ = diagnostic.str();
          return mlir::success();
        }) {}
  const std::string& text() const { return text_; }

 private:
  std::string text_;
  mlir::ScopedDiagnosticHandler handler_;
};

}  // namespace tetrarch::compile
