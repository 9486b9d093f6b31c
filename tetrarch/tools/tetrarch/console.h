// What the terminal shows: colours where a person looks on, progress, tables of columns.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "tetrarch/api/model.h"

namespace tetrarch::tools {

// Text in bold, dim, red … when that stream is a terminal (and NO_COLOR is not set); otherwise the text
// alone.
class Style {
 public:
  explicit Style(int file_descriptor);
  std::string bold(const std::string& text) const { return wrap("1", text); }
  std::string dim(const std::string& text) const { return wrap("2", text); }
  std::string red(const std::string& text) const { return wrap("31", text); }
  std::string green(const std::string& text) const { return wrap("32", text); }
  std::string cyan(const std::string& text) const { return wrap("36", text); }
  bool enabled() const { return enabled_; }

 private:
  std::string wrap(const char* code, const std::string& text) const;
  bool enabled_;
};

// One line for each stage on standard error: redrawn as a bar on a terminal, else printed when the stage is
// done.
class ProgressDisplay {
 public:
  ProgressDisplay();
  ~ProgressDisplay() { finish(); }
  void update(const Progress& progress);
  // Ends the present stage's line.
  void finish();

 private:
  std::string line(bool done) const;

  Style style_;
  Progress current_;
  bool active_ = false;
  std::chrono::steady_clock::time_point begin_, drawn_;
};

// Columns as wide as their widest cell; a column whose cells all read as figures is set flush right.
class Table {
 public:
  explicit Table(std::vector<std::string> header) : rows_{std::move(header)} {}
  void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
  std::string render(const Style& style) const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

std::string formatTime(const Figure& seconds);  // "1.23 ms", "-" when unknown
std::string formatBytes(const Figure& bytes);   // "1.2 MB"

}  // namespace tetrarch::tools
