// How a stage gets windows that slide: a stream, delays of it, and beyond edges what stands for them.
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "tetrarch/compile/target/fpga/nest_kernel.h"

namespace tetrarch::fpga {
namespace {

namespace arith = mlir::arith;
using compile::TileAccess;
using compile::TileBuffer;
using llvm::ArrayRef;
using llvm::SmallVector;
using mlir::Value;
using Role = Dim::Role;

// A range of a loop's places in a box. REQUIRES: whole steps of the window.
void appendPlaces(SmallVector<int64_t>& box, const Dim& dim, int64_t low, int64_t high) {
  box.append({low / dim.stride, high / dim.stride});
  if (dim.stride > 1) box.append({0, dim.stride});
}

}  // namespace

// The streams of windows: an element for each iteration in which the image goes on.
void NestKernel::openWindows(const StageLoops& loops) {
  windows_.clear();
  if (llvm::none_of(loops.dims, [](const Dim& dim) { return dim.lead > 0; })) return;
  for (SlidingWindow& window : findWindows(loops, plan_)) {
    OpenWindow open{.window = std::move(window)};
    const SlidingWindow& it = open.window;
    const TileBuffer& buffer = plan_.buffers[it.buffer];
    const auto* pad = buffer.kind == TileBuffer::Kind::kPadded ? &plan_.pads[buffer.index] : nullptr;
    TileAccess access;  // of the source, as a stage without lead would read it
    access.offset = pad ? 0 : it.rest;
    access.strides.assign(loops.dims.size(), 0);
    SmallVector<int64_t> extents, strides;
    for (size_t d = 0; d < loops.dims.size(); ++d) {
      const Dim& dim = loops.dims[d];
      if (dim.role == Role::Copy) continue;
      const ImageRange range = imageRange(it, loops, plan_, d);
      access.strides[d] = range.stride;
      if (dim.role == Role::Unit) continue;
      const int64_t begin = dim.lead - it.reach[d];
      appendPlaces(open.box, dim, begin + range.from, begin + range.to);
      extents.push_back(range.to - range.from);
      strides.push_back(range.stride);
      access.offset += (range.place + range.from) * range.stride;
    }
    if (pad) open.padding = pad->value;
    open.beats = port(false, pad ? pad->source : it.buffer, 1, access.offset, unitStrides(access, loops),
                      extents, strides);
    windows_.push_back(std::move(open));
  }
}

// The window's value at some shifts, each dim from `dim` on kept inside of the tensor: beyond an edge stands
// the place next to it that is further in.
Value NestKernel::beyondEdges(const EdgeWindow& edge, const StageLoops& loops, Shifts shifts, size_t dim) {
  if (dim == shifts.size()) {
    const auto open =
        llvm::find_if(windows_, [&](const auto& it) { return it.window.buffer == edge.buffer; });
    return open->taps.at(edge.offsetOf(shifts));
  }
  const int64_t shift = shifts[dim], extent = edge.shape[dim];
  const auto at = [&](int64_t value) {
    shifts[dim] = value;
    return beyondEdges(edge, loops, shifts, dim + 1);
  };
  if (edge.dims[dim] < 0) return at(shift);
  // `there` while the loop's index is in [low, high), else `nearer`.
  const auto choose = [&](int64_t low, int64_t high, Value there, Value nearer) -> Value {
    SmallVector<int64_t> box;
    for (size_t d = 0; d < loops.dims.size(); ++d) {
      const Dim& it = loops.dims[d];
      if (it.role != Role::Loop) continue;
      const bool cut = static_cast<int>(d) == edge.dims[dim];
      box.append({cut ? std::max<int64_t>(0, it.lead + low) : 0, it.lead + (cut ? high : it.extent)});
    }
    Value inside = flow::InsideOp::create(b_, loc_, b_.getI1Type(), box);
    return arith::SelectOp::create(b_, loc_, inside, there, nearer);
  };
  const int64_t iterations = loops.dims[edge.dims[dim]].extent;
  const auto belowEnd = [&](int64_t value) {
    int64_t inside = std::min(value, extent - iterations);
    Value result = at(inside);
    while (inside++ < value) result = choose(0, extent - inside, at(inside), result);
    return result;
  };
  int64_t inside = std::max<int64_t>(shift, 0);
  Value result = belowEnd(inside);
  while (inside-- > shift) result = choose(-inside, iterations, belowEnd(inside), result);
  return result;
}

// The values at the taps, each a delay of the one that comes after it in the image.
void NestKernel::fillTaps(const StageLoops& loops) {
  SmallVector<int64_t> steps(loops.dims.size(), 0);  // iterations from an index of a dim to the next
  for (int64_t d = static_cast<int64_t>(loops.dims.size()) - 1, step = 1; d >= 0; --d) {
    if (loops.dims[d].role != Role::Loop) continue;
    steps[d] = step;
    step *= loops.dims[d].iterations();
  }
  for (OpenWindow& open : windows_) {
    const mlir::Type element = elementOf(open.window.buffer);
    Value value = flow::PopOp::create(b_, loc_, element, open.beats, 0, b_.getDenseI64ArrayAttr(open.box));
    if (open.padding) {  // else edges are chosen where a value is used
      Value inside = flow::InsideOp::create(b_, loc_, b_.getI1Type(), open.box);
      value =
          arith::SelectOp::create(b_, loc_, inside, value, arith::ConstantOp::create(b_, loc_, open.padding));
    }
    std::multimap<int64_t, int64_t> by_delay;
    for (int64_t tap : open.window.taps) {
      const std::vector<int64_t> place = open.window.placeOf(tap);
      int64_t delay = 0;
      for (size_t d = 0; d < place.size(); ++d) delay += (open.window.reach[d] - place[d]) * steps[d];
      by_delay.emplace(delay, tap);
    }
    int64_t now = 0;
    for (auto [delay, tap] : by_delay) {
      if (delay > now) value = flow::DelayOp::create(b_, loc_, element, value, delay - now);
      now = delay;
      open.taps[tap] = value;
    }
  }
}

}  // namespace tetrarch::fpga
