// What integers a value can be decides comparisons: a pixel is never negative, so rounding to below is
// truncation.
#include <limits>

#include "mlir/IR/Matchers.h"
#include "tetrarch/compile/rewrite/rules.h"
#include "tetrarch/graph/constants.h"

namespace tetrarch::compile {
namespace {

using namespace tet;  // the ops
using R = PatternRewriter;
using Direction = ComparisonDirection;

// What is farther from the question is not looked at.
constexpr int kDeepest = 12;

struct Range {
  int64_t low, high;
};

std::optional<Range> rangeOfType(mlir::Type type) {
  const unsigned bits = type.isInteger() ? type.getIntOrFloatBitWidth() : 64;
  if (bits >= 63) return std::nullopt;
  if (type.isUnsignedInteger() || bits == 1) return Range{0, (int64_t{1} << bits) - 1};
  return Range{-(int64_t{1} << (bits - 1)), (int64_t{1} << (bits - 1)) - 1};
}

// The range if the type holds it: nothing wraps then.
std::optional<Range> fitted(Range range, mlir::Type type) {
  const Range most = rangeOfType(type).value_or(
      Range{std::numeric_limits<int64_t>::min() / 4, std::numeric_limits<int64_t>::max() / 4});
  if (range.low < most.low || range.high > most.high) return std::nullopt;
  return range;
}

std::optional<Range> rangeOf(Value value, int depth = 0) {
  mlir::Type type = tensorType(value).getElementType();
  if (!type.isInteger()) return std::nullopt;
  const std::optional<Range> any = rangeOfType(type);
  mlir::Operation* op = value.getDefiningOp();
  if (!op || depth == kDeepest) return any;
  if (auto number = splatNumber(value); number && std::abs(*number) < 1e15)
    return Range{static_cast<int64_t>(*number), static_cast<int64_t>(*number)};
  auto operand = [&](unsigned i) { return rangeOf(op->getOperand(i), depth + 1); };
  if (llvm::isa<ReshapeOp, SliceOp, BroadcastInDimOp, TransposeOp>(op)) return operand(0);
  std::optional<Range> made;
  if (llvm::isa<ConvertOp>(op)) {
    made = operand(0);
  } else if (llvm::isa<AddOp, SubtractOp>(op)) {
    const auto a = operand(0), b = operand(1);
    if (a && b && llvm::isa<AddOp>(op)) made = Range{a->low + b->low, a->high + b->high};
    if (a && b && llvm::isa<SubtractOp>(op)) made = Range{a->low - b->high, a->high - b->low};
  }
  const std::optional<Range> kept = made ? fitted(*made, type) : std::nullopt;
  return kept ? kept : any;
}

std::optional<bool> holds(Direction direction, Range a, Range b) {
  const bool always_below = a.high<b.low, never_above = a.high <= b.low, always_above = a.low> b.high,
             never_below = a.low >= b.high;
  switch (direction) {
    case Direction::LT:
      return always_below ? std::optional(true) : never_below ? std::optional(false) : std::nullopt;
    case Direction::LE:
      return never_above ? std::optional(true) : always_above ? std::optional(false) : std::nullopt;
    case Direction::GT:
      return always_above ? std::optional(true) : never_above ? std::optional(false) : std::nullopt;
    case Direction::GE:
      return never_below ? std::optional(true) : always_below ? std::optional(false) : std::nullopt;
    case Direction::EQ:
      return always_below || always_above ? std::optional(false) : std::nullopt;
    case Direction::NE:
      return always_below || always_above ? std::optional(true) : std::nullopt;
  }
  return std::nullopt;
}

}  // namespace

void addRangeRules(mlir::RewritePatternSet& patterns) {
  addRules<CompareOp>(patterns, {
                                    // x < y is true or false, when no integers of their ranges say otherwise
                                    [](CompareOp op, R& r) -> Value {
                                      const auto a = rangeOf(op.getLhs()), b = rangeOf(op.getRhs());
                                      const auto known =
                                          a && b ? holds(op.getComparisonDirection(), *a, *b) : std::nullopt;
                                      if (!known) return Value();
                                      return makeSplat(r, op.getLoc(), tensorType(op.getResult()),
                                                       static_cast<int64_t>(*known));
                                    },
                                });
}

}  // namespace tetrarch::compile
