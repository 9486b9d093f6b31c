#include "tetrarch/devices/npu/figures.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tetrarch/abi/device.h"

namespace tetrarch::npu {
namespace {

TEST(NpuFigures, TheBuildCarriesThemForEveryConfiguration) {
  for (const int64_t side : {8, 16, 32}) {
    for (const Kind kind : {Kind::Int8, Kind::Bf16}) {
      auto figures = loadFigures("", Config::standard(side, kind));
      ASSERT_TRUE(figures) << figures.error().message();
      EXPECT_GT(figures->clock_hz, 1e6);
      EXPECT_EQ(figures->source, TET_MODELLED);
      EXPECT_FALSE(figures->node.empty());
    }
  }
}

TEST(NpuFigures, EnergiesAreThoseOfTheActivity) {
  std::string classes;
  for (int i = 0; i < kEnergyClasses; ++i) {
    classes +=
        fmt::format(R"({}"{}": {})", i ? ", " : "", energyClassName(static_cast<EnergyClass>(i)), i + 1);
  }
  const auto json = [&](const std::string& table) {
    return fmt::format(R"({{"figures": [{{"side": 16, "kind": "int8", "clock_hz": 1, "source": "modelled",
                        "energy": {{"leakage_watts": 0.25, "relu": {{{}}}}}}}]}})",
                       table);
  };
  auto figures = parseFigures(json(classes), "f.json", Config(), "relu");
  ASSERT_TRUE(figures) << figures.error().message();
  EXPECT_TRUE(figures->energies.known);
  EXPECT_EQ(figures->energies.leakage_watts, 0.25);
  EXPECT_EQ(figures->energies.joules.front(), 1);
  EXPECT_EQ(figures->energies.joules.back(), kEnergyClasses);
  EXPECT_EQ(parseFigures(json(classes), "f.json", Config(), "random").error().message(),
            "f.json: a row has energies and none for the activity 'random'");
  EXPECT_EQ(parseFigures(json(R"("cycle": 1)"), "f.json", Config(), "relu").error().message(),
            "f.json: the energies for 'relu' lack joules of 'instruction'");
}

TEST(NpuFigures, BadFilesAreRefused) {
  const auto errorOf = [](std::string_view json) {
    auto figures = parseFigures(json, "f.json", Config());
    return figures ? "" : std::string(figures.error().message());
  };
  EXPECT_EQ(errorOf("{"), "f.json: this is no file of figures: it needs a list \"figures\"");
  EXPECT_EQ(errorOf(R"({"figures":[]})"), "f.json has no figures for side 16 and kind int8");
  EXPECT_EQ(errorOf(R"({"figures":[7]})"), "f.json: a row is not an object");
  EXPECT_EQ(errorOf(R"({"figures":[{"side":16,"kind":"int8"}]})"), "f.json: a row has no positive clock_hz");
  EXPECT_EQ(errorOf(R"({"figures":[{"side":16,"kind":"int8","clock_hz":1,"source":"guessed"}]})"),
            "f.json: a row has source 'guessed'; it is measured, simulated or modelled");
  EXPECT_FALSE(loadFigures("/nowhere.json", Config()));
}

}  // namespace
}  // namespace tetrarch::npu
