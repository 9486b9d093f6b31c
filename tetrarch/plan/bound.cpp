#include <algorithm>
#include <bit>
#include <cmath>

#include "tetrarch/plan/planners.h"

namespace tetrarch::plan {
namespace {

// For each task and group of shared silicon, the least time of the whole task there; kNever where it cannot
// run.
using GroupCosts = std::vector<std::vector<double>>;

GroupCosts groupCosts(const Outline& outline, const Choices& choices) {
  GroupCosts costs;
  for (size_t i = 0; i < choices.sets.size(); ++i) {
    const Task& task = outline.problem.tasks[i];
    std::vector<double> row(outline.groups, kNever);
    for (DeviceSet set : choices.sets[i]) {
      for (DeviceSet rest = set; rest != 0; rest &= rest - 1) {
        const int d = std::countr_zero(rest);
        if (task.costs[d].cost)
          row[outline.group[d]] = std::min(row[outline.group[d]], task.costs[d].cost->mean);
      }
    }
    costs.push_back(std::move(row));
  }
  return costs;
}

// The least time that one task can take: on its best device, or divided over all when `divided`.
double leastTime(const std::vector<double>& row, bool divided) {
  double rate = 0, least = kNever;
  for (double cost : row) {
    if (cost == kNever) continue;
    least = std::min(least, cost);
    rate += cost > 0 ? 1 / cost : kNever;
  }
  if (least == kNever) return 0;
  return divided ? 1 / rate : least;
}

double criticalPath(const Outline& outline, const Choices& choices, const GroupCosts& costs) {
  std::vector<double> ready(outline.problem.tensors.size());
  double longest = 0;
  for (size_t i = 0; i < costs.size(); ++i) {
    const auto& sets = choices.sets[i];
    const bool divided =
        std::any_of(sets.begin(), sets.end(), [](DeviceSet s) { return std::popcount(s) > 1; });
    double start = 0;
    for (int t : outline.problem.tasks[i].inputs) start = std::max(start, ready[t]);
    const double end = start + leastTime(costs[i], divided);
    for (int t : outline.problem.tasks[i].outputs) ready[t] = end;
    longest = std::max(longest, end);
  }
  return longest;
}

// Each group g has time T for its work, so for any weights y >= 0 of sum 1: T >= sum over tasks of min over g
// of y_g * cost_g. The weights are raised for the groups that this relaxation loads most; every step's value
// is a bound.
double workBound(const GroupCosts& costs, int groups) {
  std::vector<double> y(groups, 1.0 / groups);
  double best = 0;
  for (int step = 1; step <= 200; ++step) {
    std::vector<double> load(groups);
    double bound = 0;
    for (const auto& row : costs) {
      int chosen = -1;
      double least = kNever;
      for (int g = 0; g < groups; ++g) {
        if (row[g] != kNever && y[g] * row[g] < least) least = y[g] * row[g], chosen = g;
      }
      if (chosen < 0) continue;
      bound += least, load[chosen] += row[chosen];
    }
    best = std::max(best, bound);
    double sum = 0, total = 0;
    for (double l : load) total += l;
    if (total == 0) break;
    for (int g = 0; g < groups; ++g) sum += y[g] *= std::exp(load[g] / total / std::sqrt(step));
    for (double& weight : y) weight /= sum;
  }
  return best;
}

}  // namespace

double lowerBound(const Outline& outline, const Choices& choices) {
  const GroupCosts costs = groupCosts(outline, choices);
  return std::max(criticalPath(outline, choices, costs), workBound(costs, outline.groups));
}

}  // namespace tetrarch::plan
