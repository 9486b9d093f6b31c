#include <algorithm>
#include <numeric>

#include "tetrarch/compile/target/npu/vector_emit.h"

namespace tetrarch::npu {
namespace {

constexpr int64_t kMostFoldStride = 255, kMostRows = 2047, kMostTiles = 1023;
constexpr int64_t kScratchTiles = 3;  // columns that the preparation of multipliers needs

bool isPerBlock(const VectorNode& node) {
  return node.extent == Extent::Element || node.extent == Extent::Row;
}
bool hasParameters(const VectorNode& node) {
  return node.kind == VectorKind::Requantize || node.kind == VectorKind::RequantizeAdd;
}
bool readsTable(const VectorNode& node) {
  return node.kind == VectorKind::Lookup || node.kind == VectorKind::Reciprocal ||
         node.kind == VectorKind::Rsqrt;
}
bool reducesRow(const VectorNode& node) {
  return node.kind == VectorKind::RowSum || node.kind == VectorKind::RowMax;
}

// Rows of one memory, given away and taken back.
class Space {
 public:
  explicit Space(int64_t rows) : free_{{0, rows}}, end_(rows) {}

  int64_t take(int64_t rows) {
    for (auto& [first, count] : free_) {
      if (count < rows) continue;
      const int64_t row = first;
      first += rows;
      count -= rows;
      most_ = std::max(most_, row + rows);
      return row;
    }
    return -1;
  }
  void give(int64_t row, int64_t rows) {
    free_.push_back({row, rows});
    std::ranges::sort(free_);
    std::vector<std::pair<int64_t, int64_t>> merged;
    for (auto [first, count] : free_) {
      if (count == 0) continue;
      if (!merged.empty() && merged.back().first + merged.back().second == first) {
        merged.back().second += count;
      } else {
        merged.push_back({first, count});
      }
    }
    free_ = std::move(merged);
  }
  int64_t most() const { return most_; }  // one past the highest row ever taken
  int64_t end() const { return end_; }

 private:
  std::vector<std::pair<int64_t, int64_t>> free_;  // first row, number of rows
  int64_t end_, most_ = 0;
};

class Planner {
 public:
  Planner(const Config& config, VectorProgram program) : config_(config) {
    plan_.program = std::move(program);
  }

  Result<VectorPlan> run() {
    TET_RETURN_IF_ERROR(check());
    flatten();
    plan_.tiles = (plan_.program.columns + config_.side - 1) / config_.side;
    if (plan_.tiles > kMostTiles)
      return unimplemented("a row of {} numbers has more than {} tiles", plan_.program.columns, kMostTiles);
    findUses();
    const bool has_rows =
        std::ranges::any_of(nodes(), [](const VectorNode& n) { return n.extent == Extent::Row; });
    const int64_t most = std::min({has_rows ? kMostFoldStride : kMostRows, kMostRows / plan_.tiles,
                                   std::max<int64_t>(1, plan_.program.rows)});
    for (int64_t rows = most; rows >= 1; rows = rows > 8 ? rows * 7 / 8 : rows - 1) {
      if (place(rows)) return std::move(plan_);
    }
    return unimplemented("a row of {} numbers and what is computed from it do not fit on the chip",
                         plan_.program.columns);
  }

 private:
  const std::vector<VectorNode>& nodes() const { return plan_.program.nodes; }
  const VectorNode& node(int index) const { return nodes()[index]; }

  Status check() const {
    for (const VectorNode& n : nodes()) TET_RETURN_IF_ERROR(checkNode(n));
    for (const VectorProgram::Result& result : plan_.program.results) {
      const VectorNode& n = node(result.node);
      if (n.extent != Extent::Element) return unimplemented("a result is not one number an element");
      if (result.bytes == 1 && !n.isByte()) return unimplemented("a result of bytes may leave 8 bits");
    }
    return {};
  }

  Status checkNode(const VectorNode& n) const {
    const bool has_shift = n.kind != VectorKind::Constant;
    if (has_shift && (n.imm < 0 || n.imm > (hasParameters(n) ? 63 : 31)))
      return unimplemented("a shift by {} bits", n.imm);
    const bool is_spread = n.extent == Extent::Element && n.b >= 0 && node(n.b).extent == Extent::Row;
    if (is_spread) return unimplemented("a row's number is the second operand");
    if (n.kind == VectorKind::Mul && !node(n.b).isHalf())
      return unimplemented("both factors have more than 16 bits");
    if (n.kind == VectorKind::Lookup && !node(n.a).isByte())
      return unimplemented("a table's index may leave 8 bits");
    if (n.kind == VectorKind::RowMax && !node(n.a).isByte())
      return unimplemented("the maximum of a row of wide numbers");
    if (n.kind == VectorKind::RequantizeAdd && (!inScratchpad(n.b) || node(n.b).extent != Extent::Element))
      return unimplemented("the second tensor of a requantised sum is not bytes");
    if (n.extent == Extent::One && n.kind != VectorKind::Constant)
      return unimplemented("arithmetic of constants alone");
    if (!isPerBlock(n) && (hasParameters(n) || readsTable(n)))
      return unimplemented("a function of one number a column");
    return {};
  }

  void flatten() {
    for (const VectorNode& n : nodes()) {
      if (n.extent == Extent::Row || n.extent == Extent::Column) return;
    }
    VectorProgram& program = plan_.program;
    const int64_t total = program.rows * program.columns;
    program.rows = total / config_.side;
    program.columns = config_.side;
    plan_.rest = total % config_.side;
  }

  bool inScratchpad(int index) const {
    const VectorNode& n = node(index);
    const bool is_wide_result = std::ranges::any_of(
        plan_.program.results, [&](const auto& result) { return result.node == index && result.bytes != 1; });
    if (n.extent == Extent::Row || n.extent == Extent::One || is_wide_result) return false;
    if (n.kind == VectorKind::Input) return n.bytes == 1;
    return n.extent == Extent::Element && n.isByte();
  }

  int64_t rowsOf(const VectorNode& n, int64_t block) const {
    switch (n.extent) {
      case Extent::Element:
        return block * plan_.tiles;
      case Extent::Row:
        return block;
      case Extent::Column:
        return plan_.tiles;
      case Extent::One:
        return 1;
    }
    return 0;
  }

  // The last node that needs each; -1 for what no result depends on.
  void findUses() {
    last_use_.assign(nodes().size(), -1);
    for (const VectorProgram::Result& result : plan_.program.results)
      last_use_[result.node] = static_cast<int>(nodes().size());
    for (int i = static_cast<int>(nodes().size()) - 1; i >= 0; --i) {
      if (last_use_[i] < 0) continue;
      for (int operand : {node(i).a, node(i).b, node(i).bias, node(i).multiplier}) {
        if (operand >= 0) last_use_[operand] = std::max(last_use_[operand], i);
      }
    }
  }

  // False when blocks of that many rows do not fit.
  bool place(int64_t rows) {
    plan_.block_rows = rows;
    plan_.places.assign(nodes().size(), -1);
    Space accumulator(config_.acc_rows), scratchpad(config_.sp_rows);
    if (!placeConstants(accumulator, scratchpad)) return false;
    plan_.area = scratchpad.most();
    Space area((config_.sp_rows - plan_.area) / 2);
    for (int i = 0; i < static_cast<int>(nodes().size()); ++i) {
      if (isPerBlock(node(i)) && last_use_[i] >= 0 && !placeValue(i, accumulator, area)) return false;
    }
    plan_.area_rows = area.most();
    return true;
  }

  bool placeValue(int index, Space& accumulator, Space& area) {
    const int64_t rows = rowsOf(node(index), plan_.block_rows);
    const bool in_scratchpad = inScratchpad(index);
    Space& space = in_scratchpad ? area : accumulator;
    int64_t row = inheritedRow(index);
    const bool is_inherited = row >= 0;
    if (!is_inherited) row = space.take(rows);
    if (row < 0) return false;
    plan_.places[index] = in_scratchpad ? row : accAddress(row);
    const int a = node(index).a, b = node(index).b;
    for (int operand : {a, b == a ? -1 : b}) {
      const bool dies = operand >= 0 && isPerBlock(node(operand)) && last_use_[operand] == index;
      if (!dies || (is_inherited && plan_.places[operand] == plan_.places[index])) continue;
      (inScratchpad(operand) ? area : accumulator)
          .give(rowOf(plan_.places[operand]), rowsOf(node(operand), plan_.block_rows));
    }
    return true;
  }

  // The row of an operand that nobody else reads and that is read element by element as the result is
  // written.
  int64_t inheritedRow(int index) const {
    if (reducesRow(node(index))) return -1;
    for (int operand : {node(index).a, node(index).b}) {
      if (operand < 0 || node(operand).extent != node(index).extent || last_use_[operand] != index) continue;
      if (inScratchpad(operand) == inScratchpad(index)) return rowOf(plan_.places[operand]);
    }
    return -1;
  }

  bool placeConstants(Space& accumulator, Space& scratchpad) {
    plan_.constants.clear();
    plan_.pairs.clear();
    plan_.tables.clear();
    // A constant that makes others: of 32 bits, of the multipliers' places, of the mask.
    for (int64_t value : {0, 1, 4, 16384}) plan_.constants[value] = -1;
    const bool has_tail = plan_.program.columns % config_.side != 0;
    bool fits = true;
    auto take = [&](Space& space, int64_t rows) {
      const int64_t row = space.take(rows);
      fits &= row >= 0;
      return row;
    };
    for (int i = 0; i < static_cast<int>(nodes().size()); ++i) {
      const VectorNode& n = node(i);
      if (last_use_[i] < 0) continue;
      if (n.kind == VectorKind::Constant) plan_.constants[n.imm] = -1;
      if (n.kind == VectorKind::RowMax && has_tail) plan_.constants[128] = -1;
      if (hasParameters(n)) {
        plan_.constants[n.imm] = -1;
        plan_.pairs[i] = take(accumulator, 2 * pairsOf(n));
      }
      if (readsTable(n)) plan_.tables[n.buffer] = -1;
      if (n.extent == Extent::Column)
        plan_.places[i] =
            inScratchpad(i) ? take(scratchpad, plan_.tiles) : accAddress(take(accumulator, plan_.tiles));
    }
    for (auto& [value, row] : plan_.constants) row = take(accumulator, 1);
    for (auto& [buffer, row] : plan_.tables) row = take(scratchpad, config_.tableRows());
    plan_.mask = has_tail ? take(scratchpad, 1) : -1;
    plan_.pads = has_tail ? take(accumulator, 1) : -1;
    plan_.scratch = take(accumulator, kScratchTiles * plan_.tiles);
    for (int i = 0; i < static_cast<int>(nodes().size()); ++i) {
      if (node(i).kind == VectorKind::Constant && last_use_[i] >= 0)
        plan_.places[i] = accAddress(plan_.constants[node(i).imm]);
    }
    return fits;
  }

  int64_t pairsOf(const VectorNode& n) const {
    auto isColumn = [&](int index) { return index >= 0 && node(index).extent == Extent::Column; };
    return isColumn(n.bias) || isColumn(n.multiplier) ? plan_.tiles : 1;
  }

  const Config config_;
  VectorPlan plan_;
  std::vector<int> last_use_;
};

}  // namespace

Result<VectorPlan> planVector(const Config& config, VectorProgram program) {
  return Planner(config, std::move(program)).run();
}

}  // namespace tetrarch::npu
