#include "tetrarch/import/onnx/sampling.h"

#include <numeric>

#include "llvm/ADT/STLExtras.h"

namespace tetrarch::onnx {
namespace {

using enum tet::ComparisonDirection;

constexpr double kCubicA = -0.75;

Value within(GraphBuilder& b, Value x, double low, double high) {
  return b.binary("and", b.compare(GE, x, low), b.compare(LE, x, high));
}

// A triangle wave: x, turned round at `low` and `high` as often as it takes.
Value reflect(GraphBuilder& b, Value x, double low, double high) {
  const double span = high - low;
  if (span <= 0) return b.like(x, low);
  const Value phase = b.binary("remainder", b.abs(b.sub(x, low)), 2 * span);
  const Value turned = b.select(b.compare(LE, phase, span), phase, b.sub(b.like(phase, 2 * span), phase));
  return b.select(within(b, x, low, high), x, b.add(turned, low));
}

Value toIndex(GraphBuilder& b, Value at, int64_t size) {
  return b.convert(b.clamp(at, 0, static_cast<double>(size - 1)), ElementType::I64);
}

// A tap at `at`, a whole number in f32 that may lie beyond the axis.
Tap tapOf(GraphBuilder& b, Value at, Value weight, const SampledAxis& axis, Outside outside) {
  if (outside == Outside::Reflection)
    return {toIndex(b, reflect(b, at, axis.low, axis.high), axis.size), weight};
  if (outside == Outside::Border) return {toIndex(b, at, axis.size), weight};
  const Value inside = b.convert(within(b, at, 0, static_cast<double>(axis.size - 1)), ElementType::F32);
  return {toIndex(b, at, axis.size), weight ? b.mul(weight, inside) : inside};
}

// Keys' cubic: of an element at most 1 away, and of one between 1 and 2 away.
Value cubicNear(GraphBuilder& b, Value x) {
  const Value inner = b.sub(b.mul(x, kCubicA + 2), kCubicA + 3);
  return b.add(b.mul(b.mul(inner, x), x), 1);
}
Value cubicFar(GraphBuilder& b, Value x) {
  const Value inner = b.add(b.mul(b.sub(b.mul(x, kCubicA), 5 * kCubicA), x), 8 * kCubicA);
  return b.sub(b.mul(inner, x), 4 * kCubicA);
}

}  // namespace

Taps tapsAt(GraphBuilder& b, Value position, const SampledAxis& axis, Interpolation interpolation,
            Outside outside) {
  Value at = position;
  if (interpolation == Interpolation::Nearest) at = b.unary("round_nearest_even", at);
  // A cubic goes on beyond the border, over elements that repeat it.
  if (outside == Outside::Border && interpolation != Interpolation::Cubic)
    at = b.clamp(at, 0, static_cast<double>(axis.size - 1));
  if (outside == Outside::Reflection) at = reflect(b, at, axis.low, axis.high);
  if (interpolation == Interpolation::Nearest) return {tapOf(b, at, {}, axis, outside)};
  const Value low = b.floor(at), part = b.sub(at, low), rest = b.sub(b.like(part, 1), part);
  auto tap = [&](double offset, Value weight) { return tapOf(b, b.add(low, offset), weight, axis, outside); };
  if (interpolation == Interpolation::Linear) return {tap(0, rest), tap(1, part)};
  return {tap(-1, cubicFar(b, b.add(part, 1))), tap(0, cubicNear(b, part)), tap(1, cubicNear(b, rest)),
          tap(2, cubicFar(b, b.add(rest, 1)))};
}

Taps borderTaps(GraphBuilder& b, Value position, int64_t size) {
  const Value inside = b.convert(within(b, position, -1, static_cast<double>(size)), ElementType::F32);
  const Value at = b.clamp(position, 0, static_cast<double>(size - 1));
  const Value low = b.floor(at), part = b.sub(at, low);
  return {{toIndex(b, low, size), b.mul(b.sub(b.like(part, 1), part), inside)},
          {toIndex(b, b.add(low, 1), size), b.mul(part, inside)}};
}

Value rowsOfChannels(GraphBuilder& b, Value x) {
  Shape order = range(rankOf(x));
  std::rotate(order.begin() + 1, order.begin() + 2, order.end());
  int64_t rows = dimOf(x, 0);
  for (int64_t d = 2; d < rankOf(x); ++d) rows *= dimOf(x, d);
  return b.reshape(b.transpose(x, order), {rows, dimOf(x, 1)});
}

void forEachTap(GraphBuilder& b, Value rows, Value first, llvm::ArrayRef<Taps> axes,
                llvm::ArrayRef<int64_t> sizes, llvm::function_ref<void(Value, Value)> visit) {
  std::vector<size_t> choice(axes.size(), 0);
  while (b.ok()) {
    Value row, weight;
    for (size_t d = 0; d < axes.size(); ++d) {
      const Tap& tap = axes[d][choice[d]];
      row = row ? b.add(b.mul(row, static_cast<double>(sizes[d])), tap.index) : tap.index;
      if (tap.weight) weight = weight ? b.mul(weight, tap.weight) : tap.weight;
    }
    visit(b.take(rows, b.add(row, first), 0), weight);
    size_t d = axes.size();
    while (d > 0 && ++choice[d - 1] == axes[d - 1].size()) choice[--d] = 0;
    if (d == 0) return;
  }
}

Value weighted(GraphBuilder& b, Value elements, Value weight) {
  if (!weight) return elements;
  const Value factor = b.convert(weight, typeOf(elements));
  return b.mul(elements, b.broadcastInDim(factor, shapeOf(elements), range(rankOf(weight))));
}

Value sample(GraphBuilder& b, Value rows, Value first, llvm::ArrayRef<Taps> axes,
             llvm::ArrayRef<int64_t> sizes) {
  Value sum;
  forEachTap(b, rows, first, axes, sizes, [&](Value elements, Value weight) {
    const Value term = weighted(b, elements, weight);
    sum = sum ? b.add(sum, term) : term;
  });
  return sum;
}

}  // namespace tetrarch::onnx
