// Rewrite rules as equations: each is a function from the root op of the left-hand side to the value of the
// right-hand side, or null where it does not apply. Rules hold for every input, floats included, unless they
// say otherwise.
#pragma once

#include <initializer_list>
#include <optional>

#include "mlir/IR/PatternMatch.h"
#include "tetrarch/base/tensor.h"
#include "tetrarch/graph/tet.h"

namespace tetrarch::compile {

using mlir::PatternRewriter;
using mlir::Value;

template <typename Op>
using Equation = Value (*)(Op, PatternRewriter&);

template <typename Op>
class EquationPattern : public mlir::OpRewritePattern<Op> {
 public:
  EquationPattern(mlir::MLIRContext* context, Equation<Op> equation)
      : mlir::OpRewritePattern<Op>(context), equation_(equation) {}
  mlir::LogicalResult matchAndRewrite(Op op, PatternRewriter& rewriter) const override {
    Value value = equation_(op, rewriter);
    if (!value || value == op->getResult(0)) return mlir::failure();
    rewriter.replaceOp(op, value);
    return mlir::success();
  }

 private:
  Equation<Op> equation_;
};

template <typename Op>
void addRules(mlir::RewritePatternSet& patterns, std::initializer_list<Equation<Op>> equations) {
  for (Equation<Op> equation : equations) patterns.add<EquationPattern<Op>>(patterns.getContext(), equation);
}

// One function a file, in the order in which a reader wants them.
void addAlgebraRules(mlir::RewritePatternSet& patterns);   // arithmetic, logic, comparisons
void addMovementRules(mlir::RewritePatternSet& patterns);  // reshape, transpose, broadcast, slice, pad, …
void addGatherRules(mlir::RewritePatternSet& patterns);    // gathers of constant places
void addRangeRules(mlir::RewritePatternSet& patterns);     // comparisons of what is always larger
void addConstantRules(mlir::RewritePatternSet& patterns);  // what the interpreter can compute now
void addScaleRules(mlir::RewritePatternSet& patterns);     // factors and offsets into weights; reassociates
void addContractionRules(mlir::RewritePatternSet& patterns);  // the canonical dot_general
void addLayoutRules(mlir::RewritePatternSet& patterns);       // channels-last, transposes towards the results
void addSpreadRules(mlir::RewritePatternSet& patterns);       // transposed convolutions, channels-last

// What rules ask and build.
// The element of a splat constant or of a broadcast of one. A resource is not scanned for equal elements.
std::optional<double> splatNumber(Value value);
bool isSplat(Value value, double number);
bool isConstant(Value value);
// Whether every value of type a is one of type b, so that a detour over b changes nothing.
bool fitsInto(mlir::Type a, mlir::Type b);
mlir::RankedTensorType tensorType(Value value);
llvm::ArrayRef<int64_t> shapeOfValue(Value value);
Value reshapeTo(PatternRewriter& rewriter, mlir::Location loc, Value value, llvm::ArrayRef<int64_t> shape);
Value transposeBy(PatternRewriter& rewriter, mlir::Location loc, Value value,
                  llvm::ArrayRef<int64_t> permutation);
// Of a reshape that only adds or takes dimensions of size 1: the dimension of its operand that each larger
// one of its result is, -1 for those of size 1. Nullopt of any other.
std::optional<llvm::SmallVector<int64_t>> unitReshapeDims(tet::ReshapeOp op);
llvm::SmallVector<int64_t> inversePermutation(llvm::ArrayRef<int64_t> permutation);
bool isIdentityPermutation(llvm::ArrayRef<int64_t> permutation);
// element i of the result is values[permutation[i]].
llvm::SmallVector<int64_t> permuted(llvm::ArrayRef<int64_t> values, llvm::ArrayRef<int64_t> permutation);
// The op again with other operands and result type.
mlir::Operation* cloneWith(PatternRewriter& rewriter, mlir::Operation* op, mlir::ValueRange operands,
                           mlir::Type type);

}  // namespace tetrarch::compile
