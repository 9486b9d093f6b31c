// Properties of random cases: what the generator makes, the verifier accepts and the models agree on.
#include "tetrarch/devices/npu/case.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>

#include "tetrarch/devices/npu/legality.h"
#include "tetrarch/devices/npu/machine.h"
#include "tetrarch/devices/npu/random_case.h"
#include "tetrarch/devices/npu/verifier.h"

namespace tetrarch::npu {
namespace {

TEST(NpuCase, RandomProgramsAreLegalAndEndWithDone) {
  std::map<Opcode, int> seen;
  std::map<int64_t, int> vector_ops;
  for (uint64_t seed = 0; seed < 300; ++seed) {
    Case c = randomCase(seed);
    auto dram = Dram::make({{0, c.dram.data(), c.dram.size(), true}});
    ASSERT_TRUE(dram);
    auto program = verify(c.config, c.program, *dram);
    ASSERT_TRUE(program) << "seed " << seed << ": " << program.error().message();
    const Timing timing = runModels(c).timing;
    ASSERT_EQ(timing.cause, Cause::Done) << "seed " << seed << ", index " << timing.index << "\n"
                                         << listing(c);
    for (const Instruction& i : *program) {
      ++seen[opcodeOf(i)];
      if (const auto* vop = std::get_if<Vop>(&i)) ++vector_ops[vop->op];
    }
  }
  EXPECT_EQ(seen.size(), opcodeRows().size());
  EXPECT_EQ(vector_ops.size(), vectorOpRows().size());
}

// How often random cases come into each of the corners that they are for.
class Corners {
 public:
  void count(const Case& c) {
    const auto program = *decode(c.program);
    std::vector<InstructionTimes> times;
    const Outcome outcome = runModels(c, &times);
    for (size_t i = 0; i < program.size(); ++i) {
      seen_["full queue"] += queuedBefore(program, times, i) >= kQueueDepth;
      seen_["all loads in flight"] += inFlight(program, times, i) == kLoadsInFlight;
      if (const auto* load = std::get_if<Load>(&program[i]))
        seen_["odd bytes"] += load->bytes % c.config.side != 0;
      if (const auto* vop = std::get_if<Vop>(&program[i])) countVop(*vop);
      if (const auto* matmul = std::get_if<Matmul>(&program[i])) countMatmul(c.config, *matmul);
    }
    const auto ends = [](std::byte b) { return b == std::byte{127} || b == std::byte{128}; };
    seen_["saturated"] += c.config.kind == Kind::Int8 && std::ranges::count_if(outcome.state.sp, ends) >
                                                             std::ranges::count_if(c.state.sp, ends);
  }
  const std::map<std::string, int>& seen() const { return seen_; }

 private:
  void countVop(const Vop& vop) {
    seen_["vop in place"] += vop.a == vop.d;
    seen_["A and B in one bank"] +=
        vectorOpInfo(vop.op)->two_operands && rangeOfA(vop).overlaps(rangeOfB(vop));
  }
  void countMatmul(const Config& config, const Matmul& matmul) {
    seen_["gated rows"] += matmul.k != config.side;
    seen_["ternary"] += static_cast<int>(matmul.ternary);
    seen_["kept weights"] += static_cast<int>(matmul.keep);
    // The first row sums onto the one that was summed last.
    seen_["sum at once"] += matmul.accumulate && matmul.c_addr == last_sum_;
    last_sum_ = matmul.c_addr + matmul.n0 * matmul.n1 - 1;
  }
  // Instructions in the queue of instruction i in the cycle before its dispatch.
  static int64_t queuedBefore(const std::vector<Instruction>& program,
                              const std::vector<InstructionTimes>& times, size_t i) {
    if (std::holds_alternative<Halt>(program[i])) return 0;
    int64_t count = 0;
    for (size_t j = 0; j < i; ++j) {
      count += queueOf(program[j]) == queueOf(program[i]) && times[j].issued >= times[i].dispatched - 1;
    }
    return count;
  }
  // Loads and fills under way when instruction i, one of them, completes.
  static int64_t inFlight(const std::vector<Instruction>& program, const std::vector<InstructionTimes>& times,
                          size_t i) {
    const auto moves = [&](size_t j) {
      return std::holds_alternative<Load>(program[j]) || std::holds_alternative<Fill>(program[j]);
    };
    int64_t count = 0;
    for (size_t j = i; j < program.size() && moves(i); ++j)
      count += moves(j) && times[j].issued <= times[i].completed;
    return count;
  }

  std::map<std::string, int> seen_;
  int64_t last_sum_ = -1;
};

TEST(NpuCase, RandomProgramsReachTheCorners) {
  Corners corners;
  for (uint64_t seed = 0; seed < 300; ++seed) corners.count(randomCase(seed));
  for (const auto& [corner, times] : corners.seen()) EXPECT_GE(times, 5) << corner;
}

TEST(NpuCase, SameSeedSameCase) {
  const Case a = randomCase(7), b = randomCase(7);
  EXPECT_EQ(a.program, b.program);
  EXPECT_EQ(difference(runModels(a), runModels(b)), "");
}

TEST(NpuCase, WindowsJoinToTheWhole) {
  for (uint64_t seed = 0; seed < 100; ++seed) {
    const Case c = randomCase(seed);
    const size_t count = c.program.size() - 1;
    Random r(seed);
    const auto cut = static_cast<size_t>(r.range(0, static_cast<int64_t>(count)));
    const Outcome whole = runModels(c);
    const Outcome rest = runModels(windowOf(c, cut, count));
    ASSERT_EQ(rest.timing.cause, Cause::Done) << "seed " << seed;
    EXPECT_LE(rest.timing.cycles, whole.timing.cycles) << "seed " << seed;
    Outcome same = rest;
    same.timing = whole.timing;
    EXPECT_EQ(difference(whole, same), "") << "seed " << seed << ", cut at " << cut;
  }
}

TEST(NpuCase, AllSimdLevelsGiveTheSameBits) {
  for (uint64_t seed = 0; seed < 200; ++seed) {
    const Case c = randomCase(seed);
    const auto run = [&](SimdLevel level) {
      std::vector<std::byte> bytes = c.dram;
      auto dram = Dram::make({{0, bytes.data(), bytes.size(), true}});
      Machine machine(c.config, *dram, level);
      machine.restore(c.state);
      machine.run(*decode(c.program));
      return Outcome{machine.state(), bytes, {}};
    };
    const Outcome scalar = run(SimdLevel::Scalar);
    for (const SimdLevel level : {SimdLevel::Avx2, SimdLevel::Vnni}) {
      if (level > bestSimdLevel()) continue;
      EXPECT_EQ(difference(scalar, run(level)), "") << "seed " << seed << ", " << simdLevelName(level);
    }
  }
}

TEST(NpuCase, FaultsEndWithTheirCause) {
  for (const CauseRow& row : causeRows()) {
    const auto cause = static_cast<Cause>(row.value);
    if (cause == Cause::Done) continue;
    for (uint64_t seed = 0; seed < 20; ++seed) {
      EXPECT_EQ(runModels(randomFault(seed, cause)).timing.cause, cause) << row.id << ", seed " << seed;
    }
  }
}

TEST(NpuCase, ShrinksToTheInstructionAtFault) {
  // Pretend that MATMULs with few array rows fail.
  const auto fails = [](const Case& c) {
    auto program = decode(c.program);
    return std::ranges::any_of(*program, [](const Instruction& i) {
      const auto* matmul = std::get_if<Matmul>(&i);
      return matmul && matmul->k < 8;
    });
  };
  uint64_t seed = 0;
  while (!fails(randomCase(seed))) ++seed;
  const Case small = shrink(randomCase(seed), fails);
  EXPECT_EQ(small.program.size(), 2u) << listing(small);  // and the HALT
}

TEST(NpuCase, DifferencesAreNamed) {
  const Case c = randomCase(3, {.side = 8, .kind = 0});
  const Outcome a = runModels(c);
  Outcome b = a;
  b.state.acc[8 * 3 + 2] ^= 1;
  EXPECT_EQ(difference(a, b).rfind("the accumulator memory differs at row 3, element 2", 0), 0u);
  b.timing.cycles += 1;
  EXPECT_NE(difference(a, b).find("cycles"), std::string::npos);
}

}  // namespace
}  // namespace tetrarch::npu
