// Which dim of a nest does what: units, loops, copies, and in which order.
#include <numeric>

#include "tetrarch/compile/target/fpga/nest_kernel.h"

namespace tetrarch::fpga {
namespace {

using compile::TileAccess;
using compile::TileBuffer;
using llvm::ArrayRef;
using Role = Dim::Role;

// A run shorter than this is mostly the filling of its pipeline.
constexpr int64_t kUnitIterations = 1 << 14;

int64_t productOf(ArrayRef<int64_t> factors) {
  return std::accumulate(factors.begin(), factors.end(), int64_t{1}, std::multiplies<>());
}

int64_t divisorUpTo(int64_t number, int64_t most) {
  int64_t divisor = std::min(number, most);
  while (number % divisor != 0) --divisor;
  return divisor;
}

int64_t divisorFrom(int64_t number, int64_t least) {
  int64_t divisor = std::min(number, least);
  while (number % divisor != 0) ++divisor;
  return divisor;
}

// The dim's last `inner` indices become copies.
void unroll(StageLoops& loops, size_t dim, int64_t copies) {
  const int64_t inner = divisorUpTo(loops.dims[dim].extent, copies);
  if (inner == 1) return;
  loops.split(dim, inner);
  loops.dims[dim + 1].role = Role::Copy;
}

// Copies of the parallel loop along which results lie side by side, and of the innermost reduced one.
void unroll(StageLoops& loops, const Fold& fold) {
  int parallel = -1, reduced = -1;
  auto stride = [&](size_t d) { return loops.nest.outputs[0].strides[d]; };
  for (size_t d = 0; d < loops.dims.size(); ++d) {
    if (loops.dims[d].role != Role::Loop || loops.dims[d].extent == 1) continue;
    if (loops.dims[d].is_reduction) {
      reduced = d;
    } else if (parallel < 0 || stride(d) <= stride(parallel)) {
      parallel = d;
    }
  }
  if (reduced >= 0) unroll(loops, reduced, fold.steps);
  if (parallel >= 0) unroll(loops, parallel, fold.lanes);
}

// Parallel loops inside of the reduced ones, so many that a sum's turn comes again after `cells` iterations.
void interleave(StageLoops& loops, int64_t cells) {
  if (!loops.reduces()) return;
  for (size_t d = loops.dims.size(); d-- > 0 && cells > 1;) {
    const Dim dim = loops.dims[d];
    if (dim.role != Role::Loop || dim.is_reduction || dim.extent == 1) continue;
    const int64_t inner = divisorFrom(dim.extent, cells);
    cells = (cells + inner - 1) / inner;
    if (inner == dim.extent) {
      loops.move(d, loops.dims.size() - 1);
    } else {
      loops.split(d, inner);
      loops.move(d + 1, loops.dims.size() - 1);
    }
  }
}

}  // namespace

// A chain's rows are units, but for those that take turns in its sums, and for those whose index it computes
// with.
void NestKernel::chooseRows(int64_t cells) {
  size_t rows = plan_.row_shape.size();
  if (rows == 0) return;
  size_t kept = rows;  // row dims from here on stay loops
  for (StageLoops& loops : stages_) {
    for (size_t d = 0; d < rows; ++d) {
      if (loops.isIndexed(d)) kept = std::min(kept, d);
    }
  }
  if (kept == rows && cells > 1) {
    const int64_t inner = divisorFrom(plan_.row_shape.back(), cells);
    for (StageLoops& loops : stages_) loops.split(rows - 1, inner);
    plan_.row_shape.back() /= inner;
    plan_.row_shape.push_back(inner);
    ++rows;
  }
  for (StageLoops& loops : stages_) {
    int64_t copies = 1;
    for (size_t d = rows; d-- > 0;) {
      if (d < kept) {
        loops.dims[d].role = Role::Unit;
        continue;
      }
      loops.nest.forEachAccess([&](TileAccess& access) {
        const TileBuffer& buffer = plan_.buffers[access.buffer];
        if (buffer.kind == TileBuffer::Kind::kTemporary) access.strides[d] = copies * buffer.count;
      });
      copies *= loops.dims[d].extent;
    }
  }
  const int64_t copies = productOf(ArrayRef(plan_.row_shape).drop_front(kept));
  for (TileBuffer& buffer : plan_.buffers) {
    if (buffer.kind == TileBuffer::Kind::kTemporary) buffer.count *= copies;
  }
  units_.assign(plan_.row_shape.begin(), plan_.row_shape.begin() + kept);
}

// Whether all that the stage reads from memories can be filled anew for each index of the dim.
bool NestKernel::canBeUnit(const StageLoops& loops, size_t dim) const {
  if (loops.dims[dim].is_reduction || loops.isIndexed(dim)) return false;
  bool good = true;
  loops.nest.forEachAccess([&](const TileAccess& access) {
    const TileBuffer& buffer = plan_.buffers[access.buffer];
    if (buffer.kind != TileBuffer::Kind::kPadded || access.strides[dim] == 0) return;
    const compile::TilePadding& pad = plan_.pads[buffer.index];
    int64_t stride = pad.lines * pad.line;
    bool is_leading = false;
    for (size_t j = 0; j < pad.shape.size() && pad.shape[j] == pad.source_shape[j]; ++j) {
      stride /= pad.shape[j];
      is_leading |= stride == access.strides[dim] && pad.shape[j] == loops.dims[dim].extent;
    }
    good &= is_leading;
  });
  return good;
}

// Cuts the task where a run of a part is still long.
void NestKernel::chooseUnits(StageLoops& loops) {
  bool gathers = false;
  for (mlir::Block* block :
       {loops.nest.body.block, loops.nest.epilogue ? loops.nest.epilogue->block : nullptr})
    gathers |= block && !block->getOps<mlir::tensor::ExtractOp>().empty();
  if (gathers) return;  // the whole table would come for each unit
  for (size_t d = 0; d < loops.dims.size() && loops.dims[d].role == Role::Loop && canBeUnit(loops, d); ++d) {
    if (loops.dims[d].extent == 1) continue;
    if (loops.dims[d].lead > 0) return;
    const int64_t rest = loops.count(Role::Loop) / loops.dims[d].extent;
    if (rest >= kUnitIterations) {
      loops.dims[d].role = Role::Unit;
      units_.push_back(loops.dims[d].extent);
      continue;
    }
    const int64_t inner = divisorFrom(loops.dims[d].extent, (kUnitIterations + rest - 1) / rest);
    const bool slides = llvm::any_of(loops.dims, [](const Dim& dim) { return dim.lead > 0; });
    if (inner == loops.dims[d].extent || !plan_.pads.empty() || slides) return;
    loops.split(d, inner);
    loops.dims[d].role = Role::Unit;
    units_.push_back(loops.dims[d].extent);
    return;
  }
}

// Unrolls the loops over windows. What lies beyond edges is in no memory: it must come from a window.
Result<bool> NestKernel::slideWindows(StageLoops& loops) const {
  for (const EdgeWindow& edge : edges_) {
    for (const Shifts& place : edge.places()) loops.taps.push_back(edge.accessAt(place, loops.dims.size()));
  }
  const bool slides = slide(loops, plan_);
  if (edges_.empty()) return slides;
  const std::vector<SlidingWindow> windows = findWindows(loops, plan_);
  for (const EdgeWindow& edge : edges_) {
    const bool is_window = llvm::any_of(windows, [&](const auto& it) { return it.buffer == edge.buffer; });
    if (!slides || !is_window) return propagate(unimplemented("its loops do not follow what they read"));
  }
  return true;
}

Status NestKernel::choose(const Fold& fold) {
  resident_ = fold.resident;
  if (fold.slides) edges_ = padEdges(plan_);
  for (const compile::TileNest& nest : plan_.nests) {
    std::vector<StageLoops> parts = StageLoops::withoutPanels(StageLoops(nest));
    stages_.insert(stages_.end(), std::make_move_iterator(parts.begin()),
                   std::make_move_iterator(parts.end()));
  }
  const bool chain = plan_.isChain();
  if (chain) chooseRows(fold.cells);
  bool any_slides = false;
  for (StageLoops& loops : stages_) {
    bool slides = false;
    if (fold.slides && !chain) {
      TET_ASSIGN_OR_RETURN(slides, slideWindows(loops));
    }
    if (!slides && !chain) unroll(loops, fold);
    if (stages_.size() == 1) chooseUnits(loops);
    interleave(loops, fold.cells);
    any_slides |= slides;
  }
  if (fold.slides && !any_slides) return unimplemented("no window slides in it");
  return {};
}

}  // namespace tetrarch::fpga
