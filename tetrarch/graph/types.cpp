#include "tetrarch/graph/types.h"

#include "tetrarch/graph/shape_rules.h"

namespace tetrarch::tet {

mlir::Type toMlir(ElementType type, mlir::MLIRContext* context) {
  switch (type) {
    case ElementType::F64:
      return mlir::Float64Type::get(context);
    case ElementType::F32:
      return mlir::Float32Type::get(context);
    case ElementType::F16:
      return mlir::Float16Type::get(context);
    case ElementType::BF16:
      return mlir::BFloat16Type::get(context);
    case ElementType::F8E4M3FN:
      return mlir::Float8E4M3FNType::get(context);
    case ElementType::F8E5M2:
      return mlir::Float8E5M2Type::get(context);
    default:
      break;
  }
  const bool is_unsigned = info(type).kind == ElementKind::Unsigned;
  return mlir::IntegerType::get(context, info(type).bits,
                                is_unsigned ? mlir::IntegerType::Unsigned : mlir::IntegerType::Signless);
}

mlir::RankedTensorType toMlir(ElementType type, std::span<const int64_t> shape, mlir::MLIRContext* context) {
  return mlir::RankedTensorType::get({shape.data(), shape.size()}, toMlir(type, context));
}

std::optional<ElementType> elementTypeFromMlir(mlir::Type type) {
  for (int i = 0; i < kElementTypeCount; ++i) {
    const auto candidate = static_cast<ElementType>(i);
    if (toMlir(candidate, type.getContext()) == type) return candidate;
  }
  return std::nullopt;
}

ElementType elementTypeOf(mlir::Value value) {
  return *elementTypeFromMlir(llvm::cast<mlir::RankedTensorType>(value.getType()).getElementType());
}

Shape shapeOf(mlir::Value value) {
  return llvm::cast<mlir::RankedTensorType>(value.getType()).getShape().vec();
}

bool isCountable(mlir::RankedTensorType type) {
  return elementCount({type.getShape().data(), type.getShape().size()}).has_value();
}

mlir::Type storageElementType(mlir::Type type) {
  const unsigned bits = type.getIntOrFloatBitWidth();
  if (llvm::isa<mlir::FloatType>(type) && bits > 8) return type;
  return mlir::IntegerType::get(type.getContext(), std::max(bits, 8u));
}

mlir::RankedTensorType storageType(mlir::RankedTensorType type) {
  return type.clone(storageElementType(type.getElementType()));
}

}  // namespace tetrarch::tet
