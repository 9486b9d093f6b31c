// A trace in the Chrome/Perfetto JSON format ("Trace Event Format"): open the file in ui.perfetto.dev.
#pragma once

#include <cstdint>
#include <filesystem>
#include <mutex>
#include <string>
#include <vector>

#include "tetrarch/base/status.h"

namespace tetrarch {

// Nanoseconds of the monotonic clock.
int64_t nowNs();

// Collects complete ("X") events; all members are thread safe.
class Trace {
 public:
  // A row in the viewer, such as one device's queue; returns its number.
  int addTrack(const std::string& name);
  // `args` is a JSON object, or empty.
  void add(int track, std::string name, int64_t begin_ns, int64_t end_ns, std::string args = {});
  size_t size() const;
  std::string toJson() const;
  Status write(const std::filesystem::path& path) const;

 private:
  struct Event {
    int track;
    std::string name;
    int64_t begin_ns, end_ns;
    std::string args;
  };
  mutable std::mutex mutex_;
  std::vector<std::string> tracks_;
  std::vector<Event> events_;
};

}  // namespace tetrarch
