#include "tetrarch/graph/constants.h"

#include <cstring>

#include "mlir/IR/AsmState.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectResourceBlobManager.h"
#include "tetrarch/graph/constant_memory.h"
#include "tetrarch/graph/types.h"

namespace tetrarch::tet {
namespace {

bool isWholeBytes(ElementType type) { return type != ElementType::I1 && type != ElementType::I4; }

Result<Tensor> tensorOfResource(mlir::DenseResourceElementsAttr value, ElementType type, Shape shape) {
  const std::string name = value.getRawHandle().getKey().str();
  mlir::AsmResourceBlob* blob = value.getRawHandle().getBlob();
  if (!blob || !blob->getData().data())
    return fail(StatusCode::kNotFound, "the graph has no data for the resource '{}'", name);
  TET_ASSIGN_OR_RETURN(const int64_t count, elementCount(shape));
  const size_t bytes = static_cast<size_t>(count) * byteSize(type);
  if (blob->getData().size() != bytes) {
    return invalidArgument("resource '{}' has {} bytes, but {} needs {}", name, blob->getData().size(),
                           toString(type, shape), bytes);
  }
  if (auto kept = ConstantMemory::of(value.getContext()).find(name)) {
    void* data = kept->data();
    return Tensor::view(type, std::move(shape), data, std::make_shared<Tensor>(*std::move(kept)));
  }
  return Tensor::view(type, std::move(shape), const_cast<char*>(blob->getData().data()));
}

// Any element type, through MLIR's arbitrary precision values.
void storeValue(Tensor& tensor, int64_t i, const llvm::APInt& bits) {
  if (isWholeBytes(tensor.type())) {
    const uint64_t raw = bits.getRawData()[0];
    std::memcpy(static_cast<std::byte*>(tensor.data()) + i * byteSize(tensor.type()), &raw,
                byteSize(tensor.type()));
  } else {
    tensor.setInt(i, tensor.type() == ElementType::I1 ? bits.getZExtValue() : bits.getSExtValue());
  }
}

Result<Tensor> tensorOfDense(mlir::DenseElementsAttr value, ElementType type, Shape shape) {
  if (isWholeBytes(type) && !value.isSplat()) {
    return Tensor::view(type, std::move(shape), const_cast<char*>(value.getRawData().data()));
  }
  TET_ASSIGN_OR_RETURN(Tensor tensor, Tensor::create(type, std::move(shape)));
  int64_t i = 0;
  if (isFloat(type)) {
    for (const llvm::APFloat& v : value.getValues<llvm::APFloat>())
      storeValue(tensor, i++, v.bitcastToAPInt());
  } else {
    for (const llvm::APInt& v : value.getValues<llvm::APInt>()) storeValue(tensor, i++, v);
  }
  return tensor;
}

bool isSplat(const Tensor& tensor) {
  const size_t size = byteSize(tensor.type()), bytes = tensor.bytes();
  const char* data = tensor.as<char>();
  return tensor.count() > 0 && std::memcmp(data, data + size, bytes - size) == 0;
}

// The attribute of a tensor whose memory is copied: `count` elements, one for a splat.
mlir::ElementsAttr denseAttribute(const Tensor& tensor, int64_t count, mlir::RankedTensorType type) {
  if (isWholeBytes(tensor.type())) {
    return mlir::DenseElementsAttr::getFromRawBuffer(
        type, llvm::ArrayRef<char>(tensor.as<char>(), count * byteSize(tensor.type())));
  }
  llvm::SmallVector<llvm::APInt> values;
  const unsigned bits = type.getElementTypeBitWidth();
  for (int64_t i = 0; i < count; ++i) {
    values.emplace_back(bits, static_cast<uint64_t>(tensor.getInt(i)) & ((1u << bits) - 1));
  }
  return mlir::DenseElementsAttr::get(type, values);
}

template <typename T>
ConstantOp splat(mlir::OpBuilder& builder, mlir::Location loc, mlir::RankedTensorType type,
                 void (*store)(ElementType, void*, T), T value) {
  const ElementType element_type = *elementTypeFromMlir(type.getElementType());
  uint64_t element = 0;
  store(element_type, &element, value);
  const Tensor one = Tensor::view(element_type, {}, &element);
  return ConstantOp::create(builder, loc, denseAttribute(one, 1, type));
}

}  // namespace

Result<Tensor> tensorOf(mlir::ElementsAttr value) {
  auto type = llvm::cast<mlir::ShapedType>(value.getType());
  const std::optional<ElementType> element_type = elementTypeFromMlir(type.getElementType());
  if (!element_type) return invalidArgument("a constant has an element type that no graph has");
  Shape shape = type.getShape().vec();
  if (auto resource = llvm::dyn_cast<mlir::DenseResourceElementsAttr>(value)) {
    return tensorOfResource(resource, *element_type, std::move(shape));
  }
  if (auto dense = llvm::dyn_cast<mlir::DenseElementsAttr>(value)) {
    return tensorOfDense(dense, *element_type, std::move(shape));
  }
  return invalidArgument("a constant is neither dense nor a dense resource");
}

Result<Tensor> tensorOf(mlir::Value value) {
  if (auto constant = value.getDefiningOp<ConstantOp>()) return tensorOf(constant.getValue());
  return fail(StatusCode::kFailedPrecondition, "the value is not a constant");
}

mlir::ElementsAttr toAttribute(const Tensor& tensor, mlir::MLIRContext* context, llvm::StringRef name) {
  mlir::RankedTensorType type = toMlir(tensor.type(), tensor.shape(), context);
  if (isSplat(tensor)) return denseAttribute(tensor, 1, type);
  if (tensor.bytes() < kInlineBytes) return denseAttribute(tensor, tensor.count(), type);
  return mlir::DenseResourceElementsAttr::get(type, ConstantMemory::of(context).add(tensor, name));
}

ConstantOp makeConstant(mlir::OpBuilder& builder, mlir::Location loc, const Tensor& tensor,
                        llvm::StringRef name) {
  return ConstantOp::create(builder, loc, toAttribute(tensor, builder.getContext(), name));
}

ConstantOp makeSplat(mlir::OpBuilder& builder, mlir::Location loc, mlir::RankedTensorType type,
                     double value) {
  return splat<double>(builder, loc, type, storeDouble, value);
}

ConstantOp makeSplat(mlir::OpBuilder& builder, mlir::Location loc, mlir::RankedTensorType type,
                     int64_t value) {
  return splat<int64_t>(builder, loc, type, storeInt, value);
}

std::optional<double> splatValue(mlir::Value value) {
  auto constant = value.getDefiningOp<ConstantOp>();
  if (!constant) return std::nullopt;
  Result<Tensor> tensor = tensorOf(constant.getValue());
  if (!tensor || !isSplat(*tensor)) return std::nullopt;
  return tensor->getDouble(0);
}

}  // namespace tetrarch::tet
