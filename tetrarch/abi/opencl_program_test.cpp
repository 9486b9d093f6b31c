#include "tetrarch/abi/opencl_program.h"

#include <gtest/gtest.h>

#include <random>

namespace tetrarch::abi {
namespace {

OpenClProgram sample() {
  OpenClProgram program{.source = "__kernel void pad() {}", .options = "-cl-mad-enable"};
  program.entries.push_back(
      {.symbol = "conv_1",
       .units = 48,
       .granularity = 4,
       .workspace_bytes = 8192,
       .buffer_count = 3,
       .passes = {
           {.kernel = "conv_1_pad",
            .kind = TET_OPENCL_WHOLE,
            .items = 640,
            .arguments = {{TET_OPENCL_BUFFER, 0}, {TET_OPENCL_WORKSPACE, 0}, {TET_OPENCL_ITEM_END, 0}}},
           {.kernel = "conv_1", .local_items = 8, .items = 16, .arguments = {{TET_OPENCL_BUFFER, 2}}}}});
  program.entries.push_back({.symbol = "relu", .buffer_count = 2});
  program.binaries.push_back({.device = "PoCL 3.1", .program = std::string("\0\1\2", 3)});
  return program;
}

TEST(OpenClProgram, ReadsWhatItWrote) {
  auto read = readOpenClProgram(writeOpenClProgram(sample()));
  ASSERT_TRUE(read.has_value()) << read.error().toString();
  EXPECT_EQ(*read, sample());
}

TEST(OpenClProgram, RefusesWhatALaunchCouldNotUse) {
  auto refused = [](auto change, std::string_view why) {
    OpenClProgram program = sample();
    change(program);
    auto read = readOpenClProgram(writeOpenClProgram(program));
    ASSERT_FALSE(read.has_value()) << why;
    EXPECT_NE(read.error().message().find(why), std::string_view::npos) << read.error().toString();
  };
  refused([](OpenClProgram& p) { p.entries[0].passes[1].arguments[0].value = 3; }, "buffer 3 of 3");
  refused([](OpenClProgram& p) { p.entries[0].passes[0].arguments[1].value = 64; }, "workspace of 8192");
  refused([](OpenClProgram& p) { p.entries[0].passes[1].items = UINT64_MAX / 8; }, "work-items");
  refused([](OpenClProgram& p) { p.entries[0].units = 0; }, "0 units");
  refused([](OpenClProgram& p) { p.entries[1].symbol = "conv_1"; }, "two tasks");
  refused([](OpenClProgram& p) { p.entries[1].symbol = "a\nb"; }, "not a name");
  refused([](OpenClProgram& p) { p.entries[0].passes[0].kind = 7; }, "unknown kind 7");
}

TEST(OpenClProgram, NoTruncationIsReadAndNoDamageCrashes) {
  const std::vector<std::byte> good = writeOpenClProgram(sample());
  for (size_t size = 0; size < good.size(); ++size) {
    EXPECT_FALSE(readOpenClProgram(std::span(good).first(size)).has_value()) << size;
  }
  std::mt19937 random(1);
  for (int i = 0; i < 20000; ++i) {
    std::vector<std::byte> bad = good;
    for (int flips = 0; flips < 3; ++flips) bad[random() % bad.size()] = static_cast<std::byte>(random());
    (void)readOpenClProgram(bad);
  }
}

}  // namespace
}  // namespace tetrarch::abi
