#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "tetrarch/compile/tile/emit.h"

namespace tetrarch::compile {

using mlir::Value;
namespace arith = mlir::arith;

Value IndexMath::constant(int64_t value) { return arith::ConstantIndexOp::create(builder, loc, value); }

Value IndexMath::add(Value a, Value b) {
  const auto x = mlir::getConstantIntValue(a), y = mlir::getConstantIntValue(b);
  if (x && y) return constant(*x + *y);
  if (x == 0) return b;
  if (y == 0) return a;
  return arith::AddIOp::create(builder, loc, a, b);
}
Value IndexMath::add(Value a, int64_t b) { return b == 0 ? a : add(a, constant(b)); }
Value IndexMath::sub(Value a, Value b) {
  const auto x = mlir::getConstantIntValue(a), y = mlir::getConstantIntValue(b);
  if (x && y) return constant(*x - *y);
  if (y == 0) return a;
  return arith::SubIOp::create(builder, loc, a, b);
}
Value IndexMath::mul(Value a, int64_t b) {
  if (const auto x = mlir::getConstantIntValue(a)) return constant(*x * b);
  if (b == 1) return a;
  if (b == 0) return constant(0);
  return arith::MulIOp::create(builder, loc, a, constant(b));
}
Value IndexMath::div(Value a, int64_t b) {
  if (const auto x = mlir::getConstantIntValue(a)) return constant(*x / b);
  return b == 1 ? a : arith::DivUIOp::create(builder, loc, a, constant(b)).getResult();
}
Value IndexMath::rem(Value a, int64_t b) {
  if (const auto x = mlir::getConstantIntValue(a)) return constant(*x % b);
  return b == 1 ? constant(0) : arith::RemUIOp::create(builder, loc, a, constant(b)).getResult();
}
Value IndexMath::min(Value a, Value b) {
  const auto x = mlir::getConstantIntValue(a), y = mlir::getConstantIntValue(b);
  if (x && y) return constant(std::min(*x, *y));
  return arith::MinSIOp::create(builder, loc, a, b);
}

llvm::SmallVector<Value> emitLoop(
    IndexMath math, Value lo, Value hi, mlir::ValueRange carried,
    llvm::function_ref<llvm::SmallVector<Value>(Value, mlir::ValueRange)> body) {
  const auto first = mlir::getConstantIntValue(lo), last = mlir::getConstantIntValue(hi);
  if (first && last && *last - *first == 1) return body(lo, carried);
  auto loop = mlir::scf::ForOp::create(math.builder, math.loc, lo, hi, math.constant(1), carried);
  mlir::OpBuilder::InsertionGuard guard(math.builder);
  math.builder.setInsertionPointToStart(loop.getBody());
  llvm::SmallVector<Value> next = body(loop.getInductionVar(), loop.getRegionIterArgs());
  // Without carried values the loop already has its terminator.
  if (!carried.empty()) mlir::scf::YieldOp::create(math.builder, math.loc, next);
  return llvm::SmallVector<Value>(loop.getResults());
}

}  // namespace tetrarch::compile
