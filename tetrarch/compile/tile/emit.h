// Writing the code of one nest. Private to tile/.
#pragma once

#include "mlir/IR/Builders.h"
#include "mlir/IR/IRMapping.h"
#include "tetrarch/compile/tile/nest.h"

namespace tetrarch::compile {

// Index arithmetic that folds constants as it goes.
struct IndexMath {
  mlir::OpBuilder& builder;
  mlir::Location loc;

  mlir::Value constant(int64_t value);
  mlir::Value add(mlir::Value a, mlir::Value b);
  mlir::Value add(mlir::Value a, int64_t b);
  mlir::Value sub(mlir::Value a, mlir::Value b);
  mlir::Value mul(mlir::Value a, int64_t b);
  mlir::Value div(mlir::Value a, int64_t b);  // of non-negative values
  mlir::Value rem(mlir::Value a, int64_t b);
  mlir::Value min(mlir::Value a, mlir::Value b);
};

// Calls body(i) for each i in [lo, hi): straight code when that is one, else an scf.for that carries
// `carried`. body returns the next carried values.
llvm::SmallVector<mlir::Value> emitLoop(
    IndexMath math, mlir::Value lo, mlir::Value hi, mlir::ValueRange carried,
    llvm::function_ref<llvm::SmallVector<mlir::Value>(mlir::Value, mlir::ValueRange)> body);

// The part [lo, hi) of a dim that is to be computed; hi - lo is at least `min_length` (exactly, when
// `exact`).
struct DimRange {
  mlir::Value lo, hi;
  int64_t min_length = 1;
  bool exact = true;
};

// Whether some operand of the nest is packed in panels along `dim`.
bool hasPanels(const TileNest& nest, unsigned dim);

// The flat memref of each buffer of the plan, and what to subtract from positions in it (null: nothing).
struct BufferValues {
  llvm::SmallVector<mlir::Value, 8> memrefs;
  llvm::SmallVector<mlir::Value, 8> starts;
};

// Computes the box `ranges` (one range per parallel dim) of a nest.
void emitNest(IndexMath math, const TileNestPlan& plan, size_t nest, llvm::ArrayRef<DimRange> ranges,
              const BufferValues& buffers);

// Copies lines [first, first + count) of a padded operand to the start of `target`; `count` may be dynamic.
void emitPaddedLines(IndexMath math, const TilePadding& pad, mlir::Value source, mlir::Value target,
                     mlir::Value first, mlir::Value count, int64_t vector_bytes);

// Evaluates scalar code on lanes: each value is a scalar, the same in all lanes, or a vector of `lanes`.
class LaneEvaluator {
 public:
  LaneEvaluator(IndexMath math, const TileBody& body, int64_t lanes)
      : math_(math), body_(body), lanes_(lanes) {}

  // For linalg.index of a dim: its value in lane 0, and whether it counts up by one per lane.
  struct Index {
    mlir::Value base;
    bool counts = false;
  };
  // `arguments`: one value per block argument, null where unused. Returns what the block yields.
  llvm::SmallVector<mlir::Value> evaluate(llvm::ArrayRef<mlir::Value> arguments,
                                          llvm::function_ref<Index(unsigned dim)> index,
                                          llvm::function_ref<mlir::Value(mlir::Value tensor)> memrefOf);
  // A vector of `lanes` whatever `value` is; scalars stay scalars when lanes is 1.
  mlir::Value spread(mlir::Value value);

 private:
  mlir::Value evaluateOp(mlir::Operation& op, llvm::function_ref<Index(unsigned)> index,
                         llvm::function_ref<mlir::Value(mlir::Value)> memrefOf);
  mlir::Value extract(mlir::tensor::ExtractOp op, llvm::function_ref<Index(unsigned)> index,
                      llvm::function_ref<mlir::Value(mlir::Value)> memrefOf);
  mlir::Value multiplyAdd(mlir::Operation& add, mlir::Operation& multiply);
  mlir::Value elementwise(mlir::Operation& op);
  mlir::Value valueOf(mlir::Value original);
  bool isVector(mlir::Value value) const;
  mlir::Value countingFrom(mlir::Value original, llvm::function_ref<Index(unsigned dim)> index);
  mlir::Value asIndex(mlir::Value number);
  mlir::Value isInside(mlir::Value base, int64_t low, int64_t high);
  mlir::Value loadLanes(mlir::Value memref, mlir::Value common, mlir::Value moving, mlir::VectorType type);

  IndexMath math_;
  const TileBody& body_;
  int64_t lanes_;
  mlir::IRMapping map_;
};

}  // namespace tetrarch::compile
