// The profile: what was measured, kept between processes in one SQLite file.
//
//   cost   (kernel, device, clock) -> time distribution   kernel: hash of a task's code and shapes
//   tuning (kernel, device)        -> text                a generator's choice: tile sizes, work-group sizes
//
// `device` is a key that names the model of the processor and how it is used (threads), `clock` its clock
// state, so a figure is found again only where it is valid. Several processes may use one file (write-ahead
// log); one Profile serves many threads.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "tetrarch/plan/problem.h"

struct sqlite3;

namespace tetrarch::plan {

// n samples in seconds. stddev is that of the samples, 0 for one.
struct Measurement {
  double mean = 0, stddev = 0;
  int64_t n = 0;
  Source source = Source::Measured;
};

// Both sets of samples as one.
Measurement merge(const Measurement& a, const Measurement& b);

class Profile {
 public:
  // $TETRARCH_PROFILE, else $XDG_CACHE_HOME/tetrarch/profile.db, else ~/.cache/tetrarch/profile.db.
  static std::filesystem::path defaultPath();

  // Opens or makes the file and its folder; ":memory:" is a private one. A damaged file, or one of another
  // schema, is moved aside to "<path>.damaged" and started anew, which note() tells. PermissionDenied when it
  // cannot be written.
  static Result<std::unique_ptr<Profile>> open(const std::filesystem::path& path);
  ~Profile();
  Profile(const Profile&) = delete;
  Profile& operator=(const Profile&) = delete;

  // One sentence for the user when opening found something odd, else empty.
  const std::string& note() const { return note_; }

  Result<std::optional<Measurement>> cost(const std::string& kernel, const std::string& device,
                                          const std::string& clock);
  // Adds samples to those that are there. What counts are the newest about kMemory samples, so that old ones
  // fade.
  Status addCost(const std::string& kernel, const std::string& device, const std::string& clock,
                 const Measurement& samples);

  Result<std::optional<std::string>> tuning(const std::string& kernel, const std::string& device);
  Status setTuning(const std::string& kernel, const std::string& device, const std::string& value);

  static constexpr int64_t kMemory = 1000;

 private:
  struct Impl;
  explicit Profile(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
  std::string note_;
};

}  // namespace tetrarch::plan
