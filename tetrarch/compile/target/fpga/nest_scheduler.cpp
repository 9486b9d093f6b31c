// Operators start as early as they can; then what can wait does, where fewer bits wait for it.
#include "tetrarch/compile/target/fpga/nest_scheduler.h"

#include <algorithm>
#include <functional>
#include <set>

#include "tetrarch/abi/fpga_boxes.h"
#include "tetrarch/abi/fpga_cost.h"
#include "tetrarch/compile/target/fpga/pipeline.h"
#include "tetrarch/compile/target/fpga/sharing.h"

namespace tetrarch::fpga {
namespace {

// Cells beyond this number are in block RAM, which is asked two cycles before: fpga_cells.
constexpr int64_t kFewCells = 64;
constexpr int kCellReadCycles = 2;
constexpr size_t kLutInputs = 4;

bool isAtIssue(Operator op) {
  return op == Operator::Const || op == Operator::Affine || op == Operator::Inside || op == Operator::Pop;
}
// Operators that are LUTs without a register behind them.
bool isLogic(const std::vector<Node>& nodes, size_t i) {
  return operatorInfo(nodes[i].op).domain != Domain::Source && costOf(nodes, i).latency == 0 &&
         !isWire(nodes, i);
}
// What such a node gives comes from a register.
bool isRegister(Operator op) {
  return op == Operator::Const || op == Operator::Affine || op == Operator::Delay;
}

bool loadsItsStores(const Nest& nest, size_t i) {
  return nest.nodes[i].op == Operator::Load && !storesTo(nest, i).empty();
}

// When a value is there, and after how many LUTs in that cycle.
struct Arrival {
  int cycle = 0, level = 0;
  auto operator<=>(const Arrival&) const = default;
};

// What a LUT computes a value of, and the highest level of those.
struct Cone {
  std::vector<uint32_t> inputs;
  int level = 0;
};

// The arrivals of a nest's values, each worked out from the cycle of its node and those of its operands.
class Arrivals {
 public:
  explicit Arrivals(const Nest& nest)
      : nest_(nest), arrivals_(nest.nodes.size()), cones_(nest.nodes.size()) {}

  const Arrival& operator[](size_t i) const { return arrivals_[i]; }
  // After the node's cycle was set.
  void update(size_t i);
  // Before its operator; more than kChain - 1 is too late for one that has a LUT.
  int levelBefore(size_t i, int cycle) const;
  // Of the LUT of a node without a register.
  Cone coneOf(size_t i, int cycle) const;

 private:
  bool isLate(uint32_t operand, int cycle) const { return arrivals_[operand].cycle >= cycle; }

  const Nest& nest_;
  std::vector<Arrival> arrivals_;
  std::vector<Cone> cones_;
};

int Arrivals::levelBefore(size_t i, int cycle) const {
  if (isLogic(nest_.nodes, i)) return coneOf(i, cycle).level;
  int level = 0;
  for (uint32_t operand : nest_.nodes[i].operands) {
    if (isLate(operand, cycle)) level = std::max(level, arrivals_[operand].level);
  }
  return level;
}

Cone Arrivals::coneOf(size_t i, int cycle) const {
  Cone joined, direct;
  for (uint32_t operand : nest_.nodes[i].operands) {
    if (nest_.nodes[operand].op == Operator::Const) continue;
    const bool is_late = isLate(operand, cycle);
    direct.inputs.push_back(operand);
    if (is_late) direct.level = std::max(direct.level, arrivals_[operand].level);
    if (is_late && isLogic(nest_.nodes, operand)) {
      joined.inputs.insert(joined.inputs.end(), cones_[operand].inputs.begin(), cones_[operand].inputs.end());
      joined.level = std::max(joined.level, cones_[operand].level);
    } else {
      joined.inputs.push_back(operand);
      if (is_late) joined.level = std::max(joined.level, arrivals_[operand].level);
    }
  }
  std::ranges::sort(joined.inputs);
  const auto rest = std::ranges::unique(joined.inputs);
  joined.inputs.erase(rest.begin(), rest.end());
  return joined.inputs.size() <= kLutInputs ? joined : direct;
}

void Arrivals::update(size_t i) {
  const Node& node = nest_.nodes[i];
  const int cycle = static_cast<int>(node.cycle), took = costOf(nest_.nodes, i).latency;
  arrivals_[i] = {cycle + took, 0};
  if (took > 0 || isRegister(node.op)) return;
  if (isLogic(nest_.nodes, i)) {
    cones_[i] = coneOf(i, cycle);
    arrivals_[i].level = cones_[i].level + 1;
  } else {
    arrivals_[i].level = levelBefore(i, cycle) + !isWire(nest_.nodes, i);
  }
}

// How many nodes start in each phase of the interval, of each kind of operator that is shared.
class Reservations {
 public:
  Reservations(const Nest& nest, const std::vector<bool>& recurrences);

  bool has(size_t i) const { return kind_[i] >= 0; }
  bool hasRoom(size_t i, int cycle) const { return !has(i) || taken(i, cycle) < most_[kind_[i]]; }
  void take(size_t i, int cycle) { change(i, cycle, 1); }
  void leave(size_t i, int cycle) { change(i, cycle, -1); }

 private:
  int taken(size_t i, int cycle) const { return taken_[kind_[i]][cycle % nest_.interval]; }
  void change(size_t i, int cycle, int by) {
    if (has(i)) taken_[kind_[i]][cycle % nest_.interval] += by;
  }

  const Nest& nest_;
  std::vector<int> kind_;  // of each node; -1: it has an operator of its own
  std::vector<int> most_;  // of each kind
  std::vector<std::vector<int>> taken_;
};

Reservations::Reservations(const Nest& nest, const std::vector<bool>& recurrences)
    : nest_(nest), kind_(nest.nodes.size(), -1) {
  std::vector<size_t> firsts;
  for (size_t i = 0; nest.shares && i < nest.nodes.size(); ++i) {
    if (operatorInfo(nest.nodes[i].op).domain == Domain::Source || recurrences[i]) continue;
    if (!isWorthSharing(nest.nodes, i)) continue;
    auto first = std::ranges::find_if(firsts, [&](size_t f) { return haveSameOperator(nest.nodes, f, i); });
    kind_[i] = static_cast<int>(first - firsts.begin());
    if (first == firsts.end()) firsts.push_back(i), most_.push_back(0);
    ++most_[kind_[i]];
  }
  for (int& most : most_)
    most = (most + static_cast<int>(nest.interval) - 1) / static_cast<int>(nest.interval);
  taken_.assign(most_.size(), std::vector<int>(nest.interval));
}

class NestScheduler {
 public:
  // Loads of what the nest stores begin not before `loads`.
  explicit NestScheduler(Nest& nest, int loads = 0)
      : nest_(nest),
        loads_(loads),
        arrivals_(nest),
        in_recurrence_(recurrencesOf(nest)),
        reservations_(nest, in_recurrence_) {}

  // As early as can be. Returns the interval that recurrences need, through cells or memories.
  uint32_t run();
  // Later where that saves bits that wait.
  void settle();

 private:
  Node& node(size_t i) { return nest_.nodes[i]; }
  // Places a node behind its operands (those that `counts` says), not before `least`.
  template <typename Counts>
  void place(size_t i, int least, const Counts& counts);
  int beginOfRecurrences(int64_t distance);

  bool isMovable(size_t i) const;
  bool isTooLate(size_t i) const;
  bool move(size_t i, int cycle);
  bool spread(size_t from);
  int64_t waitingBits(size_t i) const;
  int64_t waitingBitsAround(size_t i, int cycle);
  void moveTakes(size_t i, int from, int to);
  void moveLater(size_t i);
  void moveEarlier(size_t i);

  Nest& nest_;
  const int loads_;
  Arrivals arrivals_;
  const std::vector<bool> in_recurrence_;
  Reservations reservations_;
  std::vector<std::multiset<int>> takes_;
  std::vector<std::vector<uint32_t>> users_, roots_;  // roots: operands, what wires rename in their place
  std::vector<bool> is_held_;  // by an accumulator or a load, which takes it where it is
};

template <typename Counts>
void NestScheduler::place(size_t i, int least, const Counts& counts) {
  int start = loadsItsStores(nest_, i) ? std::max(least, loads_) : least;
  for (uint32_t operand : node(i).operands) {
    if (counts(operand)) start = std::max(start, arrivals_[operand].cycle);
  }
  const bool is_at_issue = isAtIssue(node(i).op);
  if (!is_at_issue && !isWire(nest_.nodes, i) && arrivals_.levelBefore(i, start) >= kChain) ++start;
  while (!reservations_.hasRoom(i, start)) ++start;
  reservations_.take(i, start);
  node(i).cycle = is_at_issue ? 0 : static_cast<uint32_t>(start);
  arrivals_.update(i);
}

// So late that nothing from outside of them delays them.
int NestScheduler::beginOfRecurrences(int64_t distance) {
  int begin = distance > kFewCells ? kCellReadCycles : 0;
  const auto waitFor = [&](uint32_t value, uint32_t relative) {
    const Arrival& arrival = arrivals_[value];
    begin = std::max(begin, arrival.cycle + (arrival.level > 0) - static_cast<int>(relative));
  };
  for (size_t i = 0; i < nest_.nodes.size(); ++i) {
    if (!in_recurrence_[i]) continue;
    if (node(i).op == Operator::Acc) waitFor(nest_.accumulators[node(i).imm].init, 0);
    for (uint32_t operand : node(i).operands) {
      if (!in_recurrence_[operand]) waitFor(operand, node(i).cycle);
    }
  }
  return begin;
}

uint32_t NestScheduler::run() {
  const size_t count = nest_.nodes.size();
  std::vector<bool> depends(count);  // on a cell
  for (size_t i = 0; i < count; ++i) {
    depends[i] = node(i).op == Operator::Acc ||
                 std::ranges::any_of(node(i).operands, [&](uint32_t o) { return depends[o]; });
  }
  const auto all = [](uint32_t) { return true; };
  const auto inside = [&](uint32_t operand) { return bool{in_recurrence_[operand]}; };
  for (size_t i = 0; i < count; ++i) {
    if (!depends[i]) place(i, 0, all);
  }
  // The recurrences alone, from cycle 0; then all of them as late as what they wait for.
  for (size_t i = 0; i < count; ++i) {
    if (in_recurrence_[i]) place(i, 0, inside);
  }
  const int64_t distance = updateDistance(nest_);
  const int begin = beginOfRecurrences(distance);
  for (size_t i = 0; i < count; ++i) {
    if (in_recurrence_[i]) place(i, begin, inside);
  }
  for (size_t i = 0; i < count; ++i) {
    if (depends[i] && !in_recurrence_[i]) place(i, node(i).op == Operator::Acc ? begin : 0, all);
  }

  int depth = 1, way = 0;
  for (size_t i = 0; i < count; ++i) depth = std::max(depth, arrivals_[i].cycle);
  for (const Node& acc : nest_.nodes) {
    if (acc.op != Operator::Acc) continue;
    way = std::max(way, arrivals_[nest_.accumulators[acc.imm].update].cycle - static_cast<int>(acc.cycle));
  }
  nest_.depth = static_cast<uint32_t>(depth);
  auto interval =
      distance == 0 ? 1 : static_cast<uint32_t>(std::max<int64_t>(1, (way + distance - 1) / distance));
  for (size_t i = 0; i < count; ++i) {
    if (!loadsItsStores(nest_, i)) continue;
    while (!isInMemory(nest_, i, interval) && !isOnItsWay(nest_, i, interval)) ++interval;
  }
  return interval;
}

// --- what waits
// ----------------------------------------------------------------------------------------------------------

bool NestScheduler::isMovable(size_t i) const {
  return operatorInfo(nest_.nodes[i].op).domain != Domain::Source && !isWire(nest_.nodes, i) &&
         !in_recurrence_[i] && !is_held_[i] && !takes_[i].empty();
}

bool NestScheduler::isTooLate(size_t i) const {
  const int cycle = static_cast<int>(nest_.nodes[i].cycle);
  return !isAtIssue(nest_.nodes[i].op) && !isWire(nest_.nodes, i) &&
         arrivals_.levelBefore(i, cycle) >= kChain;
}

// After a node moved: wires go along, and what follows it in one cycle gets another level. Whether all of
// them are still in time.
bool NestScheduler::spread(size_t from) {
  std::set<uint32_t> todo(users_[from].begin(), users_[from].end());
  bool in_time = !isTooLate(from);
  arrivals_.update(from);
  while (!todo.empty()) {
    const uint32_t i = *todo.begin();
    todo.erase(todo.begin());
    if (isWire(nest_.nodes, i)) {
      int cycle = 0;
      for (uint32_t operand : node(i).operands) cycle = std::max(cycle, arrivals_[operand].cycle);
      node(i).cycle = static_cast<uint32_t>(cycle);
    }
    in_time &= !isTooLate(i);
    arrivals_.update(i);
    if (costOf(nest_.nodes, i).latency == 0) todo.insert(users_[i].begin(), users_[i].end());
  }
  return in_time;
}

void NestScheduler::moveTakes(size_t i, int from, int to) {
  for (uint32_t root : roots_[i]) {
    takes_[root].erase(takes_[root].find(from));
    takes_[root].insert(to);
  }
}

// Unless it or what follows it would be too late.
bool NestScheduler::move(size_t i, int cycle) {
  const int before = static_cast<int>(node(i).cycle);
  reservations_.leave(i, before);
  const bool has_room = reservations_.hasRoom(i, cycle);
  if (has_room) {
    node(i).cycle = static_cast<uint32_t>(cycle);
    if (spread(i)) {
      reservations_.take(i, cycle);
      moveTakes(i, before, cycle);
      return true;
    }
    node(i).cycle = static_cast<uint32_t>(before);
    spread(i);
  }
  reservations_.take(i, before);
  return false;
}

int64_t NestScheduler::waitingBits(size_t i) const {
  const Resources uses = keepingOf(nest_.nodes[i].type.width, readyCycle(nest_.nodes, i), takes_[i]);
  return uses.flip_flops + uses.luts;
}

// Of a node and its operands, if it were in that cycle.
int64_t NestScheduler::waitingBitsAround(size_t i, int cycle) {
  const int before = static_cast<int>(node(i).cycle);
  const auto set = [&](int from, int to) {
    moveTakes(i, from, to);
    node(i).cycle = static_cast<uint32_t>(to);
  };
  set(before, cycle);
  int64_t bits = waitingBits(i);
  for (uint32_t root : std::set(roots_[i].begin(), roots_[i].end())) bits += waitingBits(root);
  set(cycle, before);
  return bits;
}

void NestScheduler::moveLater(size_t i) {
  const int latest = *takes_[i].begin() - costOf(nest_.nodes, i).latency;
  for (int cycle = latest; cycle > static_cast<int>(node(i).cycle); --cycle) {
    if (move(i, cycle)) return;
  }
}

// To where its operands are there, or to where the last other node takes one.
void NestScheduler::moveEarlier(size_t i) {
  const int now = static_cast<int>(node(i).cycle);
  int earliest = 0;
  for (uint32_t root : roots_[i]) earliest = std::max(earliest, readyCycle(nest_.nodes, root));
  std::set<int> places = {earliest};
  for (uint32_t root : roots_[i]) {
    const auto take = takes_[root].find(now);
    if (take != takes_[root].begin()) places.insert(std::max(earliest, *std::prev(take)));
  }
  int best = now;
  int64_t fewest = waitingBitsAround(i, now);
  for (int place : places) {
    if (place >= now) continue;
    if (const int64_t bits = waitingBitsAround(i, place); bits < fewest) best = place, fewest = bits;
  }
  for (int cycle = best; cycle < now; ++cycle) {
    if (move(i, cycle)) return;
  }
}

void NestScheduler::settle() {
  const size_t count = nest_.nodes.size();
  takes_ = takesOf(nest_);
  users_.resize(count), roots_.resize(count);
  is_held_.assign(count, false);
  for (const auto& [init, update] : nest_.accumulators) is_held_[init] = is_held_[update] = true;
  for (size_t i = 0; i < count; ++i) {
    if (!loadsItsStores(nest_, i)) continue;
    for (const Output* store : storesTo(nest_, i)) {
      is_held_[store->address] = true;
      if (store->enable >= 0) is_held_[static_cast<size_t>(store->enable)] = true;
      for (uint32_t value : store->values) is_held_[value] = true;
    }
  }
  for (uint32_t i = 0; i < count; ++i) {
    for (uint32_t operand : node(i).operands) {
      users_[operand].push_back(i);
      if (node(operand).op == Operator::Const) continue;
      if (isWire(nest_.nodes, operand))
        roots_[i].insert(roots_[i].end(), roots_[operand].begin(), roots_[operand].end());
      else
        roots_[i].push_back(operand);
    }
  }
  const auto waiting = [&] {
    int64_t bits = 0;
    for (size_t i = 0; i < count; ++i) bits += waitingBits(i);
    return bits;
  };
  const std::vector<Node> before = nest_.nodes;
  const int64_t bits = waiting();
  for (size_t i = count; i-- > 0;) {
    if (isMovable(i)) moveLater(i);
  }
  for (size_t i = 0; i < count; ++i) {
    if (isMovable(i)) moveEarlier(i);
  }
  if (waiting() > bits) nest_.nodes = before;
}

// Where loads of what the nest stores begin, so that the interval is short: what else goes into the stores
// should be there by then.
int beginOfLoads(Nest& nest) {
  uint32_t shortest = NestScheduler(nest).run();
  int best = 0;
  for (int begin = 1, last = static_cast<int>(nest.depth); begin <= last && shortest > 1; ++begin) {
    if (const uint32_t interval = NestScheduler(nest, begin).run(); interval < shortest)
      shortest = interval, best = begin;
  }
  return best;
}

}  // namespace

void scheduleNest(Nest& nest, uint32_t interval) {
  nest.shares = false;
  bool loads_its_stores = false;
  for (size_t i = 0; i < nest.nodes.size(); ++i) loads_its_stores |= loadsItsStores(nest, i);
  const int loads = loads_its_stores ? beginOfLoads(nest) : 0;
  nest.interval = NestScheduler(nest, loads).run();
  if (interval > 1 && !loads_its_stores) {
    nest.shares = true;
    nest.interval = std::max(nest.interval, interval);
  }
  NestScheduler scheduler(nest, loads);
  scheduler.run();
  scheduler.settle();
}

int64_t logicLuts(const Nest& nest) {
  Arrivals arrivals(nest);
  const std::vector<Node>& nodes = nest.nodes;
  std::vector<bool> is_lut(nodes.size());
  const auto need = [&](uint32_t node) {
    if (isLogic(nodes, node)) is_lut[node] = true;
  };
  const std::function<void(uint32_t)> needBehindWires = [&](uint32_t node) {
    if (!isWire(nodes, node)) return need(node);
    for (uint32_t operand : nodes[node].operands) needBehindWires(operand);
  };
  for (size_t i = 0; i < nodes.size(); ++i) {
    arrivals.update(i);
    if (isWire(nodes, i)) continue;
    if (!isLogic(nodes, i)) {
      for (uint32_t operand : nodes[i].operands) needBehindWires(operand);
      continue;
    }
    for (uint32_t input : arrivals.coneOf(i, static_cast<int>(nodes[i].cycle)).inputs) needBehindWires(input);
  }
  for (const Accumulator& accumulator : nest.accumulators) {
    needBehindWires(accumulator.init);
    needBehindWires(accumulator.update);
  }
  for (const Output& output : nest.outputs) {
    for (uint32_t value : output.values) needBehindWires(value);
    if (output.is_store) needBehindWires(output.address);
    if (output.enable >= 0) needBehindWires(static_cast<uint32_t>(output.enable));
  }
  int64_t luts = 0;
  for (size_t i = 0; i < nodes.size(); ++i) luts += is_lut[i] ? nodes[i].type.width : 0;
  return luts;
}

}  // namespace tetrarch::fpga
