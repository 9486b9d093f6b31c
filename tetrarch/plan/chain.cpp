#include <algorithm>
#include <map>

#include "tetrarch/plan/planners.h"

namespace tetrarch::plan {
namespace {

// Pasts kept for each state. For chains one would do.
constexpr size_t kBeam = 4;

// One way to have placed the tasks so far.
struct Past {
  Schedule schedule;
  int step;  // index into the tree of decisions
  DeviceSet last, used;

  // Less is better; the second and third only break ties.
  bool operator<(const Past& other) const {
    if (schedule.makespan() != other.schedule.makespan())
      return schedule.makespan() < other.schedule.makespan();
    if (schedule.busy() != other.schedule.busy()) return schedule.busy() < other.schedule.busy();
    return last < other.last;
  }
};

// A decision and the one before it, so that pasts share their common beginnings.
struct Step {
  DeviceSet set;
  int before;
};

std::vector<DeviceSet> decisions(const std::vector<Step>& steps, int at) {
  std::vector<DeviceSet> placement;
  for (; at >= 0; at = steps[at].before) placement.push_back(steps[at].set);
  std::reverse(placement.begin(), placement.end());
  return placement;
}

// Keeps the kBeam best pasts of each state (last, used).
void prune(std::vector<Past>& pasts) {
  std::sort(pasts.begin(), pasts.end());
  std::map<std::pair<DeviceSet, DeviceSet>, size_t> kept;
  std::erase_if(pasts, [&](const Past& past) { return ++kept[{past.last, past.used}] > kBeam; });
}

// Of several used devices only those that must be used are part of the state.
std::vector<Past> advance(const std::vector<Past>& pasts, const std::vector<DeviceSet>& sets,
                          DeviceSet must_use, std::vector<Step>& steps) {
  std::vector<Past> next;
  for (const Past& past : pasts) {
    for (DeviceSet set : sets) {
      Past after{past.schedule, 0, set, past.used | (set & must_use)};
      if (!after.schedule.place(set, nullptr)) continue;
      after.step = static_cast<int>(steps.size());
      steps.push_back({set, past.step});
      next.push_back(std::move(after));
    }
  }
  prune(next);
  return next;
}

}  // namespace

Candidate planChain(const Outline& outline, const Choices& choices) {
  std::vector<Step> steps;
  std::vector<Past> pasts{{Schedule(outline), -1, 0, 0}};
  for (const auto& sets : choices.sets) {
    pasts = advance(pasts, sets, choices.must_use, steps);
    if (pasts.empty()) return {};
  }
  Candidate best;
  for (Past& past : pasts) {
    if (past.used != choices.must_use) continue;
    const double seconds = past.schedule.finish(nullptr);
    if (seconds < best.seconds) best = {decisions(steps, past.step), seconds};
  }
  return best;
}

}  // namespace tetrarch::plan
