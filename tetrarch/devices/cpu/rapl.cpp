#include "tetrarch/devices/cpu/rapl.h"

#include <fstream>
#include <string>

namespace tetrarch::cpu {
namespace {

std::optional<uint64_t> readNumber(const std::filesystem::path& path) {
  std::ifstream file(path);
  uint64_t value = 0;
  if (!(file >> value)) return std::nullopt;
  return value;
}

// "intel-rapl:0" is a package; "intel-rapl:0:1" is a part of it, and would be counted twice.
bool isPackage(const std::string& name) {
  size_t colon = name.find(':');
  return colon != std::string::npos && name.find(':', colon + 1) == std::string::npos &&
         name.substr(0, colon).ends_with("-rapl");
}

}  // namespace

std::optional<Rapl> Rapl::open(const std::filesystem::path& root) {
  Rapl rapl;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(root, error)) {
    if (!isPackage(entry.path().filename().string())) continue;
    auto now = readNumber(entry.path() / "energy_uj");
    auto range = readNumber(entry.path() / "max_energy_range_uj");
    if (now && range) rapl.zones_.push_back({entry.path() / "energy_uj", *range, *now, 0});
  }
  if (rapl.zones_.empty()) return std::nullopt;
  return rapl;
}

std::optional<double> Rapl::joules() {
  std::lock_guard lock(mutex_);
  uint64_t sum = 0;
  for (Zone& zone : zones_) {
    auto now = readNumber(zone.energy);
    if (!now) return std::nullopt;
    zone.total += *now >= zone.last ? *now - zone.last : zone.range - zone.last + *now;
    zone.last = *now;
    sum += zone.total;
  }
  return static_cast<double>(sum) * 1e-6;
}

}  // namespace tetrarch::cpu
