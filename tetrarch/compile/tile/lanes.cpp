// Scalar code evaluated on vector lanes.
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/Matchers.h"
#include "tetrarch/compile/tile/emit.h"

namespace tetrarch::compile {

using mlir::Value;
using mlir::VectorType;

namespace {

// The product that `op` adds something to, when both can be one fused multiply-add: rounding once, not twice,
// is what every target does here, so that tiles of different sizes give the same bits.
mlir::arith::MulFOp fusableProduct(mlir::Operation& op) {
  if (!mlir::isa<mlir::arith::AddFOp>(op)) return {};
  mlir::Type type = op.getResult(0).getType();
  if (!type.isF32() && !type.isF64()) return {};
  for (Value operand : {op.getOperand(1), op.getOperand(0)}) {
    auto product = operand.getDefiningOp<mlir::arith::MulFOp>();
    if (product && product->getBlock() == op.getBlock() && product->hasOneUse()) return product;
  }
  return {};
}

bool isFusedAway(mlir::Operation& op) {
  if (!mlir::isa<mlir::arith::MulFOp>(op) || !op.hasOneUse()) return false;
  mlir::Operation& user = **op.user_begin();
  return user.getBlock() == op.getBlock() && fusableProduct(user) == &op;
}

}  // namespace

bool LaneEvaluator::isVector(Value value) const { return mlir::isa<VectorType>(value.getType()); }

Value LaneEvaluator::spread(Value value) {
  if (lanes_ == 1 || isVector(value)) return value;
  auto type = VectorType::get({lanes_}, value.getType());
  return mlir::vector::BroadcastOp::create(math_.builder, math_.loc, type, value);
}

Value LaneEvaluator::valueOf(Value original) {
  if (Value known = map_.lookupOrNull(original)) return known;
  // A constant from outside of the body.
  mlir::Operation* constant = math_.builder.clone(*original.getDefiningOp());
  map_.map(original, constant->getResult(0));
  return constant->getResult(0);
}

llvm::SmallVector<Value> LaneEvaluator::evaluate(llvm::ArrayRef<Value> arguments,
                                                 llvm::function_ref<Index(unsigned)> index,
                                                 llvm::function_ref<Value(Value)> memrefOf) {
  map_.clear();
  for (auto [argument, value] : llvm::zip(body_.block->getArguments(), arguments)) {
    if (value) map_.map(argument, value);
  }
  for (mlir::Operation& op : body_.block->without_terminator()) {
    if (isFusedAway(op)) continue;
    map_.map(op.getResult(0), evaluateOp(op, index, memrefOf));
  }
  llvm::SmallVector<Value> results;
  for (Value yielded : body_.block->getTerminator()->getOperands()) results.push_back(valueOf(yielded));
  return results;
}

Value LaneEvaluator::evaluateOp(mlir::Operation& op, llvm::function_ref<Index(unsigned)> index,
                                llvm::function_ref<Value(Value)> memrefOf) {
  if (auto dim = mlir::dyn_cast<mlir::linalg::IndexOp>(op)) {
    const Index at = index(body_.dim_of_index[dim.getDim()]);
    if (!at.counts || lanes_ == 1) return at.base;
    auto type = VectorType::get({lanes_}, math_.builder.getIndexType());
    Value steps = mlir::vector::StepOp::create(math_.builder, math_.loc, type);
    return mlir::arith::AddIOp::create(math_.builder, math_.loc, spread(at.base), steps);
  }
  if (auto gather = mlir::dyn_cast<mlir::tensor::ExtractOp>(op)) return extract(gather, index, memrefOf);
  if (mlir::arith::MulFOp product = fusableProduct(op)) return multiplyAdd(op, *product);
  return elementwise(op);
}

Value LaneEvaluator::multiplyAdd(mlir::Operation& add, mlir::Operation& multiply) {
  const bool second = add.getOperand(1) == multiply.getResult(0);
  Value a = valueOf(multiply.getOperand(0)), b = valueOf(multiply.getOperand(1));
  Value c = valueOf(add.getOperand(second ? 0 : 1));
  if (isVector(a) || isVector(b) || isVector(c)) a = spread(a), b = spread(b), c = spread(c);
  return mlir::math::FmaOp::create(math_.builder, math_.loc, a, b, c);
}

Value LaneEvaluator::elementwise(mlir::Operation& op) {
  bool vector = false;
  llvm::SmallVector<Value> operands;
  for (Value operand : op.getOperands()) {
    operands.push_back(valueOf(operand));
    vector |= isVector(operands.back());
  }
  mlir::Operation* copy = op.clone();
  for (auto [i, operand] : llvm::enumerate(operands)) copy->setOperand(i, vector ? spread(operand) : operand);
  if (vector) copy->getResult(0).setType(VectorType::get({lanes_}, op.getResult(0).getType()));
  copy->setLoc(math_.loc);
  math_.builder.insert(copy);
  return copy->getResult(0);
}

// What an index that counts up by one per lane is in lane 0; null for any other vector. A sum of a
// loop's index and of what is the same in all lanes counts too, in any type.
Value LaneEvaluator::countingFrom(Value original, llvm::function_ref<Index(unsigned)> index) {
  if (auto dim = original.getDefiningOp<mlir::linalg::IndexOp>()) {
    const Index at = index(body_.dim_of_index[dim.getDim()]);
    return at.counts ? at.base : Value();
  }
  if (auto cast = original.getDefiningOp<mlir::arith::IndexCastOp>())
    return countingFrom(cast.getIn(), index);
  auto sum = original.getDefiningOp<mlir::arith::AddIOp>();
  if (!sum) return {};
  for (auto [moving, fixed] : {std::pair(sum.getLhs(), sum.getRhs()), {sum.getRhs(), sum.getLhs()}}) {
    if (isVector(valueOf(fixed))) continue;
    if (Value base = countingFrom(moving, index)) return math_.add(base, asIndex(valueOf(fixed)));
  }
  return {};
}

Value LaneEvaluator::asIndex(Value number) {
  mlir::Type type = math_.builder.getIndexType();
  return math_.builder.createOrFold<mlir::arith::IndexCastOp>(math_.loc, type, number);
}

namespace {

// x, low and high of a minimum(maximum(x, low), high) with constants.
struct Clamp {
  Value number;
  int64_t low, high;
};

std::optional<Clamp> clampOf(Value index) {
  while (auto cast = index.getDefiningOp<mlir::arith::IndexCastOp>()) index = cast.getIn();
  auto most = index.getDefiningOp<mlir::arith::MinSIOp>();
  auto least = most ? most.getLhs().getDefiningOp<mlir::arith::MaxSIOp>() : nullptr;
  llvm::APInt low, high;
  if (!least || !mlir::matchPattern(least.getRhs(), mlir::m_ConstantInt(&low)) ||
      !mlir::matchPattern(most.getRhs(), mlir::m_ConstantInt(&high)))
    return std::nullopt;
  return Clamp{least.getLhs(), low.getSExtValue(), high.getSExtValue()};
}

}  // namespace

// Contiguous when only the last index moves, by one per lane; else lane by lane. An index that is clamped
// counts where all lanes lie inside.
Value LaneEvaluator::extract(mlir::tensor::ExtractOp op, llvm::function_ref<Index(unsigned)> index,
                             llvm::function_ref<Value(Value)> memrefOf) {
  auto& b = math_.builder;
  llvm::ArrayRef<int64_t> shape = op.getTensor().getType().getShape();
  Value memref = memrefOf(op.getTensor());
  Value common = math_.constant(0), moving, base;
  std::optional<Clamp> clamp;
  bool contiguous = true;
  int64_t stride = 1;
  for (int64_t d = static_cast<int64_t>(shape.size()) - 1; d >= 0; --d) {
    Value original = op.getIndices()[d], at = valueOf(original);
    if (!isVector(at)) {
      common = math_.add(common, math_.mul(at, stride));
    } else {
      if (stride == 1) clamp = clampOf(original);
      Value first = stride == 1 ? countingFrom(clamp ? clamp->number : original, index) : Value();
      contiguous &= first != Value();
      if (contiguous) base = first;
      Value factor = spread(math_.constant(stride));
      Value scaled = mlir::arith::MulIOp::create(b, math_.loc, at, factor);
      moving = moving ? mlir::arith::AddIOp::create(b, math_.loc, moving, scaled).getResult() : scaled;
    }
    stride *= shape[d];
  }
  if (!moving) return mlir::memref::LoadOp::create(b, math_.loc, memref, common);
  auto type = VectorType::get({lanes_}, op.getType());
  auto contiguousLoad = [&]() -> Value {
    return mlir::vector::LoadOp::create(b, math_.loc, type, memref, math_.add(common, base));
  };
  if (!contiguous) return loadLanes(memref, common, moving, type);
  if (!clamp) return contiguousLoad();
  auto branch = mlir::scf::IfOp::create(b, math_.loc, type, isInside(base, clamp->low, clamp->high), true);
  mlir::OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(branch.thenBlock());
  mlir::scf::YieldOp::create(b, math_.loc, contiguousLoad());
  b.setInsertionPointToStart(branch.elseBlock());
  mlir::scf::YieldOp::create(b, math_.loc, loadLanes(memref, common, moving, type));
  return branch.getResult(0);
}

Value LaneEvaluator::loadLanes(Value memref, Value common, Value moving, VectorType type) {
  llvm::SmallVector<Value> lanes;
  for (int64_t lane = 0; lane < lanes_; ++lane) {
    Value at = mlir::vector::ExtractOp::create(math_.builder, math_.loc, moving, lane);
    lanes.push_back(mlir::memref::LoadOp::create(math_.builder, math_.loc, memref, math_.add(common, at)));
  }
  return mlir::vector::FromElementsOp::create(math_.builder, math_.loc, type, lanes);
}

// Whether all lanes that count from `base` are between `low` and `high`.
Value LaneEvaluator::isInside(Value base, int64_t low, int64_t high) {
  using enum mlir::arith::CmpIPredicate;
  auto compare = [&](auto predicate, Value a, int64_t bound) {
    return mlir::arith::CmpIOp::create(math_.builder, math_.loc, predicate, a, math_.constant(bound));
  };
  return mlir::arith::AndIOp::create(math_.builder, math_.loc, compare(sge, base, low),
                                     compare(sle, base, high - lanes_ + 1));
}

}  // namespace tetrarch::compile
