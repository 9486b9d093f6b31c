#include "tetrarch/devices/npu/compare.h"

namespace tetrarch::npu {
namespace {

template <typename T>
std::string differenceOf(std::string_view what, const std::vector<T>& a, const std::vector<T>& b,
                         int64_t per_row) {
  return a == b ? "" : firstDifference<T>(what, a, b, per_row);
}

}  // namespace

std::string difference(const Timing& a, const Timing& b) {
  const auto describe = [](const Timing& t) {
    return fmt::format("'{}' (queue {}, index {})", causeText(t.cause), queueName(t.queue), t.index);
  };
  if (describe(a) != describe(b)) {
    return fmt::format("one ended with {}, the other with {}", describe(a), describe(b));
  }
  if (a.cycles != b.cycles) return fmt::format("one took {} cycles, the other {}", a.cycles, b.cycles);
  return "";
}

std::string difference(const State& a, const State& b) {
  const auto side = static_cast<int64_t>(a.parameters.bias.size());
  const auto row_bytes = static_cast<int64_t>(a.weights.size()) / side;
  const std::string memories[] = {differenceOf("the scratchpad", a.sp, b.sp, row_bytes),
                                  differenceOf("the accumulator memory", a.acc, b.acc, side),
                                  differenceOf("the table", a.table, b.table, 1),
                                  differenceOf("the array's weights", a.weights, b.weights, row_bytes)};
  for (const std::string& found : memories) {
    if (!found.empty()) return found;
  }
  if (a.parameters != b.parameters) return "the vector parameters differ";
  if (a.tokens != b.tokens) return "the token counters differ";
  if (a.load_loops != b.load_loops || a.store_loops != b.store_loops) return "the loops differ";
  return "";
}

}  // namespace tetrarch::npu
