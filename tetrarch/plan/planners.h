// The planners behind plan(); see plan.h for what each does.
#pragma once

#include "tetrarch/plan/schedule.h"

namespace tetrarch::plan {

// What a planner may choose from.
struct Choices {
  std::vector<std::vector<DeviceSet>> sets;  // for each task
  DeviceSet must_use = 0;                    // devices that must run at least one task each
};

struct Candidate {
  std::vector<DeviceSet> placement;
  double seconds = kNever;  // kNever: none found
};

// The dynamic programme. Work: tasks x states x beam x choices schedule steps.
Candidate planChain(const Outline& outline, const Choices& choices);

// Improves `start` by moves until none helps or about `steps` schedule steps are spent. Never returns a worse
// one.
Candidate refine(const Outline& outline, const Choices& choices, Candidate start, int64_t steps = 2'000'000);

// A lower bound on the time of any placement over `allowed`, divided tasks included: the larger of the
// critical path without copies and a Lagrangian bound on the work of each group of devices that share
// silicon.
double lowerBound(const Outline& outline, const Choices& choices);

}  // namespace tetrarch::plan
