#include "tetrarch/graph/quantized_parts.h"

#include "tetrarch/graph/constants.h"

namespace tetrarch::tet::quantized {

using mlir::Type;
using mlir::Value;

mlir::RankedTensorType typeOf(Value value) { return llvm::cast<mlir::RankedTensorType>(value.getType()); }

Value convert(Builder& b, Value x, Type element) {
  return typeOf(x).getElementType() == element ? x : ConvertOp::create(b, x, element).getResult();
}

Value spread(Builder& b, Value parameter, Type element, Value like, int64_t axis) {
  Value value = convert(b, parameter, element);
  llvm::SmallVector<int64_t> dims;
  if (typeOf(parameter).getRank() == 1) dims.push_back(axis);
  if (typeOf(parameter).getRank() == typeOf(like).getRank()) return value;
  return BroadcastInDimOp::create(b, value, typeOf(like).getShape(), dims);
}

Value splat(Builder& b, Value like, Type element, int64_t value) {
  return makeSplat(b, b.getLoc(), typeOf(like).clone(element), value);
}

Value shiftRounding(Builder& b, Value x, Value shift, int64_t axis) {
  Type i64 = b.getI64Type();
  Value amount = convert(b, shift, i64);
  Value one = splat(b, amount, i64, 1);
  Value half = ShiftLeftOp::create(b, one, SubtractOp::create(b, amount, one));
  Value below_half = spread(b, SubtractOp::create(b, half, one), i64, x, axis);
  Value by = spread(b, amount, i64, x, axis);
  Value odd = AndOp::create(b, ShiftRightArithmeticOp::create(b, x, by), splat(b, x, i64, 1));
  Value nudged = AddOp::create(b, AddOp::create(b, x, below_half), odd);
  return ShiftRightArithmeticOp::create(b, nudged, by);
}

Value shiftRounding(Builder& b, Value x, int64_t shift) {
  if (shift == 0) return x;
  return shiftRounding(b, x, makeSplat(b, b.getLoc(), mlir::RankedTensorType::get({}, b.getI64Type()), shift),
                       -1);
}

Value clipped(Builder& b, Value x, const RequantizeOutput& out) {
  auto number = [&](int64_t value) { return splat(b, x, b.getI64Type(), value); };
  Value shifted = out.zero_point == 0 ? x : AddOp::create(b, x, number(out.zero_point)).getResult();
  Value kept = ClampOp::create(b, x.getType(), number(out.low), shifted, number(out.high));
  return convert(b, kept, b.getI8Type());
}

Value composite(Builder& b, llvm::StringRef name, mlir::ValueRange inputs, mlir::RankedTensorType result,
                llvm::ArrayRef<std::pair<llvm::StringRef, int64_t>> attributes, Body body) {
  mlir::NamedAttrList about;
  for (auto [key, value] : attributes) about.set(key, b.getI64IntegerAttr(value));
  auto op = CompositeOp::create(b, mlir::TypeRange(Type(result)), name, inputs,
                                about.getDictionary(b.getContext()));
  mlir::Block& block = op.getBody().emplaceBlock();
  for (Value input : inputs) block.addArgument(input.getType(), b.getLoc());
  mlir::OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(&block);
  ReturnOp::create(b, body(b, block.getArguments()));
  return op.getResult(0);
}

}  // namespace tetrarch::tet::quantized
