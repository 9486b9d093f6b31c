// Whatever is added in whatever order, the verifier accepts the stream, and independent work overlaps.
#include "tetrarch/compile/target/npu/stream.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tetrarch/compile/target/npu/regions.h"
#include "tetrarch/devices/npu/random_case.h"
#include "tetrarch/devices/npu/timing.h"
#include "tetrarch/devices/npu/verifier.h"

namespace tetrarch::npu {
namespace {

constexpr int64_t kReadOnlyBytes = 1 << 20, kWritable = 1 << 21, kWritableBytes = 1 << 16;

Dram makeDram() {
  static std::vector<std::byte> bytes(kReadOnlyBytes + kWritableBytes);
  return *Dram::make({{0, bytes.data(), kReadOnlyBytes, false},
                      {kWritable, bytes.data() + kReadOnlyBytes, kWritableBytes, true}});
}

std::vector<Instruction> finish(StreamBuilder& builder, const Config& config) {
  auto program = builder.finish();
  EXPECT_TRUE(program) << program.error().message();
  if (!program) return {};
  const Status status = verify(config, *program, makeDram());
  EXPECT_TRUE(status.ok()) << status.message();
  return *program;
}

Timing timingOf(const Config& config, const std::vector<Instruction>& program) {
  return simulateTiming(config, *encode(program));
}

int64_t count(const std::vector<Instruction>& program, Opcode opcode) {
  return std::ranges::count_if(program, [&](const Instruction& i) { return opcodeOf(i) == opcode; });
}

// Instructions of all kinds on few rows, so that nearly everything conflicts with something.
class RandomStream {
 public:
  RandomStream(uint64_t seed, const Config& config) : random_(seed), config_(config), builder_(config) {}

  std::vector<Instruction> make() {
    for (int64_t n = random_.range(1, 300); n > 0; --n) add();
    return finish(builder_, config_);
  }

 private:
  int64_t sp(int64_t rows) { return random_.range(0, config_.sp_rows - rows); }
  int64_t acc(int64_t rows) { return random_.range(0, config_.acc_rows - rows); }
  int64_t local(int64_t rows) { return random_.chance(50) ? sp(rows) : accAddress(acc(rows)); }

  void add() {
    switch (random_.range(0, 6)) {
      case 0:
      case 1:
        return transfer();
      case 2:
      case 3:
        return matmul();
      case 4:
        return builder_.add(Vparam{.rows = 1, .scalars = 1, .p_addr = acc(2)});
      case 5:
        return builder_.add(Table{.addr = sp(config_.tableRows())});
      default:
        return vop();
    }
  }

  void transfer() {
    const Loop loops[] = {{random_.range(1, 3), random_.range(1, 3), random_.range(1, 64)},
                          {random_.range(1, 2), random_.range(0, 5), random_.range(-64, 64)},
                          {random_.range(1, 2), random_.range(0, 5), random_.range(0, 64)},
                          {random_.range(1, 2), 1, 7},
                          {random_.range(1, 2), 2, 9}};
    const int64_t row = local(24), bytes = random_.range(1, config_.spRowBytes());
    const int64_t dram = kWritable + random_.range(256, kWritableBytes - 1024);
    const int64_t dice = random_.range(0, 2);
    if (dice == 0) builder_.load(row, bytes, random_.chance(50) ? dram : dram - kWritable, loops);
    if (dice == 1) builder_.fill(row, bytes, 3, loops);
    if (dice == 2) builder_.store(row, bytes, dram, loops);
  }

  void matmul() {
    Matmul m{.accumulate = random_.range(0, 1),
             .a_addr = sp(16),
             .c_addr = acc(8),
             .n0 = random_.range(1, 4),
             .n1 = random_.range(1, 2),
             .s0 = random_.range(0, 2),
             .s1 = 4,
             .k = config_.side};
    if (random_.chance(30)) {
      m.keep = 1;
    } else {
      m.w_addr = sp(config_.side);
    }
    builder_.add(m);
  }

  void vop() {
    builder_.add(Vop{.op = static_cast<int64_t>(VectorOp::MAX),
                     .pitch = 3,
                     .a = random_.range(0, 15),
                     .b = 16 + random_.range(0, 15),
                     .n0 = 2,
                     .n1 = 2,
                     .s0 = 1,
                     .s1 = 2,
                     .d = random_.chance(50) ? 40 + random_.range(0, 8) : accAddress(acc(6))});
  }

  Random random_;
  Config config_;
  StreamBuilder builder_;
};

TEST(NpuStream, VerifierAcceptsRandomStreams) {
  for (uint64_t seed = 0; seed < 300; ++seed) {
    const Config config{.side = 16, .sp_rows = 64, .acc_rows = 32};
    const auto program = RandomStream(seed, config).make();
    EXPECT_EQ(timingOf(config, program).cause, Cause::Done) << "seed " << seed;
    if (HasFailure()) return;
  }
}

TEST(NpuStream, SetsOnlyLoopsThatChange) {
  const Config config;
  StreamBuilder builder(config);
  for (int64_t i = 0; i < 10; ++i) {
    const Loop lines[] = {{14, 16, 896}, {14, 1, 64}};
    builder.load(i * 300, 16, i * 16, lines);
  }
  const Loop contiguous[] = {{4, 16, 256}, {16, 1, 16}};  // one loop of 64
  builder.load(0, 16, 0, contiguous);
  const auto program = finish(builder, config);
  EXPECT_EQ(count(program, Opcode::Dim), 3);
  EXPECT_EQ(count(program, Opcode::Load), 11);
}

TEST(NpuStream, UnrollsWhatOneInstructionCannotSay) {
  const Config config;
  StreamBuilder builder(config);
  const Loop loops[] = {{2, 1000, 50000}, {3, 200, 7000}, {2, 90, 1000}, {5, 10, 100}, {7, 1, 9}};
  builder.load(0, 1, 0, loops);
  const auto program = finish(builder, config);
  EXPECT_EQ(count(program, Opcode::Load), 2);
  EXPECT_EQ(timingOf(config, program).units[0].busy, 2 * 3 * 2 * 5 * 7);
}

// A thousand loads run ahead of a thousand users: fewer tokens, later.
TEST(NpuStream, CountersDoNotOverflow) {
  const Config config;
  StreamBuilder builder(config);
  for (int64_t i = 0; i < 1000; ++i) builder.load(i, 16, i * 16, {});
  for (int64_t i = 0; i < 1000; ++i) {
    builder.add(Matmul{.w_addr = 8192, .a_addr = i, .n0 = 1, .n1 = 1, .s0 = 1, .k = 16});
  }
  finish(builder, config);
}

TEST(NpuStream, RefusesWhatTheProcessorWould) {
  StreamBuilder builder{Config{}};
  builder.add(Matmul{.n0 = 1, .n1 = 1, .k = 17});
  auto program = builder.finish();
  ASSERT_FALSE(program);
  EXPECT_NE(program.error().message().find("k = 17 of 16"), std::string::npos);
}

// Two buffers each: loading, multiplying, rounding and storing go on at the same time.
TEST(NpuStream, DoubleBuffersOverlap) {
  const Config config;
  StreamBuilder builder(config);
  Banks banks(config);
  constexpr int64_t kRows = 256, kSteps = 3;
  Ring input(*banks.scratchpad(2 * kRows * kSteps), kRows * kSteps, 2);
  const int64_t weights = *banks.scratchpad(16 * kSteps);
  Ring output(*banks.scratchpad(2 * kRows), kRows, 2);
  Ring sums(*banks.accumulator(2 * kRows), kRows, 2);
  const Loop weight_rows[] = {{16 * kSteps, 1, 16}};
  builder.load(weights, 16, 0, weight_rows);
  for (int64_t tile = 0; tile < 20; ++tile) {
    const int64_t a = input.next(), c = sums.next(), d = output.next();
    const Loop pixels[] = {{kRows * kSteps, 1, 16}};
    builder.load(a, 16, 4096, pixels);
    for (int64_t k = 0; k < 2 * kSteps; ++k) {  // each row twice: loading alone would take as long
      builder.add(Matmul{.accumulate = k > 0,
                         .w_addr = weights + 16 * (k % kSteps),
                         .a_addr = a + kRows * (k % kSteps),
                         .c_addr = rowOf(c),
                         .n0 = kRows,
                         .n1 = 1,
                         .s0 = 1,
                         .k = 16});
    }
    builder.add(Vop{.a = c, .n0 = kRows, .n1 = 1, .s0 = 1, .d = d});
    const Loop rows[] = {{kRows, 1, 16}};
    builder.store(d, 16, kWritable, rows);
  }
  const Timing timing = timingOf(config, finish(builder, config));
  EXPECT_GT(timing.utilisation(config), 0.9);
}

}  // namespace
}  // namespace tetrarch::npu
