#include "tetrarch/compile/target/fpga/sharing.h"

#include <algorithm>
#include <set>

#include "tetrarch/abi/fpga_cost.h"
#include "tetrarch/compile/target/fpga/pipeline.h"

namespace tetrarch::fpga {
namespace {

// Of an operand: constants cost nothing to choose from.
int sourcesOf(const Nest& nest, const std::vector<uint32_t>& users, size_t operand) {
  int sources = 0;
  for (uint32_t user : users) sources += nest.nodes[nest.nodes[user].operands[operand]].op != Operator::Const;
  return sources;
}

}  // namespace

bool isWorthSharing(const std::vector<Node>& nodes, size_t node) {
  const Resources uses = costOf(nodes, node).uses;
  int64_t choosers = 0;  // of two
  for (uint32_t operand : nodes[node].operands) choosers += nodes[operand].type.width;
  return uses.multipliers > 0 || uses.luts >= 2 * choosers;
}

bool haveSameOperator(const std::vector<Node>& nodes, size_t a, size_t b) {
  const auto typeOf = [&](size_t i) { return nodes[nodes[i].operands.back()].type; };
  return nodes[a].op == nodes[b].op && nodes[a].type == nodes[b].type && typeOf(a) == typeOf(b);
}

bool gainsByTurns(const Nest& nest) {
  const std::vector<bool> recurrences = recurrencesOf(nest);
  std::vector<size_t> seen;
  for (size_t i = 0; i < nest.nodes.size(); ++i) {
    if (operatorInfo(nest.nodes[i].op).domain == Domain::Source || recurrences[i]) continue;
    if (!isWorthSharing(nest.nodes, i)) continue;
    if (std::ranges::any_of(seen, [&](size_t other) { return haveSameOperator(nest.nodes, i, other); }))
      return true;
    seen.push_back(i);
  }
  return false;
}

Operators operatorsOf(const Nest& nest) {
  Operators operators;
  const std::vector<bool> recurrences = recurrencesOf(nest);
  std::vector<std::set<uint32_t>> phases;  // that are taken, of each operator
  for (uint32_t i = 0; i < nest.nodes.size(); ++i) {
    if (operatorInfo(nest.nodes[i].op).domain == Domain::Source) continue;
    const uint32_t phase = nest.nodes[i].cycle % nest.interval;
    size_t at = operators.size();
    if (nest.shares && !recurrences[i] && isWorthSharing(nest.nodes, i)) {
      for (size_t o = 0; o < operators.size(); ++o) {
        const uint32_t other = operators[o][0];
        if (recurrences[other] || phases[o].contains(phase) || !haveSameOperator(nest.nodes, i, other))
          continue;
        at = o;
        break;
      }
    }
    if (at == operators.size()) operators.emplace_back(), phases.emplace_back();
    operators[at].push_back(i);
    phases[at].insert(phase);
  }
  return operators;
}

// Pairs of operands with their phases in a LUT each, and what joins them.
int64_t chooserLuts(const Nest& nest, const std::vector<uint32_t>& users) {
  if (users.size() < 2) return 0;
  int64_t luts = 0;
  for (size_t o = 0; o < nest.nodes[users[0]].operands.size(); ++o) {
    const int64_t pairs = (sourcesOf(nest, users, o) + 1) / 2;
    luts += (pairs + (pairs + 1) / 3) * nest.nodes[nest.nodes[users[0]].operands[o]].type.width;
  }
  return luts;
}

}  // namespace tetrarch::fpga
