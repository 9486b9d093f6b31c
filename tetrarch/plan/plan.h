// Decides which device runs which task: a pure function of the problem.
//
// Candidates come from several planners, all compared by the one model of schedule.h:
//   chain    dynamic programme over the tasks in launch order; state = who ran the last task (and, when each
//   listed
//            device must be used, who ran any). Exact for chains (tested against brute force). With branches
//            and residuals the past matters beyond the state (where every live tensor is, which queue is
//            free), so each state keeps its few best pasts, whole, and the result is an approximation.
//   divided  the same, where a task may also be divided over devices that see the same memory.
//   refine   local search from either: move one task, or a run of tasks with one placement, elsewhere.
// The best single device is always priced too. It is what runs unless a mix is predicted to beat it by
// Options::margin, so a plan is never worse than the best single device unless placement is forced.
#pragma once

#include <map>

#include "tetrarch/plan/schedule.h"

namespace tetrarch::plan {

struct Options {
  std::vector<int> devices;          // those that may be used; empty: all
  bool use_each = false;             // forced: every one of `devices` runs at least one task
  std::map<std::string, int> fixed;  // forced: task name -> device; the other tasks are placed freely
  bool divide = true;                // tasks may be divided over devices
  double margin = 0.03;              // by how much of its time a mix must beat the best single device
};

struct Part {
  int device = 0;
  int64_t begin = 0, end = 0;  // units
};

struct Assignment {
  std::vector<Part> parts;  // one, or several for a divided task; in the order of units
  std::string reason;       // one sentence: why here
};

struct SingleDevice {
  int device = 0;
  double seconds = kNever;  // kNever when it cannot run the whole model
  std::string reason;       // then: why not
};

struct Placement {
  std::vector<Assignment> tasks;
  Timeline timeline;
  double seconds = 0;                 // predicted for one call
  double stddev = 0;                  // of that prediction, from the costs' own
  Source source = Source::Measured;   // the weakest source among the costs that it rests on
  double lower_bound = 0;             // no placement of this problem can be faster under this model
  std::vector<SingleDevice> singles;  // one for each device of the problem
  std::string planner;                // "single", "chain", "divided" or "forced"
  std::string reason;                 // one sentence on the whole
};

// InvalidArgument: the problem is malformed, or a forced placement names what is not there.
// FailedPrecondition: some task runs on none of the allowed devices, or memory does not suffice; the message
// names the task and the reasons.
Result<Placement> plan(const Problem& problem, const Options& options = {});

}  // namespace tetrarch::plan
