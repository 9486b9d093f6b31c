// One error type from a device plug-in to Python: Status (a code and a sentence), and Result<T>.
//
// Codes are Abseil's sixteen with Abseil's numbers, so that an error crosses the C border of abi/device.h
// unchanged. The code says whose fault it is, which the command line turns into an exit status (exitCode()):
//   InvalidArgument NotFound AlreadyExists FailedPrecondition OutOfRange Unimplemented PermissionDenied
//   DataLoss (of a file) : the user's input; Unavailable Aborted ResourceExhausted DeadlineExceeded
//   Cancelled, and whatever a device reports of its work (onDevice()) : a device; the rest : ours.
// A message is one sentence: what, where, why, and what to do.
#pragma once

#include <fmt/format.h>

#include <expected>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace tetrarch {

enum class StatusCode : int {
  kOk = 0,
  kCancelled = 1,
  kUnknown = 2,
  kInvalidArgument = 3,
  kDeadlineExceeded = 4,
  kNotFound = 5,
  kAlreadyExists = 6,
  kPermissionDenied = 7,
  kResourceExhausted = 8,
  kFailedPrecondition = 9,
  kAborted = 10,
  kOutOfRange = 11,
  kUnimplemented = 12,
  kInternal = 13,
  kUnavailable = 14,
  kDataLoss = 15,
  kUnauthenticated = 16,
};

// "INVALID_ARGUMENT" and so on; never null.
std::string_view statusCodeName(StatusCode code);

// One pointer wide; null is OK, so success costs nothing. Movable and copyable; const access is thread safe.
class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(StatusCode code, std::string message);

  bool ok() const { return rep_ == nullptr; }
  StatusCode code() const { return rep_ ? rep_->code : StatusCode::kOk; }
  std::string_view message() const { return rep_ ? std::string_view(rep_->message) : std::string_view(); }
  // "INVALID_ARGUMENT: m.onnx: …", or "OK".
  std::string toString() const;
  // The same error with `where` and ": " in front of its message; OK stays OK.
  Status withContext(std::string_view where) const;
  // The same error as one that a device reported of its work, whatever its code; OK stays OK.
  Status onDevice() const;
  bool isOnDevice() const { return rep_ && rep_->on_device; }

 private:
  struct Rep {
    StatusCode code;
    std::string message;
    bool on_device = false;
  };
  explicit Status(Rep rep) : rep_(std::make_shared<const Rep>(std::move(rep))) {}
  std::shared_ptr<const Rep> rep_;
};

template <typename T>
using Result = std::expected<T, Status>;

// The process exit status that documents an error: 0 done, 2 the user's input, 3 a device, 4 ours.
int exitCode(const Status& status);

// An error, as in `return fail(StatusCode::kNotFound, "no device named '{}'", name);`. Converts to Status and
// Result.
class Failure {
 public:
  explicit Failure(Status status) : status_(std::move(status)) {}
  operator Status() && { return std::move(status_); }
  template <typename T>
  operator Result<T>() && {
    return std::unexpected(std::move(status_));
  }

 private:
  Status status_;
};

template <typename... Args>
Failure fail(StatusCode code, fmt::format_string<Args...> format, Args&&... args) {
  return Failure(Status(code, fmt::format(format, std::forward<Args>(args)...)));
}
template <typename... Args>
Failure invalidArgument(fmt::format_string<Args...> format, Args&&... args) {
  return fail(StatusCode::kInvalidArgument, format, std::forward<Args>(args)...);
}
template <typename... Args>
Failure unimplemented(fmt::format_string<Args...> format, Args&&... args) {
  return fail(StatusCode::kUnimplemented, format, std::forward<Args>(args)...);
}
template <typename... Args>
Failure internalError(fmt::format_string<Args...> format, Args&&... args) {
  return fail(StatusCode::kInternal, format, std::forward<Args>(args)...);
}

inline Failure propagate(Status status) { return Failure(std::move(status)); }
template <typename T>
Failure propagate(Result<T>&& result) {
  return Failure(std::move(result).error());
}
inline bool isOk(const Status& status) { return status.ok(); }
template <typename T>
bool isOk(const Result<T>& result) {
  return result.has_value();
}

}  // namespace tetrarch

#define TET_CONCAT_IMPL_(a, b) a##b
#define TET_CONCAT_(a, b) TET_CONCAT_IMPL_(a, b)

// Returns from the calling function when `expr`, a Status or a Result, holds an error.
#define TET_RETURN_IF_ERROR(expr)                                    \
  do {                                                               \
    if (auto tet_status_ = (expr); !::tetrarch::isOk(tet_status_)) { \
      return ::tetrarch::propagate(std::move(tet_status_));          \
    }                                                                \
  } while (false)

// TET_ASSIGN_OR_RETURN(auto x, f()): x becomes f()'s value, or the calling function returns f()'s error.
#define TET_ASSIGN_OR_RETURN(lhs, expr) \
  TET_ASSIGN_OR_RETURN_IMPL_(TET_CONCAT_(tet_result_, __LINE__), lhs, expr)
#define TET_ASSIGN_OR_RETURN_IMPL_(result, lhs, expr)                       \
  auto result = (expr);                                                     \
  if (!result.has_value()) return ::tetrarch::propagate(std::move(result)); \
  lhs = std::move(*result)
