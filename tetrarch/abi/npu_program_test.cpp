#include "tetrarch/abi/npu_program.h"

#include <gtest/gtest.h>

#include <cstring>

namespace tetrarch::npu {
namespace {

Program sample() {
  const std::vector<Word> halt = {*encode(Halt{})}, two = {*encode(Sync{}), *encode(Halt{})};
  Program program{.side = 8, .kind = Kind::Bf16, .sp_rows = 64, .acc_rows = 16};
  program.constants = std::vector<std::byte>(100, std::byte{7});
  program.entries.push_back({.symbol = "first",
                             .units = 5,
                             .granularity = 2,
                             .workspace_bytes = 256,
                             .buffer_count = 2,
                             .pieces = {{TET_NPU_BUFFER, 1, 64, 10, 0, true},
                                        {TET_NPU_CONSTANTS, 0, 128, 50, 50, false},
                                        {TET_NPU_WORKSPACE, 0, 256, 192, 64, true}},
                             .streams = {halt, two, halt}});
  program.entries.push_back({.symbol = "second", .streams = {two}});
  return program;
}

// The error after a change of the sample.
template <typename Change>
std::string errorAfter(const Change& change) {
  Program program = sample();
  change(program);
  auto read = readProgram(writeProgram(program));
  return read ? "" : std::string(read.error().message());
}

TEST(NpuProgram, RoundTrips) {
  const std::vector<std::byte> bytes = writeProgram(sample());
  auto read = readProgram(bytes);
  ASSERT_TRUE(read) << read.error().message();
  EXPECT_EQ(*read, sample());
  tet_npu_header header;
  std::memcpy(&header, bytes.data(), sizeof header);
  EXPECT_EQ(header.instructions.offset % 16, 0u);
  EXPECT_EQ(header.constants.offset % 64, 0u);
}

TEST(NpuProgram, EveryCutIsRefused) {
  const std::vector<std::byte> bytes = writeProgram(sample());
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(readProgram(std::span(bytes).first(size))) << size;
  }
}

TEST(NpuProgram, RefusesWhatPointsOutside) {
  EXPECT_EQ(errorAfter([](Program& p) { p.entries[0].pieces[0].buffer = 2; }),
            "task first: the piece at address 64 refers to something that is not there");
  EXPECT_NE(errorAfter([](Program& p) { p.entries[0].pieces[1].bytes = 51; }), "");
  EXPECT_NE(errorAfter([](Program& p) { p.entries[0].pieces[2].offset = 65; }), "");
  EXPECT_NE(errorAfter([](Program& p) { p.entries[0].pieces[0].address = 65; }), "");
  EXPECT_NE(errorAfter([](Program& p) { p.entries[0].pieces[0].address = uint64_t{1} << 32; }), "");
  EXPECT_NE(errorAfter([](Program& p) { p.entries[0].pieces[1].writable = true; }), "");
  EXPECT_NE(errorAfter([](Program& p) { p.entries[0].pieces[0].kind = 3; }), "");
}

TEST(NpuProgram, RefusesTasksThatMakeNoSense) {
  EXPECT_EQ(errorAfter([](Program& p) { p.entries[1].symbol = "first"; }), "two tasks are called first");
  EXPECT_NE(errorAfter([](Program& p) { p.entries[0].granularity = 0; }), "");
  EXPECT_NE(errorAfter([](Program& p) { p.entries[0].units = 1000; }), "");
  EXPECT_NE(errorAfter([](Program& p) { p.entries[1].symbol = ""; }), "");
}

TEST(NpuProgram, RefusesOtherVersions) {
  std::vector<std::byte> bytes = writeProgram(sample());
  bytes[4] = std::byte{9};
  EXPECT_EQ(readProgram(bytes).error().message(), "the blob has version 9 and this program reads version 1");
  bytes[0] = std::byte{0};
  EXPECT_EQ(readProgram(bytes).error().message(), "the bytes are not an npu blob");
}

}  // namespace
}  // namespace tetrarch::npu
