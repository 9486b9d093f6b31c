#include "tetrarch/compile/target/npu/movement.h"

#include <algorithm>

namespace tetrarch::npu {

std::vector<Movement> cutRows(const Config& config, const Movement& movement) {
  const int64_t row = config.spRowBytes(), whole = movement.bytes / row, tail = movement.bytes % row;
  Movement base = movement;
  std::erase_if(base.loops, [](const MovementLoop& loop) { return loop.count == 1; });
  std::ranges::sort(base.loops, std::ranges::greater(), &MovementLoop::to);
  std::vector<Movement> rows;
  if (whole > 0) {
    Movement& part = rows.emplace_back(base);
    part.bytes = row;
    if (whole > 1) part.loops.push_back({whole, row, row});
  }
  if (tail > 0) {
    Movement& part = rows.emplace_back(base);
    part.bytes = tail;
    part.from += whole * row;
    part.to += whole * row;
  }
  return rows;
}

MovementPlan::MovementPlan(const Config& config, Movement movement)
    : slot_rows_(config.sp_rows / kMovementSlots), movement_(std::move(movement)) {
  std::vector<MovementLoop>& loops = movement_.loops;
  if (loops.empty()) loops.push_back({});
  split_ = loops.size() - 1;
  while (split_ > 0 && inner_rows_ * loops[split_].count <= slot_rows_) {
    inner_rows_ *= loops[split_--].count;
  }
  part_ = std::min(loops[split_].count, slot_rows_ / inner_rows_);
  parts_ = (loops[split_].count + part_ - 1) / part_;
  for (size_t i = 0; i < split_; ++i) outer_ *= loops[i].count;
}

void MovementPlan::emit(int64_t piece, int64_t slot, StreamBuilder& builder) const {
  const int64_t row = slot * slot_rows_, first = piece % parts_ * part_;
  const MovementLoop& cut = movement_.loops[split_];
  int64_t from = movement_.from + first * cut.from, to = movement_.to + first * cut.to;
  int64_t index = piece / parts_;
  for (size_t i = split_; i-- > 0;) {
    const MovementLoop& loop = movement_.loops[i];
    from += index % loop.count * loop.from, to += index % loop.count * loop.to;
    index /= loop.count;
  }
  std::vector<Loop> reads, writes;
  int64_t rows = inner_rows_;
  for (size_t i = split_; i < movement_.loops.size(); ++i) {
    const MovementLoop& loop = movement_.loops[i];
    const int64_t count = i == split_ ? std::min(part_, loop.count - first) : loop.count;
    if (i > split_) rows /= loop.count;
    reads.push_back({count, rows, loop.from});
    writes.push_back({count, rows, loop.to});
  }
  if (movement_.value) {
    builder.fill(row, movement_.bytes, *movement_.value, reads);
  } else {
    builder.load(row, movement_.bytes, from, reads);
  }
  builder.store(row, movement_.bytes, to, writes);
}

}  // namespace tetrarch::npu
