// One unit of a task: which part of each nest it is, and its scratch.
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "tetrarch/compile/tile/emit.h"
#include "tetrarch/compile/tile/tile.h"

namespace tetrarch::compile {
namespace {

using llvm::SmallVector;
using mlir::Value;
using Tiling = TileNestPlan::Tiling;

constexpr int64_t kCopyBytes = 32;  // of one vector of a padded line's copy

// Block `number` of a dim that is cut into blocks of `size`. The last one may be shorter; where it is shorter
// than a grain it begins earlier (unless `fixed`), over elements that the block before it computes too, to
// the same bits.
DimRange blockRange(IndexMath math, Value number, int64_t size, int64_t extent, int64_t grain, bool fixed) {
  if (size >= extent) return {math.constant(0), math.constant(extent), extent, true};
  Value lo = math.mul(number, size);
  if (extent % size == 0) return {lo, math.add(lo, size), size, true};
  Value hi = math.min(math.add(lo, size), math.constant(extent));
  if (extent % size >= grain || fixed) return {lo, hi, std::min(grain, extent % size), false};
  return {math.min(lo, math.constant(extent - grain)), hi, grain, false};
}

class UnitEmitter {
 public:
  UnitEmitter(IndexMath math, const TilePlan& plan, mlir::ValueRange buffers, Value scratch, Value workspace)
      : math_(math), plan_(plan), nests_(*plan.nests), scratch_(scratch), workspace_(workspace) {
    bindBuffers(buffers);
  }
  void emitNestUnit(size_t nest, Value unit, Value fresh);
  void emitNestsUnit(size_t first, size_t end, Value unit, Value fresh);
  void emitRowsUnit(Value unit);
  void emitPadUnit(size_t pad, Value unit);

 private:
  void bindBuffers(mlir::ValueRange buffers);
  Value view(Value bytes, const TileBuffer& buffer);
  void copyWindow(const TilePadding& pad, llvm::ArrayRef<DimRange> ranges, Value changed);
  Value firstLine(const TilePadding& pad, llvm::ArrayRef<DimRange> ranges);

  IndexMath math_;
  const TilePlan& plan_;
  const TileNestPlan& nests_;
  Value scratch_, workspace_;
  BufferValues values_;
};

Value UnitEmitter::view(Value bytes, const TileBuffer& buffer) {
  auto type = mlir::MemRefType::get({buffer.count}, buffer.element);
  return mlir::memref::ViewOp::create(math_.builder, math_.loc, type, bytes,
                                      math_.constant(buffer.scratch_offset), mlir::ValueRange());
}

void UnitEmitter::bindBuffers(mlir::ValueRange buffers) {
  for (const TileBuffer& buffer : nests_.buffers) {
    Value value;
    switch (buffer.kind) {
      case TileBuffer::Kind::kOperand:
        value = buffers[buffer.index];
        break;
      case TileBuffer::Kind::kResult:
        value = buffers[nests_.operands + buffer.index];
        break;
      case TileBuffer::Kind::kTemporary:
        if (buffer.scratch_offset >= 0) value = view(scratch_, buffer);
        break;
      case TileBuffer::Kind::kPadded:
        value = view(plan_.pads.empty() ? scratch_ : workspace_, buffer);
        break;
    }
    values_.memrefs.push_back(value);
    values_.starts.push_back({});
  }
}

// The first line of a padded operand that the box reads.
Value UnitEmitter::firstLine(const TilePadding& pad, llvm::ArrayRef<DimRange> ranges) {
  Value line = math_.constant(0);
  const TileNest& nest = nests_.nests[0];
  nest.forEachAccess([&](const TileAccess& access) {
    if (access.buffer != pad.buffer) return;
    for (unsigned d = 0; d < nest.parallel; ++d) {
      if (access.strides[d] % pad.line == 0) {
        line = math_.add(line, math_.mul(ranges[d].lo, access.strides[d] / pad.line));
      }
    }
  });
  return line;
}

void UnitEmitter::copyWindow(const TilePadding& pad, llvm::ArrayRef<DimRange> ranges, Value changed) {
  auto& b = math_.builder;
  Value first = firstLine(pad, ranges);
  values_.starts[pad.buffer] = math_.mul(first, pad.line);
  mlir::OpBuilder::InsertionGuard guard(b);
  if (changed) {
    auto branch = mlir::scf::IfOp::create(b, math_.loc, changed);
    b.setInsertionPointToStart(branch.thenBlock());
  }
  // The last unit's window may be shorter.
  Value count = math_.min(math_.constant(nests_.window_lines), math_.sub(math_.constant(pad.lines), first));
  emitPaddedLines(math_, pad, values_.memrefs[pad.source], values_.memrefs[pad.buffer], first, count,
                  kCopyBytes);
}

void UnitEmitter::emitNestUnit(size_t number, Value unit, Value fresh) {
  auto& b = math_.builder;
  const TileNest& nest = nests_.nests[number];
  const Tiling& tiling = nests_.tilings[number];
  SmallVector<DimRange> ranges(nest.parallel);
  Value rest = unit;
  for (int d = static_cast<int>(nest.parallel) - 1; d >= 0; --d) {
    Value block = math_.rem(rest, nests_.blocks(number, d));
    rest = math_.div(rest, nests_.blocks(number, d));
    ranges[d] = blockRange(math_, block, tiling.block[d], nest.extents[d], nests_.grain(number, d),
                           hasPanels(nest, d));
  }
  if (plan_.pads.empty()) {
    Value changed = fresh;
    // Units that differ in their last dim only, the columns, read the same window.
    if (fresh && nest.parallel > 0 && tiling.vector_dim + 1 == static_cast<int>(nest.parallel)) {
      Value first = math_.rem(unit, nests_.blocks(number, tiling.vector_dim));
      Value at_first =
          mlir::arith::CmpIOp::create(b, math_.loc, mlir::arith::CmpIPredicate::eq, first, math_.constant(0));
      changed = mlir::arith::OrIOp::create(b, math_.loc, fresh, at_first);
    } else {
      changed = {};
    }
    for (const TilePadding& pad : nests_.pads) copyWindow(pad, ranges, changed);
  }
  emitNest(math_, nests_, number, ranges, values_);
}

// Nests [first, end), whose units begin at 0: halved until one is left.
void UnitEmitter::emitNestsUnit(size_t first, size_t end, Value unit, Value fresh) {
  if (end - first == 1) return emitNestUnit(first, unit, fresh);
  const size_t middle = first + (end - first) / 2;
  int64_t before = 0;
  for (size_t i = first; i < middle; ++i) before += nests_.units(i);
  auto& b = math_.builder;
  Value is_before = mlir::arith::CmpIOp::create(b, math_.loc, mlir::arith::CmpIPredicate::slt, unit,
                                                math_.constant(before));
  auto branch = mlir::scf::IfOp::create(b, math_.loc, is_before, /*withElseRegion=*/true);
  mlir::OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(branch.thenBlock());
  emitNestsUnit(first, middle, unit, fresh);
  b.setInsertionPointToStart(branch.elseBlock());
  emitNestsUnit(middle, end, math_.add(unit, -before), fresh);
}

void UnitEmitter::emitRowsUnit(Value unit) {
  int64_t rows = 1;
  for (int64_t extent : nests_.row_shape) rows *= extent;
  DimRange range = blockRange(math_, unit, nests_.rows_per_unit, rows, 1, false);
  emitLoop(math_, range.lo, range.hi, {}, [&](Value row, mlir::ValueRange) {
    SmallVector<DimRange> ranges;
    Value rest = row;
    for (int64_t extent : llvm::reverse(nests_.row_shape)) {
      Value at = math_.rem(rest, extent);
      rest = math_.div(rest, extent);
      ranges.insert(ranges.begin(), {at, math_.add(at, 1), 1, true});
    }
    for (size_t i = 0; i < nests_.nests.size(); ++i) {
      SmallVector<DimRange> all = ranges;
      for (unsigned d = nests_.row_shape.size(); d < nests_.nests[i].parallel; ++d) {
        const int64_t extent = nests_.nests[i].extents[d];
        all.push_back({math_.constant(0), math_.constant(extent), extent, true});
      }
      emitNest(math_, nests_, i, all, values_);
    }
    return SmallVector<Value>();
  });
}

void UnitEmitter::emitPadUnit(size_t number, Value unit) {
  const TilePadding& pad = nests_.pads[number];
  auto type = mlir::MemRefType::get({pad.line}, nests_.buffers[pad.buffer].element);
  const int64_t bytes = plan_.pads[number].bytes / pad.lines;
  Value at = math_.add(math_.mul(unit, bytes), plan_.pads[number].offset);
  Value line =
      mlir::memref::ViewOp::create(math_.builder, math_.loc, type, workspace_, at, mlir::ValueRange());
  emitPaddedLines(math_, pad, values_.memrefs[pad.source], line, unit, math_.constant(1), kCopyBytes);
}

Status checkBuffers(const TilePlan& plan, mlir::ValueRange buffers, Value scratch, Value workspace) {
  const size_t expected = plan.nests->operands + plan.nests->results;
  if (buffers.size() != expected)
    return internalError("{} buffers given for a task of {}", buffers.size(), expected);
  if (plan.scratch_bytes > 0 && !scratch) return internalError("no scratch given for a task that needs it");
  if (plan.workspace_bytes > 0 && !workspace)
    return internalError("no workspace given for a task that needs it");
  return {};
}

}  // namespace

Status emitUnit(mlir::OpBuilder& builder, mlir::Location loc, const TilePlan& plan, Value unit,
                mlir::ValueRange buffers, Value scratch, Value workspace, Value fresh) {
  TET_RETURN_IF_ERROR(checkBuffers(plan, buffers, scratch, workspace));
  UnitEmitter emitter({builder, loc}, plan, buffers, scratch, workspace);
  if (plan.nests->isChain()) {
    emitter.emitRowsUnit(unit);
  } else {
    emitter.emitNestsUnit(0, plan.nests->nests.size(), unit, fresh);
  }
  return {};
}

Status emitPad(mlir::OpBuilder& builder, mlir::Location loc, const TilePlan& plan, size_t pad, Value unit,
               mlir::ValueRange buffers, Value workspace) {
  TET_RETURN_IF_ERROR(checkBuffers(plan, buffers, workspace, workspace));
  if (pad >= plan.pads.size()) return internalError("pad {} of {}", pad, plan.pads.size());
  UnitEmitter({builder, loc}, plan, buffers, workspace, workspace).emitPadUnit(pad, unit);
  return {};
}

}  // namespace tetrarch::compile
