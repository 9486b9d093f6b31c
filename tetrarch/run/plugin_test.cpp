#include "tetrarch/run/plugin.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>

namespace tetrarch::run {
namespace {

const std::filesystem::path kBad = TETRARCH_BAD_DEVICES;

TEST(DeviceRegistry, FindsThePluginsOfTheBuild) {
  DeviceRegistry& registry = DeviceRegistry::instance();
  std::vector<DeviceInfo> devices = registry.list();
  auto named = [&](std::string_view name) {
    return std::any_of(devices.begin(), devices.end(), [&](const DeviceInfo& d) { return d.name == name; });
  };
  EXPECT_TRUE(named("cpu"));
  EXPECT_TRUE(named("null"));
}

TEST(DeviceRegistry, OpensByNameNumberAndOptions) {
  DeviceRegistry& registry = DeviceRegistry::instance();
  auto cpu = registry.open("cpu:0", R"({"threads":1})");
  ASSERT_TRUE(cpu) << cpu.error().toString();
  EXPECT_EQ((*cpu)->info().compute_units, 1u);
  EXPECT_EQ((*cpu)->info().shares, "host-cpu");
  EXPECT_EQ(registry.open("cpu:7").error().code(), StatusCode::kNotFound);
  EXPECT_EQ(registry.open("cpu:x").error().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(registry.open("").error().code(), StatusCode::kInvalidArgument);
  auto unknown = registry.open("warp");
  EXPECT_EQ(unknown.error().code(), StatusCode::kNotFound);
  EXPECT_NE(unknown.error().message().find("(there are: cpu, "), std::string_view::npos)
      << unknown.error().toString();
  auto absent = registry.open("cpu", R"({"cpus":"1000"})");
  EXPECT_NE(absent.error().message().find("names CPU 1000"), std::string_view::npos)
      << absent.error().toString();
  auto option = registry.open("cpu", R"({"treads":1})");
  EXPECT_EQ(option.error().code(), StatusCode::kInvalidArgument);
  EXPECT_NE(option.error().message().find("'treads' is unknown"), std::string_view::npos);
}

TEST(DeviceRegistry, EachBadPluginGivesOneSentenceAndStopsNobody) {
  auto registry = DeviceRegistry::discover({kBad, TETRARCH_GOOD_DEVICES, "/no/such/folder"});
  struct {
    const char *file, *sentence;
  } const rows[] = {{"tetrarch_lacks_symbol.so", "it exports no 'tetrarch_plugin'"},
                    {"tetrarch_says_no.so", "cannot work on this machine"},
                    {"tetrarch_wrong_size.so", "struct_size 24"},
                    {"tetrarch_wrong_version.so", "version 77."},
                    {"tetrarch_lacks_entry.so", "lacks the required entry 'device_count'"}};
  EXPECT_EQ(registry->problems().size(), std::size(rows));
  for (const auto& row : rows) {
    EXPECT_TRUE(std::any_of(registry->problems().begin(), registry->problems().end(),
                            [&](const std::string& p) {
                              return p.find(row.file) != std::string::npos &&
                                     p.find(row.sentence) != std::string::npos;
                            }))
        << row.file;
  }
  EXPECT_TRUE(registry->open("cpu"));
  auto missing = registry->open("wrong_size");
  EXPECT_NE(missing.error().message().find("left out"), std::string_view::npos) << missing.error().toString();
}

TEST(DeviceRegistry, APluginThatVanishesOrIsNoLibrary) {
  auto gone = loadPlugin(kBad / "tetrarch_gone.so");
  EXPECT_EQ(gone.error().code(), StatusCode::kNotFound);
  EXPECT_NE(gone.error().message().find("tetrarch_gone.so"), std::string_view::npos);
  std::filesystem::path text =
      std::filesystem::temp_directory_path() / fmt::format("tetrarch_text_{}.so", ::getpid());
  std::ofstream(text) << "not a library";
  EXPECT_FALSE(loadPlugin(text));
  std::filesystem::remove(text);
}

TEST(Device, HandlesKeepTheirDeviceOpen) {
  Buffer buffer;
  {
    auto device = DeviceRegistry::instance().open("cpu");
    buffer = (*device)->allocate(100).value();
  }
  ASSERT_NE(buffer.hostPointer(), nullptr);
  static_cast<char*>(buffer.hostPointer())[99] = 1;
  EXPECT_EQ(buffer.device().allocate(uint64_t{1} << 60).error().code(), StatusCode::kResourceExhausted);
}

}  // namespace
}  // namespace tetrarch::run
