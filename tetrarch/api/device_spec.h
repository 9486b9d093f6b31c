// How a user names devices and placements.
//
//   devices   := device ("," device)*                     cpu,opencl:0:threads=1
//   device    := plugin (":" number)? (":" key "=" value)*
//   placement := devices | path of a JSON file {"<task name>": "<device>", …}
//
// A value that reads as a JSON number, true or false is passed on as such, anything else as a string.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "tetrarch/abi/manifest.h"
#include "tetrarch/base/status.h"

namespace tetrarch::api {

// InvalidArgument names the part that cannot be read. Options become a JSON object, "" when there are none.
Result<abi::PlanDevice> parseDevice(std::string_view text);
Result<std::vector<abi::PlanDevice>> parseDevices(std::string_view text);
// "cpu", or with options "cpu:threads=1": what parseDevice takes, and the key of costs in artifacts.
std::string deviceSpec(const abi::PlanDevice& device);

// A forced placement over `devices`, by their numbers; nothing forced when both are empty.
struct Place {
  std::vector<int> use_each;         // each of these runs something, the others nothing
  std::map<std::string, int> tasks;  // these tasks stay there
};
// `text` as above, "" for none. NotFound when it names a device that is not among `devices`.
Result<Place> parsePlace(std::string_view text, const std::vector<abi::PlanDevice>& devices);

}  // namespace tetrarch::api
