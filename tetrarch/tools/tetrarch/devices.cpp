#include <fmt/format.h>
#include <unistd.h>

#include "tetrarch/api/report_json.h"
#include "tetrarch/tools/tetrarch/command.h"
#include "tetrarch/tools/tetrarch/console.h"

namespace tetrarch::tools {
namespace {

Result<Output> listDevices() {
  std::vector<std::string> problems;
  TET_ASSIGN_OR_RETURN(const auto found, devices(&problems));
  Output output;
  output.json = {{"devices", Json::array()}, {"problems", problems}};
  const Style style(STDOUT_FILENO);
  Table table({"device", "class", "kind", "units", "memory", "shares", "description"});
  for (const DeviceInfo& device : found) {
    output.json["devices"].push_back(api::toJson(device));
    table.add({device.name, device.device_class, device.kind, std::to_string(device.compute_units),
               formatBytes(device.memory), device.shares.empty() ? "-" : device.shares, device.description});
  }
  output.text = table.render(style);
  for (const std::string& problem : problems) output.text += style.red("not usable: ") + problem + "\n";
  return output;
}

}  // namespace

Command addDevices(CLI::App& app) {
  CLI::App* command = app.add_subcommand("devices", "List the processors that the installed plug-ins find");
  command->footer("Example:\n  tetrarch devices --json");
  return {command, listDevices};
}

}  // namespace tetrarch::tools
