#include "tetrarch/compile/target/fpga/stage_loops.h"

#include "llvm/ADT/STLExtras.h"

namespace tetrarch::fpga {
namespace {

using compile::TileAccess;

// Each linalg.index of a body as an access with stride 1 along its dim.
std::vector<TileAccess> indicesOf(const compile::TileBody& body, size_t dims) {
  std::vector<TileAccess> indices;
  for (unsigned dim : body.dim_of_index) {
    TileAccess index;
    index.strides.assign(dims, 0);
    index.strides[dim] = 1;
    indices.push_back(std::move(index));
  }
  return indices;
}

bool usesIndex(const compile::TileBody& body, size_t index) {
  return llvm::any_of(body.block->getOps<mlir::linalg::IndexOp>(),
                      [&](mlir::linalg::IndexOp op) { return op.getDim() == index; });
}

}  // namespace

StageLoops::StageLoops(const compile::TileNest& source) : nest(source) {
  for (size_t d = 0; d < nest.extents.size(); ++d)
    dims.push_back({.extent = nest.extents[d], .is_reduction = d >= nest.parallel});
  indices[0] = indicesOf(nest.body, dims.size());
  if (nest.epilogue) indices[1] = indicesOf(*nest.epilogue, dims.size());
}

void StageLoops::forEachAccess(llvm::function_ref<void(TileAccess&)> f) {
  nest.forEachAccess(f);
  llvm::for_each(taps, f);
  for (auto& list : indices) llvm::for_each(list, f);
}

StageLoops StageLoops::part(size_t dim, int64_t begin, int64_t end) const {
  StageLoops part = *this;
  part.dims[dim].extent = end - begin;
  part.forEachAccess([&](TileAccess& access) {
    access.offset += access.panel_dim == static_cast<int>(dim) ? begin / compile::kPanel * access.panel_stride
                                                               : begin * access.strides[dim];
  });
  return part;
}

std::vector<StageLoops> StageLoops::withoutPanels(StageLoops loops) {
  int dim = -1;
  loops.forEachAccess([&](TileAccess& access) { dim = std::max(dim, access.panel_dim); });
  if (dim < 0) return {std::move(loops)};
  const int64_t extent = loops.dims[dim].extent, full = extent / compile::kPanel * compile::kPanel;
  auto withoutDim = [&](StageLoops part) {  // one panel, or whole ones
    const int64_t inner = std::min(part.dims[dim].extent, compile::kPanel);
    llvm::SmallVector<int64_t> panel_strides;
    part.forEachAccess([&](TileAccess& access) {
      panel_strides.push_back(access.panel_dim == dim ? access.panel_stride : access.strides[dim] * inner);
      if (access.panel_dim == dim) access.panel_dim = -1;
    });
    part.split(dim, inner);
    size_t next = 0;
    part.forEachAccess([&](TileAccess& access) { access.strides[dim] = panel_strides[next++]; });
    return withoutPanels(std::move(part));
  };
  std::vector<StageLoops> parts;
  for (auto [begin, end] : {std::pair{int64_t{0}, full}, std::pair{full, extent}}) {
    if (begin < end) llvm::append_range(parts, withoutDim(loops.part(dim, begin, end)));
  }
  return parts;
}

void StageLoops::split(size_t dim, int64_t inner) {
  Dim within = dims[dim];
  within.extent = inner;
  dims[dim].extent /= inner;
  dims.insert(dims.begin() + dim + 1, within);
  forEachAccess([&](TileAccess& access) {
    const int64_t stride = access.strides[dim];
    access.strides[dim] *= inner;
    access.strides.insert(access.strides.begin() + dim + 1, stride);
    if (access.panel_dim > static_cast<int>(dim)) ++access.panel_dim;
  });
}

void StageLoops::move(size_t from, size_t to) {
  auto rotate = [&](auto& list) {
    if (from < to) {
      std::rotate(list.begin() + from, list.begin() + from + 1, list.begin() + to + 1);
    } else {
      std::rotate(list.begin() + to, list.begin() + from, list.begin() + from + 1);
    }
  };
  rotate(dims);
  forEachAccess([&](TileAccess& access) { rotate(access.strides); });
}

int64_t StageLoops::count(Dim::Role role) const {
  int64_t count = 1;
  for (const Dim& dim : dims) count *= dim.role == role ? dim.extent : 1;
  return count;
}

bool StageLoops::reduces() const {
  return llvm::any_of(dims, [](const Dim& dim) { return dim.is_reduction; });
}

bool StageLoops::isIndexed(size_t dim) const {
  auto moves = [&](const std::vector<TileAccess>& list, const compile::TileBody& body) {
    for (size_t i = 0; i < list.size(); ++i) {
      if (list[i].strides[dim] != 0 && usesIndex(body, i)) return true;
    }
    return false;
  };
  return moves(indices[0], nest.body) || (nest.epilogue && moves(indices[1], *nest.epilogue));
}

std::vector<std::vector<int64_t>> StageLoops::copies(bool reduction) const {
  std::vector<std::vector<int64_t>> all = {std::vector<int64_t>(dims.size(), 0)};
  for (size_t d = 0; d < dims.size(); ++d) {
    if (dims[d].role != Dim::Role::Copy || dims[d].is_reduction != reduction) continue;
    std::vector<std::vector<int64_t>> longer;
    for (const auto& copy : all) {
      for (int64_t i = 0; i < dims[d].extent; ++i) {
        longer.push_back(copy);
        longer.back()[d] = i;
      }
    }
    all = std::move(longer);
  }
  return all;
}

}  // namespace tetrarch::fpga
