#include <algorithm>
#include <bit>
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
bool isOfSums(const VectorNode& node) { return node.kind == VectorKind::Input && node.buffer == kSumsBuffer; }
bool reducesRow(const VectorNode& node) {
  return node.kind == VectorKind::RowSum || node.kind == VectorKind::RowMax;
}

// Rows of one memory, given away and taken back.
class Space {
 public:
  explicit Space(int64_t rows, int64_t first = 0) : free_{{first, rows - first}}, end_(rows) {}

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

  Result<VectorPlan> runOnSums(int64_t rows, int64_t first) {
    plan_.of_sums = true;
    TET_RETURN_IF_ERROR(check());
    for (const VectorNode& n : nodes()) {
      if (n.extent == Extent::Row) return unimplemented("a number for each row of sums");
    }
    plan_.tiles = tilesOf(plan_.program.columns);
    first_ = first;
    findUses();
    if (place(rows)) return std::move(plan_);
    return unimplemented("what is computed from {} rows of sums does not fit on the chip", rows);
  }

  Result<VectorPlan> run() {
    TET_RETURN_IF_ERROR(check());
    flatten();
    plan_.tiles = tilesOf(plan_.program.columns);
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
  bool isNarrow(const VectorNode& n) const { return plan_.program.floats ? n.narrow : n.isByte(); }
  const std::vector<VectorNode>& nodes() const { return plan_.program.nodes; }
  const VectorNode& node(int index) const { return nodes()[index]; }

  int64_t tilesOf(int64_t columns) const { return (columns + config_.side - 1) / config_.side; }

  Status check() const {
    for (const VectorNode& n : nodes()) TET_RETURN_IF_ERROR(checkNode(n));
    for (const VectorProgram::Result& result : plan_.program.results) {
      const VectorNode& n = node(result.node);
      if (n.extent != Extent::Element) return unimplemented("a result is not one number an element");
      if (result.bytes == 1 && !isNarrow(n)) return unimplemented("a result of bytes may leave 8 bits");
    }
    return plan_.program.floats ? checkTails() : Status();
  }

  // In the lanes behind a row's last column operands are 0. A quotient of those is NaN, and stays so in sums.
  Status checkTails() const {
    const bool has_tail = plan_.program.columns % config_.side != 0;
    const bool divides = std::ranges::any_of(nodes(), [](const VectorNode& n) {
      return (n.kind == VectorKind::Reciprocal || n.kind == VectorKind::Rsqrt) && n.extent != Extent::Row;
    });
    if (has_tail && divides && std::ranges::any_of(nodes(), reducesRow))
      return unimplemented("a quotient of elements beside a sum or maximum of rows");
    return {};
  }

  Status checkNode(const VectorNode& n) const {
    const bool is_spread = n.extent == Extent::Element && n.b >= 0 && node(n.b).extent == Extent::Row;
    if (is_spread) return unimplemented("a row's number is the second operand");
    if (n.extent == Extent::One && n.kind != VectorKind::Constant)
      return unimplemented("arithmetic of constants alone");
    if (!isPerBlock(n) && (hasParameters(n) || readsTable(n)))
      return unimplemented("a function of one number a column");
    return plan_.program.floats ? Status() : checkInteger(n);
  }

  Status checkInteger(const VectorNode& n) const {
    const bool has_shift = n.kind != VectorKind::Constant;
    if (has_shift && (n.imm < 0 || n.imm > (hasParameters(n) ? 63 : 31)))
      return unimplemented("a shift by {} bits", n.imm);
    if (n.kind == VectorKind::Mul && !node(n.b).isHalf())
      return unimplemented("both factors have more than 16 bits");
    if (n.kind == VectorKind::Lookup && !node(n.a).isByte())
      return unimplemented("a table's index may leave 8 bits");
    if (n.kind == VectorKind::RowMax && !node(n.a).isByte())
      return unimplemented("the maximum of a row of wide numbers");
    if (n.kind == VectorKind::RequantizeAdd && (!inScratchpad(n.b) || node(n.b).extent != Extent::Element))
      return unimplemented("the second tensor of a requantised sum is not bytes");
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
        plan_.program.results, [&](const auto& result) { return result.node == index && result.bytes == 4; });
    if (n.extent == Extent::Row || n.extent == Extent::One || is_wide_result) return false;
    if (n.kind == VectorKind::Input) return n.bytes < 4;
    return n.extent == Extent::Element && isNarrow(n);
  }

  int64_t rowsOf(const VectorNode& n, int64_t block) const {
    switch (n.extent) {
      case Extent::Element:
        return plan_.of_sums ? block : block * plan_.tiles;
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
    Space accumulator(config_.acc_rows, first_), scratchpad(config_.sp_rows);
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
    int64_t local = isOfSums(node(index)) ? kSumsPlace : inheritedPlace(index);
    if (local < 0) {
      const int64_t row = space.take(rows);
      if (row < 0) return false;
      local = in_scratchpad ? row : accAddress(row);
    }
    plan_.places[index] = local;
    const int a = node(index).a, b = node(index).b;
    for (int operand : {a, b == a ? -1 : b}) {
      const bool dies = operand >= 0 && isPerBlock(node(operand)) && last_use_[operand] == index;
      if (!dies || plan_.places[operand] == local || plan_.places[operand] == kSumsPlace) continue;
      (inScratchpad(operand) ? area : accumulator)
          .give(rowOf(plan_.places[operand]), rowsOf(node(operand), plan_.block_rows));
    }
    return true;
  }

  // The place of an operand that nobody else reads and that is read element by element as the result is
  // written.
  int64_t inheritedPlace(int index) const {
    if (reducesRow(node(index))) return -1;
    for (int operand : {node(index).a, node(index).b}) {
      if (operand < 0 || node(operand).extent != node(index).extent || last_use_[operand] != index) continue;
      if (inScratchpad(operand) == inScratchpad(index)) return plan_.places[operand];
    }
    return -1;
  }

  // What does not change from block to block.
  bool placeConstants(Space& accumulator, Space& scratchpad) {
    plan_.constants.clear();
    plan_.pairs.clear();
    plan_.tables.clear();
    return plan_.program.floats ? placeFloats(accumulator, scratchpad)
                                : placeIntegers(accumulator, scratchpad);
  }

  bool placeFloats(Space& accumulator, Space& scratchpad) {
    const auto rows = static_cast<int64_t>(numberRows(plan_.program).size());
    plan_.constant_rows = accumulator.take(rows);
    bool fits = plan_.constant_rows >= 0;
    for (int i = 0; i < static_cast<int>(nodes().size()); ++i) {
      const VectorNode& n = node(i);
      if (last_use_[i] < 0) continue;
      if (readsTable(n) && !plan_.tables.contains(n.buffer)) {
        const int64_t row = plan_.tables[n.buffer] = scratchpad.take(config_.tableRows());
        fits = fits && row >= 0;
      }
      if (n.extent != Extent::Column) continue;
      const bool in_scratchpad = inScratchpad(i);
      const int64_t row = (in_scratchpad ? scratchpad : accumulator).take(plan_.tiles);
      plan_.places[i] = in_scratchpad ? row : accAddress(row);
      fits = fits && row >= 0;
    }
    return fits;
  }

  bool placeIntegers(Space& accumulator, Space& scratchpad) {
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
  int64_t first_ = 0;  // accumulator row
  std::vector<int> last_use_;
};

}  // namespace

std::vector<NumberRow> numberRows(const VectorProgram& program) {
  std::vector<NumberRow> rows;
  const auto add = [&](std::initializer_list<NumberRow> some) {
    if (std::ranges::search(rows, some).empty()) rows.insert(rows.end(), some);
  };
  for (const VectorNode& n : program.nodes) {
    const auto all = [](float number) {
      return NumberRow{std::bit_cast<uint32_t>(number), std::bit_cast<uint32_t>(number)};
    };
    if (n.kind == VectorKind::Constant) add({{static_cast<uint32_t>(n.imm), static_cast<uint32_t>(n.imm)}});
    // As VPARAM reads them.
    if (n.kind == VectorKind::Lookup) add({all(n.offset), all(n.scale)});
    if (n.kind == VectorKind::RowSum) add({kLeast, kMost});
    if (n.kind == VectorKind::RowMax) add({kNone});
  }
  return rows;
}

std::vector<std::byte> constantsOf(const VectorProgram& program, int64_t side) {
  std::vector<uint32_t> words;
  if (!program.floats) return {};
  const int64_t rest = program.columns % side, lanes = rest == 0 ? side : rest;
  for (const NumberRow& row : numberRows(program)) {
    words.insert(words.end(), lanes, row.value);
    words.insert(words.end(), side - lanes, row.tail);
  }
  std::vector<std::byte> bytes(std::as_bytes(std::span(words)).begin(),
                               std::as_bytes(std::span(words)).end());
  for (const auto& table : program.tables) {
    const auto entries = std::as_bytes(std::span(table));
    bytes.insert(bytes.end(), entries.begin(), entries.end());
  }
  return bytes;
}

Result<VectorPlan> planOnSums(const Config& config, const VectorProgram& program, int64_t block_rows,
                              int64_t first) {
  return Planner(config, program).runOnSums(block_rows, first);
}

VectorPlan relocated(VectorPlan plan, int64_t scratchpad_row) {
  for (size_t i = 0; i < plan.places.size(); ++i) {
    const bool is_column = plan.program.nodes[i].extent == Extent::Column;
    if (is_column && plan.places[i] >= 0 && !isAcc(plan.places[i])) plan.places[i] += scratchpad_row;
  }
  for (auto& [table, row] : plan.tables) row += scratchpad_row;
  plan.area += scratchpad_row;
  return plan;
}

Result<VectorPlan> planVector(const Config& config, VectorProgram program) {
  return Planner(config, std::move(program)).run();
}

}  // namespace tetrarch::npu
