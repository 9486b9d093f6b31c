#include "tetrarch/devices/cpu/module.h"

#include <elf.h>
#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <iterator>
#include <random>

namespace tetrarch::cpu {
namespace {

std::vector<std::byte> goodCode() {
  std::ifstream file(TETRARCH_TEST_KERNELS, std::ios::binary);
  std::string text(std::istreambuf_iterator<char>(file), {});
  auto* begin = reinterpret_cast<const std::byte*>(text.data());
  return {begin, begin + text.size()};
}

TEST(CpuModule, LoadsTheSameCodeManyTimes) {
  std::vector<std::byte> code = goodCode();
  std::vector<std::unique_ptr<tet_module>> modules;
  for (int i = 0; i < 20; ++i) {
    auto module = CpuModule::load("test", code);
    ASSERT_TRUE(module) << module.error().toString();
    EXPECT_NE((*module)->find("add"), nullptr);
    EXPECT_EQ((*module)->find("subtract"), nullptr);
    if (i % 3) modules.push_back(std::move(*module));
  }
}

TEST(CpuModule, CodeOfAnotherKindIsAnError) {
  auto messageOf = [](std::span<const std::byte> code) {
    return std::string(CpuModule::load("m.tet", code).error().message());
  };
  std::vector<std::byte> code = goodCode();
  EXPECT_EQ(messageOf({}), "m.tet: 0 bytes are too few for code");
  std::vector<std::byte> other = code;
  Elf64_Ehdr header;
  std::memcpy(&header, code.data(), sizeof header);
  header.e_machine = EM_SPARC;
  std::memcpy(other.data(), &header, sizeof header);
  EXPECT_NE(messageOf(other).find("for this kind of processor"), std::string::npos);
  EXPECT_EQ(verifyElf(code).toString(), "OK");
}

// Any program header and any entry of the dynamic section, overwritten at random: an error or a verified
// file, and the verifier itself never reads outside.
TEST(CpuModule, DamagedHeadersNeverMakeTheVerifierReadOutside) {
  std::vector<std::byte> code = goodCode();
  std::mt19937_64 random(5);
  for (int round = 0; round < 3000; ++round) {
    std::vector<std::byte> damaged = code;
    for (int n = 0; n < 3; ++n) {
      uint64_t value = random() % 4 == 0 ? random() : random() % 3 - 1;
      size_t at = random() % std::min<size_t>(1024, damaged.size() - 8) / 8 * 8;
      std::memcpy(damaged.data() + at, &value, sizeof value);
    }
    (void)verifyElf(damaged);
  }
}

}  // namespace
}  // namespace tetrarch::cpu
