// Constants between MLIR attributes and tensors. Small ones are DenseElementsAttr, printed as text; from
// kInlineBytes on they are DenseResourceElementsAttr, whose memory is the tensor's own (weights are never
// copied). Theirs is kept until the context dies or constant_memory.h lets it go.
#pragma once

#include "tetrarch/base/tensor.h"
#include "tetrarch/graph/tet.h"

namespace tetrarch::tet {

inline constexpr size_t kInlineBytes = 1024;

// The value as a tensor in base/'s storage (i1 and i4 a byte each). Where the attribute's memory is in that
// form it is shared: with a resource that toAttribute made, for as long as any such tensor lives; otherwise
// as long as the attribute's MLIRContext lives. An error when a resource is missing or has a wrong size.
Result<Tensor> tensorOf(mlir::ElementsAttr value);
// The same of a value that tet.constant defines; FailedPrecondition when something else does.
Result<Tensor> tensorOf(mlir::Value value);

// The attribute of a tensor; shares the memory of a large one. `name` labels its resource.
mlir::ElementsAttr toAttribute(const Tensor& tensor, mlir::MLIRContext* context,
                               llvm::StringRef name = "constant");
ConstantOp makeConstant(mlir::OpBuilder& builder, mlir::Location loc, const Tensor& tensor,
                        llvm::StringRef name = "constant");
// Every element is `value`, rounded to the type as storeDouble and storeInt do.
ConstantOp makeSplat(mlir::OpBuilder& builder, mlir::Location loc, mlir::RankedTensorType type, double value);
ConstantOp makeSplat(mlir::OpBuilder& builder, mlir::Location loc, mlir::RankedTensorType type,
                     int64_t value);

// The one value of all elements, when a constant whose elements are all equal defines `value`.
std::optional<double> splatValue(mlir::Value value);

}  // namespace tetrarch::tet
