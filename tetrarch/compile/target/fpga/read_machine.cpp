// Any task as a state machine: its tensors are memories, its code is what bufferisation leaves.
#include "mlir/Conversion/AffineToStandard/AffineToStandard.h"
#include "mlir/Conversion/BufferizationToMemRef/BufferizationToMemRef.h"
#include "mlir/Conversion/SCFToControlFlow/SCFToControlFlow.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Linalg/Passes.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/Interfaces/ViewLikeInterface.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/Passes.h"
#include "tetrarch/compile/target/buffers.h"
#include "tetrarch/compile/target/fpga/clone_body.h"
#include "tetrarch/compile/target/fpga/flow.h"
#include "tetrarch/compile/target/fpga/read_task.h"

namespace tetrarch::fpga {
namespace {

namespace arith = mlir::arith;
namespace cf = mlir::cf;
namespace memref = mlir::memref;
using llvm::SmallVector;
using mlir::Operation;
using mlir::Value;

class MachineKernel {
 public:
  explicit MachineKernel(const compile::Task& task)
      : task_(task),
        types_(compile::bufferTypes(*task.block)),
        b_(task.block->getParentOp()->getContext()),
        loc_(b_.getUnknownLoc()) {}

  Result<mlir::OwningOpRef<mlir::ModuleOp>> build();

 private:
  // A memref's elements: those of a memory, at an offset and strides in elements.
  struct View {
    Value memory;
    Value offset;
    SmallVector<Value> strides;
  };

  Result<mlir::func::FuncOp> bufferize();
  flow::StreamOp addPort(bool is_output, size_t buffer);
  Value addMemory(mlir::MemRefType type, mlir::ElementsAttr data = {});
  Value fill(size_t operand, Value memory);
  void send(size_t buffer, Value memory, Value end);
  Status writeBody(mlir::func::FuncOp function, flow::MachineOp machine);
  Status write(Operation& op);
  Status view(Operation& op);
  View whole(Value memory, mlir::MemRefType type);
  Value addressOf(Value memref, mlir::ValueRange indices);
  Value constant(int64_t value) { return arith::ConstantIntOp::create(b_, loc_, b_.getI64Type(), value); }
  Value valueOf(mlir::OpFoldResult value);
  Value sum(Value x, Value y) { return arith::AddIOp::create(b_, loc_, x, y); }
  Value product(Value x, Value y) { return arith::MulIOp::create(b_, loc_, x, y); }
  SmallVector<Value> lookup(mlir::ValueRange values) {
    return llvm::map_to_vector(values, [&](Value value) { return map_.lookup(value); });
  }

  const compile::Task& task_;
  SmallVector<mlir::MemRefType> types_;
  mlir::OpBuilder b_;
  mlir::Location loc_;
  mlir::OwningOpRef<mlir::ModuleOp> source_;
  flow::KernelOp kernel_;
  mlir::IRMapping map_;
  llvm::DenseMap<Value, View> views_;
};

// An element of a tensor whose elements are all one constant is that constant: no memory is needed for it.
void forwardConstants(mlir::func::FuncOp function) {
  function.walk([](mlir::tensor::ExtractOp extract) {
    auto generic = extract.getTensor().getDefiningOp<mlir::linalg::GenericOp>();
    if (!generic || generic.getNumResults() != 1) return;
    auto constant = generic.getBody()->getTerminator()->getOperand(0).getDefiningOp<arith::ConstantOp>();
    if (!constant) return;
    mlir::OpBuilder b(extract);
    extract.getResult().replaceAllUsesWith(b.clone(*constant)->getResult(0));
  });
}

// Memory that a branch hands on is copied instead to where the other branch copies its own: then each access
// names its memory.
void copyOutOfBranches(mlir::func::FuncOp function) {
  llvm::SmallVector<mlir::scf::IfOp> branches;
  function.walk([&](mlir::scf::IfOp branch) { branches.push_back(branch); });
  for (mlir::scf::IfOp branch : branches) {
    for (mlir::OpResult result : branch->getResults()) {
      auto type = mlir::dyn_cast<mlir::MemRefType>(result.getType());
      if (!type || !type.hasStaticShape()) continue;
      mlir::OpBuilder b(branch);
      const auto plain = mlir::MemRefType::get(type.getShape(), type.getElementType());
      Value joined = memref::AllocOp::create(b, branch.getLoc(), plain);
      for (mlir::Block* block : {branch.thenBlock(), branch.elseBlock()}) {
        b.setInsertionPoint(block->getTerminator());
        Value given = block->getTerminator()->getOperand(result.getResultNumber());
        memref::CopyOp::create(b, branch.getLoc(), given, joined);
      }
      b.setInsertionPointAfter(branch);
      Value as_result =
          type == plain ? joined : memref::CastOp::create(b, branch.getLoc(), type, joined).getResult();
      result.replaceAllUsesWith(as_result);
    }
  }
}

Result<mlir::func::FuncOp> MachineKernel::bufferize() {
  mlir::MLIRContext* context = b_.getContext();
  compile::Complaints complaints(context);
  source_ = mlir::ModuleOp::create(loc_);
  auto b = mlir::OpBuilder::atBlockEnd(source_->getBody());
  const SmallVector<mlir::Type> inputs(types_.begin(), types_.end());
  auto function = mlir::func::FuncOp::create(b, loc_, "body", b.getFunctionType(inputs, {}));
  b.setInsertionPointToStart(function.addEntryBlock());
  compile::cloneOntoBuffers(b, loc_, *task_.block, function.getArguments());
  mlir::func::ReturnOp::create(b, loc_);
  forwardConstants(function);
  mlir::PassManager pm(context);
  compile::addBufferization(pm);
  pm.addPass(mlir::createConvertBufferizationToMemRefPass());
  if (mlir::failed(pm.run(*source_))) return internalError("it has no buffers: {}", complaints.text());
  copyOutOfBranches(function);
  pm.clear();
  pm.addPass(mlir::createCanonicalizerPass());
  pm.addPass(compile::createCopyToLinalgPass());
  pm.addNestedPass<mlir::func::FuncOp>(mlir::createConvertLinalgToLoopsPass());
  pm.addPass(mlir::createLowerAffinePass());
  pm.addPass(mlir::createCanonicalizerPass());
  pm.addPass(mlir::createCSEPass());
  pm.addPass(mlir::createLoopInvariantCodeMotionPass());
  pm.addPass(mlir::createSCFToControlFlowPass());
  pm.addPass(mlir::createCanonicalizerPass());
  pm.addPass(mlir::createCSEPass());
  if (mlir::failed(pm.run(*source_))) return internalError("its code has no blocks: {}", complaints.text());
  return function;
}

Value MachineKernel::addMemory(mlir::MemRefType type, mlir::ElementsAttr data) {
  const mlir::Type element = scalarType(type.getElementType());
  if (data && type.getElementType().isIndex()) {
    SmallVector<mlir::Attribute> values;
    for (const llvm::APInt& value : data.getValues<llvm::APInt>())
      values.push_back(b_.getI64IntegerAttr(value.getSExtValue()));
    data = mlir::DenseElementsAttr::get(mlir::RankedTensorType::get(type.getShape(), element), values);
  }
  mlir::OpBuilder::InsertionGuard guard(b_);
  b_.setInsertionPointToStart(&kernel_.getBody().front());
  const auto memory =
      flow::MemoryType::get(b_.getContext(), std::max<int64_t>(1, type.getNumElements()), 1, element);
  return flow::MemoryOp::create(b_, loc_, memory, data);
}

flow::StreamOp MachineKernel::addPort(bool is_output, size_t buffer) {
  const mlir::Type element = types_[buffer].getElementType();
  const int64_t bytes = std::max<int64_t>(1, element.getIntOrFloatBitWidth() / 8);
  auto stream = flow::StreamOp::create(b_, loc_, flow::StreamType::get(b_.getContext(), 1, element), 4);
  flow::PortOp::create(b_, loc_, stream, is_output, buffer, bytes, 0, {}, {types_[buffer].getNumElements()},
                       {1});
  return stream;
}

// A stage that goes through all elements of a buffer; leaves the builder in it.
flow::NestOp addLoop(mlir::OpBuilder& b, mlir::Location loc, const std::string& name, int64_t count,
                     mlir::ValueRange after) {
  auto nest = flow::NestOp::create(b, loc, flow::EndType::get(b.getContext()), name, llvm::ArrayRef(count),
                                   llvm::ArrayRef(false), after);
  b.setInsertionPointToStart(&nest.getBody().emplaceBlock());
  return nest;
}

Value MachineKernel::fill(size_t operand, Value memory) {
  flow::StreamOp stream = addPort(false, operand);
  mlir::OpBuilder::InsertionGuard guard(b_);
  flow::NestOp nest =
      addLoop(b_, loc_, fmt::format("load_{}", operand), types_[operand].getNumElements(), {});
  Value element = flow::PopOp::create(b_, loc_, types_[operand].getElementType(), stream, 0, nullptr);
  Value address = flow::AffineOp::create(b_, loc_, b_.getI32Type(), 0, llvm::ArrayRef<int64_t>{1});
  flow::StoreOp::create(b_, loc_, memory, address, element, Value(), false, nullptr);
  return nest.getEnd();
}

void MachineKernel::send(size_t buffer, Value memory, Value end) {
  flow::StreamOp stream = addPort(true, buffer);
  mlir::OpBuilder::InsertionGuard guard(b_);
  addLoop(b_, loc_, fmt::format("send_{}", buffer), types_[buffer].getNumElements(), end);
  Value address = flow::AffineOp::create(b_, loc_, b_.getI32Type(), 0, llvm::ArrayRef<int64_t>{1});
  Value element = flow::LoadOp::create(b_, loc_, types_[buffer].getElementType(), memory, address, 0);
  flow::PushOp::create(b_, loc_, stream, element, false, nullptr);
}

// --- memrefs
// -------------------------------------------------------------------------------------------------------------

MachineKernel::View MachineKernel::whole(Value memory, mlir::MemRefType type) {
  View view{memory, constant(0), {}};
  int64_t stride = type.getNumElements();
  for (int64_t extent : type.getShape()) {
    stride = extent == 0 ? 0 : stride / extent;
    view.strides.push_back(constant(stride));
  }
  return view;
}

Value MachineKernel::valueOf(mlir::OpFoldResult value) {
  if (auto dynamic = mlir::dyn_cast<Value>(value)) return map_.lookup(dynamic);
  return constant(
      mlir::cast<mlir::IntegerAttr>(mlir::cast<mlir::Attribute>(value)).getValue().getSExtValue());
}

// Ops that see a memref in another way.
Status MachineKernel::view(Operation& op) {
  if (auto slice = mlir::dyn_cast<memref::SubViewOp>(op)) {
    const View source = views_.find(slice.getSource())->second;
    View view{source.memory, source.offset, {}};
    const auto dropped = slice.getDroppedDims();
    for (auto [d, stride] : llvm::enumerate(source.strides)) {
      view.offset = sum(view.offset, product(valueOf(slice.getMixedOffsets()[d]), stride));
      if (!dropped.test(d)) view.strides.push_back(product(valueOf(slice.getMixedStrides()[d]), stride));
    }
    views_[slice.getResult()] = std::move(view);
    return {};
  }
  if (auto cast = mlir::dyn_cast<memref::CastOp>(op)) {
    views_[cast.getResult()] = views_.find(cast.getSource())->second;
    return {};
  }
  auto result = mlir::dyn_cast<mlir::MemRefType>(op.getResult(0).getType());
  const bool reshapes =
      mlir::isa<memref::ExpandShapeOp, memref::CollapseShapeOp, memref::ReinterpretCastOp, memref::ReshapeOp>(
          op);
  if (!reshapes || !result)
    return unimplemented("no stage sees memory as {}", op.getName().getStringRef().str());
  SmallVector<int64_t> strides;
  int64_t offset = 0;
  if (mlir::failed(result.getStridesAndOffset(strides, offset)) ||
      llvm::is_contained(strides, mlir::ShapedType::kDynamic))
    return unimplemented("no stage sees memory at strides that are not constant");
  const View source = views_.find(op.getOperand(0))->second;
  View view{source.memory, source.offset, {}};
  if (mlir::isa<memref::ReinterpretCastOp>(op)) {
    if (offset == mlir::ShapedType::kDynamic)
      return unimplemented("no stage sees memory at an offset that is not constant");
    view.offset = constant(offset);
  }
  for (int64_t stride : strides) view.strides.push_back(constant(stride));
  views_[op.getResult(0)] = std::move(view);
  return {};
}

Value MachineKernel::addressOf(Value memref, mlir::ValueRange indices) {
  const View& view = views_.find(memref)->second;
  Value address = view.offset;
  for (auto [index, stride] : llvm::zip(indices, view.strides))
    address = sum(address, product(map_.lookup(index), stride));
  return address;
}

// --- code
// ----------------------------------------------------------------------------------------------------------------

Status MachineKernel::write(Operation& op) {
  if (auto alloc = mlir::dyn_cast<memref::AllocOp>(op)) {
    views_[alloc] = whole(addMemory(alloc.getType()), alloc.getType());
  } else if (auto alloca = mlir::dyn_cast<memref::AllocaOp>(op)) {
    views_[alloca] = whole(addMemory(alloca.getType()), alloca.getType());
  } else if (auto global = mlir::dyn_cast<memref::GetGlobalOp>(op)) {
    auto source = source_->lookupSymbol<memref::GlobalOp>(global.getName());
    const auto data = mlir::dyn_cast_if_present<mlir::ElementsAttr>(source.getInitialValueAttr());
    views_[global] = whole(addMemory(global.getType(), data), global.getType());
  } else if (mlir::isa<memref::DeallocOp>(op)) {
    return {};
  } else if (auto load = mlir::dyn_cast<memref::LoadOp>(op)) {
    Value address = addressOf(load.getMemref(), load.getIndices());
    map_.map(load.getResult(), flow::LoadOp::create(b_, loc_, scalarType(load.getType()),
                                                    views_.find(load.getMemref())->second.memory, address, 0)
                                   .getResult());
  } else if (auto store = mlir::dyn_cast<memref::StoreOp>(op)) {
    Value address = addressOf(store.getMemref(), store.getIndices());
    flow::StoreOp::create(b_, loc_, views_.find(store.getMemref())->second.memory, address,
                          map_.lookup(store.getValue()), Value(), false, nullptr);
  } else if (auto branch = mlir::dyn_cast<cf::BranchOp>(op)) {
    cf::BranchOp::create(b_, loc_, map_.lookup(branch.getDest()), lookup(branch.getDestOperands()));
  } else if (auto branch = mlir::dyn_cast<cf::CondBranchOp>(op)) {
    cf::CondBranchOp::create(b_, loc_, map_.lookup(branch.getCondition()), map_.lookup(branch.getTrueDest()),
                             lookup(branch.getTrueDestOperands()), map_.lookup(branch.getFalseDest()),
                             lookup(branch.getFalseDestOperands()));
  } else if (mlir::isa<mlir::func::ReturnOp>(op)) {
    flow::StopOp::create(b_, loc_);
  } else if (op.getNumResults() == 1 && mlir::isa<mlir::MemRefType>(op.getResult(0).getType())) {
    return view(op);
  } else if (op.getNumResults() == 1 && op.getNumRegions() == 0 && mlir::isMemoryEffectFree(&op)) {
    map_.map(op.getResult(0), cloneScalar(b_, op, lookup(op.getOperands())));
  } else {
    return unimplemented("no stage does {}", op.getName().getStringRef().str());
  }
  return {};
}

Status MachineKernel::writeBody(mlir::func::FuncOp function, flow::MachineOp machine) {
  for (mlir::Block& block : function.getBody()) {
    auto* made = new mlir::Block;
    machine.getBody().push_back(made);
    map_.map(&block, made);
    if (block.isEntryBlock()) continue;
    for (mlir::BlockArgument argument : block.getArguments()) {
      if (mlir::isa<mlir::MemRefType>(argument.getType())) return unimplemented("its loops hand memory on");
      map_.map(argument, made->addArgument(scalarType(argument.getType()), loc_));
    }
  }
  // In an order in which what defines a value comes before what uses it.
  SmallVector<mlir::Block*> order;
  llvm::DenseSet<mlir::Block*> seen;
  const std::function<void(mlir::Block*)> visit = [&](mlir::Block* block) {
    if (!seen.insert(block).second) return;
    for (mlir::Block* next : block->getSuccessors()) visit(next);
    order.push_back(block);
  };
  visit(&function.front());
  for (mlir::Block* block : llvm::reverse(order)) {
    b_.setInsertionPointToEnd(map_.lookup(block));
    for (Operation& op : *block) TET_RETURN_IF_ERROR(write(op));
  }
  return {};
}

Result<mlir::OwningOpRef<mlir::ModuleOp>> MachineKernel::build() {
  TET_ASSIGN_OR_RETURN(mlir::func::FuncOp function, bufferize());
  mlir::OwningOpRef<mlir::ModuleOp> module(mlir::ModuleOp::create(loc_));
  b_.setInsertionPointToStart(module->getBody());
  kernel_ = flow::KernelOp::create(b_, loc_, task_.name, types_.size(), llvm::ArrayRef<int64_t>());
  b_.setInsertionPointToStart(&kernel_.getBody().emplaceBlock());
  SmallVector<Value> memories, ends;
  const size_t operands = task_.block->getNumArguments();
  for (auto [i, type] : llvm::enumerate(types_)) {
    memories.push_back(addMemory(type));
    const bool is_used = !function.getArgument(i).use_empty();
    if (i < operands && is_used) ends.push_back(fill(i, memories[i]));
  }
  auto machine = flow::MachineOp::create(b_, loc_, flow::EndType::get(b_.getContext()), "machine", ends);
  for (size_t i = operands; i < types_.size(); ++i) send(i, memories[i], machine.getEnd());
  auto* entry = new mlir::Block;  // where what the buffers are is written
  machine.getBody().push_back(entry);
  b_.setInsertionPointToEnd(entry);
  for (auto [i, type] : llvm::enumerate(types_)) views_[function.getArgument(i)] = whole(memories[i], type);
  TET_RETURN_IF_ERROR(writeBody(function, machine));
  b_.setInsertionPointToEnd(entry);
  cf::BranchOp::create(b_, loc_, map_.lookup(&function.front()));
  return module;
}

}  // namespace

Result<mlir::OwningOpRef<mlir::ModuleOp>> readMachineKernel(const compile::Task& task, const Part&) {
  return MachineKernel(task).build();
}

}  // namespace tetrarch::fpga
