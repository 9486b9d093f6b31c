// Which ops belong together: the decisions of the fuse pass, apart from the rewriting that follows from them.
//
// Ops come in four sorts (sortOf): roots have a loop nest of their own; elementwise ops (with transposes) may
// join the group of an operand; free ops (broadcast, iota, splats, slices, panels of weights) are copied into
// each group that reads them; the rest (constants, reshapes, the return) stays outside of tasks. Gather and
// dynamic_slice are elementwise, except that what they read from must be made elsewhere.
#pragma once

#include <memory>
#include <vector>

#include "llvm/ADT/DenseMap.h"
#include "mlir/IR/Block.h"
#include "tetrarch/graph/tet.h"

namespace tetrarch::compile {

// The mark of a group in the graph: tet.composite "task" with these attributes.
inline constexpr llvm::StringLiteral kTaskGroup("task");
inline constexpr llvm::StringLiteral kTaskName("name"), kTaskRoot("root"), kTaskComposite("composite");
inline bool isTaskGroup(tet::CompositeOp op) { return op.getName() == kTaskGroup; }

enum class GroupKind {
  Elementwise,  // one parallel loop, several results
  Epilogue,     // a contraction or window, then elementwise ops of its shape; one result
  Reduction,    // elementwise ops into a reduction, then elementwise ops of its shape; one result
  Rows,         // elementwise ops and reductions over trailing dimensions
  Mosaic,       // elementwise ops of any shapes, then a concatenation or pad that puts their results together
  Opaque,       // one op alone
};

struct Group {
  GroupKind kind = GroupKind::Elementwise;
  mlir::Operation* root = nullptr;
  std::vector<mlir::Operation*> ops;  // in program order
  llvm::ArrayRef<int64_t> shape;      // what an elementwise op must have to join
  int64_t row_rank = -1;              // Rows: leading dimensions that the reductions keep
};

struct Grouping {
  std::vector<std::unique_ptr<Group>> groups;
  llvm::DenseMap<mlir::Operation*, Group*> group_of;
};

// Groups all ops of a block that are to be part of a task.
Grouping groupOps(mlir::Block& block);

// Whether `user`, inside a task, reads its operand through a copy of the op that defines it.
bool isCopiedInto(mlir::Operation* producer, mlir::OpOperand& use);
// Values of the group that something outside reads, in program order.
std::vector<mlir::Value> groupResults(const Group& group, const Grouping& grouping);

}  // namespace tetrarch::compile
