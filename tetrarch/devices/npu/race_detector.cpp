#include "tetrarch/devices/npu/race_detector.h"

#include <algorithm>

namespace tetrarch::npu {
namespace {

std::string_view nameOf(int queue) { return queueName(static_cast<Queue>(queue)); }

void join(VectorClock& into, const VectorClock& other) {
  for (size_t q = 0; q < into.size(); ++q) into[q] = std::max(into[q], other[q]);
}

}  // namespace

RaceDetector::RaceDetector(const Config& config) : sp_(config.sp_rows), acc_(config.acc_rows) {}

Status RaceDetector::begin(Queue queue, const Tokens& tokens) {
  queue_ = static_cast<int>(queue);
  VectorClock& clock = clocks_[queue_];
  for (int from = 0; from < kQueues; ++from) {
    if (!(tokens.wait >> from & 1)) continue;
    auto& sent = signals_[from][queue_];
    if (sent.empty()) {
      return invalidArgument("it waits for a token that the {} queue has not sent before", nameOf(from));
    }
    // A queue completes in order: this signal's instruction and all before it are complete, and so is what
    // was complete when it issued.
    join(clock, sent.front().clock);
    clock[from] = std::max(clock[from], sent.front().ordinal);
    sent.pop_front();
  }
  ++issued_[queue_];
  return {};
}

Status RaceDetector::end(const Tokens& tokens) {
  for (int to = 0; to < kQueues; ++to) {
    if (!(tokens.signal >> to & 1)) continue;
    auto& sent = signals_[queue_][to];
    // Up to QueueDepth waits that program order has passed may still be queued.
    if (sent.size() >= kTokenMax - kQueueDepth) {
      return invalidArgument("more than {} tokens from the {} to the {} queue are not taken",
                             kTokenMax - kQueueDepth, nameOf(queue_), nameOf(to));
    }
    sent.push_back({issued_[queue_], clocks_[queue_]});
  }
  return {};
}

Status RaceDetector::conflict(int other, int64_t ordinal, bool in_acc, int64_t row) const {
  return invalidArgument(
      "no token orders it after instruction {} of the {} queue, which touches row {} of the {} too",
      ordinal - 1, nameOf(other), row, in_acc ? "accumulator memory" : "scratchpad");
}

Status RaceDetector::touch(Shadow& shadow, bool in_acc, int64_t row, bool write) {
  const VectorClock& clock = clocks_[queue_];
  if (shadow.writer != queue_ && shadow.written > clock[shadow.writer]) {
    return conflict(shadow.writer, shadow.written, in_acc, row);
  }
  if (!write) {
    shadow.read[queue_] = issued_[queue_];
    return {};
  }
  for (int q = 0; q < kQueues; ++q) {
    if (q != queue_ && shadow.read[q] > clock[q]) return conflict(q, shadow.read[q], in_acc, row);
  }
  shadow.writer = static_cast<int8_t>(queue_);
  shadow.written = issued_[queue_];
  return {};
}

Status RaceDetector::touchRows(const RowRange& rows, bool write) {
  for (int64_t row = rows.first; row <= rows.last; ++row) {
    TET_RETURN_IF_ERROR(touch(shadowOf(rows.in_acc, row), rows.in_acc, row, write));
  }
  return {};
}

Status RaceDetector::touchDram(const ByteRange& range, std::vector<int64_t> rows, int64_t bytes, bool write) {
  const int other = static_cast<int>(write ? Queue::Load : Queue::Store);
  auto& theirs = dram_[write ? 0 : 1];
  while (!theirs.empty() && theirs.front().ordinal <= clocks_[queue_][other]) theirs.pop_front();
  std::ranges::sort(rows);
  for (const DramAccess& access : theirs) {
    if (range.end <= access.range.begin || access.range.end <= range.begin) continue;
    for (size_t i = 0, j = 0; i < rows.size() && j < access.rows.size();) {
      if (rows[i] + bytes <= access.rows[j]) {
        ++i;
      } else if (access.rows[j] + access.bytes <= rows[i]) {
        ++j;
      } else {
        return invalidArgument(
            "no token orders it after instruction {} of the {} queue, which touches DRAM at {} too",
            access.ordinal - 1, nameOf(other), std::max(rows[i], access.rows[j]));
      }
    }
  }
  dram_[write ? 1 : 0].push_back({range, std::move(rows), bytes, issued_[queue_]});
  return {};
}

}  // namespace tetrarch::npu
