// A nest of a task on its way to a stage: its dims get an order and a role each.
#pragma once

#include <array>
#include <vector>

#include "tetrarch/compile/tile/nest.h"

namespace tetrarch::fpga {

struct Dim {
  enum class Role {
    Unit,  // a digit of Kernel::units
    Loop,  // a loop of the stage
    Copy,  // unrolled: as many times the hardware
  };
  int64_t extent = 1;
  bool is_reduction = false;
  Role role = Role::Loop;
  // A window moves by so many places of its image from an index to the next: the loop has an iteration for
  // each place, and results are those of the place where an index is.
  int64_t stride = 1;
  int64_t lead = 0, tail = 0;  // iterations before index 0, in which a window fills, and after the last

  int64_t iterations() const { return lead + extent * stride + tail; }
};

// The dims of a TileNest, which may be split and ordered anew; its accesses follow.
class StageLoops {
 public:
  explicit StageLoops(const compile::TileNest& nest);

  // Without panels: a dim that packed operands cut into panels is split, and what is left beyond the last
  // full panel becomes loops of its own.
  static std::vector<StageLoops> withoutPanels(StageLoops loops);

  // Dim `dim` becomes (extent / inner, inner). REQUIRES: inner divides the extent, and no panels.
  void split(size_t dim, int64_t inner);
  void move(size_t from, size_t to);

  // Iterations of the dims of a role.
  int64_t count(Dim::Role role) const;
  bool reduces() const;
  // Whether linalg.index of either body moves along the dim.
  bool isIndexed(size_t dim) const;
  // Coordinates of all copies, the last dim fastest; 0 where the dim is no copy. `reduction` asks for those
  // of reduced dims, else for those of parallel ones.
  std::vector<std::vector<int64_t>> copies(bool reduction) const;

  std::vector<Dim> dims;
  compile::TileNest nest;                 // its accesses have one stride a dim; its extents are stale
  std::vector<compile::TileAccess> taps;  // what the body reads beside its operands
  // linalg.index i of the body, and of the epilogue, as an offset and strides.
  std::array<std::vector<compile::TileAccess>, 2> indices;

 private:
  void forEachAccess(llvm::function_ref<void(compile::TileAccess&)> f);
  StageLoops part(size_t dim, int64_t begin, int64_t end) const;
};

}  // namespace tetrarch::fpga
