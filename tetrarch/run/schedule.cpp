#include "tetrarch/run/schedule.h"

#include <algorithm>
#include <deque>
#include <map>

namespace tetrarch::run {
namespace {

using abi::KernelEntry;
using abi::Manifest;
using abi::PlanEntry;
using abi::Share;
using abi::TensorKind;

// The rows of its output that a range of units writes, see KernelEntry::rows.
struct Rows {
  uint64_t begin, end;
};
Result<Rows> rowsOf(const KernelEntry& k, uint64_t begin, uint64_t end, std::string_view device) {
  if (k.rows == 0) {
    return fail(StatusCode::kFailedPrecondition,
                "it cannot be divided: the code for {} has no mapping to rows", device);
  }
  uint64_t groups = (k.rows + k.row_tile - 1) / k.row_tile;
  uint64_t group = std::max<uint64_t>(k.units / groups, 1);
  if (begin % group != 0 || (end % group != 0 && end != k.units)) {
    return fail(StatusCode::kFailedPrecondition,
                "units {} to {} are no whole rows on {} (take multiples of {})", begin, end, device, group);
  }
  auto row = [&](uint64_t unit) { return std::min(unit / group * k.row_tile, k.rows); };
  return Rows{row(begin), end == k.units ? k.rows : row(end)};
}

class Scheduler {
 public:
  Scheduler(const Manifest& manifest, const PlanEntry& plan, const std::vector<ScheduleDevice>& devices)
      : m_(manifest), plan_(plan), devices_(devices) {}

  Result<Schedule> run() {
    assignSpaces();
    findSegments();
    for (size_t t = 0, next = 0; t < m_.tasks.size(); t = next) {
      const auto segment = segments_.find(static_cast<int>(t));
      next = t + (segment == segments_.end() ? 1 : segment->second.entry->shares.size());
      if (segment != segments_.end()) {
        launchSegment(segment->second);
      } else if (Status s = task(static_cast<int>(t)); !s.ok()) {
        return propagate(s.withContext(fmt::format("task '{}'", m_.tasks[t].name)));
      }
    }
    for (const abi::Port& port : m_.outputs) {
      int root = rootTensor(m_, port.tensor);
      if (m_.tensors[root].kind == TensorKind::Temporary) bringTo(root, 0);
    }
    order();
    listTensors();
    return std::move(out_);
  }

 private:
  void assignSpaces() {
    for (size_t d = 0; d < devices_.size(); ++d) {
      out_.space.push_back(devices_[d].shares_host ? 0 : out_.spaces++);
      owner_.resize(out_.spaces, -1);
      if (!devices_[d].shares_host) owner_.back() = static_cast<int>(d);
    }
    owner_.resize(out_.spaces, -1);
    valid_.assign(m_.tensors.size(), std::vector<Held>(out_.spaces));
    for (size_t t = 0; t < m_.tensors.size(); ++t) {
      const abi::TensorEntry& tensor = m_.tensors[t];
      if (tensor.kind == TensorKind::Input) valid_[t][0].here = true;
      if (tensor.kind == TensorKind::Constant) {
        for (Held& held : valid_[t]) held.here = true;
      }
    }
  }

  struct Fused {
    const abi::SegmentEntry* entry;
    int device;
  };

  // Those of devices that have the plan's own code.
  void findSegments() {
    for (size_t d = 0; d < devices_.size(); ++d) {
      if (!devices_[d].own) continue;
      for (const abi::SegmentEntry& segment : devices_[d].own->segments)
        segments_[segment.first_task] = {&segment, static_cast<int>(d)};
    }
  }

  void launchSegment(const Fused& segment) {
    const int first = segment.entry->first_task;
    abi::SegmentTensors tensors =
        abi::segmentTensors(m_, first, static_cast<int>(segment.entry->shares.size()));
    const int step = addLaunch({.device = segment.device,
                                .task = first,
                                .segment = segment.entry,
                                .inputs = std::move(tensors.inputs),
                                .outputs = tensors.outputs,
                                .end = 1,
                                .units = 1});
    for (int output : tensors.outputs) valid_[output][out_.space[segment.device]] = {true, {step}};
  }

  // Behind what its inputs need.
  int addLaunch(Step step) {
    for (int input : step.inputs) {
      const std::vector<int>& ready = bringTo(input, out_.space[step.device]);
      step.after.insert(step.after.end(), ready.begin(), ready.end());
    }
    return add(std::move(step));
  }

  int add(Step step) {
    std::sort(step.after.begin(), step.after.end());
    step.after.erase(std::unique(step.after.begin(), step.after.end()), step.after.end());
    out_.steps.push_back(std::move(step));
    return static_cast<int>(out_.steps.size()) - 1;
  }

  int addCopy(Step::Kind kind, int device, int root, uint64_t offset, uint64_t bytes,
              std::vector<int> after) {
    return add({.kind = kind,
                .device = device,
                .tensor = root,
                .offset = offset,
                .bytes = bytes,
                .after = std::move(after)});
  }

  // Makes a root tensor valid in a space; returns the steps that must be done before it may be read there.
  const std::vector<int>& bringTo(int root, int space) {
    Held& held = valid_[root][space];
    if (held.here) return held.steps;
    uint64_t bytes = m_.tensors[root].bytes;
    if (space == 0) {
      int from = 1;
      while (!valid_[root][from].here) ++from;
      held.steps = {addCopy(Step::Kind::CopyOut, owner_[from], root, 0, bytes, valid_[root][from].steps)};
    } else {
      std::vector<int> after = bringTo(root, 0);
      held.steps = {addCopy(Step::Kind::CopyIn, owner_[space], root, 0, bytes, std::move(after))};
    }
    held.here = true;
    return held.steps;
  }

  Status task(int t) {
    const std::vector<Share>& shares = plan_.placement[t];
    bool many_spaces = std::any_of(shares.begin(), shares.end(), [&](const Share& s) {
      return out_.space[s.device] != out_.space[shares[0].device];
    });
    TET_RETURN_IF_ERROR(checkCover(t, shares));
    std::vector<int> launches;
    for (const Share& share : shares) {
      TET_ASSIGN_OR_RETURN(int step, launch(t, share));
      launches.push_back(step);
    }
    if (many_spaces) return gather(t, launches);
    for (int output : m_.tasks[t].outputs) valid_[output][out_.space[shares[0].device]] = {true, launches};
    return {};
  }

  Result<const KernelEntry*> kernel(int t, int device) const {
    const ScheduleDevice& d = devices_[device];
    if (d.code < 0)
      return fail(StatusCode::kFailedPrecondition, "no code of the artifact runs on {}", d.name);
    const KernelEntry& k = kernelOf(m_, d.code, d.own, t);
    if (k.symbol.empty()) {
      return fail(StatusCode::kFailedPrecondition, "{} declines it: {}", d.name,
                  k.reason.empty() ? "no reason is given" : k.reason);
    }
    return &k;
  }

  // The shares together must write everything. In units where all run the same code, else in rows.
  Status checkCover(int t, const std::vector<Share>& shares) const {
    bool same_code = true;
    std::vector<Rows> ranges;
    uint64_t all = 0;
    for (const Share& s : shares) {
      TET_RETURN_IF_ERROR(kernel(t, s.device));
      same_code &= devices_[s.device].code == devices_[shares[0].device].code;
    }
    for (const Share& s : shares) {
      TET_ASSIGN_OR_RETURN(const KernelEntry* k, kernel(t, s.device));
      uint64_t end = std::min(s.end, k->units);
      if (s.begin % k->granularity != 0 || (end % k->granularity != 0 && end != k->units)) {
        return fail(StatusCode::kFailedPrecondition, "units {} to {} do not fit the granularity {} on {}",
                    s.begin, end, k->granularity, devices_[s.device].name);
      }
      Rows range{s.begin, end};
      if (!same_code) {
        TET_ASSIGN_OR_RETURN(range, rowsOf(*k, s.begin, end, devices_[s.device].name));
      }
      all = same_code ? k->units : k->rows;
      ranges.push_back(range);
    }
    std::sort(ranges.begin(), ranges.end(), [](const Rows& a, const Rows& b) { return a.begin < b.begin; });
    uint64_t covered = 0;
    for (const Rows& r : ranges) {
      if (r.begin <= covered) covered = std::max(covered, r.end);
    }
    if (covered >= all) return {};
    return fail(StatusCode::kFailedPrecondition, "its placement leaves out {} {} of {}",
                same_code ? "unit" : "row", covered, all);
  }

  Result<int> launch(int t, const Share& share) {
    TET_ASSIGN_OR_RETURN(const KernelEntry* k, kernel(t, share.device));
    std::vector<int> inputs;
    for (int input : m_.tasks[t].inputs) inputs.push_back(rootTensor(m_, input));
    return addLaunch({.device = share.device,
                      .task = t,
                      .inputs = std::move(inputs),
                      .outputs = m_.tasks[t].outputs,
                      .begin = share.begin,
                      .end = std::min(share.end, k->units),
                      .units = k->units});
  }

  // A task divided between memories: each device with its own copies its rows to the host, where all come
  // together.
  Status gather(int t, const std::vector<int>& launches) {
    for (int output : m_.tasks[t].outputs) {
      Held whole{true, {}};
      for (int step : launches) {
        int device = out_.steps[step].device;
        if (out_.space[device] == 0) {
          whole.steps.push_back(step);
          continue;
        }
        TET_ASSIGN_OR_RETURN(const KernelEntry* k, kernel(t, device));
        const Step& launched = out_.steps[step];
        TET_ASSIGN_OR_RETURN(Rows rows, rowsOf(*k, launched.begin, launched.end, devices_[device].name));
        if (m_.tensors[output].bytes % k->rows != 0) {
          return fail(StatusCode::kFailedPrecondition,
                      "it cannot be divided: output {} has not {} equal rows", output, k->rows);
        }
        uint64_t row = m_.tensors[output].bytes / k->rows;
        whole.steps.push_back(addCopy(Step::Kind::CopyOut, device, output, rows.begin * row,
                                      (rows.end - rows.begin) * row, {step}));
      }
      valid_[output][0] = std::move(whole);
    }
    return {};
  }

  // Puts the steps into the order in which one thread enqueues them: asynchronous devices as early as their
  // inputs are under way, so that they work while a blocking device keeps the thread; each device's own order
  // stays.
  void order() {
    const std::vector<Step>& steps = out_.steps;
    std::vector<std::deque<int>> queues(devices_.size());
    for (size_t s = 0; s < steps.size(); ++s) queues[steps[s].device].push_back(static_cast<int>(s));
    std::vector<int> position(steps.size(), -1);
    std::vector<int> emitted;
    auto ready = [&](int s) {
      return std::all_of(steps[s].after.begin(), steps[s].after.end(),
                         [&](int a) { return position[a] >= 0; });
    };
    // The host would have to wait for another asynchronous device before it may enqueue this step.
    auto stalls = [&](int s) {
      return std::any_of(steps[s].after.begin(), steps[s].after.end(), [&](int a) {
        return !devices_[steps[a].device].blocking && steps[a].device != steps[s].device;
      });
    };
    auto emitFrom = [&](auto eligible) {
      for (auto& queue : queues) {
        if (queue.empty() || !ready(queue.front()) || !eligible(queue.front())) continue;
        position[queue.front()] = static_cast<int>(emitted.size());
        emitted.push_back(queue.front());
        queue.pop_front();
        return true;
      }
      return false;
    };
    auto asynchronous = [&](int s) { return !devices_[steps[s].device].blocking; };
    while (emitFrom([&](int s) { return asynchronous(s) && !stalls(s); }) ||
           emitFrom([&](int s) { return !asynchronous(s) && !stalls(s); }) ||
           emitFrom([&](int s) { return asynchronous(s); }) || emitFrom([](int) { return true; })) {
    }
    std::vector<Step> ordered;
    for (int s : emitted) {
      ordered.push_back(std::move(out_.steps[s]));
      for (int& after : ordered.back().after) after = position[after];
    }
    out_.steps = std::move(ordered);
  }

  void listTensors() {
    std::vector<std::vector<bool>> used(out_.spaces, std::vector<bool>(m_.tensors.size()));
    for (const Step& step : out_.steps) {
      int space = out_.space[step.device];
      if (step.kind != Step::Kind::Launch) {
        used[space][step.tensor] = used[0][step.tensor] = true;
        continue;
      }
      for (int input : step.inputs) used[space][input] = true;
      for (int output : step.outputs) used[space][output] = true;
    }
    for (const auto* ports : {&m_.inputs, &m_.outputs}) {
      for (const abi::Port& port : *ports) used[0][rootTensor(m_, port.tensor)] = true;
    }
    out_.tensors.resize(out_.spaces);
    for (int space = 0; space < out_.spaces; ++space) {
      for (size_t t = 0; t < m_.tensors.size(); ++t) {
        bool constant = m_.tensors[t].kind == TensorKind::Constant;
        if (used[space][t] && !constant) out_.tensors[space].push_back(static_cast<int>(t));
      }
    }
  }

  struct Held {
    bool here = false;
    std::vector<int> steps;  // that wrote it
  };
  const Manifest& m_;
  const PlanEntry& plan_;
  const std::vector<ScheduleDevice>& devices_;
  Schedule out_;
  std::map<int, Fused> segments_;         // by first task
  std::vector<int> owner_;                // by space: its device, -1 for the host's
  std::vector<std::vector<Held>> valid_;  // by root tensor, by space
};

}  // namespace

Result<Schedule> makeSchedule(const Manifest& manifest, const PlanEntry& plan,
                              const std::vector<ScheduleDevice>& devices) {
  return Scheduler(manifest, plan, devices).run();
}

Lifetimes::Lifetimes(const Manifest& m, const Schedule& schedule) {
  size_t count = schedule.steps.size();
  size_t words = (count + 63) / 64;
  earlier_.assign(count, Bits(words));
  std::vector<int> last(schedule.space.size(), -1);
  for (size_t s = 0; s < count; ++s) {
    std::vector<int> before = schedule.steps[s].after;
    int& previous = last[schedule.steps[s].device];
    if (previous >= 0) before.push_back(previous);
    for (int b : before) {
      for (size_t w = 0; w < words; ++w) earlier_[s][w] |= earlier_[b][w];
      earlier_[s][b / 64] |= uint64_t{1} << (b % 64);
    }
    previous = static_cast<int>(s);
  }

  uses_.assign(schedule.spaces, std::vector<Uses>(m.tensors.size()));
  for (const abi::Port& port : m.inputs) uses_[0][port.tensor].from_start = true;
  for (const abi::Port& port : m.outputs) uses_[0][rootTensor(m, port.tensor)].to_end = true;
  for (size_t s = 0; s < count; ++s) {
    const Step& step = schedule.steps[s];
    int space = schedule.space[step.device], number = static_cast<int>(s);
    auto reads = [&](int where, int tensor) { uses_[where][tensor].all.push_back(number); };
    auto writes = [&](int where, int tensor) {
      reads(where, tensor);
      uses_[where][tensor].writers.push_back(number);
    };
    if (step.kind == Step::Kind::CopyIn) reads(0, step.tensor), writes(space, step.tensor);
    if (step.kind == Step::Kind::CopyOut) reads(space, step.tensor), writes(0, step.tensor);
    if (step.kind != Step::Kind::Launch) continue;
    for (int input : step.inputs) reads(space, input);
    for (int output : step.outputs) writes(space, output);
  }
}

bool Lifetimes::before(int first, int second) const {
  return (earlier_[second][first / 64] >> (first % 64) & 1) != 0;
}

// Everything that uses `a` is done before anything writes `b`.
bool Lifetimes::deadBefore(const Uses& a, const Uses& b) const {
  if (a.to_end || b.from_start) return false;
  for (int writer : b.writers) {
    for (int use : a.all) {
      if (!before(use, writer)) return false;
    }
  }
  return true;
}

bool Lifetimes::conflict(int space, int a, int b) const {
  const Uses &first = uses_[space][a], &second = uses_[space][b];
  return !deadBefore(first, second) && !deadBefore(second, first);
}

}  // namespace tetrarch::run
