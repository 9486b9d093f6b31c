#include "tetrarch/compile/target/npu/read_float.h"

#include <cmath>

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/Matchers.h"

namespace tetrarch::npu {
namespace {

using mlir::Operation;
using mlir::Value;
namespace arith = mlir::arith;
namespace math = mlir::math;

Status unknown(Operation* op) {
  return unimplemented("the vector unit has no {} of such numbers", op->getName().getStringRef().str());
}

std::optional<VectorKind> binaryKind(Operation* op) {
  if (mlir::isa<arith::AddFOp>(op)) return VectorKind::Add;
  if (mlir::isa<arith::SubFOp>(op)) return VectorKind::Sub;
  if (mlir::isa<arith::MulFOp>(op)) return VectorKind::Mul;
  if (mlir::isa<arith::MaximumFOp, arith::MaxNumFOp>(op)) return VectorKind::Max;
  if (mlir::isa<arith::MinimumFOp, arith::MinNumFOp>(op)) return VectorKind::Min;
  return std::nullopt;
}

}  // namespace

std::optional<int64_t> floatConstant(mlir::Attribute number) {
  auto value = mlir::dyn_cast_or_null<mlir::FloatAttr>(number);
  if (!value || value.getType().getIntOrFloatBitWidth() > 32) return std::nullopt;
  return std::bit_cast<uint32_t>(static_cast<float>(value.getValueAsDouble()));
}

std::optional<float> FloatReader::numberOf(int node) const {
  const VectorNode& n = program_.nodes[node];
  if (n.kind != VectorKind::Constant) return std::nullopt;
  return std::bit_cast<float>(static_cast<uint32_t>(n.imm));
}

Result<int> FloatReader::compute(Value value) {
  mlir::Attribute constant;
  if (mlir::matchPattern(value, mlir::m_Constant(&constant))) {
    if (auto bits = floatConstant(constant)) return program_.constant(*bits);
  }
  Operation* op = value.getDefiningOp();
  if (!op) return propagate(unimplemented("a body reads what it is given in no operand"));
  if (auto select = mlir::dyn_cast<arith::SelectOp>(op)) {
    TET_ASSIGN_OR_RETURN(const int where, readCondition(select.getCondition()));
    TET_ASSIGN_OR_RETURN(const int x, read(select.getTrueValue()));
    TET_ASSIGN_OR_RETURN(const int y, read(select.getFalseValue()));
    return functions_.select(where, x, y);
  }
  if (mlir::isa<arith::UIToFPOp>(op) && op->getOperand(0).getType().isInteger(1))
    return readCondition(op->getOperand(0));
  const mlir::Type type = value.getType();
  if (!type.isF32() && !type.isBF16()) return propagate(unknown(op));
  if (mlir::isa<arith::DivFOp>(op)) return computeQuotient(op);
  if (mlir::isa<math::PowFOp>(op)) return computePower(op);
  if (op->getNumOperands() == 0 || op->getNumOperands() > 2) return propagate(unknown(op));
  TET_ASSIGN_OR_RETURN(const int x, read(op->getOperand(0)));
  if (op->getNumOperands() == 1) return computeUnary(op, x);
  TET_ASSIGN_OR_RETURN(const int y, read(op->getOperand(1)));
  return computeBinary(op, x, y);
}

Result<int> FloatReader::computeUnary(Operation* op, int x) {
  if (mlir::isa<arith::ExtFOp>(op)) return x;
  if (mlir::isa<arith::TruncFOp>(op)) return narrowed(x);
  if (mlir::isa<arith::NegFOp>(op)) return functions_.negate(x);
  if (mlir::isa<math::AbsFOp>(op)) return functions_.absolute(x);
  if (mlir::isa<math::ExpOp>(op)) return functions_.exp(x);
  if (mlir::isa<math::ErfOp>(op)) return functions_.erf(x);
  if (mlir::isa<math::TanhOp>(op)) return functions_.tanh(x);
  if (mlir::isa<math::SqrtOp>(op)) return functions_.sqrt(x);
  if (mlir::isa<math::RsqrtOp>(op)) return functions_.rsqrt(x);
  return propagate(unknown(op));
}

Result<int> FloatReader::computeBinary(Operation* op, int x, int y) {
  const auto kind = binaryKind(op);
  if (!kind) return propagate(unknown(op));
  const auto a = numberOf(x), b = numberOf(y);
  if (!a || !b) return program_.binary(*kind, x, y);
  switch (*kind) {
    case VectorKind::Add:
      return program_.number(*a + *b);
    case VectorKind::Sub:
      return program_.number(*a - *b);
    case VectorKind::Mul:
      return program_.number(*a * *b);
    case VectorKind::Max:
      return program_.number(std::fmax(*a, *b));
    default:
      return program_.number(std::fmin(*a, *b));
  }
}

// x / y: by a constant or by a root without a detour.
Result<int> FloatReader::computeQuotient(Operation* op) {
  TET_ASSIGN_OR_RETURN(const int x, read(op->getOperand(0)));
  const bool is_one = numberOf(x) == 1;
  const auto times = [&](int y) { return is_one ? y : program_.binary(VectorKind::Mul, x, y); };
  if (auto root = op->getOperand(1).getDefiningOp<math::SqrtOp>()) {
    TET_ASSIGN_OR_RETURN(const int y, read(root.getOperand()));
    return times(functions_.rsqrt(y));
  }
  TET_ASSIGN_OR_RETURN(const int y, read(op->getOperand(1)));
  if (auto number = numberOf(y)) return times(program_.number(1 / *number));
  return times(functions_.reciprocal(y));
}

Result<int> FloatReader::computePower(Operation* op) {
  TET_ASSIGN_OR_RETURN(const int x, read(op->getOperand(0)));
  TET_ASSIGN_OR_RETURN(const int y, read(op->getOperand(1)));
  const auto number = numberOf(y);
  if (number == 0.5F) return functions_.sqrt(x);
  const int square = program_.binary(VectorKind::Mul, x, x);
  if (number == 2) return square;
  if (number == 3) return program_.binary(VectorKind::Mul, square, x);
  return propagate(unknown(op));
}

Result<int> FloatReader::readCondition(Value condition) {
  auto compare = condition.getDefiningOp<arith::CmpFOp>();
  if (!compare) return propagate(unimplemented("a condition that compares no floats"));
  Value a = compare.getLhs(), b = compare.getRhs();
  using P = arith::CmpFPredicate;
  const P p = compare.getPredicate();
  const bool is_less = p == P::OLT || p == P::ULT, is_greater = p == P::OGT || p == P::UGT;
  if (!is_less && !is_greater) return propagate(unimplemented("a comparison other than < and >"));
  TET_ASSIGN_OR_RETURN(const int x, read(is_less ? b : a));
  TET_ASSIGN_OR_RETURN(const int y, read(is_less ? a : b));
  const int difference = numberOf(y) == 0 ? x : program_.binary(VectorKind::Sub, x, y);
  return functions_.isPositive(difference);
}

// Constants stay as they are written: bf16 already where a model has them.
int FloatReader::narrowed(int index) {
  const VectorNode& node = program_.nodes[index];
  const bool is_so = node.narrow || node.kind == VectorKind::Constant;
  return is_so ? index : program_.move(index, true);
}

}  // namespace tetrarch::npu
