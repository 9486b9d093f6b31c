// What every device plug-in must pass. A device joins with one file that defines subject(), linked with
// suite.cpp.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace tetrarch::conformance {

// The suite's kernels, in the device's own format. Both take (input f32[1024], output f32[1024]) and have 16
// units of 64 elements each, granularity 1: "add_one" writes input + 1, "twice" writes input * 2.
inline constexpr int kElements = 1024;
inline constexpr int kUnits = 16;

struct Subject {
  std::string plugin;   // path of the shared library
  std::string options;  // for device_open, a JSON object or ""
  std::string format;
  std::vector<std::byte> blob;
  bool computes = true;    // false: results are not looked at
  bool has_meter = false;  // true: energy_read works; else it may, or be absent
  std::string
      loss_options;  // make the device fail after three launches; "": it cannot be provoked, loss is skipped
};

// Called once. When the device's driver is not there, `plugin` works and has no device: the suite is skipped.
Subject subject();

std::vector<std::byte> readFile(const std::string& path);
std::vector<std::byte> toBytes(const std::string& text);

}  // namespace tetrarch::conformance
