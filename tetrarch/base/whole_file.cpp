#include "tetrarch/base/whole_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <utility>

namespace tetrarch {
namespace {

namespace fs = std::filesystem;

constexpr mode_t kMode = 0666;  // less the umask, as for any new file

// A name beside `target` that no other file of this or another process has.
std::string temporaryName(const fs::path& target) {
  static std::atomic<unsigned> next = 0;
  return fmt::format("{}.{}-{}", target.string(), ::getpid(), next++);
}

}  // namespace

Status fileError(const fs::path& path, std::string_view what) {
  const StatusCode code = errno == ENOSPC || errno == EDQUOT  ? StatusCode::kFailedPrecondition
                          : errno == EACCES || errno == EROFS ? StatusCode::kPermissionDenied
                                                              : StatusCode::kNotFound;
  return fail(code, "{}: {}: {}", path.string(), what, std::strerror(errno));
}

Status checkWritable(const fs::path& path) {
  std::error_code ignored;
  const fs::file_status status = fs::status(path, ignored);
  if (fs::is_other(status) || fs::is_character_file(status) || fs::is_fifo(status)) return {};
  auto file = WholeFile::create(path);
  return file ? Status() : file.error();
}

Result<WholeFile> WholeFile::create(const fs::path& path) {
  std::error_code absent;
  const fs::path resolved = fs::canonical(path, absent);
  WholeFile file(absent ? path : resolved);
  TET_RETURN_IF_ERROR(file.open());
  return file;
}

WholeFile::WholeFile(WholeFile&& other) noexcept
    : target_(std::move(other.target_)),
      temporary_(std::exchange(other.temporary_, {})),
      in_place_(other.in_place_),
      fd_(std::exchange(other.fd_, -1)) {}

WholeFile::~WholeFile() {
  if (fd_ >= 0) ::close(fd_);
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

Status WholeFile::open() {
  std::error_code ignored;
  const fs::file_status status = fs::status(target_, ignored);
  in_place_ = fs::exists(status) && !fs::is_regular_file(status);
  if (in_place_) {
    fd_ = ::open(target_.c_str(), O_WRONLY | O_CLOEXEC);
  } else {
    const fs::path folder = target_.has_parent_path() ? target_.parent_path() : ".";
    fd_ = ::open(folder.c_str(), O_TMPFILE | O_WRONLY | O_CLOEXEC, kMode);
    if (fd_ < 0 && (errno == EOPNOTSUPP || errno == EISDIR)) {
      temporary_ = temporaryName(target_);
      fd_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, kMode);
      if (fd_ < 0) temporary_.clear();
    }
  }
  return fd_ < 0 ? failure() : Status();
}

Status WholeFile::failure() const { return fileError(target_, "cannot be written"); }

Status WholeFile::write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd_, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return failure();
    bytes = bytes.subspan(static_cast<size_t>(n));
  }
  return {};
}

Status WholeFile::sync() { return in_place_ || ::fsync(fd_) == 0 ? Status() : failure(); }

// Links take no other file's place, so an unnamed file gets a temporary name, which then replaces the target.
Status WholeFile::nameIt() {
  std::string name = temporaryName(target_);
  const std::string unnamed = fmt::format("/proc/self/fd/{}", fd_);
  if (::linkat(AT_FDCWD, unnamed.c_str(), AT_FDCWD, name.c_str(), AT_SYMLINK_FOLLOW) != 0) return failure();
  temporary_ = std::move(name);
  return {};
}

Status WholeFile::commit() {
  if (!in_place_) {
    if (temporary_.empty()) TET_RETURN_IF_ERROR(nameIt());
    if (::rename(temporary_.c_str(), target_.c_str()) != 0) return failure();
    temporary_.clear();
  }
  // Some file systems say only here that the bytes did not fit.
  return ::close(std::exchange(fd_, -1)) == 0 ? Status() : failure();
}

}  // namespace tetrarch
