#include "tetrarch/compile/target/npu/vector_emit.h"

#include <algorithm>
#include <optional>

namespace tetrarch::npu {
namespace {

// Where an operand lies, and how it moves from one row of the chip to the next.
struct Operand {
  int64_t local = 0;
  bool moves = true;  // else one row for all
};

struct Grid {
  int64_t n1 = 1, n0 = 1, pitch = 0;
};

class Emitter {
 public:
  Emitter(const Config& config, const VectorPlan& plan, const VectorAddresses& addresses,
          StreamBuilder& builder)
      : config_(config), plan_(plan), addresses_(addresses), builder_(builder) {}

  void run(int64_t begin, int64_t end) {
    prepare();
    prepareColumns();
    for (int64_t block = begin; block < end; ++block) computeBlock(block);
  }

  //-- On sums

  void setColumns(int64_t first) {
    if (first_column_ < 0) prepare();
    if (first_column_ == first) return;
    first_column_ = first;
    prepareColumns();
  }

  int64_t compute(const SumsProgram::Tile& tile, const SumsProgram::Load& load) {
    const Block block = {.rows = tile.rows,
                         .first = 0,
                         .area = plan_.area + blocks_++ % 2 * plan_.area_rows,
                         .tile = tile.tile,
                         .sums = tile.sums};
    computeNodes(block, [&](int index) {
      const VectorNode& n = node(index);
      if (n.buffer != kSumsBuffer) load(n.buffer, place(index, block), n.bytes);
    });
    return place(plan_.program.results.front().node, block);
  }

 private:
  const VectorNode& node(int index) const { return plan_.program.nodes[index]; }
  int count() const { return static_cast<int>(plan_.program.nodes.size()); }
  int64_t side() const { return config_.side; }
  int64_t constant(int64_t value) const { return accAddress(plan_.constants.at(value)); }

  //-- Once

  void prepare() {
    if (plan_.program.floats) return prepareFloats();
    builder_.fill(constant(0), config_.accRowBytes(), 0, {});
    for (const auto& [value, row] : plan_.constants) prepareConstant(value, accAddress(row));
    for (const auto& [buffer, row] : plan_.tables) {
      const Loop rows[] = {{config_.tableRows(), 1, config_.spRowBytes()}};
      builder_.load(row, config_.spRowBytes(), addresses_.operands[buffer], rows);
    }
    if (plan_.mask >= 0) prepareMask();
  }

  void prepareFloats() {
    const auto rows = static_cast<int64_t>(constants_.size());
    const Loop each[] = {{rows, 1, config_.accRowBytes()}};
    if (rows > 0)
      builder_.load(accAddress(plan_.constant_rows), config_.accRowBytes(), addresses_.constants, each);
    for (const auto& [table, row] : plan_.tables) {
      const Loop of_table[] = {{config_.tableRows(), 1, config_.spRowBytes()}};
      const int64_t address = addresses_.constants + rows * config_.accRowBytes() + table * 2 * kTableEntries;
      builder_.load(row, config_.spRowBytes(), address, of_table);
    }
  }

  void prepareColumns() {
    for (int i = 0; i < count(); ++i) {
      if (node(i).extent == Extent::Column && plan_.places[i] >= 0) prepareColumn(i);
    }
    for (const auto& [index, row] : plan_.pairs) preparePairs(index, row);
  }

  // Multipliers are 0 until the first pair is loaded, so a requantised 0 is the zero point. The constants
  // that make the wide ones are narrow, and are made first where this is called in the order of their values.
  void prepareConstant(int64_t value, int64_t row) {
    if (value == 0) return;
    const auto low = static_cast<int16_t>(value);
    const auto high = static_cast<int16_t>((value - low) >> 16);
    setNarrow(low, row);
    if (low == value) return;
    const int64_t shifted = accAddress(plan_.scratch);
    setNarrow(high, shifted);
    shiftToHigh(shifted, {.n0 = 1});
    vop(VectorOp::ADD, {shifted}, Operand{row}, row, {.n0 = 1});
  }
  void setNarrow(int64_t value, int64_t row) {
    setScalars(Vparam{.scalars = 1, .zp = value, .lo = INT16_MIN, .hi = INT16_MAX});
    vop(VectorOp::REQUANT, {constant(0)}, std::nullopt, row, {.n0 = 1});
  }
  // Times 2^16: a factor has 16 bits with its sign.
  void shiftToHigh(int64_t rows, const Grid& grid) {
    if (!has_factors_) {
      setNarrow(4, constant(4));
      setNarrow(16384, constant(16384));
      has_factors_ = true;
    }
    vop(VectorOp::MUL, {rows}, Operand{constant(16384), false}, rows, grid);
    vop(VectorOp::MUL, {rows}, Operand{constant(4), false}, rows, grid);
  }

  void prepareMask() {
    builder_.fill(plan_.mask, plan_.program.columns % side(), 1, {});
    if (!plan_.constants.contains(128)) return;
    const int64_t pads = accAddress(plan_.pads);
    vop(VectorOp::SUB, {plan_.mask}, Operand{constant(1)}, pads, {.n0 = 1});
    vop(VectorOp::MUL, {pads}, Operand{constant(128)}, pads, {.n0 = 1});
  }

  void prepareColumn(int index) {
    const VectorNode& n = node(index);
    if (n.kind != VectorKind::Input) return compute(index, {});
    const int64_t first = std::max<int64_t>(first_column_, 0);
    loadMatrix(plan_.places[index], addresses_.operands[n.buffer] + first * n.bytes, n.bytes, 1,
               plan_.program.columns);
  }

  // The rows that VPARAM reads: biases, and multipliers with the shift above them.
  void preparePairs(int index, int64_t pair) {
    const VectorNode& n = node(index);
    const bool is_column = isColumn(n.bias) || isColumn(n.multiplier);
    const int64_t tiles = is_column ? plan_.tiles : 1;
    const Grid pairs = {.n1 = tiles, .n0 = 1, .pitch = 2}, rows = {.n0 = tiles};
    moveTo(accAddress(pair), n.bias, pairs);
    const int64_t scale = accAddress(plan_.scratch), borrow = accAddress(plan_.scratch + plan_.tiles),
                  multiplier = accAddress(plan_.scratch + 2 * plan_.tiles);
    moveTo(multiplier, n.multiplier, {.n1 = tiles, .n0 = 1, .pitch = 1});
    shiftToHigh(multiplier, rows);
    vop(VectorOp::SHR, {multiplier}, std::nullopt, multiplier, rows, 16);
    // A negative multiplier borrows 1 from the shift above it.
    vop(VectorOp::SUB, Operand{constant(0), false}, Operand{multiplier}, borrow, rows);
    vop(VectorOp::MAX, {borrow}, Operand{constant(0), false}, borrow, rows);
    vop(VectorOp::MIN, {borrow}, Operand{constant(1), false}, borrow, rows);
    vop(VectorOp::ADD, {borrow}, Operand{constant(n.imm), false}, scale, rows);
    shiftToHigh(scale, rows);
    vop(VectorOp::ADD, {scale}, Operand{multiplier}, scale, rows);
    Vop move{.op = static_cast<int64_t>(VectorOp::MOVE)};
    move.a = scale, move.d = accAddress(pair + 1), move.n1 = tiles, move.n0 = 1, move.s1 = 1, move.pitch = 2;
    builder_.add(move);
  }
  bool isColumn(int index) const { return index >= 0 && node(index).extent == Extent::Column; }
  // One row a tile of a Column, a One or (no node) zero.
  void moveTo(int64_t local, int index, const Grid& grid) {
    Vop move{.op = static_cast<int64_t>(VectorOp::MOVE)};
    move.a = index < 0 ? constant(0) : plan_.places[index];
    move.s1 = isColumn(index) ? 1 : 0;
    move.d = local, move.n1 = grid.n1, move.n0 = grid.n0, move.pitch = grid.pitch;
    builder_.add(move);
  }

  //-- Blocks

  struct Block {
    int64_t rows = 1, first = 0;  // first: of the matrix
    int64_t area = 0;             // first scratchpad row
    int64_t tile = 0, sums = 0;   // of sums: of its columns, and where they lie
  };

  void computeBlock(int64_t index) {
    const int64_t first = index * plan_.block_rows, area = plan_.area + index % 2 * plan_.area_rows;
    const bool is_rest = first >= plan_.program.rows;
    const Block block = {.rows = is_rest ? 1 : std::min(plan_.block_rows, plan_.program.rows - first),
                         .first = is_rest ? plan_.program.rows : first,
                         .area = area};
    const int64_t columns = is_rest ? plan_.rest : plan_.program.columns;
    computeNodes(block, [&](int index) {
      const VectorNode& n = node(index);
      loadMatrix(place(index, block),
                 addresses_.operands[n.buffer] + block.first * plan_.program.columns * n.bytes, n.bytes,
                 block.rows, columns);
    });
    for (size_t i = 0; i < plan_.program.results.size(); ++i) {
      const auto& [result, bytes] = plan_.program.results[i];
      storeMatrix(place(result, block), addresses_.results[i] + block.first * plan_.program.columns * bytes,
                  bytes, block.rows, columns);
    }
  }

  template <typename Load>
  void computeNodes(const Block& block, Load load) {
    for (int i = 0; i < count(); ++i) {
      const VectorNode& n = node(i);
      if (n.extent == Extent::Column || n.extent == Extent::One || plan_.places[i] < 0) continue;
      n.kind == VectorKind::Input ? load(i) : compute(i, block);
    }
  }

  int64_t place(int index, const Block& block) const {
    const int64_t local = plan_.places[index];
    if (local == kSumsPlace) return block.sums;
    return node(index).extent == Extent::Element && !isAcc(local) ? local + block.area : local;
  }

  // Tiles one after the other, of each the rows.
  template <typename Transfer>
  void forTiles(int64_t local, int64_t dram, int64_t bytes, int64_t rows, int64_t columns,
                Transfer transfer) {
    const int64_t whole = columns / side(), tail = columns % side();
    const Loop each_row = {rows, 1, columns * bytes};
    const Loop loops[] = {{whole, rows, side() * bytes}, each_row};
    if (whole > 0) transfer(local, side() * bytes, dram, std::span(loops));
    if (tail > 0)
      transfer(local + whole * rows, tail * bytes, dram + whole * side() * bytes, std::span(&each_row, 1));
  }
  void loadMatrix(int64_t local, int64_t dram, int64_t bytes, int64_t rows, int64_t columns) {
    forTiles(local, dram, bytes, rows, columns, [&](auto... args) { builder_.load(args...); });
  }
  void storeMatrix(int64_t local, int64_t dram, int64_t bytes, int64_t rows, int64_t columns) {
    forTiles(local, dram, bytes, rows, columns, [&](auto... args) { builder_.store(args...); });
  }

  //-- Nodes

  void compute(int index, const Block& block) {
    const VectorNode& n = node(index);
    switch (n.kind) {
      case VectorKind::Input:
      case VectorKind::Constant:
        return;
      case VectorKind::Add:
        return elementwise(of(VectorOp::ADD, VectorOp::FADD), index, block);
      case VectorKind::Sub:
        return elementwise(of(VectorOp::SUB, VectorOp::FSUB), index, block);
      case VectorKind::Mul:
        return elementwise(of(VectorOp::MUL, VectorOp::FMUL), index, block);
      case VectorKind::Max:
        return elementwise(of(VectorOp::MAX, VectorOp::FMAX), index, block);
      case VectorKind::Min:
        return elementwise(of(VectorOp::MIN, VectorOp::FMIN), index, block);
      case VectorKind::Move:
        return elementwise(VectorOp::MOVE, index, block);
      case VectorKind::Shift:
        return elementwise(VectorOp::SHR, index, block);
      case VectorKind::Requantize:
      case VectorKind::RequantizeAdd:
        return requantize(index, block);
      case VectorKind::Lookup:
        useTable(n.buffer);
        if (plan_.program.floats) setRows(numberRow({all(n.offset), all(n.scale)}));
        return elementwise(of(VectorOp::LUT, VectorOp::FLUT), index, block);
      case VectorKind::Reciprocal:
        useTable(n.buffer);
        return elementwise(of(VectorOp::RECIP_LUT, VectorOp::FRECIP_LUT), index, block);
      case VectorKind::Rsqrt:
        useTable(n.buffer);
        return elementwise(of(VectorOp::RSQRT_LUT, VectorOp::FRSQRT_LUT), index, block);
      case VectorKind::RowSum:
        if (plan_.program.floats) return sumRow(index, block);
        return reduceRow(VectorOp::FOLD_SUM, VectorOp::LANE_SUM, index, block);
      case VectorKind::RowMax:
        return reduceRow(of(VectorOp::FOLD_MAX, VectorOp::FFOLD_MAX),
                         of(VectorOp::LANE_MAX, VectorOp::FLANE_MAX), index, block);
    }
  }
  VectorOp of(VectorOp integers, VectorOp floats) const { return plan_.program.floats ? floats : integers; }

  // The first of these accumulator rows of constants.
  int64_t numberRow(std::initializer_list<NumberRow> rows) const {
    return plan_.constant_rows + (std::ranges::search(constants_, rows).begin() - constants_.begin());
  }
  static NumberRow all(float number) {
    return {std::bit_cast<uint32_t>(number), std::bit_cast<uint32_t>(number)};
  }

  // Rows of a value in tile `tile`, or from there on.
  Operand operand(int index, const Block& block, int64_t tile) const {
    const int64_t local = place(index, block);
    switch (node(index).extent) {
      case Extent::Element:
        return {local + tile * block.rows};
      case Extent::Column:
        return {local + block.tile + tile, false};
      case Extent::Row:
        return {local};
      case Extent::One:
        return one(index);
    }
    return {};
  }
  Operand one(int index) const {
    const auto word = static_cast<uint32_t>(node(index).imm);
    return {plan_.program.floats ? accAddress(numberRow({{word, word}})) : plan_.places[index], false};
  }
  int64_t tilesOfBlock() const { return plan_.of_sums ? 1 : plan_.tiles; }

  void elementwise(VectorOp op, int index, const Block& block) {
    const VectorNode& n = node(index);
    const int64_t d = place(index, block);
    auto isExtent = [&](int i, Extent extent) { return i >= 0 && node(i).extent == extent; };
    const bool has_column = isExtent(n.a, Extent::Column) || isExtent(n.b, Extent::Column);
    auto emit = [&](int64_t tile, int64_t to, const Grid& grid) {
      const auto b = n.b >= 0 ? std::optional(operand(n.b, block, tile)) : std::nullopt;
      vop(op, operand(n.a, block, tile), b, to, grid, n.imm);
    };
    if (n.extent == Extent::Column) {
      // A tile of a column is a row of the chip.
      auto whole = [&](int i) { return isColumn(i) ? Operand{place(i, block)} : one(i); };
      const auto b = n.b >= 0 ? std::optional(whole(n.b)) : std::nullopt;
      vop(op, whole(n.a), b, d, {.n0 = plan_.tiles}, n.imm);
    } else if (n.extent == Extent::One) {
      emit(0, d, {.n0 = 1});
    } else if (n.extent == Extent::Row) {
      emit(0, d, {.n0 = block.rows});
    } else if (has_column) {
      for (int64_t tile = 0; tile < tilesOfBlock(); ++tile)
        emit(tile, d + tile * block.rows, {.n0 = block.rows});
    } else if (isExtent(n.a, Extent::Row)) {
      emit(0, d, {.n1 = plan_.tiles, .n0 = block.rows, .pitch = block.rows});
    } else {
      emit(0, d, {.n0 = tilesOfBlock() * block.rows});
    }
  }

  void requantize(int index, const Block& block) {
    const VectorNode& n = node(index);
    const int64_t d = place(index, block), pair = plan_.pairs.at(index);
    const bool adds = n.kind == VectorKind::RequantizeAdd;
    setScalars(Vparam{.scalars = 1,
                      .shift_b = n.shift_b,
                      .mult_b = n.multiplier_b,
                      .zp_b = n.zero_b,
                      .zp = n.zero_point,
                      .lo = n.low,
                      .hi = n.high});
    auto emit = [&](int64_t tile, int64_t p_addr, int64_t rows) {
      setRows(p_addr);
      const auto b = adds ? std::optional(operand(n.b, block, tile)) : std::nullopt;
      vop(adds ? VectorOp::REQUANT_ADD : VectorOp::REQUANT, operand(n.a, block, tile), b,
          n.extent == Extent::Element ? d + tile * block.rows : d, {.n0 = rows});
    };
    if (isColumn(n.bias) || isColumn(n.multiplier)) {
      for (int64_t tile = 0; tile < plan_.tiles; ++tile) emit(tile, pair + 2 * tile, block.rows);
    } else {
      emit(0, pair, n.extent == Extent::Element ? plan_.tiles * block.rows : block.rows);
    }
  }

  // Columns behind the last count nothing: they are set to what changes neither sum nor maximum.
  void reduceRow(VectorOp fold, VectorOp lanes, int index, const Block& block) {
    const int64_t a = place(node(index).a, block), d = place(index, block);
    if (plan_.program.floats) limitTail(VectorOp::FMIN, kNone, a, block);
    if (plan_.mask >= 0) {
      const int64_t tail = a + (plan_.tiles - 1) * block.rows;
      const Grid rows = {.n0 = block.rows};
      vop(VectorOp::MUL, {tail}, Operand{plan_.mask, false}, tail, rows);
      if (fold == VectorOp::FOLD_MAX)
        vop(VectorOp::ADD, {tail}, Operand{accAddress(plan_.pads), false}, tail, rows);
    }
    Vop folds{.op = static_cast<int64_t>(fold)};
    folds.a = a, folds.d = d;
    folds.n1 = block.rows, folds.s1 = 1, folds.pitch = 1;
    folds.n0 = plan_.tiles, folds.s0 = block.rows;
    builder_.add(folds);
    vop(lanes, {d}, std::nullopt, d, {.n0 = block.rows});
  }

  void sumRow(int index, const Block& block) {
    const int64_t a = place(node(index).a, block), d = place(index, block);
    const Grid rows = {.n0 = block.rows};
    limitTail(VectorOp::FMAX, kLeast, a, block);
    limitTail(VectorOp::FMIN, kMost, a, block);
    for (int64_t tile = 1; tile < plan_.tiles; ++tile)
      vop(VectorOp::FADD, {tile == 1 ? a : d}, Operand{a + tile * block.rows}, d, rows);
    vop(VectorOp::FLANE_SUM, {plan_.tiles == 1 ? a : d}, std::nullopt, d, rows);
  }
  // In the lanes of the last tile that have no column. What stands there may be infinite, but is no NaN.
  void limitTail(VectorOp op, const NumberRow& limits, int64_t a, const Block& block) {
    if (plan_.program.columns % side() == 0) return;
    const int64_t tail = a + (plan_.tiles - 1) * block.rows;
    vop(op, {tail}, Operand{accAddress(numberRow({limits})), false}, tail, {.n0 = block.rows});
  }

  //-- Instructions

  // A and B row by row as D is written; with several outer iterations A is the same in each.
  void vop(VectorOp op, const Operand& a, const std::optional<Operand>& b, int64_t d, const Grid& grid,
           int64_t imm = 0) {
    Vop vop{.op = static_cast<int64_t>(op), .imm = imm};
    vop.a = a.local, vop.d = d;
    vop.n1 = grid.n1, vop.n0 = grid.n0, vop.pitch = grid.pitch;
    vop.s0 = a.moves ? 1 : 0;
    if (b) vop.b = b->local, vop.broadcast = b->moves ? 0 : 1;
    builder_.add(vop);
  }

  void useTable(int buffer) {
    if (table_ == buffer) return;
    table_ = buffer;
    builder_.add(Table{.addr = plan_.tables.at(buffer)});
  }
  void setScalars(const Vparam& scalars) {
    if (scalars_ == scalars) return;
    scalars_ = scalars;
    builder_.add(scalars);
  }
  void setRows(int64_t p_addr) {
    if (rows_ == p_addr) return;
    rows_ = p_addr;
    builder_.add(Vparam{.rows = 1, .p_addr = p_addr});
  }

  const Config config_;
  const VectorPlan& plan_;
  const VectorAddresses addresses_;
  StreamBuilder& builder_;
  const std::vector<NumberRow> constants_ = numberRows(plan_.program);
  int64_t first_column_ = -1, blocks_ = 0;  // on sums

  // What the vector unit was set to.
  std::optional<Vparam> scalars_;
  int64_t rows_ = -1;
  int table_ = -1;
  bool has_factors_ = false;
};

}  // namespace

class SumsProgram::Impl : public Emitter {
 public:
  using Emitter::Emitter;
};

SumsProgram::SumsProgram(const Config& config, const VectorPlan& plan, const VectorAddresses& addresses,
                         StreamBuilder& builder)
    : impl_(std::make_unique<Impl>(config, plan, addresses, builder)) {}
SumsProgram::~SumsProgram() = default;
void SumsProgram::setColumns(int64_t first) { impl_->setColumns(first); }
int64_t SumsProgram::compute(const Tile& tile, const Load& load) { return impl_->compute(tile, load); }

void emitVector(const Config& config, const VectorPlan& plan, const VectorAddresses& addresses, int64_t begin,
                int64_t end, StreamBuilder& builder) {
  Emitter(config, plan, addresses, builder).run(begin, end);
}

}  // namespace tetrarch::npu
