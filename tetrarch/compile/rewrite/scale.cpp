// Normalisation after a contraction: constant factors go into its weights, constant offsets become one bias.
// These rules reassociate floating-point arithmetic, as every inference compiler does here, and nowhere else.
#include "tetrarch/compile/rewrite/rules.h"
#include "tetrarch/graph/constants.h"
#include "tetrarch/graph/types.h"

namespace tetrarch::compile {
namespace {

using namespace tet;  // the ops
using R = PatternRewriter;

// A contraction with constant weights that only one op reads, and where its output features lie.
struct Weighted {
  mlir::Operation* op = nullptr;
  int64_t result_dim = -1, rhs_dim = -1;  // of the features; -1: there is no such dimension
  explicit operator bool() const { return op != nullptr; }
};

Weighted weighted(Value value) {
  Weighted found;
  mlir::Operation* op = value.getDefiningOp();
  if (!op || !value.hasOneUse() || op->getNumOperands() != 2 || !isConstant(op->getOperand(1))) return found;
  if (!llvm::isa<mlir::FloatType>(tensorType(value).getElementType())) return found;
  if (auto convolution = llvm::dyn_cast<ConvolutionOp>(op)) {
    return {op, static_cast<int64_t>(convolution.getOutputFeatureDimension()),
            static_cast<int64_t>(convolution.getKernelOutputFeatureDimension())};
  }
  if (auto dot = llvm::dyn_cast<DotGeneralOp>(op)) {
    found.op = op;
    for (int64_t dim = 0; dim < tensorType(dot.getRhs()).getRank(); ++dim) {
      if (llvm::is_contained(dot.getRhsBatchingDimensions(), dim)) continue;
      if (llvm::is_contained(dot.getRhsContractingDimensions(), dim)) continue;
      found.rhs_dim = dim;
      found.result_dim = tensorType(value).getRank() - 1;
    }
  }
  return found;
}

// A constant, or a broadcast of one.
bool isConstantLike(Value value) {
  auto broadcast = value.getDefiningOp<BroadcastInDimOp>();
  return isConstant(broadcast ? broadcast.getOperand() : value);
}

// The factors of an operand that is constant along all dimensions but `dim`: one, or one per index of `dim`.
std::optional<Tensor> factorsAlong(Value value, int64_t dim) {
  auto toTensor = [](Value constant) -> std::optional<Tensor> {
    Result<Tensor> tensor = tensorOf(constant);
    return tensor ? std::optional(*std::move(tensor)) : std::nullopt;
  };
  if (auto broadcast = value.getDefiningOp<BroadcastInDimOp>()) {
    auto dims = broadcast.getBroadcastDimensions();
    const bool fits = dims.empty() || (dims.size() == 1 && dims[0] == dim);
    return fits && isConstant(broadcast.getOperand()) ? toTensor(broadcast.getOperand()) : std::nullopt;
  }
  auto splat = splatNumber(value);
  if (!splat) return std::nullopt;
  Tensor one = Tensor::create(elementTypeOf(value), {}).value();
  one.setDouble(0, *splat);
  return one;
}

Tensor scaled(const Tensor& weights, const Tensor& factors, int64_t dim) {
  Tensor result = Tensor::create(weights.type(), weights.shape()).value();
  int64_t inner = 1;
  for (int64_t d = dim + 1; d < weights.rank(); ++d) inner *= weights.shape()[d];
  const int64_t count = factors.count();
  auto factor = [&](int64_t i) { return factors.getDouble(count == 1 ? 0 : i / inner % count); };
  if (weights.type() == ElementType::F32) {
    const float* in = weights.as<float>();
    float* out = result.as<float>();
    for (int64_t i = 0; i < weights.count(); i += inner) {
      const double f = factor(i);
      for (int64_t j = i; j < i + inner; ++j) out[j] = static_cast<float>(in[j] * f);
    }
  } else {
    for (int64_t i = 0; i < weights.count(); ++i) result.setDouble(i, weights.getDouble(i) * factor(i));
  }
  return result;
}

// contraction(x, w) * c = contraction(x, w * c)
Value scaleWeights(MultiplyOp op, R& r) {
  Weighted base = weighted(op.getLhs());
  if (!base || base.rhs_dim < 0) return {};
  auto factors = factorsAlong(op.getRhs(), base.result_dim);
  auto weights = factors ? tensorOf(base.op->getOperand(1)) : Result<Tensor>(Tensor());
  if (!factors || !weights) return {};
  Value rhs =
      makeConstant(r, base.op->getOperand(1).getLoc(), scaled(*weights, *factors, base.rhs_dim), "weights");
  return cloneWith(r, base.op, {base.op->getOperand(0), rhs}, op.getType())->getResult(0);
}

// (contraction + c) * d = contraction * d + c * d
Value distributeFactor(MultiplyOp op, R& r) {
  auto sum = op.getLhs().getDefiningOp<AddOp>();
  if (!sum || !sum->hasOneUse() || !isConstantLike(sum.getRhs()) || !isConstantLike(op.getRhs())) return {};
  Weighted base = weighted(sum.getLhs());
  if (!base || !factorsAlong(op.getRhs(), base.result_dim)) return {};
  Value product = MultiplyOp::create(r, op.getLoc(), sum.getLhs(), op.getRhs());
  Value offset = MultiplyOp::create(r, op.getLoc(), sum.getRhs(), op.getRhs());
  return AddOp::create(r, op.getLoc(), product, offset);
}

// (contraction + c) + d = contraction + (c + d)
Value joinOffsets(AddOp op, R& r) {
  auto sum = op.getLhs().getDefiningOp<AddOp>();
  if (!sum || !sum->hasOneUse() || !isConstantLike(sum.getRhs()) || !isConstantLike(op.getRhs())) return {};
  if (!weighted(sum.getLhs())) return {};
  Value offset = AddOp::create(r, op.getLoc(), sum.getRhs(), op.getRhs());
  return AddOp::create(r, op.getLoc(), sum.getLhs(), offset);
}

// Whether an op is on its way from a contraction, with constant offsets only.
bool followsContraction(Value value) {
  auto sum = value.getDefiningOp<AddOp>();
  return weighted(value) ||
         (sum && sum->hasOneUse() && isConstantLike(sum.getRhs()) && weighted(sum.getLhs()));
}

// contraction - c = contraction + -c
Value addNegative(SubtractOp op, R& r) {
  if (!isConstantLike(op.getRhs()) || !followsContraction(op.getLhs())) return {};
  return AddOp::create(r, op.getLoc(), op.getLhs(), NegateOp::create(r, op.getLoc(), op.getRhs()));
}

// contraction / c = contraction * (1 / c)
Value multiplyInverse(DivideOp op, R& r) {
  if (!isConstantLike(op.getRhs()) || !followsContraction(op.getLhs())) return {};
  Value one = makeSplat(r, op.getLoc(), op.getType(), 1.0);
  return MultiplyOp::create(r, op.getLoc(), op.getLhs(), DivideOp::create(r, op.getLoc(), one, op.getRhs()));
}

// c * x = x * c, c + x = x + c: constants on the right
template <typename Op>
Value constantRight(Op op, R& r) {
  if (!isConstantLike(op.getLhs()) || isConstantLike(op.getRhs())) return {};
  return Op::create(r, op.getLoc(), op.getRhs(), op.getLhs());
}

}  // namespace

void addScaleRules(mlir::RewritePatternSet& patterns) {
  addRules<MultiplyOp>(patterns, {constantRight<MultiplyOp>, scaleWeights, distributeFactor});
  addRules<AddOp>(patterns, {constantRight<AddOp>, joinOffsets});
  addRules<SubtractOp>(patterns, {addNegative});
  addRules<DivideOp>(patterns, {multiplyInverse});
}

}  // namespace tetrarch::compile
