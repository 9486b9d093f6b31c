#include "tetrarch/devices/npu/case.h"

#include <algorithm>

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

template <typename T>
std::string firstDifference(std::string_view what, const std::vector<T>& a, const std::vector<T>& b,
                            int64_t per_row) {
  const auto at = std::ranges::mismatch(a, b).in1 - a.begin();
  return fmt::format("{} differs at row {}, element {}: {:#x} against {:#x}", what, at / per_row,
                     at % per_row, static_cast<uint64_t>(a[at]), static_cast<uint64_t>(b[at]));
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

Case windowOf(const Case& c, size_t begin, size_t end) {
  Case window = c;
  execute(c.config, std::span(c.program).first(begin), window.state, window.dram);
  window.program.assign(c.program.begin() + begin, c.program.begin() + end);
  if (auto halt = encode(Halt{})) window.program.push_back(*halt);
  return window;
}

std::string difference(const Outcome& a, const Outcome& b) {
  const auto describe = [](const Timing& t) {
    return fmt::format("'{}' (queue {}, index {})", causeText(t.cause), queueName(t.queue), t.index);
  };
  if (describe(a.timing) != describe(b.timing)) {
    return fmt::format("one ended with {}, the other with {}", describe(a.timing), describe(b.timing));
  }
  if (a.timing.cycles != b.timing.cycles) {
    return fmt::format("one took {} cycles, the other {}", a.timing.cycles, b.timing.cycles);
  }
  if (a.timing.cause != Cause::Done) return "";
  const auto side = static_cast<int64_t>(a.state.parameters.bias.size());
  const State &x = a.state, &y = b.state;
  const auto row_bytes = static_cast<int64_t>(x.weights.size()) / side;
  if (x.sp != y.sp) return firstDifference("the scratchpad", x.sp, y.sp, row_bytes);
  if (x.acc != y.acc) return firstDifference("the accumulator memory", x.acc, y.acc, side);
  if (a.dram != b.dram) return firstDifference("DRAM", a.dram, b.dram, 64);
  if (x.table != y.table) return firstDifference("the table", x.table, y.table, 1);
  if (x.weights != y.weights) return firstDifference("the array's weights", x.weights, y.weights, row_bytes);
  if (x.parameters != y.parameters) return "the vector parameters differ";
  if (x.tokens != y.tokens) return "the token counters differ";
  if (x.load_loops != y.load_loops || x.store_loops != y.store_loops) return "the loops differ";
  return "";
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
