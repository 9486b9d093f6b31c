// Small problems for the planner's tests.
#pragma once

#include <random>

#include "tetrarch/plan/plan.h"

namespace tetrarch::plan {

// `devices` devices beside the host, all links alike.
inline Problem emptyProblem(int devices, Link link) {
  Problem p;
  for (int d = 0; d < devices; ++d) {
    Device device;
    device.name = std::string(1, static_cast<char>('a' + d));
    p.devices.push_back(device);
  }
  p.links.assign((devices + 1) * (devices + 1), link);
  return p;
}

inline int addTensor(Problem& p, int64_t bytes, bool constant = false) {
  p.tensors.push_back({"t" + std::to_string(p.tensors.size()), bytes, constant});
  return static_cast<int>(p.tensors.size()) - 1;
}

// A task with these inputs, one new output, and these costs; a negative cost is one that is declined.
inline int addTask(Problem& p, std::vector<int> inputs, std::vector<double> costs, int64_t bytes,
                   int64_t units = 1) {
  Task task;
  task.name = "task" + std::to_string(p.tasks.size());
  task.inputs = std::move(inputs);
  task.outputs = {addTensor(p, bytes)};
  task.units = units;
  for (double cost : costs) {
    task.costs.push_back(cost < 0 ? TaskCost{std::nullopt, "not this one"}
                                  : TaskCost{Cost{cost, cost / 10}, ""});
  }
  p.tasks.push_back(std::move(task));
  return p.tasks.back().outputs[0];
}

// A chain, or with `branches` a graph where a task reads up to two earlier results.
inline Problem randomProblem(std::mt19937& random, int tasks, int devices, bool branches, int64_t units = 1) {
  std::uniform_real_distribution<double> uniform(0, 1);
  Problem p = emptyProblem(devices, {uniform(random) * 0.2, 100.0, false});
  p.inputs = {addTensor(p, 1 + static_cast<int>(random() % 100))};
  std::vector<int> results = p.inputs;
  for (int i = 0; i < tasks; ++i) {
    std::vector<int> inputs{results.back()};
    if (branches && uniform(random) < 0.6) inputs = {results[random() % results.size()]};
    if (branches && uniform(random) < 0.4) inputs.push_back(results[random() % results.size()]);
    std::vector<double> costs;
    for (int d = 0; d < devices; ++d)
      costs.push_back(uniform(random) < 0.1 && d > 0 ? -1 : 0.1 + uniform(random));
    results.push_back(addTask(p, inputs, costs, 1 + static_cast<int>(random() % 100), units));
  }
  p.outputs = {results.back()};
  return p;
}

}  // namespace tetrarch::plan
