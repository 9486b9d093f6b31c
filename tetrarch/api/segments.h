// Neighbouring tasks that a plan puts on one device, compiled as one.
#pragma once

#include "tetrarch/api/codegen.h"

namespace tetrarch::api {

// Gives the manifest's plans code of their own (abi::PlanCode) for devices whose code generator fuses
// segments. A segment is a run of tasks in launch order, each placed whole on that device, that no other
// device has to wait for before its end and that waits for no other device after its beginning: a plan's
// devices work side by side as they did. Sections are added as generateCode() numbers them.
Status fuseSegments(TaskGraph& graph, const DriverOptions& options, std::vector<Section>& sections,
                    int first_section);

// The runs of tasks, as (first, count), of one device of a plan.
std::vector<std::pair<int, int>> segmentsOf(const abi::Manifest& manifest, const abi::PlanEntry& plan,
                                            int device);

}  // namespace tetrarch::api
