#include "tetrarch/tools/tetrarch/console.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>

namespace tetrarch::tools {
namespace {

constexpr int kBarWidth = 24;
constexpr auto kRedrawEvery = std::chrono::milliseconds(80);

// Columns on the screen: every UTF-8 sequence used here is one column wide.
size_t width(const std::string& text) {
  return std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xc0) != 0x80; });
}

bool isFigure(const std::string& text) {
  return text.empty() || text == "-" || (text[0] >= '0' && text[0] <= '9');
}

std::string scaled(double value, double step, const std::vector<const char*>& units) {
  size_t unit = 0;
  while (unit + 1 < units.size() && std::abs(value) >= step) value /= step, ++unit;
  return fmt::format("{:.{}f} {}", value, unit == 0 ? 0 : std::abs(value) < 10 ? 2 : 1, units[unit]);
}

}  // namespace

Style::Style(int file_descriptor) : enabled_(isatty(file_descriptor) && !std::getenv("NO_COLOR")) {}

std::string Style::wrap(const char* code, const std::string& text) const {
  return enabled_ ? fmt::format("\x1b[{}m{}\x1b[0m", code, text) : text;
}

ProgressDisplay::ProgressDisplay() : style_(STDERR_FILENO) {}

std::string ProgressDisplay::line(bool done) const {
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count();
  std::string counted =
      current_.total > 0 ? fmt::format("{}/{}", done ? current_.total : current_.done, current_.total) : "";
  if (!style_.enabled()) return fmt::format("{:<20} {:>7} {:8.2f} s\n", current_.stage, counted, seconds);
  const double part = done ? 1 : current_.total > 0 ? static_cast<double>(current_.done) / current_.total : 0;
  const int filled = static_cast<int>(std::lround(part * kBarWidth));
  std::string bar;
  for (int i = 0; i < kBarWidth; ++i) bar += i < filled ? "━" : "╌";
  return fmt::format("\r\x1b[K{:<20} {} {:>7} {:8.2f} s  {}", current_.stage,
                     done ? style_.green(bar) : style_.cyan(bar), counted, seconds,
                     done ? "\n" : style_.dim(current_.what.substr(0, 40)));
}

void ProgressDisplay::update(const Progress& progress) {
  const auto now = std::chrono::steady_clock::now();
  if (!active_ || progress.stage != current_.stage) {
    finish();
    active_ = true, begin_ = now, drawn_ = {};
  }
  current_ = progress;
  if (!style_.enabled() || now - drawn_ < kRedrawEvery) return;
  drawn_ = now;
  std::fputs(line(false).c_str(), stderr);
  std::fflush(stderr);
}

void ProgressDisplay::finish() {
  if (!active_) return;
  std::fputs(line(true).c_str(), stderr);
  std::fflush(stderr);
  active_ = false;
}

std::string Table::render(const Style& style) const {
  const size_t columns = rows_[0].size();
  std::vector<size_t> widths(columns);
  std::vector<bool> right(columns, true);
  for (size_t r = 0; r < rows_.size(); ++r) {
    for (size_t c = 0; c < columns; ++c) {
      widths[c] = std::max(widths[c], width(rows_[r][c]));
      if (r > 0 && !isFigure(rows_[r][c])) right[c] = false;
    }
  }
  std::string out;
  for (size_t r = 0; r < rows_.size(); ++r) {
    std::string text;
    for (size_t c = 0; c < columns; ++c) {
      const std::string pad(widths[c] - width(rows_[r][c]), ' ');
      text += right[c] ? pad + rows_[r][c] : rows_[r][c] + pad;
      if (c + 1 < columns) text += "  ";
    }
    text.erase(text.find_last_not_of(' ') + 1);
    out += (r == 0 ? style.bold(text) : text) + "\n";
  }
  return out;
}

std::string formatTime(const Figure& seconds) {
  if (std::isnan(seconds.value)) return "-";
  if (seconds.value >= 1) return fmt::format("{:.2f} s", seconds.value);
  if (seconds.value >= 1e-3) return fmt::format("{:.2f} ms", seconds.value * 1e3);
  return fmt::format("{:.1f} us", seconds.value * 1e6);
}

std::string formatBytes(const Figure& bytes) {
  if (std::isnan(bytes.value)) return "-";
  return scaled(bytes.value, 1000, {"B", "kB", "MB", "GB", "TB"});
}

}  // namespace tetrarch::tools
