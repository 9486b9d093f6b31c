#include "tetrarch/plan/schedule.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <map>

namespace tetrarch::plan {
namespace {

// Calls `visit(device)` for each device of the set, lowest first.
template <typename Visit>
void forEach(DeviceSet set, Visit visit) {
  for (; set != 0; set &= set - 1) visit(std::countr_zero(set));
}

// Parts of one task for devices that become free at `start` and need `cost` for the whole, such that those
// that take part finish together: the time T with sum of (T - start) / cost = 1, found by letting devices in
// by start time.
std::vector<double> balance(const std::vector<double>& start, const std::vector<double>& cost) {
  std::vector<int> order(start.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = static_cast<int>(i);
  std::sort(order.begin(), order.end(), [&](int a, int b) { return start[a] < start[b]; });
  double rate = 0, done = 0, end = 0;  // done = sum of start / cost over those let in
  for (size_t k = 0; k < order.size(); ++k) {
    if (k > 0 && start[order[k]] >= end) break;
    rate += 1 / cost[order[k]];
    done += start[order[k]] / cost[order[k]];
    end = (1 + done) / rate;
  }
  std::vector<double> parts(start.size());
  for (size_t i = 0; i < parts.size(); ++i) parts[i] = std::max(0.0, (end - start[i]) / cost[i]);
  return parts;
}

// Whole units: the largest remainders get what rounding down leaves.
void roundToUnits(std::vector<double>& parts, int64_t units) {
  std::vector<int64_t> whole(parts.size());
  int64_t left = units;
  for (size_t i = 0; i < parts.size(); ++i) {
    whole[i] = std::min(left, static_cast<int64_t>(std::floor(parts[i] * static_cast<double>(units))));
    left -= whole[i];
  }
  while (left > 0) {
    size_t best = 0;
    double remainder = -kNever;
    for (size_t i = 0; i < parts.size(); ++i) {
      const double r = parts[i] * static_cast<double>(units) - static_cast<double>(whole[i]);
      if (r > remainder) best = i, remainder = r;
    }
    ++whole[best], --left;
  }
  for (size_t i = 0; i < parts.size(); ++i)
    parts[i] = static_cast<double>(whole[i]) / static_cast<double>(units);
}

}  // namespace

Outline::Outline(const Problem& p)
    : problem(p), slot(p.tensors.size(), -1), uses(p.tensors.size()), dying(p.tasks.size()) {
  std::map<std::string, int> keys;
  for (const Device& device : p.devices) {
    const bool alone = device.shares.empty();
    const auto [it, fresh] = keys.try_emplace(alone ? "" : device.shares, groups);
    if (alone || fresh) ++groups;
    group.push_back(alone ? groups - 1 : it->second);
  }
  // A tensor lives from its producer (inputs and weights: from the first task) to its last use, outputs to
  // the end.
  constexpr int kForever = std::numeric_limits<int>::max();
  std::vector<int> last(p.tensors.size(), -1);
  for (size_t i = 0; i < p.tasks.size(); ++i) {
    for (int t : p.tasks[i].inputs) last[t] = static_cast<int>(i), ++uses[t];
    for (int t : p.tasks[i].outputs) last[t] = std::max(last[t], static_cast<int>(i));
  }
  for (int t : p.outputs) last[t] = kForever, ++uses[t];
  std::vector<int> spare;
  auto begin = [&](int t) {
    if (slot[t] >= 0) return;
    if (spare.empty()) spare.push_back(slots++);
    slot[t] = spare.back(), spare.pop_back();
  };
  for (int t : p.inputs) begin(t);
  for (int t : p.outputs) {
    if (p.tensors[t].constant) begin(t);
  }
  for (size_t i = 0; i < p.tasks.size(); ++i) {
    for (int t : p.tasks[i].inputs) {
      if (!p.tensors[t].constant || uses[t] > 1) begin(t);
    }
    for (int t : p.tasks[i].outputs) begin(t);
    auto end = [&](int t) {
      if (slot[t] < 0 || last[t] != static_cast<int>(i) || p.tensors[t].constant) return;
      if (std::find(dying[i].begin(), dying[i].end(), t) != dying[i].end()) return;
      dying[i].push_back(t), spare.push_back(slot[t]);
    };
    for (int t : p.tasks[i].inputs) end(t);
    for (int t : p.tasks[i].outputs) end(t);
  }
}

bool Outline::divisible(DeviceSet set) const {
  bool ok = true;
  forEach(set, [&](int a) {
    forEach(set, [&](int b) { ok &= a == b || (problem.link(a, b).shared && group[a] != group[b]); });
  });
  return ok;
}

Schedule::Schedule(const Outline& outline)
    : outline_(&outline),
      free_(outline.groups),
      link_free_(outline.problem.places() * outline.problem.places()),
      ready_(static_cast<size_t>(outline.slots) * outline.problem.places(), kNever),
      held_(outline.problem.places()) {
  for (int t : outline.problem.inputs) readyAt(t, outline.problem.host()) = 0;
  for (int t : outline.problem.outputs) {
    if (outline.problem.tensors[t].constant) readyAt(t, outline.problem.host()) = 0;
  }
}

double Schedule::busy() const {
  double sum = 0;
  for (double f : free_) sum += f;
  return sum;
}

bool Schedule::hold(int tensor, int place) {
  if (place == outline_->problem.host()) return true;
  held_[place] += outline_->problem.tensors[tensor].bytes;
  full_ |= held_[place] > outline_->problem.devices[place].memory_bytes;
  return !full_;
}

// The time at which `place` has the tensor, which is copied there from where that is soonest.
double Schedule::fetch(int tensor, int place, Timeline* timeline) {
  const Problem& p = outline_->problem;
  if (outline_->slot[tensor] < 0) return hold(tensor, place), 0;  // a weight that only this task uses
  double& ready = readyAt(tensor, place);
  if (ready != kNever) return ready;
  hold(tensor, place);
  if (p.tensors[tensor].constant) return ready = 0;
  const int64_t bytes = p.tensors[tensor].bytes;
  int from = -1;
  double begin = 0, end = kNever;
  for (int source = 0; source < p.places(); ++source) {
    if (source == place || readyAt(tensor, source) == kNever) continue;
    const double b = std::max(readyAt(tensor, source), link_free_[source * p.places() + place]);
    const double e = b + p.link(source, place).seconds(bytes);
    if (e < end) from = source, begin = b, end = e;
  }
  if (!p.link(from, place).shared) link_free_[from * p.places() + place] = end;
  if (timeline && end > begin) timeline->copies.push_back({tensor, from, place, begin, end});
  return ready = end;
}

double Schedule::startOn(const Task& task, int device, Timeline* timeline) {
  double start = free_[outline_->group[device]];
  for (int t : task.inputs) start = std::max(start, fetch(t, device, timeline));
  return start + outline_->problem.devices[device].launch_seconds;
}

bool Schedule::place(DeviceSet set, Timeline* timeline) {
  const Problem& p = outline_->problem;
  const Task& task = p.tasks[next_];
  const bool divided = std::popcount(set) > 1;
  if (set == 0 || (divided && (task.units < 2 || !outline_->divisible(set)))) return false;
  std::vector<double> start, cost;
  bool able = true;
  forEach(set, [&](int d) {
    able &= task.costs[d].cost.has_value() && (!divided || task.costs[d].cost->mean > 0);
  });
  if (!able) return false;
  forEach(set, [&](int d) {
    start.push_back(startOn(task, d, timeline));
    cost.push_back(task.costs[d].cost->mean);
  });
  std::vector<double> parts{1.0};
  if (divided) {
    parts = balance(start, cost);
    roundToUnits(parts, task.units);
    // Who gets nothing does not take part: that is the choice of a smaller set.
    if (std::any_of(parts.begin(), parts.end(), [](double part) { return part <= 0; })) return false;
  }
  std::vector<double> ends(p.devices.size());
  size_t i = 0;
  forEach(set, [&](int d) {
    ends[d] = free_[outline_->group[d]] = start[i] + parts[i] * cost[i];
    makespan_ = std::max(makespan_, ends[d]);
    const double begin = start[i] - p.devices[d].launch_seconds;
    if (timeline) timeline->launches.push_back({next_, d, begin, ends[d], parts[i]});
    ++i;
  });
  produce(task, set, ends);
  for (int t : outline_->dying[next_]) release(t);
  ++next_;
  return !full_;
}

void Schedule::produce(const Task& task, DeviceSet set, const std::vector<double>& ends) {
  const Problem& p = outline_->problem;
  for (int t : task.outputs) {
    forEach(set, [&](int d) {
      double ready = 0;
      forEach(set, [&](int other) {
        ready = std::max(ready, ends[other] + (other == d ? 0 : p.link(other, d).latency));
      });
      hold(t, d);
      readyAt(t, d) = ready;
    });
  }
}

void Schedule::release(int tensor) {
  const Problem& p = outline_->problem;
  for (int place = 0; place < p.places(); ++place) {
    double& ready = readyAt(tensor, place);
    if (ready != kNever && place != p.host()) held_[place] -= p.tensors[tensor].bytes;
    ready = kNever;
  }
}

double Schedule::finish(Timeline* timeline) {
  for (int t : outline_->problem.outputs) {
    makespan_ = std::max(makespan_, fetch(t, outline_->problem.host(), timeline));
  }
  return makespan_;
}

double evaluate(const Outline& outline, const std::vector<DeviceSet>& placement, Timeline* timeline) {
  Schedule schedule(outline);
  for (DeviceSet set : placement) {
    if (!schedule.place(set, timeline)) return kNever;
  }
  return schedule.finish(timeline);
}

}  // namespace tetrarch::plan
