// Control flow: if and while as scf.if and scf.while over tensors, their regions lowered in the same way.
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "tetrarch/compile/lower/lower_op.h"
#include "tetrarch/graph/types.h"

namespace tetrarch::compile {
namespace {

namespace scf = mlir::scf;
using mlir::Value;

llvm::SmallVector<mlir::Type> storageTypes(mlir::ValueRange values) {
  llvm::SmallVector<mlir::Type> types;
  for (Value value : values) types.push_back(tet::storageType(typeOf(value)));
  return types;
}

// Lowers a region's block into `target`, whose arguments hold those of the block.
mlir::LogicalResult lowerRegion(Lowering& lowering, mlir::Region& region, mlir::Block& target,
                                Values& results, Values* scalars) {
  mlir::OpBuilder::InsertionGuard guard(lowering.b);
  lowering.b.setInsertionPointToStart(&target);
  Lowering inner(lowering.b);
  lowering.shareWith(inner);
  for (auto [argument, tensor] : llvm::zip(region.getArguments(), target.getArguments()))
    inner.bind(argument, tensor);
  if (mlir::failed(inner.lowerBlock(region.front(), results))) return mlir::failure();
  if (scalars) {
    for (Value value : region.front().getTerminator()->getOperands()) scalars->push_back(inner.scalar(value));
  }
  return mlir::success();
}

mlir::Block* addBlock(mlir::Region& region, mlir::TypeRange types, mlir::Location loc) {
  mlir::Block* block = &region.emplaceBlock();
  for (mlir::Type type : types) block->addArgument(type, loc);
  return block;
}

template <typename Terminator, typename... Args>
void terminate(Builder& b, mlir::Block* block, Args&&... args) {
  mlir::OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToEnd(block);
  Terminator::create(b, std::forward<Args>(args)...);
}

}  // namespace

mlir::LogicalResult lowerIf(Lowering& lowering, tet::IfOp op) {
  Builder& b = lowering.b;
  lowering.materializeCaptures(op);
  auto choice = scf::IfOp::create(b, storageTypes(op.getResults()), lowering.scalar(op.getPred()),
                                  /*addThenBlock=*/true,
                                  /*addElseBlock=*/true);
  std::pair<mlir::Region*, mlir::Block*> branches[] = {{&op.getTrueBranch(), choice.thenBlock()},
                                                       {&op.getFalseBranch(), choice.elseBlock()}};
  for (auto [region, block] : branches) {
    Values results;
    if (mlir::failed(lowerRegion(lowering, *region, *block, results, nullptr))) return mlir::failure();
    terminate<scf::YieldOp>(b, block, results);
  }
  for (auto [value, tensor] : llvm::zip(op.getResults(), choice.getResults())) lowering.bind(value, tensor);
  return mlir::success();
}

mlir::LogicalResult lowerWhile(Lowering& lowering, tet::WhileOp op) {
  Builder& b = lowering.b;
  lowering.materializeCaptures(op);
  Values inits, unused, condition, next;
  for (Value operand : op.getOperands()) inits.push_back(lowering.tensor(operand));
  auto types = storageTypes(op.getOperands());
  auto loop = scf::WhileOp::create(b, types, inits);
  mlir::Block* before = addBlock(loop.getBefore(), types, op.getLoc());
  mlir::Block* after = addBlock(loop.getAfter(), types, op.getLoc());
  if (mlir::failed(lowerRegion(lowering, op.getCond(), *before, unused, &condition))) return mlir::failure();
  terminate<scf::ConditionOp>(b, before, condition.front(), before->getArguments());
  if (mlir::failed(lowerRegion(lowering, op.getBody(), *after, next, nullptr))) return mlir::failure();
  {
    mlir::OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToEnd(after);
    for (auto [value, argument] : llvm::zip(next, after->getArguments()))
      value = copyInto(b, value, argument);
    scf::YieldOp::create(b, next);
  }
  for (auto [value, tensor] : llvm::zip(op.getResults(), loop.getResults())) lowering.bind(value, tensor);
  return mlir::success();
}

}  // namespace tetrarch::compile
