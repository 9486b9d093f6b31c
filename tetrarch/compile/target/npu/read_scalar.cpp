#include "tetrarch/compile/target/npu/read_scalar.h"

#include <utility>

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"
#include "tetrarch/abi/npu_isa.h"

namespace tetrarch::npu {
namespace {

using mlir::Operation;
using mlir::Value;
namespace arith = mlir::arith;

template <typename Op>
std::pair<Value, Value> operandsOf(Value value) {
  auto op = value ? value.getDefiningOp<Op>() : Op();
  return op ? std::pair(op->getOperand(0), op->getOperand(1)) : std::pair<Value, Value>();
}

// x of `x <Op> number`, in either order where the op commutes.
template <typename Op>
std::pair<Value, int64_t> withNumber(Value value) {
  auto [a, b] = operandsOf<Op>(value);
  if (!a) return {};
  if (auto number = constantNumber(b)) return {a, *number};
  const bool commutes = value.getDefiningOp()->hasTrait<mlir::OpTrait::IsCommutative>();
  if (auto number = constantNumber(a); number && commutes) return {b, *number};
  return {};
}
template <typename Op>
Value withNumber(Value value, int64_t number) {
  const auto [x, found] = withNumber<Op>(value);
  return x && found == number ? x : Value();
}

unsigned bitsOf(Value value) { return value.getType().getIntOrFloatBitWidth(); }

// x << amount where an amount beyond the width gives 0: select(amount < width, x << (…), 0), or the shift
// alone.
std::pair<Value, Value> matchShiftLeft(Value value) {
  auto guarded = value.getDefiningOp<arith::SelectOp>();
  if (!guarded) return operandsOf<arith::ShLIOp>(value);
  auto [x, inner] = operandsOf<arith::ShLIOp>(guarded.getTrueValue());
  auto amount = inner ? inner.getDefiningOp<arith::SelectOp>() : arith::SelectOp();
  auto within = guarded.getCondition().getDefiningOp<arith::CmpIOp>();
  const bool fits = amount && within && amount.getCondition() == guarded.getCondition() &&
                    within.getPredicate() == arith::CmpIPredicate::ult &&
                    within.getLhs() == amount.getTrueValue() &&
                    constantNumber(within.getRhs()) == bitsOf(value);
  if (!fits || constantNumber(guarded.getFalseValue()) != 0) return {};
  return {x, amount.getTrueValue()};
}

// x of max(x, 1) moved up to its leading one, and its number of leading zeros.
struct Normalised {
  Value x, zeros;
};
std::optional<Normalised> matchNormalised(Value bits) {
  auto [positive, amount] = matchShiftLeft(bits);
  auto zeros =
      amount ? amount.getDefiningOp<mlir::math::CountLeadingZerosOp>() : mlir::math::CountLeadingZerosOp();
  if (!zeros || zeros.getOperand() != positive || bitsOf(positive) != 32) return std::nullopt;
  Value x = withNumber<arith::MaxSIOp>(positive, 1);
  return x ? std::optional(Normalised{x, amount}) : std::nullopt;
}

// The i8 (or what is cut to it) that indexes a table of 256 entries, clamped to it or not.
Value matchByteIndex(Value index) {
  auto cast = index.getDefiningOp<arith::IndexCastOp>();
  auto unsigned_cast = index.getDefiningOp<arith::IndexCastUIOp>();
  Value value = cast ? cast.getIn() : unsigned_cast ? unsigned_cast.getIn() : Value();
  if (Value inner = withNumber<arith::MinSIOp>(value, kTableEntries - 1)) value = inner;
  if (Value inner = withNumber<arith::MaxSIOp>(value, 0)) value = inner;
  auto wide = value ? value.getDefiningOp<arith::ExtUIOp>() : arith::ExtUIOp();
  return wide && bitsOf(wide.getIn()) == 8 ? wide.getIn() : Value();
}

mlir::tensor::ExtractOp matchEntry(Value value) {
  auto wide = value ? value.getDefiningOp<arith::ExtSIOp>() : arith::ExtSIOp();
  auto extract = (wide ? wide.getIn() : value).getDefiningOp<mlir::tensor::ExtractOp>();
  return extract && extract.getIndices().size() == 1 ? extract : mlir::tensor::ExtractOp();
}

// How an entry is chosen and shifted: as recip_lut and rsqrt_lut do it.
struct ScaledEntry {
  VectorKind kind;
  Value x;
  int64_t imm;
};

// entry of the 8 bits below the leading one, << (zeros - (31 - imm))
std::optional<ScaledEntry> matchReciprocal(Value index, Value amount) {
  auto [zeros, offset] = withNumber<arith::SubIOp>(amount);
  if (!zeros) {
    std::tie(zeros, offset) = withNumber<arith::AddIOp>(amount);
    offset = -offset;
  }
  auto normalised = matchNormalised(withNumber<arith::ShRUIOp>(index, 23));
  // The processor shifts right where the region would shift by a negative number.
  const bool fits = zeros && normalised && normalised->zeros == zeros && (offset == 0 || offset == 1);
  return fits ? std::optional(ScaledEntry{VectorKind::Reciprocal, normalised->x, 31 - offset}) : std::nullopt;
}

// entry of the position's parity and 7 bits, << (imm - position / 2)
std::optional<ScaledEntry> matchRsqrt(Value index, Value amount) {
  auto [imm, half] = operandsOf<arith::SubIOp>(amount);
  const auto number = imm ? constantNumber(imm) : std::nullopt;
  Value position = withNumber<arith::ShRSIOp>(half, 1);
  auto [top, zeros] = operandsOf<arith::SubIOp>(position);
  auto [left, right] = operandsOf<arith::OrIOp>(index);
  if (!number || *number < 15 || *number > 31 || !top || constantNumber(top) != 31) return std::nullopt;
  for (auto [high, low] : {std::pair(left, right), std::pair(right, left)}) {
    const bool has_parity =
        high && withNumber<arith::AndIOp>(withNumber<arith::ShLIOp>(high, 7), 1) == position;
    auto normalised = matchNormalised(withNumber<arith::ShRUIOp>(withNumber<arith::AndIOp>(low, 127), 24));
    if (has_parity && normalised && normalised->zeros == zeros)
      return ScaledEntry{VectorKind::Rsqrt, normalised->x, *number};
  }
  return std::nullopt;
}

}  // namespace

std::optional<int64_t> constantNumber(Value value) {
  mlir::APInt number;
  if (!value || !mlir::matchPattern(value, mlir::m_ConstantInt(&number))) return std::nullopt;
  return number.getSExtValue();
}

Result<int> ScalarReader::compute(Value value) {
  if (auto number = constantNumber(value)) {
    if (*number != static_cast<int32_t>(*number))
      return propagate(unimplemented("a number of more than 32 bits"));
    return program().constant(*number);
  }
  Operation* op = value.getDefiningOp();
  if (!op) return propagate(unimplemented("a body reads what it is given in no operand"));
  if (!value.getType().isInteger()) return propagate(unimplemented("arithmetic of floats"));
  const bool may_wrap = bitsOf(value) == 32;
  if (mlir::isa<arith::ExtSIOp>(op)) return read(op->getOperand(0));
  if (mlir::isa<arith::TruncIOp>(op)) return readNarrow(op->getOperand(0), bitsOf(value));
  if (mlir::isa<arith::MinSIOp, arith::MaxSIOp>(op)) return readLimit(op);
  if (auto rounded = matchRounded(value)) return readRounded(*rounded, may_wrap);
  if (mlir::isa<arith::AddIOp>(op))
    return readBinary(VectorKind::Add, op->getOperand(0), op->getOperand(1), may_wrap);
  if (mlir::isa<arith::SubIOp>(op))
    return readBinary(VectorKind::Sub, op->getOperand(0), op->getOperand(1), may_wrap);
  if (mlir::isa<arith::MulIOp>(op))
    return readBinary(VectorKind::Mul, op->getOperand(0), op->getOperand(1), may_wrap);
  if (mlir::isa<arith::SelectOp, arith::ShLIOp>(op)) return readScaledEntry(value);
  if (auto extract = matchEntry(value)) {
    Value index = matchByteIndex(extract.getIndices().front());
    if (!index) return propagate(unimplemented("a table's index that is no byte"));
    TET_ASSIGN_OR_RETURN(const int a, read(index));
    return readEntry(extract, VectorKind::Lookup, a, 0);
  }
  return propagate(unimplemented("the vector unit has no {}", op->getName().getStringRef().str()));
}

Result<int> ScalarReader::readBinary(VectorKind kind, Value a, Value b, bool may_wrap, int64_t imm) {
  TET_ASSIGN_OR_RETURN(const int x, read(a));
  TET_ASSIGN_OR_RETURN(const int y, read(b));
  const bool has_half = kind != VectorKind::Mul || node(x).isHalf() || node(y).isHalf();
  if (!has_half) return propagate(unimplemented("a product of two numbers of more than 16 bits"));
  if (!may_wrap && !program().isExact(kind, x, y, imm))
    return propagate(unimplemented("a number that may have more than 32 bits"));
  return program().binary(kind, x, y, imm);
}

// A product is rounded in one step with its multiplication.
Result<int> ScalarReader::readRounded(const Rounded& rounded, bool may_wrap) {
  if (rounded.shift > 31) return propagate(unimplemented("a shift by {} bits", rounded.shift));
  if (auto [a, b] = operandsOf<arith::MulIOp>(rounded.value); a && bitsOf(a) == 64)
    return readBinary(VectorKind::Mul, a, b, may_wrap, rounded.shift);
  TET_ASSIGN_OR_RETURN(const int x, read(rounded.value));
  return program().shift(x, rounded.shift);
}

Result<int> ScalarReader::readNarrow(Value wide, unsigned bits) {
  if (auto rounded = matchRounded(wide); rounded && bits == 32)
    return readRounded(*rounded, /*may_wrap=*/true);
  TET_ASSIGN_OR_RETURN(const int made, read(wide));
  const VectorNode& n = node(made);
  if (bits < 32 && (n.low < -(int64_t{1} << (bits - 1)) || n.high >= int64_t{1} << (bits - 1)))
    return propagate(unimplemented("a number of {} to {} that is cut to {} bits", n.low, n.high, bits));
  return made;
}

Result<int> ScalarReader::readLimit(Operation* op) {
  auto requantized = readRequantized(op->getResult(0));
  if (!requantized || *requantized >= 0) return requantized;
  Value a = op->getOperand(0), b = op->getOperand(1);
  const bool is_min = mlir::isa<arith::MinSIOp>(op);
  TET_ASSIGN_OR_RETURN(const int x, read(a));
  // What is written as bytes saturates by itself.
  VectorNode& n = program().nodes[x];
  const auto number = constantNumber(b);
  const bool saturates = is_min && number == 127 && n.low >= -128 && a.hasOneUse() && a.getDefiningOp() &&
                         n.kind != VectorKind::Input && n.extent == Extent::Element;
  if (saturates) return n.high = std::min<int64_t>(n.high, 127), x;
  return readBinary(is_min ? VectorKind::Min : VectorKind::Max, a, b, /*may_wrap=*/false);
}

Result<int> ScalarReader::readEntry(Operation* extract, VectorKind kind, int a, int64_t imm) {
  auto entry = mlir::cast<mlir::tensor::ExtractOp>(extract);
  if (kind == VectorKind::Lookup && !node(a).isByte())
    return propagate(unimplemented("a table's index may leave 8 bits"));
  TET_ASSIGN_OR_RETURN(const int table, context_.tableOf(entry.getTensor()));
  const int made = program().table(kind, a, table, imm);
  if (kind == VectorKind::Lookup && bitsOf(entry.getResult()) == 8) {
    program().nodes[made].low = -128;
    program().nodes[made].high = 127;
  }
  return made;
}

Result<int> ScalarReader::readScaledEntry(Value value) {
  auto [wide, amount] = matchShiftLeft(value);
  auto extract = matchEntry(wide);
  Value byte = extract ? matchByteIndex(extract.getIndices().front()) : Value();
  auto cut = byte ? byte.getDefiningOp<arith::TruncIOp>() : arith::TruncIOp();
  if (cut && bitsOf(wide) == 32) {
    auto found = matchReciprocal(cut.getIn(), amount);
    if (!found) found = matchRsqrt(cut.getIn(), amount);
    if (found) {
      TET_ASSIGN_OR_RETURN(const int a, read(found->x));
      return readEntry(extract, found->kind, a, found->imm);
    }
  }
  return propagate(unimplemented("a shift to the left that belongs to no table"));
}

// (p + half - 1 + (p >> s & 1)) >> s, as graph/quantized_parts.cpp writes it.
std::optional<ScalarReader::Rounded> ScalarReader::matchRounded(Value value) {
  const auto [sum, shift] = withNumber<arith::ShRSIOp>(value);
  auto [left, right] = operandsOf<arith::AddIOp>(sum);
  if (!left || shift < 1 || shift > 62) return std::nullopt;
  for (auto [nudged, odd] : {std::pair(left, right), std::pair(right, left)}) {
    // Half less one is 0 for a shift by one.
    Value p = shift == 1 ? nudged : withNumber<arith::AddIOp>(nudged, (int64_t{1} << (shift - 1)) - 1);
    if (p && withNumber<arith::ShRSIOp>(withNumber<arith::AndIOp>(odd, 1), shift) == p)
      return Rounded{p, shift};
  }
  return std::nullopt;
}

// Of a multiplier 16 bits count: it is cut to them in the code, or a number that has no more.
int ScalarReader::matchParameter(Value value, bool is_multiplier) {
  if (auto wide = value.getDefiningOp<arith::ExtSIOp>()) value = wide.getIn();
  auto cut = value.getDefiningOp<arith::TruncIOp>();
  const bool is_cut = cut && bitsOf(value) == 16;
  if (is_cut) value = cut.getIn();
  if (auto number = constantNumber(value)) {
    const bool fits =
        is_multiplier ? *number == static_cast<int16_t>(*number) : *number == static_cast<int32_t>(*number);
    return fits ? program().constant(*number) : -1;
  }
  const int column = known(value);
  if (column < 0 || node(column).extent != Extent::Column) return -1;
  return is_multiplier && !is_cut && !node(column).isHalf() ? -1 : column;
}

// The parameter of `x <Op> parameter`, and x.
template <typename Op>
std::pair<Value, int> ScalarReader::withParameter(Value value, bool is_multiplier) {
  auto [left, right] = operandsOf<Op>(value);
  if (!left) return {Value(), -1};
  if (const int parameter = matchParameter(right, is_multiplier); parameter >= 0) return {left, parameter};
  return {right, matchParameter(left, is_multiplier)};
}

Result<ScalarReader::Scaled> ScalarReader::readScaled(const Rounded& rounded) {
  Scaled scaled{-1, -1, -1, rounded.shift};
  auto [acc, multiplier] = withParameter<arith::MulIOp>(rounded.value, true);
  if (multiplier < 0) return scaled;
  scaled.multiplier = multiplier;
  if (auto [value, zero] = withNumber<arith::SubIOp>(acc); value) {
    scaled.bias = program().constant(-zero);
    acc = value;
  } else if (auto [sum, bias] = withParameter<arith::AddIOp>(acc, false); bias >= 0) {
    scaled.bias = bias;
    acc = sum;
  }
  TET_ASSIGN_OR_RETURN(scaled.acc, read(acc));
  return scaled;
}

Result<int> ScalarReader::readRequantized(Value value) {
  auto [floored, high] = withNumber<arith::MinSIOp>(value);
  auto [level, low] = withNumber<arith::MaxSIOp>(floored);
  if (!level || low < INT16_MIN || high > INT16_MAX || low > high) return -1;
  VectorNode n{.kind = VectorKind::Requantize, .low = low, .high = high};
  if (auto [inner, zero] = withNumber<arith::AddIOp>(level); inner && !matchRounded(level)) {
    level = inner, n.zero_point = zero;
  }
  auto first = matchRounded(level);
  auto [left, right] = operandsOf<arith::AddIOp>(level);
  auto second = first ? std::nullopt : matchRounded(right);
  if (!first) first = left ? matchRounded(left) : std::nullopt;
  const bool adds = second.has_value();
  if (!first || (left && !adds && !matchRounded(level)) || bitsOf(value) != 64) return -1;
  TET_ASSIGN_OR_RETURN(const Scaled a, readScaled(*first));
  if (a.acc < 0 || a.multiplier < 0 || n.zero_point != static_cast<int16_t>(n.zero_point)) return -1;
  n.a = a.acc, n.bias = a.bias, n.multiplier = a.multiplier, n.imm = a.shift;
  if (!adds) return program().requantize(n);
  TET_ASSIGN_OR_RETURN(const Scaled b, readScaled(*second));
  auto isNumber = [&](int index) { return index < 0 || node(index).kind == VectorKind::Constant; };
  if (b.acc < 0 || b.multiplier < 0 || !isNumber(b.bias) || !isNumber(b.multiplier) || b.shift > 31)
    return -1;
  n.kind = VectorKind::RequantizeAdd;
  n.b = b.acc, n.zero_b = b.bias < 0 ? 0 : -node(b.bias).imm;
  n.multiplier_b = node(b.multiplier).imm, n.shift_b = b.shift;
  if (n.zero_b < -128 || n.zero_b > 127) return -1;
  return program().requantize(n);
}

}  // namespace tetrarch::npu
