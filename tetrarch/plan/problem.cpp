#include "tetrarch/plan/problem.h"

#include <cmath>

namespace tetrarch::plan {
namespace {

Status checkIndices(const Problem& problem, const std::vector<int>& tensors, std::string_view user) {
  for (int t : tensors) {
    if (t < 0 || t >= static_cast<int>(problem.tensors.size())) {
      return invalidArgument("{}: there is no tensor number {}", user, t);
    }
  }
  return {};
}

Status checkCosts(const Problem& problem, const Task& task) {
  if (task.costs.size() != problem.devices.size()) {
    return invalidArgument("task '{}' has {} costs for {} devices", task.name, task.costs.size(),
                           problem.devices.size());
  }
  for (const TaskCost& cost : task.costs) {
    if (cost.cost && !(std::isfinite(cost.cost->mean) && cost.cost->mean >= 0)) {
      return invalidArgument("task '{}' has a cost of {} s", task.name, cost.cost->mean);
    }
  }
  return {};
}

Status checkTensors(const Problem& problem) {
  std::vector<bool> made(problem.tensors.size());
  TET_RETURN_IF_ERROR(checkIndices(problem, problem.inputs, "the model's inputs"));
  TET_RETURN_IF_ERROR(checkIndices(problem, problem.outputs, "the model's outputs"));
  for (size_t t = 0; t < problem.tensors.size(); ++t) made[t] = problem.tensors[t].constant;
  for (int t : problem.inputs) made[t] = true;
  for (const Task& task : problem.tasks) {
    TET_RETURN_IF_ERROR(checkIndices(problem, task.inputs, task.name));
    TET_RETURN_IF_ERROR(checkIndices(problem, task.outputs, task.name));
    for (int t : task.inputs) {
      if (!made[t])
        return invalidArgument("task '{}' uses '{}' before it is made", task.name, problem.tensors[t].name);
    }
    for (int t : task.outputs) {
      if (made[t])
        return invalidArgument("'{}', made by task '{}', exists already", problem.tensors[t].name, task.name);
      made[t] = true;
    }
  }
  for (int t : problem.outputs) {
    if (!made[t]) return invalidArgument("nothing makes the model's output '{}'", problem.tensors[t].name);
  }
  return {};
}

}  // namespace

Status validate(const Problem& problem) {
  const size_t devices = problem.devices.size();
  if (devices == 0) return invalidArgument("there is no device to plan for");
  if (devices > kMaxDevices)
    return invalidArgument("{} devices are more than the planner's {}", devices, kMaxDevices);
  if (problem.links.size() != (devices + 1) * (devices + 1)) {
    return invalidArgument("{} links for {} devices and the host", problem.links.size(), devices);
  }
  for (const Link& link : problem.links) {
    if (link.latency < 0) return invalidArgument("a link has a latency of {} s", link.latency);
  }
  for (int from = 0; from < problem.places(); ++from) {
    for (int to = 0; to < problem.places(); ++to) {
      const Link& link = problem.link(from, to);
      if (from != to && !link.shared && !(link.bandwidth > 0)) {
        return invalidArgument("the link from place {} to place {} has no bandwidth", from, to);
      }
    }
  }
  for (const Task& task : problem.tasks) TET_RETURN_IF_ERROR(checkCosts(problem, task));
  return checkTensors(problem);
}

}  // namespace tetrarch::plan
