// Neighbouring tasks that a plan puts on one device, compiled as one.
#pragma once

#include "tetrarch/api/codegen.h"

namespace tetrarch::api {

// A segment is a run of tasks in launch order, each placed whole on one device, that no other device has to
// wait for before its end and that waits for no other device after its beginning: a plan's devices work side
// by side as they did.

// A plan's devices that should have code of their own for it and have not, since their code generators fuse
// segments: without the code.
std::vector<abi::PlanCode> unfusedCode(const abi::Manifest& manifest, const OpenDevices& devices,
                                       const abi::PlanEntry& plan);

// Compiles that code, adds it to the plan. It is in PlanCode::made and has no section.
Status fuseSegments(const TaskGraph& graph, const DriverOptions& options, abi::PlanEntry& plan);

// The segments, as (first, count), of one device of a plan.
std::vector<std::pair<int, int>> segmentsOf(const abi::Manifest& manifest, const abi::PlanEntry& plan,
                                            int device);

}  // namespace tetrarch::api
