// The processor package's energy from Linux powercap ("RAPL"), where the kernel lets us read it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <mutex>
#include <optional>
#include <vector>

namespace tetrarch::cpu {

// Sums the top-level zones ("intel-rapl:0", …) and unwraps their counters. Thread safe.
class Rapl {
 public:
  // `root` is /sys/class/powercap, or a folder like it. Nothing when no zone can be read.
  static std::optional<Rapl> open(const std::filesystem::path& root);
  Rapl(Rapl&& other) noexcept : zones_(std::move(other.zones_)) {}

  // Joules since open(). Nothing when a zone cannot be read any more.
  std::optional<double> joules();

 private:
  struct Zone {
    std::filesystem::path energy;
    uint64_t range;  // where the counter wraps, in µJ
    uint64_t last;
    uint64_t total;
  };
  Rapl() = default;
  std::vector<Zone> zones_;
  std::mutex mutex_;
};

}  // namespace tetrarch::cpu
