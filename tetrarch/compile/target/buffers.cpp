#include "tetrarch/compile/target/buffers.h"

#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/Bufferization/Transforms/Passes.h"
#include "mlir/Dialect/Linalg/Utils/Utils.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/Transforms/Passes.h"

namespace tetrarch::compile {
namespace {

bool isEmpty(mlir::Type type) { return mlir::cast<mlir::RankedTensorType>(type).getNumElements() == 0; }

class CopyToLinalgPass : public mlir::PassWrapper<CopyToLinalgPass, mlir::OperationPass<>> {
 public:
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(CopyToLinalgPass)
  llvm::StringRef getArgument() const override { return "tet-copy-to-linalg"; }
  void runOnOperation() override {
    llvm::SmallVector<mlir::memref::CopyOp> copies;
    getOperation()->walk([&](mlir::memref::CopyOp copy) { copies.push_back(copy); });
    for (mlir::memref::CopyOp copy : copies) {
      mlir::OpBuilder b(copy);
      mlir::linalg::makeMemRefCopyOp(b, copy.getLoc(), copy.getSource(), copy.getTarget());
      copy.erase();
    }
  }
};

}  // namespace

llvm::SmallVector<mlir::MemRefType> bufferTypes(mlir::Block& task) {
  llvm::SmallVector<mlir::MemRefType> types;
  auto add = [&](mlir::Type type) {
    auto tensor = mlir::cast<mlir::RankedTensorType>(type);
    types.push_back(isEmpty(type) ? mlir::MemRefType::get({1}, tensor.getElementType())
                                  : mlir::MemRefType::get(tensor.getShape(), tensor.getElementType()));
  };
  llvm::for_each(task.getArgumentTypes(), add);
  for (mlir::Value value : task.getTerminator()->getOperands()) add(value.getType());
  return types;
}

void cloneOntoBuffers(mlir::OpBuilder& b, mlir::Location loc, mlir::Block& task, mlir::ValueRange buffers) {
  namespace bufferization = mlir::bufferization;
  mlir::IRMapping map;
  for (mlir::BlockArgument argument : task.getArguments()) {
    auto type = mlir::cast<mlir::RankedTensorType>(argument.getType());
    if (isEmpty(type)) {
      map.map(argument, mlir::tensor::EmptyOp::create(b, loc, type.getShape(), type.getElementType()));
      continue;
    }
    map.map(argument, bufferization::ToTensorOp::create(b, loc, type, buffers[argument.getArgNumber()],
                                                        /*restrict=*/true));
  }
  for (mlir::Operation& op : task.without_terminator()) b.clone(op, map);
  for (auto [i, value] : llvm::enumerate(task.getTerminator()->getOperands())) {
    if (isEmpty(value.getType())) continue;
    bufferization::MaterializeInDestinationOp::create(b, loc, mlir::Type(), map.lookupOrDefault(value),
                                                      buffers[task.getNumArguments() + i],
                                                      /*restrict=*/true, /*writable=*/true);
  }
}

void addBufferization(mlir::PassManager& pm) {
  pm.addPass(mlir::createCanonicalizerPass());
  pm.addPass(mlir::createCSEPass());
  pm.addPass(mlir::bufferization::createEmptyTensorEliminationPass());
  pm.addPass(mlir::bufferization::createOneShotBufferizePass());
}

std::unique_ptr<mlir::Pass> createCopyToLinalgPass() { return std::make_unique<CopyToLinalgPass>(); }

}  // namespace tetrarch::compile
