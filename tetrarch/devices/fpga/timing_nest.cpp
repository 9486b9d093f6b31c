#include "tetrarch/devices/fpga/timing_nest.h"

#include <algorithm>
#include <limits>

#include "tetrarch/abi/fpga_boxes.h"

namespace tetrarch::fpga {
namespace {

std::vector<int64_t> extentsOf(const Nest& nest) {
  std::vector<int64_t> extents;
  for (const Nest::Loop& loop : nest.loops) extents.push_back(loop.extent);
  return extents;
}

}  // namespace

Touches::Touches(const std::vector<int64_t>& extents, const std::map<uint32_t, std::vector<Box>>& boxes)
    : extents_(extents), digits_(extents.size()) {
  for (const auto& [stream, of_stream] : boxes) {
    for (const Box& box : of_stream) {
      Row row{stream, {}};
      for (size_t i = 0; i < box.size(); ++i) {
        if (box[i] != Range{0, extents[i]}) row.sides.push_back({i, box[i].low, box[i].high});
      }
      rows_.push_back(std::move(row));
    }
  }
}

void Touches::next() {
  ++at_;
  level_ = extents_.size();
  while (level_ > 0) {
    --level_;
    if (++digits_[level_] < extents_[level_]) return;
    digits_[level_] = 0;
  }
}

void Touches::moveTo(int64_t iteration) {
  at_ = iteration;
  for (size_t i = extents_.size(); i-- > 0;) {
    digits_[i] = iteration % extents_[i];
    iteration /= extents_[i];
  }
}

NestTiming::NestTiming(const Nest& nest)
    : interval(nest.interval),
      depth(nest.depth),
      iterations(iterationsOf(nest)),
      shares(nest.shares),
      takes(fpga::extentsOf(nest), popsOf(nest)),
      gives(fpga::extentsOf(nest), outputsOf(nest, /*is_store=*/false)),
      extents_(fpga::extentsOf(nest)),
      periods_(extents_.size(), 1),
      cuts_(extents_.size()) {
  for (size_t i = extents_.size(); i-- > 1;) periods_[i - 1] = periods_[i] * extents_[i];
  for (const Touches* touches : {&takes, &gives}) {
    for (const Touches::Row& row : touches->rows()) {
      for (const auto& [loop, low, high] : row.sides) {
        for (const int64_t cut : {int64_t{0}, low, high, extents_[loop]}) cuts_[loop].push_back(cut);
      }
    }
  }
  for (auto& cuts : cuts_) std::ranges::sort(cuts);
}

int64_t NestTiming::untilIssue() const {
  const int64_t late = enabled - next_issue;
  if (late <= 0) return -late;
  return shares && issued() > 0 ? (interval - late % interval) % interval : 0;
}

// The step leaves alone the indices of loops inside of some loop. What an iteration touches repeats as long
// as the index of the innermost restricted loop from there outwards passes no cut.
int64_t NestTiming::repeats(int64_t first, int64_t step) const {
  if (step == 0) return std::numeric_limits<int64_t>::max();
  size_t loop = 0;  // the outermost that steps as a whole
  while (loop < loops() && step % periods_[loop] != 0) ++loop;
  size_t restricted = std::min(loop + 1, loops());
  while (restricted > 0 && cuts_[restricted - 1].empty()) --restricted;
  int64_t end = iterations;
  if (restricted > 0) {
    const int64_t period = periods_[restricted - 1], extent = extents_[restricted - 1];
    const auto& cuts = cuts_[restricted - 1];
    const int64_t index = first / period % extent;
    const int64_t cut = *std::ranges::upper_bound(cuts, index);
    end = std::min(end, (first / period - index + cut) * period);
  }
  // The iteration that waits to issue at the end waits for the same, too, and there is one.
  return std::max<int64_t>(end - 1 - issued(), 0) / step;
}

void NestTiming::jump(int64_t times, int64_t step, int64_t enabled_step) {
  takes.moveTo(issued() + times * step);
  gives.moveTo(left() + times * step);
  enabled += times * enabled_step;
  next_issue += times * enabled_step;
  for (int64_t& cycle : in_flight) cycle += times * enabled_step;
}

}  // namespace tetrarch::fpga
