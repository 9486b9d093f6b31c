// Code that a plan has of its own: neighbouring tasks on one device compiled as one, or the tasks on a device
// that share its resources compiled for just these.
#pragma once

#include "tetrarch/api/codegen.h"

namespace tetrarch::api {

// A segment is a run of tasks in launch order, each placed whole on one device, that no other device has to
// wait for before its end and that waits for no other device after its beginning: a plan's devices work side
// by side as they did.

// A plan's devices that should have code of their own for it (compile::PlansGet) and have not: without the
// code.
std::vector<abi::PlanCode> missingCode(const abi::Manifest& manifest, const OpenDevices& devices,
                                       const abi::PlanEntry& plan);

// Compiles that code, adds it to the plan. It is in PlanCode::made and has no section.
Status addPlanCode(const TaskGraph& graph, const DriverOptions& options, abi::PlanEntry& plan);

// The segments, as (first, count), of one device of a plan.
std::vector<std::pair<int, int>> segmentsOf(const abi::Manifest& manifest, const abi::PlanEntry& plan,
                                            int device);

}  // namespace tetrarch::api
