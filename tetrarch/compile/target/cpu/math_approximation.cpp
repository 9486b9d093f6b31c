#include "tetrarch/compile/target/cpu/math_approximation.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Math/Transforms/Passes.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/IR/TypeUtilities.h"
#include "mlir/Pass/Pass.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace tetrarch::compile::cpu {
namespace {

using mlir::Value;
namespace arith = mlir::arith;
namespace math = mlir::math;

// Those of upstream's approximations that are good to a few ulp.
constexpr llvm::StringLiteral kUpstream[] = {"math.exp",  "math.expm1", "math.log", "math.log1p",
                                             "math.log2", "math.tanh",  "math.erf"};

// Arithmetic on values of one float type, scalar or vector.
class Floats {
 public:
  Floats(mlir::PatternRewriter& b, mlir::Location loc, mlir::Type type) : b_(b), loc_(loc), type_(type) {}

  Value constant(double value) {
    mlir::TypedAttr element = b_.getFloatAttr(mlir::getElementTypeOrSelf(type_), value);
    if (auto vector = mlir::dyn_cast<mlir::VectorType>(type_))
      element = mlir::DenseElementsAttr::get(vector, element);
    return arith::ConstantOp::create(b_, loc_, element);
  }
  Value mul(Value a, Value b) { return arith::MulFOp::create(b_, loc_, a, b); }
  Value sub(Value a, Value b) { return arith::SubFOp::create(b_, loc_, a, b); }
  Value fma(Value a, Value b, Value c) { return math::FmaOp::create(b_, loc_, a, b, c); }
  Value compare(arith::CmpFPredicate predicate, Value a, double b) {
    return arith::CmpFOp::create(b_, loc_, predicate, a, constant(b));
  }
  // coefficients[0] + x * (coefficients[1] + x * (…))
  Value polynomial(Value x, llvm::ArrayRef<double> coefficients) {
    Value value = constant(coefficients.back());
    for (double c : llvm::reverse(coefficients.drop_back())) value = fma(value, x, constant(c));
    return value;
  }

 private:
  mlir::PatternRewriter& b_;
  mlir::Location loc_;
  mlir::Type type_;
};

mlir::Type withElement(mlir::Type type, mlir::Type element) {
  auto vector = mlir::dyn_cast<mlir::VectorType>(type);
  return vector ? vector.clone(element) : element;
}

// sin and cos of f32. x = k * pi/2 + r with |r| <= pi/4, found in f64 with pi/2 in two parts (exact enough
// for |x| up to 1e15), then the Taylor-like minimax polynomials of both on r in f32; k mod 4 says which of
// them, and its sign.
template <typename Op, int kQuarter>
class TrigonometricPattern : public mlir::OpRewritePattern<Op> {
 public:
  using mlir::OpRewritePattern<Op>::OpRewritePattern;

  mlir::LogicalResult matchAndRewrite(Op op, mlir::PatternRewriter& b) const override {
    const mlir::Type type = op.getType();
    if (!mlir::getElementTypeOrSelf(type).isF32()) return mlir::failure();
    const mlir::Location loc = op.getLoc();
    const mlir::Type wide = withElement(type, b.getF64Type());
    Floats d(b, loc, wide), f(b, loc, type);
    Value x = arith::ExtFOp::create(b, loc, wide, op.getOperand());
    Value k = math::RoundEvenOp::create(b, loc, d.mul(x, d.constant(0.63661977236758134)));
    Value rest = d.fma(k, d.constant(-1.5707963267948966), x);
    rest = d.fma(k, d.constant(-6.123233995736766e-17), rest);
    Value r = arith::TruncFOp::create(b, loc, type, rest);
    Value z = f.mul(r, r);
    Value sine = f.polynomial(z, {-1.6666667163e-01, 8.3333337680e-03, -1.9841270114e-04, 2.7557314297e-06});
    sine = f.fma(f.mul(r, z), sine, r);
    Value cosine = f.polynomial(
        z, {1.0, -0.5, 4.1666667908e-02, -1.3888889225e-03, 2.4801587642e-05, -2.7557314297e-07});
    // The quarter 0…3 as a float: conversion to an integer would be undefined for huge and non-finite x.
    Value turn = arith::AddFOp::create(b, loc, k, d.constant(kQuarter));
    Value turns = math::FloorOp::create(b, loc, d.mul(turn, d.constant(0.25)));
    Value quarter = d.fma(turns, d.constant(-4.0), turn);
    Value one = d.compare(arith::CmpFPredicate::OEQ, quarter, 1.0),
          three = d.compare(arith::CmpFPredicate::OEQ, quarter, 3.0);
    Value value = arith::SelectOp::create(b, loc, arith::OrIOp::create(b, loc, one, three), cosine, sine);
    Value negative = arith::NegFOp::create(b, loc, value);
    b.replaceOpWithNewOp<arith::SelectOp>(op, d.compare(arith::CmpFPredicate::OGE, quarter, 2.0), negative,
                                          value);
    return mlir::success();
  }
};

class MathApproximationPass : public mlir::PassWrapper<MathApproximationPass, mlir::OperationPass<>> {
 public:
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(MathApproximationPass)
  llvm::StringRef getArgument() const override { return "tet-math-approximation"; }
  void getDependentDialects(mlir::DialectRegistry& registry) const override {
    registry.insert<arith::ArithDialect, math::MathDialect, mlir::vector::VectorDialect>();
  }
  void runOnOperation() override {
    mlir::RewritePatternSet patterns(&getContext());
    auto known = [](llvm::StringRef name) { return llvm::is_contained(kUpstream, name); };
    mlir::populateMathF32ExpansionPatterns(patterns, known);
    mlir::populateMathPolynomialApproximationPatterns(patterns, known);
    patterns.add<TrigonometricPattern<math::SinOp, 0>, TrigonometricPattern<math::CosOp, 1>>(&getContext());
    if (mlir::failed(mlir::applyPatternsGreedily(getOperation(), std::move(patterns)))) signalPassFailure();
  }
};

}  // namespace

std::unique_ptr<mlir::Pass> createMathApproximationPass() {
  return std::make_unique<MathApproximationPass>();
}

}  // namespace tetrarch::compile::cpu
