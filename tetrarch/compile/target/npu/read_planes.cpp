#include "tetrarch/compile/target/npu/read_planes.h"

namespace tetrarch::npu {
namespace {

using compile::TileBuffer;

Result<PlanesRead> readPadded(const compile::TilePadding& pad, const compile::TileAccess& access) {
  auto value = mlir::dyn_cast<mlir::IntegerAttr>(pad.value);
  auto real = mlir::dyn_cast<mlir::FloatAttr>(pad.value);
  const bool is_zero = real && real.getValue().isPosZero();
  if ((!value && !is_zero) || access.offset != 0)
    return propagate(unimplemented("its padding is no constant that a byte says"));
  PlanesRead planes{.operand = pad.source, .padding = value ? value.getInt() : 0};
  planes.padded.assign(pad.shape.begin(), pad.shape.end());
  planes.source.assign(pad.source_shape.begin(), pad.source_shape.end());
  planes.low.assign(pad.low.begin(), pad.low.end());
  return planes;
}

}  // namespace

Result<PlanesRead> readPlanes(const compile::Task& task, const compile::TileNestPlan& plan,
                              const compile::TileAccess& access) {
  const TileBuffer& buffer = plan.buffers[access.buffer];
  PlanesRead planes;
  if (buffer.kind == TileBuffer::Kind::kPadded) {
    TET_ASSIGN_OR_RETURN(planes, readPadded(plan.pads[buffer.index], access));
  } else if (buffer.kind == TileBuffer::Kind::kOperand) {
    auto type = mlir::cast<mlir::RankedTensorType>(task.block->getArgument(buffer.index).getType());
    if (type.getRank() == 0) return propagate(unimplemented("a scalar"));
    planes.operand = buffer.index;
    planes.padded.assign(type.getShape().begin(), type.getShape().end());
    planes.source = planes.padded;
    planes.low.assign(planes.padded.size(), 0);
  } else {
    return propagate(unimplemented("its input is computed in the task"));
  }
  for (size_t d = 0; d < planes.rank(); ++d) {
    const bool is_plane = d + 1 != planes.rank() && d + 3 >= planes.rank();
    if (!is_plane && planes.padded[d] != planes.source[d])
      return propagate(unimplemented("padding of images or channels"));
  }
  return planes;
}

}  // namespace tetrarch::npu
