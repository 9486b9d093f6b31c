// The clock state of a processor as the profile keys its figures: what was measured under one state is not
// found under another.
#pragma once

#include <filesystem>
#include <string>

#include "tetrarch/run/plugin.h"

namespace tetrarch::run {

inline constexpr const char* kUnknownClock = "unknown";

// Linux cpufreq's governors and frequency limits with the state of boost: "performance 3500000 kHz boost", of
// several policies "performance 2400000 kHz + performance 3500000 kHz". kUnknownClock where the kernel tells
// nothing, as in most virtual machines. `sysfs` is /sys, or a folder like it.
std::string hostClockState(const std::filesystem::path& sysfs = "/sys");

// Of a device: the host's for one that computes on the host's CPU, of others unknown.
std::string clockState(const DeviceInfo& device, const std::filesystem::path& sysfs = "/sys");

}  // namespace tetrarch::run
