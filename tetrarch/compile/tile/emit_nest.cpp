// One nest: loops over its box, register tiles, reduction loops inside of them, epilogue, one store.
#include "llvm/ADT/STLExtras.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "tetrarch/compile/tile/nest_emitter.h"

namespace tetrarch::compile {

using llvm::SmallVector;
using mlir::Value;

// Outermost first. The column loop goes outside of the dims that the column operand does not depend on, so
// that its panel stays in cache while they run.
void NestEmitter::orderLoops() {
  for (unsigned d = 0; d < nest_.parallel; ++d) {
    if (!isRow(d) && !isColumn(d)) order_.push_back(d);
  }
  if (tiling_.row_dim >= 0) order_.push_back(tiling_.row_dim);
  if (tiling_.vector_dim < 0 || reducesLanes()) return;
  const unsigned column = tiling_.vector_dim;
  if (!tiling_.columns_outer) return order_.push_back(column);
  auto feedsColumns = [&](unsigned d) {
    return llvm::any_of(nest_.body.inputs, [&](const TileInput& input) {
      auto* access = std::get_if<TileAccess>(&input);
      return access && access->strides[column] == 1 && strideOf(*access, tiling_.row_dim) == 0 &&
             access->strides[d] != 0;
    });
  };
  size_t place = 0;
  for (size_t i = 0; i < order_.size(); ++i) {
    if (feedsColumns(order_[i])) place = i + 1;
  }
  order_.insert(order_.begin() + place, column);
}

void NestEmitter::emitLoops(size_t level) {
  if (level == order_.size()) return reducesLanes() ? emitReducedLanes() : emitTile();
  const unsigned dim = order_[level];
  if (isColumn(dim)) return emitColumnTiles(dim, level);
  if (isRow(dim)) return emitRowTiles(dim, level);
  if (ranges_[dim].exact && ranges_[dim].min_length == 1) {
    index_[dim] = ranges_[dim].lo;
    return emitLoops(level + 1);
  }
  emitLoop(math_, ranges_[dim].lo, ranges_[dim].hi, {}, [&](Value i, mlir::ValueRange) {
    index_[dim] = i;
    emitLoops(level + 1);
    return SmallVector<Value>();
  });
}

namespace {

// Start of tile `t` of `size`: the last one is moved back into the range, over elements that are then
// computed twice.
Value tileStart(IndexMath math, const DimRange& range, Value t, int64_t size) {
  Value at = math.add(range.lo, math.mul(t, size));
  const bool even = range.exact && range.min_length % size == 0;
  return even ? at : math.min(at, math.add(range.hi, -size));
}

Value tileCount(IndexMath math, const DimRange& range, int64_t size) {
  if (range.exact) return math.constant((range.min_length + size - 1) / size);
  return math.div(math.add(math.sub(range.hi, range.lo), size - 1), size);
}

}  // namespace

void NestEmitter::emitRowTiles(unsigned dim, size_t level) {
  const DimRange& range = ranges_[dim];
  emitLoop(math_, math_.constant(0), tileCount(math_, range, tiling_.rows), {},
           [&](Value t, mlir::ValueRange) {
             index_[dim] = tileStart(math_, range, t, tiling_.rows);
             emitLoops(level + 1);
             return SmallVector<Value>();
           });
}

void NestEmitter::emitColumns(Value at, int64_t lanes, int64_t vectors, unsigned dim, size_t level) {
  index_[dim] = at;
  std::swap(lanes_, lanes), std::swap(vectors_, vectors);
  if (tiling_.dot && tiling_.dot->left_offset != 0) sumOffsets();
  emitLoops(level + 1);
  std::swap(lanes_, lanes), std::swap(vectors_, vectors);
}

void NestEmitter::emitColumnTiles(unsigned dim, size_t level) {
  const DimRange& range = ranges_[dim];
  const int64_t width = tiling_.lanes * tiling_.vectors;
  const bool panels = hasPanels(nest_, dim);
  // A panel's columns cannot be read across its border: whole tiles first, then what is left.
  Value count = panels ? math_.div(math_.sub(range.hi, range.lo), width) : tileCount(math_, range, width);
  if (!(mlir::getConstantIntValue(count) == 0)) {
    emitLoop(math_, math_.constant(0), count, {}, [&](Value t, mlir::ValueRange) {
      Value at = panels ? math_.add(range.lo, math_.mul(t, width)) : tileStart(math_, range, t, width);
      emitColumns(at, tiling_.lanes, tiling_.vectors, dim, level);
      return SmallVector<Value>();
    });
  }
  if (!panels || nest_.extents[dim] % width == 0) return;
  if (mlir::getConstantIntValue(range.hi) == nest_.extents[dim]) return emitPanelRemainder(dim, level);
  Value last = mlir::arith::CmpIOp::create(math_.builder, math_.loc, mlir::arith::CmpIPredicate::eq, range.hi,
                                           math_.constant(nest_.extents[dim]));
  auto branch = mlir::scf::IfOp::create(math_.builder, math_.loc, last);
  mlir::OpBuilder::InsertionGuard guard(math_.builder);
  math_.builder.setInsertionPointToStart(branch.thenBlock());
  emitPanelRemainder(dim, level);
}

// Fewer vectors, then narrower ones; two narrow ones may overlap to cover a width that is no power of two.
void NestEmitter::emitPanelRemainder(unsigned dim, size_t level) {
  if (tiling_.dot) return emitDotRemainder(dim, level);
  const int64_t end = nest_.extents[dim], width = tiling_.lanes * tiling_.vectors;
  int64_t at = end - end % width;
  if (const int64_t vectors = (end - at) / tiling_.lanes) {
    emitColumns(math_.constant(at), tiling_.lanes, vectors, dim, level);
    at += vectors * tiling_.lanes;
  }
  if (at == end) return;
  const int64_t lanes = llvm::bit_floor(static_cast<uint64_t>(end - at));
  emitColumns(math_.constant(at), lanes, 1, dim, level);
  if (at + lanes < end) emitColumns(math_.constant(end - lanes), lanes, 1, dim, level);
}

// --- memory
// ---------------------------------------------------------------------------------------------------------

Value NestEmitter::dimPosition(const TileAccess& access, unsigned dim) {
  if (static_cast<int>(dim) != access.panel_dim) return math_.mul(index_[dim], access.strides[dim]);
  return math_.add(math_.mul(math_.div(index_[dim], kPanel), access.panel_stride),
                   math_.rem(index_[dim], kPanel));
}

// The part of a position that the reduction loops do not move.
Value NestEmitter::baseOf(const TileAccess& access) {
  Value base = math_.constant(access.offset);
  for (unsigned d = 0; d < nest_.parallel; ++d) {
    if (access.strides[d] != 0) base = math_.add(base, dimPosition(access, d));
  }
  if (Value start = buffers_.starts[access.buffer]) base = math_.sub(base, start);
  return base;
}

void NestEmitter::hoistBases() {
  base_.clear();
  nest_.forEachAccess([&](const TileAccess& access) { base_[&access] = baseOf(access); });
}

Value NestEmitter::position(const TileAccess& access, int64_t row, int64_t vector) {
  Value at = base_[&access];
  for (unsigned d = nest_.parallel; d < nest_.extents.size(); ++d) {
    if (index_[d] && access.strides[d] != 0) at = math_.add(at, dimPosition(access, d));
  }
  int64_t shift = row * strideOf(access, tiling_.row_dim);
  if (tiling_.vector_dim >= 0 && access.strides[tiling_.vector_dim] != 0) {
    const int64_t column = vector * lanes_;
    const bool panels = access.panel_dim == tiling_.vector_dim;
    shift += panels ? column / kPanel * access.panel_stride + column % kPanel
                    : column * access.strides[tiling_.vector_dim];
  }
  return math_.add(at, shift);
}

Value NestEmitter::load(const TileAccess& access, int64_t row, int64_t vector, Loaded& loaded) {
  const int64_t stride = strideOf(access, tiling_.vector_dim);
  if (strideOf(access, tiling_.row_dim) == 0) row = 0;
  if (stride == 0) vector = 0;
  Value& value = loaded[{&access, row, vector}];
  if (value) return value;
  Value at = position(access, row, vector);
  Value memref = buffers_.memrefs[access.buffer];
  if (lanes_ == 1 || stride == 0) {
    value = mlir::memref::LoadOp::create(math_.builder, math_.loc, memref, at);
  } else if (stride == 1) {
    auto type = mlir::VectorType::get({lanes_}, plan_.buffers[access.buffer].element);
    value = mlir::vector::LoadOp::create(math_.builder, math_.loc, type, memref, at);
  } else {
    value = gather(access, at);
  }
  return value;
}

Value NestEmitter::gather(const TileAccess& access, Value at) {
  SmallVector<Value> lanes;
  for (int64_t lane = 0; lane < lanes_; ++lane) {
    lanes.push_back(mlir::memref::LoadOp::create(math_.builder, math_.loc, buffers_.memrefs[access.buffer],
                                                 math_.add(at, lane * access.strides[tiling_.vector_dim])));
  }
  auto type = mlir::VectorType::get({lanes_}, plan_.buffers[access.buffer].element);
  return mlir::vector::FromElementsOp::create(math_.builder, math_.loc, type, lanes);
}

void NestEmitter::store(const TileAccess& access, int64_t row, int64_t vector, Value value) {
  Value at = position(access, row, vector);
  Value memref = buffers_.memrefs[access.buffer];
  const int64_t stride = strideOf(access, tiling_.vector_dim);
  if (lanes_ == 1 || reducesLanes()) {
    mlir::memref::StoreOp::create(math_.builder, math_.loc, value, memref, at);
  } else if (value = LaneEvaluator(math_, nest_.body, lanes_).spread(value); stride == 1) {
    mlir::vector::StoreOp::create(math_.builder, math_.loc, value, memref, at);
  } else {
    for (int64_t lane = 0; lane < lanes_; ++lane) {
      Value element = mlir::vector::ExtractOp::create(math_.builder, math_.loc, value, lane);
      mlir::memref::StoreOp::create(math_.builder, math_.loc, element, memref, math_.add(at, lane * stride));
    }
  }
}

// --- evaluation
// -----------------------------------------------------------------------------------------------------

SmallVector<Value> NestEmitter::evaluate(const TileBody& body, int64_t row, int64_t vector,
                                         llvm::ArrayRef<Value> accumulators, Loaded& loaded) {
  SmallVector<Value> arguments;
  for (auto [i, input] : llvm::enumerate(body.inputs)) {
    if (static_cast<int>(i) == body.acc) {
      arguments.push_back(accumulators[0]);
    } else if (auto* attribute = std::get_if<mlir::TypedAttr>(&input)) {
      arguments.push_back(constant(*attribute));
    } else if (auto* access = std::get_if<TileAccess>(&input)) {
      arguments.push_back(load(*access, row, vector, loaded));
    } else {
      arguments.push_back({});
    }
  }
  if (body.acc < 0) llvm::append_range(arguments, accumulators);
  auto index = [&](unsigned dim) {
    LaneEvaluator::Index at{index_[dim]};
    if (isRow(dim)) at.base = math_.add(at.base, row);
    if (isColumn(dim)) at = {math_.add(at.base, vector * lanes_), true};
    return at;
  };
  auto memrefOf = [&](Value tensor) {
    while (!mlir::isa<mlir::BlockArgument>(tensor)) tensor = tensor.getDefiningOp()->getOperand(0);
    return buffers_.memrefs[mlir::cast<mlir::BlockArgument>(tensor).getArgNumber()];
  };
  return LaneEvaluator(math_, body, lanes_).evaluate(arguments, index, memrefOf);
}

Value NestEmitter::initial(const TileInput& init, int64_t row, int64_t vector, Loaded& loaded) {
  if (auto* attribute = std::get_if<mlir::TypedAttr>(&init)) {
    return LaneEvaluator(math_, nest_.body, lanes_).spread(constant(*attribute));
  }
  if (auto* access = std::get_if<TileAccess>(&init)) {
    return LaneEvaluator(math_, nest_.body, lanes_).spread(load(*access, row, vector, loaded));
  }
  return {};
}

// Epilogue and store of one vector of the tile.
void NestEmitter::finish(int64_t row, int64_t vector, llvm::ArrayRef<Value> values, Loaded& loaded) {
  SmallVector<Value> outputs(values);
  if (nest_.epilogue) outputs = evaluate(*nest_.epilogue, row, vector, values, loaded);
  for (auto [access, value] : llvm::zip(nest_.outputs, outputs)) store(access, row, vector, value);
}

SmallVector<Value> NestEmitter::reduceOver(unsigned dim, unsigned end, mlir::ValueRange state,
                                           llvm::function_ref<SmallVector<Value>(mlir::ValueRange)> inner) {
  if (dim >= end) return inner(state);
  if (isColumn(dim)) return reduceOver(dim + 1, end, state, inner);
  return emitLoop(math_, math_.constant(0), math_.constant(nest_.extents[dim]), state,
                  [&](Value i, mlir::ValueRange carried) {
                    index_[dim] = i;
                    return reduceOver(dim + 1, end, carried, inner);
                  });
}

// rows × vectors accumulators, then the reduction loops around one evaluation for each of them.
void NestEmitter::emitTile() {
  for (unsigned d = nest_.parallel; d < nest_.extents.size(); ++d) index_[d] = {};
  hoistBases();
  Loaded outside;
  SmallVector<Value> state;
  auto forEachVector = [&](llvm::function_ref<void(int64_t, int64_t)> f) {
    for (int64_t row = 0; row < tiling_.rows; ++row) {
      for (int64_t vector = 0; vector < vectors_; ++vector) f(row, vector);
    }
  };
  const bool reads_init = llvm::any_of(nest_.inits, [](const TileInput& init) { return init.index() != 0; });
  if (reads_init || nest_.reduces()) {
    forEachVector([&](int64_t row, int64_t vector) {
      for (const TileInput& init : nest_.inits) state.push_back(initial(init, row, vector, outside));
    });
  }
  if (tiling_.dot) {
    if (!offsets_.empty()) {
      for (size_t i = 0; i < state.size(); ++i)
        state[i] = mlir::arith::AddIOp::create(math_.builder, math_.loc, state[i], offsets_[i % vectors_]);
    }
    state = sumDots(state);
    for (unsigned d = nest_.parallel; d < nest_.extents.size(); ++d) index_[d] = {};
    if (valid_ > 0) return finishPartPanel(state);
  } else if (nest_.reduces()) {
    state = reduceOver(nest_.parallel, nest_.extents.size(), state, [&](mlir::ValueRange carried) {
      Loaded loaded;
      SmallVector<Value> accumulators(carried), next;
      forEachVector([&](int64_t row, int64_t vector) {
        llvm::ArrayRef<Value> mine(accumulators.data() + next.size(), results());
        for (Value value : evaluate(nest_.body, row, vector, mine, loaded)) {
          next.push_back(LaneEvaluator(math_, nest_.body, lanes_).spread(value));
        }
      });
      return next;
    });
    for (unsigned d = nest_.parallel; d < nest_.extents.size(); ++d) index_[d] = {};
  }
  size_t at = 0;
  Loaded loaded;
  forEachVector([&](int64_t row, int64_t vector) {
    if (nest_.reduces()) {
      finish(row, vector, llvm::ArrayRef<Value>(state).slice(at, results()), loaded);
      at += results();
      return;
    }
    llvm::ArrayRef<Value> mine;
    if (reads_init) mine = llvm::ArrayRef<Value>(state).slice(at, results());
    SmallVector<Value> unread(results());
    SmallVector<Value> values = evaluate(nest_.body, row, vector, reads_init ? mine : unread, outside);
    at += results();
    for (auto [access, value] : llvm::zip(nest_.outputs, values)) store(access, row, vector, value);
  });
}

// --- reductions along the vector
// ------------------------------------------------------------------------------------

// One pass over the vectorised dim. State: for each result `vectors` vectors, then one scalar for what is
// left over.
SmallVector<Value> NestEmitter::sweepLanes(mlir::ValueRange state) {
  const unsigned column = tiling_.vector_dim;
  const int64_t extent = nest_.extents[column], width = lanes_ * vectors_, per_result = vectors_ + 1;
  auto step = [&](Value at, mlir::ValueRange carried, int64_t count, bool scalar) {
    SmallVector<Value> next(carried);
    Loaded loaded;
    index_[column] = at;
    for (int64_t vector = 0; vector < count; ++vector) {
      SmallVector<Value> mine;
      for (unsigned r = 0; r < results(); ++r)
        mine.push_back(next[r * per_result + (scalar ? vectors_ : vector)]);
      SmallVector<Value> values = evaluate(nest_.body, 0, vector, mine, loaded);
      for (unsigned r = 0; r < results(); ++r) {
        next[r * per_result + (scalar ? vectors_ : vector)] =
            LaneEvaluator(math_, nest_.body, lanes_).spread(values[r]);
      }
    }
    return next;
  };
  SmallVector<Value> current(state);
  if (extent >= width) {
    current = emitLoop(math_, math_.constant(0), math_.constant(extent / width), current,
                       [&](Value t, mlir::ValueRange carried) {
                         return step(math_.mul(t, width), carried, vectors_, false);
                       });
  }
  int64_t done = extent - extent % width;
  if (const int64_t count = (extent - done) / lanes_) {
    current = step(math_.constant(done), current, count, false);
    done += count * lanes_;
  }
  if (done == extent) return current;
  const int64_t lanes = std::exchange(lanes_, 1);
  current = emitLoop(math_, math_.constant(done), math_.constant(extent), current,
                     [&](Value i, mlir::ValueRange carried) { return step(i, carried, 1, true); });
  lanes_ = lanes;
  return current;
}

namespace {

Value combine(IndexMath math, mlir::Operation* op, Value a, Value b) {
  mlir::Operation* copy = op->clone();
  copy->setOperands({a, b});
  copy->getResult(0).setType(a.getType());
  math.builder.insert(copy);
  return copy->getResult(0);
}

}  // namespace

Value NestEmitter::finishLanes(unsigned result, mlir::ValueRange state) {
  const TileCombiner combiner = *findCombiner(*nest_.body.block, result, results());
  Value all = state[0];
  for (int64_t vector = 1; vector < vectors_; ++vector) all = combine(math_, combiner.op, all, state[vector]);
  // The order of a sum is free: it is the same for every way of cutting the task into ranges.
  Value sum = mlir::vector::ReductionOp::create(math_.builder, math_.loc, combiner.kind, all,
                                                mlir::arith::FastMathFlags::reassoc);
  sum = combine(math_, combiner.op, sum, state[vectors_]);
  Loaded loaded;
  const int64_t lanes = std::exchange(lanes_, 1);
  Value init = initial(nest_.inits[result], 0, 0, loaded);
  lanes_ = lanes;
  return combine(math_, combiner.op, init, sum);
}

void NestEmitter::emitReducedLanes() {
  for (unsigned d = nest_.parallel; d < nest_.extents.size(); ++d) index_[d] = {};
  hoistBases();
  SmallVector<Value> state;
  for (unsigned r = 0; r < results(); ++r) {
    const TileCombiner combiner = *findCombiner(*nest_.body.block, r, results());
    Value neutral = constant(*mlir::arith::getNeutralElement(combiner.op));
    for (int64_t vector = 0; vector < vectors_; ++vector) {
      state.push_back(LaneEvaluator(math_, nest_.body, lanes_).spread(neutral));
    }
    state.push_back(neutral);
  }
  state = reduceOver(nest_.parallel, nest_.extents.size(), state,
                     [&](mlir::ValueRange carried) { return sweepLanes(carried); });
  for (unsigned d = nest_.parallel; d < nest_.extents.size(); ++d) index_[d] = {};
  SmallVector<Value> values;
  for (unsigned r = 0; r < results(); ++r) {
    values.push_back(finishLanes(r, mlir::ValueRange(state).slice(r * (vectors_ + 1), vectors_ + 1)));
  }
  Loaded loaded;
  const int64_t lanes = std::exchange(lanes_, 1);
  finish(0, 0, values, loaded);
  lanes_ = lanes;
}

void emitNest(IndexMath math, const TileNestPlan& plan, size_t nest, llvm::ArrayRef<DimRange> ranges,
              const BufferValues& buffers) {
  NestEmitter(math, plan, nest, ranges, buffers).emit();
}

}  // namespace tetrarch::compile
