// Files that appear whole or not at all: what is written becomes the file when it is committed, and what was
// there before stays until then. Nothing remains of one that was not committed, nor of a process that was
// interrupted while it wrote (where the file system has unnamed files; elsewhere a temporary one may).
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>

#include "tetrarch/base/status.h"

namespace tetrarch {

// Movable; not thread safe. Errors name the file: PermissionDenied, NotFound, and FailedPrecondition where
// the disk is full.
class WholeFile {
 public:
  // Of links, what they lead to is replaced. What is no regular file (a pipe, a terminal) is written as it
  // is.
  static Result<WholeFile> create(const std::filesystem::path& path);
  WholeFile(WholeFile&& other) noexcept;
  WholeFile& operator=(WholeFile&&) = delete;
  ~WholeFile();

  Status write(std::span<const std::byte> bytes);
  Status write(std::string_view text) { return write(std::as_bytes(std::span(text))); }
  // Waits until the bytes are on the disk, for files that must survive a loss of power.
  Status sync();
  Status commit();

 private:
  explicit WholeFile(std::filesystem::path target) : target_(std::move(target)) {}
  Status open();
  Status nameIt();
  Status failure() const;

  std::filesystem::path target_;
  std::string temporary_;  // its name until it is committed; empty: it has none
  bool in_place_ = false;
  int fd_ = -1;
};

// What create() would say now: to be asked before the long work whose result goes there. Pipes and the like
// are not tried.
Status checkWritable(const std::filesystem::path& path);

// The error of a file that could not be read or written, by errno; codes as above.
Status fileError(const std::filesystem::path& path, std::string_view what);

}  // namespace tetrarch
