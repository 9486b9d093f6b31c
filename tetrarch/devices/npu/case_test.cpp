// Properties of random cases: what the generator makes, the verifier accepts and the models agree on.
#include "tetrarch/devices/npu/case.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

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
  for (uint64_t seed = 0; seed < 100; ++seed) {
    const Case c = randomCase(seed, {.kind = static_cast<int>(Kind::Int8)});
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
