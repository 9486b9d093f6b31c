#include "tetrarch/compile/target/fpga/sliding_window.h"

#include <algorithm>
#include <map>
#include <numeric>

#include "llvm/ADT/STLExtras.h"

namespace tetrarch::fpga {
namespace {

using compile::TileAccess;
using compile::TileBuffer;
using compile::TileInput;

// A window that moves further in a step misses most of its image.
constexpr int64_t kMostStride = 4;

bool isLoop(const Dim& dim) { return dim.role == Dim::Role::Loop && dim.extent > 1; }

// Whether the loops go through the buffer in its own order.
bool followsLoops(const StageLoops& loops, const TileAccess& access) {
  int64_t outer = std::numeric_limits<int64_t>::max();
  for (size_t d = 0; d < loops.dims.size(); ++d) {
    if (!isLoop(loops.dims[d])) continue;
    const int64_t stride = access.strides[d] / loops.dims[d].stride;
    if (access.strides[d] % loops.dims[d].stride != 0) return false;
    if (stride <= 0 || stride >= outer || loops.dims[d].is_reduction) return false;
    outer = stride;
  }
  return true;
}

bool sameLoops(const StageLoops& loops, const TileAccess& a, const TileAccess& b) {
  for (size_t d = 0; d < loops.dims.size(); ++d) {
    if (loops.dims[d].role != Dim::Role::Copy && a.strides[d] != b.strides[d]) return false;
  }
  return true;
}

// What the body reads of each buffer that a stream could bring.
std::map<unsigned, std::vector<const TileAccess*>> readsOf(const StageLoops& loops,
                                                           const compile::TileNestPlan& plan) {
  std::map<unsigned, std::vector<const TileAccess*>> reads;
  const auto add = [&](const TileAccess& access) {
    const auto kind = plan.buffers[access.buffer].kind;
    if (kind == TileBuffer::Kind::kOperand || kind == TileBuffer::Kind::kPadded)
      reads[access.buffer].push_back(&access);
  };
  for (const compile::TileInput& input : loops.nest.body.inputs) {
    if (const auto* access = std::get_if<TileAccess>(&input)) add(*access);
  }
  llvm::for_each(loops.taps, add);
  return reads;
}

std::vector<int64_t> tapsOf(const StageLoops& loops, const std::vector<const TileAccess*>& accesses) {
  std::vector<int64_t> taps;
  for (const TileAccess* access : accesses) {
    for (const auto& copy : loops.copies(/*reduction=*/false)) {
      for (const auto& step : loops.copies(/*reduction=*/true)) {
        int64_t tap = access->offset;
        for (size_t d = 0; d < copy.size(); ++d) tap += (copy[d] + step[d]) * access->strides[d];
        taps.push_back(tap);
      }
    }
  }
  llvm::sort(taps);
  taps.erase(llvm::unique(taps), taps.end());
  return taps;
}

// An offset as a number of strides of each loop; what is left over comes last.
std::vector<int64_t> digitsOf(const StageLoops& loops, const std::vector<int64_t>& strides, int64_t offset) {
  std::vector<int64_t> digits(strides.size() + 1, 0);
  for (size_t d = 0; d < strides.size(); ++d) {
    if (!isLoop(loops.dims[d])) continue;
    digits[d] = offset / strides[d];
    offset %= strides[d];
  }
  digits.back() = offset;
  return digits;
}

// Whether the loops name each padded dim, so that the border is a box of them.
bool namesPadding(const StageLoops& loops, const SlidingWindow& window, const compile::TilePadding& pad) {
  if (window.rest != 0) return false;
  int64_t stride = pad.lines * pad.line;
  for (size_t j = 0; j < pad.shape.size(); ++j) {
    stride /= pad.shape[j];
    if (pad.shape[j] == 1) continue;
    bool named = false;
    for (size_t d = 0; d < loops.dims.size(); ++d) {
      const bool is_unit = loops.dims[d].role == Dim::Role::Unit && pad.shape[j] == pad.source_shape[j];
      named |= (is_unit || isLoop(loops.dims[d])) && window.strides[d] == stride;
    }
    if (!named) return false;
  }
  return true;
}

int64_t productOf(llvm::ArrayRef<int64_t> factors) {
  return std::accumulate(factors.begin(), factors.end(), int64_t{1}, std::multiplies<>());
}

// Of the first access to the buffer, along a dim.
int64_t strideOf(const StageLoops& loops, unsigned buffer, size_t dim) {
  for (const TileInput& input : loops.nest.body.inputs) {
    const auto* access = std::get_if<TileAccess>(&input);
    if (access && access->buffer == buffer) return access->strides[dim];
  }
  return 0;
}

// [from, to) of a padded dim, counted from `place`, without what is padding; its stride in the source.
// `place` becomes one of the source.
int64_t cropToSource(const compile::TilePadding& pad, int64_t stride, int64_t& from, int64_t& to,
                     int64_t& place) {
  int64_t padded = pad.lines * pad.line, source = productOf(pad.source_shape);
  for (size_t j = 0; j < pad.shape.size(); ++j) {
    padded /= pad.shape[j];
    source /= pad.source_shape[j];
    if (padded != stride || pad.shape[j] == 1) continue;
    place -= pad.low[j];
    from = std::max<int64_t>(from, -place);
    to = std::min(to, pad.source_shape[j] - place);
    return source;
  }
  from = 0, to = 1, place = 0;  // a dim of one
  return 0;
}

// How many places of its image a window moves by along each loop: places lie as far apart as the window's
// own.
void findStrides(StageLoops& loops, const compile::TileNestPlan& plan) {
  for (const auto& [buffer, accesses] : readsOf(loops, plan)) {
    const auto& strides = accesses[0]->strides;
    for (size_t d = 0; d < loops.dims.size(); ++d) {
      if (!isLoop(loops.dims[d]) || strides[d] <= 0) continue;
      int64_t place = 0;
      for (size_t w = 0; w < loops.dims.size(); ++w) {
        const bool divides = strides[w] > 0 && strides[d] % strides[w] == 0;
        if (loops.dims[w].role == Dim::Role::Copy && divides) place = std::max(place, strides[w]);
      }
      if (place > 0 && strides[d] / place <= kMostStride) loops.dims[d].stride = strides[d] / place;
    }
  }
}

// Lets loops begin so much earlier that the first window is whole when it is needed, and that an image begins
// and ends with a step of its window. False when it cannot.
bool align(StageLoops& loops, const std::vector<SlidingWindow>& windows, const compile::TileNestPlan& plan) {
  for (size_t d = 0; d < loops.dims.size(); ++d) {
    Dim& dim = loops.dims[d];
    if (dim.role != Dim::Role::Loop) continue;
    for (const SlidingWindow& window : windows) dim.lead = std::max(dim.lead, window.reach[d]);
    const auto isAligned = [&](const SlidingWindow& window) {
      const ImageRange range = imageRange(window, loops, plan, d);
      return (dim.lead - window.reach[d] + range.from) % dim.stride == 0 &&
             (range.to - range.from) % dim.stride == 0;
    };
    int64_t tries = dim.stride;
    while (!llvm::all_of(windows, isAligned) && --tries > 0) ++dim.lead;
    if (tries == 0) return false;
    dim.tail = (dim.stride - dim.lead % dim.stride) % dim.stride;
  }
  return true;
}

}  // namespace

std::vector<int64_t> SlidingWindow::placeOf(int64_t tap) const {
  std::vector<int64_t> place(strides.size(), 0);
  for (size_t d = 0; d < strides.size(); ++d) {
    if (strides[d] == 0) continue;
    place[d] = tap / strides[d] - first[d];
    tap %= strides[d];
  }
  return place;
}

std::vector<SlidingWindow> findWindows(const StageLoops& loops, const compile::TileNestPlan& plan) {
  std::vector<SlidingWindow> windows;
  for (const auto& [buffer, accesses] : readsOf(loops, plan)) {
    SlidingWindow window{.buffer = buffer, .taps = tapsOf(loops, accesses)};
    const bool fits = llvm::all_of(accesses, [&](const TileAccess* access) {
      return followsLoops(loops, *access) && sameLoops(loops, *access, *accesses[0]);
    });
    if (!fits || window.taps.size() < 2) continue;
    for (size_t d = 0; d < loops.dims.size(); ++d)
      window.strides.push_back(isLoop(loops.dims[d]) ? accesses[0]->strides[d] / loops.dims[d].stride : 0);
    std::vector<int64_t> low = digitsOf(loops, window.strides, window.taps[0]), high = low;
    bool same_rest = true;
    for (int64_t tap : window.taps) {
      const std::vector<int64_t> digits = digitsOf(loops, window.strides, tap);
      same_rest &= digits.back() == low.back();
      for (size_t d = 0; d + 1 < digits.size(); ++d) {
        low[d] = std::min(low[d], digits[d]);
        high[d] = std::max(high[d], digits[d]);
      }
    }
    window.rest = low.back();
    for (size_t d = 0; d + 1 < low.size(); ++d) {
      window.first.push_back(low[d]);
      window.reach.push_back(high[d] - low[d]);
    }
    // A place of the image that is not next to its neighbours was no coordinate.
    for (size_t d = 0; d < loops.dims.size(); ++d)
      same_rest &= window.reach[d] <= loops.dims[d].extent * loops.dims[d].stride;
    if (!same_rest) continue;
    if (plan.buffers[buffer].kind == TileBuffer::Kind::kPadded) {
      SlidingWindow named = window;
      for (size_t d = 0; d < loops.dims.size(); ++d)
        named.strides[d] = accesses[0]->strides[d] / loops.dims[d].stride;
      if (!namesPadding(loops, named, plan.pads[plan.buffers[buffer].index])) continue;
    }
    windows.push_back(std::move(window));
  }
  return windows;
}

ImageRange imageRange(const SlidingWindow& window, const StageLoops& loops, const compile::TileNestPlan& plan,
                      size_t d) {
  const Dim& dim = loops.dims[d];
  const int64_t stride = dim.role == Dim::Role::Loop ? window.strides[d] : strideOf(loops, window.buffer, d);
  ImageRange range{
      .to = (dim.extent - 1) * dim.stride + 1 + window.reach[d], .place = window.first[d], .stride = stride};
  const TileBuffer& buffer = plan.buffers[window.buffer];
  if (buffer.kind == TileBuffer::Kind::kPadded)
    range.stride = cropToSource(plan.pads[buffer.index], stride, range.from, range.to, range.place);
  return range;
}

bool slide(StageLoops& loops, const compile::TileNestPlan& plan) {
  StageLoops slid = loops;
  int64_t steps = 1;
  for (Dim& dim : slid.dims) {
    if (!dim.is_reduction) continue;
    steps *= dim.extent;
    dim.role = Dim::Role::Copy;
  }
  if (steps > kMostTaps) return false;
  findStrides(slid, plan);
  const std::vector<SlidingWindow> windows = findWindows(slid, plan);
  if (windows.empty() || !align(slid, windows, plan)) return false;
  loops = std::move(slid);
  return true;
}

}  // namespace tetrarch::fpga
