#include "tetrarch/compile/target/fpga/balance_sums.h"

#include <algorithm>
#include <map>
#include <tuple>

#include "tetrarch/abi/fpga_cost.h"

namespace tetrarch::fpga {
namespace {

// A cell comes after everything else.
constexpr int kCellTime = 1 << 20;
// A sum that does not wait for one that others use too adds no more values than these.
constexpr size_t kMostValues = 8;

// A value that a sum takes, and when it is there at the earliest.
struct Term {
  int time = 0;
  uint32_t node = 0;
  auto operator<=>(const Term&) const = default;
};

class SumBalancer {
 public:
  explicit SumBalancer(Nest& nest) : nest_(nest), old_(nest.nodes), new_of_(old_.size()), sums_(old_.size()) {
    uses_.resize(old_.size());
    for (const Node& node : old_) {
      for (uint32_t operand : node.operands) ++uses_[operand];
    }
  }

  void run();

 private:
  uint32_t add(Node node);
  uint32_t addSum(uint32_t index);
  bool isSum(uint32_t index, Type type) const {
    return old_[index].op == Operator::Add && old_[index].type == type;
  }
  std::vector<uint32_t> termsOf(uint32_t index) const;
  int timeOf(const std::vector<uint32_t>& terms) const;
  std::vector<Term> sorted(const std::vector<uint32_t>& terms) const;

  void dropUnused();
  void joinPairs();

  Nest& nest_;
  const std::vector<Node> old_;
  std::vector<uint32_t> new_of_;
  std::vector<int> uses_;                    // of the old nodes
  std::vector<std::vector<uint32_t>> sums_;  // the old nodes that an old sum adds
  std::vector<Node> nodes_;
  std::vector<int> times_;                                                          // of the new nodes
  std::map<std::tuple<Operator, uint8_t, std::vector<uint32_t>>, uint32_t> known_;  // sums
};

uint32_t SumBalancer::add(Node node) {
  int time = node.op == Operator::Acc ? kCellTime : 0;
  for (uint32_t operand : node.operands) time = std::max(time, times_[operand]);
  nodes_.push_back(std::move(node));
  times_.push_back(time + costOf(nodes_, nodes_.size() - 1).latency);
  return static_cast<uint32_t>(nodes_.size() - 1);
}

// Those of an operand that nothing else uses are its own.
std::vector<uint32_t> SumBalancer::termsOf(uint32_t index) const {
  std::vector<uint32_t> terms;
  for (uint32_t operand : old_[index].operands) {
    if (isSum(operand, old_[index].type) && uses_[operand] == 1)
      terms.insert(terms.end(), sums_[operand].begin(), sums_[operand].end());
    else
      terms.push_back(operand);
  }
  return terms;
}

std::vector<Term> SumBalancer::sorted(const std::vector<uint32_t>& terms) const {
  std::vector<Term> result;
  for (uint32_t term : terms) result.push_back({times_[new_of_[term]], new_of_[term]});
  std::ranges::sort(result);
  return result;
}

// How many of the first terms the next operator adds: a third one when it is there as early as the second.
size_t nextOperands(const std::vector<Term>& terms) {
  return terms.size() > 2 && terms[2].time <= terms[1].time ? 3 : 2;
}

int SumBalancer::timeOf(const std::vector<uint32_t>& terms) const {
  std::vector<Term> rest = sorted(terms);
  while (rest.size() > 1) {
    const size_t count = nextOperands(rest);
    const Term sum{rest[count - 1].time + 1, UINT32_MAX};
    rest.erase(rest.begin(), rest.begin() + static_cast<ptrdiff_t>(count));
    rest.insert(std::ranges::upper_bound(rest, sum), sum);
  }
  return rest[0].time;
}

uint32_t SumBalancer::addSum(uint32_t index) {
  const Type type = old_[index].type;
  std::vector<uint32_t> terms = termsOf(index);
  // As long as what it waits for is a sum itself, and its values would come earlier.
  for (int time = timeOf(terms);;) {
    const auto last = std::ranges::max_element(terms, {}, [&](uint32_t t) { return times_[new_of_[t]]; });
    if (!isSum(*last, type)) break;
    std::vector<uint32_t> more = terms;
    more.erase(more.begin() + (last - terms.begin()));
    more.insert(more.end(), sums_[*last].begin(), sums_[*last].end());
    const int earlier = timeOf(more);
    if (earlier >= time || more.size() > kMostValues) break;
    terms = std::move(more), time = earlier;
  }
  sums_[index] = terms;
  std::vector<Term> rest = sorted(terms);
  while (rest.size() > 1) {
    const auto end = rest.begin() + static_cast<ptrdiff_t>(nextOperands(rest));
    Node sum{.op = end - rest.begin() == 3 ? Operator::Add3 : Operator::Add, .type = type};
    for (auto it = rest.begin(); it != end; ++it) sum.operands.push_back(it->node);
    const std::tuple key(sum.op, type.width, sum.operands);
    auto [known, is_new] = known_.try_emplace(key);
    if (is_new) known->second = add(std::move(sum));
    const Term term{times_[known->second], known->second};
    rest.erase(rest.begin(), end);
    rest.insert(std::ranges::upper_bound(rest, term), term);
  }
  return rest[0].node;
}

// What is left of sums that others add themselves.
void SumBalancer::dropUnused() {
  std::vector<bool> is_used(nodes_.size());
  for (const auto& [init, update] : nest_.accumulators) is_used[init] = is_used[update] = true;
  for (const Output& output : nest_.outputs) {
    for (uint32_t value : output.values) is_used[value] = true;
    if (output.is_store) is_used[output.address] = true;
    if (output.enable >= 0) is_used[static_cast<size_t>(output.enable)] = true;
  }
  for (size_t i = nodes_.size(); i-- > 0;) {
    is_used[i] = is_used[i] || nodes_[i].op == Operator::Pop;
    for (uint32_t operand : nodes_[i].operands) is_used[operand] = is_used[operand] || is_used[i];
  }
  std::vector<uint32_t> place(nodes_.size());
  std::vector<Node> kept;
  for (size_t i = 0; i < nodes_.size(); ++i) {
    if (!is_used[i]) continue;
    place[i] = static_cast<uint32_t>(kept.size());
    for (uint32_t& operand : nodes_[i].operands) operand = place[operand];
    kept.push_back(std::move(nodes_[i]));
    times_[kept.size() - 1] = times_[i];
  }
  nodes_ = std::move(kept);
  for (auto& [init, update] : nest_.accumulators) init = place[init], update = place[update];
  for (Output& output : nest_.outputs) {
    for (uint32_t& value : output.values) value = place[value];
    output.address = output.is_store ? place[output.address] : output.address;
    if (output.enable >= 0) output.enable = place[static_cast<size_t>(output.enable)];
  }
}

// A sum of two that another one alone takes, later than the values are there, is part of it.
void SumBalancer::joinPairs() {
  std::vector<int> uses(nodes_.size());
  for (const Node& node : nodes_) {
    for (uint32_t operand : node.operands) ++uses[operand];
  }
  for (const auto& [init, update] : nest_.accumulators) ++uses[init], ++uses[update];
  for (const Output& output : nest_.outputs) {
    for (uint32_t value : output.values) ++uses[value];
    if (output.is_store) ++uses[output.address];
  }
  for (Node& node : nodes_) {
    if (node.op != Operator::Add) continue;
    for (size_t o : {0, 1}) {
      const uint32_t pair = node.operands[o], other = node.operands[1 - o];
      if (nodes_[pair].op != Operator::Add || nodes_[pair].type != node.type || uses[pair] != 1) continue;
      if (times_[pair] > times_[other] || times_[other] >= kCellTime) continue;
      node.op = Operator::Add3;
      node.operands = {nodes_[pair].operands[0], nodes_[pair].operands[1], other};
      break;
    }
  }
}

void SumBalancer::run() {
  for (uint32_t i = 0; i < old_.size(); ++i) {
    if (old_[i].op == Operator::Add) {
      new_of_[i] = addSum(i);
      continue;
    }
    Node node = old_[i];
    for (uint32_t& operand : node.operands) operand = new_of_[operand];
    new_of_[i] = add(std::move(node));
  }
  for (auto& [init, update] : nest_.accumulators) init = new_of_[init], update = new_of_[update];
  for (Output& output : nest_.outputs) {
    for (uint32_t& value : output.values) value = new_of_[value];
    if (output.is_store) output.address = new_of_[output.address];
    if (output.enable >= 0) output.enable = new_of_[static_cast<size_t>(output.enable)];
  }
  dropUnused();
  joinPairs();
  dropUnused();
  nest_.nodes = std::move(nodes_);
}

}  // namespace

void balanceSums(Nest& nest) { SumBalancer(nest).run(); }

}  // namespace tetrarch::fpga
