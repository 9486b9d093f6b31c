#include "tetrarch/import/onnx/external_data.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstring>
#include <string_view>
#include <utility>

namespace tetrarch::onnx {
namespace {

constexpr int64_t kMostBytes = int64_t{1} << 40;

class FileDescriptor {
 public:
  explicit FileDescriptor(int fd = -1) : fd_(fd) {}
  FileDescriptor(FileDescriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~FileDescriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }
  bool ok() const { return fd_ >= 0; }

 private:
  int fd_;
};

// The path's components, or why it is refused before the file system sees it.
Result<std::vector<std::string>> split(const std::string& location) {
  if (location.empty()) return invalidArgument("it names no file");
  if (location.size() >= PATH_MAX) return invalidArgument("its file name is {} bytes long", location.size());
  if (location.find('\0') != std::string::npos) return invalidArgument("its file name holds a NUL byte");
  auto refuse = [&](std::string_view why) {
    return fail(StatusCode::kPermissionDenied, "its file '{}' {}", location, why);
  };
  if (location.front() == '/') return refuse("is an absolute path");
  if (location.find('\\') != std::string::npos) return refuse("holds a backslash");
  std::vector<std::string> parts;
  for (size_t begin = 0; begin <= location.size();) {
    const size_t end = std::min(location.find('/', begin), location.size());
    std::string part = location.substr(begin, end - begin);
    if (part == "..") return refuse("has '..' in its path");
    if (!part.empty() && part != ".") parts.push_back(std::move(part));
    begin = end + 1;
  }
  if (parts.empty()) return refuse("is a folder");
  return parts;
}

// Opens component by component: each openat() refuses a link, so nothing can be swapped in between check and
// use.
Result<FileDescriptor> openBelow(const std::filesystem::path& folder, const std::string& location) {
  TET_ASSIGN_OR_RETURN(const auto parts, split(location));
  FileDescriptor at(::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  for (size_t i = 0; at.ok() && i < parts.size(); ++i) {
    const bool last = i + 1 == parts.size();
    // O_NONBLOCK: opening a fifo must not wait for its writer.
    const int flags = O_RDONLY | O_CLOEXEC | O_NOFOLLOW | (last ? O_NONBLOCK : O_DIRECTORY);
    at = FileDescriptor(::openat(at.get(), parts[i].c_str(), flags));
  }
  if (at.ok()) return at;
  const int error = errno;
  // With O_DIRECTORY a link is reported as ENOTDIR, otherwise as ELOOP.
  if (error == ELOOP || error == ENOTDIR) {
    return fail(StatusCode::kPermissionDenied, "its file '{}' passes through a link or a file", location);
  }
  return fail(StatusCode::kNotFound, "its file '{}' cannot be opened: {}", location, std::strerror(error));
}

Result<int64_t> sizeOfRegularFile(int fd, const std::string& location) {
  struct stat status = {};
  if (::fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
    return fail(StatusCode::kPermissionDenied, "its file '{}' is not a regular file", location);
  }
  if (status.st_nlink != 1) {
    return fail(StatusCode::kPermissionDenied,
                "its file '{}' has {} hard links, copy it to make it the model's own", location,
                status.st_nlink);
  }
  return static_cast<int64_t>(status.st_size);
}

}  // namespace

Result<Tensor> readExternalData(const std::filesystem::path& folder, const std::string& location,
                                int64_t offset, std::optional<int64_t> length, int64_t expected) {
  TET_ASSIGN_OR_RETURN(const FileDescriptor file, openBelow(folder, location));
  TET_ASSIGN_OR_RETURN(const int64_t size, sizeOfRegularFile(file.get(), location));
  if (offset < 0 || offset > size || length.value_or(0) < 0 || length.value_or(0) > size - offset) {
    return invalidArgument("its bytes {}+{} do not lie in '{}', which has {}", offset, length.value_or(0),
                           location, size);
  }
  const int64_t available = length.value_or(size - offset);
  if (available != expected) {
    return invalidArgument("it needs {} bytes, '{}' holds {} for it", expected, location, available);
  }
  // A file with holes may claim any size.
  if (expected > kMostBytes) {
    return fail(StatusCode::kOutOfRange, "its {} bytes in '{}' are more than any machine holds", expected,
                location);
  }
  TET_ASSIGN_OR_RETURN(Tensor bytes, Tensor::uninitialized(ElementType::U8, {expected}));
  for (int64_t done = 0; done < expected;) {
    const ssize_t got = ::pread(file.get(), bytes.as<std::byte>() + done, expected - done, offset + done);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return fail(StatusCode::kDataLoss, "its file '{}' ended while it was read", location);
    done += got;
  }
  return bytes;
}

}  // namespace tetrarch::onnx
