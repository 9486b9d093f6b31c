#include "tetrarch/base/trace.h"

#include <fmt/format.h>

#include <chrono>

#include "tetrarch/base/whole_file.h"

namespace tetrarch {
namespace {

std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (unsigned char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\', out += static_cast<char>(c);
    } else if (c < 0x20) {
      out += fmt::format("\\u{:04x}", c);
    } else {
      out += static_cast<char>(c);
    }
  }
  return out + '"';
}

}  // namespace

int64_t nowNs() {
  using namespace std::chrono;
  return duration_cast<nanoseconds>(steady_clock::now().time_since_epoch()).count();
}

int Trace::addTrack(const std::string& name) {
  std::lock_guard lock(mutex_);
  tracks_.push_back(name);
  return static_cast<int>(tracks_.size()) - 1;
}

void Trace::add(int track, std::string name, int64_t begin_ns, int64_t end_ns, std::string args) {
  std::lock_guard lock(mutex_);
  events_.push_back({track, std::move(name), begin_ns, end_ns, std::move(args)});
}

size_t Trace::size() const {
  std::lock_guard lock(mutex_);
  return events_.size();
}

std::string Trace::toJson() const {
  std::lock_guard lock(mutex_);
  std::string out = "{\"traceEvents\":[";
  const char* separator = "\n";
  for (size_t i = 0; i < tracks_.size(); ++i) {
    out += fmt::format(
        "{}{{\"ph\":\"M\",\"pid\":1,\"tid\":{},\"name\":\"thread_name\",\"args\":{{\"name\":{}}}}}",
        separator, i, quoted(tracks_[i]));
    separator = ",\n";
  }
  for (const Event& e : events_) {
    out += fmt::format(
        "{}{{\"ph\":\"X\",\"pid\":1,\"tid\":{},\"name\":{},\"ts\":{:.3f},\"dur\":{:.3f},\"args\":{}}}",
        separator, e.track, quoted(e.name), e.begin_ns / 1e3, (e.end_ns - e.begin_ns) / 1e3,
        e.args.empty() ? "{}" : e.args);
    separator = ",\n";
  }
  return out + "\n]}\n";
}

Status Trace::write(const std::filesystem::path& path) const {
  TET_ASSIGN_OR_RETURN(WholeFile file, WholeFile::create(path));
  TET_RETURN_IF_ERROR(file.write(toJson()));
  return file.commit();
}

}  // namespace tetrarch
