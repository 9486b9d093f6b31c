#include "tetrarch/api/device_spec.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace tetrarch::api {
namespace {

TEST(DeviceSpec, ReadsNamesNumbersAndOptions) {
  const auto devices = parseDevices("cpu:threads=1,opencl:0:mode=fast:check=true").value();
  ASSERT_EQ(devices.size(), 2u);
  EXPECT_EQ(devices[0].name, "cpu");
  EXPECT_EQ(devices[0].options, "{\"threads\":1}");
  EXPECT_EQ(devices[1].name, "opencl:0");
  EXPECT_EQ(devices[1].options, "{\"check\":true,\"mode\":\"fast\"}");
  EXPECT_EQ(deviceSpec(devices[0]), "cpu:threads=1");
  EXPECT_EQ(deviceSpec(devices[1]), "opencl:0:check=true:mode=fast");
  EXPECT_EQ(parseDevice(deviceSpec(devices[1])).value(), devices[1]);
}

TEST(DeviceSpec, NamesWhatItCannotRead) {
  for (const char* bad : {"", "cpu,", "cpu:", "cpu:fast", "cpu:0:1", "3", "cp u", "cpu,cpu"}) {
    const auto devices = parseDevices(bad);
    EXPECT_FALSE(devices.has_value()) << bad;
    if (!devices) EXPECT_EQ(devices.error().code(), StatusCode::kInvalidArgument) << bad;
  }
}

class PlaceTest : public testing::Test {
 protected:
  const std::vector<abi::PlanDevice> devices_ = parseDevices("cpu:threads=1,opencl:0").value();
};

TEST_F(PlaceTest, NamesDevices) {
  EXPECT_TRUE(parsePlace("", devices_)->use_each.empty());
  EXPECT_EQ(parsePlace("cpu,opencl", devices_)->use_each, (std::vector<int>{0, 1}));
  EXPECT_EQ(parsePlace("opencl:0", devices_)->use_each, std::vector<int>{1});
  EXPECT_EQ(parsePlace("fpga", devices_).error().code(), StatusCode::kNotFound);
  EXPECT_EQ(parsePlace("cpu:threads=2", devices_).error().code(), StatusCode::kNotFound);
}

TEST_F(PlaceTest, ReadsAFileOfTasks) {
  const auto path = std::filesystem::temp_directory_path() / "tetrarch_place_test.json";
  std::ofstream(path) << R"({"conv": "opencl", "add": "cpu"})";
  const Place place = parsePlace(path.string(), devices_).value();
  EXPECT_EQ(place.tasks, (std::map<std::string, int>{{"conv", 1}, {"add", 0}}));
  std::ofstream(path) << R"({"conv": 3})";
  EXPECT_NE(parsePlace(path.string(), devices_).error().message().find("'conv'"), std::string::npos);
  std::ofstream(path) << "[";
  EXPECT_EQ(parsePlace(path.string(), devices_).error().code(), StatusCode::kInvalidArgument);
  std::filesystem::remove(path);
  EXPECT_EQ(parsePlace(path.string(), devices_).error().code(), StatusCode::kNotFound);
}

}  // namespace
}  // namespace tetrarch::api
