// Cycle counts worked out by hand from the README's rules. Fetch: instruction 0 is dispatched in cycle L + 1,
// is at the head one later, and each next one a cycle after the one before.
#include "tetrarch/devices/npu/timing.h"

#include <gtest/gtest.h>

namespace tetrarch::npu {
namespace {

constexpr int64_t L = kDramLatency;
constexpr int64_t kFirst = L + 2;  // instruction 0 issues
const Config kConfig{.sp_rows = 256, .acc_rows = 64};
constexpr int64_t kArray = 2 * 16 * kMatrixStepInt8 + kMatrixTailInt8;  // S rows, S columns and the tail

std::vector<InstructionTimes> timesOf(std::vector<Instruction> program, Timing* timing = nullptr,
                                      const Config& config = kConfig) {
  program.emplace_back(Halt{});
  std::vector<InstructionTimes> times;
  const Timing result = simulateTiming(config, *encode(program), {}, 4096, &times);
  EXPECT_EQ(result.cause, Cause::Done);
  if (timing) *timing = result;
  return times;
}

TEST(NpuTiming, AnEmptyProgramTakesItsFetch) {
  Timing timing;
  const auto times = timesOf({}, &timing);
  EXPECT_EQ(times[0].dispatched, L + 1);
  EXPECT_EQ(timing.cycles, L + 2);
}

TEST(NpuTiming, LoadTakesABeatACycleAndTheLatency) {
  // 16 bytes at 8 are two beats.
  const auto times = timesOf({Load{{}, 0, 0, 16, 0}, Load{{}, 0, 1, 16, 8}, Load{{}, 0, 2, 8, 8}});
  EXPECT_EQ(times[0].issued, kFirst);
  EXPECT_EQ(times[0].completed, kFirst + 1 + L + kLoadTail);
  EXPECT_EQ(times[1].issued, kFirst + 1);
  EXPECT_EQ(times[1].completed, kFirst + 1 + 2 + L + kLoadTail);
  EXPECT_EQ(times[2].issued, kFirst + 3);
}

TEST(NpuTiming, OnlySoManyLoadsAreInFlight) {
  std::vector<Instruction> program(kLoadsInFlight + 1, Load{{}, 0, 0, 16, 0});
  const auto times = timesOf(program);
  EXPECT_EQ(times[kLoadsInFlight].issued, times[0].completed + 1);
}

TEST(NpuTiming, MatmulsFollowWithoutBubbles) {
  // Weights in bank 4 (rows 64 on) and 5, activations in bank 0.
  const auto matmul = [](int64_t w, int64_t rows) {
    return Matmul{.w_addr = w, .n0 = rows, .n1 = 1, .s0 = 0, .k = 16};
  };
  Timing timing;
  const auto times = timesOf({matmul(64, 20), matmul(80, 20), matmul(64, 20)}, &timing);
  const int64_t stream = kFirst + 16;
  EXPECT_EQ(times[0].issued, kFirst);
  EXPECT_EQ(times[0].completed, stream + 20 + kArray);
  EXPECT_EQ(times[1].issued, stream);
  EXPECT_EQ(times[1].completed, stream + 20 + 20 + kArray);
  EXPECT_EQ(times[2].completed, stream + 40 + 20 + kArray);
  EXPECT_EQ(timing.units[1].busy, 60);
  EXPECT_EQ(timing.multiplications, 60 * 256);
}

TEST(NpuTiming, Bf16TakesThreeCyclesARowOfTheArrayAndAGapBetweenTiles) {
  const Config bf16{.kind = Kind::Bf16, .sp_rows = 256, .acc_rows = 64};
  const Matmul first{.w_addr = 64, .n0 = 60, .n1 = 1, .k = 16};
  Matmul second = first;
  second.w_addr = 80;
  const auto times = timesOf({first, second, Vop{.n0 = 10, .n1 = 1, .s0 = 1, .d = 16}}, nullptr, bf16);
  const int64_t stream = kFirst + 3 * 16, array = 3 * 16 + 16 + kMatrixTailBf16;
  EXPECT_EQ(times[0].completed, stream + 60 + array);
  EXPECT_EQ(times[1].issued, stream);
  EXPECT_EQ(times[1].completed, stream + 60 + kMatrixGapBf16 + 60 + array);
  EXPECT_EQ(times[2].completed, times[2].issued + 10 + kVectorTailBf16);
}

TEST(NpuTiming, SaysWhatAUnitWaitedFor) {
  const Matmul first{.tokens = {1, 0}, .w_addr = 64, .n0 = 20, .n1 = 1, .k = 16};
  Matmul second = first;
  second.tokens = {};
  Timing timing;
  const auto times = timesOf({Load{{0, 2}, 0, 100, 16, 0}, first, second}, &timing);
  const UnitActivity& matrix = timing.units[static_cast<size_t>(Queue::Matrix)];
  EXPECT_EQ(matrix.busy, 40);
  EXPECT_EQ(matrix.waited_for_tokens, times[1].issued - times[1].dispatched - 1);
  EXPECT_EQ(matrix.waited_for_weights, 16);  // the second's are there in time
  EXPECT_EQ(matrix.waited_for_ports, 0);
  EXPECT_EQ(matrix.waited_for_work, timing.cycles - 40 - 16 - matrix.waited_for_tokens);
}

TEST(NpuTiming, ShortStreamsWaitForTheirWeights) {
  const Matmul one{.w_addr = 64, .n0 = 1, .n1 = 1, .k = 16};
  Matmul kept = one;
  kept.w_addr = 0;
  kept.keep = 1;
  const auto times = timesOf({one, one, kept, kept});
  const int64_t stream = kFirst + 16;
  EXPECT_EQ(times[1].completed - times[0].completed, 16);  // S cycles of weights
  EXPECT_EQ(times[2].issued, stream + 16);
  EXPECT_EQ(times[2].completed - times[1].completed, kMatrixMinRows);  // no weights
  EXPECT_EQ(times[3].completed - times[2].completed, kMatrixMinRows);
}

TEST(NpuTiming, WeightsInTheBankOfTheActivationsWait) {
  const Matmul other{.w_addr = 64, .n0 = 20, .n1 = 1, .k = 16}, same{.w_addr = 0, .n0 = 20, .n1 = 1, .k = 16};
  const auto times = timesOf({other, same});
  const int64_t stream = kFirst + 16;
  EXPECT_EQ(times[1].issued, stream + 21);  // the activations' port is free after stream + 20
  EXPECT_EQ(times[1].completed, stream + 21 + 17 + 20 + kArray);  // its own weights' port a cycle after them
}

TEST(NpuTiming, VectorOpsFollowTheirCompletion) {
  const Vop vop{.op = 0, .a = 0, .n0 = 10, .n1 = 1, .s0 = 1, .d = accAddress(0)};
  Vop two{.op = 3, .a = 0, .b = 4, .n0 = 10, .n1 = 1, .s0 = 1, .d = accAddress(0)};
  const auto times = timesOf({vop, two});
  EXPECT_EQ(times[0].completed, kFirst + 10 + kVectorTailInt8);
  EXPECT_EQ(times[1].issued, times[0].completed + 1);
  EXPECT_EQ(times[1].completed, times[1].issued + 20 + kVectorTailInt8);  // A and B share a bank
}

TEST(NpuTiming, TokensAreSeenTheCycleAfterCompletion) {
  const auto times = timesOf({Load{{0, 8}, 0, 0, 16, 0}, Store{{1, 0}, 0, 0, 16, 1024}});
  EXPECT_EQ(times[1].issued, times[0].completed + 1);
  EXPECT_EQ(times[1].completed, times[1].issued + 1 + kStoreTail);
}

TEST(NpuTiming, SyncWaitsForItsUnit) {
  const auto times = timesOf({Load{{}, 0, 0, 16, 0}, Sync{{}, 0}, Sync{{}, 3}});
  EXPECT_EQ(times[1].issued, times[0].completed + 1);
  EXPECT_EQ(times[1].completed, times[1].issued);
  EXPECT_EQ(times[2].issued, kFirst + 2);
}

TEST(NpuTiming, AFullQueueHoldsUpFetch) {
  // The load queue: one in the unit, QueueDepth behind it.
  std::vector<Instruction> program = {Dim{.loop = 0, .count = 200, .row_stride = 1}};
  program.emplace_back(Fill{{}, 1, 0, 1, 0});
  for (int i = 0; i < kQueueDepth + 1; ++i) program.emplace_back(Fill{{}, 0, 0, 1, 0});
  const auto times = timesOf(program);
  const size_t last = kQueueDepth + 2;
  EXPECT_EQ(times[2].issued, times[1].issued + 200);
  EXPECT_EQ(times[last - 1].dispatched, kFirst + static_cast<int64_t>(last) - 2);
  EXPECT_EQ(times[last].dispatched, times[2].issued + 1);
}

TEST(NpuTiming, FetchIsBoundByItsBuffer) {
  std::vector<Instruction> program(kFetchBuffer + 1, Sync{});
  const auto times = timesOf(program);
  EXPECT_EQ(times[kFetchBuffer - 1].dispatched, L + kFetchBuffer);
  // Requested the cycle after instruction 0 left the buffer.
  EXPECT_EQ(times[kFetchBuffer].dispatched, (L + 2) + L + 1);
}

TEST(NpuTiming, DeadlockIsACause) {
  std::vector<Instruction> program = {Sync{{}, 0}, Sync{{1, 0}, 2}, Halt{}};
  const Timing timing = simulateTiming(kConfig, *encode(program));
  EXPECT_EQ(timing.cause, Cause::Deadlock);
  EXPECT_EQ(timing.queue, Queue::Vector);
  EXPECT_EQ(timing.index, 0);
  EXPECT_EQ(timing.cycles, L + 5);  // HALT in L + 3, stuck in L + 4
}

TEST(NpuTiming, DramRangeNamesTheTransfer) {
  std::vector<Instruction> program = {Load{{}, 0, 0, 16, 0}, Load{{}, 0, 0, 16, 4090}, Halt{}};
  const Timing timing = simulateTiming(kConfig, *encode(program), {}, 4096);
  EXPECT_EQ(timing.cause, Cause::DramRange);
  EXPECT_EQ(timing.index, 1);
  EXPECT_EQ(timing.cycles, kFirst + 1 + 1 + 1 + 1);  // issued in kFirst + 1, its second beat two later
}

}  // namespace
}  // namespace tetrarch::npu
