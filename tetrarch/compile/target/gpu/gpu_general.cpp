// The general path: a task over buffers, one kernel a statement.
//
// Once tensors are buffers, a task's block is a list of statements, mostly loop nests, that write buffers one
// after the other. Each becomes a pass. Loops whose iterations are independent (those over linalg's parallel
// iterators, and those that the task's lowering marks) are spread over work-items, whatever loops are around
// them; the other loops run in each work-item. What lies between the statements, views of buffers and loaded
// scalars, is computed again by each kernel that needs it.
#include <numeric>

#include "mlir/Conversion/AffineToStandard/AffineToStandard.h"
#include "mlir/Conversion/BufferizationToMemRef/BufferizationToMemRef.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/Passes.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/SCF/Transforms/Transforms.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/Passes.h"
#include "tetrarch/compile/target/buffers.h"
#include "tetrarch/compile/target/gpu/buffer_roots.h"
#include "tetrarch/compile/target/gpu/gpu_kernels.h"

namespace tetrarch::compile::gpu {
namespace {

namespace arith = mlir::arith;
namespace memref = mlir::memref;
namespace scf = mlir::scf;
using llvm::SmallVector;
using mlir::Operation;
using mlir::Value;

// Steps of one work-item: with more of them, a processor of many slow work-items is the wrong one. Counting
// ends at kManySteps.
constexpr int64_t kMostSteps = int64_t{1} << 23, kManySteps = int64_t{1} << 24;
constexpr int64_t kAlignment = 64;

int64_t bytesOf(mlir::MemRefType type) {
  mlir::Type element = type.getElementType();
  const int64_t bits = element.isIndex() ? 64 : std::max<int64_t>(8, element.getIntOrFloatBitWidth());
  return std::max<int64_t>(1, type.getNumElements()) * bits / 8;
}

// A statement as loops over work-items around loops within one; without the former it stays as it is.
struct Nest {
  SmallVector<scf::ForOp> spread, kept;
  mlir::Block* body = nullptr;

  explicit Nest(Operation* statement);
  int64_t items() const {
    return std::accumulate(spread.begin(), spread.end(), int64_t{1},
                           [](int64_t n, scf::ForOp loop) { return n * extent(loop); });
  }
  static int64_t extent(scf::ForOp loop) { return loop.getStaticTripCount()->getSExtValue(); }
};

Nest::Nest(Operation* statement) {
  auto loop = mlir::dyn_cast<scf::ForOp>(statement);
  while (loop && loop.getNumRegionIterArgs() == 0) {
    const bool independent = loop->hasAttr(kIndependentAttr) && loop.getStaticTripCount();
    (independent ? spread : kept).push_back(loop);
    body = loop.getBody();
    auto inner = body->without_terminator();
    loop = llvm::hasSingleElement(inner) ? mlir::dyn_cast<scf::ForOp>(*inner.begin()) : scf::ForOp();
  }
}

// How many ops run in one go, loops counted as often as they run.
Result<int64_t> stepsOf(mlir::Block& block);

Result<int64_t> stepsOf(Operation& op) {
  if (mlir::isa<scf::WhileOp>(op)) return unimplemented("the data alone says when its loop ends");
  int64_t times = 1, inner = 1;
  if (auto loop = mlir::dyn_cast<scf::ForOp>(op)) {
    const auto count = loop.getStaticTripCount();
    if (!count) return unimplemented("the data alone says how long its loops run");
    times = count->getSExtValue();
  }
  for (mlir::Region& region : op.getRegions()) {
    for (mlir::Block& block : region) {
      TET_ASSIGN_OR_RETURN(const int64_t steps, stepsOf(block));
      inner = std::max(inner, steps);
    }
  }
  return std::min(times * inner, kManySteps);
}

Result<int64_t> stepsOf(mlir::Block& block) {
  int64_t all = 0;
  for (Operation& op : block) {
    TET_ASSIGN_OR_RETURN(const int64_t steps, stepsOf(op));
    all = std::min(all + steps, kManySteps);
  }
  return all;
}

// Those of one work-item.
Result<int64_t> stepsOf(const Nest& nest, Operation& statement) {
  if (nest.spread.empty()) return stepsOf(statement);
  TET_ASSIGN_OR_RETURN(int64_t steps, stepsOf(*nest.body));
  for (scf::ForOp loop : nest.kept) {
    const auto count = loop.getStaticTripCount();
    if (!count) return unimplemented("the data alone says how long its loops run");
    steps = std::min(steps * count->getSExtValue(), kManySteps);
  }
  return steps;
}

class GeneralMapper {
 public:
  GeneralMapper(const Task& task, const std::string& prefix, mlir::gpu::GPUModuleOp module)
      : task_(task),
        module_(module),
        types_(bufferTypes(*task.block)),
        kernels_(module, prefix, types_, task.block->getNumArguments()),
        b_(kernels_.builder()),
        loc_(kernels_.loc()) {}

  Result<MappedTask> map();

 private:
  // Where a buffer that the task needs for itself lies: in the workspace, or in private memory.
  struct Place {
    int64_t offset = -1;  // -1: private memory
    int64_t stride = 0;   // from one work-item to the next; 0: they share it
  };

  Status bufferize();
  void spreadParallelLoops();
  Status checkBuffers();
  void placeBuffers();
  Status addStatement(Operation& statement);
  void emit(Operation& statement, const Nest& nest, const KernelValues& kernel);
  // Values from outside of `op` that it and its regions use, in the kernel.
  Status bringOperands(Operation& op);
  Status bring(Value value);
  Value bringBuffer(memref::AllocOp alloc);
  Value bringConstant(memref::GetGlobalOp constant);
  Status checkUnchanged(memref::LoadOp load) const;

  const Task& task_;
  mlir::gpu::GPUModuleOp module_;
  SmallVector<mlir::MemRefType> types_;
  KernelMaker kernels_;
  mlir::OpBuilder& b_;
  mlir::Location loc_;

  mlir::OwningOpRef<mlir::ModuleOp> source_;
  mlir::func::FuncOp function_;  // the task over buffers, in source_
  SmallVector<Operation*> statements_;
  llvm::DenseMap<Operation*, Place> places_;  // of each memref.alloc
  Operation* statement_ = nullptr;            // whose kernel is being made
  const KernelValues* kernel_ = nullptr;
  mlir::IRMapping map_;  // from function_ to that kernel
};

Result<MappedTask> GeneralMapper::map() {
  TET_RETURN_IF_ERROR(bufferize());
  TET_RETURN_IF_ERROR(checkBuffers());
  placeBuffers();
  if (kernels_.task().workspace_bytes > kWorkspaceLimit) {
    return unimplemented("it would need {} bytes beside its operands and results, more than {}",
                         kernels_.task().workspace_bytes, kWorkspaceLimit);
  }
  for (Operation* statement : statements_) TET_RETURN_IF_ERROR(addStatement(*statement));
  return std::move(kernels_.task());
}

Status GeneralMapper::bufferize() {
  mlir::MLIRContext* context = module_.getContext();
  Complaints complaints(context);
  source_ = mlir::ModuleOp::create(loc_);
  auto b = mlir::OpBuilder::atBlockEnd(source_->getBody());
  const SmallVector<mlir::Type> inputs(types_.begin(), types_.end());
  function_ = mlir::func::FuncOp::create(b, loc_, "body", b.getFunctionType(inputs, {}));
  b.setInsertionPointToStart(function_.addEntryBlock());
  cloneOntoBuffers(b, loc_, *task_.block, function_.getArguments());
  mlir::func::ReturnOp::create(b, loc_);
  mlir::PassManager pm(context);
  addBufferization(pm);
  pm.addPass(mlir::createConvertBufferizationToMemRefPass());
  pm.addPass(createCopyToLinalgPass());
  pm.addNestedPass<mlir::func::FuncOp>(mlir::createConvertLinalgToParallelLoopsPass());
  pm.addPass(mlir::createLowerAffinePass());
  pm.addPass(mlir::createCanonicalizerPass());
  pm.addPass(mlir::createCSEPass());
  if (mlir::failed(pm.run(*source_))) return internalError("it has no buffers: {}", complaints.text());
  spreadParallelLoops();
  for (Operation& op : function_.front().without_terminator()) {
    if (!mlir::isMemoryEffectFree(&op) && !mlir::isa<memref::LoadOp, memref::AllocOp>(op))
      statements_.push_back(&op);
  }
  return {};
}

// scf.parallel says of all its loops what the attribute says of one.
void GeneralMapper::spreadParallelLoops() {
  SmallVector<scf::ParallelOp> loops;
  function_.walk([&](scf::ParallelOp loop) { loops.push_back(loop); });
  mlir::IRRewriter rewriter(module_.getContext());
  for (scf::ParallelOp loop : loops) {
    auto nest = scf::parallelForToNestedFors(rewriter, loop);
    if (failed(nest)) continue;  // none that linalg makes
    for (scf::ForOp single : nest->loops) single->setAttr(kIndependentAttr, rewriter.getUnitAttr());
  }
}

// Each buffer must be known by its place: none may change hands in a loop or a branch.
Status GeneralMapper::checkBuffers() {
  Status found;
  function_.walk([&](Operation* op) {
    const bool is_memref = llvm::any_of(op->getResultTypes(), llvm::IsaPred<mlir::MemRefType>);
    if (is_memref && !mlir::isa<memref::AllocOp, memref::GetGlobalOp, mlir::ViewLikeOpInterface>(op))
      found = unimplemented("{} decides which of its buffers is meant", op->getName().getStringRef().str());
  });
  for (Operation* statement : statements_) {
    if (statement->getNumResults() > 0)
      found = unimplemented("a kernel of it would use what {} of another computes",
                            statement->getName().getStringRef().str());
  }
  return found;
}

// Buffers of a statement's own, from inside of its loops, are moved in front of it: one serves all
// iterations, but each work-item has its own.
void GeneralMapper::placeBuffers() {
  int64_t bytes = 0;
  auto place = [&](memref::AllocOp alloc, int64_t items) {
    const int64_t size = llvm::alignTo(bytesOf(alloc.getType()), kAlignment);
    if (items > 0 && size <= kPrivateBytes) {
      places_[alloc] = {};
      return;
    }
    places_[alloc] = {bytes, items > 1 ? size : 0};
    bytes += size * std::max<int64_t>(1, items);
  };
  for (Operation& op : function_.front()) {
    if (auto alloc = mlir::dyn_cast<memref::AllocOp>(op)) place(alloc, 0);
  }
  for (Operation* statement : statements_) {
    SmallVector<memref::AllocOp> inner;
    statement->walk([&](memref::AllocOp alloc) { inner.push_back(alloc); });
    for (memref::AllocOp alloc : inner) {
      alloc->moveBefore(statement);
      place(alloc, Nest(statement).items());
    }
  }
  kernels_.setWorkspace(bytes);
}

Status GeneralMapper::addStatement(Operation& statement) {
  const Nest nest(&statement);
  const int64_t items = nest.items();
  if (items == 0) return {};
  TET_ASSIGN_OR_RETURN(const int64_t steps, stepsOf(nest, statement));
  if (steps > kMostSteps) return unimplemented("more than {} of its steps depend on each other", kMostSteps);
  MappedPass pass{.whole = true, .items = items, .local_items = items > 1 ? kSmallGroup : 1};
  const std::string suffix = statements_.size() > 1 ? fmt::format("_{}", kernels_.task().passes.size()) : "";
  return kernels_.addPass(suffix, std::move(pass), [&](const KernelValues& kernel) -> Status {
    statement_ = &statement;
    kernel_ = &kernel;
    map_.clear();
    for (auto [argument, buffer] : llvm::zip(function_.getArguments(), kernel.buffers)) {
      map_.map(argument, buffer);
    }
    TET_RETURN_IF_ERROR(bringOperands(statement));
    emit(statement, nest, kernel);
    return {};
  });
}

void GeneralMapper::emit(Operation& statement, const Nest& nest, const KernelValues& kernel) {
  if (nest.spread.empty()) {
    b_.clone(statement, map_);
    return;
  }
  auto constant = [&](int64_t value) -> Value { return arith::ConstantIndexOp::create(b_, loc_, value); };
  Value rest = kernel.item;
  for (scf::ForOp loop : llvm::reverse(nest.spread)) {  // the innermost one is the fastest
    Value extent = constant(Nest::extent(loop));
    Value number = arith::RemUIOp::create(b_, loc_, rest, extent);
    rest = arith::DivUIOp::create(b_, loc_, rest, extent);
    Value step = arith::MulIOp::create(b_, loc_, number, map_.lookup(loop.getStep()));
    map_.map(loop.getInductionVar(),
             arith::AddIOp::create(b_, loc_, map_.lookup(loop.getLowerBound()), step).getResult());
  }
  for (scf::ForOp loop : nest.kept) {
    auto inner = scf::ForOp::create(b_, loc_, map_.lookup(loop.getLowerBound()),
                                    map_.lookup(loop.getUpperBound()), map_.lookup(loop.getStep()));
    map_.map(loop.getInductionVar(), inner.getInductionVar());
    b_.setInsertionPointToStart(inner.getBody());
  }
  for (Operation& op : nest.body->without_terminator()) b_.clone(op, map_);
}

Status GeneralMapper::bringOperands(Operation& op) {
  Status status;
  op.walk([&](Operation* inner) {
    for (Value operand : inner->getOperands()) {
      Operation* owner = operand.getParentBlock()->getParentOp();
      if (status.ok() && !op.isAncestor(owner)) status = bring(operand);
    }
  });
  return status;
}

Status GeneralMapper::bring(Value value) {
  if (map_.contains(value)) return {};
  Operation* op = value.getDefiningOp();
  if (auto alloc = mlir::dyn_cast<memref::AllocOp>(op)) {
    map_.map(value, bringBuffer(alloc));
    return {};
  }
  if (auto constant = mlir::dyn_cast<memref::GetGlobalOp>(op)) {
    map_.map(value, bringConstant(constant));
    return {};
  }
  if (auto load = mlir::dyn_cast<memref::LoadOp>(op)) TET_RETURN_IF_ERROR(checkUnchanged(load));
  TET_RETURN_IF_ERROR(bringOperands(*op));
  b_.clone(*op, map_);
  return {};
}

Value GeneralMapper::bringBuffer(memref::AllocOp alloc) {
  const Place place = places_[alloc];
  if (place.offset < 0) return memref::AllocaOp::create(b_, loc_, alloc.getType());
  Value at = arith::ConstantIndexOp::create(b_, loc_, place.offset);
  if (place.stride > 0) {
    Value stride = arith::ConstantIndexOp::create(b_, loc_, place.stride);
    at = arith::AddIOp::create(b_, loc_, arith::MulIOp::create(b_, loc_, kernel_->item, stride), at);
  }
  return memref::ViewOp::create(b_, loc_, alloc.getType(), kernel_->workspace, at, mlir::ValueRange());
}

Value GeneralMapper::bringConstant(memref::GetGlobalOp constant) {
  auto global = source_->lookupSymbol<memref::GlobalOp>(constant.getName());
  const std::string name = kernels_.prefix() + "_" + constant.getName().str();
  if (!module_.lookupSymbol(name)) {
    auto b = mlir::OpBuilder::atBlockBegin(module_.getBody());
    auto copy = mlir::cast<memref::GlobalOp>(b.clone(*global));
    copy.setSymName(name);
  }
  return memref::GetGlobalOp::create(b_, loc_, constant.getType(), name);
}

// A scalar that is loaded between statements is loaded again by a later kernel, which must find the same.
Status GeneralMapper::checkUnchanged(memref::LoadOp load) const {
  const Value root = rootOf(load.getMemref());
  for (Operation* other : statements_) {
    if (!load->isBeforeInBlock(other) || other == statement_) continue;
    if (!other->isBeforeInBlock(statement_)) break;
    llvm::DenseSet<Value> written;
    collectWritten(other, written);
    if (written.contains(root))
      return unimplemented("a kernel of it would read a number that an earlier one has overwritten");
  }
  return {};
}

}  // namespace

Result<MappedTask> mapGeneral(const Task& task, const std::string& prefix, mlir::gpu::GPUModuleOp module) {
  return GeneralMapper(task, prefix, module).map();
}

}  // namespace tetrarch::compile::gpu
