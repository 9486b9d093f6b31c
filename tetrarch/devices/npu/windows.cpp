#include "tetrarch/devices/npu/windows.h"

#include <algorithm>
#include <bitset>
#include <map>
#include <random>

namespace tetrarch::npu {
namespace {

using KindCounts = std::array<int64_t, kKinds>;
using KindSet = std::bitset<kKinds>;

// What a window costs beside its instructions' own time: the latency of the first fetch and load, the tails.
constexpr int64_t kFill = 64;

class Chooser {
 public:
  Chooser(const Config& config, std::span<Stream* const> streams, const WindowChoice& choice)
      : config_(config), streams_(streams), choice_(choice), random_(choice.seed) {
    for (const Stream* stream : streams) {
      KindCounts& counts = counts_.emplace_back();
      for (const Instruction& i : stream->instructions) ++counts[kindOf(i)];
      counts[kindOf(Halt{})] = 0;  // no window has it but as its end
      for (size_t k = 0; k < kKinds; ++k) total_[k] += counts[k];
    }
  }

  void choose() {
    if (total_ == KindCounts{}) return;
    for (int64_t i = 0; i < choice_.count; ++i) addWindow(nextKind());
    for (Stream* stream : streams_) std::ranges::sort(stream->windows, {}, &Window::begin);
  }

 private:
  // The rarest kind not covered so far, any one if all are.
  size_t nextKind() {
    std::vector<size_t> open, all;
    for (size_t k = 0; k < kKinds; ++k) {
      if (total_[k] == 0) continue;
      all.push_back(k);
      if (!covered_[k]) open.push_back(k);
    }
    if (open.empty()) return all[below(static_cast<int64_t>(all.size()))];
    return *std::ranges::min_element(open, {}, [&](size_t k) { return total_[k]; });
  }

  // Around any instruction of that kind.
  void addWindow(size_t kind) {
    int64_t left = below(total_[kind]);
    size_t at = 0;
    while (left >= counts_[at][kind]) left -= counts_[at++][kind];
    Stream& stream = *streams_[at];
    size_t anchor = 0;
    while (kindOf(stream.instructions[anchor]) != kind || left-- > 0) ++anchor;
    const Window window = grow(stream, anchor);
    for (size_t i = window.begin; i < window.end; ++i) covered_.set(kindOf(stream.instructions[i]));
    stream.windows.push_back(window);
  }

  // The largest window around `anchor` that takes no more cycles than wished, by when its instructions begin
  // and end in the whole stream; a random share of them before the anchor.
  Window grow(const Stream& stream, size_t anchor) {
    const std::vector<InstructionTimes>& times = timesOf(stream);
    Window window{anchor, anchor + 1};
    int64_t first = times[anchor].issued, last = times[anchor].completed;
    const auto take = [&](size_t i, int64_t budget) {
      const int64_t from = std::min(first, times[i].issued), to = std::max(last, times[i].completed);
      if (to - from + config_.latency + kFill > budget) return false;
      first = from, last = to;
      return true;
    };
    const int64_t before = below(choice_.cycles);
    while (window.begin > 0 && take(window.begin - 1, before)) --window.begin;
    // The last instruction is HALT.
    while (window.end + 1 < times.size() && take(window.end, choice_.cycles)) ++window.end;
    return window;
  }

  const std::vector<InstructionTimes>& timesOf(const Stream& stream) {
    std::vector<InstructionTimes>& times = times_[&stream];
    if (times.empty()) simulateTiming(config_, stream.words, {}, int64_t{1} << 32, &times);
    return times;
  }

  int64_t below(int64_t end) {
    // Not a distribution of the standard library, whose numbers depend on its version.
    return static_cast<int64_t>(random_() % static_cast<uint64_t>(std::max<int64_t>(end, 1)));
  }

  const Config& config_;
  std::span<Stream* const> streams_;
  const WindowChoice choice_;
  std::mt19937_64 random_;
  std::vector<KindCounts> counts_;  // by stream
  KindCounts total_ = {};
  KindSet covered_;
  std::map<const Stream*, std::vector<InstructionTimes>> times_;
};

}  // namespace

size_t kindOf(const Instruction& instruction) {
  constexpr size_t kFirstVop = 16, kFirstMatmul = 48;
  static_assert(kFirstMatmul + 8 <= kKinds);
  if (const auto* vop = std::get_if<Vop>(&instruction)) return kFirstVop + static_cast<size_t>(vop->op);
  if (const auto* m = std::get_if<Matmul>(&instruction)) {
    return kFirstMatmul + static_cast<size_t>(m->accumulate + 2 * m->keep + 4 * m->ternary);
  }
  return static_cast<size_t>(opcodeOf(instruction));
}

void chooseWindows(const Config& config, std::span<Stream* const> streams, const WindowChoice& choice) {
  Chooser(config, streams, choice).choose();
}

}  // namespace tetrarch::npu
