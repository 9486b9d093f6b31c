// The emitter of one nest: loops over its box (emit_nest.cpp), and sums of bytes four at a time
// (emit_dot.cpp). Private to tile/.
#pragma once

#include "llvm/ADT/DenseMap.h"
#include "tetrarch/compile/tile/dot.h"
#include "tetrarch/compile/tile/emit.h"

namespace tetrarch::compile {

class NestEmitter {
 public:
  NestEmitter(IndexMath math, const TileNestPlan& plan, size_t nest, llvm::ArrayRef<DimRange> ranges,
              const BufferValues& buffers)
      : math_(math),
        plan_(plan),
        nest_(plan.nests[nest]),
        tiling_(plan.tilings[nest]),
        ranges_(ranges),
        buffers_(buffers),
        lanes_(tiling_.lanes),
        vectors_(tiling_.vectors) {
    index_.resize(nest_.extents.size());
  }

  void emit() {
    orderLoops();
    emitLoops(0);
  }

 private:
  // Operands that were loaded for one evaluation, by access, row and vector of the tile.
  using Loaded = llvm::DenseMap<std::tuple<const TileAccess*, int64_t, int64_t>, mlir::Value>;

  // Loops over parallel dims.
  void orderLoops();
  void emitLoops(size_t level);
  void emitRowTiles(unsigned dim, size_t level);
  void emitColumnTiles(unsigned dim, size_t level);
  void emitPanelRemainder(unsigned dim, size_t level);
  void emitColumns(mlir::Value at, int64_t lanes, int64_t vectors, unsigned dim, size_t level);

  // One register tile.
  void emitTile();
  void emitReducedLanes();
  // Loops over dims [dim, end), the vectorised one aside.
  llvm::SmallVector<mlir::Value> reduceOver(
      unsigned dim, unsigned end, mlir::ValueRange state,
      llvm::function_ref<llvm::SmallVector<mlir::Value>(mlir::ValueRange)> inner);
  llvm::SmallVector<mlir::Value> sweepLanes(mlir::ValueRange state);
  mlir::Value finishLanes(unsigned result, mlir::ValueRange state);
  void finish(int64_t row, int64_t vector, llvm::ArrayRef<mlir::Value> values, Loaded& loaded);
  llvm::SmallVector<mlir::Value> evaluate(const TileBody& body, int64_t row, int64_t vector,
                                          llvm::ArrayRef<mlir::Value> accumulators, Loaded& loaded);

  // Sums of bytes, four products at a time (emit_dot.cpp).
  const TileAccess& dotOperand(bool left) const;
  llvm::SmallVector<mlir::Value> reduceByFours(
      mlir::ValueRange state,
      llvm::function_ref<llvm::SmallVector<mlir::Value>(mlir::ValueRange, uint32_t)> step);
  mlir::Value loadPanel(const TileAccess& right, int64_t vector);
  llvm::SmallVector<TileDot::Values> loadRight();
  TileDot::Values loadLeft(int64_t row, uint32_t mask);
  llvm::SmallVector<mlir::Value> sumDots(mlir::ValueRange state);
  void sumOffsets();
  void finishPartPanel(llvm::ArrayRef<mlir::Value> state);
  void emitDotRemainder(unsigned dim, size_t level);

  // Memory.
  void hoistBases();
  mlir::Value baseOf(const TileAccess& access);
  mlir::Value position(const TileAccess& access, int64_t row, int64_t vector);
  mlir::Value dimPosition(const TileAccess& access, unsigned dim);
  mlir::Value load(const TileAccess& access, int64_t row, int64_t vector, Loaded& loaded);
  mlir::Value gather(const TileAccess& access, mlir::Value at);
  void store(const TileAccess& access, int64_t row, int64_t vector, mlir::Value value);
  mlir::Value constant(mlir::TypedAttr value) {
    return mlir::arith::ConstantOp::create(math_.builder, math_.loc, value);
  }
  mlir::Value initial(const TileInput& init, int64_t row, int64_t vector, Loaded& loaded);
  int64_t strideOf(const TileAccess& access, int dim) const { return dim < 0 ? 0 : access.strides[dim]; }
  bool reducesLanes() const {
    return tiling_.vector_dim >= 0 && static_cast<unsigned>(tiling_.vector_dim) >= nest_.parallel;
  }
  bool isRow(unsigned dim) const { return static_cast<int>(dim) == tiling_.row_dim; }
  bool isColumn(unsigned dim) const { return static_cast<int>(dim) == tiling_.vector_dim; }
  unsigned results() const { return nest_.inits.size(); }

  IndexMath math_;
  const TileNestPlan& plan_;
  const TileNest& nest_;
  const TileNestPlan::Tiling& tiling_;
  llvm::ArrayRef<DimRange> ranges_;
  const BufferValues& buffers_;
  llvm::SmallVector<unsigned> order_;
  llvm::SmallVector<mlir::Value> index_;    // of the tile's first element, per dim
  int64_t lanes_, vectors_;                 // of the tile that is being emitted
  int64_t valid_ = 0;                       // columns of a panel that the result has; 0: all
  llvm::SmallVector<mlir::Value> offsets_;  // what sums of bytes begin with, a vector of the tile each
  llvm::DenseMap<const TileAccess*, mlir::Value> base_;
};

}  // namespace tetrarch::compile
