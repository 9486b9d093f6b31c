// One nest as the timing model sees it: which iterations are under way, and which streams they touch.
#pragma once

#include <deque>
#include <map>
#include <span>

#include "tetrarch/abi/fpga_program.h"

namespace tetrarch::fpga {

// Which of the streams an iteration takes a beat from, or gives one to.
class Touches {
 public:
  struct Row {
    uint32_t stream;
    struct Side {
      size_t loop;
      int64_t low, high;
    };
    std::vector<Side> sides;  // restrict the iterations
  };
  Touches(const std::vector<int64_t>& extents, const std::map<uint32_t, std::vector<Box>>& boxes);

  std::span<const Row> rows() const { return rows_; }
  int64_t at() const { return at_; }
  // The outermost loop that stepped when the last iteration was left behind.
  size_t level() const { return level_; }
  void next();
  void moveTo(int64_t iteration);

  // Calls visit(stream) for each stream of this iteration, until it gives false; whether it never did.
  template <typename Visit>
  bool all(Visit&& visit) const {
    for (const Row& row : rows_) {
      if (isInside(row) && !visit(row.stream)) return false;
    }
    return true;
  }

 private:
  bool isInside(const Row& row) const {
    for (const Row::Side& side : row.sides) {
      if (digits_[side.loop] < side.low || digits_[side.loop] >= side.high) return false;
    }
    return true;
  }

  std::vector<int64_t> extents_, digits_;
  std::vector<Row> rows_;
  int64_t at_ = 0;
  size_t level_ = 0;
};

class NestTiming {
 public:
  explicit NestTiming(const Nest& nest);

  int64_t interval, depth, iterations;
  bool shares;                    // issues are multiples of the interval apart
  Touches takes, gives;           // at the next iteration to issue, to leave
  std::deque<int64_t> in_flight;  // in which enabled cycle each issued
  int64_t enabled = 0;            // cycles so far
  int64_t next_issue = 0;         // the first enabled cycle in which one may

  // Enabled cycles until one may.
  int64_t untilIssue() const;
  int64_t issued() const { return takes.at(); }
  int64_t left() const { return gives.at(); }
  bool isAtEnd() const { return !in_flight.empty() && enabled - in_flight.front() == depth; }
  size_t loops() const { return periods_.size(); }

  // How many more times what the iterations from `first` to the last issued did is done again, `step`
  // iterations later each time.
  int64_t repeats(int64_t first, int64_t step) const;
  void jump(int64_t times, int64_t step, int64_t enabled_step);

 private:
  std::vector<int64_t> extents_, periods_;  // iterations for one step of each loop
  std::vector<std::vector<int64_t>> cuts_;  // of each loop the indices at which a box begins or ends, sorted
};

}  // namespace tetrarch::fpga
