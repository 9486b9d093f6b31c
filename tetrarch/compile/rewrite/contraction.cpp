// The canonical dot_general: lhs ends in a contracted dimension, rhs has one free dimension and ends in it.
// So both are read along their last dimension; other dimensions may stand in any order.
#include "tetrarch/compile/rewrite/rules.h"

namespace tetrarch::compile {
namespace {

using namespace tet;  // the ops
using Dims = llvm::SmallVector<int64_t>;
using R = PatternRewriter;

Dims freeDims(int64_t rank, llvm::ArrayRef<int64_t> batching, llvm::ArrayRef<int64_t> contracting) {
  Dims free;
  for (int64_t dim = 0; dim < rank; ++dim) {
    if (!llvm::is_contained(batching, dim) && !llvm::is_contained(contracting, dim)) free.push_back(dim);
  }
  return free;
}

Dims joined(std::initializer_list<llvm::ArrayRef<int64_t>> parts) {
  Dims all;
  for (auto part : parts) llvm::append_range(all, part);
  return all;
}

Dims range(int64_t first, int64_t count) {
  Dims dims;
  for (int64_t i = 0; i < count; ++i) dims.push_back(first + i);
  return dims;
}

Value dot(R& r, DotGeneralOp like, mlir::Type type, Value lhs, Value rhs,
          llvm::ArrayRef<int64_t> lhs_batching, llvm::ArrayRef<int64_t> rhs_batching,
          llvm::ArrayRef<int64_t> lhs_contracting, llvm::ArrayRef<int64_t> rhs_contracting) {
  auto array = [&](llvm::ArrayRef<int64_t> dims) { return r.getDenseI64ArrayAttr(dims); };
  return DotGeneralOp::create(r, like.getLoc(), type, lhs, rhs, array(lhs_batching), array(rhs_batching),
                              array(lhs_contracting), array(rhs_contracting));
}

// dot(x, y) = dot(transpose(x), y), [batch…, free…, contracted…], when x does not end in a contracted
// dimension
Value canonicalLhs(DotGeneralOp op, R& r) {
  const int64_t rank = tensorType(op.getLhs()).getRank();
  auto batching = op.getLhsBatchingDimensions(), contracting = op.getLhsContractingDimensions();
  if (contracting.empty() || llvm::is_contained(contracting, rank - 1)) return {};
  Dims free = freeDims(rank, batching, contracting);
  Value lhs = transposeBy(r, op.getLoc(), op.getLhs(), joined({batching, free, contracting}));
  return dot(r, op, op.getType(), lhs, op.getRhs(), range(0, batching.size()), op.getRhsBatchingDimensions(),
             range(batching.size() + free.size(), contracting.size()), op.getRhsContractingDimensions());
}

// dot(x, y) = dot(x, transpose(y)), [batch…, contracted…, free…], when y does not end in its only free
// dimension
Value canonicalRhs(DotGeneralOp op, R& r) {
  const int64_t rank = tensorType(op.getRhs()).getRank();
  auto batching = op.getRhsBatchingDimensions(), contracting = op.getRhsContractingDimensions();
  Dims free = freeDims(rank, batching, contracting);
  if (free.size() == 1 && free[0] == rank - 1) return {};
  Value rhs = transposeBy(r, op.getLoc(), op.getRhs(), joined({batching, contracting, free}));
  // Several free dimensions, or none, become one.
  Dims shape(shapeOfValue(rhs)), result(shapeOfValue(op.getResult()));
  int64_t columns = 1;
  for (int64_t dim : free) columns *= shapeOfValue(op.getRhs())[dim];
  shape.resize(batching.size() + contracting.size());
  shape.push_back(columns);
  result.resize(result.size() - free.size());
  result.push_back(columns);
  rhs = reshapeTo(r, op.getLoc(), rhs, shape);
  Value product = dot(r, op, op.getType().clone(result), op.getLhs(), rhs, op.getLhsBatchingDimensions(),
                      range(0, batching.size()), op.getLhsContractingDimensions(),
                      range(batching.size(), contracting.size()));
  return reshapeTo(r, op.getLoc(), product, shapeOfValue(op.getResult()));
}

// dot(transpose(x), y) = dot(x, y) with the dimensions renamed, when the last one and the order of free ones
// stay
bool readThroughTranspose(Value& operand, Dims& batching, Dims& contracting) {
  auto transpose = operand.getDefiningOp<TransposeOp>();
  if (!transpose || isConstant(transpose.getOperand())) return false;
  auto permutation = transpose.getPermutation();
  const int64_t rank = permutation.size();
  if (permutation.back() != rank - 1) return false;
  Dims free = permuted(permutation, freeDims(rank, batching, contracting));
  if (!llvm::is_sorted(free)) return false;
  batching = permuted(permutation, batching);
  contracting = permuted(permutation, contracting);
  operand = transpose.getOperand();
  return true;
}

Value readTransposed(DotGeneralOp op, R& r) {
  Value lhs = op.getLhs(), rhs = op.getRhs();
  Dims lhs_batching(op.getLhsBatchingDimensions()), lhs_contracting(op.getLhsContractingDimensions());
  Dims rhs_batching(op.getRhsBatchingDimensions()), rhs_contracting(op.getRhsContractingDimensions());
  const bool left = readThroughTranspose(lhs, lhs_batching, lhs_contracting);
  const bool right = readThroughTranspose(rhs, rhs_batching, rhs_contracting);
  if (!left && !right) return {};
  return dot(r, op, op.getType(), lhs, rhs, lhs_batching, rhs_batching, lhs_contracting, rhs_contracting);
}

}  // namespace

void addContractionRules(mlir::RewritePatternSet& patterns) {
  addRules<DotGeneralOp>(patterns, {canonicalLhs, canonicalRhs, readTransposed});
}

}  // namespace tetrarch::compile
