#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "tetrarch/tools/tetrarch/command.h"
#include "tetrarch/tools/tetrarch/console.h"

namespace tetrarch::tools {
namespace {

std::string deviceCell(const TaskReport& task) {
  if (task.parts.size() == 1) return task.parts[0].device;
  std::string cell;
  for (const TaskPart& part : task.parts) {
    cell += fmt::format("{}{} {:.0f}%", cell.empty() ? "" : " + ", part.device, part.share * 100);
  }
  return cell;
}

// The column of errors is there when the model was quantised.
std::string taskTable(const Report& report, const Style& style) {
  const bool quantised =
      std::ranges::any_of(report.tasks, [](const TaskReport& task) { return !std::isnan(task.error.value); });
  std::vector<std::string> header = {"task", "operation", "device", "time", "bytes", "source"};
  if (quantised) header.emplace_back("error (measured)");
  Table table(header);
  for (const TaskReport& task : report.tasks) {
    std::vector<std::string> row = {
        task.name,       task.root, deviceCell(task), formatTime(task.time), formatBytes(task.bytes),
        task.time.source};
    if (quantised)
      row.push_back(std::isnan(task.error.value) ? "-" : fmt::format("{:.2f}%", task.error.value * 100));
    table.add(std::move(row));
  }
  return table.render(style);
}

std::string totals(const Report& report, const Style& style) {
  Table table({"total", "time", "source", "note"});
  if (!std::isnan(report.time.value)) {
    table.add(
        {"this run", formatTime(report.time), report.time.source, formatBytes(report.copied) + " copied"});
  }
  table.add({"planned: " + report.plan, formatTime(report.predicted), report.predicted.source, ""});
  for (const SinglePrice& single : report.singles) {
    table.add({single.device + " alone", formatTime(single.time), single.time.source, single.reason});
  }
  table.add({"no plan below", formatTime(report.lower_bound), report.lower_bound.source, ""});
  return table.render(style);
}

// 1,234,567
std::string withCommas(uint64_t value) {
  std::string text = std::to_string(value);
  for (size_t at = text.size(); at > 3;) text.insert(at -= 3, ",");
  return text;
}

// What devices computed again in their RTL; "" when they did not.
std::string checked(const Report& report) {
  std::map<std::string, uint64_t> sums;
  for (const TaskReport& task : report.tasks) {
    for (const TaskPart& part : task.parts) {
      for (const auto& [name, count] : part.counters) sums[name] += count;
    }
  }
  if (sums["rtl_windows"] == 0) return "";
  return fmt::format("checked in RTL: {} windows, {} cycles, 0 differences\n", sums["rtl_windows"],
                     withCommas(sums["rtl_cycles"]));
}

}  // namespace

std::string renderReport(const Report& report) {
  const Style style(STDOUT_FILENO);
  return (report.tasks.empty() ? "" : taskTable(report, style) + "\n") + totals(report, style) +
         checked(report);
}

}  // namespace tetrarch::tools
