#include "tetrarch/compile/target/cpu/exact_doubles.h"

#include <cmath>
#include <optional>

#include "llvm/ADT/DenseMap.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Matchers.h"
#include "mlir/Interfaces/InferIntRangeInterface.h"

namespace tetrarch::compile::cpu {
namespace {

namespace arith = mlir::arith;
using llvm::APInt;
using mlir::ConstantIntRanges;
using mlir::Value;

constexpr int64_t kLargest = int64_t{1} << 52;
constexpr int64_t kMantissaBits = 52, kExponentBias = 1023;

std::optional<APInt> constantOf(Value value) {
  APInt number;
  return mlir::matchPattern(value, mlir::m_ConstantInt(&number)) ? std::optional(number) : std::nullopt;
}
bool isConstant(Value value, int64_t number) {
  auto constant = constantOf(value);
  return constant && constant->getSExtValue() == number;
}

// x rounded to a multiple of 2^shift, halves to even, and divided by it.
struct Rounding {
  Value x, shift;
};

// One scalar body.
class Body {
 public:
  explicit Body(mlir::Block& block) : block_(block), b_(block.getParentOp()) {}

  // Returns whether anything was changed.
  bool run() {
    for (mlir::Operation& op : block_) inferRanges(op);
    if (roundings_.empty()) return false;
    bool changed = false;
    for (auto op : llvm::to_vector(block_.getOps<arith::TruncIOp>())) changed |= narrow(op);
    if (changed) eraseUnused();
    return changed;
  }

 private:
  //-- What numbers a value can have

  const ConstantIntRanges& rangeOf(Value value) {
    auto [known, is_new] = ranges_.try_emplace(
        value, ConstantIntRanges::maxRange(ConstantIntRanges::getStorageBitwidth(value.getType())));
    if (auto constant = constantOf(value); is_new && constant)
      known->second = ConstantIntRanges::constant(*constant);
    return known->second;
  }
  void inferRanges(mlir::Operation& op) {
    auto inference = llvm::dyn_cast<mlir::InferIntRangeInterface>(op);
    auto isInteger = [](mlir::Type type) { return llvm::isa<mlir::IntegerType>(type); };
    if (!inference || !llvm::all_of(op.getOperandTypes(), isInteger)) return;
    if (auto shift = llvm::dyn_cast<arith::ShRSIOp>(op)) {
      if (auto rounding = readRounding(shift)) {
        roundings_[shift] = *rounding;
        ranges_.insert_or_assign(shift, halved(rangeOf(rounding->x)));
        return;
      }
    }
    llvm::SmallVector<ConstantIntRanges> operands;
    for (Value operand : op.getOperands()) operands.push_back(rangeOf(operand));
    inference.inferResultRanges(operands, [&](Value result, const ConstantIntRanges& range) {
      if (isInteger(result.getType())) ranges_.insert_or_assign(result, range);
    });
  }
  // A shift by one is the least.
  static ConstantIntRanges halved(const ConstantIntRanges& range) {
    return ConstantIntRanges::fromSigned(range.smin().ashr(1), range.smax().ashr(1) + 1);
  }
  bool isBetween(Value value, int64_t low, int64_t high) {
    const ConstantIntRanges& range = rangeOf(value);
    return range.smin().sge(low) && range.smax().sle(high);
  }
  bool isExact(Value value) { return isBetween(value, -kLargest, kLargest); }

  //-- The rounding shift

  // Behind guards that ranges show to be useless: select(true, x, …), min(x, 63) of a smaller x.
  Value withoutGuards(Value value) {
    if (auto select = value.getDefiningOp<arith::SelectOp>()) {
      const ConstantIntRanges& condition = rangeOf(select.getCondition());
      if (condition.umin().isOne()) return withoutGuards(select.getTrueValue());
    }
    if (auto least = value.getDefiningOp<arith::MinUIOp>()) {
      auto limit = constantOf(least.getRhs());
      if (limit && rangeOf(least.getLhs()).umax().ule(*limit)) return withoutGuards(least.getLhs());
    }
    return value;
  }
  // An operand of a commutative op that `Op` defines, and the other one.
  template <typename Op, typename From>
  static std::pair<Op, Value> operandOf(From from) {
    if (auto found = from.getLhs().template getDefiningOp<Op>()) return {found, from.getRhs()};
    return {from.getRhs().template getDefiningOp<Op>(), from.getLhs()};
  }
  // x when value is x - 1.
  static Value plusOne(Value value) {
    if (auto sum = value.getDefiningOp<arith::AddIOp>(); sum && isConstant(sum.getRhs(), -1))
      return sum.getLhs();
    auto difference = value.getDefiningOp<arith::SubIOp>();
    return difference && isConstant(difference.getRhs(), 1) ? difference.getLhs() : Value();
  }
  // 2^(shift - 1) - 1.
  bool isBelowHalf(Value value, Value shift) {
    auto number = constantOf(value), by = constantOf(shift);
    if (number && by) return number->getSExtValue() == (int64_t{1} << (by->getSExtValue() - 1)) - 1;
    Value half = plusOne(value);
    auto power = half ? withoutGuards(half).getDefiningOp<arith::ShLIOp>() : arith::ShLIOp();
    Value places = power && isConstant(power.getLhs(), 1) ? plusOne(withoutGuards(power.getRhs())) : Value();
    return places && withoutGuards(places) == shift;
  }
  std::optional<Rounding> readRounding(arith::ShRSIOp op) {
    Value shift = withoutGuards(op.getRhs());
    auto nudged = op.getLhs().getDefiningOp<arith::AddIOp>();
    if (!op.getType().isInteger(64) || !isBetween(shift, 1, 63) || !nudged) return std::nullopt;
    auto [odd, raised] = operandOf<arith::AndIOp>(nudged);
    auto inner = raised.getDefiningOp<arith::AddIOp>();
    if (!odd || !inner || !isConstant(odd.getRhs(), 1)) return std::nullopt;
    auto again = odd.getLhs().getDefiningOp<arith::ShRSIOp>();
    if (!again || withoutGuards(again.getRhs()) != shift) return std::nullopt;
    Value x = again.getLhs();
    if (inner.getLhs() != x && inner.getRhs() != x) return std::nullopt;
    Value below_half = inner.getLhs() == x ? inner.getRhs() : inner.getLhs();
    if (!isExact(x) || !isBelowHalf(below_half, shift)) return std::nullopt;
    return Rounding{x, shift};
  }

  //-- The same numbers as doubles

  Value number(double value) { return arith::ConstantOp::create(b_, loc_, b_.getF64FloatAttr(value)); }

  Value asDouble(Value value) {
    auto known = doubles_.find(value);
    if (known != doubles_.end()) return known->second;
    Value made = isExact(value) ? makeDouble(value) : Value();
    doubles_[value] = made;
    return made;
  }
  Value makeDouble(Value value) {
    if (auto constant = constantOf(value)) return number(static_cast<double>(constant->getSExtValue()));
    mlir::Operation* op = value.getDefiningOp();
    if (!op || op->getBlock() != &block_) return convert(value);
    if (auto found = roundings_.find(op); found != roundings_.end()) {
      Value scaled = divide(found->second.x, found->second.shift);
      return scaled ? mlir::math::RoundEvenOp::create(b_, loc_, scaled).getResult() : Value();
    }
    if (llvm::isa<arith::AddIOp>(op)) return two<arith::AddFOp>(op);
    if (llvm::isa<arith::SubIOp>(op)) return two<arith::SubFOp>(op);
    if (llvm::isa<arith::MulIOp>(op)) return two<arith::MulFOp>(op);
    if (llvm::isa<arith::MaxSIOp>(op)) return choose(op, arith::CmpFPredicate::OGT);
    if (llvm::isa<arith::MinSIOp>(op)) return choose(op, arith::CmpFPredicate::OLT);
    if (auto extended = llvm::dyn_cast<arith::ExtSIOp>(op)) return ofExtended(extended);
    return convert(value);
  }
  template <typename Op>
  Value two(mlir::Operation* op) {
    Value x = asDouble(op->getOperand(0)), y = asDouble(op->getOperand(1));
    return x && y ? Op::create(b_, loc_, x, y).getResult() : Value();
  }
  Value choose(mlir::Operation* op, arith::CmpFPredicate predicate) {
    Value x = asDouble(op->getOperand(0)), y = asDouble(op->getOperand(1));
    if (!x || !y) return {};
    return arith::SelectOp::create(b_, loc_, arith::CmpFOp::create(b_, loc_, predicate, x, y), x, y);
  }
  // What was narrowed without loss before is read as it was.
  Value ofExtended(arith::ExtSIOp op) {
    auto truncated = op.getIn().getDefiningOp<arith::TruncIOp>();
    const int64_t limit = int64_t{1} << (op.getIn().getType().getIntOrFloatBitWidth() - 1);
    if (truncated && isBetween(truncated.getIn(), -limit, limit - 1)) return asDouble(truncated.getIn());
    return convert(op.getIn());
  }
  Value convert(Value value) {
    if (value.getType().getIntOrFloatBitWidth() < 32)
      value = arith::ExtSIOp::create(b_, loc_, b_.getI32Type(), value);
    if (value.getType().isInteger(64) && isBetween(value, INT32_MIN, INT32_MAX)) {
      // What was extended from 32 bits, and masked there.
      auto extended = value.getDefiningOp<arith::ExtSIOp>();
      value =
          extended ? extended.getIn() : arith::TruncIOp::create(b_, loc_, b_.getI32Type(), value).getResult();
    }
    return arith::SIToFPOp::create(b_, loc_, b_.getF64Type(), value);
  }
  // value / 2^shift, exact. The power goes to the right factor of a product, which is the same for many sums.
  Value divide(Value value, Value shift) {
    auto product = value.getDefiningOp<arith::MulIOp>();
    Value left = asDouble(product ? product.getLhs() : value);
    Value right = product ? asDouble(product.getRhs()) : Value();
    if (!left || (product && !right)) return {};
    Value power = inversePower(shift);
    if (right) power = arith::MulFOp::create(b_, loc_, right, power);
    return arith::MulFOp::create(b_, loc_, left, power);
  }
  // 2^-shift: its exponent, where doubles have it.
  Value inversePower(Value shift) {
    if (auto by = constantOf(shift)) return number(std::ldexp(1.0, -static_cast<int>(by->getSExtValue())));
    auto integer = [&](int64_t value) -> Value {
      return arith::ConstantOp::create(b_, loc_, b_.getI64IntegerAttr(value));
    };
    Value exponent = arith::SubIOp::create(b_, loc_, integer(kExponentBias), shift);
    Value bits = arith::ShLIOp::create(b_, loc_, exponent, integer(kMantissaBits));
    return arith::BitcastOp::create(b_, loc_, b_.getF64Type(), bits);
  }

  bool comesFromRounding(Value value) {
    mlir::Operation* op = value.getDefiningOp();
    if (!op || op->getBlock() != &block_) return false;
    if (roundings_.contains(op)) return true;
    return llvm::isa<arith::AddIOp, arith::SubIOp, arith::MaxSIOp, arith::MinSIOp>(op) &&
           llvm::any_of(op->getOperands(), [&](Value operand) { return comesFromRounding(operand); });
  }
  // A narrow result of the 64-bit chain.
  bool narrow(arith::TruncIOp op) {
    Value wide = op.getIn();
    if (!comesFromRounding(wide) || !isBetween(wide, INT32_MIN, INT32_MAX)) return false;
    b_.setInsertionPoint(op);
    loc_ = op.getLoc();
    Value real = asDouble(wide);
    if (!real) return false;
    Value whole = arith::FPToSIOp::create(b_, loc_, b_.getI32Type(), real);
    if (op.getType() != whole.getType()) whole = arith::TruncIOp::create(b_, loc_, op.getType(), whole);
    op.replaceAllUsesWith(whole);
    return true;
  }
  void eraseUnused() {
    llvm::SmallVector<mlir::Operation*> ops;
    for (mlir::Operation& op : block_.without_terminator()) ops.push_back(&op);
    for (mlir::Operation* op : llvm::reverse(ops)) {
      if (op->use_empty()) op->erase();
    }
  }

  mlir::Block& block_;
  mlir::OpBuilder b_;
  mlir::Location loc_ = b_.getUnknownLoc();
  llvm::DenseMap<Value, ConstantIntRanges> ranges_;
  llvm::DenseMap<mlir::Operation*, Rounding> roundings_;
  llvm::DenseMap<Value, Value> doubles_;  // null: not possible
};

bool hasCandidates(mlir::Block& block) {
  bool found = false;
  block.walk([&](arith::ShRSIOp op) { found |= op.getType().isInteger(64); });
  return found;
}

}  // namespace

mlir::OwningOpRef<mlir::ModuleOp> withExactDoubles(mlir::Block& block) {
  if (!hasCandidates(block)) return {};
  mlir::MLIRContext* context = block.getParentOp()->getContext();
  mlir::OpBuilder b(context);
  mlir::OwningOpRef<mlir::ModuleOp> module = mlir::ModuleOp::create(b.getUnknownLoc());
  b.setInsertionPointToStart(module->getBody());
  auto function = mlir::func::FuncOp::create(
      b, b.getUnknownLoc(), "task",
      b.getFunctionType(block.getArgumentTypes(), block.getTerminator()->getOperandTypes()));
  mlir::IRMapping mapping;
  block.getParent()->cloneInto(&function.getBody(), mapping);
  bool changed = false;
  function.walk([&](mlir::linalg::GenericOp op) { changed |= Body(*op.getBody()).run(); });
  if (!changed) return {};
  return module;
}

}  // namespace tetrarch::compile::cpu
