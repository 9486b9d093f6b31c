#include "tetrarch/compile/rewrite/rules.h"

#include <cmath>

namespace tetrarch::compile {

using Dims = llvm::SmallVector<int64_t>;

mlir::RankedTensorType tensorType(Value value) { return llvm::cast<mlir::RankedTensorType>(value.getType()); }
llvm::ArrayRef<int64_t> shapeOfValue(Value value) { return tensorType(value).getShape(); }

std::optional<double> splatNumber(Value value) {
  if (auto broadcast = value.getDefiningOp<tet::BroadcastInDimOp>())
    return splatNumber(broadcast.getOperand());
  auto constant = value.getDefiningOp<tet::ConstantOp>();
  auto elements = constant ? llvm::dyn_cast<mlir::DenseElementsAttr>(constant.getValue()) : nullptr;
  if (!elements || !elements.isSplat()) return std::nullopt;
  mlir::Attribute element = elements.getSplatValue<mlir::Attribute>();
  if (auto number = llvm::dyn_cast<mlir::FloatAttr>(element)) return number.getValueAsDouble();
  auto number = llvm::cast<mlir::IntegerAttr>(element);
  const bool is_unsigned = number.getType().isUnsignedInteger() || number.getType().isInteger(1);
  return is_unsigned ? static_cast<double>(number.getValue().getZExtValue())
                     : static_cast<double>(number.getValue().getSExtValue());
}

bool isSplat(Value value, double number) {
  auto splat = splatNumber(value);
  return splat && *splat == number && !(number == 0 && std::signbit(*splat));
}

bool fitsInto(mlir::Type a, mlir::Type b) {
  const unsigned a_bits = a.getIntOrFloatBitWidth(), b_bits = b.getIntOrFloatBitWidth();
  const bool a_float = llvm::isa<mlir::FloatType>(a), b_float = llvm::isa<mlir::FloatType>(b);
  if (a_float && b_float) return b.isF64() || (b.isF32() && a_bits < 32);
  if (a_float) return false;
  const bool a_unsigned = a.isUnsignedInteger() || a_bits == 1;
  if (b_float) return (b.isF64() && a_bits <= 32) || (b.isF32() && a_bits <= 16);
  if (b.isUnsignedInteger()) return a_unsigned && a_bits <= b_bits;
  return b_bits > 1 && (a_unsigned ? a_bits < b_bits : a_bits <= b_bits);
}

std::optional<Dims> unitReshapeDims(tet::ReshapeOp op) {
  auto from = shapeOfValue(op.getOperand()), to = shapeOfValue(op.getResult());
  auto next = [&, dim = int64_t{0}]() mutable {
    while (dim < static_cast<int64_t>(from.size()) && from[dim] == 1) ++dim;
    return dim++;
  };
  Dims dims;
  for (int64_t size : to) {
    dims.push_back(size == 1 ? -1 : next());
    const bool fits =
        size == 1 || (dims.back() < static_cast<int64_t>(from.size()) && from[dims.back()] == size);
    if (!fits) return std::nullopt;
  }
  return dims;
}

bool isConstant(Value value) { return value.getDefiningOp<tet::ConstantOp>() != nullptr; }

Value reshapeTo(PatternRewriter& rewriter, mlir::Location loc, Value value, llvm::ArrayRef<int64_t> shape) {
  return shapeOfValue(value) == shape ? value
                                      : tet::ReshapeOp::create(rewriter, loc, value, shape).getResult();
}

Value transposeBy(PatternRewriter& rewriter, mlir::Location loc, Value value,
                  llvm::ArrayRef<int64_t> permutation) {
  if (isIdentityPermutation(permutation)) return value;
  return tet::TransposeOp::create(rewriter, loc, value, permutation).getResult();
}

Dims inversePermutation(llvm::ArrayRef<int64_t> permutation) {
  Dims inverse(permutation.size());
  for (auto [i, from] : llvm::enumerate(permutation)) inverse[from] = i;
  return inverse;
}

bool isIdentityPermutation(llvm::ArrayRef<int64_t> permutation) {
  for (auto [i, from] : llvm::enumerate(permutation)) {
    if (static_cast<int64_t>(i) != from) return false;
  }
  return true;
}

Dims permuted(llvm::ArrayRef<int64_t> values, llvm::ArrayRef<int64_t> permutation) {
  Dims result;
  for (int64_t from : permutation) result.push_back(values[from]);
  return result;
}

mlir::Operation* cloneWith(PatternRewriter& rewriter, mlir::Operation* op, mlir::ValueRange operands,
                           mlir::Type type) {
  mlir::Operation* copy = rewriter.clone(*op);
  rewriter.modifyOpInPlace(copy, [&] {
    copy->setOperands(operands);
    copy->getResult(0).setType(llvm::cast<mlir::RankedTensorType>(type));
  });
  return copy;
}

}  // namespace tetrarch::compile
