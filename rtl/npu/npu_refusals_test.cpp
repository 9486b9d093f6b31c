// Programs that are not fit to run, one a row: the verifier refuses each at load and names the instruction,
// and the RTL, given it all the same, halts with the cause.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "rtl/npu/sim/npu_rtl.h"
#include "tetrarch/devices/npu/compare.h"
#include "tetrarch/devices/npu/random_case.h"
#include "tetrarch/devices/npu/verifier.h"

namespace tetrarch::npu {
namespace {

constexpr int64_t kSide = 8, kDramBytes = 1024, kMaxCycles = 20000;
constexpr uint8_t kLoad = 1, kMatrix = 2, kStore = 8;  // as bits of wait and signal

struct Refusal {
  const char* name;
  std::vector<Word> program;
  int64_t refused;            // the instruction that the verifier names
  const char* because;        // part of what it says
  Cause cause;                // of the RTL's halt …
  Queue queue = Queue::Load;  // … and its place: the queue and the ordinal in it, or the index in the program
  int64_t index = 0;
};

std::vector<Word> words(std::vector<Instruction> program) {
  program.emplace_back(Halt{});
  return *encode(program);
}

// Three instructions, of which the last is given, and HALT.
std::vector<Word> thirdIs(const Instruction& bad) { return words({Sync{}, Sync{{}, 3}, bad}); }

std::vector<Word> truncated() {
  std::vector<Word> program = words({Sync{}, Load{{}, 0, 0, kSide, 0}});
  program.pop_back();
  return program;
}

std::vector<Word> withBits(uint64_t low) {
  std::vector<Word> program = thirdIs(Sync{});
  program[2].low |= low;
  return program;
}

std::vector<Refusal> refusals(const Config& config) {
  const Matmul matmul{.w_addr = 0, .n0 = 4, .n1 = 1, .s0 = 1, .k = kSide};
  Matmul too_deep = matmul;
  too_deep.k = kSide + 1;
  Matmul outside = matmul;
  outside.a_addr = config.sp_rows - 3;
  const Dim long_stride{.loop = 0, .count = 2, .row_stride = config.acc_rows};
  const Dim dram_stride{.loop = 0, .count = 3, .row_stride = 1, .dram_stride = -256};
  const Fill fill{{}, 1, accAddress(0), 1, 0};
  return {
      {"truncated", truncated(), 1, "is not halt", Cause::FetchRange, {}, 2},
      {"illegal opcode", withBits(15), 2, "no opcode", Cause::IllegalOpcode, {}, 2},
      {"a bit of no field", withBits(uint64_t{1} << 60), 2, "bits set", Cause::IllegalField, {}, 2},
      {"k beyond the side", thirdIs(too_deep), 2, "k = 9 of 8", Cause::IllegalField, {}, 2},
      {"row out of range", thirdIs(outside), 2, "scratchpad", Cause::LocalRange, {}, 2},
      {"stride out of range", words({long_stride, fill}), 1, "accumulator memory", Cause::LocalRange, {}, 1},
      {"DRAM out of range",
       thirdIs(Load{{}, 0, 0, kSide, kDramBytes}),
       2,
       "DRAM bytes",
       Cause::DramRange,
       {},
       1},
      {"DRAM stride out of range",
       words({dram_stride, Load{{}, 1, 0, kSide, 300}}),
       1,
       "DRAM bytes",
       Cause::DramRange,
       {},
       1},
      {"a token that never comes", thirdIs(Sync{{kMatrix, 0}, 0}), 2, "matrix queue has not sent",
       Cause::Deadlock, Queue::Load, 1},
      {"a token that comes too late", words({Sync{{kStore, 0}, 0}, Sync{{kLoad, kLoad}, 3}}), 0,
       "store queue has not sent", Cause::Deadlock},
      {"too many tokens", words(std::vector<Instruction>(kTokenMax + 1, Sync{{0, kMatrix}, 3})),
       kTokenMax - kQueueDepth, "tokens from the store to the matrix queue", Cause::TokenOverflow,
       Queue::Store, kTokenMax},
  };
}

class NpuRefusals : public testing::Test {
 protected:
  NpuRefusals() {
    case_.dram.resize(kDramBytes);
    case_.config.latency = kDramLatency;
    case_.state = State(case_.config);
  }

  Case case_{.config = builtNpuRtl(kSide), .program = {}, .state = State(builtNpuRtl(kSide)), .dram = {}};
};

TEST_F(NpuRefusals, TheVerifierNamesTheInstruction) {
  auto dram = Dram::make({{0, case_.dram.data(), case_.dram.size(), true}});
  ASSERT_TRUE(dram);
  for (const Refusal& row : refusals(case_.config)) {
    auto program = verify(case_.config, row.program, *dram);
    ASSERT_FALSE(program) << row.name;
    const std::string says(program.error().message());
    EXPECT_EQ(says.rfind(fmt::format("instruction {}", row.refused), 0), 0u) << row.name << ": " << says;
    EXPECT_NE(says.find(row.because), std::string::npos) << row.name << ": " << says;
  }
}

TEST_F(NpuRefusals, TheRtlHaltsWithTheCause) {
  auto rtl = makeNpuRtl(case_.config);
  ASSERT_TRUE(rtl) << rtl.error().message();
  for (const Refusal& row : refusals(case_.config)) {
    case_.program = row.program;
    auto outcome = runRtl(**rtl, case_, kMaxCycles);
    ASSERT_TRUE(outcome) << row.name << ": " << outcome.error().message();
    const Timing& timing = outcome->timing;
    EXPECT_EQ(causeText(timing.cause), causeText(row.cause)) << row.name;
    EXPECT_EQ(queueName(timing.queue), queueName(row.queue)) << row.name;
    EXPECT_EQ(timing.index, row.index) << row.name;
    EXPECT_EQ(difference(*outcome, runModels(case_)), "") << row.name;
  }
}

// A legal program with some bits flipped, or cut short.
std::vector<Word> damaged(std::vector<Word> program, Random& random) {
  for (int flips = 0; flips < 3; ++flips) {
    Word& word = program[random.bits() % program.size()];
    (random.chance(50) ? word.low : word.high) ^= uint64_t{1} << (random.bits() % 64);
  }
  if (random.chance(20)) program.resize(program.size() / 2);
  return program;
}

// Loops may run for as long as they like; a test may not.
bool isShort(const std::vector<Word>& program) {
  constexpr int64_t kCount = 20;
  return std::ranges::none_of(program, [](const Word& word) {
    auto instruction = decode(word);
    const auto* dim = instruction ? std::get_if<Dim>(&*instruction) : nullptr;
    return dim && dim->count > kCount;
  });
}

TEST_F(NpuRefusals, DamagedProgramsNeverHang) {
  auto rtl = makeNpuRtl(case_.config);
  ASSERT_TRUE(rtl) << rtl.error().message();
  Random random(11);
  std::map<Cause, int> seen;
  for (uint64_t seed = 0; seed < 400; ++seed) {
    Case c = randomCase(seed, {.side = kSide,
                               .kind = 0,
                               .sp_rows = case_.config.sp_rows,
                               .acc_rows = case_.config.acc_rows,
                               .latency = kDramLatency});
    c.program = damaged(std::move(c.program), random);
    if (!isShort(c.program)) continue;
    const Timing model =
        simulateTiming(c.config, c.program, TimingStart::of(c.state), static_cast<int64_t>(c.dram.size()));
    auto outcome = runRtl(**rtl, c, 2 * model.cycles + kMaxCycles);
    ASSERT_TRUE(outcome) << "seed " << seed << ": " << outcome.error().message() << "\n" << listing(c);
    ++seen[model.cause];
    EXPECT_EQ(difference(outcome->timing, model), "") << "seed " << seed << "\n" << listing(c);
  }
  EXPECT_GE(seen.size(), 5u);
}

}  // namespace
}  // namespace tetrarch::npu
