#include "tetrarch/plan/profile.h"

#include <sqlite3.h>

#include <cmath>
#include <cstdlib>
#include <mutex>

namespace tetrarch::plan {
namespace {

namespace fs = std::filesystem;

constexpr int kSchema = 1;  // PRAGMA user_version; raise it when a table changes
constexpr int kBusyMs = 10'000;
constexpr const char* kTables =
    "CREATE TABLE IF NOT EXISTS cost(kernel TEXT, device TEXT, clock TEXT, mean REAL NOT NULL, stddev REAL "
    "NOT NULL,"
    " n INTEGER NOT NULL, source TEXT NOT NULL, PRIMARY KEY(kernel, device, clock)) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS tuning(kernel TEXT, device TEXT, value TEXT NOT NULL, PRIMARY KEY(kernel, "
    "device))"
    " WITHOUT ROWID;";

struct CloseDb {
  void operator()(sqlite3* db) const { sqlite3_close(db); }
};
using Db = std::unique_ptr<sqlite3, CloseDb>;

bool damaged(int code) { return (code & 0xff) == SQLITE_NOTADB || (code & 0xff) == SQLITE_CORRUPT; }

Status error(sqlite3* db, const fs::path& path) {
  const int code = sqlite3_errcode(db) & 0xff;
  const StatusCode status = damaged(code)         ? StatusCode::kDataLoss
                            : code == SQLITE_BUSY ? StatusCode::kUnavailable
                            : code == SQLITE_FULL ? StatusCode::kResourceExhausted
                                                  : StatusCode::kPermissionDenied;
  return fail(status, "{}: the profile cannot be used: {}; TETRARCH_PROFILE names another file",
              path.string(), sqlite3_errmsg(db));
}

// A prepared statement for one call. Bind in order, then step.
class Query {
 public:
  Query(sqlite3* db, const char* sql) { sqlite3_prepare_v2(db, sql, -1, &statement_, nullptr); }
  ~Query() { sqlite3_finalize(statement_); }
  Query(const Query&) = delete;
  Query& operator=(const Query&) = delete;

  Query& bind(const std::string& text) {
    sqlite3_bind_text(statement_, ++bound_, text.c_str(), static_cast<int>(text.size()), SQLITE_TRANSIENT);
    return *this;
  }
  Query& bind(double value) { return sqlite3_bind_double(statement_, ++bound_, value), *this; }
  Query& bind(int64_t value) { return sqlite3_bind_int64(statement_, ++bound_, value), *this; }
  // SQLITE_ROW, SQLITE_DONE or an error; SQLITE_MISUSE when the statement could not be prepared.
  int step() { return statement_ ? sqlite3_step(statement_) : SQLITE_MISUSE; }
  double real(int column) { return sqlite3_column_double(statement_, column); }
  int64_t integer(int column) { return sqlite3_column_int64(statement_, column); }
  std::string text(int column) {
    const auto* bytes = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
    return bytes ? std::string(bytes, sqlite3_column_bytes(statement_, column)) : std::string();
  }

 private:
  sqlite3_stmt* statement_ = nullptr;
  int bound_ = 0;
};

int userVersion(sqlite3* db) {
  Query query(db, "PRAGMA user_version");
  return query.step() == SQLITE_ROW ? static_cast<int>(query.integer(0)) : -1;
}

// An open database with its tables, or null with the reason: `reset` when the file should be started anew.
Db tryOpen(const fs::path& path, bool& reset, Status& status) {
  sqlite3* raw = nullptr;
  const int opened = sqlite3_open_v2(path.c_str(), &raw, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, nullptr);
  Db db(raw);
  sqlite3_busy_timeout(db.get(), kBusyMs);
  int code = opened;
  if (code == SQLITE_OK)
    code = sqlite3_exec(db.get(), "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL", nullptr, nullptr,
                        nullptr);
  if (code == SQLITE_OK) {
    const int version = userVersion(db.get());
    reset = version > 0 && version != kSchema;
    if (reset) return nullptr;
    const std::string make = std::string("BEGIN IMMEDIATE;") + kTables +
                             "PRAGMA user_version=" + std::to_string(kSchema) + ";COMMIT";
    code = sqlite3_exec(db.get(), make.c_str(), nullptr, nullptr, nullptr);
  }
  if (code == SQLITE_OK) return db;
  reset = damaged(code);
  status = error(db.get(), path);
  return nullptr;
}

// Moves the file and what SQLite keeps beside it out of the way.
Status moveAside(const fs::path& path) {
  std::error_code error;
  for (const char* suffix : {"-wal", "-shm"}) fs::remove(path.string() + suffix, error);
  fs::rename(path, path.string() + ".damaged", error);
  if (error) {
    return fail(StatusCode::kPermissionDenied, "{}: the damaged profile cannot be moved aside: {}",
                path.string(), error.message());
  }
  return {};
}

}  // namespace

struct Profile::Impl {
  std::mutex mutex;  // one transaction at a time on this connection
  Db db;
  fs::path path;
};

Measurement merge(const Measurement& a, const Measurement& b) {
  if (a.n == 0) return b;
  if (b.n == 0) return a;
  const double na = static_cast<double>(a.n), nb = static_cast<double>(b.n), n = na + nb;
  const double delta = b.mean - a.mean;
  const double squares =
      a.stddev * a.stddev * (na - 1) + b.stddev * b.stddev * (nb - 1) + delta * delta * na * nb / n;
  return {a.mean + delta * nb / n, std::sqrt(squares / (n - 1)), a.n + b.n, std::max(a.source, b.source)};
}

fs::path Profile::defaultPath() {
  if (const char* path = std::getenv("TETRARCH_PROFILE"); path && *path) return path;
  if (const char* cache = std::getenv("XDG_CACHE_HOME"); cache && *cache)
    return fs::path(cache) / "tetrarch/profile.db";
  const char* home = std::getenv("HOME");
  return fs::path(home && *home ? home : "/tmp") / ".cache/tetrarch/profile.db";
}

Result<std::unique_ptr<Profile>> Profile::open(const fs::path& path) {
  if (path.has_parent_path()) {
    std::error_code error;
    fs::create_directories(path.parent_path(), error);
    if (error) {
      return fail(StatusCode::kPermissionDenied, "{}: the profile's folder cannot be made: {}", path.string(),
                  error.message());
    }
  }
  bool reset = false;
  Status status;
  std::string note;
  Db db = tryOpen(path, reset, status);
  if (!db && reset) {
    TET_RETURN_IF_ERROR(moveAside(path));
    note = fmt::format(
        "{}: the profile was damaged or of another version; it was moved to {}.damaged and started anew",
        path.string(), path.string());
    db = tryOpen(path, reset, status);
  }
  if (!db) return propagate(std::move(status));
  auto impl = std::make_unique<Impl>();
  impl->db = std::move(db);
  impl->path = path;
  std::unique_ptr<Profile> profile(new Profile(std::move(impl)));
  profile->note_ = std::move(note);
  return profile;
}

Profile::Profile(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Profile::~Profile() = default;

Result<std::optional<Measurement>> Profile::cost(const std::string& kernel, const std::string& device,
                                                 const std::string& clock) {
  std::lock_guard lock(impl_->mutex);
  Query query(impl_->db.get(),
              "SELECT mean, stddev, n, source FROM cost WHERE kernel=? AND device=? AND clock=?");
  switch (query.bind(kernel).bind(device).bind(clock).step()) {
    case SQLITE_ROW: {
      const auto source = sourceFromName(query.text(3));
      if (!source) return std::nullopt;
      return Measurement{query.real(0), query.real(1), query.integer(2), *source};
    }
    case SQLITE_DONE:
      return std::nullopt;
    default:
      return propagate(error(impl_->db.get(), impl_->path));
  }
}

Status Profile::addCost(const std::string& kernel, const std::string& device, const std::string& clock,
                        const Measurement& samples) {
  if (!(std::isfinite(samples.mean) && samples.mean >= 0 && samples.n > 0)) {
    return invalidArgument("kernel {} cannot have taken {} s in {} runs", kernel, samples.mean, samples.n);
  }
  std::lock_guard lock(impl_->mutex);
  sqlite3* db = impl_->db.get();
  if (sqlite3_exec(db, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr) != SQLITE_OK)
    return error(db, impl_->path);
  Measurement all = samples;
  {
    Query query(db, "SELECT mean, stddev, n, source FROM cost WHERE kernel=? AND device=? AND clock=?");
    if (query.bind(kernel).bind(device).bind(clock).step() == SQLITE_ROW) {
      const Measurement old{query.real(0), query.real(1), std::min(query.integer(2), kMemory),
                            sourceFromName(query.text(3)).value_or(Source::Modelled)};
      if (old.source == samples.source) all = merge(old, samples);
    }
  }
  int code;
  {
    Query query(db, "INSERT OR REPLACE INTO cost VALUES(?,?,?,?,?,?,?)");
    code = query.bind(kernel)
               .bind(device)
               .bind(clock)
               .bind(all.mean)
               .bind(all.stddev)
               .bind(std::min(all.n, kMemory))
               .bind(std::string(sourceName(all.source)))
               .step();
  }
  if (code == SQLITE_DONE && sqlite3_exec(db, "COMMIT", nullptr, nullptr, nullptr) == SQLITE_OK) return {};
  Status status = error(db, impl_->path);
  sqlite3_exec(db, "ROLLBACK", nullptr, nullptr, nullptr);
  return status;
}

Result<std::optional<std::string>> Profile::tuning(const std::string& kernel, const std::string& device) {
  std::lock_guard lock(impl_->mutex);
  Query query(impl_->db.get(), "SELECT value FROM tuning WHERE kernel=? AND device=?");
  switch (query.bind(kernel).bind(device).step()) {
    case SQLITE_ROW:
      return query.text(0);
    case SQLITE_DONE:
      return std::nullopt;
    default:
      return propagate(error(impl_->db.get(), impl_->path));
  }
}

Status Profile::setTuning(const std::string& kernel, const std::string& device, const std::string& value) {
  std::lock_guard lock(impl_->mutex);
  Query query(impl_->db.get(), "INSERT OR REPLACE INTO tuning VALUES(?,?,?)");
  if (query.bind(kernel).bind(device).bind(value).step() == SQLITE_DONE) return {};
  return error(impl_->db.get(), impl_->path);
}

}  // namespace tetrarch::plan
