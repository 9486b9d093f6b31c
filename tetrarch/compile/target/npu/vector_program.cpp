#include "tetrarch/compile/target/npu/vector_program.h"

#include <algorithm>
#include <utility>

namespace tetrarch::npu {
namespace {

using Range = std::pair<__int128, __int128>;

Range rangeOf(const VectorNode& n) { return {n.low, n.high}; }

Range productRange(const Range& x, const Range& y) {
  const __int128 ends[] = {x.first * y.first, x.first * y.second, x.second * y.first, x.second * y.second};
  return {*std::min_element(ends, ends + 4), *std::max_element(ends, ends + 4)};
}

// What wraps may be anything.
void setRange(VectorNode& node, const Range& range) {
  const bool fits = range.first >= INT32_MIN && range.second <= INT32_MAX;
  node.low = fits ? static_cast<int64_t>(range.first) : INT32_MIN;
  node.high = fits ? static_cast<int64_t>(range.second) : INT32_MAX;
}

Range binaryRange(VectorKind kind, const Range& x, const Range& y, int64_t imm) {
  switch (kind) {
    case VectorKind::Add:
      return {x.first + y.first, x.second + y.second};
    case VectorKind::Sub:
      return {x.first - y.second, x.second - y.first};
    case VectorKind::Max:
      return {std::max(x.first, y.first), std::max(x.second, y.second)};
    case VectorKind::Min:
      return {std::min(x.first, y.first), std::min(x.second, y.second)};
    default: {
      const Range product = productRange(x, y);
      return {roundedShift(product.first, imm), roundedShift(product.second, imm)};
    }
  }
}

}  // namespace

int64_t roundedShift(__int128 x, int64_t shift) {
  if (shift == 0) return static_cast<int64_t>(x);
  const __int128 odd = (x >> shift) & 1;
  return static_cast<int64_t>((x + (__int128{1} << (shift - 1)) - 1 + odd) >> shift);
}

int VectorProgram::add(VectorNode node) {
  nodes.push_back(node);
  return static_cast<int>(nodes.size()) - 1;
}

// One number for all goes with everything; rows and columns cross in elements.
Extent VectorProgram::joined(int a, int b) const {
  const Extent x = nodes[a].extent, y = b < 0 ? Extent::One : nodes[b].extent;
  if (x == y || y == Extent::One) return x;
  return x == Extent::One ? y : Extent::Element;
}

int VectorProgram::input(int buffer, int64_t bytes, Extent extent) {
  VectorNode node{.kind = VectorKind::Input, .extent = extent, .buffer = buffer, .bytes = bytes};
  node.low = bytes == 1 ? INT8_MIN : INT32_MIN;
  node.high = bytes == 1 ? INT8_MAX : INT32_MAX;
  node.narrow = floats && bytes == 2;
  return add(node);
}

int VectorProgram::constant(int64_t value) {
  return add(
      {.kind = VectorKind::Constant, .extent = Extent::One, .imm = value, .low = value, .high = value});
}

int VectorProgram::binary(VectorKind kind, int a, int b, int64_t imm) {
  const bool is_mul = kind == VectorKind::Mul && !floats;
  auto isSpread = [&](int x) { return nodes[x].extent == Extent::Row && joined(a, b) == Extent::Element; };
  if (kind == VectorKind::Sub && isSpread(b)) {
    kind = VectorKind::Add;
    b = binary(VectorKind::Sub, constant(0), b);
  }
  // A row's number is read as A, the factor of 16 bits as B.
  const bool swaps = is_mul ? !nodes[b].isHalf() || (isSpread(b) && nodes[a].isHalf()) : isSpread(b);
  if (swaps && kind != VectorKind::Sub) std::swap(a, b);
  VectorNode node{.kind = kind, .extent = joined(a, b), .a = a, .b = b, .imm = imm};
  if (!floats) setRange(node, binaryRange(kind, rangeOf(nodes[a]), rangeOf(nodes[b]), imm));
  return add(node);
}

bool VectorProgram::isExact(VectorKind kind, int a, int b, int64_t imm) const {
  const Range range = binaryRange(kind, rangeOf(nodes[a]), rangeOf(nodes[b]), imm);
  return range.first >= INT32_MIN && range.second <= INT32_MAX;
}

int VectorProgram::shift(int a, int64_t imm) {
  VectorNode node{.kind = VectorKind::Shift, .extent = nodes[a].extent, .a = a, .imm = imm};
  setRange(node, {roundedShift(nodes[a].low, imm), roundedShift(nodes[a].high, imm)});
  return add(node);
}

int VectorProgram::table(VectorKind kind, int a, int buffer, int64_t imm) {
  VectorNode node{.kind = kind, .extent = nodes[a].extent, .a = a, .buffer = buffer, .imm = imm};
  const bool is_entry = kind == VectorKind::Lookup;
  node.low = is_entry ? INT16_MIN : INT32_MIN;
  node.high = is_entry ? INT16_MAX : INT32_MAX;
  return add(node);
}

int VectorProgram::reduceRow(VectorKind kind, int a) {
  VectorNode node{.kind = kind, .extent = Extent::Row, .a = a};
  const bool sums = kind == VectorKind::RowSum;
  if (!floats) setRange(node, productRange(rangeOf(nodes[a]), {sums ? columns : 1, sums ? columns : 1}));
  return add(node);
}

int VectorProgram::move(int a, bool narrow) {
  return add({.kind = VectorKind::Move, .extent = nodes[a].extent, .a = a, .narrow = narrow});
}

void VectorProgram::foldMoves() {
  std::vector<int> uses(nodes.size(), 0);
  const auto forOperands = [](VectorNode& n, auto f) {
    for (int* operand : {&n.a, &n.b, &n.bias, &n.multiplier}) {
      if (*operand >= 0) f(*operand);
    }
  };
  for (VectorNode& n : nodes) forOperands(n, [&](int operand) { ++uses[operand]; });
  for (const Result& result : results) ++uses[result.node];
  std::vector<int> instead(nodes.size());
  for (int i = 0; i < static_cast<int>(nodes.size()); ++i) {
    VectorNode& n = nodes[i];
    instead[i] = i;
    forOperands(n, [&](int& operand) { operand = instead[operand]; });
    if (n.kind != VectorKind::Move || !n.narrow) continue;
    VectorNode& from = nodes[n.a];
    const bool is_made = from.kind != VectorKind::Input && from.kind != VectorKind::Constant;
    if (!is_made || from.extent != n.extent || (uses[n.a] > 1 && !from.narrow)) continue;
    from.narrow = true;
    instead[i] = n.a;
  }
  for (Result& result : results) result.node = instead[result.node];
}

int VectorProgram::requantize(VectorNode node) {
  node.extent = joined(node.a, node.b);
  for (int parameter : {node.bias, node.multiplier}) {
    if (parameter >= 0 && nodes[parameter].extent == Extent::Column) node.extent = Extent::Element;
  }
  return add(node);
}

}  // namespace tetrarch::npu
