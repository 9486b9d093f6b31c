#include "tetrarch/api/device_spec.h"

#include <fstream>
#include <nlohmann/json.hpp>

namespace tetrarch::api {
namespace {

using nlohmann::json;

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (true) {
    const size_t at = text.find(separator);
    parts.push_back(text.substr(0, at));
    if (at == std::string_view::npos) return parts;
    text.remove_prefix(at + 1);
  }
}

bool isWord(std::string_view text) {
  return !text.empty() &&
         text.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") ==
             std::string_view::npos;
}

bool isNumber(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

json optionValue(std::string_view text) {
  json value = json::parse(text, nullptr, false);
  return value.is_number() || value.is_boolean() ? value : json(std::string(text));
}

// The number of the device that `spec` names: the whole spec, or the plug-in's name where only one has it.
Result<int> findDevice(std::string_view spec, const std::vector<abi::PlanDevice>& devices) {
  TET_ASSIGN_OR_RETURN(const abi::PlanDevice wanted, parseDevice(spec));
  int found = -1;
  for (size_t i = 0; i < devices.size(); ++i) {
    const bool same_name = devices[i].name == wanted.name || devices[i].name == wanted.name + ":0";
    if (!same_name || (!wanted.options.empty() && devices[i].options != wanted.options)) continue;
    if (found >= 0) return invalidArgument("'{}' names several of the devices; give its options too", spec);
    found = static_cast<int>(i);
  }
  if (found < 0) {
    std::string names, separator;
    for (const auto& device : devices) names += separator + deviceSpec(device), separator = ", ";
    return fail(StatusCode::kNotFound, "the placement names '{}', which is not among the devices in use: {}",
                spec, names);
  }
  return found;
}

Result<Place> readPlaceFile(const std::string& path, const std::vector<abi::PlanDevice>& devices) {
  std::ifstream file(path);
  if (!file) return fail(StatusCode::kNotFound, "{}: the placement file cannot be opened", path);
  const json document = json::parse(file, nullptr, false);
  if (!document.is_object())
    return invalidArgument("{}: a placement is a JSON object of task names and devices", path);
  Place place;
  for (const auto& [task, device] : document.items()) {
    if (!device.is_string())
      return invalidArgument("{}: the device of task '{}' is not a string", path, task);
    auto number = findDevice(device.get<std::string>(), devices);
    if (!number) return propagate(number.error().withContext(path));
    place.tasks[task] = *number;
  }
  return place;
}

}  // namespace

Result<abi::PlanDevice> parseDevice(std::string_view text) {
  const auto parts = split(text, ':');
  if (!isWord(parts[0]) || isNumber(parts[0])) {
    return invalidArgument(
        "'{}' does not name a device; write a plug-in's name, as in cpu:threads=1 or opencl:0", text);
  }
  abi::PlanDevice device{std::string(parts[0]), ""};
  json options = json::object();
  for (size_t i = 1; i < parts.size(); ++i) {
    const size_t equals = parts[i].find('=');
    if (equals != std::string_view::npos && isWord(parts[i].substr(0, equals))) {
      options[std::string(parts[i].substr(0, equals))] = optionValue(parts[i].substr(equals + 1));
    } else if (i == 1 && isNumber(parts[i])) {
      device.name += ":" + std::string(parts[i]);
    } else {
      return invalidArgument("'{}' in device '{}' is neither a device's number nor an option key=value",
                             parts[i], text);
    }
  }
  if (!options.empty()) device.options = options.dump();
  return device;
}

Result<std::vector<abi::PlanDevice>> parseDevices(std::string_view text) {
  std::vector<abi::PlanDevice> devices;
  for (std::string_view part : split(text, ',')) {
    TET_ASSIGN_OR_RETURN(abi::PlanDevice device, parseDevice(part));
    for (const auto& other : devices) {
      if (other == device) return invalidArgument("device '{}' is named twice", part);
    }
    devices.push_back(std::move(device));
  }
  return devices;
}

std::string deviceSpec(const abi::PlanDevice& device) {
  std::string spec = device.name;
  const json options = json::parse(device.options, nullptr, false);
  if (!options.is_object()) return spec;
  for (const auto& [key, value] : options.items()) {
    spec += ":" + key + "=" + (value.is_string() ? value.get<std::string>() : value.dump());
  }
  return spec;
}

Result<Place> parsePlace(std::string_view text, const std::vector<abi::PlanDevice>& devices) {
  if (text.empty()) return Place{};
  if (text.ends_with(".json")) return readPlaceFile(std::string(text), devices);
  Place place;
  for (std::string_view part : split(text, ',')) {
    TET_ASSIGN_OR_RETURN(const int device, findDevice(part, devices));
    place.use_each.push_back(device);
  }
  return place;
}

}  // namespace tetrarch::api
