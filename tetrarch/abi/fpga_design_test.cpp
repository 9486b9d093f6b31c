#include "tetrarch/abi/fpga_design.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

namespace tetrarch::fpga {
namespace {

namespace fs = std::filesystem;

class FpgaDesign : public testing::Test {
 protected:
  FpgaDesign() {
    setenv("XDG_CACHE_HOME", cache.c_str(), 1);
    kernel.verilog = "module k; endmodule\n";
    kernel.top = "k";
  }
  ~FpgaDesign() override { fs::remove_all(cache); }

  void report(const std::string& text) {
    fs::create_directories(designFolder(kernel.verilog));
    std::ofstream(designFolder(kernel.verilog) / "report.json") << text;
  }
  std::string reportOf(const std::string& hash, const std::string& part, const std::string& clocks) {
    return R"({"hash": ")" + hash + R"(", "top": "k", "part": ")" + part + R"(", "clocks": )" + clocks +
           R"(, "used": {"luts": 5, "flip_flops": 6, "multipliers": 7, "block_rams": 8}, "bitstream_bytes": 9})";
  }
  std::string hash() { return designFolder(kernel.verilog).filename(); }
  std::string refusal() {
    const auto design = readDesign(kernel, "ecp5-85k");
    return design ? "" : std::string(design.error().message());
  }

  const fs::path cache = fs::path(testing::TempDir()) / "fpga_design_test";
  Kernel kernel;
};

TEST_F(FpgaDesign, IsNotThereBeforeItIsBuilt) {
  const auto design = readDesign(kernel, "ecp5-85k");
  ASSERT_TRUE(design);
  EXPECT_FALSE(*design);
}

TEST_F(FpgaDesign, HasTheClockOfTheWorstSeed) {
  report(reportOf(hash(), "ecp5-85k", R"({"1": 140e6, "2": 130e6, "3": 135e6})"));
  const auto design = readDesign(kernel, "ecp5-85k");
  ASSERT_TRUE(design) << design.error().message();
  EXPECT_EQ((*design)->hz, 130e6);
  EXPECT_EQ((*design)->clocks.size(), 3U);
  EXPECT_EQ((*design)->uses, (Resources{5, 6, 7, 8}));
  EXPECT_EQ((*design)->bitstream_bytes, 9);
}

TEST_F(FpgaDesign, IsRefusedWhenItIsOfSomethingElse) {
  report(reportOf("00", "ecp5-85k", R"({"1": 1e8})"));
  EXPECT_NE(refusal().find("of another kernel"), std::string::npos) << refusal();
  report(reportOf(hash(), "other", R"({"1": 1e8})"));
  EXPECT_NE(refusal().find("of the part other"), std::string::npos) << refusal();
}

TEST_F(FpgaDesign, IsRefusedWhenItMakesNoSense) {
  for (const std::string text : {"", "[]", "{", R"({"hash": 1})"}) {
    report(text);
    EXPECT_NE(refusal().find("report.json"), std::string::npos) << text;
  }
  for (const std::string clocks :
       {"{}", R"({"one": 1})", R"({"1": 0})", R"({"1": "fast"})", R"({"1": -3})"}) {
    report(reportOf(hash(), "ecp5-85k", clocks));
    EXPECT_NE(refusal(), "") << clocks;
  }
}

}  // namespace
}  // namespace tetrarch::fpga
