// Open devices as the planner and the reports see them.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tetrarch/api/planning.h"
#include "tetrarch/api/report.h"
#include "tetrarch/run/plugin.h"

namespace tetrarch::api {

using OpenDevices = std::vector<std::shared_ptr<run::Device>>;

// Opens devices by what a user wrote; "cpu" when the list is empty.
Result<OpenDevices> openDevices(const std::vector<std::string>& specs);

// How each was asked for.
std::vector<abi::PlanDevice> idsOf(const OpenDevices& devices);

DeviceInfo describeDevice(const run::DeviceInfo& info);

// What the planner needs, one for each device. The cost of handing work over to a device is measured here,
// once for each open device. Devices on the host's CPU that together use no more threads than it has work
// side by side (the CPU plug-in takes the first cores, OpenCL on a CPU the last), so they do not count as
// sharing silicon.
std::vector<DeviceFacts> factsOf(const OpenDevices& devices, const abi::Manifest& manifest);

Figure figure(double value, const char* unit, abi::Source source);

}  // namespace tetrarch::api
