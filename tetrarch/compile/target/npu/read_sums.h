// What stands behind sums of the bf16 kind: any elementwise code, as a program of the vector unit.
#pragma once

#include "tetrarch/compile/target/npu/npu_task.h"
#include "tetrarch/compile/target/npu/vector_program.h"
#include "tetrarch/compile/tile/nest.h"

namespace tetrarch::npu {

// The program and where in DRAM it finds what it reads: tensors read by element begin where the result of the
// task does, and are laid out like it.
struct SumsEpilogue {
  VectorProgram program;
  std::vector<int64_t> operands;
  int64_t constants = 0;
};

// Of a nest with an epilogue, whose columns are its last parallel loop; `group_dim` is the loop over groups
// of a convolution, each of which has columns of its own, or -1. Unimplemented with the reason.
Result<SumsEpilogue> readSumsEpilogue(const compile::TileNestPlan& plan, const compile::TileNest& nest,
                                      int group_dim, const Config& config, TaskMemory& memory);

}  // namespace tetrarch::npu
