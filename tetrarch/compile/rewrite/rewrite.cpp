// The rewrite pass: composites become primitives, then all rules until none applies, then equal ops become
// one. At last, compositions that the model spells out are recognised.
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/Dominance.h"
#include "mlir/Transforms/CSE.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"
#include "tetrarch/compile/composite_tag.h"
#include "tetrarch/compile/passes.h"
#include "tetrarch/compile/rewrite/recognise.h"
#include "tetrarch/compile/rewrite/rules.h"
#include "tetrarch/graph/quantized.h"

namespace tetrarch::compile {

#define GEN_PASS_DEF_REWRITEPASS
#define GEN_PASS_DEF_LAYOUTPASS
#include "tetrarch/compile/passes.h.inc"

namespace {

using RuleSet = void (*)(mlir::RewritePatternSet&);

mlir::LogicalResult applyRules(mlir::ModuleOp module, std::initializer_list<RuleSet> sets) {
  mlir::RewritePatternSet patterns(module->getContext());
  for (RuleSet add : sets) add(patterns);
  mlir::GreedyRewriteConfig config;
  config.setMaxIterations(mlir::GreedyRewriteConfig::kNoLimit);
  return mlir::applyPatternsGreedily(module, std::move(patterns), config);
}

void mergeEqualOps(mlir::ModuleOp module) {
  mlir::IRRewriter rewriter(module->getContext());
  mlir::DominanceInfo dominance(module);
  mlir::eliminateCommonSubExpressions(rewriter, dominance, module);
}

// Replaces a composite by its meaning, which keeps its name as a tag; inner ones follow in their turn.
void inlineComposite(tet::CompositeOp op, int64_t number) {
  mlir::IRRewriter rewriter(op);
  mlir::Block& body = op.getBody().front();
  const CompositeTag tag{op.getNameAttr(), rewriter.getI64IntegerAttr(number)};
  body.walk([&](mlir::Operation* inner) { inner->setLoc(withTag(inner->getLoc(), tag)); });
  mlir::Operation* terminator = body.getTerminator();
  llvm::SmallVector<Value> results(terminator->getOperands());
  for (auto [argument, input] : llvm::zip(body.getArguments(), op.getInputs())) {
    llvm::replace(results, Value(argument), Value(input));
  }
  rewriter.inlineBlockBefore(&body, op, op.getInputs());
  rewriter.eraseOp(terminator);
  rewriter.replaceOp(op, results);
}

// Returns how many there were.
int64_t inlineComposites(mlir::ModuleOp module, llvm::function_ref<bool(tet::CompositeOp)> keep) {
  llvm::SmallVector<tet::CompositeOp> composites;
  module.walk<mlir::WalkOrder::PreOrder>([&](tet::CompositeOp op) {
    if (keep(op)) return mlir::WalkResult::skip();
    composites.push_back(op);
    return mlir::WalkResult::advance();
  });
  for (auto [number, op] : llvm::enumerate(composites)) inlineComposite(op, number);
  return static_cast<int64_t>(composites.size());
}

// What the quantize pass wants to see as it is.
bool isQuantization(tet::CompositeOp op) {
  return op.getName() == tet::kQuantize || op.getName() == tet::kDequantize;
}

struct RewritePass : impl::RewritePassBase<RewritePass> {
  void runOnOperation() override {
    mlir::ModuleOp module = getOperation();
    const int64_t composites = inlineComposites(module, isQuantization);
    mergeEqualOps(module);
    const auto rules = {addAlgebraRules,  addMovementRules, addGatherRules,     addRangeRules,
                        addConstantRules, addScaleRules,    addContractionRules};
    if (mlir::failed(applyRules(module, rules))) return signalPassFailure();
    mergeEqualOps(module);
    recogniseCompositions(module, composites);
  }
};

// The rules of the rewrite pass go on: what layout rules leave (a transposed constant, two transposes) is
// theirs.
struct LayoutPass : impl::LayoutPassBase<LayoutPass> {
  void runOnOperation() override {
    inlineComposites(getOperation(), [](tet::CompositeOp) { return false; });
    const auto rules = {addLayoutRules,   addSpreadRules,   addAlgebraRules,
                        addMovementRules, addConstantRules, addContractionRules};
    if (mlir::failed(applyRules(getOperation(), rules))) return signalPassFailure();
    mergeEqualOps(getOperation());
  }
};

}  // namespace
}  // namespace tetrarch::compile
