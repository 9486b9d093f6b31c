// The middle that all GPU targets share: a tiled task as kernels of the gpu dialect, one work-item a register
// tile.
//
// A task becomes one or several passes, each a launch of one kernel: fills of padded operands into the
// workspace first, then the task itself. What a target's last step must know to launch them is in MappedTask.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "tetrarch/base/status.h"
#include "tetrarch/compile/code_generator.h"
#include "tetrarch/compile/tile/tile.h"

namespace tetrarch::compile::gpu {

struct MappedArgument {
  enum class Kind { Buffer, Workspace, ItemEnd } kind;
  int64_t buffer = 0;  // of the task: operands, then results
};

struct MappedPass {
  std::string kernel;       // name of the gpu.func
  bool whole = false;       // all of it in every launch; else the work-items of the launch's units
  int64_t items = 1;        // work-items of a unit, or of the whole; those at or beyond ItemEnd do nothing
  int64_t local_items = 0;  // work-group size; 0: the device's choice
  std::vector<MappedArgument> arguments;
};

struct MappedTask {
  int64_t units = 1;
  int64_t rows = 0, row_tile = 1;  // see KernelEntry
  int64_t workspace_bytes = 0;
  int64_t buffers = 0;
  std::vector<MappedPass> passes;
};

// How GPUs want their tiles: vectors of `vector_bytes`, of which a work-item may hold `registers`.
TileTarget tileTarget(int64_t registers);

// A task cut for work-items: `plan`'s units are one work-item each, or, where `group` is set, one row is
// computed by that many work-items, which reduce over it in local memory.
struct Cut {
  TilePlan plan;
  int64_t group = 0;
  int64_t local = 0;  // work-group size; 0: the device's choice
};
Cut cutByItems(TilePlan plan);
// The same rows by work-groups of `items`, a power of two, where the task reduces over rows and a group's
// local memory holds what they need.
std::optional<Cut> cutByGroups(const TilePlan& plan, int64_t items);

// Adds the kernels of `task`, cut as `cut` says, to `module`; their names begin with `prefix`.
Result<MappedTask> mapTask(const Task& task, const Cut& cut, const std::string& prefix,
                           mlir::gpu::GPUModuleOp module);

// Whatever the block holds, statement by statement (gpu_general.cpp): gathers, scatters, slices, and what
// else tiles cannot express. Unimplemented where the data alone says how long a loop runs, and where too much
// would be done by one work-item.
Result<MappedTask> mapGeneral(const Task& task, const std::string& prefix, mlir::gpu::GPUModuleOp module);

// Folds and hoists within all kernels of `module`, which must be valid then.
Status cleanUp(mlir::gpu::GPUModuleOp module);

}  // namespace tetrarch::compile::gpu
