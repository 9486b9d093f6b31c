#include "tetrarch/devices/npu/case.h"

#include <algorithm>

#include "tetrarch/devices/npu/compare.h"
#include "tetrarch/devices/npu/machine.h"
#include "tetrarch/devices/npu/verifier.h"

namespace tetrarch::npu {
namespace {

Result<Dram> dramOf(std::vector<std::byte>& bytes) {
  return Dram::make({{0, bytes.data(), bytes.size(), true}});
}

// Executes instructions [begin, end), which must be legal, on `state` and `dram`.
void execute(const Config& config, std::span<const Word> words, State& state, std::vector<std::byte>& dram) {
  auto space = dramOf(dram);
  auto program = decode(words);
  if (!space || !program) return;
  Machine machine(config, *space);
  machine.restore(std::move(state));
  machine.run(*program);
  state = std::move(machine.state());
}

bool isLegal(const Case& c) {
  std::vector<std::byte> dram(c.dram.size());
  auto space = dramOf(dram);
  return space && verify(c.config, c.program, *space).has_value();
}

// Tries `change` on a copy; keeps it if the case is still legal and still fails.
template <typename Change>
bool keepIfFails(Case& c, const std::function<bool(const Case&)>& fails, const Change& change) {
  Case smaller = c;
  change(smaller);
  if (!isLegal(smaller) || !fails(smaller)) return false;
  c = std::move(smaller);
  return true;
}

// Clears waits for tokens that nothing sends any more.
void dropVainWaits(std::vector<Word>& program) {
  constexpr int kWait = 4, kSignal = 8;
  TokenCounters sent = {};
  for (Word& word : program) {
    auto instruction = decode(word);
    if (!instruction) continue;
    const auto me = static_cast<size_t>(queueOf(*instruction));
    for (size_t q = 0; q < kQueues; ++q) {
      if ((word.low >> (kWait + q) & 1) && --sent[q][me] < 0) {
        word.low ^= uint64_t{1} << (kWait + q);
        sent[q][me] = 0;
      }
    }
    for (size_t q = 0; q < kQueues; ++q) sent[me][q] += word.low >> (kSignal + q) & 1;
  }
}

// Runs of `length` instructions, the HALT kept. True when one could go.
bool dropRuns(Case& c, size_t length, const std::function<bool(const Case&)>& fails) {
  bool dropped = false;
  for (size_t at = 0; at + length < c.program.size();) {
    const bool gone = keepIfFails(c, fails, [&](Case& smaller) {
      smaller.program.erase(smaller.program.begin() + at, smaller.program.begin() + at + length);
      dropVainWaits(smaller.program);
    });
    dropped |= gone;
    if (!gone) ++at;
  }
  return dropped;
}

bool dropTokens(Case& c, const std::function<bool(const Case&)>& fails) {
  constexpr int kFirstBit = 4, kBits = 8;  // wait and signal
  bool dropped = false;
  for (size_t at = 0; at < c.program.size(); ++at) {
    for (int bit = kFirstBit; bit < kFirstBit + kBits; ++bit) {
      if (!(c.program[at].low >> bit & 1)) continue;
      dropped |= keepIfFails(c, fails, [&](Case& smaller) { smaller.program[at].low ^= uint64_t{1} << bit; });
    }
  }
  return dropped;
}

}  // namespace

Outcome runModels(const Case& c, std::vector<InstructionTimes>* times) {
  Outcome outcome{c.state, c.dram, {}};
  outcome.timing = simulateTiming(c.config, c.program, TimingStart::of(c.state),
                                  static_cast<int64_t>(c.dram.size()), times);
  if (outcome.timing.cause == Cause::Done) execute(c.config, c.program, outcome.state, outcome.dram);
  return outcome;
}

Result<Outcome> runRtl(NpuRtl& rtl, const Case& c, int64_t max_cycles) {
  Outcome outcome{c.state, c.dram, {}};
  auto dram = dramOf(outcome.dram);
  if (!dram) return std::unexpected(dram.error());
  auto timing =
      rtl.run(c.program, outcome.state, *dram, static_cast<int64_t>(outcome.dram.size()), max_cycles);
  if (!timing) return std::unexpected(timing.error());
  outcome.timing = *timing;
  return outcome;
}

Case windowOf(const Case& c, size_t begin, size_t end) {
  Case window = c;
  execute(c.config, std::span(c.program).first(begin), window.state, window.dram);
  window.program.assign(c.program.begin() + begin, c.program.begin() + end);
  if (auto halt = encode(Halt{})) window.program.push_back(*halt);
  return window;
}

std::string difference(const Outcome& a, const Outcome& b) {
  if (std::string found = difference(a.timing, b.timing); !found.empty()) return found;
  if (a.timing.cause != Cause::Done) return "";
  if (std::string found = difference(a.state, b.state); !found.empty()) return found;
  constexpr int64_t kDramRow = 64;
  return firstDifference<std::byte>("DRAM", a.dram, b.dram, kDramRow);
}

Case shrink(Case c, const std::function<bool(const Case&)>& fails) {
  for (bool smaller = true; smaller;) {
    smaller = false;
    for (size_t length = c.program.size() / 2; length > 0; length /= 2) smaller |= dropRuns(c, length, fails);
    smaller |= dropTokens(c, fails);
  }
  return c;
}

std::string listing(const Case& c) {
  std::string text =
      fmt::format("side {} {}, {} scratchpad rows, {} accumulator rows, latency {}\n", c.config.side,
                  kindName(c.config.kind), c.config.sp_rows, c.config.acc_rows, c.config.latency);
  for (size_t i = 0; i < c.program.size(); ++i) {
    auto instruction = decode(c.program[i]);
    text += fmt::format("{:4}  {:016x} {:016x}  {}\n", i, c.program[i].high, c.program[i].low,
                        instruction ? disassemble(*instruction) : "(illegal)");
  }
  return text;
}

}  // namespace tetrarch::npu
