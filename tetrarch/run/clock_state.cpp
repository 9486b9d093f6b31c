#include "tetrarch/run/clock_state.h"

#include <fmt/ranges.h>

#include <fstream>
#include <set>

namespace tetrarch::run {
namespace {

// The first line of a file; empty when it cannot be read.
std::string lineOf(const std::filesystem::path& file) {
  std::ifstream in(file);
  std::string line;
  std::getline(in, line);
  return line;
}

// "performance 3500000 kHz" of each policy that differs.
std::set<std::string> policies(const std::filesystem::path& folder) {
  std::set<std::string> states;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    if (!entry.path().filename().string().starts_with("policy")) continue;
    const std::string governor = lineOf(entry.path() / "scaling_governor");
    const std::string limit = lineOf(entry.path() / "scaling_max_freq");
    if (!governor.empty() && !limit.empty()) states.insert(fmt::format("{} {} kHz", governor, limit));
  }
  return states;
}

// " boost", " no boost", or nothing when neither driver tells.
std::string boost(const std::filesystem::path& cpu) {
  const std::string acpi = lineOf(cpu / "cpufreq" / "boost");
  const std::string intel = lineOf(cpu / "intel_pstate" / "no_turbo");
  if (acpi.empty() && intel.empty()) return "";
  return acpi == "1" || intel == "0" ? " boost" : " no boost";
}

}  // namespace

std::string hostClockState(const std::filesystem::path& sysfs) {
  const std::filesystem::path cpu = sysfs / "devices" / "system" / "cpu";
  const std::set<std::string> states = policies(cpu / "cpufreq");
  if (states.empty()) return kUnknownClock;
  return fmt::format("{}{}", fmt::join(states, " + "), boost(cpu));
}

std::string clockState(const DeviceInfo& device, const std::filesystem::path& sysfs) {
  return device.shares == kHostCpu ? hostClockState(sysfs) : kUnknownClock;
}

}  // namespace tetrarch::run
