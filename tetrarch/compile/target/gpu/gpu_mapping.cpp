#include "tetrarch/compile/target/gpu/gpu_mapping.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/Passes.h"

namespace tetrarch::compile::gpu {
namespace {

using mlir::Value;
using Kind = MappedArgument::Kind;

// 16 floats: what a register tile loads of a packed panel at once, on any device. Drivers split it as they
// need.
constexpr int64_t kVectorBytes = 64;
// Work-groups of passes whose work-items are small.
constexpr int64_t kSmallGroup = 64;
// The work-group of a row that is reduced in local memory, and how much of that every device has.
constexpr int64_t kRowGroup = 64;
constexpr int64_t kLocalBytes = 32 << 10;
// Scratch up to this size is private memory; more comes from the workspace.
constexpr int64_t kPrivateScratchBytes = 2048;
constexpr int64_t kWorkspaceLimit = int64_t{256} << 20;

class TaskMapper {
 public:
  TaskMapper(const Task& task, const Cut& cut, const std::string& prefix, mlir::gpu::GPUModuleOp module)
      : task_(task),
        plan_(cut.plan),
        group_(cut.group),
        prefix_(prefix),
        builder_(module.getContext()),
        loc_(builder_.getUnknownLoc()) {
    builder_.setInsertionPointToEnd(module.getBody());
  }
  Result<MappedTask> map();

 private:
  struct Kernel {
    llvm::SmallVector<Value> buffers;
    Value workspace, item;
  };
  void collectBuffers();
  void placeScratch();
  // A kernel that runs `body` in every work-item below its ItemEnd.
  Status addPass(const std::string& suffix, MappedPass pass, llvm::function_ref<Status(const Kernel&)> body);
  mlir::gpu::GPUFuncOp makeFunction(MappedPass& pass, Kernel& kernel, int64_t shared_bytes = 0);
  Value scratch(const Kernel& kernel);
  Status addItemPasses();
  void addGroupPass();

  const Task& task_;
  const TilePlan& plan_;
  const int64_t group_;  // work-items of a row; 0: one
  const std::string& prefix_;
  mlir::OpBuilder builder_;
  mlir::Location loc_;
  llvm::SmallVector<mlir::MemRefType> types_;
  MappedTask mapped_;
  int64_t scratch_offset_ = -1, scratch_stride_ = 0;  // in the workspace; -1: private
};

void TaskMapper::collectBuffers() {
  auto add = [&](mlir::Type type) {
    auto tensor = mlir::cast<mlir::RankedTensorType>(type);
    types_.push_back(mlir::MemRefType::get({tensor.getNumElements()}, tensor.getElementType()));
  };
  for (mlir::Type type : task_.block->getArgumentTypes()) add(type);
  for (Value value : task_.block->getTerminator()->getOperands()) add(value.getType());
  mapped_.buffers = static_cast<int64_t>(types_.size());
}

void TaskMapper::placeScratch() {
  if (group_ > 0) return;  // in local memory
  mapped_.workspace_bytes = plan_.workspace_bytes;
  if (plan_.scratch_bytes <= kPrivateScratchBytes) return;
  scratch_offset_ = llvm::alignTo(plan_.workspace_bytes, 64);
  scratch_stride_ = llvm::alignTo(plan_.scratch_bytes, 64);
  mapped_.workspace_bytes = scratch_offset_ + scratch_stride_ * plan_.units;
}

mlir::gpu::GPUFuncOp TaskMapper::makeFunction(MappedPass& pass, Kernel& kernel, int64_t shared_bytes) {
  for (int64_t i = 0; i < mapped_.buffers; ++i) pass.arguments.push_back({Kind::Buffer, i});
  if (mapped_.workspace_bytes > 0) pass.arguments.push_back({Kind::Workspace});
  pass.arguments.push_back({Kind::ItemEnd});
  llvm::SmallVector<mlir::Type> types(types_.begin(), types_.end()), shared;
  if (mapped_.workspace_bytes > 0) {
    types.push_back(mlir::MemRefType::get({mapped_.workspace_bytes}, builder_.getI8Type()));
  }
  types.push_back(builder_.getI64Type());
  if (shared_bytes > 0) {
    auto space = mlir::gpu::AddressSpaceAttr::get(builder_.getContext(), mlir::gpu::AddressSpace::Workgroup);
    shared.push_back(mlir::MemRefType::get({shared_bytes}, builder_.getI8Type(),
                                           mlir::MemRefLayoutAttrInterface(), space));
  }
  auto function =
      mlir::gpu::GPUFuncOp::create(builder_, loc_, pass.kernel, builder_.getFunctionType(types, {}), shared);
  function->setAttr(mlir::gpu::GPUDialect::getKernelFuncAttrName(), builder_.getUnitAttr());
  if (pass.local_items > 0)
    function.setKnownBlockSize(llvm::ArrayRef<int32_t>{static_cast<int32_t>(pass.local_items), 1, 1});
  auto name = [&](Value argument, const std::string& text) {
    argument.setLoc(mlir::NameLoc::get(builder_.getStringAttr(text)));
    return argument;
  };
  mlir::Block& body = function.getBody().front();
  const int64_t inputs = task_.block->getNumArguments();
  for (int64_t i = 0; i < mapped_.buffers; ++i) {
    kernel.buffers.push_back(
        name(body.getArgument(i), i < inputs ? fmt::format("in{}", i) : fmt::format("out{}", i - inputs)));
  }
  if (mapped_.workspace_bytes > 0) kernel.workspace = name(body.getArgument(mapped_.buffers), "workspace");
  name(body.getArgument(types.size() - 1), "item_end");
  return function;
}

Status TaskMapper::addPass(const std::string& suffix, MappedPass pass,
                           llvm::function_ref<Status(const Kernel&)> body) {
  pass.kernel = prefix_ + suffix;
  mlir::OpBuilder::InsertionGuard guard(builder_);
  Kernel kernel;
  auto function = makeFunction(pass, kernel);
  mlir::Block& block = function.getBody().front();
  builder_.setInsertionPointToStart(&block);
  auto item_loc = mlir::NameLoc::get(builder_.getStringAttr(pass.whole ? "line" : "unit"));
  kernel.item = mlir::gpu::GlobalIdOp::create(builder_, item_loc, mlir::gpu::Dimension::x);
  Value number = mlir::arith::IndexCastOp::create(builder_, loc_, builder_.getI64Type(), kernel.item);
  Value inside = mlir::arith::CmpIOp::create(builder_, loc_, mlir::arith::CmpIPredicate::slt, number,
                                             block.getArgument(block.getNumArguments() - 1));
  auto guarded = mlir::scf::IfOp::create(builder_, loc_, inside, /*withElseRegion=*/false);
  mlir::gpu::ReturnOp::create(builder_, loc_);
  builder_.setInsertionPointToStart(guarded.thenBlock());
  mapped_.passes.push_back(std::move(pass));
  return body(kernel);
}

Value TaskMapper::scratch(const Kernel& kernel) {
  if (plan_.scratch_bytes == 0) return {};
  auto type = mlir::MemRefType::get({plan_.scratch_bytes}, builder_.getI8Type());
  if (scratch_offset_ < 0) return mlir::memref::AllocaOp::create(builder_, loc_, type);
  Value stride = mlir::arith::ConstantIndexOp::create(builder_, loc_, scratch_stride_);
  Value first = mlir::arith::ConstantIndexOp::create(builder_, loc_, scratch_offset_);
  Value at = mlir::arith::AddIOp::create(
      builder_, loc_, mlir::arith::MulIOp::create(builder_, loc_, kernel.item, stride), first);
  return mlir::memref::ViewOp::create(builder_, loc_, type, kernel.workspace, at, mlir::ValueRange());
}

Result<MappedTask> TaskMapper::map() {
  collectBuffers();
  placeScratch();
  if (mapped_.workspace_bytes > kWorkspaceLimit) {
    return unimplemented("its work-items would need {} bytes of scratch together, more than {}",
                         mapped_.workspace_bytes, kWorkspaceLimit);
  }
  if (group_ > 0) {
    addGroupPass();
  } else {
    TET_RETURN_IF_ERROR(addItemPasses());
  }
  return std::move(mapped_);
}

Status TaskMapper::addItemPasses() {
  mapped_.units = plan_.units;
  mapped_.rows = plan_.rows;
  mapped_.row_tile = plan_.row_tile;
  for (size_t i = 0; i < plan_.pads.size(); ++i) {
    TET_RETURN_IF_ERROR(addPass(
        fmt::format("_pad{}", i), {.whole = true, .items = plan_.pads[i].units}, [&](const Kernel& kernel) {
          return emitPad(builder_, loc_, plan_, i, kernel.item, kernel.buffers, kernel.workspace);
        }));
  }
  return addPass("", {.local_items = plan_.contraction || plan_.scratch_bytes > 0 ? 0 : kSmallGroup},
                 [&](const Kernel& kernel) {
                   return emitUnit(builder_, loc_, plan_, kernel.item, kernel.buffers, scratch(kernel),
                                   kernel.workspace);
                 });
}

// A unit is a row, and its work-group has local memory for partial results and for what a row keeps between
// nests.
void TaskMapper::addGroupPass() {
  mapped_.units = mapped_.rows = groupRows(plan_);
  MappedPass pass{.kernel = prefix_, .items = group_, .local_items = group_};
  mlir::OpBuilder::InsertionGuard guard(builder_);
  Kernel kernel;
  auto function = makeFunction(pass, kernel, groupSharedBytes(plan_, group_));
  builder_.setInsertionPointToStart(&function.getBody().front());
  auto named = [&](const char* text) { return mlir::NameLoc::get(builder_.getStringAttr(text)); };
  Value first = mlir::gpu::GlobalIdOp::create(builder_, loc_, mlir::gpu::Dimension::x);
  auto barrier = [this](mlir::OpBuilder& b) { mlir::gpu::BarrierOp::create(b, loc_); };
  TileGroup group{.item = mlir::gpu::ThreadIdOp::create(builder_, named("item"), mlir::gpu::Dimension::x),
                  .items = group_,
                  .shared = function.getWorkgroupAttributions()[0],
                  .barrier = barrier};
  Value size = mlir::arith::ConstantIndexOp::create(builder_, loc_, group_);
  Value row = mlir::arith::DivUIOp::create(builder_, named("row"), first, size);
  emitRowByGroup(builder_, loc_, plan_, row, kernel.buffers, group);
  mlir::gpu::ReturnOp::create(builder_, loc_);
  mapped_.passes.push_back(std::move(pass));
}

}  // namespace

TileTarget tileTarget(int64_t registers) {
  TileTarget target;
  target.vector_bytes = kVectorBytes;
  target.vector_registers = registers;
  target.pad_in_scratch = false;
  target.unit_is_tile = true;
  return target;
}

std::optional<Cut> cutByGroups(const TilePlan& plan) {
  if (!canCooperate(plan) || groupSharedBytes(plan, kRowGroup) > kLocalBytes) return std::nullopt;
  return Cut{plan, kRowGroup};
}

Result<MappedTask> mapTask(const Task& task, const Cut& cut, const std::string& prefix,
                           mlir::gpu::GPUModuleOp module) {
  return TaskMapper(task, cut, prefix, module).map();
}

Status cleanUp(mlir::gpu::GPUModuleOp module) {
  mlir::PassManager pm(module.getContext(), mlir::gpu::GPUModuleOp::getOperationName());
  pm.addPass(mlir::createCanonicalizerPass());
  pm.addPass(mlir::createCSEPass());
  pm.addPass(mlir::createLoopInvariantCodeMotionPass());
  if (mlir::failed(pm.run(module))) return internalError("the gpu kernels are invalid");
  return {};
}

}  // namespace tetrarch::compile::gpu
