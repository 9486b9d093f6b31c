#include "tetrarch/compile/target/gpu/gpu_mapping.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/Passes.h"
#include "tetrarch/compile/target/buffers.h"
#include "tetrarch/compile/target/gpu/gpu_kernels.h"

namespace tetrarch::compile::gpu {
namespace {

using mlir::Value;

// 16 floats: what a register tile loads of a packed panel at once, on any device. Drivers split it as they
// need.
constexpr int64_t kVectorBytes = 64;
// Local memory that every device has.
constexpr int64_t kLocalBytes = 32 << 10;

class TaskMapper {
 public:
  TaskMapper(const Task& task, const Cut& cut, const std::string& prefix, mlir::gpu::GPUModuleOp module)
      : cut_(cut),
        plan_(cut.plan),
        kernels_(module, prefix, flatTypes(*task.block), task.block->getNumArguments()),
        b_(kernels_.builder()),
        loc_(kernels_.loc()) {}
  Result<MappedTask> map();

 private:
  static llvm::SmallVector<mlir::MemRefType> flatTypes(mlir::Block& block);
  void placeScratch();
  Value scratch(const KernelValues& kernel);
  Status addItemPasses();
  void addGroupPass();

  const Cut& cut_;
  const TilePlan& plan_;
  KernelMaker kernels_;
  mlir::OpBuilder& b_;
  mlir::Location loc_;
  int64_t scratch_offset_ = -1, scratch_stride_ = 0;  // in the workspace; -1: private
};

llvm::SmallVector<mlir::MemRefType> TaskMapper::flatTypes(mlir::Block& block) {
  llvm::SmallVector<mlir::MemRefType> types;
  for (mlir::MemRefType type : bufferTypes(block)) {
    types.push_back(mlir::MemRefType::get({type.getNumElements()}, type.getElementType()));
  }
  return types;
}

void TaskMapper::placeScratch() {
  if (cut_.group > 0) return;  // in local memory
  int64_t bytes = plan_.workspace_bytes;
  if (plan_.scratch_bytes > kPrivateBytes) {
    scratch_offset_ = llvm::alignTo(bytes, 64);
    scratch_stride_ = llvm::alignTo(plan_.scratch_bytes, 64);
    bytes = scratch_offset_ + scratch_stride_ * plan_.units;
  }
  kernels_.setWorkspace(bytes);
}

Value TaskMapper::scratch(const KernelValues& kernel) {
  if (plan_.scratch_bytes == 0) return {};
  auto type = mlir::MemRefType::get({plan_.scratch_bytes}, b_.getI8Type());
  if (scratch_offset_ < 0) return mlir::memref::AllocaOp::create(b_, loc_, type);
  Value stride = mlir::arith::ConstantIndexOp::create(b_, loc_, scratch_stride_);
  Value first = mlir::arith::ConstantIndexOp::create(b_, loc_, scratch_offset_);
  Value at = mlir::arith::AddIOp::create(b_, loc_, mlir::arith::MulIOp::create(b_, loc_, kernel.item, stride),
                                         first);
  return mlir::memref::ViewOp::create(b_, loc_, type, kernel.workspace, at, mlir::ValueRange());
}

Result<MappedTask> TaskMapper::map() {
  placeScratch();
  if (kernels_.task().workspace_bytes > kWorkspaceLimit) {
    return unimplemented("its work-items would need {} bytes of scratch together, more than {}",
                         kernels_.task().workspace_bytes, kWorkspaceLimit);
  }
  if (cut_.group > 0) {
    addGroupPass();
  } else {
    TET_RETURN_IF_ERROR(addItemPasses());
  }
  return std::move(kernels_.task());
}

Status TaskMapper::addItemPasses() {
  kernels_.task().units = plan_.units;
  kernels_.task().rows = plan_.rows;
  kernels_.task().row_tile = plan_.row_tile;
  for (size_t i = 0; i < plan_.pads.size(); ++i) {
    TET_RETURN_IF_ERROR(
        kernels_.addPass(fmt::format("_pad{}", i), {.whole = true, .items = plan_.pads[i].units},
                         [&](const KernelValues& kernel) {
                           return emitPad(b_, loc_, plan_, i, kernel.item, kernel.buffers, kernel.workspace);
                         }));
  }
  return kernels_.addPass("", {.local_items = cut_.local}, [&](const KernelValues& kernel) {
    return emitUnit(b_, loc_, plan_, kernel.item, kernel.buffers, scratch(kernel), kernel.workspace);
  });
}

// A unit is a row, and its work-group has local memory for partial results and for what a row keeps between
// nests.
void TaskMapper::addGroupPass() {
  kernels_.task().units = kernels_.task().rows = groupRows(plan_);
  const int64_t items = cut_.group;
  MappedPass pass{.kernel = kernels_.prefix(), .items = items, .local_items = items};
  mlir::OpBuilder::InsertionGuard guard(b_);
  KernelValues kernel;
  auto function = kernels_.makeFunction(pass, kernel, groupSharedBytes(plan_, items));
  b_.setInsertionPointToStart(&function.getBody().front());
  Value first = mlir::gpu::GlobalIdOp::create(b_, loc_, mlir::gpu::Dimension::x);
  auto barrier = [this](mlir::OpBuilder& b) { mlir::gpu::BarrierOp::create(b, loc_); };
  TileGroup group{.item = mlir::gpu::ThreadIdOp::create(b_, kernels_.named("item"), mlir::gpu::Dimension::x),
                  .items = items,
                  .shared = function.getWorkgroupAttributions()[0],
                  .barrier = barrier};
  Value size = mlir::arith::ConstantIndexOp::create(b_, loc_, items);
  Value row = mlir::arith::DivUIOp::create(b_, kernels_.named("row"), first, size);
  emitRowByGroup(b_, loc_, plan_, row, kernel.buffers, group);
  mlir::gpu::ReturnOp::create(b_, loc_);
  kernels_.addPass(std::move(pass));
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

Cut cutByItems(TilePlan plan) {
  const bool small = !plan.contraction && plan.scratch_bytes == 0;
  return {std::move(plan), 0, small ? kSmallGroup : 0};
}

std::optional<Cut> cutByGroups(const TilePlan& plan, int64_t items) {
  if (!canCooperate(plan) || groupSharedBytes(plan, items) > kLocalBytes) return std::nullopt;
  return Cut{plan, items, items};
}

Result<MappedTask> mapTask(const Task& task, const Cut& cut, const std::string& prefix,
                           mlir::gpu::GPUModuleOp module) {
  return TaskMapper(task, cut, prefix, module).map();
}

Status cleanUp(mlir::gpu::GPUModuleOp module) {
  mlir::PassManager pm(module.getContext(), mlir::gpu::GPUModuleOp::getOperationName());
  // The canonicaliser looks at a whole loop again for each op of it that changes, so equal ones go before.
  pm.addPass(mlir::createCSEPass());
  pm.addPass(mlir::createCanonicalizerPass());
  pm.addPass(mlir::createCSEPass());
  pm.addPass(mlir::createLoopInvariantCodeMotionPass());
  if (mlir::failed(pm.run(module))) return internalError("the gpu kernels are invalid");
  return {};
}

}  // namespace tetrarch::compile::gpu
