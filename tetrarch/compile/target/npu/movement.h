// Copies from DRAM to DRAM in another order: transpositions, slices, concatenations, paddings.
#pragma once

#include <optional>
#include <vector>

#include "tetrarch/compile/target/npu/stream.h"

namespace tetrarch::npu {

struct MovementLoop {
  int64_t count = 1, from = 0, to = 0;  // strides in bytes
};

// For all loops `bytes` bytes, from one address to another or all of one value.
struct Movement {
  int64_t bytes = 1;  // at most those of a scratchpad row
  int64_t from = 0, to = 0;
  std::vector<MovementLoop> loops;  // outermost first
  std::optional<int64_t> value;
};

// The same with rows of the scratchpad: `bytes` may be any number that lies together on both sides. Loops are
// put in the order in which the result lies.
std::vector<Movement> cutRows(const Config& config, const Movement& movement);

// A movement a piece of the chip at a time. What pieces write does not overlap.
class MovementPlan {
 public:
  MovementPlan(const Config& config, Movement movement);

  int64_t pieces() const { return outer_ * parts_; }
  // Adds one piece to a stream; pieces with different slots, 0 to kMovementSlots - 1, overlap in time.
  void emit(int64_t piece, int64_t slot, StreamBuilder& builder) const;

 private:
  int64_t slot_rows_;
  Movement movement_;
  size_t split_ = 0;                    // the loop that is cut; those behind it are whole
  int64_t part_ = 1, parts_ = 1;        // iterations of it in a piece; pieces of it
  int64_t outer_ = 1, inner_rows_ = 1;  // iterations of the loops before it; rows of those behind
};

inline constexpr int64_t kMovementSlots = 4;

}  // namespace tetrarch::npu
