// The last pass: each group that fusion made becomes a task, its body lowered to upstream dialects.
#include "llvm/ADT/StringSet.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"
#include "tetrarch/compile/fuse/group.h"
#include "tetrarch/compile/lower/join_features.h"
#include "tetrarch/compile/lower/lowering.h"
#include "tetrarch/compile/passes.h"
#include "tetrarch/graph/types.h"

namespace tetrarch::compile {

#define GEN_PASS_DEF_TASKSPASS
#include "tetrarch/compile/passes.h.inc"

namespace {

using mlir::Operation;
using mlir::Value;

int64_t storageBytes(mlir::ValueRange values) {
  int64_t bytes = 0;
  for (Value value : values) {
    bytes += typeOf(value).getNumElements() * static_cast<int64_t>(byteSize(tet::elementTypeOf(value)));
  }
  return bytes;
}

int64_t flopsOf(mlir::Block& block) {
  int64_t flops = 0;
  block.walk([&](tet::CostOpInterface op) { flops += op.getFlops(); });
  return flops;
}

tet::TaskOp makeTask(Builder& b, tet::CompositeOp group) {
  mlir::DictionaryAttr about = group.getCompositeAttributes();
  auto text = [&](llvm::StringRef key) { return about.getAs<mlir::StringAttr>(key); };
  auto task = tet::TaskOp::create(b, group.getResultTypes(), text(kTaskName), group.getInputs(),
                                  text(kTaskRoot), text(kTaskComposite));
  task->setAttr("flops", b.getI64IntegerAttr(flopsOf(group.getBody().front())));
  task->setAttr("bytes",
                b.getI64IntegerAttr(storageBytes(group.getInputs()) + storageBytes(group.getResults())));
  mlir::Block& block = task.getBody().emplaceBlock();
  for (Value input : group.getInputs()) block.addArgument(tet::storageType(typeOf(input)), input.getLoc());
  return task;
}

mlir::LogicalResult lowerGroup(tet::CompositeOp group) {
  Builder b(group.getLoc(), group);
  tet::TaskOp task = makeTask(b, group);
  mlir::Block &from = group.getBody().front(), &to = task.getBody().front();
  b.setInsertionPointToStart(&to);
  Lowering lowering(b);
  for (auto [value, tensor] : llvm::zip(from.getArguments(), to.getArguments())) lowering.bind(value, tensor);
  Values results;
  if (mlir::failed(lowering.lowerBlock(from, results))) return mlir::failure();
  tet::YieldOp::create(b, results);
  // Folds, removes what nothing uses and keeps one of each constant.
  (void)mlir::applyPatternsGreedily(task.getBody(), mlir::FrozenRewritePatternSet());
  joinFeaturesLast(task.getBody());
  group.replaceAllUsesWith(task.getResults());
  group.erase();
  return mlir::success();
}

struct TasksPass : impl::TasksPassBase<TasksPass> {
  void runOnOperation() override {
    llvm::SmallVector<tet::CompositeOp> groups;
    getOperation().walk([&](tet::CompositeOp op) {
      if (isTaskGroup(op)) groups.push_back(op);
    });
    for (tet::CompositeOp group : groups) {
      if (mlir::failed(lowerGroup(group))) return signalPassFailure();
    }
  }
};

}  // namespace
}  // namespace tetrarch::compile
