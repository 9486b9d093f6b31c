#include "tetrarch/compile/lower/packed.h"

#include "tetrarch/compile/lower/lowering.h"

namespace tetrarch::compile {
namespace {

using mlir::Value;

// A slice that only drops the padding behind the last dimension.
bool isUnpad(tet::SliceOp slice) {
  auto from = shapeOf(slice.getOperand()), to = shapeOf(slice.getResult());
  auto is = [](int64_t expected) { return [=](int64_t value) { return value == expected; }; };
  return !to.empty() && llvm::all_of(slice.getStartIndices(), is(0)) &&
         llvm::all_of(slice.getStrides(), is(1)) && from.drop_back() == to.drop_back();
}

// A reshape […, panels, 16] -> […, panels * 16].
bool joinsPanels(tet::ReshapeOp reshape) {
  auto from = shapeOf(reshape.getOperand()), to = shapeOf(reshape.getResult());
  return from.size() >= 2 && from.size() == to.size() + 1 && from.back() == kPanelWidth &&
         from.drop_back(2) == to.drop_back() && to.back() == from[from.size() - 2] * kPanelWidth;
}

// [batch…, panels, k…, 16] -> [batch…, k…, panels, 16]: gives how many batch dimensions.
std::optional<int64_t> panelsMove(llvm::ArrayRef<int64_t> permutation) {
  const int64_t rank = permutation.size();
  const int64_t batch = permutation[rank - 2];
  for (int64_t dim = 0; dim < rank; ++dim) {
    const int64_t expected = dim < batch || dim == rank - 1 ? dim : dim == rank - 2 ? batch : dim + 1;
    if (permutation[dim] != expected) return std::nullopt;
  }
  return batch;
}

// [groups, k…, n] -> [k…, groups, n].
bool movesGroups(llvm::ArrayRef<int64_t> permutation) {
  const int64_t rank = permutation.size();
  for (int64_t dim = 0; dim < rank; ++dim) {
    const int64_t expected = dim == rank - 1 ? dim : dim == rank - 2 ? 0 : dim + 1;
    if (permutation[dim] != expected) return false;
  }
  return rank >= 2;
}

// A reshape […, groups, n] -> […, groups * n].
bool joinsGroups(tet::ReshapeOp reshape) {
  auto from = shapeOf(reshape.getOperand()), to = shapeOf(reshape.getResult());
  return from.size() >= 2 && from.size() == to.size() + 1 && from.drop_back(2) == to.drop_back() &&
         to.back() == from[from.size() - 2] * from.back();
}

}  // namespace

std::optional<Panels> matchGroupedPanels(Value value) {
  auto reshape = value.getDefiningOp<tet::ReshapeOp>();
  if (!reshape || !joinsGroups(reshape)) return std::nullopt;
  auto transpose = reshape.getOperand().getDefiningOp<tet::TransposeOp>();
  if (!transpose || !movesGroups(transpose.getPermutation())) return std::nullopt;
  auto panels = matchPanels(transpose.getOperand());
  return panels && panels->batch_dims == 1 ? panels : std::nullopt;
}

std::optional<Panels> matchPanels(Value value) {
  if (auto slice = value.getDefiningOp<tet::SliceOp>()) {
    if (!isUnpad(slice)) return std::nullopt;
    value = slice.getOperand();
  }
  auto reshape = value.getDefiningOp<tet::ReshapeOp>();
  if (!reshape || !joinsPanels(reshape)) return std::nullopt;
  auto transpose = reshape.getOperand().getDefiningOp<tet::TransposeOp>();
  if (!transpose) return std::nullopt;
  auto batch = panelsMove(transpose.getPermutation());
  if (!batch) return std::nullopt;
  return Panels{transpose.getOperand(), *batch};
}

mlir::AffineMap panelMap(mlir::AffineMap map, int64_t batch_dims) {
  auto all = map.getResults();
  mlir::AffineExpr n = all.back();
  llvm::SmallVector<mlir::AffineExpr> exprs(all.take_front(batch_dims));
  exprs.push_back(n.floorDiv(kPanelWidth));
  llvm::append_range(exprs, all.drop_front(batch_dims).drop_back());
  exprs.push_back(n % kPanelWidth);
  return mlir::AffineMap::get(map.getNumDims(), 0, exprs, map.getContext());
}

}  // namespace tetrarch::compile
