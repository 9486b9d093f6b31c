// A placement written out as steps: launches, the copies that they need, and what waits for what. Pure
// functions.
//
// Space 0 is the host's memory, shared by all devices that see it; a device with memory of its own has a
// space of its own. A tensor is copied to a space when the first step there reads it. Copies between two such
// devices go through the host.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tetrarch/abi/manifest.h"
#include "tetrarch/base/status.h"

namespace tetrarch::run {

// What scheduling has to know of a device of the plan.
struct ScheduleDevice {
  std::string name;
  bool shares_host = true;             // works in the host's memory
  bool blocking = true;                // a launch returns when it is done
  int code = -1;                       // entry of Manifest::code that it loaded; -1: it runs nothing
  const abi::PlanCode* own = nullptr;  // the plan's code for it, loaded in place of that
};

struct Step {
  enum class Kind : uint8_t { Launch, CopyIn, CopyOut } kind = Kind::Launch;
  int device = 0;
  int task = -1;                               // launches: the first one
  const abi::SegmentEntry* segment = nullptr;  // launches: of these tasks together
  std::vector<int> inputs, outputs;            // launches: root tensors, in the order of the kernel's buffers
  uint64_t begin = 0, end = 0, units = 0;      // launches: units, and all that the task has
  int tensor = -1;                             // copies: a root tensor
  uint64_t offset = 0, bytes = 0;              // copies: range of the tensor
  std::vector<int> after;  // earlier steps that must be done, those of its own queue included
};

struct Schedule {
  std::vector<Step> steps;  // in the order in which they are enqueued
  std::vector<int> space;   // by device
  int spaces = 1;
  // By space: the root tensors that need memory there; constants have theirs elsewhere.
  std::vector<std::vector<int>> tensors;
};

// FailedPrecondition when a device declines its task, when ranges leave out units, or when a task is divided
// between memories without the mapping of rows that this needs.
Result<Schedule> makeSchedule(const abi::Manifest& manifest, const abi::PlanEntry& plan,
                              const std::vector<ScheduleDevice>& devices);

// Whether tensors a and b, both of schedule.tensors[space], may not share memory there: some step may use one
// while the other holds a value that is still needed. Inputs live from the start, outputs to the end.
class Lifetimes {
 public:
  Lifetimes(const abi::Manifest& manifest, const Schedule& schedule);
  bool conflict(int space, int a, int b) const;

 private:
  using Bits = std::vector<uint64_t>;
  struct Uses {
    std::vector<int> writers, all;  // steps
    bool from_start = false, to_end = false;
  };
  bool before(int first, int second) const;
  bool deadBefore(const Uses& a, const Uses& b) const;

  std::vector<Bits> earlier_;            // by step: those that are done when it begins
  std::vector<std::vector<Uses>> uses_;  // by space, by root tensor
};

}  // namespace tetrarch::run
