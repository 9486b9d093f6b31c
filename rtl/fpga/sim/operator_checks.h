// An operator's module beside what the operator means: a value goes in at each enabled cycle, and the result
// is compared with evaluate() after just as many enabled cycles as costOf() says.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tetrarch/abi/fpga_cost.h"
#include "tetrarch/devices/fpga/evaluate.h"

namespace tetrarch::fpga {

struct Operands {
  uint64_t x = 0, y = 0;
};

template <typename Dut>
struct OperatorCheck {
  std::string name;
  Operator op;
  Type result, operand;
  uint64_t (*output)(const Dut&);
  bool of_integers = false;  // takes the second of the operands that a cycle has
};

template <typename Dut>
void clock(Dut& dut) {
  dut.clk_i = 0;
  dut.eval();
  dut.clk_i = 1;
  dut.eval();
}

// The operands of the last cycles, one pair for operators on floats and one for those on integers.
class History {
 public:
  struct Entry {
    Operands floats, integers;
  };
  void push(const Entry& entry) { entries_[next_++ % kSize] = entry; }
  // What came `latency` cycles before.
  const Entry& before(int latency) const { return entries_[(next_ - latency) % kSize]; }
  bool reaches(int latency) const { return next_ >= static_cast<uint64_t>(latency); }

 private:
  static constexpr uint64_t kSize = 128;
  Entry entries_[kSize];
  uint64_t next_ = 0;
};

// After a clock edge: the outputs of all operators that are due.
template <typename Dut>
testing::AssertionResult agree(const std::vector<OperatorCheck<Dut>>& checks, const Dut& dut,
                               const History& history) {
  for (const OperatorCheck<Dut>& check : checks) {
    const int latency = costOf(check.op, check.result, check.operand).latency;
    if (!history.reaches(latency)) continue;
    const History::Entry& entry = history.before(latency);
    const Operands& from = check.of_integers ? entry.integers : entry.floats;
    const uint64_t mask = onesOf(check.operand.width), x = from.x & mask, y = from.y & mask;
    const uint64_t got = check.output(dut), expected = evaluate(check.op, check.result, check.operand, x, y);
    if (got != expected)
      return testing::AssertionFailure()
             << check.name << std::hex << " of " << x << " and " << y << ": " << got << ", not " << expected;
  }
  return testing::AssertionSuccess();
}

}  // namespace tetrarch::fpga
