// From what an artifact says to what the planner asks, and back. Light: no MLIR, no devices.
#pragma once

#include <vector>

#include "tetrarch/abi/manifest.h"
#include "tetrarch/plan/plan.h"

namespace tetrarch::api {

// What the planner needs to know of a device that is open.
struct DeviceFacts {
  abi::PlanDevice id;
  int code = -1;               // the manifest's code entry that it loads, -1 when none fits
  std::string no_code_reason;  // then: why
  int64_t memory_bytes = 0;
  std::string shares;
  bool host_memory = false;  // sees the host's memory without copies, and so that of others that do
  plan::Link from_host, to_host;
};

// Costs are the manifest's for that device with those options; failing that, those for the same device with
// other options count as modelled. A task without either is declined there.
Result<plan::Problem> makeProblem(const abi::Manifest& manifest, const std::vector<DeviceFacts>& devices);

// The placement as a plan of the artifact; `name` names it. Placement ranges become ranges of each device's
// own units.
abi::PlanEntry makePlan(const abi::Manifest& manifest, const std::vector<DeviceFacts>& devices,
                        const plan::Problem& problem, const plan::Placement& placement, std::string name);

}  // namespace tetrarch::api
