// Bad programs are refused with the index of the instruction and the cause.
#include "tetrarch/devices/npu/verifier.h"

#include <gtest/gtest.h>

namespace tetrarch::npu {
namespace {

constexpr uint8_t kToLoad = 1, kToMatrix = 2, kToVector = 4, kToStore = 8;

class NpuVerifier : public testing::Test {
 protected:
  // The error, or "" when the program is fine. HALT is added.
  std::string errorOf(std::vector<Instruction> program) {
    program.emplace_back(Halt{});
    return errorOfAll(program);
  }
  std::string errorOfAll(const std::vector<Instruction>& program) {
    auto dram = Dram::make({{0, bytes_.data(), 2048, false}, {4096, bytes_.data() + 2048, 2048, true}});
    EXPECT_TRUE(dram);
    return std::string(verify(config_, program, *dram).message());
  }
  void expectError(const std::string& error, std::string_view index, std::string_view cause) {
    EXPECT_EQ(error.rfind(index, 0), 0u) << error;
    EXPECT_NE(error.find(cause), std::string::npos) << error;
  }

  Config config_{.sp_rows = 256, .acc_rows = 64};
  std::vector<std::byte> bytes_ = std::vector<std::byte>(4096);
};

Matmul small() { return {.w_addr = 16, .n0 = 4, .n1 = 1, .s0 = 1, .k = 16}; }

TEST_F(NpuVerifier, TakesAnOrderedProgram) {
  EXPECT_EQ(errorOf({Load{{0, kToMatrix}, 0, 0, 16, 0}, Matmul{small()}}),
            "instruction 1 (matmul w_addr=16 n0=4 n1=1 s0=1 k=16): no token orders it after instruction 0 of "
            "the load queue, which touches row 0 of the scratchpad too");
  Matmul after = small();
  after.tokens = {kToLoad, kToVector};
  EXPECT_EQ(errorOf({Load{{0, kToMatrix}, 0, 0, 16, 0}, after, Sync{{kToMatrix, kToStore}, 2},
                     Store{{kToVector, 0}, 0, accAddress(3), 64, 4096}}),
            "");
}

TEST_F(NpuVerifier, RefusesAMissingHalt) {
  expectError(errorOfAll({}), "the program is empty", "halt");
  expectError(errorOfAll({Sync{}}), "instruction 0 (sync)", "is not halt");
  expectError(errorOfAll({Halt{}, Sync{}}), "instruction 0 (halt)", "goes on");
}

TEST_F(NpuVerifier, RefusesATokenThatNobodySent) {
  expectError(errorOf({Sync{}, Sync{{kToStore, 0}, 1}}), "instruction 1 ", "store queue has not sent");
}

TEST_F(NpuVerifier, RefusesTooManyTokens) {
  std::vector<Instruction> program(kTokenMax - kQueueDepth, Sync{{0, kToStore}, 0});
  EXPECT_EQ(errorOf(program), "");
  program.emplace_back(Sync{{0, kToStore}, 0});
  expectError(errorOf(program), "instruction 239 ", "more than 239 tokens from the load to the store queue");
}

TEST_F(NpuVerifier, RefusesRowsOutside) {
  expectError(errorOf({Load{{}, 0, 256, 16, 0}}), "instruction 0 ", "row 256 of 256 in the scratchpad");
  expectError(errorOf({Dim{.loop = 1, .count = 65, .row_stride = 1}, Fill{{}, 2, accAddress(0), 1, 0}}),
              "instruction 1 ", "row 64 of 64 in the accumulator memory");
  Matmul m = small();
  m.c_addr = 61;
  expectError(errorOf({m}), "instruction 0 ", "accumulator");
  m = small();
  m.k = 17;
  expectError(errorOf({m}), "instruction 0 ", "k = 17 of 16");
}

TEST_F(NpuVerifier, RefusesDramOutsideAndReadOnly) {
  expectError(errorOf({Load{{}, 0, 0, 16, 2040}}), "instruction 0 ", "DRAM bytes 2040 to 2056");
  expectError(errorOf({Store{{}, 0, 0, 16, 0}}), "instruction 0 ", "that it may write");
  expectError(errorOf({Dim{.loop = 0, .count = 3, .dram_stride = -1000}, Load{{}, 1, 0, 16, 1500}}),
              "instruction 1 ", "DRAM bytes -500 to 1516");
}

TEST_F(NpuVerifier, RefusesRacesOfEveryKind) {
  const Load load{{}, 0, 3, 16, 0};
  const Vop reads{.op = 0, .a = 3, .n0 = 1, .n1 = 1, .d = 100};
  expectError(errorOf({load, reads}), "instruction 1 ",
              "after instruction 0 of the load queue");  // read after write
  expectError(errorOf({reads, load}), "instruction 1 ",
              "after instruction 0 of the vector queue");  // write after read
  Load same = load;
  same.row = 100;
  expectError(errorOf({reads, same}), "instruction 1 ", "row 100");  // write after write
  EXPECT_EQ(errorOf({load, Store{{}, 0, 7, 16, 4096}}), "");         // apart
}

TEST_F(NpuVerifier, OrderIsTransitive) {
  // load -> vector -> store: the store reads what the load wrote, with no token between the two.
  EXPECT_EQ(errorOf({Load{{0, kToVector}, 0, 3, 16, 0}, Sync{{kToLoad, kToStore}, 2},
                     Store{{kToVector, 0}, 0, 3, 16, 4096}}),
            "");
  // A token from before the load says nothing of it.
  expectError(errorOf({Sync{{0, kToStore}, 0}, Load{{}, 0, 3, 16, 0}, Store{{kToLoad, 0}, 0, 3, 16, 4096}}),
              "instruction 2 ", "after instruction 1 of the load queue");
}

TEST_F(NpuVerifier, RefusesRacesInDram) {
  const Store store{{}, 0, 0, 16, 4096};
  expectError(errorOf({store, Load{{}, 0, 9, 16, 4100}}), "instruction 1 ", "DRAM at 4100");
  EXPECT_EQ(errorOf({store, Load{{}, 0, 9, 16, 4112}}), "");
  // Interleaved, but apart.
  const Dim of_store{.of_store = 1, .loop = 0, .count = 4, .row_stride = 1, .dram_stride = 32};
  Dim of_load = of_store;
  of_load.of_store = 0;
  const Store stores{{}, 1, 0, 16, 4096};
  EXPECT_EQ(errorOf({of_store, of_load, stores, Load{{}, 1, 9, 16, 4112}}), "");
  expectError(errorOf({of_store, of_load, stores, Load{{}, 1, 9, 16, 4111}}), "instruction 3 ", "DRAM at");
}

TEST_F(NpuVerifier, RefusesAVopThatReadsItsResult) {
  Vop vop{.op = 0, .pitch = 0, .a = 10, .n0 = 4, .n1 = 1, .s0 = 1, .d = 11};
  expectError(errorOf({vop}), "instruction 0 ", "reads a row that it wrote");
  vop.d = 10;
  EXPECT_EQ(errorOf({vop}), "");  // in place
  vop.d = 9;
  EXPECT_EQ(errorOf({vop}), "");  // writes behind what it has read
}

TEST_F(NpuVerifier, RefusesEndlessLoops) {
  expectError(errorOf({Dim{.loop = 0, .count = 65535}, Dim{.loop = 1, .count = 65535}, Fill{{}, 3, 0, 1, 0}}),
              "instruction 2 ", "limit is 65536");
}

TEST_F(NpuVerifier, RefusesTruncatedAndIllegalStreams) {
  auto dram = Dram::make({});
  ASSERT_TRUE(dram);
  std::vector<Word> words = {*encode(Sync{}), *encode(Halt{})};
  EXPECT_TRUE(verify(config_, words, *dram));
  words[0].low |= uint64_t{1} << 40;
  auto refused = verify(config_, words, *dram);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message().rfind("instruction 0: sync has bits set", 0), 0u);
  words = {*encode(Sync{})};
  EXPECT_FALSE(verify(config_, words, *dram));
}

TEST_F(NpuVerifier, RefusesConfigurationsThatDoNotExist) {
  config_.side = 12;
  EXPECT_EQ(errorOf({}), "an NPU has side 8, 16 or 32, not 12");
}

}  // namespace
}  // namespace tetrarch::npu
