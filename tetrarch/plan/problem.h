// What the planner is asked: tasks with costs, devices, and the links between them. Plain data, no MLIR, no
// devices: the compiler fills it from measurements, a test by hand. Times are seconds, sizes bytes.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "tetrarch/abi/manifest.h"
#include "tetrarch/base/status.h"

namespace tetrarch::plan {

using abi::Source;
using abi::sourceFromName;
using abi::sourceName;

// The time of one whole run of a task on one device, a distribution.
struct Cost {
  double mean = 0, stddev = 0;
  Source source = Source::Modelled;
};

// A task's cost on one device, or why that device cannot run it.
struct TaskCost {
  std::optional<Cost> cost;
  std::string declined;  // the reason when `cost` is empty
};

struct Tensor {
  std::string name;
  int64_t bytes = 0;
  bool constant = false;  // a weight: resident before the run on each device that uses it
};

struct Task {
  std::string name;
  std::vector<int> inputs, outputs;  // indices into Problem::tensors; each tensor has one producer at most
  std::vector<TaskCost> costs;       // one for each device
  int64_t units = 1;  // independent pieces; a task of several units may be divided over devices
};

struct Device {
  std::string name;
  int64_t memory_bytes = std::numeric_limits<int64_t>::max();
  // Devices with the same non-empty key use the same silicon: their work does not overlap.
  std::string shares;
  double launch_seconds = 0;  // added to each launch
};

// One direction between two places. `shared`: both see the same memory, so only the latency is paid.
struct Link {
  double latency = 0;
  double bandwidth = 0;  // bytes a second, unused when shared
  bool shared = false;
  double seconds(int64_t bytes) const {
    return latency + (shared ? 0 : static_cast<double>(bytes) / bandwidth);
  }
};

// `tasks` are in a topological order, which is the order in which they are launched. Place number
// devices.size() is the host: `inputs` start there and `outputs` must end there.
struct Problem {
  std::vector<Tensor> tensors;
  std::vector<Task> tasks;
  std::vector<Device> devices;
  std::vector<Link> links;  // (devices + 1)^2, row = from; the diagonal is free
  std::vector<int> inputs, outputs;

  int places() const { return static_cast<int>(devices.size()) + 1; }
  int host() const { return static_cast<int>(devices.size()); }
  const Link& link(int from, int to) const { return links[from * places() + to]; }
};

// InvalidArgument, naming the first thing that is wrong: an index out of range, a tensor that is used before
// it is made or made twice, costs or links of the wrong number, more than kMaxDevices devices, a cost below
// 0.
inline constexpr int kMaxDevices = 16;
Status validate(const Problem& problem);

}  // namespace tetrarch::plan
