// Sums over rows of a matrix of floats, column by column: the gradient of a bias, the mean of a plane. The
// vector unit of the bf16 kind adds halves of the rows until one is left.
#pragma once

#include <vector>

#include "tetrarch/compile/target/npu/contraction.h"

namespace tetrarch::npu {

// Addresses and strides in bytes. The epilogue is a Program, or Sums.
struct ColumnSums {
  int64_t columns = 1;  // side by side in input and output
  int64_t element = 4;  // bytes of an input: 2 or 4
  int64_t input = 0, output = 0;
  std::vector<OuterLoop> rows;   // loops of the rows that are added: count and input
  std::vector<OuterLoop> outer;  // around the sums: count, input and output
  Epilogue epilogue;

  int64_t outputElementBytes() const {
    return epilogue.kind == Epilogue::Kind::Program ? epilogue.program.results.front().bytes : 4;
  }
};

// How sums are cut: S columns after the other, a chunk of rows at a time.
struct ColumnSumsPlan {
  ColumnSums work;
  int64_t chunk_rows = 1;
  std::optional<VectorPlan> program;

  int64_t steps(int64_t side) const;  // outer iterations times tiles of columns
};

// Unimplemented when what is computed from the sums does not fit on the chip.
Result<ColumnSumsPlan> planColumnSums(const Config& config, const ColumnSums& sums);

// Adds steps [begin, end) to a stream that has nothing before.
Status emitColumnSums(const Config& config, const ColumnSumsPlan& plan, int64_t begin, int64_t end,
                      StreamBuilder& builder);

}  // namespace tetrarch::npu
