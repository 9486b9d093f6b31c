#include "tetrarch/compile/lower/join_features.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace tetrarch::compile {
namespace {

bool joinsSums(mlir::tensor::CollapseShapeOp collapse) {
  auto sums = collapse.getSrc().getDefiningOp<mlir::linalg::LinalgOp>();
  return sums && sums.getNumReductionLoops() > 0;
}

// An elementwise op that knows no place: only that can be computed over other loops as it is.
bool isPlain(mlir::linalg::GenericOp op) {
  return op.getNumParallelLoops() == op.getNumLoops() && !op.hasIndexSemantics();
}

bool isReadThroughJoin(mlir::OpOperand* operand) {
  auto reader = llvm::dyn_cast<mlir::linalg::GenericOp>(operand->getOwner());
  auto collapse = operand->get().getDefiningOp<mlir::tensor::CollapseShapeOp>();
  return reader && collapse && isPlain(reader) && joinsSums(collapse);
}

// expand_shape(empty) = empty; MLIR's own pattern needs an interface that only drivers register.
class ExpandEmpty : public mlir::OpRewritePattern<mlir::tensor::ExpandShapeOp> {
 public:
  using OpRewritePattern::OpRewritePattern;
  mlir::LogicalResult matchAndRewrite(mlir::tensor::ExpandShapeOp op,
                                      mlir::PatternRewriter& rewriter) const override {
    auto type = op.getResultType();
    if (!op.getSrc().getDefiningOp<mlir::tensor::EmptyOp>() || !type.hasStaticShape()) return mlir::failure();
    rewriter.replaceOpWithNewOp<mlir::tensor::EmptyOp>(op, type.getShape(), type.getElementType());
    return mlir::success();
  }
};

}  // namespace

void joinFeaturesLast(mlir::Region& task) {
  const auto joins = task.front().getOps<mlir::tensor::CollapseShapeOp>();
  if (llvm::none_of(joins, joinsSums)) return;
  mlir::RewritePatternSet patterns(task.getContext());
  mlir::linalg::populateFoldReshapeOpsByExpansionPatterns(patterns, isReadThroughJoin);
  patterns.add<ExpandEmpty>(task.getContext());
  (void)mlir::applyPatternsGreedily(task, std::move(patterns));
}

}  // namespace tetrarch::compile
