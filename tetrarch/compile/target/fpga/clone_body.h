// The scalar code of a linalg op, written once more into a stage.
#pragma once

#include "llvm/ADT/STLFunctionalExtras.h"
#include "mlir/IR/Block.h"
#include "mlir/IR/Builders.h"
#include "tetrarch/base/status.h"

namespace tetrarch::fpga {

// The integer that an index is on the chip.
mlir::Type scalarType(mlir::Type type);

// A tensor's element at these indices: row-major.
mlir::Value placeOf(mlir::OpBuilder& b, mlir::Location loc, llvm::ArrayRef<int64_t> shape,
                    mlir::ValueRange indices);

// What a body needs from around it.
struct BodyValues {
  llvm::SmallVector<mlir::Value> arguments;             // of the block; null where it is not used
  llvm::function_ref<mlir::Value(unsigned dim)> index;  // linalg.index
  // An element of a tensor at its row-major place.
  llvm::function_ref<mlir::Value(mlir::tensor::ExtractOp extract, mlir::Value place)> extract;
};

// The values that the block's terminator yields.
llvm::SmallVector<mlir::Value> cloneBody(mlir::OpBuilder& b, mlir::Block& body, const BodyValues& values);

// One op on operands that stand for its own; indices are integers of 64 bits. Null for an op with regions.
mlir::Value cloneScalar(mlir::OpBuilder& b, mlir::Operation& op, mlir::ValueRange operands);

}  // namespace tetrarch::fpga
