#include "tetrarch/compile/target/gpu/gpu_kernels.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

namespace tetrarch::compile::gpu {

using mlir::Value;
using Kind = MappedArgument::Kind;

KernelMaker::KernelMaker(mlir::gpu::GPUModuleOp module, std::string prefix,
                         llvm::ArrayRef<mlir::MemRefType> types, int64_t inputs)
    : builder_(mlir::OpBuilder::atBlockEnd(module.getBody())),
      prefix_(std::move(prefix)),
      types_(types),
      inputs_(inputs) {
  task_.buffers = static_cast<int64_t>(types.size());
}

mlir::gpu::GPUFuncOp KernelMaker::makeFunction(MappedPass& pass, KernelValues& values, int64_t shared_bytes) {
  for (int64_t i = 0; i < task_.buffers; ++i) pass.arguments.push_back({Kind::Buffer, i});
  if (task_.workspace_bytes > 0) pass.arguments.push_back({Kind::Workspace});
  pass.arguments.push_back({Kind::ItemEnd});
  llvm::SmallVector<mlir::Type> types(types_.begin(), types_.end()), shared;
  if (task_.workspace_bytes > 0) {
    types.push_back(mlir::MemRefType::get({task_.workspace_bytes}, builder_.getI8Type()));
  }
  types.push_back(builder_.getI64Type());
  if (shared_bytes > 0) {
    auto space = mlir::gpu::AddressSpaceAttr::get(builder_.getContext(), mlir::gpu::AddressSpace::Workgroup);
    shared.push_back(mlir::MemRefType::get({shared_bytes}, builder_.getI8Type(),
                                           mlir::MemRefLayoutAttrInterface(), space));
  }
  auto function =
      mlir::gpu::GPUFuncOp::create(builder_, loc(), pass.kernel, builder_.getFunctionType(types, {}), shared);
  function->setAttr(mlir::gpu::GPUDialect::getKernelFuncAttrName(), builder_.getUnitAttr());
  if (pass.local_items > 0)
    function.setKnownBlockSize(llvm::ArrayRef<int32_t>{static_cast<int32_t>(pass.local_items), 1, 1});
  auto name = [&](Value argument, const std::string& text) {
    argument.setLoc(named(text));
    return argument;
  };
  mlir::Block& body = function.getBody().front();
  for (int64_t i = 0; i < task_.buffers; ++i) {
    values.buffers.push_back(
        name(body.getArgument(i), i < inputs_ ? fmt::format("in{}", i) : fmt::format("out{}", i - inputs_)));
  }
  if (task_.workspace_bytes > 0) values.workspace = name(body.getArgument(task_.buffers), "workspace");
  name(body.getArgument(types.size() - 1), "item_end");
  return function;
}

Status KernelMaker::addPass(const std::string& suffix, MappedPass pass,
                            llvm::function_ref<Status(const KernelValues&)> body) {
  pass.kernel = prefix_ + suffix;
  mlir::OpBuilder::InsertionGuard guard(builder_);
  KernelValues values;
  auto function = makeFunction(pass, values);
  mlir::Block& block = function.getBody().front();
  builder_.setInsertionPointToStart(&block);
  values.item =
      mlir::gpu::GlobalIdOp::create(builder_, named(pass.whole ? "line" : "unit"), mlir::gpu::Dimension::x);
  Value number = mlir::arith::IndexCastOp::create(builder_, loc(), builder_.getI64Type(), values.item);
  Value inside = mlir::arith::CmpIOp::create(builder_, loc(), mlir::arith::CmpIPredicate::slt, number,
                                             block.getArgument(block.getNumArguments() - 1));
  auto guarded = mlir::scf::IfOp::create(builder_, loc(), inside, /*withElseRegion=*/false);
  mlir::gpu::ReturnOp::create(builder_, loc());
  builder_.setInsertionPointToStart(guarded.thenBlock());
  addPass(std::move(pass));
  return body(values);
}

}  // namespace tetrarch::compile::gpu
