#include "tetrarch/api/report.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "tetrarch/api/report_json.h"

namespace tetrarch {
namespace api {

using nlohmann::ordered_json;

ordered_json toJson(const Figure& figure) {
  ordered_json value = nullptr;
  if (std::isfinite(figure.value)) value = figure.value;
  return {{"value", value},
          {"unit", figure.unit.empty() ? "s" : figure.unit},
          {"source", figure.source.empty() ? "modelled" : figure.source}};
}

ordered_json toJson(const DeviceInfo& device) {
  return {{"name", device.name},
          {"class", device.device_class},
          {"kind", device.kind},
          {"description", device.description},
          {"driver", device.driver},
          {"features", device.features},
          {"shares", device.shares},
          {"formats", device.formats},
          {"compute_units", device.compute_units},
          {"memory", toJson(device.memory)},
          {"bandwidth_in", toJson(device.bandwidth_in)},
          {"bandwidth_out", toJson(device.bandwidth_out)},
          {"idle_power", toJson(device.idle_power)},
          {"busy_power", toJson(device.busy_power)}};
}

ordered_json toJson(const TaskReport& task) {
  ordered_json parts = ordered_json::array();
  for (const TaskPart& part : task.parts) {
    const Figure share{part.share, "1", part.time.source};
    ordered_json json = {{"device", part.device}, {"share", toJson(share)}, {"time", toJson(part.time)}};
    if (std::isfinite(part.utilisation.value)) json["utilisation"] = toJson(part.utilisation);
    if (!part.counters.empty()) json["counters"] = part.counters;
    parts.push_back(std::move(json));
  }
  ordered_json json = {{"name", task.name},         {"root", task.root},           {"parts", parts},
                       {"time", toJson(task.time)}, {"bytes", toJson(task.bytes)}, {"reason", task.reason}};
  if (!task.segment.empty()) json["segment"] = task.segment;
  if (std::isfinite(task.error.value)) json["error"] = toJson(task.error);
  return json;
}

ordered_json toJson(const Report& report) {
  ordered_json devices = ordered_json::array(), tasks = ordered_json::array(),
               singles = ordered_json::array();
  for (const DeviceInfo& device : report.devices) devices.push_back(toJson(device));
  for (const TaskReport& task : report.tasks) tasks.push_back(toJson(task));
  for (const SinglePrice& single : report.singles) {
    singles.push_back({{"device", single.device}, {"time", toJson(single.time)}, {"reason", single.reason}});
  }
  const Figure memory{static_cast<double>(report.memory_bytes), "B", "measured"};
  ordered_json total = {
      {"time", toJson(report.time)}, {"copied", toJson(report.copied)}, {"memory", toJson(memory)}};
  for (const DeviceEnergy& part : report.energies) {
    total["energy"].push_back({{"device", part.device}, {"energy", toJson(part.energy)}});
  }
  return {{"model", report.model},
          {"devices", devices},
          {"tasks", tasks},
          {"total", total},
          {"plan",
           {{"name", report.plan},
            {"reason", report.reason},
            {"predicted", toJson(report.predicted)},
            {"lower_bound", toJson(report.lower_bound)},
            {"singles", singles}}}};
}

}  // namespace api

std::string Report::toJson() const {
  return api::toJson(*this).dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace tetrarch
