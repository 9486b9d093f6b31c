#include "tetrarch/devices/fpga/timing.h"

#include <algorithm>
#include <limits>
#include <optional>

#include "tetrarch/devices/fpga/timing_nest.h"

namespace tetrarch::fpga {
namespace {

// Steps without a repetition that are enough to give up.
constexpr int64_t kMaxSteps = 200'000'000;

enum class Phase : uint8_t { Waits, Runs, Ended };

struct StageState {
  Phase phase = Phase::Waits;
  int64_t end = 0;  // of a machine that runs, or of a stage that ended: its last cycle
};

struct PortState {
  bool is_input;
  uint32_t stream;
  int64_t total, done = 0;  // beats
};

// All that decides what happens from some cycle on, but for which iterations come.
struct Snapshot {
  int64_t cycle = -1;  // none
  std::vector<int64_t> beats;
  std::vector<StageState> stages;
  std::vector<int64_t> port_beats;
  struct OfNest {
    int64_t issued, left, enabled, until_issue;
    std::deque<int64_t> in_flight;
  };
  std::vector<OfNest> nests;
};

// Compares with one snapshot until it has been compared so often, then takes a new one, to be compared twice
// as often (Brent): finds any period.
struct Watch {
  Snapshot snapshot;
  int64_t compared = 0, limit = 1;
};

class Simulation {
 public:
  Simulation(const Kernel& kernel, std::span<const int64_t> machine_cycles);
  Result<Timing> run();

 private:
  bool step();
  void begin();
  void stepPort(PortState& port);
  void stepNest(size_t stage, NestTiming& nest);
  bool isFull(uint32_t stream) const { return beats_[stream] >= kernel_.streams[stream].depth; }
  void act() { last_ = cycle_, acted_ = true; }
  bool isBlocked(const NestTiming& nest) const {
    return nest.isAtEnd() && !nest.gives.all([&](uint32_t stream) { return !isFull(stream); });
  }
  std::optional<int64_t> quietCycles() const;
  bool isOver() const;
  Status stuck() const;

  void watch();
  bool isSame(const Snapshot& before) const;
  void take(Snapshot& snapshot) const;
  int64_t repeats(const Snapshot& before) const;
  void jump(const Snapshot& before, int64_t times);

  const Kernel& kernel_;
  const std::span<const int64_t> machine_cycles_;
  int64_t cycle_ = 0, last_ = -1, steps_ = 0;
  bool acted_ = false;           // something came, went or ended in this cycle
  std::vector<int64_t> beats_;   // in each stream at the beginning of the cycle
  std::vector<int64_t> change_;  // in this cycle
  std::vector<StageState> stages_;
  std::vector<std::optional<NestTiming>> nests_;  // of each stage
  std::vector<PortState> ports_;
  std::vector<std::vector<Watch>> watches_;  // of each stage's loops
  std::vector<size_t> issued_;               // stages of which an iteration issued in this cycle
};

int64_t beatsOf(const Kernel& kernel, const Port& port) {
  int64_t elements = 1;
  for (const Port::Loop& loop : port.loops) elements *= loop.extent;
  return elements / kernel.streams[port.stream].lanes;
}

Simulation::Simulation(const Kernel& kernel, std::span<const int64_t> machine_cycles)
    : kernel_(kernel),
      machine_cycles_(machine_cycles),
      beats_(kernel.streams.size()),
      change_(kernel.streams.size()),
      stages_(kernel.stages.size()) {
  for (const Stage& stage : kernel.stages) {
    const auto* nest = std::get_if<Nest>(&stage.work);
    nests_.push_back(nest ? std::optional<NestTiming>(*nest) : std::nullopt);
    watches_.emplace_back(nest ? nest->loops.size() : 0);
  }
  for (const Port& port : kernel.ports) ports_.push_back({port.is_input, port.stream, beatsOf(kernel, port)});
}

// ---- one cycle --------------------------------------------------------------------------------------------

void Simulation::begin() {
  for (size_t i = 0; i < stages_.size(); ++i) {
    if (stages_[i].phase != Phase::Waits) continue;
    const auto hasEnded = [&](uint32_t s) {
      return stages_[s].phase == Phase::Ended && stages_[s].end < cycle_;
    };
    if (!std::ranges::all_of(kernel_.stages[i].after, hasEnded)) continue;
    stages_[i].phase = Phase::Runs;
    if (!nests_[i]) stages_[i].end = cycle_ + machine_cycles_[i] - 1;
  }
}

void Simulation::stepPort(PortState& port) {
  const bool goes = port.is_input ? port.done < port.total && !isFull(port.stream) : beats_[port.stream] > 0;
  if (!goes) return;
  ++port.done;
  change_[port.stream] += port.is_input ? 1 : -1;
  act();
}

void Simulation::stepNest(size_t stage, NestTiming& nest) {
  if (isBlocked(nest)) return;
  if (nest.isAtEnd()) {
    nest.gives.all([&](uint32_t stream) { return ++change_[stream], true; });
    nest.gives.next();
    nest.in_flight.pop_front();
    act();
    if (nest.left() == nest.iterations) stages_[stage] = {Phase::Ended, cycle_};
  }
  if (nest.issued() < nest.iterations && nest.untilIssue() == 0 &&
      nest.takes.all([&](uint32_t stream) { return beats_[stream] > 0; })) {
    nest.takes.all([&](uint32_t stream) { return --change_[stream], true; });
    nest.takes.next();
    nest.in_flight.push_back(nest.enabled);
    nest.next_issue = nest.enabled + nest.interval;
    issued_.push_back(stage);
    acted_ = true;
  }
  ++nest.enabled;
}

// When nothing happened in the last cycle, the number of cycles until something can; nothing: it never does.
std::optional<int64_t> Simulation::quietCycles() const {
  std::optional<int64_t> quiet;
  const auto until = [&](int64_t cycles) { quiet = std::min(quiet.value_or(cycles), cycles); };
  for (size_t i = 0; i < stages_.size(); ++i) {
    if (stages_[i].phase != Phase::Runs) continue;
    if (!nests_[i]) {
      until(stages_[i].end - cycle_);
      continue;
    }
    const NestTiming& nest = *nests_[i];
    if (isBlocked(nest)) continue;
    if (!nest.in_flight.empty()) until(nest.depth - (nest.enabled - nest.in_flight.front()));
    if (nest.issued() == nest.iterations) continue;
    const bool has_beats = nest.takes.all([&](uint32_t stream) { return beats_[stream] > 0; });
    if (has_beats) until(nest.untilIssue());
  }
  return quiet;
}

// Whether the run goes on.
bool Simulation::step() {
  acted_ = false;
  issued_.clear();
  begin();
  for (PortState& port : ports_) stepPort(port);
  for (size_t i = 0; i < stages_.size(); ++i) {
    StageState& state = stages_[i];
    if (state.phase != Phase::Runs) continue;
    if (nests_[i]) {
      stepNest(i, *nests_[i]);
    } else if (state.end <= cycle_) {
      state.phase = Phase::Ended;
      act();
    }
  }
  for (size_t s = 0; s < beats_.size(); ++s) {
    beats_[s] += change_[s];
    change_[s] = 0;
  }
  ++cycle_;
  ++steps_;
  if (acted_) return true;
  const std::optional<int64_t> quiet = quietCycles();
  if (!quiet) return false;
  for (size_t i = 0; i < stages_.size(); ++i) {
    if (nests_[i] && stages_[i].phase == Phase::Runs && !isBlocked(*nests_[i])) nests_[i]->enabled += *quiet;
  }
  cycle_ += *quiet;
  return true;
}

// ---- what repeats -----------------------------------------------------------------------------------------

// Stages that only wait for a machine, and machines, are the same as long as they do.
bool Simulation::isSame(const Snapshot& before) const {
  if (before.beats != beats_) return false;
  for (size_t i = 0; i < stages_.size(); ++i) {
    if (stages_[i].phase != before.stages[i].phase) return false;
    if (!nests_[i] || stages_[i].phase != Phase::Runs) continue;
    const NestTiming& now = *nests_[i];
    const Snapshot::OfNest& then = before.nests[i];
    if (now.in_flight.size() != then.in_flight.size() || now.untilIssue() != then.until_issue) return false;
    const int64_t shift = now.enabled - then.enabled;
    const auto isShifted = [&](int64_t a, int64_t b) { return a == b + shift; };
    if (!std::ranges::equal(now.in_flight, then.in_flight, isShifted)) return false;
  }
  return true;
}

void Simulation::take(Snapshot& snapshot) const {
  snapshot.cycle = cycle_;
  snapshot.beats = beats_;
  snapshot.stages = stages_;
  snapshot.port_beats.clear();
  for (const PortState& port : ports_) snapshot.port_beats.push_back(port.done);
  snapshot.nests.resize(nests_.size());
  for (size_t i = 0; i < nests_.size(); ++i) {
    if (!nests_[i]) continue;
    const NestTiming& nest = *nests_[i];
    snapshot.nests[i] = {nest.issued(), nest.left(), nest.enabled, nest.untilIssue(), nest.in_flight};
  }
}

// How often everything since then happens again before anything ends or an iteration touches other streams.
int64_t Simulation::repeats(const Snapshot& before) const {
  int64_t times = std::numeric_limits<int64_t>::max();
  const int64_t period = cycle_ - before.cycle;
  for (size_t p = 0; p < ports_.size(); ++p) {
    const int64_t beats = ports_[p].done - before.port_beats[p];
    if (beats > 0)
      times = std::min(times, std::max<int64_t>(ports_[p].total - ports_[p].done - 1, 0) / beats);
  }
  for (size_t i = 0; i < stages_.size(); ++i) {
    if (stages_[i].phase != Phase::Runs) continue;
    if (nests_[i]) {
      const Snapshot::OfNest& then = before.nests[i];
      times = std::min(times, nests_[i]->repeats(then.left, nests_[i]->issued() - then.issued));
    } else {
      times = std::min(times, std::max<int64_t>(stages_[i].end - cycle_, 0) / period);
    }
  }
  return times;
}

void Simulation::jump(const Snapshot& before, int64_t times) {
  for (size_t i = 0; i < stages_.size(); ++i) {
    if (!nests_[i] || stages_[i].phase != Phase::Runs) continue;
    NestTiming& nest = *nests_[i];
    const Snapshot::OfNest& then = before.nests[i];
    nest.jump(times, nest.issued() - then.issued, nest.enabled - then.enabled);
  }
  for (size_t p = 0; p < ports_.size(); ++p)
    ports_[p].done += times * (ports_[p].done - before.port_beats[p]);
  const int64_t period = cycle_ - before.cycle;
  cycle_ += times * period;
  last_ += times * period;
}

// Looks at the state whenever an iteration issued with which loops inside of some loop begin again.
void Simulation::watch() {
  for (const size_t stage : issued_) {
    for (size_t loop = nests_[stage]->takes.level(); loop < watches_[stage].size(); ++loop) {
      Watch& watch = watches_[stage][loop];
      if (watch.snapshot.cycle >= 0 && isSame(watch.snapshot)) {
        const int64_t times = repeats(watch.snapshot);
        if (times > 0) {
          jump(watch.snapshot, times);
          watch = {};
          return;
        }
      }
      if (watch.snapshot.cycle >= 0 && ++watch.compared < watch.limit) continue;
      take(watch.snapshot);
      watch.compared = 0;
      watch.limit *= 2;
    }
  }
}

// ---- a run ------------------------------------------------------------------------------------------------

bool Simulation::isOver() const {
  return std::ranges::all_of(stages_, [](const StageState& s) { return s.phase == Phase::Ended; }) &&
         std::ranges::all_of(ports_, [](const PortState& p) { return p.done == p.total; });
}

Status Simulation::stuck() const {
  for (size_t i = 0; i < stages_.size(); ++i) {
    if (stages_[i].phase == Phase::Ended) continue;
    const std::string& name = kernel_.stages[i].name;
    if (!nests_[i] || stages_[i].phase == Phase::Waits) continue;
    const bool is_full = nests_[i]->isAtEnd();
    uint32_t stream = 0;
    const Touches& touches = is_full ? nests_[i]->gives : nests_[i]->takes;
    touches.all([&](uint32_t s) {
      stream = s;
      return is_full ? !isFull(s) : beats_[s] > 0;
    });
    return fail(StatusCode::kFailedPrecondition, "stage {} waits for ever for {} stream {}, of depth {}",
                name, is_full ? "room in" : "a beat of", stream, kernel_.streams[stream].depth);
  }
  return fail(StatusCode::kFailedPrecondition, "a port waits for ever");
}

Result<Timing> Simulation::run() {
  while (!isOver()) {
    if (!step() && !isOver()) return propagate(stuck());
    if (steps_ > kMaxSteps) {
      return fail(StatusCode::kResourceExhausted, "its cycles are more than {} steps of simulation tell",
                  kMaxSteps);
    }
    watch();
  }
  return Timing{last_ + 1, steps_};
}

}  // namespace

Result<Timing> simulateTiming(const Kernel& kernel, std::span<const int64_t> machine_cycles) {
  return Simulation(kernel, machine_cycles).run();
}

bool hasMachine(const Kernel& kernel) {
  return std::ranges::any_of(kernel.stages,
                             [](const Stage& stage) { return std::holds_alternative<Machine>(stage.work); });
}

}  // namespace tetrarch::fpga
