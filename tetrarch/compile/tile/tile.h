// From a task to the loops of one of its units. Shared by the targets that run vector code: CPU and GPU.
//
// planTile() reads a task's block as a chain of strided loop nests (contractions, windows, reductions,
// elementwise, rows) and cuts the parallel loops into units; emitUnit() writes one unit as scf, arith, math,
// vector and memref ops that go straight from input buffers to output buffers. Accumulators live in
// registers, the elementwise tail of a contraction is computed on them before they are stored once. What a
// nest cannot express is Unimplemented; the caller then takes another way (the CPU target has a general one).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "mlir/IR/Builders.h"
#include "mlir/IR/Value.h"
#include "tetrarch/base/status.h"
#include "tetrarch/compile/tile/dot.h"

namespace tetrarch::compile {

// The processor, as far as tiles care.
struct TileTarget {
  int64_t vector_bytes = 32;      // of one register, or of the widest vector worth loading
  int64_t vector_registers = 16;  // how many a tile may count on
  int64_t cache_bytes = 1 << 20;  // of one core's private cache
  int64_t workers = 2;  // units to make at least, where the task is big enough, is a small multiple of it
  // False: padded operands are not copied per unit but read from a workspace that emitPad() filled before.
  bool pad_in_scratch = true;
  // A unit is exactly one register tile (one work-item); otherwise a block of tiles.
  bool unit_is_tile = false;
  // How products of bytes are summed; null: one at a time. Must outlive all plans.
  const TileDot* dot = nullptr;
};

// How to tile one task; 0 means "choose for me".
struct TileChoice {
  int64_t rows = 0;          // of the register tile
  int64_t vectors = 0;       // registers side by side in a row of the tile
  int64_t unit_rows = 0;     // rows of a unit
  int64_t unit_columns = 0;  // columns of a unit; a multiple of rows' width is used
  bool operator==(const TileChoice&) const = default;
};
std::string toString(const TileChoice& choice);  // "rows=6 vectors=2 unit_rows=96 unit_columns=64"
Result<TileChoice> tileChoiceFromString(std::string_view text);

// An operand that is read with constant padding around it, when pad_in_scratch is false: `bytes` of workspace
// at `offset`, filled by emitPad() over `units` units, before any unit of the task runs.
struct TilePad {
  int64_t offset = 0, bytes = 0, units = 1;
};

class TileNestPlan;  // the nests; private to tile/

struct TilePlan {
  TileChoice choice;  // with the zeros filled in
  int64_t units = 1;
  int64_t granularity = 1;
  int64_t scratch_bytes = 0;    // per worker (per work-item where units are): row temporaries, padded rows
  int64_t workspace_bytes = 0;  // of all pads
  // How units map to the first result: KernelEntry::rows and row_tile of code_generator.h.
  int64_t rows = 0, row_tile = 1;
  std::vector<TilePad> pads;
  double flops = 0, bytes = 0;  // of the whole task
  bool contraction = false;     // whether its register tile matters for speed
  std::shared_ptr<const TileNestPlan> nests;
};

// `body` stays the caller's, unchanged, and must outlive the plan. Unimplemented (with the reason) when the
// block is more than nests can say.
Result<TilePlan> planTile(mlir::Block& body, const TileTarget& target, const TileChoice& choice = {});

// Other choices worth measuring against the default one, best guess first; empty when there is nothing to
// tune.
std::vector<TileChoice> tileAlternatives(const TilePlan& plan, const TileTarget& target);

// Writes unit `unit` (index) at the builder's insertion point. `buffers` are rank-1 memrefs of the storage
// types, one per operand then one per result, e.g. memref<200704xf32>; results must not alias operands.
// `scratch` is a memref<?xi8> of scratch_bytes, null when that is 0; `workspace` likewise. `fresh` (i1) says
// that the scratch does not hold what the unit before this one left: padded rows are then copied again. Null
// counts as true.
Status emitUnit(mlir::OpBuilder& builder, mlir::Location loc, const TilePlan& plan, mlir::Value unit,
                mlir::ValueRange buffers, mlir::Value scratch = {}, mlir::Value workspace = {},
                mlir::Value fresh = {});

// Writes unit `unit` of the filling of plan.pads[pad] into the workspace.
Status emitPad(mlir::OpBuilder& builder, mlir::Location loc, const TilePlan& plan, size_t pad,
               mlir::Value unit, mlir::ValueRange buffers, mlir::Value workspace);

// A group of work-items that compute one row together and can wait for each other.
struct TileGroup {
  mlir::Value item;    // index of this one
  int64_t items = 64;  // a power of two
  mlir::Value shared;  // memref<…xi8> of groupSharedBytes(), the group's own
  llvm::function_ref<void(mlir::OpBuilder&)> barrier;
};

// Whether rows are worth a group: something is reduced over a row, by a combiner that has a neutral element.
bool canCooperate(const TilePlan& plan);
// Rows of a chain, or elements that a lone reduction writes: what emitRowByGroup() counts.
int64_t groupRows(const TilePlan& plan);
int64_t groupSharedBytes(const TilePlan& plan, int64_t items);

// Writes what each work-item of a group does for row `row`; the barriers are outside of all branches.
// Requires canCooperate(plan).
void emitRowByGroup(mlir::OpBuilder& builder, mlir::Location loc, const TilePlan& plan, mlir::Value row,
                    mlir::ValueRange buffers, const TileGroup& group);

}  // namespace tetrarch::compile
