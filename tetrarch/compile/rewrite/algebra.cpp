#include "tetrarch/compile/rewrite/rules.h"
#include "tetrarch/graph/constants.h"

namespace tetrarch::compile {
namespace {

using namespace tet;  // the ops
using Direction = ComparisonDirection;
using R = PatternRewriter;

bool isFloat(Value value) { return llvm::isa<mlir::FloatType>(tensorType(value).getElementType()); }
bool isInt(Value value) { return !isFloat(value); }
// The only zero that leaves every float alone when it is added.
bool isAddZero(Value value) {
  if (isInt(value)) return isSplat(value, 0);
  auto splat = splatNumber(value);
  return splat && *splat == 0 && std::signbit(*splat);
}
template <typename Op>
Value operandOf(Value value) {
  auto op = value.getDefiningOp<Op>();
  return op ? op.getOperand() : Value();
}
Value constantBool(R& r, Value like, bool value) {
  return makeSplat(r, like.getLoc(), tensorType(like), static_cast<int64_t>(value));
}

}  // namespace

void addAlgebraRules(mlir::RewritePatternSet& patterns) {
  addRules<AddOp>(patterns,
                  {
                      // x + 0 = x, for floats x + -0 = x
                      [](AddOp op, R&) -> Value { return isAddZero(op.getRhs()) ? op.getLhs() : Value(); },
                      [](AddOp op, R&) -> Value { return isAddZero(op.getLhs()) ? op.getRhs() : Value(); },
                      // x + -y = x - y
                      [](AddOp op, R& r) -> Value {
                        Value y = operandOf<NegateOp>(op.getRhs());
                        return y ? SubtractOp::create(r, op.getLoc(), op.getLhs(), y).getResult() : Value();
                      },
                  });
  addRules<SubtractOp>(
      patterns,
      {
          // x - 0 = x
          [](SubtractOp op, R&) -> Value { return isSplat(op.getRhs(), 0) ? op.getLhs() : Value(); },
          // x - x = 0, for integers
          [](SubtractOp op, R& r) -> Value {
            if (op.getLhs() != op.getRhs() || isFloat(op.getLhs())) return Value();
            return makeSplat(r, op.getLoc(), op.getType(), int64_t{0}).getResult();
          },
          // x - -y = x + y
          [](SubtractOp op, R& r) -> Value {
            Value y = operandOf<NegateOp>(op.getRhs());
            return y ? AddOp::create(r, op.getLoc(), op.getLhs(), y).getResult() : Value();
          },
      });
  addRules<MultiplyOp>(
      patterns,
      {
          // x * 1 = x
          [](MultiplyOp op, R&) -> Value { return isSplat(op.getRhs(), 1) ? op.getLhs() : Value(); },
          [](MultiplyOp op, R&) -> Value { return isSplat(op.getLhs(), 1) ? op.getRhs() : Value(); },
          // x * 0 = 0, for integers
          [](MultiplyOp op, R&) -> Value {
            return isInt(op.getLhs()) && isSplat(op.getRhs(), 0) ? op.getRhs() : Value();
          },
          // x * -1 = -x
          [](MultiplyOp op, R& r) -> Value {
            return isSplat(op.getRhs(), -1) ? NegateOp::create(r, op.getLoc(), op.getLhs()).getResult()
                                            : Value();
          },
      });
  addRules<DivideOp>(
      patterns, {
                    // x / 1 = x
                    [](DivideOp op, R&) -> Value { return isSplat(op.getRhs(), 1) ? op.getLhs() : Value(); },
                    // x / c = x * (1 / c), where c is a power of two
                    [](DivideOp op, R& r) -> Value {
                      auto c = isFloat(op.getLhs()) && isConstant(op.getRhs()) ? splatNumber(op.getRhs())
                                                                               : std::nullopt;
                      int exponent = 0;
                      if (!c || !std::isfinite(*c) || std::fabs(std::frexp(*c, &exponent)) != 0.5 ||
                          std::abs(exponent) > 6)
                        return Value();
                      Value inverse = makeSplat(r, op.getLoc(), op.getType(), 1 / *c);
                      return MultiplyOp::create(r, op.getLoc(), op.getLhs(), inverse).getResult();
                    },
                });
  addRules<PowerOp>(
      patterns, {
                    // x ^ 1 = x
                    [](PowerOp op, R&) -> Value { return isSplat(op.getRhs(), 1) ? op.getLhs() : Value(); },
                    // x ^ 2 = x * x
                    [](PowerOp op, R& r) -> Value {
                      return isSplat(op.getRhs(), 2)
                                 ? MultiplyOp::create(r, op.getLoc(), op.getLhs(), op.getLhs()).getResult()
                                 : Value();
                    },
                    // x ^ 3 = x * x * x, for integers and f32 (within the op's tolerance)
                    [](PowerOp op, R& r) -> Value {
                      if (!isSplat(op.getRhs(), 3)) return Value();
                      Value square = MultiplyOp::create(r, op.getLoc(), op.getLhs(), op.getLhs());
                      return MultiplyOp::create(r, op.getLoc(), square, op.getLhs()).getResult();
                    },
                });
  addRules<NegateOp>(patterns,
                     {
                         // -(-x) = x
                         [](NegateOp op, R&) -> Value { return operandOf<NegateOp>(op.getOperand()); },
                     });
  addRules<NotOp>(patterns, {
                                // ~~x = x
                                [](NotOp op, R&) -> Value { return operandOf<NotOp>(op.getOperand()); },
                            });
  addRules<AbsOp>(patterns, {
                                // ||x|| = |x|
                                [](AbsOp op, R&) -> Value {
                                  return op.getOperand().getDefiningOp<AbsOp>() ? op.getOperand() : Value();
                                },
                                // |-x| = |x|
                                [](AbsOp op, R& r) -> Value {
                                  Value x = operandOf<NegateOp>(op.getOperand());
                                  return x ? AbsOp::create(r, op.getLoc(), x).getResult() : Value();
                                },
                            });
  addRules<MaximumOp>(patterns, {
                                    // max(x, x) = x
                                    [](MaximumOp op, R&) -> Value {
                                      return op.getLhs() == op.getRhs() ? op.getLhs() : Value();
                                    },
                                });
  addRules<MinimumOp>(patterns, {
                                    // min(x, x) = x
                                    [](MinimumOp op, R&) -> Value {
                                      return op.getLhs() == op.getRhs() ? op.getLhs() : Value();
                                    },
                                });
  addRules<AndOp>(
      patterns, {
                    // x & x = x
                    [](AndOp op, R&) -> Value { return op.getLhs() == op.getRhs() ? op.getLhs() : Value(); },
                    // x & ~0 = x and x & 0 = 0 (i1: true is 1)
                    [](AndOp op, R&) -> Value {
                      const bool is_bool = tensorType(op.getLhs()).getElementType().isInteger(1);
                      return isSplat(op.getRhs(), is_bool ? 1 : -1) ? op.getLhs() : Value();
                    },
                    [](AndOp op, R&) -> Value { return isSplat(op.getRhs(), 0) ? op.getRhs() : Value(); },
                });
  addRules<OrOp>(patterns,
                 {
                     // x | x = x
                     [](OrOp op, R&) -> Value { return op.getLhs() == op.getRhs() ? op.getLhs() : Value(); },
                     // x | 0 = x
                     [](OrOp op, R&) -> Value { return isSplat(op.getRhs(), 0) ? op.getLhs() : Value(); },
                 });
  addRules<XorOp>(patterns,
                  {
                      // x ^ 0 = x
                      [](XorOp op, R&) -> Value { return isSplat(op.getRhs(), 0) ? op.getLhs() : Value(); },
                  });
  addRules<SelectOp>(
      patterns,
      {
          // true ? x : y = x
          [](SelectOp op, R&) -> Value { return isSplat(op.getPred(), 1) ? op.getOnTrue() : Value(); },
          // false ? x : y = y
          [](SelectOp op, R&) -> Value { return isSplat(op.getPred(), 0) ? op.getOnFalse() : Value(); },
          // p ? x : x = x
          [](SelectOp op, R&) -> Value {
            return op.getOnTrue() == op.getOnFalse() ? op.getOnTrue() : Value();
          },
          // ~p ? x : y = p ? y : x
          [](SelectOp op, R& r) -> Value {
            Value p = operandOf<NotOp>(op.getPred());
            return p ? SelectOp::create(r, op.getLoc(), op.getType(), p, op.getOnFalse(), op.getOnTrue())
                           .getResult()
                     : Value();
          },
      });
  addRules<CompareOp>(patterns, {
                                    // x = x is true, x < x is false, …, for integers
                                    [](CompareOp op, R& r) -> Value {
                                      if (op.getLhs() != op.getRhs() || isFloat(op.getLhs())) return Value();
                                      const Direction d = op.getComparisonDirection();
                                      return constantBool(
                                          r, op.getResult(),
                                          d == Direction::EQ || d == Direction::GE || d == Direction::LE);
                                    },
                                });
  addRules<ConvertOp>(
      patterns,
      {
          // convert(x) = x, to its own type
          [](ConvertOp op, R&) -> Value {
            return op.getOperand().getType() == op.getType() ? op.getOperand() : Value();
          },
          // convert(convert(x)) = convert(x), when the inner type holds every value of x
          [](ConvertOp op, R& r) -> Value {
            Value x = operandOf<ConvertOp>(op.getOperand());
            if (!x || !fitsInto(tensorType(x).getElementType(), tensorType(op.getOperand()).getElementType()))
              return Value();
            return ConvertOp::create(r, op.getLoc(), op.getType(), x).getResult();
          },
      });
}

}  // namespace tetrarch::compile
