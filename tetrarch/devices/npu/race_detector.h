// Vector clocks: which instructions of which queues are known to be complete when another one issues.
#pragma once

#include <array>
#include <deque>
#include <vector>

#include "tetrarch/devices/npu/legality.h"

namespace tetrarch::npu {

// Entry q: that many instructions of queue q are complete.
using VectorClock = std::array<int64_t, kQueues>;

// Feed it the instructions in program order: begin(), the accesses, end().
class RaceDetector {
 public:
  RaceDetector(const Config& config);

  // Takes the tokens it waits for. An error says which token is missing.
  Status begin(Queue queue, const Tokens& tokens);
  // Sends its tokens. An error says which counter could overflow.
  Status end(const Tokens& tokens);

  // Accesses of the instruction that has begun; an error names the other one.
  Status readRows(const RowRange& rows) { return touchRows(rows, false); }
  Status writeRows(const RowRange& rows) { return touchRows(rows, true); }
  Status readRow(bool in_acc, int64_t row) { return touch(shadowOf(in_acc, row), in_acc, row, false); }
  Status writeRow(bool in_acc, int64_t row) { return touch(shadowOf(in_acc, row), in_acc, row, true); }
  // `rows`: where each row begins, any order; each has `bytes` bytes, all lie in `range`.
  Status touchDram(const ByteRange& range, std::vector<int64_t> rows, int64_t bytes, bool write);

 private:
  // Who last wrote a row and who read it last, by ordinal in the queue + 1; 0 is nobody.
  struct Shadow {
    int64_t written = 0;
    int8_t writer = 0;
    VectorClock read = {};
  };
  struct DramAccess {
    ByteRange range;
    std::vector<int64_t> rows;  // sorted
    int64_t bytes;
    int64_t ordinal;
  };
  struct Signal {
    int64_t ordinal;
    VectorClock clock;
  };

  Status touchRows(const RowRange& rows, bool write);
  Status touch(Shadow& shadow, bool in_acc, int64_t row, bool write);
  Status conflict(int other, int64_t ordinal, bool in_acc, int64_t row) const;
  Shadow& shadowOf(bool in_acc, int64_t row) { return (in_acc ? acc_ : sp_)[row]; }

  std::vector<Shadow> sp_, acc_;
  std::array<std::deque<DramAccess>, 2> dram_;  // by LOADs, by STOREs, those not known complete by the other
  std::array<std::array<std::deque<Signal>, kQueues>, kQueues> signals_;  // [from][to], not yet taken
  std::array<VectorClock, kQueues> clocks_ = {};                          // of each queue's latest issue
  std::array<int64_t, kQueues> issued_ = {};
  int queue_ = 0;  // of the instruction that has begun; its ordinal + 1 is issued_[queue_]
};

}  // namespace tetrarch::npu
