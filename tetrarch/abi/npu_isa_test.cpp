#include "tetrarch/abi/npu_isa.h"

#include <gtest/gtest.h>

#include <random>

namespace tetrarch::npu {
namespace {

// A word of the opcode with every field random.
Word randomWord(std::mt19937_64& random, const OpcodeRow& opcode) {
  Word mask{0xff0, 0};
  for (const FieldRow& f : fieldRows()) {
    if (f.opcode != opcode.id) continue;
    (f.lsb < 64 ? mask.low : mask.high) |= ((uint64_t{1} << f.width) - 1) << (f.lsb % 64);
  }
  return {(random() & mask.low) | static_cast<uint64_t>(opcode.opcode), random() & mask.high};
}

TEST(NpuIsa, EveryWordOfLegalFieldsRoundTrips) {
  std::mt19937_64 random(1);
  for (const OpcodeRow& opcode : opcodeRows()) {
    for (int i = 0; i < 200; ++i) {
      const Word word = randomWord(random, opcode);
      auto instruction = decode(word);
      ASSERT_TRUE(instruction) << instruction.error().message();
      EXPECT_EQ(opcodeOf(*instruction), opcode.opcode);
      auto again = encode(*instruction);
      ASSERT_TRUE(again);
      EXPECT_EQ(*again, word) << disassemble(*instruction);
    }
  }
}

TEST(NpuIsa, FieldsOfAnOpcodeDoNotOverlap) {
  for (const OpcodeRow& opcode : opcodeRows()) {
    Word seen{0xfff, 0};
    for (const FieldRow& f : fieldRows()) {
      if (f.opcode != opcode.id) continue;
      uint64_t& half = f.lsb < 64 ? seen.low : seen.high;
      const uint64_t bits = ((uint64_t{1} << f.width) - 1) << (f.lsb % 64);
      EXPECT_EQ(half & bits, 0u) << opcode.id << "." << f.name;
      half |= bits;
    }
  }
}

TEST(NpuIsa, BitsOfNoFieldAreRefused) {
  auto word = encode(Sync{});
  ASSERT_TRUE(word);
  word->high |= 1;
  auto instruction = decode(*word);
  ASSERT_FALSE(instruction);
  EXPECT_NE(instruction.error().message().find("belong to no field"), std::string_view::npos);
}

TEST(NpuIsa, UnknownOpcodesAreRefused) {
  for (const uint64_t opcode : {0, 11, 12, 13, 14, 15}) EXPECT_FALSE(decode(Word{opcode, 0})) << opcode;
  const std::vector<Word> program = {*encode(Sync{}), Word{}};
  auto decoded = decode(program);
  ASSERT_FALSE(decoded);
  EXPECT_EQ(decoded.error().message(), "instruction 1: there is no opcode 0");
}

TEST(NpuIsa, ValuesThatDoNotFitAreRefusedByName) {
  auto too_large = encode(Matmul{.n0 = 2048});
  ASSERT_FALSE(too_large);
  EXPECT_EQ(too_large.error().message(), "field n0 = 2048 is outside 0 to 2047");
  EXPECT_FALSE(encode(Fill{.value = 128}));
  EXPECT_FALSE(encode(Load{.row = -1}));
  EXPECT_TRUE(encode(Dim{.dram_stride = INT32_MIN}));
}

TEST(NpuIsa, SignedFieldsComeBackSigned) {
  auto word = encode(Vparam{.scalars = 1, .mult_b = -32768, .zp_b = -1, .lo = -128, .hi = 127});
  ASSERT_TRUE(word);
  const auto back = std::get<Vparam>(*decode(*word));
  EXPECT_EQ(back.mult_b, -32768);
  EXPECT_EQ(back.zp_b, -1);
  EXPECT_EQ(back.lo, -128);
  EXPECT_EQ(back.hi, 127);
}

TEST(NpuIsa, Disassembles) {
  EXPECT_EQ(disassemble(Vop{{1, 8}, 1, 3, 0, 4}), "vop add broadcast=1 op=3 pitch=4 wait=load signal=store");
  EXPECT_EQ(disassemble(Halt{}), "halt");
}

TEST(NpuIsa, QueuesAreThoseOfTheUnits) {
  EXPECT_EQ(queueOf(Dim{.of_store = 1}), Queue::Store);
  EXPECT_EQ(queueOf(Dim{}), Queue::Load);
  EXPECT_EQ(queueOf(Sync{.queue = 2}), Queue::Vector);
  EXPECT_EQ(queueOf(Fill{}), Queue::Load);
  EXPECT_EQ(queueOf(Matmul{}), Queue::Matrix);
  EXPECT_EQ(queueOf(Table{}), Queue::Vector);
}

TEST(NpuIsa, TableOfVectorOpsHasItsSets) {
  EXPECT_TRUE(vectorOpInfo(static_cast<int>(VectorOp::FOLD_SUM))->fold);
  EXPECT_TRUE(vectorOpInfo(static_cast<int>(VectorOp::MUL))->takes_imm);
  EXPECT_TRUE(vectorOpInfo(static_cast<int>(VectorOp::MOVE))->bf16);
  EXPECT_FALSE(vectorOpInfo(static_cast<int>(VectorOp::FADD))->int8);
  EXPECT_EQ(vectorOpInfo(31), nullptr);
  EXPECT_EQ(vectorOpInfo(-1), nullptr);
}

}  // namespace
}  // namespace tetrarch::npu
