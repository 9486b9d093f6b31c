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
