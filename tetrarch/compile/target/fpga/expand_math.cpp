// What no operator of fpga_ops.def computes, in terms of what they do.
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Transforms/Passes.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Math/Transforms/Passes.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"
#include "tetrarch/compile/target/fpga/flow.h"

namespace tetrarch::flow {

#define GEN_PASS_DEF_EXPANDMATHPASS
#include "tetrarch/compile/target/fpga/flow_passes.h.inc"

namespace {

namespace arith = mlir::arith;
namespace math = mlir::math;
using mlir::Value;

// Upstream's approximations, by polynomials in f32.
constexpr llvm::StringLiteral kApproximated[] = {
    "math.acos", "math.asin",  "math.atan", "math.atan2", "math.cbrt", "math.cos", "math.erf", "math.erfc",
    "math.exp",  "math.expm1", "math.log",  "math.log1p", "math.log2", "math.sin", "math.tanh"};
// Upstream's compositions of others.
constexpr llvm::StringRef kComposed[] = {"acosh", "asinh", "atanh", "cosh", "exp2",
                                         "fpowi", "powf",  "rsqrt", "sinh", "tan"};

// An op whose meaning is `expand`, an expression of others.
template <typename Op>
class Expansion : public mlir::OpRewritePattern<Op> {
 public:
  using Expand = Value (*)(mlir::ImplicitLocOpBuilder& b, Op op);
  Expansion(mlir::MLIRContext* context, Expand expand)
      : mlir::OpRewritePattern<Op>(context), expand_(expand) {}

  mlir::LogicalResult matchAndRewrite(Op op, mlir::PatternRewriter& rewriter) const override {
    mlir::ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    Value value = expand_(b, op);
    if (!value) return mlir::failure();
    rewriter.replaceOp(op, value);
    return mlir::success();
  }

 private:
  Expand expand_;
};

Value number(mlir::ImplicitLocOpBuilder& b, mlir::Type type, double value) {
  if (mlir::isa<mlir::FloatType>(type)) return arith::ConstantOp::create(b, b.getFloatAttr(type, value));
  return arith::ConstantOp::create(b, b.getIntegerAttr(type, static_cast<int64_t>(value)));
}

Value isNan(mlir::ImplicitLocOpBuilder& b, Value x) {
  return arith::CmpFOp::create(b, arith::CmpFPredicate::UNO, x, x);
}

// The other operand when one is a NaN.
template <typename Op, typename Ieee>
Value expandNum(mlir::ImplicitLocOpBuilder& b, Op op) {
  Value x = op.getLhs(), y = op.getRhs();
  Value both = Ieee::create(b, x, y);
  Value x_or = arith::SelectOp::create(b, isNan(b, y), x, both);
  return arith::SelectOp::create(b, isNan(b, x), y, x_or);
}

Value expandFma(mlir::ImplicitLocOpBuilder& b, math::FmaOp op) {
  return arith::AddFOp::create(b, arith::MulFOp::create(b, op.getA(), op.getB()), op.getC());
}

// x - y * trunc(x / y), which is exact while the quotient is.
Value expandRem(mlir::ImplicitLocOpBuilder& b, arith::RemFOp op) {
  Value x = op.getLhs(), y = op.getRhs();
  Value quotient = math::TruncOp::create(b, arith::DivFOp::create(b, x, y));
  Value rest = arith::SubFOp::create(b, x, arith::MulFOp::create(b, quotient, y));
  return math::CopySignOp::create(b, rest, x);
}

Value expandAbs(mlir::ImplicitLocOpBuilder& b, math::AbsIOp op) {
  Value x = op.getOperand();
  Value negative = arith::SubIOp::create(b, number(b, x.getType(), 0), x);
  return arith::MaxSIOp::create(b, x, negative);
}

// The bits below the lowest one that is set.
Value expandTrailingZeros(mlir::ImplicitLocOpBuilder& b, math::CountTrailingZerosOp op) {
  Value x = op.getOperand(), one = number(b, x.getType(), 1), ones = number(b, x.getType(), -1);
  Value below = arith::AndIOp::create(b, arith::XOrIOp::create(b, x, ones), arith::SubIOp::create(b, x, one));
  return math::CtPopOp::create(b, below);
}

Value expandLog10(mlir::ImplicitLocOpBuilder& b, math::Log10Op op) {
  Value natural = math::LogOp::create(b, op.getOperand());
  return arith::MulFOp::create(b, natural, number(b, op.getType(), 0.43429448190325182765));
}

Value expandIsNan(mlir::ImplicitLocOpBuilder& b, math::IsNaNOp op) { return isNan(b, op.getOperand()); }
Value expandIsInf(mlir::ImplicitLocOpBuilder& b, math::IsInfOp op) {
  Value infinity = arith::ConstantOp::create(
      b,
      mlir::FloatAttr::get(
          op.getOperand().getType(),
          llvm::APFloat::getInf(mlir::cast<mlir::FloatType>(op.getOperand().getType()).getFloatSemantics())));
  return arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, math::AbsFOp::create(b, op.getOperand()),
                               infinity);
}
Value expandIsFinite(mlir::ImplicitLocOpBuilder& b, math::IsFiniteOp op) {
  Value difference = arith::SubFOp::create(b, op.getOperand(), op.getOperand());  // 0, or a NaN
  return arith::CmpFOp::create(b, arith::CmpFPredicate::ORD, difference, difference);
}

class ExpandMath : public impl::ExpandMathPassBase<ExpandMath> {
 public:
  void runOnOperation() override {
    mlir::MLIRContext* context = &getContext();
    mlir::RewritePatternSet patterns(context);
    const auto approximated = [](llvm::StringRef name) { return llvm::is_contained(kApproximated, name); };
    mlir::populateMathF32ExpansionPatterns(patterns, approximated);
    mlir::populateMathPolynomialApproximationPatterns(patterns, approximated);
    math::populateExpansionPatterns(patterns, kComposed);
    arith::populateCeilFloorDivExpandOpsPatterns(patterns);
    patterns.add<Expansion<math::FmaOp>>(context, expandFma);
    patterns.add<Expansion<arith::MaxNumFOp>>(context, expandNum<arith::MaxNumFOp, arith::MaximumFOp>);
    patterns.add<Expansion<arith::MinNumFOp>>(context, expandNum<arith::MinNumFOp, arith::MinimumFOp>);
    patterns.add<Expansion<arith::RemFOp>>(context, expandRem);
    patterns.add<Expansion<math::AbsIOp>>(context, expandAbs);
    patterns.add<Expansion<math::CountTrailingZerosOp>>(context, expandTrailingZeros);
    patterns.add<Expansion<math::Log10Op>>(context, expandLog10);
    patterns.add<Expansion<math::IsNaNOp>>(context, expandIsNan);
    patterns.add<Expansion<math::IsInfOp>>(context, expandIsInf);
    patterns.add<Expansion<math::IsFiniteOp>>(context, expandIsFinite);
    if (mlir::failed(mlir::applyPatternsGreedily(getOperation(), std::move(patterns)))) signalPassFailure();
  }
};

}  // namespace
}  // namespace tetrarch::flow
