#include "tetrarch/plan/reasons.h"

#include <fmt/format.h>

#include <bit>

namespace tetrarch::plan {
namespace {

// Bytes of the task's inputs that were made elsewhere than on `device`.
int64_t bytesFromElsewhere(const Outline& outline, const std::vector<DeviceSet>& placement, int task,
                           int device) {
  const Problem& p = outline.problem;
  int64_t bytes = 0;
  for (int t : p.tasks[task].inputs) {
    if (p.tensors[t].constant) continue;
    int maker = -1;
    for (int i = task - 1; i >= 0 && maker < 0; --i) {
      for (int made : p.tasks[i].outputs) {
        if (made == t) maker = i;
      }
    }
    const bool here = maker >= 0 ? (placement[maker] >> device & 1) : p.link(p.host(), device).shared;
    if (!here) bytes += p.tensors[t].bytes;
  }
  return bytes;
}

std::string divisionReason(const Outline& outline, DeviceSet set, const Task& task) {
  std::string alone, separator;
  double rate = 0;
  for (DeviceSet rest = set; rest != 0; rest &= rest - 1) {
    const int d = std::countr_zero(rest);
    const double cost = task.costs[d].cost->mean;
    alone += fmt::format("{}{} on {}", separator, formatSeconds(cost), outline.problem.devices[d].name);
    rate += 1 / cost, separator = ", ";
  }
  return fmt::format("divided: about {} together, alone {}", formatSeconds(1 / rate), alone);
}

// The best other device for this task alone, or -1.
int rival(const Outline& outline, const Options& options, const Task& task, int device) {
  int best = -1;
  for (int d : options.devices) {
    if (d == device || !task.costs[d].cost) continue;
    if (best < 0 || task.costs[d].cost->mean < task.costs[best].cost->mean) best = d;
  }
  return best;
}

}  // namespace

std::string formatSeconds(double seconds) {
  if (seconds == kNever) return "never";
  if (seconds >= 1) return fmt::format("{:.2f} s", seconds);
  if (seconds >= 1e-3) return fmt::format("{:.2f} ms", seconds * 1e3);
  return fmt::format("{:.1f} us", seconds * 1e6);
}

std::string taskReason(const Outline& outline, const Options& options,
                       const std::vector<DeviceSet>& placement, int task) {
  const Problem& p = outline.problem;
  const Task& t = p.tasks[task];
  const DeviceSet set = placement[task];
  if (std::popcount(set) > 1) return divisionReason(outline, set, t);
  const int device = std::countr_zero(set);
  if (options.fixed.contains(t.name))
    return fmt::format("forced: '{}' was asked to run on {}", t.name, p.devices[device].name);
  if (options.devices.size() == 1) return fmt::format("{} is the only device in use", p.devices[device].name);
  const int other = rival(outline, options, t, device);
  if (other < 0) {
    for (int d : options.devices) {
      if (!t.costs[d].cost) {
        return fmt::format("no other device takes it: {} says: {}", p.devices[d].name, t.costs[d].declined);
      }
    }
  }
  const double here = t.costs[device].cost->mean, there = t.costs[other].cost->mean;
  const std::string figures =
      fmt::format("{} here, {} on {}", formatSeconds(here), formatSeconds(there), p.devices[other].name);
  if (here <= there) return fmt::format("fastest: {}", figures);
  const int64_t bytes = bytesFromElsewhere(outline, placement, task, other);
  if (bytes > 0) {
    return fmt::format("stays with its data: {}, where {} bytes would have to arrive first", figures, bytes);
  }
  return fmt::format("{}, which is better left to other work or asked to be here", figures);
}

std::string nowhereReason(const Problem& problem, const Task& task, const std::vector<int>& devices) {
  std::string out = fmt::format("task '{}' runs on none of the allowed devices", task.name), separator = ": ";
  for (int d : devices) {
    out += fmt::format("{}{}: {}", separator, problem.devices[d].name, task.costs[d].declined);
    separator = "; ";
  }
  return out;
}

}  // namespace tetrarch::plan
