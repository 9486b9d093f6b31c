#include "tetrarch/devices/npu/windows.h"

#include <gtest/gtest.h>

#include <set>

#include "tetrarch/devices/npu/random_case.h"

namespace tetrarch::npu {
namespace {

constexpr int64_t kSide = 16;
constexpr int kStreams = 8;

class NpuWindows : public testing::Test {
 protected:
  NpuWindows() {
    for (uint64_t seed = 0; seed < kStreams; ++seed) {
      const Case c = randomCase(seed, {.side = kSide, .kind = 0, .sp_rows = 16384, .acc_rows = 1024});
      config_ = c.config;
      Stream stream{.words = c.program, .instructions = *decode(c.program), .timing = {}, .windows = {}};
      stream.timing = simulateTiming(config_, stream.words);
      streams_.push_back(std::move(stream));
    }
  }

  // The windows of all streams, with the stream's number in front.
  std::vector<std::pair<size_t, Window>> choose(const WindowChoice& choice) {
    std::vector<Stream*> pointers;
    for (Stream& stream : streams_) {
      stream.windows.clear();
      pointers.push_back(&stream);
    }
    chooseWindows(config_, pointers, choice);
    std::vector<std::pair<size_t, Window>> all;
    for (size_t s = 0; s < streams_.size(); ++s) {
      for (const Window& window : streams_[s].windows) all.emplace_back(s, window);
    }
    return all;
  }

  Config config_;
  std::vector<Stream> streams_;
};

TEST_F(NpuWindows, AreInsideTheirStreamsAndWithoutTheHalt) {
  const auto windows = choose({.count = 100, .seed = 3});
  EXPECT_EQ(windows.size(), 100u);
  for (const auto& [stream, window] : windows) {
    EXPECT_LT(window.begin, window.end);
    EXPECT_LT(window.end, streams_[stream].instructions.size());
  }
}

TEST_F(NpuWindows, TheSeedDecides) {
  const auto first = choose({.count = 5, .seed = 7});
  EXPECT_EQ(choose({.count = 5, .seed = 7}), first);
  EXPECT_NE(choose({.count = 5, .seed = 8}), first);
}

TEST_F(NpuWindows, CoverEveryKindOfInstruction) {
  std::set<size_t> there, covered;
  for (const Stream& stream : streams_) {
    for (const Instruction& i : stream.instructions) there.insert(kindOf(i));
  }
  there.erase(kindOf(Halt{}));
  // Of one instruction each, so that as many windows are needed as there are kinds, and no more.
  const auto windows = choose({.count = static_cast<int64_t>(there.size()), .seed = 1, .cycles = 1});
  for (const auto& [stream, window] : windows) {
    EXPECT_EQ(window.end, window.begin + 1);
    covered.insert(kindOf(streams_[stream].instructions[window.begin]));
  }
  EXPECT_EQ(covered, there);
  EXPECT_GT(there.size(), 20u);
}

TEST_F(NpuWindows, StayWithinTheirCycles) {
  constexpr int64_t kCycles = 1500;
  size_t instructions = 0;
  for (const auto& [stream, window] : choose({.count = 200, .seed = 1, .cycles = kCycles})) {
    if (window.end == window.begin + 1) continue;  // may be one that takes longer
    std::vector<Word> words(streams_[stream].words.begin() + static_cast<ptrdiff_t>(window.begin),
                            streams_[stream].words.begin() + static_cast<ptrdiff_t>(window.end));
    words.push_back(*encode(Halt{}));
    TimingStart start;
    for (auto& row : start.tokens) row.fill(100);
    const Timing timing = simulateTiming(config_, words, start);
    EXPECT_EQ(timing.cause, Cause::Done);
    EXPECT_LE(timing.cycles, kCycles);
    instructions += window.end - window.begin;
  }
  EXPECT_GT(instructions, 600u);
}

TEST_F(NpuWindows, NothingToChooseFromIsFine) {
  streams_.clear();
  EXPECT_TRUE(choose({.count = 5}).empty());
}

}  // namespace
}  // namespace tetrarch::npu
