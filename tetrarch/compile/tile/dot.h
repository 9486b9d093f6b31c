// How a target sums the products of bytes four at a time. The tile layer decides which bytes meet; what is
// made of them is the target's.
#pragma once

#include "llvm/ADT/SmallVector.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/Value.h"

namespace tetrarch::compile {

// Steps of k that one dot product takes.
inline constexpr int64_t kDotBytes = 4;

// acc[n] += Σ left[k] * right[k][n] over four k, of signed bytes into 32 bits, exact modulo 2^32. Objects
// live as long as the program and are used by any thread. `lanes` is how many n a vector of sums has.
class TileDot {
 public:
  using Values = llvm::SmallVector<mlir::Value, 2>;
  virtual ~TileDot() = default;

  // Of the right operand, a vector of sums each; of the left one, a row each.
  int64_t right_registers = 1, left_registers = 1;
  // What is added to left bytes, since the processor takes them as unsigned: 0 or 128.
  int64_t left_offset = 0;

  // The left operand from an i32 of the bytes left[0] (lowest) to left[3].
  virtual Values left(mlir::OpBuilder& b, mlir::Location loc, mlir::Value word, int64_t lanes) const = 0;
  // The right operand of columns [first, first + lanes) of a panel: vector<64xi8>, four rows of 16.
  virtual Values right(mlir::OpBuilder& b, mlir::Location loc, mlir::Value panel, int64_t first,
                       int64_t lanes) const = 0;
  virtual mlir::Value add(mlir::OpBuilder& b, mlir::Location loc, mlir::Value acc, const Values& left,
                          const Values& right) const = 0;
};

}  // namespace tetrarch::compile
