// The pack pass: constant right-hand sides of contractions are stored in panels (lower/packed.h). In the
// graph the panels are unpacked again by ops that the lowering of the contraction reads through, so the
// weights are never unpacked in fact.
#include <cstring>

#include "mlir/IR/BuiltinOps.h"
#include "tetrarch/compile/lower/packed.h"
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

// [batch, k, n] -> [batch, panels, k, 16] of elements of `size` bytes; `packed` is zero.
void copyToPanels(const char* matrix, char* packed, int64_t batch, int64_t k, int64_t n, size_t size) {
  const int64_t panels = (n + kPanelWidth - 1) / kPanelWidth;
  for (int64_t b = 0; b < batch; ++b) {
    for (int64_t p = 0; p < panels; ++p) {
      const int64_t columns = std::min(kPanelWidth, n - p * kPanelWidth);
      for (int64_t row = 0; row < k; ++row) {
        const char* from = matrix + ((b * k + row) * n + p * kPanelWidth) * size;
        std::memcpy(packed + ((b * panels + p) * k + row) * kPanelWidth * size, from, columns * size);
      }
    }
  }
}

int64_t product(llvm::ArrayRef<int64_t> dims) {
  int64_t result = 1;
  for (int64_t dim : dims) result *= dim;
  return result;
}

Result<Tensor> packPanels(const Tensor& matrix, int64_t batch_dims) {
  llvm::ArrayRef<int64_t> shape = matrix.shape();
  const int64_t n = shape.back();
  Shape packed(shape.begin(), shape.begin() + batch_dims);
  packed.push_back((n + kPanelWidth - 1) / kPanelWidth);
  packed.insert(packed.end(), shape.begin() + batch_dims, shape.end() - 1);
  packed.push_back(kPanelWidth);
  TET_ASSIGN_OR_RETURN(Tensor result, Tensor::create(matrix.type(), std::move(packed)));
  copyToPanels(matrix.as<char>(), result.as<char>(), product(shape.take_front(batch_dims)),
               product(shape.drop_front(batch_dims).drop_back()), n, byteSize(matrix.type()));
  return result;
}

// slice(reshape(transpose(panels))), of the type of the matrix.
Value unpack(mlir::OpBuilder& b, mlir::Location loc, Value panels, int64_t batch_dims,
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

// How many leading dimensions of a contraction's rhs are batch dimensions; nullopt when its layout is not
// [batch…, k…, n] or packing it is not worth it.
std::optional<int64_t> batchDims(mlir::Operation* op) {
  auto rhs = llvm::cast<mlir::RankedTensorType>(op->getOperand(1).getType());
  if (rhs.getRank() == 0 || rhs.getShape().back() < kFewestColumns) return std::nullopt;
  if (auto convolution = llvm::dyn_cast<tet::ConvolutionOp>(op)) {
    const bool is_plain =
        convolution.getFeatureGroupCount() == 1 && convolution.getBatchGroupCount() == 1 &&
        static_cast<int64_t>(convolution.getKernelOutputFeatureDimension()) == rhs.getRank() - 1;
    return is_plain ? std::optional<int64_t>(0) : std::nullopt;
  }
  auto dot = llvm::cast<tet::DotGeneralOp>(op);
  auto batching = dot.getRhsBatchingDimensions();
  const int64_t others = batching.size() + dot.getRhsContractingDimensions().size();
  const bool leads = llvm::all_of(llvm::enumerate(batching),
                                  [](auto it) { return it.value() == static_cast<int64_t>(it.index()); });
  const bool ends_free = !llvm::is_contained(dot.getRhsContractingDimensions(), rhs.getRank() - 1);
  if (!leads || !ends_free || rhs.getRank() != others + 1) return std::nullopt;
  return batching.size();
}

struct PackPass : impl::PackPassBase<PackPass> {
  void runOnOperation() override {
    llvm::DenseMap<std::pair<mlir::Operation*, int64_t>, Value> unpacked;
    getOperation().walk([&](mlir::Operation* op) {
      if (!llvm::isa<tet::ConvolutionOp, tet::DotGeneralOp>(op)) return;
      auto constant = op->getOperand(1).getDefiningOp<tet::ConstantOp>();
      auto batch_dims = constant ? batchDims(op) : std::nullopt;
      // A matrix that regions of control flow read stays as it is: they have no panels of their own.
      if (!batch_dims || constant->getBlock() != op->getBlock()) return;
      Value& value = unpacked[{constant, *batch_dims}];
      if (!value) value = pack(constant, *batch_dims);
      if (value) op->setOperand(1, value);
    });
  }

  static Value pack(tet::ConstantOp constant, int64_t batch_dims) {
    Result<Tensor> matrix = tet::tensorOf(constant.getValue());
    if (!matrix) return {};
    Result<Tensor> panels = packPanels(*matrix, batch_dims);
    if (!panels) return {};
    mlir::OpBuilder b(constant->getBlock(), std::next(constant->getIterator()));
    Value packed = tet::makeConstant(b, constant.getLoc(), *panels, "panels");
    return unpack(b, constant.getLoc(), packed, batch_dims, constant.getType());
  }
};

}  // namespace
}  // namespace tetrarch::compile
