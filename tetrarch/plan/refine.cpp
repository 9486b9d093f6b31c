#include "tetrarch/plan/planners.h"

namespace tetrarch::plan {
namespace {

bool usesEach(const std::vector<DeviceSet>& placement, DeviceSet must_use) {
  DeviceSet used = 0;
  for (DeviceSet set : placement) used |= set;
  return (used & must_use) == must_use;
}

bool mayRun(const std::vector<DeviceSet>& sets, DeviceSet set) {
  for (DeviceSet allowed : sets) {
    if (allowed == set) return true;
  }
  return false;
}

class Search {
 public:
  Search(const Outline& outline, const Choices& choices, Candidate start, int64_t steps)
      : outline_(outline), choices_(choices), best_(std::move(start)), steps_(steps) {}

  Candidate run() {
    while (steps_ > 0 && pass()) {
    }
    return std::move(best_);
  }

 private:
  // Tries every move once; true when one helped.
  bool pass() {
    bool better = false;
    const size_t tasks = best_.placement.size();
    for (size_t begin = 0; begin < tasks; ++begin) {
      const size_t end = runEnd(begin);
      for (DeviceSet set : choices_.sets[begin]) {
        better |= move(begin, begin + 1, set);
        if (end > begin + 1) better |= move(begin, end, set);
      }
    }
    return better;
  }

  // Past the last task of those that follow `begin` with the same placement.
  size_t runEnd(size_t begin) const {
    size_t end = begin + 1;
    while (end < best_.placement.size() && best_.placement[end] == best_.placement[begin]) ++end;
    return end;
  }

  bool move(size_t begin, size_t end, DeviceSet set) {
    if (steps_ <= 0 || best_.placement[begin] == set) return false;
    std::vector<DeviceSet> placement = best_.placement;
    for (size_t i = begin; i < end; ++i) {
      if (mayRun(choices_.sets[i], set)) placement[i] = set;
    }
    if (!usesEach(placement, choices_.must_use)) return false;
    steps_ -= static_cast<int64_t>(placement.size());
    const double seconds = evaluate(outline_, placement);
    if (!(seconds < best_.seconds * (1 - 1e-5))) return false;
    best_ = {std::move(placement), seconds};
    return true;
  }

  const Outline& outline_;
  const Choices& choices_;
  Candidate best_;
  int64_t steps_;
};

}  // namespace

Candidate refine(const Outline& outline, const Choices& choices, Candidate start, int64_t steps) {
  if (start.seconds == kNever) return start;
  return Search(outline, choices, std::move(start), steps).run();
}

}  // namespace tetrarch::plan
