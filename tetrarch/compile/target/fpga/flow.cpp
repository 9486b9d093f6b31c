#include "tetrarch/compile/target/fpga/flow.h"

#include "llvm/ADT/TypeSwitch.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"

#include "tetrarch/compile/target/fpga/flow_dialect.cpp.inc"
#define GET_TYPEDEF_CLASSES
#include "tetrarch/compile/target/fpga/flow_types.cpp.inc"
#define GET_OP_CLASSES
#include "tetrarch/compile/target/fpga/flow_ops.cpp.inc"

namespace tetrarch::flow {
namespace {

using mlir::failure;
using mlir::LogicalResult;
using mlir::success;

LogicalResult checkBox(mlir::Operation* op, std::optional<llvm::ArrayRef<int64_t>> box) {
  if (!box) return success();
  auto nest = mlir::cast<NestOp>(op->getParentOp());
  if (box->size() != 2 * nest.getExtents().size()) return op->emitOpError("needs a range for each loop");
  for (auto [i, extent] : llvm::enumerate(nest.getExtents())) {
    if ((*box)[2 * i] < 0 || (*box)[2 * i] >= (*box)[2 * i + 1] || (*box)[2 * i + 1] > extent)
      return op->emitOpError("has a range beyond loop ") << i;
  }
  return success();
}

LogicalResult checkLanes(mlir::Operation* op, mlir::ValueRange values, int64_t lanes, mlir::Type element) {
  if (static_cast<int64_t>(values.size()) != lanes) return op->emitOpError("needs a value for each lane");
  if (llvm::any_of(values, [&](mlir::Value value) { return value.getType() != element; }))
    return op->emitOpError("has a value of another type than its lanes");
  return success();
}

LogicalResult checkLane(mlir::Operation* op, int64_t lane, int64_t lanes, mlir::Type value,
                        mlir::Type element) {
  if (lane < 0 || lane >= lanes) return op->emitOpError("names a lane that is not there");
  if (value != element) return op->emitOpError("has another type than its lanes");
  return success();
}

}  // namespace

void FlowDialect::initialize() {
  addTypes<
#define GET_TYPEDEF_LIST
#include "tetrarch/compile/target/fpga/flow_types.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "tetrarch/compile/target/fpga/flow_ops.cpp.inc"
      >();
}

LogicalResult StreamOp::verify() {
  if (getDepth() < 2) return emitOpError("holds fewer than two beats");
  if (getType().getLanes() < 1) return emitOpError("has no lanes");
  return success();
}

LogicalResult PortOp::verify() {
  if (getExtents().size() != getStrides().size()) return emitOpError("needs a stride for each loop");
  if (getUnitStrides().size() != (*this)->getParentOfType<KernelOp>().getUnits().size())
    return emitOpError("needs a stride for each of the kernel's units");
  int64_t elements = 1;
  for (int64_t extent : getExtents()) elements *= extent;
  if (elements < 1 || elements % mlir::cast<StreamType>(getStream().getType()).getLanes() != 0)
    return emitOpError("has loops of ") << elements << " elements, no number of beats";
  return success();
}

LogicalResult MemoryOp::verify() {
  const MemoryType type = getType();
  if (type.getDepth() < 1 || type.getLanes() < 1) return emitOpError("has no words");
  if (auto data = getData(); data && data->getNumElements() != type.getDepth() * type.getLanes())
    return emitOpError("has data for another number of words");
  return success();
}

LogicalResult NestOp::verify() {
  if (getExtents().size() != getReductions().size())
    return emitOpError("needs to say of each loop whether it reduces");
  if (llvm::any_of(getExtents(), [](int64_t extent) { return extent < 1; }))
    return emitOpError("has an empty loop");
  return success();
}

LogicalResult AffineOp::verify() {
  if (getStrides().size() != mlir::cast<NestOp>((*this)->getParentOp()).getExtents().size())
    return emitOpError("needs a stride for each loop");
  return success();
}

LogicalResult InsideOp::verify() { return checkBox(*this, getBox()); }

LogicalResult PopOp::verify() {
  const auto stream = mlir::cast<StreamType>(getStream().getType());
  if (mlir::failed(checkLane(*this, getLane(), stream.getLanes(), getType(), stream.getElement())))
    return failure();
  return checkBox(*this, getBox());
}

LogicalResult LoadOp::verify() {
  const auto memory = mlir::cast<MemoryType>(getMemory().getType());
  return checkLane(*this, getLane(), memory.getLanes(), getType(), memory.getElement());
}

LogicalResult UpdateOp::verify() {
  return getAcc().getDefiningOp<AccOp>() ? success() : emitOpError("updates no accumulator");
}

LogicalResult PushOp::verify() {
  const auto stream = mlir::cast<StreamType>(getStream().getType());
  if (mlir::failed(checkLanes(*this, getValues(), stream.getLanes(), stream.getElement()))) return failure();
  return checkBox(*this, getBox());
}

LogicalResult StoreOp::verify() {
  const auto memory = mlir::cast<MemoryType>(getMemory().getType());
  if (mlir::failed(checkLanes(*this, getValues(), memory.getLanes(), memory.getElement()))) return failure();
  return mlir::isa<NestOp>((*this)->getParentOp()) ? checkBox(*this, getBox()) : success();
}

// Its ends are where each loop stands at an end.
void AffineOp::inferResultRanges(llvm::ArrayRef<mlir::ConstantIntRanges>, mlir::SetIntRangeFn set) {
  int64_t low = getOffset(), high = getOffset();
  for (auto [extent, stride] :
       llvm::zip(mlir::cast<NestOp>((*this)->getParentOp()).getExtents(), getStrides())) {
    (stride < 0 ? low : high) += (extent - 1) * stride;
  }
  const unsigned width = getType().getIntOrFloatBitWidth();
  if (width < 64 && (low < -(int64_t{1} << (width - 1)) || high >= (int64_t{1} << (width - 1))))
    return set(getResult(), mlir::ConstantIntRanges::maxRange(width));
  set(getResult(),
      mlir::ConstantIntRanges::fromSigned(llvm::APInt(width, low, true), llvm::APInt(width, high, true)));
}

}  // namespace tetrarch::flow
