// Padded operands: lines copied with their borders filled in.
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "tetrarch/compile/tile/emit.h"

namespace tetrarch::compile {
namespace {

using mlir::Value;
using Loop = llvm::SmallVector<Value>;

// Writes `count` (static) elements from `at` on: those of `source` from `from` on, or `fill` when source is
// null.
void emitRun(IndexMath math, Value target, Value at, Value source, Value from, Value fill, int64_t count,
             int64_t lanes) {
  auto& b = math.builder;
  auto type = mlir::VectorType::get({lanes}, fill.getType());
  auto piece = [&](Value i, bool vector) {
    Value to = math.add(at, i);
    if (vector) {
      Value value =
          source ? mlir::vector::LoadOp::create(b, math.loc, type, source, math.add(from, i)).getResult()
                 : mlir::vector::BroadcastOp::create(b, math.loc, type, fill).getResult();
      mlir::vector::StoreOp::create(b, math.loc, value, target, to);
    } else {
      Value value =
          source ? mlir::memref::LoadOp::create(b, math.loc, source, math.add(from, i)).getResult() : fill;
      mlir::memref::StoreOp::create(b, math.loc, value, target, to);
    }
    return Loop();
  };
  const int64_t whole = count / lanes;
  if (whole > 0) {
    emitLoop(math, math.constant(0), math.constant(whole), {},
             [&](Value t, mlir::ValueRange) { return piece(math.mul(t, lanes), true); });
  }
  if (count == whole * lanes) return;
  // A last vector that overlaps the one before is cheaper than single elements.
  if (whole > 0) {
    piece(math.constant(count - lanes), true);
    return;
  }
  emitLoop(math, math.constant(0), math.constant(count), {},
           [&](Value i, mlir::ValueRange) { return piece(i, false); });
}

// Row-major elements of the dims after `d`.
int64_t inner(llvm::ArrayRef<int64_t> shape, unsigned d) {
  int64_t count = 1;
  for (unsigned i = d + 1; i < shape.size(); ++i) count *= shape[i];
  return count;
}

}  // namespace

void emitPaddedLines(IndexMath math, const TilePadding& pad, Value source, Value target, Value first,
                     Value count, int64_t vector_bytes) {
  auto& b = math.builder;
  Value fill = mlir::arith::ConstantOp::create(b, math.loc, pad.value);
  const int64_t bytes = std::max<int64_t>(1, pad.value.getType().getIntOrFloatBitWidth() / 8);
  const int64_t lanes = std::max<int64_t>(1, vector_bytes / bytes);
  const int64_t element = inner(pad.shape, pad.line_dim);
  const int64_t before = pad.low[pad.line_dim] * element, copied = pad.source_shape[pad.line_dim] * element;
  emitLoop(math, math.constant(0), count, {}, [&](Value line, mlir::ValueRange) {
    Value number = math.add(first, line), at = math.mul(line, pad.line), from = math.constant(0), outside;
    for (int64_t d = static_cast<int64_t>(pad.line_dim) - 1; d >= 0; --d) {
      Value i = math.add(math.rem(number, pad.shape[d]), -pad.low[d]);
      number = math.div(number, pad.shape[d]);
      from = math.add(from, math.mul(i, inner(pad.source_shape, d)));
      if (pad.shape[d] == pad.source_shape[d]) continue;
      // One unsigned comparison says both "below 0" and "beyond the end".
      Value beyond = mlir::arith::CmpIOp::create(b, math.loc, mlir::arith::CmpIPredicate::uge, i,
                                                 math.constant(pad.source_shape[d]));
      outside = outside ? mlir::arith::OrIOp::create(b, math.loc, outside, beyond).getResult() : beyond;
    }
    auto copyLine = [&] {
      emitRun(math, target, at, {}, {}, fill, before, lanes);
      emitRun(math, target, math.add(at, before), source, from, fill, copied, lanes);
      emitRun(math, target, math.add(at, before + copied), {}, {}, fill, pad.line - before - copied, lanes);
    };
    if (!outside) {
      copyLine();
      return Loop();
    }
    auto branch = mlir::scf::IfOp::create(b, math.loc, outside, /*withElseRegion=*/true);
    mlir::OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(branch.thenBlock());
    emitRun(math, target, at, {}, {}, fill, pad.line, lanes);
    b.setInsertionPointToStart(branch.elseBlock());
    copyLine();
    return Loop();
  });
}

}  // namespace tetrarch::compile
