// The pack pass: constant right-hand sides of contractions are stored in panels (lower/packed.h). In the
// graph the panels are unpacked again by ops that the lowering of the contraction reads through, so the
// weights are never unpacked in fact.
#include <cstring>

#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/SetVector.h"
#include "mlir/IR/BuiltinOps.h"
#include "tetrarch/compile/lower/packed.h"
#include "tetrarch/compile/pack_factors.h"
#include "tetrarch/compile/passes.h"
#include "tetrarch/graph/constants.h"
#include "tetrarch/graph/types.h"

namespace tetrarch::compile {

#define GEN_PASS_DEF_PACKPASS
#include "tetrarch/compile/passes.h.inc"

namespace {

using mlir::Value;
using Dims = llvm::SmallVector<int64_t>;

// Fewer columns than this waste more of a panel than it wins.
constexpr int64_t kFewestColumns = 8;

// How a right-hand side becomes panels: [batch…, k…, n] for each batch, [k…, groups * n] for each group.
struct Packing {
  int64_t batch_dims = 0;
  int64_t groups = 1;  // of columns
};

int64_t product(llvm::ArrayRef<int64_t> dims) {
  int64_t result = 1;
  for (int64_t dim : dims) result *= dim;
  return result;
}

// Where the elements of `count` matrices [k, n] lie.
struct Matrices {
  int64_t count, k, n;
  int64_t stride, row_stride;  // from matrix to matrix and from row to row, in elements
};

Matrices matricesOf(llvm::ArrayRef<int64_t> shape, const Packing& packing) {
  const int64_t n = shape.back(), k = product(shape.drop_front(packing.batch_dims).drop_back());
  if (packing.groups > 1) return {packing.groups, k, n / packing.groups, n / packing.groups, n};
  return {product(shape.take_front(packing.batch_dims)), k, n, k * n, n};
}

// To [count, panels, k, 16] of elements of `size` bytes; `packed` is zero.
void copyToPanels(const char* from, char* packed, const Matrices& m, size_t size) {
  const int64_t panels = (m.n + kPanelWidth - 1) / kPanelWidth;
  for (int64_t i = 0; i < m.count; ++i) {
    for (int64_t p = 0; p < panels; ++p) {
      const int64_t columns = std::min(kPanelWidth, m.n - p * kPanelWidth);
      for (int64_t row = 0; row < m.k; ++row) {
        const char* piece = from + (i * m.stride + row * m.row_stride + p * kPanelWidth) * size;
        std::memcpy(packed + ((i * panels + p) * m.k + row) * kPanelWidth * size, piece, columns * size);
      }
    }
  }
}

Result<Tensor> packPanels(const Tensor& matrix, const Packing& packing) {
  llvm::ArrayRef<int64_t> shape = matrix.shape();
  const Matrices matrices = matricesOf(shape, packing);
  Shape packed(shape.begin(), shape.begin() + packing.batch_dims);
  if (packing.groups > 1) packed.push_back(packing.groups);
  packed.push_back((matrices.n + kPanelWidth - 1) / kPanelWidth);
  packed.insert(packed.end(), shape.begin() + packing.batch_dims, shape.end() - 1);
  packed.push_back(kPanelWidth);
  TET_ASSIGN_OR_RETURN(Tensor result, Tensor::create(matrix.type(), std::move(packed)));
  copyToPanels(matrix.as<char>(), result.as<char>(), matrices, byteSize(matrix.type()));
  return result;
}

// slice(reshape(transpose(panels))), of the type of the matrices.
Value unpackMatrices(mlir::OpBuilder& b, mlir::Location loc, Value panels, int64_t batch_dims,
                     mlir::RankedTensorType type) {
  const int64_t rank = type.getRank() + 1;
  Dims permutation;
  for (int64_t dim = 0; dim < rank; ++dim) {
    if (dim != batch_dims) permutation.push_back(dim);
  }
  permutation.insert(permutation.end() - 1, batch_dims);
  Value rows = tet::TransposeOp::create(b, loc, panels, permutation);
  Dims padded(type.getShape()), zeros(type.getRank(), 0), ones(type.getRank(), 1);
  padded.back() = (padded.back() + kPanelWidth - 1) / kPanelWidth * kPanelWidth;
  Value matrix = tet::ReshapeOp::create(b, loc, rows, padded);
  if (padded.back() == type.getShape().back()) return matrix;
  return tet::SliceOp::create(b, loc, matrix, zeros, type.getShape(), ones);
}

// reshape(transpose(matrices)): [groups, k…, n] -> [k…, groups * n], where there are groups.
Value unpack(mlir::OpBuilder& b, mlir::Location loc, Value panels, const Packing& packing,
             mlir::RankedTensorType type) {
  if (packing.groups == 1) return unpackMatrices(b, loc, panels, packing.batch_dims, type);
  Dims shape = {packing.groups}, permutation;
  llvm::append_range(shape, type.getShape());
  shape.back() /= packing.groups;
  Value matrices = unpackMatrices(b, loc, panels, 1, type.clone(shape));
  for (int64_t dim = 1; dim < type.getRank(); ++dim) permutation.push_back(dim);
  permutation.append({0, type.getRank()});
  return tet::ReshapeOp::create(b, loc, tet::TransposeOp::create(b, loc, matrices, permutation),
                                type.getShape());
}

// Of a convolution whose kernel is [spatial…, in, out]. Groups share no panel: each would waste what is left
// of its last one.
std::optional<Packing> packingOf(tet::ConvolutionOp op, mlir::RankedTensorType rhs) {
  const bool ends_out = static_cast<int64_t>(op.getKernelOutputFeatureDimension()) == rhs.getRank() - 1;
  if (op.getBatchGroupCount() != 1 || !ends_out) return std::nullopt;
  const Packing packing{0, static_cast<int64_t>(op.getFeatureGroupCount())};
  if (packing.groups > 1 && rhs.getShape().back() / packing.groups < kPanelWidth) return std::nullopt;
  return packing;
}

std::optional<Packing> packingOf(tet::DotGeneralOp op, mlir::RankedTensorType rhs) {
  auto batching = op.getRhsBatchingDimensions();
  const int64_t others = batching.size() + op.getRhsContractingDimensions().size();
  const bool leads = llvm::all_of(llvm::enumerate(batching),
                                  [](auto it) { return it.value() == static_cast<int64_t>(it.index()); });
  const bool ends_free = !llvm::is_contained(op.getRhsContractingDimensions(), rhs.getRank() - 1);
  if (!leads || !ends_free || rhs.getRank() != others + 1) return std::nullopt;
  return Packing{static_cast<int64_t>(batching.size()), 1};
}

// Nothing when the right-hand side has another layout or packing it is not worth it.
std::optional<Packing> packingOf(mlir::Operation* op) {
  auto rhs = llvm::cast<mlir::RankedTensorType>(op->getOperand(1).getType());
  if (rhs.getRank() == 0 || rhs.getShape().back() < kFewestColumns) return std::nullopt;
  if (auto convolution = llvm::dyn_cast<tet::ConvolutionOp>(op)) return packingOf(convolution, rhs);
  return packingOf(llvm::cast<tet::DotGeneralOp>(op), rhs);
}

struct PackPass : impl::PackPassBase<PackPass> {
  // The constant that is packed, batch dimensions, groups.
  using Key = std::tuple<mlir::Operation*, int64_t, int64_t>;

  void runOnOperation() override {
    llvm::MapVector<Key, Value> unpacked;
    getOperation().walk([&](mlir::Operation* op) {
      if (!llvm::isa<tet::ConvolutionOp, tet::DotGeneralOp>(op)) return;
      auto constant = op->getOperand(1).getDefiningOp<tet::ConstantOp>();
      auto packing = constant ? packingOf(op) : std::nullopt;
      // A matrix that regions of control flow read stays as it is: they have no panels of their own.
      if (!packing || constant->getBlock() != op->getBlock()) return;
      Value& value = unpacked[{constant, packing->batch_dims, packing->groups}];
      if (!value) value = pack(constant, *packing);
      if (value) op->setOperand(1, value);
    });
    llvm::SetVector<mlir::Operation*> packed;
    for (const auto& [key, value] : unpacked) packed.insert(std::get<0>(key));
    for (mlir::Operation* constant : packed) {
      if (constant->use_empty()) constant->erase();
    }
    packFactors(getOperation());
  }

  static Value pack(tet::ConstantOp constant, const Packing& packing) {
    Result<Tensor> matrix = tet::tensorOf(constant.getValue());
    if (!matrix) return {};
    Result<Tensor> panels = packPanels(*matrix, packing);
    if (!panels) return {};
    mlir::OpBuilder b(constant->getBlock(), std::next(constant->getIterator()));
    Value packed = tet::makeConstant(b, constant.getLoc(), *panels, "panels");
    return unpack(b, constant.getLoc(), packed, packing, constant.getType());
  }
};

}  // namespace
}  // namespace tetrarch::compile
