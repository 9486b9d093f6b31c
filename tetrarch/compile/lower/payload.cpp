#include "tetrarch/compile/lower/payload.h"

#include <array>
#include <string_view>

#include "llvm/ADT/StringMap.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

namespace tetrarch::compile {
namespace {

namespace arith = mlir::arith;
namespace math = mlir::math;
using mlir::Type;
using mlir::Value;
using mlir::ValueRange;
using tet::ReductionKind;

using Cell = Value (*)(Builder&, ValueRange);
constexpr Cell none = nullptr;

template <typename Op>
Value one(Builder& b, ValueRange x) {
  return Op::create(b, x[0]);
}
template <typename Op>
Value two(Builder& b, ValueRange x) {
  return Op::create(b, x[0], x[1]);
}

Value compareInt(Builder& b, arith::CmpIPredicate predicate, Value x, Value y) {
  return arith::CmpIOp::create(b, predicate, x, y);
}
Value compareFloat(Builder& b, arith::CmpFPredicate predicate, Value x, Value y) {
  return arith::CmpFOp::create(b, predicate, x, y);
}
Value choose(Builder& b, Value condition, Value x, Value y) {
  return arith::SelectOp::create(b, condition, x, y);
}

Value isFinite(Builder& b, ValueRange x) {
  Value infinity = floatConstant(b, x[0].getType(), std::numeric_limits<double>::infinity());
  return compareFloat(b, arith::CmpFPredicate::OLT, math::AbsFOp::create(b, x[0]), infinity);
}

// 1 / (1 + e^-x)
Value logistic(Builder& b, ValueRange x) {
  Value one = floatConstant(b, x[0].getType(), 1);
  Value exponential = math::ExpOp::create(b, arith::NegFOp::create(b, x[0]));
  return arith::DivFOp::create(b, one, arith::AddFOp::create(b, one, exponential));
}

// Not math.rsqrt, which targets may approximate.
Value reciprocalSqrt(Builder& b, ValueRange x) {
  return arith::DivFOp::create(b, floatConstant(b, x[0].getType(), 1), math::SqrtOp::create(b, x[0]));
}

Value negateInt(Builder& b, ValueRange x) {
  return arith::SubIOp::create(b, intConstant(b, x[0].getType(), 0), x[0]);
}

Value invert(Builder& b, ValueRange x) {
  return arith::XOrIOp::create(b, x[0], intConstant(b, x[0].getType(), -1));
}

// x where x is 0 or NaN, else 1 with the sign of x.
Value signFloat(Builder& b, ValueRange x) {
  Value magnitude = math::AbsFOp::create(b, x[0]);
  Value nonzero = compareFloat(b, arith::CmpFPredicate::OGT, magnitude, floatConstant(b, x[0].getType(), 0));
  Value unit = math::CopySignOp::create(b, floatConstant(b, x[0].getType(), 1), x[0]);
  return choose(b, nonzero, unit, x[0]);
}

Value signInt(Builder& b, ValueRange x) {
  Value one = intConstant(b, x[0].getType(), 1), minus_one = intConstant(b, x[0].getType(), -1);
  return arith::MaxSIOp::create(b, arith::MinSIOp::create(b, x[0], one), minus_one);
}

template <typename Max, typename Min>
Value clamp(Builder& b, ValueRange x) {
  return Min::create(b, Max::create(b, x[1], x[0]), x[2]);
}

constexpr Cell clampFloat = clamp<arith::MaximumFOp, arith::MinimumFOp>;
constexpr Cell clampSigned = clamp<arith::MaxSIOp, arith::MinSIOp>;
constexpr Cell clampUnsigned = clamp<arith::MaxUIOp, arith::MinUIOp>;

Value select(Builder& b, ValueRange x) { return choose(b, x[0], x[1], x[2]); }

// The divisors that processors trap on (0, and -1 of the lowest integer) are replaced by 1 and the results
// mended.
struct SafeDivision {
  Value divisor, by_zero, by_minus_one;
};
SafeDivision safeDivision(Builder& b, Value divisor, bool is_signed) {
  Type type = divisor.getType();
  Value one = intConstant(b, type, 1);
  SafeDivision safe;
  safe.by_zero = compareInt(b, arith::CmpIPredicate::eq, divisor, intConstant(b, type, 0));
  safe.divisor = choose(b, safe.by_zero, one, divisor);
  if (is_signed) {
    safe.by_minus_one = compareInt(b, arith::CmpIPredicate::eq, divisor, intConstant(b, type, -1));
    safe.divisor = choose(b, safe.by_minus_one, one, safe.divisor);
  }
  return safe;
}

Value divideSigned(Builder& b, ValueRange x) {
  SafeDivision safe = safeDivision(b, x[1], true);
  Value quotient =
      choose(b, safe.by_minus_one, negateInt(b, x[0]), arith::DivSIOp::create(b, x[0], safe.divisor));
  return choose(b, safe.by_zero, intConstant(b, x[0].getType(), -1), quotient);
}

Value divideUnsigned(Builder& b, ValueRange x) {
  SafeDivision safe = safeDivision(b, x[1], false);
  return choose(b, safe.by_zero, intConstant(b, x[0].getType(), -1),
                arith::DivUIOp::create(b, x[0], safe.divisor));
}

// The remainder by 1, which stands for -1 too, is 0 as it should be.
Value remainderSigned(Builder& b, ValueRange x) {
  SafeDivision safe = safeDivision(b, x[1], true);
  return choose(b, safe.by_zero, x[0], arith::RemSIOp::create(b, x[0], safe.divisor));
}

Value remainderUnsigned(Builder& b, ValueRange x) {
  SafeDivision safe = safeDivision(b, x[1], false);
  return choose(b, safe.by_zero, x[0], arith::RemUIOp::create(b, x[0], safe.divisor));
}

Value isBelowWidth(Builder& b, Value amount) {
  Value width = intConstant(b, amount.getType(), amount.getType().getIntOrFloatBitWidth());
  return compareInt(b, arith::CmpIPredicate::ult, amount, width);
}

template <typename Op>
Value shift(Builder& b, ValueRange x) {
  Value zero = intConstant(b, x[0].getType(), 0), in_range = isBelowWidth(b, x[1]);
  return choose(b, in_range, Op::create(b, x[0], choose(b, in_range, x[1], zero)), zero);
}

Value shiftCopies(Builder& b, ValueRange x) {
  Value last = intConstant(b, x[0].getType(), x[0].getType().getIntOrFloatBitWidth() - 1);
  return arith::ShRSIOp::create(b, x[0], arith::MinUIOp::create(b, x[1], last));
}

// Square and multiply, one step a bit of the exponent: straight code, which vectorises.
Value powerUnsigned(Builder& b, ValueRange x) {
  Type type = x[0].getType();
  Value base = x[0], zero = intConstant(b, type, 0), result = intConstant(b, type, 1);
  for (unsigned bit = 0; bit < type.getIntOrFloatBitWidth(); ++bit) {
    Value mask = intConstant(b, type, static_cast<int64_t>(uint64_t{1} << bit));
    Value is_set = compareInt(b, arith::CmpIPredicate::ne, arith::AndIOp::create(b, x[1], mask), zero);
    result = choose(b, is_set, arith::MulIOp::create(b, result, base), result);
    base = arith::MulIOp::create(b, base, base);
  }
  return result;
}

// A negative power truncates to 0, but for the bases 1 and -1.
Value powerSigned(Builder& b, ValueRange x) {
  Type type = x[0].getType();
  Value zero = intConstant(b, type, 0), one = intConstant(b, type, 1), minus_one = intConstant(b, type, -1);
  Value is_odd = compareInt(b, arith::CmpIPredicate::ne, arith::AndIOp::create(b, x[1], one), zero);
  Value of_minus_one = choose(b, is_odd, minus_one, one);
  Value is_minus_one = compareInt(b, arith::CmpIPredicate::eq, x[0], minus_one);
  Value is_one = compareInt(b, arith::CmpIPredicate::eq, x[0], one);
  Value inverse = choose(b, is_one, one, choose(b, is_minus_one, of_minus_one, zero));
  Value is_negative = compareInt(b, arith::CmpIPredicate::slt, x[1], zero);
  return choose(b, is_negative, inverse, powerUnsigned(b, x));
}

struct Row {
  std::string_view op;
  Cell on_float, on_signed, on_unsigned, on_bool;
};
#define PAYLOAD(op, on_float, on_signed, on_unsigned, on_bool) \
  {#op, on_float, on_signed, on_unsigned, on_bool},
constexpr Row kRows[] = {
#include "tetrarch/compile/lower/payload.def"
};
#undef PAYLOAD

Cell cell(llvm::StringRef op, Type element) {
  static const llvm::StringMap<const Row*> index = [] {
    llvm::StringMap<const Row*> rows;
    for (const Row& row : kRows) rows[row.op] = &row;
    return rows;
  }();
  auto found = index.find(op);
  if (found == index.end()) return none;
  const Row& row = *found->second;
  if (llvm::isa<mlir::FloatType>(element)) return row.on_float;
  if (element.isSignlessInteger(1)) return row.on_bool;
  return element.isUnsignedInteger() ? row.on_unsigned : row.on_signed;
}

// Direction -> predicate on floats, signed and unsigned integers (i1 counts as unsigned).
struct Predicates {
  arith::CmpFPredicate on_float;
  arith::CmpIPredicate on_signed, on_unsigned;
};
Predicates predicates(tet::ComparisonDirection direction) {
  using F = arith::CmpFPredicate;
  using I = arith::CmpIPredicate;
  switch (direction) {
    case tet::ComparisonDirection::EQ:
      return {F::OEQ, I::eq, I::eq};
    case tet::ComparisonDirection::NE:
      return {F::UNE, I::ne, I::ne};
    case tet::ComparisonDirection::GE:
      return {F::OGE, I::sge, I::uge};
    case tet::ComparisonDirection::GT:
      return {F::OGT, I::sgt, I::ugt};
    case tet::ComparisonDirection::LE:
      return {F::OLE, I::sle, I::ule};
    case tet::ComparisonDirection::LT:
      return {F::OLT, I::slt, I::ult};
  }
  llvm_unreachable("a comparison direction");
}

Value compare(Builder& b, tet::CompareOp op, ValueRange x) {
  Type element = op.getLhs().getType().getElementType();
  const Predicates p = predicates(op.getComparisonDirection());
  if (llvm::isa<mlir::FloatType>(element)) return compareFloat(b, p.on_float, x[0], x[1]);
  const bool is_unsigned = element.isUnsignedInteger() || element.isSignlessInteger(1);
  return compareInt(b, is_unsigned ? p.on_unsigned : p.on_signed, x[0], x[1]);
}

// Four bits live sign-extended in eight: what looks at the width must look at the lower half.
Value onInt4(Builder& b, llvm::StringRef op, Cell build, ValueRange x) {
  Type i8 = b.getI8Type();
  auto low = [&](Value v) { return arith::AndIOp::create(b, v, intConstant(b, i8, 15)).getResult(); };
  if (op == "count_leading_zeros") {
    return arith::SubIOp::create(b, build(b, {low(x[0])}), intConstant(b, i8, 4));
  }
  if (op == "popcnt") return build(b, {low(x[0])});
  if (op == "shift_right_logical") return build(b, {low(x[0]), low(x[1])});
  if (op == "shift_left" || op == "shift_right_arithmetic") return build(b, {x[0], low(x[1])});
  return build(b, x);
}

Type elementOf(Value tensor) { return llvm::cast<mlir::RankedTensorType>(tensor.getType()).getElementType(); }

}  // namespace

bool hasPayload(mlir::Operation* op) { return op->hasTrait<tet::Elementwise>(); }

Value payload(Builder& b, mlir::Operation* op, ValueRange computed) {
  if (auto convert = llvm::dyn_cast<tet::ConvertOp>(op)) {
    return convertScalar(b, computed[0], elementOf(convert.getOperand()), elementOf(convert.getResult()));
  }
  if (auto comparison = llvm::dyn_cast<tet::CompareOp>(op)) return compare(b, comparison, computed);
  llvm::StringRef name = op->getName().stripDialect();
  Type element = elementOf(op->getOperand(op->getNumOperands() - 1));
  Cell build = cell(name, element);
  Value result = element.isSignlessInteger(4) ? onInt4(b, name, build, computed) : build(b, computed);
  return roundScalar(b, result, elementOf(op->getResult(0)));
}

Value combine(Builder& b, ReductionKind kind, Value x, Value y, Type element) {
  if (kind == ReductionKind::Assign) return y;
  return cell(tet::stringifyReductionKind(kind), element)(b, ValueRange{x, y});
}

mlir::TypedAttr identityAttr(ReductionKind kind, Type element) {
  if (auto type = llvm::dyn_cast<mlir::FloatType>(element)) {
    const llvm::fltSemantics& semantics = type.getFloatSemantics();
    auto extreme = [&](bool negative) {
      return llvm::APFloat::semanticsHasInf(semantics) ? llvm::APFloat::getInf(semantics, negative)
                                                       : llvm::APFloat::getLargest(semantics, negative);
    };
    if (kind == ReductionKind::Maximum) return mlir::FloatAttr::get(type, extreme(true));
    if (kind == ReductionKind::Minimum) return mlir::FloatAttr::get(type, extreme(false));
    return mlir::FloatAttr::get(type, kind == ReductionKind::Multiply ? 1.0 : 0.0);
  }
  const unsigned width = element.getIntOrFloatBitWidth();
  const bool is_unsigned = element.isUnsignedInteger() || width == 1;
  auto value = [&]() -> llvm::APInt {
    switch (kind) {
      case ReductionKind::Multiply:
        return llvm::APInt(width, 1);
      case ReductionKind::And:
        return llvm::APInt::getAllOnes(width);
      case ReductionKind::Maximum:
        return is_unsigned ? llvm::APInt(width, 0) : llvm::APInt::getSignedMinValue(width);
      case ReductionKind::Minimum:
        return is_unsigned ? llvm::APInt::getMaxValue(width) : llvm::APInt::getSignedMaxValue(width);
      default:
        return llvm::APInt(width, 0);
    }
  };
  return mlir::IntegerAttr::get(element, value());
}

Value identity(Builder& b, ReductionKind kind, Type element) {
  return scalarConstant(b, identityAttr(kind, element), element);
}

}  // namespace tetrarch::compile
