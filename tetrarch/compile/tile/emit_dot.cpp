// Register tiles whose products are of bytes: the reduction takes four steps of its innermost dim at once.
//
// Panels of weights hold a row of 16 columns for each k. Four such rows are one load, and the target's
// shuffle puts the four bytes of a column side by side: once for all rows of the tile, so that no second
// layout is needed.
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "tetrarch/compile/tile/nest_emitter.h"

namespace tetrarch::compile {

using llvm::SmallVector;
using mlir::Value;

namespace {

constexpr uint32_t kAllBytes = 0xffffffff;

// Of four bytes, the last `count`.
uint32_t lastBytes(int64_t count) { return kAllBytes << (8 * (kDotBytes - count)); }

Value word(IndexMath math, uint32_t bits) {
  return mlir::arith::ConstantOp::create(math.builder, math.loc,
                                         math.builder.getI32IntegerAttr(static_cast<int32_t>(bits)));
}

uint32_t offsetBits(const TileDot& dot) { return static_cast<uint32_t>(dot.left_offset) * 0x01010101U; }

}  // namespace

const TileAccess& NestEmitter::dotOperand(bool left) const {
  for (const TileInput& input : nest_.body.inputs) {
    auto* access = std::get_if<TileAccess>(&input);
    if (access && (access->strides[tiling_.vector_dim] == 0) == left) return *access;
  }
  llvm_unreachable("planning found both operands");
}

// Loops over all of the reduction; step(mask) handles four steps of the innermost dim from index_ on, of
// which those count whose byte the mask keeps: the last ones of an extent that is no multiple of four are met
// again.
SmallVector<Value> NestEmitter::reduceByFours(
    mlir::ValueRange state, llvm::function_ref<SmallVector<Value>(mlir::ValueRange, uint32_t)> step) {
  const unsigned last = nest_.extents.size() - 1;
  const int64_t extent = nest_.extents[last];
  return reduceOver(nest_.parallel, last, state, [&](mlir::ValueRange carried) {
    auto whole = [&](Value t, mlir::ValueRange sums) {
      index_[last] = math_.mul(t, kDotBytes);
      return step(sums, kAllBytes);
    };
    SmallVector<Value> sums =
        emitLoop(math_, math_.constant(0), math_.constant(extent / kDotBytes), carried, whole);
    if (const int64_t rest = extent % kDotBytes) {
      index_[last] = math_.constant(extent - kDotBytes);
      sums = step(sums, lastBytes(rest));
    }
    return sums;
  });
}

// Four rows of the 16 columns that vector `vector` of the tile begins.
Value NestEmitter::loadPanel(const TileAccess& right, int64_t vector) {
  auto& b = math_.builder;
  const int64_t stride = right.strides.back();
  Value memref = buffers_.memrefs[right.buffer], at = position(right, 0, vector);
  auto load = [&](int64_t bytes, Value from) -> Value {
    return mlir::vector::LoadOp::create(b, math_.loc, mlir::VectorType::get({bytes}, b.getI8Type()), memref,
                                        from);
  };
  if (stride == kPanel) return load(kDotBytes * kPanel, at);
  SmallVector<Value, 4> rows;
  for (int64_t k = 0; k < kDotBytes; ++k) rows.push_back(load(kPanel, math_.add(at, k * stride)));
  auto join = [&](Value low, Value high) -> Value {
    const int64_t size = 2 * mlir::cast<mlir::VectorType>(low.getType()).getNumElements();
    return mlir::vector::ShuffleOp::create(b, math_.loc, low, high,
                                           llvm::to_vector(llvm::seq<int64_t>(size)));
  };
  return join(join(rows[0], rows[1]), join(rows[2], rows[3]));
}

// Right operands of all vectors of the tile.
SmallVector<TileDot::Values> NestEmitter::loadRight() {
  SmallVector<TileDot::Values> operands;
  const int64_t in_panel = kPanel / lanes_;
  Value panel;
  for (int64_t vector = 0; vector < vectors_; ++vector) {
    if (vector % in_panel == 0) panel = loadPanel(dotOperand(/*left=*/false), vector);
    operands.push_back(
        tiling_.dot->right(math_.builder, math_.loc, panel, vector % in_panel * lanes_, lanes_));
  }
  return operands;
}

TileDot::Values NestEmitter::loadLeft(int64_t row, uint32_t mask) {
  auto& b = math_.builder;
  const TileAccess& access = dotOperand(/*left=*/true);
  auto bytes = mlir::VectorType::get({kDotBytes}, b.getI8Type());
  auto one = mlir::VectorType::get({1}, b.getI32Type());
  Value loaded = mlir::vector::LoadOp::create(b, math_.loc, bytes, buffers_.memrefs[access.buffer],
                                              position(access, row, 0));
  Value four = mlir::vector::ExtractOp::create(
      b, math_.loc, mlir::vector::BitCastOp::create(b, math_.loc, one, loaded), int64_t{0});
  // A byte with its sign flipped is that byte plus 128, unsigned.
  if (const uint32_t offset = offsetBits(*tiling_.dot))
    four = mlir::arith::XOrIOp::create(b, math_.loc, four, word(math_, offset));
  if (mask != kAllBytes) four = mlir::arith::AndIOp::create(b, math_.loc, four, word(math_, mask));
  return tiling_.dot->left(b, math_.loc, four, lanes_);
}

// The sums of the tile, from `state`.
SmallVector<Value> NestEmitter::sumDots(mlir::ValueRange state) {
  return reduceByFours(state, [&](mlir::ValueRange carried, uint32_t mask) {
    const SmallVector<TileDot::Values> right = loadRight();
    SmallVector<Value> next;
    for (int64_t row = 0; row < tiling_.rows; ++row) {
      const TileDot::Values left = loadLeft(row, mask);
      for (int64_t vector = 0; vector < vectors_; ++vector) {
        next.push_back(tiling_.dot->add(math_.builder, math_.loc, carried[next.size()], left, right[vector]));
      }
    }
    return next;
  });
}

// What the left operand's offset adds to every sum of a column, negated: 128 times the sum of its weights. It
// is the same for all rows, so it is computed once for the column tiles at hand.
void NestEmitter::sumOffsets() {
  auto& b = math_.builder;
  base_[&dotOperand(/*left=*/false)] = baseOf(dotOperand(/*left=*/false));
  for (unsigned d = nest_.parallel; d < nest_.extents.size(); ++d) index_[d] = {};
  Value zero = LaneEvaluator(math_, nest_.body, lanes_).spread(word(math_, 0));
  const SmallVector<Value> zeros(vectors_, zero);
  SmallVector<Value> sums = reduceByFours(zeros, [&](mlir::ValueRange carried, uint32_t mask) {
    const TileDot::Values left =
        tiling_.dot->left(b, math_.loc, word(math_, offsetBits(*tiling_.dot) & mask), lanes_);
    SmallVector<Value> next;
    for (auto [sum, right] : llvm::zip(carried, loadRight()))
      next.push_back(tiling_.dot->add(b, math_.loc, sum, left, right));
    return next;
  });
  offsets_.clear();
  for (Value sum : sums) offsets_.push_back(mlir::arith::SubIOp::create(b, math_.loc, zero, sum));
}

// Stores the first `valid_` columns of a panel's sums: by vectors of a power of two, down to single elements.
void NestEmitter::finishPartPanel(llvm::ArrayRef<Value> state) {
  auto& b = math_.builder;
  const unsigned column = tiling_.vector_dim;
  Value first = index_[column];
  const int64_t lanes = lanes_, vectors = vectors_;
  for (int64_t done = 0; done < valid_;) {
    const int64_t vector = done / lanes, at = done % lanes;
    lanes_ = llvm::bit_floor(static_cast<uint64_t>(std::min(valid_ - done, lanes - at)));
    vectors_ = 1;
    index_[column] = math_.add(first, done);
    hoistBases();
    Loaded loaded;
    for (int64_t row = 0; row < tiling_.rows; ++row) {
      Value sums = state[row * vectors + vector];
      Value part = lanes_ == 1
                       ? Value(mlir::vector::ExtractOp::create(b, math_.loc, sums, at))
                       : mlir::vector::ExtractStridedSliceOp::create(b, math_.loc, sums, at, lanes_, 1);
      finish(row, 0, part, loaded);
    }
    done += lanes_;
  }
  lanes_ = lanes, vectors_ = vectors, index_[column] = first;
}

// Whole panels, then the one that has fewer columns: its padding is computed with it and not stored.
void NestEmitter::emitDotRemainder(unsigned dim, size_t level) {
  const int64_t end = nest_.extents[dim], in_panel = kPanel / tiling_.lanes;
  int64_t at = end - end % (tiling_.lanes * tiling_.vectors);
  if (const int64_t panels = (end - at) / kPanel) {
    emitColumns(math_.constant(at), tiling_.lanes, panels * in_panel, dim, level);
    at += panels * kPanel;
  }
  if (at == end) return;
  valid_ = end - at;
  emitColumns(math_.constant(at), tiling_.lanes, in_panel, dim, level);
  valid_ = 0;
}

}  // namespace tetrarch::compile
