// Where things lie in the memories on the chip. Addresses only: the stream builder orders who uses them.
#pragma once

#include <optional>

#include "tetrarch/devices/npu/config.h"

namespace tetrarch::npu {

// Slots of equal size used in turn: while one is computed on, the next is filled.
class Ring {
 public:
  Ring() = default;
  Ring(int64_t local, int64_t slot_rows, int64_t slots) : local_(local), rows_(slot_rows), slots_(slots) {}

  // The local address of the slot whose last use is longest ago.
  int64_t next() { return local_ + rows_ * (next_++ % slots_); }
  int64_t slotRows() const { return rows_; }
  int64_t slots() const { return slots_; }

 private:
  int64_t local_ = 0, rows_ = 0, slots_ = 1, next_ = 0;
};

// Gives whole banks away, in order. What is read at the same time by different units must lie in different
// banks, and so must what they write.
class Banks {
 public:
  // Of the scratchpad only the rows before `sp_rows`, where that is not -1.
  explicit Banks(const Config& config, int64_t sp_rows = -1)
      : config_(config), sp_rows_(sp_rows < 0 ? config.sp_rows : sp_rows) {}

  int64_t scratchpadBankRows() const { return config_.sp_rows / kSpBanks; }
  int64_t accumulatorBankRows() const { return config_.acc_rows / kAccBanks; }
  int64_t freeScratchpadRows() const { return sp_rows_ - scratchpad_; }
  int64_t freeAccumulatorRows() const { return config_.acc_rows - accumulator_; }

  // The local address of that many rows together, or nothing when there are no longer as many.
  std::optional<int64_t> scratchpad(int64_t rows) {
    return take(scratchpad_, rows, scratchpadBankRows(), sp_rows_);
  }
  std::optional<int64_t> accumulator(int64_t rows) {
    const auto row = take(accumulator_, rows, accumulatorBankRows(), config_.acc_rows);
    return row ? std::optional(accAddress(*row)) : std::nullopt;
  }

 private:
  static std::optional<int64_t> take(int64_t& next, int64_t rows, int64_t bank, int64_t end) {
    if (rows > end - next) return std::nullopt;
    const int64_t first = next;
    next = (next + rows + bank - 1) / bank * bank;
    return first;
  }

  Config config_;
  int64_t sp_rows_;
  int64_t scratchpad_ = 0, accumulator_ = 0;
};

}  // namespace tetrarch::npu
