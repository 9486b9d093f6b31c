// Reads the scalar code of a loop's body as nodes of a vector program.
#pragma once

#include "llvm/ADT/DenseMap.h"
#include "mlir/IR/Value.h"
#include "tetrarch/base/status.h"
#include "tetrarch/compile/target/npu/vector_program.h"

namespace tetrarch::npu {

// One body.
class BodyReader {
 public:
  virtual ~BodyReader() = default;

  void bind(mlir::Value argument, int node) { nodes_[argument] = node; }
  // The node that computes the value; Unimplemented when the vector unit has no such operation, or could give
  // another number.
  Result<int> read(mlir::Value value) {
    auto known = nodes_.find(value);
    if (known != nodes_.end()) return known->second;
    TET_ASSIGN_OR_RETURN(const int made, compute(value));
    return nodes_[value] = made;
  }

 protected:
  virtual Result<int> compute(mlir::Value value) = 0;
  // -1 for what was neither bound nor read.
  int known(mlir::Value value) const {
    auto node = nodes_.find(value);
    return node == nodes_.end() ? -1 : node->second;
  }

 private:
  llvm::DenseMap<mlir::Value, int> nodes_;
};

}  // namespace tetrarch::npu
