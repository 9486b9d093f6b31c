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

std::string percent(const Figure& figure) {
  return std::isnan(figure.value) ? "-" : fmt::format("{:.2f}%", figure.value * 100);
}

// Of its first part that knows it.
Figure utilisationOf(const TaskReport& task) {
  for (const TaskPart& part : task.parts) {
    if (!std::isnan(part.utilisation.value)) return part.utilisation;
  }
  return {};
}

// A column that is there when some task has it: of quantised models, of processors that know it.
struct OptionalColumn {
  const char* title;
  std::string (*cell)(const TaskReport&);
};
constexpr OptionalColumn kOptionalColumns[] = {
    {"multipliers (modelled)", [](const TaskReport& task) { return percent(utilisationOf(task)); }},
    {"segment", [](const TaskReport& task) { return task.segment.empty() ? "-" : task.segment; }},
    {"error (measured)", [](const TaskReport& task) { return percent(task.error); }},
};

std::string taskTable(const Report& report, const Style& style) {
  std::vector<std::string> header = {"task", "operation", "device", "time", "bytes", "source"};
  std::vector<const OptionalColumn*> columns;
  for (const OptionalColumn& column : kOptionalColumns) {
    if (std::ranges::any_of(report.tasks, [&](const TaskReport& task) { return column.cell(task) != "-"; })) {
      header.emplace_back(column.title);
      columns.push_back(&column);
    }
  }
  Table table(header);
  for (const TaskReport& task : report.tasks) {
    std::vector<std::string> row = {
        task.name,       task.root, deviceCell(task), formatTime(task.time), formatBytes(task.bytes),
        task.time.source};
    for (const OptionalColumn* column : columns) row.push_back(column->cell(task));
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
