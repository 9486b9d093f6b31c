#include "tetrarch/compile/target/fpga/edge_window.h"

#include <map>

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/IR/Matchers.h"
#include "tetrarch/compile/target/fpga/sliding_window.h"

namespace tetrarch::fpga {
namespace {

namespace arith = mlir::arith;
using compile::TileAccess;
using compile::TileBuffer;
using compile::TileNest;
using mlir::Value;

// An index of a loop plus a constant; dim -1 is no loop.
struct ShiftedIndex {
  int dim = -1;
  int64_t shift = 0;
  bool is_clamped = false;
};

Value withoutCasts(Value value) {
  while (auto cast = value.getDefiningOp<arith::IndexCastOp>()) value = cast.getIn();
  return value;
}

std::optional<int64_t> constantOf(Value value) {
  mlir::APInt constant;
  if (!mlir::matchPattern(value, mlir::m_ConstantInt(&constant))) return std::nullopt;
  return constant.getSExtValue();
}

// x when the value is `Op(x, constant)`.
template <typename Op>
std::optional<std::pair<Value, int64_t>> withConstant(Value value) {
  auto op = value.getDefiningOp<Op>();
  if (!op) return std::nullopt;
  if (auto right = constantOf(op.getRhs())) return std::pair(op.getLhs(), *right);
  if (auto left = constantOf(op.getLhs())) return std::pair(op.getRhs(), *left);
  return std::nullopt;
}

// x of min(max(x, 0), extent - 1), in either order; null for anything else.
Value clamped(Value value, int64_t extent) {
  const auto upper = withConstant<arith::MinSIOp>(value);
  const auto lower = withConstant<arith::MaxSIOp>(upper ? upper->first : value);
  const auto outer = upper ? upper : lower ? withConstant<arith::MinSIOp>(lower->first) : std::nullopt;
  if (!lower || !outer || lower->second != 0 || outer->second != extent - 1) return {};
  return upper ? lower->first : outer->first;
}

std::optional<ShiftedIndex> indexOf(Value value, int64_t extent, const compile::TileBody& body) {
  ShiftedIndex index;
  value = withoutCasts(value);
  if (extent == 1 && constantOf(value) == 0) return index;
  if (Value inner = clamped(value, extent)) {
    index.is_clamped = true;
    value = withoutCasts(inner);
  }
  if (const auto sum = withConstant<arith::AddIOp>(value)) {
    index.shift = sum->second;
    value = withoutCasts(sum->first);
  }
  auto loop = value.getDefiningOp<mlir::linalg::IndexOp>();
  if (!loop) return std::nullopt;
  index.dim = static_cast<int>(body.dim_of_index[loop.getDim()]);
  return index;
}

// An extract into the window of its operand. False when it reads in another way.
bool add(mlir::tensor::ExtractOp extract, const TileNest& nest, EdgeWindow& window) {
  Shifts shifts;
  llvm::SmallVector<int, 4> dims;
  for (auto [extent, value] : llvm::zip(window.shape, extract.getIndices())) {
    const auto index = indexOf(value, extent, nest.body);
    if (!index || (index->dim >= 0 && llvm::is_contained(dims, index->dim))) return false;
    const int64_t iterations = index->dim < 0 ? 1 : nest.extents[index->dim];
    const bool is_inside = index->shift >= 0 && index->shift + iterations <= extent;
    if (!index->is_clamped && !is_inside) return false;
    shifts.push_back(index->shift);
    dims.push_back(index->dim);
  }
  if (window.shifts.empty()) {
    window.dims = dims;
    window.first.assign(dims.size(), 0);
    window.last.assign(dims.size(), 0);
  }
  if (window.dims != dims) return false;
  for (size_t j = 0; j < dims.size(); ++j) {
    const int64_t iterations = dims[j] < 0 ? 1 : nest.extents[dims[j]];
    // Beyond an edge the value of a place further in stands.
    window.first[j] = std::min({window.first[j], shifts[j], window.shape[j] - iterations});
    window.last[j] = std::max(window.last[j], shifts[j]);
  }
  window.shifts[extract] = shifts;
  return true;
}

// Reads of the operand itself as reads of the padded one. False where they are no shift of the window.
bool redirect(TileNest& nest, const EdgeWindow& window) {
  llvm::SmallVector<TileAccess*> reads;
  nest.forEachAccess([&](TileAccess& access) {
    if (access.buffer == window.operand) reads.push_back(&access);
  });
  const TileAccess own = [&] {
    TileAccess access;
    access.strides.assign(nest.extents.size(), 0);
    int64_t stride = 1;
    for (size_t j = window.shape.size(); j-- > 0; stride *= window.shape[j])
      if (window.dims[j] >= 0) access.strides[window.dims[j]] = stride;
    return access;
  }();
  for (const TileAccess* read : reads) {
    if (read->offset != 0 || read->panel_dim >= 0 || read->strides != own.strides) return false;
  }
  for (TileAccess* read : reads) *read = window.accessAt(Shifts(window.shape.size(), 0), nest.extents.size());
  return true;
}

void addPadding(compile::TileNestPlan& plan, EdgeWindow& window) {
  TileBuffer& operand = plan.buffers[window.operand];
  compile::TilePadding pad{.source = window.operand};
  pad.buffer = window.buffer = static_cast<unsigned>(plan.buffers.size());
  int64_t count = 1;
  for (size_t j = window.shape.size(); j-- > 0;) {
    const int64_t iterations = window.dims[j] < 0 ? 1 : plan.nests[0].extents[window.dims[j]];
    window.low[j] = -window.first[j];
    window.strides[j] = count;
    pad.shape.insert(pad.shape.begin(),
                     window.low[j] + std::max(window.shape[j], window.last[j] + iterations));
    count *= pad.shape.front();
  }
  pad.source_shape = window.shape;
  pad.low = window.low;
  pad.line = count;
  pad.lines = 1;
  plan.buffers.push_back(
      {TileBuffer::Kind::kPadded, static_cast<unsigned>(plan.pads.size()), operand.element, count});
  plan.pads.push_back(std::move(pad));
}

}  // namespace

int64_t EdgeWindow::offsetOf(llvm::ArrayRef<int64_t> at) const {
  int64_t offset = 0;
  for (size_t j = 0; j < at.size(); ++j) offset += (at[j] + low[j]) * strides[j];
  return offset;
}

TileAccess EdgeWindow::accessAt(llvm::ArrayRef<int64_t> at, size_t count) const {
  TileAccess access;
  access.buffer = buffer;
  access.offset = offsetOf(at);
  access.strides.assign(count, 0);
  for (size_t j = 0; j < dims.size(); ++j) {
    if (dims[j] >= 0) access.strides[dims[j]] = strides[j];
  }
  return access;
}

int64_t EdgeWindow::count() const {
  int64_t count = 1;
  for (auto [from, to] : llvm::zip(first, last)) count = std::min(count * (to - from + 1), kMostTaps + 1);
  return count;
}

std::vector<Shifts> EdgeWindow::places() const {
  std::vector<Shifts> places = {{}};
  for (size_t j = 0; j < first.size(); ++j) {
    std::vector<Shifts> longer;
    for (const Shifts& place : places) {
      for (int64_t shift = first[j]; shift <= last[j]; ++shift) {
        longer.push_back(place);
        longer.back().push_back(shift);
      }
    }
    places = std::move(longer);
  }
  return places;
}

std::vector<EdgeWindow> padEdges(compile::TileNestPlan& plan) {
  if (plan.nests.size() != 1 || plan.nests[0].reduces()) return {};
  TileNest& nest = plan.nests[0];
  bool has_panels = false;
  nest.forEachAccess([&](const TileAccess& access) { has_panels |= access.panel_dim >= 0; });
  if (has_panels) return {};
  std::map<unsigned, std::vector<mlir::tensor::ExtractOp>> extracts;  // by operand, which is its buffer
  for (auto extract : nest.body.block->getOps<mlir::tensor::ExtractOp>()) {
    if (auto operand = mlir::dyn_cast<mlir::BlockArgument>(extract.getTensor()))
      extracts[operand.getArgNumber()].push_back(extract);
  }
  std::vector<EdgeWindow> windows;
  for (auto& [operand, list] : extracts) {
    auto type = mlir::cast<mlir::RankedTensorType>(list[0].getTensor().getType());
    EdgeWindow window;
    window.operand = operand;
    window.shape.assign(type.getShape().begin(), type.getShape().end());
    window.low.assign(type.getRank(), 0);
    window.strides.assign(type.getRank(), 0);
    if (!llvm::all_of(list, [&](mlir::tensor::ExtractOp extract) { return add(extract, nest, window); }))
      continue;
    if (window.count() > kMostTaps) continue;
    compile::TileNestPlan padded = plan;
    addPadding(padded, window);
    if (!redirect(padded.nests[0], window)) continue;
    plan = std::move(padded);
    windows.push_back(std::move(window));
  }
  return windows;
}

}  // namespace tetrarch::fpga
