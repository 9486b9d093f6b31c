// The sentences that say why a task sits where it sits; see Assignment::reason and `tetrarch explain`.
#pragma once

#include "tetrarch/plan/plan.h"

namespace tetrarch::plan {

// "1.23 ms", "45.6 us".
std::string formatSeconds(double seconds);

// Why task number `task` is where `placement` (one set a task) puts it.
std::string taskReason(const Outline& outline, const Options& options,
                       const std::vector<DeviceSet>& placement, int task);

// "'conv' runs on none of cpu, opencl: cpu: ...; opencl: ..."
std::string nowhereReason(const Problem& problem, const Task& task, const std::vector<int>& devices);

}  // namespace tetrarch::plan
