#include "tetrarch/graph/constants.h"

#include "tetrarch/compile/rewrite/rules.h"
#include "tetrarch/graph/interpreter.h"
#include "tetrarch/graph/types.h"

namespace tetrarch::compile {
namespace {

using namespace tet;  // the ops

// What is computed now: results of any size for ops that only move elements (weights in another layout), of
// this many elements for the others; nothing that would make a small constant large.
constexpr int64_t kMostComputed = 1 << 20, kSmall = 1 << 10;

int64_t elementsOf(mlir::ValueRange values) {
  int64_t count = 0;
  for (Value value : values) count += tensorType(value).getNumElements();
  return count;
}

bool isWorthComputing(mlir::Operation* op) {
  const int64_t in = elementsOf(op->getOperands()), out = elementsOf(op->getResults());
  if (llvm::isa<TransposeOp, ReshapeOp, SliceOp, ReverseOp>(op)) return true;
  if (llvm::isa<BroadcastInDimOp>(op)) return false;
  return out <= kMostComputed && in <= kMostComputed && (out <= in || out <= kSmall);
}

// op(constants) = constant, by the reference interpreter.
class ComputeNow : public mlir::RewritePattern {
 public:
  explicit ComputeNow(mlir::MLIRContext* context) : RewritePattern(MatchAnyOpTypeTag(), 1, context) {}

  mlir::LogicalResult matchAndRewrite(mlir::Operation* op, PatternRewriter& rewriter) const override {
    if (!llvm::isa<TetDialect>(op->getDialect()) || llvm::isa<ConstantOp>(op) || op->getNumRegions() != 0)
      return mlir::failure();
    if (op->hasTrait<mlir::OpTrait::IsTerminator>() || op->getNumOperands() == 0) return mlir::failure();
    if (!llvm::all_of(op->getOperands(), isConstant) || !isWorthComputing(op)) return mlir::failure();
    std::vector<Tensor> operands;
    for (Value operand : op->getOperands()) {
      Result<Tensor> tensor = tensorOf(operand);
      if (!tensor) return mlir::failure();
      operands.push_back(*std::move(tensor));
    }
    Result<std::vector<Tensor>> results = evaluate(op, std::move(operands));
    if (!results) return mlir::failure();
    llvm::SmallVector<Value> constants;
    for (const Tensor& tensor : *results) constants.push_back(makeConstant(rewriter, op->getLoc(), tensor));
    rewriter.replaceOp(op, constants);
    return mlir::success();
  }
};

// op(…) without elements = constant
class NothingToCompute : public mlir::RewritePattern {
 public:
  explicit NothingToCompute(mlir::MLIRContext* context) : RewritePattern(MatchAnyOpTypeTag(), 1, context) {}

  mlir::LogicalResult matchAndRewrite(mlir::Operation* op, PatternRewriter& rewriter) const override {
    if (!llvm::isa<TetDialect>(op->getDialect()) || llvm::isa<ConstantOp>(op) || op->getNumRegions() != 0)
      return mlir::failure();
    if (op->getNumResults() == 0 || elementsOf(op->getResults()) != 0) return mlir::failure();
    llvm::SmallVector<Value> constants;
    for (Value result : op->getResults()) {
      Result<Tensor> empty = Tensor::create(tet::elementTypeOf(result), tet::shapeOf(result));
      if (!empty) return mlir::failure();
      constants.push_back(makeConstant(rewriter, op->getLoc(), *empty));
    }
    rewriter.replaceOp(op, constants);
    return mlir::success();
  }
};

// if(true) a else b = a
class TakeBranch : public mlir::OpRewritePattern<IfOp> {
 public:
  using OpRewritePattern::OpRewritePattern;
  mlir::LogicalResult matchAndRewrite(IfOp op, PatternRewriter& rewriter) const override {
    auto taken = splatNumber(op.getPred());
    if (!taken) return mlir::failure();
    mlir::Block& block = (*taken != 0 ? op.getTrueBranch() : op.getFalseBranch()).front();
    mlir::Operation* terminator = block.getTerminator();
    llvm::SmallVector<Value> results(terminator->getOperands());
    rewriter.inlineBlockBefore(&block, op);
    rewriter.eraseOp(terminator);
    rewriter.replaceOp(op, results);
    return mlir::success();
  }
};

}  // namespace

void addConstantRules(mlir::RewritePatternSet& patterns) {
  patterns.add<ComputeNow, NothingToCompute, TakeBranch>(patterns.getContext());
}

}  // namespace tetrarch::compile
