// The predicted run of a placement, built task by task in launch order. It is the one model of time and
// memory that every planner's candidates are compared by:
//   - each device works through its launches in order; devices that share silicon work through one common
//   order;
//   - a launch begins when its inputs are on its device; a copy begins when its tensor and its link are free,
//   runs
//     beside the devices' work and comes from the place where it is soonest; a tensor may then be at several
//     places;
//   - a task divided over devices that see the same memory is given to each in such parts that all finish
//   together;
//     each then sees the whole result one link latency after the others have finished;
//   - a device must hold its weights for the whole run and each other tensor from its arrival to its last
//   use.
#pragma once

#include <limits>
#include <memory>
#include <vector>

#include "tetrarch/plan/problem.h"

namespace tetrarch::plan {

// Bit d is device d: who runs a task, one device or several that divide it.
using DeviceSet = uint32_t;

struct Launch {
  int task, device;
  double begin, end;  // seconds from the call
  double share;       // of the task's units, 1 for a whole task
};
struct Copy {
  int tensor, from, to;  // places: devices.size() is the host
  double begin, end;
};
struct Timeline {
  std::vector<Launch> launches;
  std::vector<Copy> copies;
};

inline constexpr double kNever = std::numeric_limits<double>::infinity();

// What of a problem is the same for every candidate: liveness, groups of shared silicon, who may divide a
// task.
class Outline {
 public:
  explicit Outline(const Problem& problem);

  const Problem& problem;
  int slots = 0;          // of tensors alive at once
  std::vector<int> slot;  // of each tensor, -1 for a weight that one task uses and for the unused
  std::vector<int> uses;  // how often tasks and outputs read each tensor
  std::vector<std::vector<int>> dying;  // tensors whose last use is task i
  std::vector<int> group;               // of each device: devices of one group share silicon
  int groups = 0;

  // Whether every device of the set may work on one task beside the others: shared memory, silicon of its
  // own.
  bool divisible(DeviceSet set) const;
};

// A value: copy it to try something. Its size grows with the tensors alive at once, not with the model.
class Schedule {
 public:
  explicit Schedule(const Outline& outline);

  // Launches the next task on `set`. False, with the schedule spoilt, when a device of the set declines the
  // task, lacks the memory or would get no part, or the task or set cannot be divided. `timeline` may be
  // null.
  bool place(DeviceSet set, Timeline* timeline);
  // Brings the outputs to the host: the time of the whole run, seconds.
  double finish(Timeline* timeline);

  int next() const { return next_; }
  double makespan() const { return makespan_; }
  // The sum of the times at which each group becomes free: the less, the more room is left beside the
  // makespan.
  double busy() const;

 private:
  double& readyAt(int tensor, int place) {
    return ready_[outline_->slot[tensor] * outline_->problem.places() + place];
  }
  double fetch(int tensor, int place, Timeline* timeline);
  bool hold(int tensor, int place);
  double startOn(const Task& task, int device, Timeline* timeline);
  void produce(const Task& task, DeviceSet set, const std::vector<double>& ends);
  void release(int tensor);

  const Outline* outline_;
  int next_ = 0;
  double makespan_ = 0;
  std::vector<double> free_;       // each group's time of becoming free
  std::vector<double> link_free_;  // places^2
  std::vector<double> ready_;      // slots x places, kNever where a tensor is not
  std::vector<int64_t> held_;      // bytes on each device
  bool full_ = false;
};

// The whole timeline and time of one placement; kNever when a task cannot be where it is put.
double evaluate(const Outline& outline, const std::vector<DeviceSet>& placement,
                Timeline* timeline = nullptr);

}  // namespace tetrarch::plan
