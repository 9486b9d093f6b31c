// A loop that changes elements of one tensor, one after the other, at places that the data name: scatters,
// histograms. The tensor is a memory, the loop a nest that loads what it stores.
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Matchers.h"
#include "tetrarch/compile/target/buffers.h"
#include "tetrarch/compile/target/fpga/clone_body.h"
#include "tetrarch/compile/target/fpga/flow.h"
#include "tetrarch/compile/target/fpga/read_task.h"

namespace tetrarch::fpga {
namespace {

namespace arith = mlir::arith;
namespace scf = mlir::scf;
using llvm::SmallVector;
using mlir::Value;

// One loop around the others, over constant bounds.
struct Counter {
  Value index;
  int64_t low = 0, step = 1, extent = 1;
};

// The constant that all elements of a tensor are, if they are one.
arith::ConstantOp fillOf(Value tensor) {
  auto generic = tensor.getDefiningOp<mlir::linalg::GenericOp>();
  if (!generic || generic.getNumResults() != 1) return nullptr;
  return generic.getBody()->getTerminator()->getOperand(0).getDefiningOp<arith::ConstantOp>();
}

class UpdateKernel {
 public:
  explicit UpdateKernel(const compile::Task& task)
      : task_(task), b_(task.block->getParentOp()->getContext()), loc_(b_.getUnknownLoc()) {}

  Result<mlir::OwningOpRef<mlir::ModuleOp>> build();

 private:
  Status readLoops();
  Status readBody();
  bool isCounted(mlir::tensor::ExtractOp extract) const;
  const Counter* counterOf(Value index) const;

  flow::NestOp addNest(const char* name, llvm::ArrayRef<int64_t> extents, mlir::ValueRange after);
  flow::StreamOp addPort(bool is_output, size_t buffer, int64_t offset, llvm::ArrayRef<int64_t> extents,
                         llvm::ArrayRef<int64_t> strides);
  Value begin();
  Value update(Value after);
  void send(Value after);
  Value popped(mlir::tensor::ExtractOp extract);
  Value counted(const Counter& counter);

  const compile::Task& task_;
  mlir::OpBuilder b_;
  mlir::Location loc_;
  SmallVector<Counter> counters_;  // the outermost first
  Value init_;                     // what the tensor is at first
  mlir::Block* body_ = nullptr;    // of the innermost loop
  mlir::tensor::InsertOp insert_;
  mlir::OpBuilder::InsertPoint network_;
  Value memory_;
};

Status UpdateKernel::readLoops() {
  mlir::Operation* yield = task_.block->getTerminator();
  auto loop = yield->getNumOperands() == 1 ? yield->getOperand(0).getDefiningOp<scf::ForOp>() : scf::ForOp();
  while (loop) {
    const auto low = mlir::getConstantIntValue(loop.getLowerBound()),
               high = mlir::getConstantIntValue(loop.getUpperBound()),
               step = mlir::getConstantIntValue(loop.getStep());
    if (loop.getNumResults() != 1 || !low || !high || !step || *high <= *low)
      return unimplemented("its loops have no constant bounds, or more results than one");
    counters_.push_back({loop.getInductionVar(), *low, *step, (*high - *low + *step - 1) / *step});
    if (!init_) init_ = loop.getInitArgs()[0];
    body_ = loop.getBody();
    auto inner = mlir::dyn_cast<scf::ForOp>(body_->front());
    const bool is_around = inner && body_->getOperations().size() == 2 && inner.getNumResults() == 1 &&
                           inner.getInitArgs()[0] == loop.getRegionIterArg(0) &&
                           body_->getTerminator()->getOperand(0) == inner.getResult(0);
    loop = is_around ? inner : scf::ForOp();
  }
  if (!body_) return unimplemented("it is no loop");
  return {};
}

const Counter* UpdateKernel::counterOf(Value index) const {
  const auto found = llvm::find_if(counters_, [&](const Counter& counter) { return counter.index == index; });
  return found == counters_.end() ? nullptr : &*found;
}

// Whether loops alone say what is read.
bool UpdateKernel::isCounted(mlir::tensor::ExtractOp extract) const {
  return llvm::all_of(extract.getIndices(), [&](Value index) {
    return counterOf(index) || mlir::getConstantIntValue(index).has_value();
  });
}

Status UpdateKernel::readBody() {
  Value tensor = body_->getArgument(1);
  auto type = mlir::dyn_cast<mlir::RankedTensorType>(tensor.getType());
  insert_ = body_->getTerminator()->getOperand(0).getDefiningOp<mlir::tensor::InsertOp>();
  if (!type || !insert_ || insert_.getDest() != tensor) return unimplemented("its loop inserts no element");
  const bool is_operand = mlir::isa<mlir::BlockArgument>(init_) &&
                          mlir::cast<mlir::BlockArgument>(init_).getOwner() == task_.block;
  if (!is_operand && !fillOf(init_)) return unimplemented("its tensor begins as what is computed");
  for (mlir::Operation& op : body_->without_terminator()) {
    if (auto extract = mlir::dyn_cast<mlir::tensor::ExtractOp>(op)) {
      Value from = extract.getTensor();
      auto argument = mlir::dyn_cast<mlir::BlockArgument>(from);
      const bool is_streamed = argument && argument.getOwner() == task_.block && isCounted(extract);
      if (from != tensor && !fillOf(from) && !is_streamed)
        return unimplemented("its loop reads a tensor at places that the data name");
    } else if (&op != insert_ && (op.getNumResults() != 1 || op.getNumRegions() != 0 ||
                                  !op.getResult(0).getType().isIntOrIndexOrFloat())) {
      return unimplemented("no nest does {}", op.getName().getStringRef().str());
    }
  }
  return {};
}

flow::NestOp UpdateKernel::addNest(const char* name, llvm::ArrayRef<int64_t> extents,
                                   mlir::ValueRange after) {
  b_.restoreInsertionPoint(network_);
  auto nest = flow::NestOp::create(b_, loc_, flow::EndType::get(b_.getContext()), name, extents,
                                   SmallVector<bool>(extents.size(), false), after);
  network_ = {nest->getBlock(), nest->getIterator()};  // for what the nest still declares
  b_.setInsertionPointToStart(&nest.getBody().emplaceBlock());
  return nest;
}

flow::StreamOp UpdateKernel::addPort(bool is_output, size_t buffer, int64_t offset,
                                     llvm::ArrayRef<int64_t> extents, llvm::ArrayRef<int64_t> strides) {
  mlir::OpBuilder::InsertionGuard guard(b_);
  b_.restoreInsertionPoint(network_);
  const mlir::Type element = compile::bufferTypes(*task_.block)[buffer].getElementType();
  const int64_t bytes = std::max<int64_t>(1, element.getIntOrFloatBitWidth() / 8);
  auto stream = flow::StreamOp::create(b_, loc_, flow::StreamType::get(b_.getContext(), 1, element), 4);
  flow::PortOp::create(b_, loc_, stream, is_output, buffer, bytes, offset, {}, extents, strides);
  return stream;
}

// Fills the memory. Returns the end of that.
Value UpdateKernel::begin() {
  const auto type = mlir::cast<mlir::RankedTensorType>(init_.getType());
  const int64_t count = type.getNumElements();
  b_.restoreInsertionPoint(network_);
  memory_ = flow::MemoryOp::create(
      b_, loc_, flow::MemoryType::get(b_.getContext(), count, 1, type.getElementType()), nullptr);
  flow::NestOp nest = addNest("begin", {count}, {});
  Value element;
  if (auto operand = mlir::dyn_cast<mlir::BlockArgument>(init_)) {
    Value beats = addPort(false, operand.getArgNumber(), 0, {count}, {1});
    element = flow::PopOp::create(b_, loc_, type.getElementType(), beats, 0, nullptr);
  } else {
    element = cloneScalar(b_, *fillOf(init_), {});
  }
  Value address = flow::AffineOp::create(b_, loc_, b_.getI32Type(), 0, llvm::ArrayRef<int64_t>{1});
  flow::StoreOp::create(b_, loc_, memory_, address, element, Value(), false, nullptr);
  network_ = {nest->getBlock(), nest->getBlock()->end()};
  return nest.getEnd();
}

Value UpdateKernel::counted(const Counter& counter) {
  SmallVector<int64_t> strides(counters_.size(), 0);
  strides[&counter - counters_.begin()] = counter.step;
  return flow::AffineOp::create(b_, loc_, b_.getI64Type(), counter.low, strides);
}

// The element of an operand that this iteration reads.
Value UpdateKernel::popped(mlir::tensor::ExtractOp extract) {
  const auto operand = mlir::cast<mlir::BlockArgument>(extract.getTensor());
  const auto type = mlir::cast<mlir::RankedTensorType>(operand.getType());
  SmallVector<int64_t> extents, strides(counters_.size(), 0);
  int64_t offset = 0, stride = type.getNumElements();
  for (const Counter& counter : counters_) extents.push_back(counter.extent);
  for (auto [extent, index] : llvm::zip(type.getShape(), extract.getIndices())) {
    stride /= extent;
    const Counter* counter = counterOf(index);
    offset += stride * (counter ? counter->low : *mlir::getConstantIntValue(index));
    if (counter) strides[counter - counters_.begin()] += stride * counter->step;
  }
  Value beats = addPort(false, operand.getArgNumber(), offset, extents, strides);
  return flow::PopOp::create(b_, loc_, type.getElementType(), beats, 0, nullptr);
}

// The loop. Returns its end.
Value UpdateKernel::update(Value after) {
  SmallVector<int64_t> extents;
  for (const Counter& counter : counters_) extents.push_back(counter.extent);
  flow::NestOp nest = addNest("update", extents, after);
  mlir::IRMapping map;
  for (const Counter& counter : counters_) map.map(counter.index, counted(counter));
  const auto lookup = [&](Value value) -> Value {
    if (Value known = map.lookupOrNull(value)) return known;
    return cloneScalar(b_, *value.getDefiningOp<arith::ConstantOp>(), {});  // from outside of the loop
  };
  const auto place = [&](mlir::Type tensor, mlir::ValueRange indices) {
    return placeOf(b_, loc_, mlir::cast<mlir::RankedTensorType>(tensor).getShape(),
                   llvm::map_to_vector(indices, lookup));
  };
  for (mlir::Operation& op : body_->without_terminator()) {
    auto extract = mlir::dyn_cast<mlir::tensor::ExtractOp>(op);
    if (&op == insert_) {
      Value address = place(insert_.getDest().getType(), insert_.getIndices());
      flow::StoreOp::create(b_, loc_, memory_, address, lookup(insert_.getScalar()), Value(), false, nullptr);
    } else if (extract && extract.getTensor() == insert_.getDest()) {
      Value address = place(extract.getTensor().getType(), extract.getIndices());
      map.map(extract, flow::LoadOp::create(b_, loc_, extract.getType(), memory_, address, 0).getResult());
    } else if (extract) {
      auto fill = fillOf(extract.getTensor());
      map.map(extract.getResult(), fill ? cloneScalar(b_, *fill, {}) : popped(extract));
    } else {
      map.map(op.getResult(0), cloneScalar(b_, op, llvm::map_to_vector(op.getOperands(), lookup)));
    }
  }
  network_ = {nest->getBlock(), nest->getBlock()->end()};
  return nest.getEnd();
}

void UpdateKernel::send(Value after) {
  const auto type = mlir::cast<mlir::RankedTensorType>(init_.getType());
  const int64_t count = type.getNumElements();
  addNest("send", {count}, after);
  Value beats = addPort(true, task_.block->getNumArguments(), 0, {count}, {1});
  Value address = flow::AffineOp::create(b_, loc_, b_.getI32Type(), 0, llvm::ArrayRef<int64_t>{1});
  Value element = flow::LoadOp::create(b_, loc_, type.getElementType(), memory_, address, 0);
  flow::PushOp::create(b_, loc_, beats, element, false, nullptr);
}

Result<mlir::OwningOpRef<mlir::ModuleOp>> UpdateKernel::build() {
  TET_RETURN_IF_ERROR(readLoops());
  TET_RETURN_IF_ERROR(readBody());
  mlir::OwningOpRef<mlir::ModuleOp> module(mlir::ModuleOp::create(loc_));
  b_.setInsertionPointToStart(module->getBody());
  auto kernel = flow::KernelOp::create(b_, loc_, task_.name, task_.block->getNumArguments() + 1,
                                       llvm::ArrayRef<int64_t>());
  b_.setInsertionPointToStart(&kernel.getBody().emplaceBlock());
  network_ = b_.saveInsertionPoint();
  send(update(begin()));
  return module;
}

}  // namespace

Result<mlir::OwningOpRef<mlir::ModuleOp>> readUpdateKernel(const compile::Task& task, const Part&) {
  return UpdateKernel(task).build();
}

}  // namespace tetrarch::fpga
