#include "tetrarch/devices/cpu/cpu_info.h"

#include <gtest/gtest.h>

namespace tetrarch::cpu {
namespace {

TEST(CpuInfo, NamesFeaturesAsLlvmDoes) {
  CpuInfo info = parseCpuInfo(
      "processor\t: 0\nmodel name\t: Some CPU @ 3GHz\nflags\t\t: pni ssse3 cx16 sse4_1 sse4_2 popcnt lahf_lm "
      "avx f16c "
      "fma movbe xsave abm bmi1 bmi2 avx2 avx512_vnni\nbugs\t\t: none\n\nprocessor\t: 1\nflags\t\t: other\n");
  EXPECT_EQ(info.name, "Some CPU @ 3GHz");
  std::string features = " " + info.features + " ";
  for (const char* expected :
       {" sse4.1 ", " lzcnt ", " bmi ", " avx512vnni ", " x86-64-v2 ", " x86-64-v3 "}) {
    EXPECT_NE(features.find(expected), std::string::npos) << expected << "in" << features;
  }
  EXPECT_EQ(features.find("x86-64-v4"), std::string::npos);
}

TEST(CpuInfo, UnknownTextIsNoFeatures) {
  EXPECT_EQ(parseCpuInfo("").name, "CPU");
  EXPECT_EQ(parseCpuInfo("flags\nmodel name").features, "");
}

TEST(CpuInfo, CpuLists) {
  EXPECT_EQ(parseCpuList("0,2-4"), (std::vector<int>{0, 2, 3, 4}));
  EXPECT_EQ(parseCpuList("7"), std::vector<int>{7});
  for (const char* bad : {"", "x", "1-", "-1", "3-1", "1;2", "1,,2", "99999999999", "0-100000"}) {
    EXPECT_TRUE(parseCpuList(bad).empty()) << bad;
  }
  EXPECT_FALSE(usableCpus().empty());
}

}  // namespace
}  // namespace tetrarch::cpu
