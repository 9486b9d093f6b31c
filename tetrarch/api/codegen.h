// From tasks to code for some devices, and from code to measured costs.
#pragma once

#include <memory>
#include <vector>

#include "tetrarch/abi/artifact_file.h"
#include "tetrarch/api/driver.h"
#include "tetrarch/api/task_graph.h"

namespace tetrarch::api {

// Code of every task for each class of the devices: fills manifest.code and gives the sections that it names,
// in order. `first_section` is the number of the first. Equal tasks are compiled once; a task that a
// generator declines gets an entry with the reason. An error when a generator fails, or when no generator
// writes for a device's formats.
struct Section {
  uint32_t type;
  std::vector<std::byte> bytes;
};
Result<std::vector<Section>> generateCode(TaskGraph& graph, const DriverOptions& options, int first_section);

// As the manifest has it.
abi::KernelEntry entryOf(const compile::KernelEntry& kernel);

// Times each task on each device, or takes the time from the profile: fills manifest.costs. Without
// options.measure costs are the generators' estimates. A driver's own form of the code, once made, is
// appended to the sections, so that loading the artifact is quick.
Status measureCosts(TaskGraph& graph, const DriverOptions& options, std::vector<Section>& sections,
                    int first_section);

}  // namespace tetrarch::api
