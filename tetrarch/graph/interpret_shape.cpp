// Reference kernels of the ops that make or move elements without changing them.
#include <algorithm>
#include <cstring>

#include "tetrarch/graph/constants.h"
#include "tetrarch/graph/interpret.h"

namespace tetrarch::tet {
namespace {

Result<Tensor> constantKernel(ConstantOp op, Inputs) { return tensorOf(op.getValue()); }

Result<Tensor> iotaKernel(IotaOp op, Inputs) {
  TET_ASSIGN_OR_RETURN(Tensor out, createLike(op));
  const int64_t dim = op.getIotaDimension();
  const int64_t stride = rowMajorStrides(out.shape())[dim], size = out.shape()[dim];
  for (int64_t i = 0; i < out.count(); ++i) out.setInt(i, i / stride % size);
  return out;
}

Result<Tensor> reshapeKernel(ReshapeOp op, Inputs in) {
  auto owner = std::make_shared<Tensor>(in[0]);
  return Tensor::view(owner->type(), shapeOf(op), owner->data(), owner);
}

Result<Tensor> bitcastConvertKernel(BitcastConvertOp op, Inputs in) {
  TET_ASSIGN_OR_RETURN(Tensor out, createLike(op));
  if (out.bytes() > 0) std::memcpy(out.data(), in[0].data(), out.bytes());
  return out;
}

Result<Tensor> broadcastKernel(BroadcastInDimOp op, Inputs in) {
  TET_ASSIGN_OR_RETURN(Tensor out, createLike(op));
  const std::vector<int64_t> strides = rowMajorStrides(in[0].shape());
  View from{0, std::vector<int64_t>(out.rank(), 0)};
  for (auto [d, dim] : llvm::enumerate(op.getBroadcastDimensions())) {
    if (in[0].shape()[d] != 1) from.strides[dim] = strides[d];
  }
  copyBox(out.shape(), out, wholeOf(out), in[0], from);
  return out;
}

Result<Tensor> transposeKernel(TransposeOp op, Inputs in) {
  TET_ASSIGN_OR_RETURN(Tensor out, createLike(op));
  const std::vector<int64_t> strides = rowMajorStrides(in[0].shape());
  View from{0, {}};
  for (int64_t dim : op.getPermutation()) from.strides.push_back(strides[dim]);
  copyBox(out.shape(), out, wholeOf(out), in[0], from);
  return out;
}

Result<Tensor> reverseKernel(ReverseOp op, Inputs in) {
  TET_ASSIGN_OR_RETURN(Tensor out, createLike(op));
  View from = wholeOf(in[0]);
  for (int64_t dim : op.getDimensions()) {
    from.offset += (in[0].shape()[dim] - 1) * from.strides[dim];
    from.strides[dim] = -from.strides[dim];
  }
  copyBox(out.shape(), out, wholeOf(out), in[0], from);
  return out;
}

Result<Tensor> sliceKernel(SliceOp op, Inputs in) {
  TET_ASSIGN_OR_RETURN(Tensor out, createLike(op));
  View from = wholeOf(in[0]);
  for (int64_t d = 0; d < out.rank(); ++d) {
    from.offset += op.getStartIndices()[d] * from.strides[d];
    from.strides[d] *= op.getStrides()[d];
  }
  copyBox(out.shape(), out, wholeOf(out), in[0], from);
  return out;
}

// The block of shape `block` in `tensor` at the scalars `starts`, moved so that it lies inside.
View blockAt(const Tensor& tensor, const Shape& block, Inputs starts) {
  View view = wholeOf(tensor);
  for (int64_t d = 0; d < tensor.rank(); ++d) {
    const int64_t last = tensor.shape()[d] - block[d];
    // A ui64 start beyond the signed range is beyond the tensor.
    const bool huge = starts[d].type() == ElementType::U64 && starts[d].getInt(0) < 0;
    view.offset += (huge ? last : std::clamp<int64_t>(starts[d].getInt(0), 0, last)) * view.strides[d];
  }
  return view;
}

Result<Tensor> dynamicSliceKernel(DynamicSliceOp op, Inputs in) {
  TET_ASSIGN_OR_RETURN(Tensor out, createLike(op));
  copyBox(out.shape(), out, wholeOf(out), in[0], blockAt(in[0], out.shape(), in.subspan(1)));
  return out;
}

Result<Tensor> dynamicUpdateSliceKernel(DynamicUpdateSliceOp op, Inputs in) {
  TET_ASSIGN_OR_RETURN(Tensor out, createLike(op));
  if (out.bytes() > 0) std::memcpy(out.data(), in[0].data(), out.bytes());
  const Tensor& update = in[1];
  copyBox(update.shape(), out, blockAt(out, update.shape(), in.subspan(2)), update, wholeOf(update));
  return out;
}

Result<Tensor> padKernel(PadOp op, Inputs in) {
  TET_ASSIGN_OR_RETURN(Tensor out, createLike(op));
  copyBox(out.shape(), out, wholeOf(out), in[1], {0, std::vector<int64_t>(out.rank(), 0)});
  // Operand element i lands at low + i * step; keep the range of i that lands inside.
  View to = wholeOf(out), from = wholeOf(in[0]);
  Shape box;
  for (int64_t d = 0; d < out.rank(); ++d) {
    const int64_t low = op.getEdgePaddingLow()[d], step = op.getInteriorPadding()[d] + 1;
    const int64_t first = low >= 0 ? 0 : (-low + step - 1) / step;
    const int64_t room = out.shape()[d] - low;
    const int64_t end = room <= 0 ? 0 : std::min(in[0].shape()[d], (room + step - 1) / step);
    box.push_back(std::max<int64_t>(end - first, 0));
    to.offset += (low + first * step) * to.strides[d];
    to.strides[d] *= step;
    from.offset += first * from.strides[d];
  }
  copyBox(box, out, to, in[0], from);
  return out;
}

Result<Tensor> concatenateKernel(ConcatenateOp op, Inputs in) {
  TET_ASSIGN_OR_RETURN(Tensor out, createLike(op));
  View to = wholeOf(out);
  const int64_t dim = op.getDimension();
  for (const Tensor& input : in) {
    copyBox(input.shape(), out, to, input, wholeOf(input));
    to.offset += input.shape()[dim] * to.strides[dim];
  }
  return out;
}

}  // namespace

void addShapeKernels(KernelTable& table) {
  table.add(constantKernel);
  table.add(iotaKernel);
  table.add(reshapeKernel);
  table.add(bitcastConvertKernel);
  table.add(broadcastKernel);
  table.add(transposeKernel);
  table.add(reverseKernel);
  table.add(sliceKernel);
  table.add(dynamicSliceKernel);
  table.add(dynamicUpdateSliceKernel);
  table.add(padKernel);
  table.add(concatenateKernel);
}

}  // namespace tetrarch::tet
