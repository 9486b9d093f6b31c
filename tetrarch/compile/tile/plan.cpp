// How a task's nests are cut: vector dim, register tile, units.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "llvm/ADT/STLExtras.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "tetrarch/compile/tile/emit.h"
#include "tetrarch/compile/tile/tile.h"

namespace tetrarch::compile {
namespace {

using Tiling = TileNestPlan::Tiling;

constexpr double kUnitFlops = 4e6;          // of a contraction's unit: some tens of microseconds
constexpr double kUnitElements = 32 << 10;  // of any other unit
constexpr double kWindowSteps = 128 << 10;  // of a unit that copies padded lines first
constexpr int64_t kScratchLimit = 64 << 20;

int64_t byteWidth(mlir::Type type) {
  return type.isIntOrFloat() ? std::max<int64_t>(1, type.getIntOrFloatBitWidth() / 8) : 8;
}

// The widest element that a vector of this nest holds. What is the same in all lanes, such as the number of
// the row that is gathered, is no vector; indices are not counted either: most are only a place to load from.
// The epilogue of a sum runs once where the sum takes many steps: where it `may_split`, its vectors may be
// wider than a register.
int64_t widestElement(const TileNest& nest, const TileNestPlan& plan, int vector_dim, bool may_split) {
  int64_t bytes = 1;
  auto count = [&](mlir::Type type) {
    if (!type.isIndex()) bytes = std::max(bytes, byteWidth(type));
  };
  auto countAccess = [&](const TileAccess& access) {
    if (access.strides[vector_dim] != 0) count(plan.buffers[access.buffer].element);
  };
  const bool sum_only = may_split && nest.epilogue && vector_dim < static_cast<int>(nest.parallel);
  if (!sum_only) nest.forEachAccess(countAccess);
  for (const TileInput& input : nest.body.inputs) {
    if (auto* access = std::get_if<TileAccess>(&input)) countAccess(*access);
  }
  auto scan = [&](const TileBody& body) {
    llvm::DenseSet<mlir::Value> vectors;
    for (auto [argument, i] :
         llvm::zip(body.block->getArguments(), llvm::seq(body.block->getNumArguments()))) {
      auto* access = i < body.inputs.size() ? std::get_if<TileAccess>(&body.inputs[i]) : nullptr;
      const bool is_fixed = i < body.inputs.size() && static_cast<int>(i) != body.acc &&
                            !(access && access->strides[vector_dim] != 0);
      if (!is_fixed) vectors.insert(argument);
    }
    for (mlir::Operation& op : body.block->without_terminator()) {
      auto index = mlir::dyn_cast<mlir::linalg::IndexOp>(op);
      const bool moves = index && body.dim_of_index[index.getDim()] == static_cast<unsigned>(vector_dim);
      if (!moves && llvm::none_of(op.getOperands(), [&](mlir::Value v) { return vectors.contains(v); }))
        continue;
      vectors.insert(op.getResult(0));
      for (mlir::Type type : op.getResultTypes()) count(type);
      if (mlir::isa<mlir::tensor::ExtractOp>(op)) continue;
      for (mlir::Type type : op.getOperandTypes()) count(type);
    }
  };
  scan(nest.body);
  if (nest.epilogue && !sum_only) scan(*nest.epilogue);
  return bytes;
}

bool canReduceLanes(const TileNest& nest) {
  for (unsigned r = 0; r < nest.inits.size(); ++r) {
    const auto combiner = findCombiner(*nest.body.block, r, nest.inits.size());
    if (!combiner || !mlir::arith::getNeutralElement(combiner->op) || nest.inits[r].index() == 0)
      return false;
  }
  return nest.reduces();
}

// The dim along which most accesses are contiguous or invariant; parallel dims first. -1 when none is worth a
// vector.
int pickVectorDim(const TileNest& nest) {
  int best = -1;
  int64_t best_cost = std::numeric_limits<int64_t>::max();
  for (int d = static_cast<int>(nest.extents.size()) - 1; d >= static_cast<int>(nest.rows); --d) {
    const bool reduced = d >= static_cast<int>(nest.parallel);
    if (nest.extents[d] < 2 || (reduced && !canReduceLanes(nest))) continue;
    int64_t cost = (reduced ? 1 : 0) + (nest.extents[d] < 8 ? 8 : 0);
    bool possible = true, moves = false;
    nest.forEachAccess([&](const TileAccess& access) {
      possible &= access.panel_dim < 0 || access.panel_dim == d;
      moves |= access.strides[d] == 1;
      if (access.strides[d] != 0 && access.strides[d] != 1) cost += 4;
    });
    // Scattered stores cost more than gathered loads.
    for (const TileAccess& output : nest.outputs) cost += output.strides[d] > 1 ? 8 : 0;
    if (possible && moves && cost < best_cost) best = d, best_cost = cost;
  }
  return best;
}

// The accesses of a contraction c[r, v] += a[r, k] * b[k, v].
struct Contraction {
  const TileAccess* lhs = nullptr;
  const TileAccess* rhs = nullptr;
};

Contraction findContraction(const TileNest& nest, int vector_dim) {
  Contraction found;
  if (!nest.reduces() || vector_dim < 0 || vector_dim >= static_cast<int>(nest.parallel)) return found;
  for (const TileInput& input : nest.body.inputs) {
    auto* access = std::get_if<TileAccess>(&input);
    if (!access) continue;
    (access->strides[vector_dim] == 0 ? found.lhs : found.rhs) = access;
  }
  return found.lhs && found.rhs ? found : Contraction{};
}

// Whether the body is acc + sext(left) * sext(right), of bytes into 32 bits.
bool multipliesBytes(const TileNest& nest) {
  mlir::Block& body = *nest.body.block;
  auto sum = body.getTerminator()->getOperand(0).getDefiningOp<mlir::arith::AddIOp>();
  if (!sum || !sum.getType().isInteger(32) || nest.inits.size() != 1 || body.getNumArguments() != 3)
    return false;
  mlir::Value acc = body.getArgument(2);
  auto product = (sum.getLhs() == acc ? sum.getRhs() : sum.getLhs()).getDefiningOp<mlir::arith::MulIOp>();
  if (!product || (sum.getLhs() != acc && sum.getRhs() != acc)) return false;
  llvm::SmallDenseSet<mlir::Value> operands;
  for (mlir::Value factor : product->getOperands()) {
    auto extended = factor.getDefiningOp<mlir::arith::ExtSIOp>();
    if (!extended || !extended.getIn().getType().isInteger(8)) return false;
    operands.insert(extended.getIn());
  }
  return operands.contains(body.getArgument(0)) && operands.contains(body.getArgument(1));
}

// Whether four steps of k can be taken at once: the left bytes lie side by side, the right ones in rows
// of 16.
bool canDot(const TileNest& nest, const Contraction& contraction, int vector_dim) {
  if (!contraction.lhs || !multipliesBytes(nest)) return false;
  const unsigned k = nest.extents.size() - 1;
  const bool in_panels = contraction.rhs->panel_dim == vector_dim;
  return contraction.lhs->panel_dim < 0 && contraction.lhs->strides[k] == 1 && nest.extents[k] >= kDotBytes &&
         contraction.rhs->strides[vector_dim] == 1 && contraction.rhs->strides[k] != 0 &&
         (in_panels || (contraction.rhs->panel_dim < 0 && nest.extents[vector_dim] >= kPanel));
}

// The innermost dim that moves the left operand and not the right one.
int pickRowDim(const TileNest& nest, const Contraction& contraction, int vector_dim) {
  for (int d = static_cast<int>(nest.parallel) - 1; contraction.lhs && d >= 0; --d) {
    if (d != vector_dim && contraction.rhs->strides[d] == 0 && contraction.lhs->strides[d] != 0) return d;
  }
  return -1;
}

// Of another reduction whose sums are vectors: the innermost of the other parallel dims.
int pickWindowRows(const TileNest& nest, int vector_dim) {
  if (!nest.reduces() || vector_dim >= static_cast<int>(nest.parallel)) return -1;
  for (int d = static_cast<int>(nest.parallel) - 1; d >= 0; --d) {
    if (d != vector_dim) return d;
  }
  return -1;
}

int64_t product(llvm::ArrayRef<int64_t> values) {
  return std::accumulate(values.begin(), values.end(), int64_t{1}, std::multiplies<>());
}

int64_t ceilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

// Relative time of one contraction with a tile of rows × vectors.
double tileCost(int64_t extent_rows, int64_t extent_columns, int64_t rows, int64_t vectors, int64_t lanes) {
  const double tiles =
      static_cast<double>(ceilDiv(extent_rows, rows)) * ceilDiv(extent_columns, vectors * lanes);
  // Multiply-adds, but at least as many as hide their latency; then the loads, of which two go beside each.
  const double step =
      std::max<double>({static_cast<double>(rows * vectors), 9.0, 0.6 * (rows + 2 * vectors)});
  return tiles * (step + 0.3);
}

struct TileSize {
  int64_t rows, vectors;
  double cost;
};

// Rows that lie this many bytes apart fall into the same sets of a first-level cache, which has 8 places in
// each.
constexpr int64_t kCacheStride = 4096;
constexpr int64_t kCacheWays = 8;

// All register tiles that fit, cheapest first.
std::vector<TileSize> tileSizes(const TileNest& nest, const Tiling& tiling, int64_t row_bytes,
                                const TileTarget& target) {
  const int64_t extent_rows = tiling.row_dim < 0 ? 1 : nest.extents[tiling.row_dim];
  const int64_t extent_columns = nest.extents[tiling.vector_dim], lanes = tiling.lanes;
  const bool panels = hasPanels(nest, tiling.vector_dim) || tiling.dot;
  std::vector<TileSize> sizes;
  const int64_t step = panels && lanes < kPanel ? kPanel / lanes : 1;
  const int64_t right = tiling.dot ? tiling.dot->right_registers : 1;
  const int64_t left = tiling.dot ? tiling.dot->left_registers : 1;
  for (int64_t rows = 1; rows <= std::min<int64_t>(extent_rows, 14); ++rows) {
    for (int64_t vectors = step; vectors <= 8; vectors += step) {
      if (rows * vectors + right * vectors + left > target.vector_registers) continue;
      if (vectors > step && vectors * lanes > extent_columns) continue;
      const bool collides = row_bytes % kCacheStride == 0 && rows >= kCacheWays;
      const double cost = tileCost(extent_rows, extent_columns, rows, vectors, lanes);
      sizes.push_back({rows, vectors, collides ? 1.5 * cost : cost});
    }
  }
  std::ranges::sort(sizes, {}, [](const TileSize& s) { return std::tuple(s.cost, s.vectors, s.rows); });
  return sizes;
}

// Bytes of one element range: how much memory a box of a nest touches through an access.
int64_t footprint(const TileNest& nest, const TileAccess& access, llvm::ArrayRef<int64_t> lengths,
                  int64_t element) {
  int64_t span = 1;
  for (unsigned d = 0; d < nest.extents.size(); ++d) {
    if (static_cast<int>(d) == access.panel_dim) continue;
    const int64_t length = d < lengths.size() ? lengths[d] : nest.extents[d];
    if (access.strides[d] != 0) span += (length - 1) * access.strides[d];
  }
  return span * element;
}

int64_t grainOf(const TileNest& nest, const Tiling& tiling, unsigned dim) {
  if (static_cast<int>(dim) == tiling.row_dim) return tiling.rows;
  if (static_cast<int>(dim) == tiling.vector_dim)
    return std::min(nest.extents[dim], tiling.lanes * tiling.vectors);
  return 1;
}

int64_t maxBlocks(const TileNest& nest, const Tiling& tiling, unsigned dim) {
  return ceilDiv(nest.extents[dim], grainOf(nest, tiling, dim));
}

// Cuts a dim into `blocks` parts of whole grains, or a few less.
void cutDim(const TileNest& nest, Tiling& tiling, unsigned dim, int64_t blocks) {
  const int64_t grain = grainOf(nest, tiling, dim);
  const int64_t size = ceilDiv(ceilDiv(nest.extents[dim], grain), std::max<int64_t>(1, blocks)) * grain;
  tiling.block[dim] = std::min(size, nest.extents[dim]);
}

// How far apart in memory two rows of the left operand are.
int64_t rowBytes(const TileNestPlan& plan, const Contraction& contraction, const Tiling& tiling) {
  if (tiling.row_dim < 0) return 0;
  return contraction.lhs->strides[tiling.row_dim] * byteWidth(plan.buffers[contraction.lhs->buffer].element);
}

class Planner {
 public:
  Planner(TileNestPlan nests, const TileTarget& target, const TileChoice& choice)
      : nests_(std::move(nests)), target_(target) {
    plan_.choice = choice;
  }
  Result<TilePlan> plan();

 private:
  void tileNest(TileNest& nest);
  void chooseTile(const TileNest& nest, Tiling& tiling, const Contraction& contraction);
  void cutContraction(const TileNest& nest, Tiling& tiling, const Contraction& contraction);
  void cutEvenly(const TileNest& nest, Tiling& tiling);
  void cutWindows(const TileNest& nest, Tiling& tiling);
  void cutIntoTiles(const TileNest& nest, Tiling& tiling);
  void mapRows();
  void placeScratch();
  void planPads();
  void count();

  TileNestPlan nests_;
  const TileTarget& target_;
  TilePlan plan_;
};

bool usesPanels(const TileNest& nest) {
  bool panels = false;
  nest.forEachAccess([&](const TileAccess& access) { panels |= access.panel_dim >= 0; });
  return panels;
}

void Planner::chooseTile(const TileNest& nest, Tiling& tiling, const Contraction& contraction) {
  if (!contraction.lhs && tiling.row_dim >= 0) {
    // Enough independent sums to hide an addition's latency, with the window's weights loaded once for all
    // rows.
    const int64_t extent = nest.extents[tiling.row_dim];
    tiling.rows = std::min<int64_t>(extent, extent % 4 != 0 && extent % 3 == 0 ? 3 : 4);
    tiling.vectors = std::clamp<int64_t>(nest.extents[tiling.vector_dim] / tiling.lanes, 1, 2);
    return;
  }
  if (!contraction.lhs) {
    // A long body has enough to do at once with one vector, and no registers for a second.
    constexpr size_t kLongBody = 256;
    const int64_t columns = nest.extents[tiling.vector_dim];
    const bool is_long = nest.body.block->getOperations().size() > kLongBody;
    tiling.vectors = std::clamp<int64_t>(columns / tiling.lanes, 1, nest.reduces() ? 4 : is_long ? 1 : 2);
    return;
  }
  const std::vector<TileSize> sizes = tileSizes(nest, tiling, rowBytes(nests_, contraction, tiling), target_);
  const TileChoice& wish = plan_.choice;
  auto wished = std::ranges::find_if(sizes, [&](const TileSize& size) {
    return (wish.rows == 0 || size.rows == wish.rows) && (wish.vectors == 0 || size.vectors == wish.vectors);
  });
  const TileSize& size = wished == sizes.end() ? sizes.front() : *wished;
  tiling.rows = size.rows;
  tiling.vectors = size.vectors;
}

void Planner::tileNest(TileNest& nest) {
  collapseDims(nest, nests_);
  Tiling tiling;
  tiling.vector_dim = pickVectorDim(nest);
  tiling.block.assign(nest.extents.begin(), nest.extents.begin() + nest.parallel);
  Contraction contraction;
  if (tiling.vector_dim >= 0) {
    contraction = findContraction(nest, tiling.vector_dim);
    tiling.row_dim = contraction.lhs ? pickRowDim(nest, contraction, tiling.vector_dim)
                                     : pickWindowRows(nest, tiling.vector_dim);
    if (tiling.row_dim < static_cast<int>(nest.rows)) tiling.row_dim = -1;
    if (target_.dot && canDot(nest, contraction, tiling.vector_dim)) tiling.dot = target_.dot;
    const int64_t widest =
        tiling.dot ? 4 : widestElement(nest, nests_, tiling.vector_dim, !target_.unit_is_tile);
    const int64_t fit = std::max<int64_t>(1, target_.vector_bytes / widest);
    const int64_t extent = nest.extents[tiling.vector_dim];
    tiling.lanes = usesPanels(nest) ? std::min(fit, kPanel)
                                    : std::min<int64_t>(fit, llvm::bit_floor(static_cast<uint64_t>(extent)));
    chooseTile(nest, tiling, contraction);
    tiling.columns_outer = contraction.lhs != nullptr;
  }
  if (nests_.isChain()) {
    // Units are rows.
  } else if (target_.unit_is_tile) {
    cutIntoTiles(nest, tiling);
  } else if (contraction.lhs) {
    cutContraction(nest, tiling, contraction);
  } else if (!nests_.pads.empty() && target_.pad_in_scratch) {
    cutWindows(nest, tiling);
  } else {
    cutEvenly(nest, tiling);
  }
  plan_.contraction |= contraction.lhs != nullptr;
  if (contraction.lhs) plan_.choice.rows = tiling.rows, plan_.choice.vectors = tiling.vectors;
  nests_.tilings.push_back(std::move(tiling));
}

void Planner::cutIntoTiles(const TileNest& nest, Tiling& tiling) {
  for (unsigned d = 0; d < nest.parallel; ++d) tiling.block[d] = grainOf(nest, tiling, d);
}

// Units of about kUnitElements steps: whole inner dims, a part of one dim, one index of the dims outside of
// it.
void Planner::cutEvenly(const TileNest& nest, Tiling& tiling) {
  double steps = 1;
  for (int64_t extent : nest.extents) steps *= extent;
  double left = std::max(1.0, steps / kUnitElements);
  // Cut across more than the fewest units where there are few, so that all workers get the same.
  if (steps > 4096) left = std::max(left, std::min(4.0 * target_.workers, steps / 2048));
  for (unsigned d = 0; d < nest.parallel && left > 1; ++d) {
    cutDim(nest, tiling, d, std::min<int64_t>(maxBlocks(nest, tiling, d), std::ceil(left)));
    left /= ceilDiv(nest.extents[d], tiling.block[d]);
  }
}

// Only dims that number the lines of a padded operand are cut, since each unit copies whole lines; and into
// parts that are large enough that most of a unit's lines are not its neighbour's as well.
void Planner::cutWindows(const TileNest& nest, Tiling& tiling) {
  const int64_t line = nests_.pads[0].line;
  double left = std::max<double>(2 * target_.workers, product(nest.extents) / kWindowSteps);
  nest.forEachAccess([&](const TileAccess& access) {
    if (access.buffer != nests_.pads[0].buffer) return;
    int64_t shared = 0;
    for (unsigned d = nest.parallel; d < nest.extents.size(); ++d) {
      if (access.strides[d] % line == 0) shared += (nest.extents[d] - 1) * access.strides[d] / line;
    }
    for (unsigned d = 0; d < nest.parallel && left > 1; ++d) {
      if (access.strides[d] == 0 || access.strides[d] % line != 0) continue;
      const int64_t least = std::max<int64_t>(1, shared / (access.strides[d] / line));
      const int64_t most = std::max(target_.workers, nest.extents[d] / least);
      cutDim(nest, tiling, d, std::min<int64_t>(most, std::ceil(left)));
      left /= ceilDiv(nest.extents[d], tiling.block[d]);
    }
  });
}

// Rows and columns are cut so that the left operand's part stays in cache while panels of the right one
// stream past, and until there are enough units.
void Planner::cutContraction(const TileNest& nest, Tiling& tiling, const Contraction& contraction) {
  const unsigned column = tiling.vector_dim;
  const double flops = 2.0 * product(nest.extents);
  const int64_t lhs_element = byteWidth(nests_.buffers[contraction.lhs->buffer].element);
  const int64_t rhs_bytes = nests_.buffers[contraction.rhs->buffer].count *
                            byteWidth(nests_.buffers[contraction.rhs->buffer].element);
  const double wanted = std::max({1.0, flops / kUnitFlops, flops > 1e6 ? 4.0 * target_.workers : 1.0});
  llvm::SmallVectorImpl<int64_t>& lengths = tiling.block;
  double units = 1;
  auto blocksOf = [&](unsigned d) { return ceilDiv(nest.extents[d], tiling.block[d]); };
  auto cut = [&](unsigned d, int64_t blocks) {
    units /= static_cast<double>(blocksOf(d));
    cutDim(nest, tiling, d, std::clamp<int64_t>(blocks, 1, maxBlocks(nest, tiling, d)));
    units *= static_cast<double>(blocksOf(d));
  };
  // Batches first: they share nothing.
  for (unsigned d = 0; d < nest.parallel; ++d) {
    if (d != column && contraction.rhs->strides[d] != 0) cut(d, std::ceil(wanted / units));
  }
  auto cutRows = [&](auto enough) {
    for (unsigned d = 0; d < nest.parallel; ++d) {
      if (d == column || contraction.rhs->strides[d] != 0) continue;
      // By numbers that divide the tiles evenly.
      const int64_t most = maxBlocks(nest, tiling, d);
      for (int64_t next = blocksOf(d) + 1; next <= most && !enough(); ++next) {
        if (most % next == 0) cut(d, next);
      }
    }
  };
  cutRows([&] { return footprint(nest, *contraction.lhs, lengths, lhs_element) <= target_.cache_bytes / 2; });
  const bool wide = rhs_bytes > target_.cache_bytes / 4;
  if (wide && plan_.choice.unit_columns == 0) cut(column, std::ceil(wanted / units));
  if (plan_.choice.unit_columns > 0) cut(column, ceilDiv(nest.extents[column], plan_.choice.unit_columns));
  if (plan_.choice.unit_rows > 0) {
    cutRows([&] { return product(lengths) / lengths[column] <= plan_.choice.unit_rows; });
  } else {
    cutRows([&] { return units >= wanted; });
  }
  if (units < wanted && plan_.choice.unit_columns == 0)
    cut(column, std::ceil(wanted / units * blocksOf(column)));
  plan_.choice.unit_columns = lengths[column];
  plan_.choice.unit_rows = product(lengths) / lengths[column];
}

void Planner::placeScratch() {
  llvm::SmallVector<bool> used(nests_.buffers.size(), false);
  for (const TileNest& nest : nests_.nests) {
    nest.forEachAccess([&](const TileAccess& access) { used[access.buffer] = true; });
  }
  for (unsigned i = 0; i < nests_.buffers.size(); ++i) {
    TileBuffer& buffer = nests_.buffers[i];
    if (!used[i] || buffer.kind != TileBuffer::Kind::kTemporary) continue;
    buffer.scratch_offset = plan_.scratch_bytes;
    plan_.scratch_bytes += llvm::alignTo(buffer.count * byteWidth(buffer.element), 64);
  }
}

// One unit's window of a padded operand, in lines; see TilePadding.
void Planner::planPads() {
  for (const TilePadding& pad : nests_.pads) {
    TileBuffer& buffer = nests_.buffers[pad.buffer];
    const int64_t line_bytes = pad.line * byteWidth(buffer.element);
    if (!target_.pad_in_scratch) {
      buffer.scratch_offset = plan_.workspace_bytes;
      plan_.pads.push_back({plan_.workspace_bytes, pad.lines * line_bytes, pad.lines});
      plan_.workspace_bytes += llvm::alignTo(pad.lines * line_bytes, 64);
      continue;
    }
    const TileNest& nest = nests_.nests[0];
    int64_t lines = 1;
    nest.forEachAccess([&](const TileAccess& access) {
      if (access.buffer != pad.buffer) return;
      lines += access.offset / pad.line;
      for (unsigned d = 0; d < nest.extents.size(); ++d) {
        if (access.strides[d] % pad.line != 0) continue;
        const int64_t length = d < nest.parallel ? nests_.tilings[0].block[d] : nest.extents[d];
        lines += (length - 1) * (access.strides[d] / pad.line);
      }
    });
    nests_.window_lines = std::min(lines, pad.lines);
    buffer.count = nests_.window_lines * pad.line;
    buffer.scratch_offset = plan_.scratch_bytes;
    plan_.scratch_bytes += llvm::alignTo(nests_.window_lines * line_bytes, 64);
  }
}

void Planner::count() {
  for (const TileNest& nest : nests_.nests) {
    double steps = 1;
    for (int64_t extent : nest.extents) steps *= extent;
    plan_.flops += steps * std::max<size_t>(1, nest.body.block->getOperations().size() - 1);
  }
  for (const TileBuffer& buffer : nests_.buffers) {
    if (buffer.kind == TileBuffer::Kind::kOperand || buffer.kind == TileBuffer::Kind::kResult) {
      plan_.bytes += static_cast<double>(buffer.count) * byteWidth(buffer.element);
    }
  }
}

// Outer dims that are cut into single steps, then one that is cut into larger blocks, are the rows of the
// result.
void Planner::mapRows() {
  const TileNest& nest = nests_.nests[0];
  const Tiling& tiling = nests_.tilings[0];
  int64_t rows = 1;
  unsigned d = 0;
  while (d < nest.parallel && tiling.block[d] == 1) rows *= nest.extents[d++];
  plan_.rows = rows;
  plan_.row_tile = 1;
  if (d == nest.parallel || nests_.blocks(0, d) == 1) return;
  // Blocks that do not fit evenly would make groups of unlike rows, unless there is but one series of them.
  if (nest.extents[d] % tiling.block[d] != 0 && rows > 1) return;
  plan_.rows = rows * nest.extents[d];
  plan_.row_tile = tiling.block[d];
}

Result<TilePlan> Planner::plan() {
  for (TileNest& nest : nests_.nests) tileNest(nest);
  placeScratch();
  planPads();
  count();
  if (plan_.scratch_bytes > kScratchLimit) {
    return unimplemented("one unit of the task needs {} bytes of scratch, more than {}", plan_.scratch_bytes,
                         kScratchLimit);
  }
  if (nests_.isChain()) {
    const int64_t rows = product(nests_.row_shape);
    const double steps = std::max(1.0, plan_.flops / 4 / static_cast<double>(rows));
    const auto fitting = static_cast<int64_t>(kUnitElements / steps);
    const int64_t fair = std::max<int64_t>(1, rows / (4 * target_.workers));
    nests_.rows_per_unit = target_.unit_is_tile ? 1 : std::clamp<int64_t>(fitting, 1, fair);
    plan_.units = ceilDiv(rows, nests_.rows_per_unit);
    plan_.choice.unit_rows = nests_.rows_per_unit;
    plan_.rows = rows;
    plan_.row_tile = nests_.rows_per_unit;
  } else {
    plan_.units = 0;
    for (size_t i = 0; i < nests_.nests.size(); ++i) plan_.units += nests_.units(i);
    if (nests_.nests.size() == 1) mapRows();
  }
  plan_.nests = std::make_shared<TileNestPlan>(std::move(nests_));
  return std::move(plan_);
}

}  // namespace

int64_t TileNestPlan::grain(size_t nest, unsigned dim) const {
  return grainOf(nests[nest], tilings[nest], dim);
}

int64_t TileNestPlan::blocks(size_t nest, unsigned dim) const {
  return ceilDiv(nests[nest].extents[dim], tilings[nest].block[dim]);
}

int64_t TileNestPlan::units(size_t nest) const {
  int64_t units = 1;
  for (unsigned d = 0; d < nests[nest].parallel; ++d) units *= blocks(nest, d);
  return units;
}

Result<TilePlan> planTile(mlir::Block& body, const TileTarget& target, const TileChoice& choice) {
  TET_ASSIGN_OR_RETURN(TileNestPlan nests, readNests(body));
  return Planner(std::move(nests), target, choice).plan();
}

std::vector<TileChoice> tileAlternatives(const TilePlan& plan, const TileTarget& target) {
  std::vector<TileChoice> choices;
  if (!plan.contraction || plan.nests->nests.size() > 1) return choices;
  const Tiling& tiling = plan.nests->tilings[0];
  const TileNest& nest = plan.nests->nests[0];
  const Contraction contraction = findContraction(nest, tiling.vector_dim);
  constexpr size_t kTiles = 4;
  for (const TileSize& size : tileSizes(nest, tiling, rowBytes(*plan.nests, contraction, tiling), target)) {
    if (choices.size() == kTiles) break;
    const bool known =
        std::ranges::any_of(choices, [&](const TileChoice& c) { return c.vectors == size.vectors; });
    if (size.vectors != plan.choice.vectors && !known)
      choices.push_back({.rows = size.rows, .vectors = size.vectors});
  }
  const TileChoice& now = plan.choice;
  choices.push_back({now.rows, now.vectors, std::max<int64_t>(1, now.unit_rows / 2), now.unit_columns});
  choices.push_back({now.rows, now.vectors, now.unit_rows, std::max<int64_t>(kPanel, now.unit_columns / 2)});
  choices.push_back(
      {now.rows, now.vectors, 2 * now.unit_rows, std::max<int64_t>(kPanel, now.unit_columns / 2)});
  std::erase(choices, now);
  return choices;
}

std::string toString(const TileChoice& choice) {
  return fmt::format("rows={} vectors={} unit_rows={} unit_columns={}", choice.rows, choice.vectors,
                     choice.unit_rows, choice.unit_columns);
}

Result<TileChoice> tileChoiceFromString(std::string_view text) {
  const std::string copy(text);
  long long rows, vectors, unit_rows, unit_columns;
  if (std::sscanf(copy.c_str(), "rows=%lld vectors=%lld unit_rows=%lld unit_columns=%lld", &rows, &vectors,
                  &unit_rows, &unit_columns) != 4) {
    return invalidArgument("'{}' is no tile choice", text);
  }
  return TileChoice{rows, vectors, unit_rows, unit_columns};
}

}  // namespace tetrarch::compile
