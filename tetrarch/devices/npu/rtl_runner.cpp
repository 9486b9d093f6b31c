#include "tetrarch/devices/npu/rtl_runner.h"

#include <algorithm>

#include "tetrarch/devices/npu/compare.h"
#include "tetrarch/devices/npu/machine.h"

namespace tetrarch::npu {
namespace {

constexpr int64_t kDramBytes = int64_t{1} << 32;  // what an address can name; segments say what is there
// A run that takes longer than this many times its prediction, and this many cycles more, hangs.
constexpr int64_t kPatience = 2, kMargin = 10000;

// The segments of a Dram, those that may be written as copies.
class DramCopy {
 public:
  explicit DramCopy(const Dram& dram) : segments_(dram.segments().begin(), dram.segments().end()) {
    for (Dram::Segment& segment : segments_) {
      if (!segment.writable || !segment.data) continue;
      copies_.emplace_back(segment.data, segment.data + segment.bytes);
      segment.data = copies_.back().data();
    }
  }
  Result<Dram> dram() const { return Dram::make(segments_); }

  // The first byte that differs from the same byte of another copy of the same Dram, in words, or "".
  std::string difference(const DramCopy& other) const {
    size_t copy = 0;
    for (const Dram::Segment& segment : segments_) {
      if (!segment.writable || !segment.data) continue;
      const std::vector<std::byte>&mine = copies_[copy], &theirs = other.copies_[copy];
      ++copy;
      if (mine == theirs) continue;
      const auto at = std::ranges::mismatch(mine, theirs).in1 - mine.begin();
      return fmt::format("DRAM differs at {}: {:#x} against {:#x}", segment.base + static_cast<uint64_t>(at),
                         static_cast<unsigned>(mine[at]), static_cast<unsigned>(theirs[at]));
    }
    return "";
  }

 private:
  std::vector<Dram::Segment> segments_;
  std::vector<std::vector<std::byte>> copies_;  // of the writable ones, in their order
};

bool isFoundAtDispatch(Cause cause) {
  return cause == Cause::IllegalOpcode || cause == Cause::IllegalField || cause == Cause::LocalRange ||
         cause == Cause::FetchRange;
}

// "instruction 7 (…)", of which the processor says the place in the program or in its queue.
std::string placeOf(const Timing& timing, std::span<const Word> words) {
  int64_t ordinal = 0;
  for (size_t i = 0; i < words.size(); ++i) {
    auto instruction = decode(words[i]);
    const bool counts =
        isFoundAtDispatch(timing.cause) ||
        (instruction && !std::holds_alternative<Halt>(*instruction) && queueOf(*instruction) == timing.queue);
    if (!counts || ordinal++ != timing.index) continue;
    return fmt::format("instruction {} of what ran ({})", i,
                       instruction ? disassemble(*instruction) : "no instruction");
  }
  return fmt::format("number {} of the {} queue", timing.index, queueName(timing.queue));
}

}  // namespace

Result<int64_t> RtlRunner::runWatched(std::span<const Word> words, State& state, const Dram& dram,
                                      const Timing& predicted) {
  std::lock_guard lock(mutex_);
  if (!rtl_) rtl_ = table_.make(config_);
  auto timing = rtl_->run(words, state, dram, kDramBytes, kPatience * predicted.cycles + kMargin);
  if (!timing && timing.error().code() == StatusCode::kDeadlineExceeded) {
    return propagate(
        timing.error().withContext(fmt::format("it hangs, {} cycles being enough", predicted.cycles)));
  }
  if (!timing) return propagate(std::move(timing));
  if (timing->cause != Cause::Done) {
    return internalError("the RTL halted at {}: {}", placeOf(*timing, words), causeText(timing->cause));
  }
  if (std::string found = difference(*timing, predicted); !found.empty()) {
    return internalError("RTL and model differ: {}", found);
  }
  return timing->cycles;
}

Result<int64_t> RtlRunner::run(const Stream& stream, const Dram& dram) {
  State state(config_);
  return runWatched(stream.words, state, dram, stream.timing);
}

Result<int64_t> RtlRunner::check(const Stream& stream, const Window& window, const State& before,
                                 const Dram& dram) {
  const auto context = [&](const Status& status) {
    return propagate(
        status.withContext(fmt::format("instructions {} to {} in the RTL", window.begin, window.end)));
  };
  std::vector<Word> words(stream.words.begin() + static_cast<ptrdiff_t>(window.begin),
                          stream.words.begin() + static_cast<ptrdiff_t>(window.end));
  TET_ASSIGN_OR_RETURN(const Word halt, encode(Halt{}));
  words.push_back(halt);
  const DramCopy of_model(dram), of_rtl(dram);
  TET_ASSIGN_OR_RETURN(const Dram model_dram, of_model.dram());
  TET_ASSIGN_OR_RETURN(const Dram rtl_dram, of_rtl.dram());

  State state = before;
  const Timing predicted = simulateTiming(config_, words, TimingStart::of(before));
  auto cycles = runWatched(words, state, rtl_dram, predicted);
  if (!cycles) return context(cycles.error());

  Machine machine(config_, model_dram);
  machine.restore(before);
  machine.run(std::span(stream.instructions).subspan(window.begin, window.end - window.begin));
  std::string found = difference(state, machine.state());
  if (found.empty()) found = of_rtl.difference(of_model);
  if (!found.empty()) return context(internalError("RTL and model differ: {}", found));
  return cycles;
}

}  // namespace tetrarch::npu
