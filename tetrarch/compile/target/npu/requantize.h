// Reads the scalar code behind a sum as what the vector unit does in one step.
#pragma once

#include <optional>
#include <vector>

#include "tetrarch/compile/code_generator.h"
#include "tetrarch/compile/tile/nest.h"

namespace tetrarch::npu {

// Factors of the sums, one of each for every column of each group: clip(rne((sum + bias) * multiplier, shift)
// + zero point).
struct Requantization {
  std::vector<int64_t> bias, multiplier, shift;
  int64_t zero_point = 0, low = 0, high = 0;

  // A second addend, bytes: rne((other - its zero point) * its multiplier, its shift).
  struct Other {
    compile::TileAccess access;
    int64_t zero_point = 0, multiplier = 0, shift = 1;
  };
  std::optional<Other> other;
};

// Where a body's values come from.
struct BodyOfColumns {
  const compile::Task& task;
  const compile::TileNestPlan& plan;
  const compile::TileBody& body;
  unsigned column_dim = 0;  // of the nest: parameters vary along it …
  int64_t columns = 1;      // its extent
  int group_dim = -1;       // … and along this one, which it follows in memory, where there is one
  int64_t groups = 1;       // the extent of that
};

// Unimplemented with the reason when the body is something else, or a number is too large for the processor.
// `acc` is the body's argument that holds the sum.
Result<Requantization> readRequantization(const BodyOfColumns& body);

// Rows of parameters as VPARAM takes them: for each S columns one of biases, one of multipliers and shifts.
// Every `width` columns begin with rows of their own.
std::vector<std::byte> parameterRows(const Requantization& r, int64_t side, int64_t width);

}  // namespace tetrarch::npu
