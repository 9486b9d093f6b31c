// Gather and dynamic_slice as elements that are extracted at computed places, scatter as a loop over the
// updates in their order.
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "tetrarch/compile/code_generator.h"
#include "tetrarch/compile/lower/lower_op.h"
#include "tetrarch/graph/types.h"

namespace tetrarch::compile {
namespace {

namespace arith = mlir::arith;
namespace tensor = mlir::tensor;
using mlir::AffineExpr;
using mlir::AffineMap;
using mlir::Type;
using mlir::Value;
using Ints = llvm::ArrayRef<int64_t>;

// How the dimensions of a window (gather's result, scatter's updates) relate to the operand and to the index
// tensor.
struct WindowDims {
  Dims operand_of_offset;  // operand dimension of each offset dimension, in order
  Dims batch;              // the other dimensions of the window, in order
};

WindowDims windowDims(int64_t operand_rank, int64_t window_rank, Ints offset_dims, Ints collapsed,
                      Ints batching) {
  WindowDims dims;
  for (int64_t dim = 0; dim < operand_rank; ++dim) {
    if (!llvm::is_contained(collapsed, dim) && !llvm::is_contained(batching, dim))
      dims.operand_of_offset.push_back(dim);
  }
  for (int64_t dim = 0; dim < window_rank; ++dim) {
    if (!llvm::is_contained(offset_dims, dim)) dims.batch.push_back(dim);
  }
  return dims;
}

// Window dimensions along which the index tensor's dimensions run; -1 for that of the index vector.
Dims indexDims(int64_t rank, int64_t index_vector_dim, Ints batch) {
  Dims dims;
  for (int64_t dim = 0, next = 0; dim < rank; ++dim)
    dims.push_back(dim == index_vector_dim ? -1 : batch[next++]);
  return dims;
}

}  // namespace

namespace {

// The place in an operand, summed up dimension by dimension; 0 where nothing was added.
class Place {
 public:
  Place(Builder& body, int64_t rank) : body_(body), position_(rank) {}
  void advance(int64_t dim, Value by) {
    position_[dim] = position_[dim] ? Value(arith::AddIOp::create(body_, position_[dim], by)) : by;
  }
  Values finish() {
    for (Value& value : position_) {
      if (!value) value = arith::ConstantIndexOp::create(body_, 0);
    }
    return position_;
  }

 private:
  Builder& body_;
  Values position_;
};

Values gatherPlace(GenericBuilder& generic, tet::GatherOp op, AffineMap map) {
  auto operand_shape = shapeOf(op.getOperand());
  auto* context = op.getContext();
  WindowDims dims = windowDims(operand_shape.size(), shapeOf(op.getResult()).size(), op.getOffsetDims(),
                               op.getCollapsedSliceDims(), op.getOperandBatchingDims());
  Dims index_dims = indexDims(shapeOf(op.getStartIndices()).size(), op.getIndexVectorDim(), dims.batch);
  Place place(generic.body(), operand_shape.size());
  for (auto [k, dim] : llvm::enumerate(op.getStartIndexMap())) {
    llvm::SmallVector<AffineExpr> exprs;
    for (int64_t from : index_dims)
      exprs.push_back(from < 0 ? mlir::getAffineConstantExpr(k, context) : map.getResult(from));
    Value start =
        generic.expression(op.getStartIndices(), AffineMap::get(map.getNumDims(), 0, exprs, context));
    place.advance(dim, clampedIndex(generic.body(), start, elementOf(op.getStartIndices()),
                                    operand_shape[dim] - op.getSliceSizes()[dim]));
  }
  for (auto [dim, index_dim] : llvm::zip(op.getOperandBatchingDims(), op.getStartIndicesBatchingDims())) {
    place.advance(dim, generic.index(map.getResult(index_dims[index_dim])));
  }
  for (auto [offset, dim] : llvm::zip(op.getOffsetDims(), dims.operand_of_offset)) {
    place.advance(dim, generic.index(map.getResult(offset)));
  }
  return place.finish();
}

Values dynamicSlicePlace(GenericBuilder& generic, tet::DynamicSliceOp op, AffineMap map) {
  auto shape = shapeOf(op.getOperand());
  Place place(generic.body(), shape.size());
  AffineMap scalar = AffineMap::get(map.getNumDims(), 0, {}, op.getContext());
  for (auto [dim, start] : llvm::enumerate(op.getStartIndices())) {
    place.advance(dim, clampedIndex(generic.body(), generic.expression(start, scalar), elementOf(start),
                                    shape[dim] - op.getSliceSizes()[dim]));
    place.advance(dim, generic.index(map.getResult(dim)));
  }
  return place.finish();
}

}  // namespace

bool readsByIndex(mlir::Operation* op) { return llvm::isa<tet::GatherOp, tet::DynamicSliceOp>(op); }

Value elementByIndex(GenericBuilder& generic, mlir::Operation* op, AffineMap map) {
  Value operand = generic.lowering().tensor(op->getOperand(0));
  auto gather = llvm::dyn_cast<tet::GatherOp>(op);
  Values place = gather ? gatherPlace(generic, gather, map)
                        : dynamicSlicePlace(generic, llvm::cast<tet::DynamicSliceOp>(op), map);
  return tensor::ExtractOp::create(generic.body(), operand, place);
}

namespace {

// An index of scatter along one dimension, and whether it lies inside.
class ScatterPosition {
 public:
  ScatterPosition(Builder& b, int64_t rank) : b_(b), position_(rank) {}

  void advance(int64_t dim, Value by) {
    position_[dim] = position_[dim] ? Value(arith::AddIOp::create(b_, position_[dim], by)) : by;
  }
  // Brings the position inside (0 along dimensions where it is not) and returns the condition; null = always
  // inside.
  Value clampInside(Ints shape) {
    Value inside;
    Value zero = arith::ConstantIndexOp::create(b_, 0);
    for (auto [index, extent] : llvm::zip(position_, shape)) {
      if (!index) {
        index = zero;
        continue;
      }
      Value end = arith::ConstantIndexOp::create(b_, extent);
      Value fits = arith::CmpIOp::create(b_, arith::CmpIPredicate::ult, index, end);
      index = arith::SelectOp::create(b_, fits, index, zero);
      inside = inside ? Value(arith::AndIOp::create(b_, inside, fits)) : fits;
    }
    return inside;
  }
  Values& values() { return position_; }

 private:
  Builder& b_;
  Values position_;
};

// One element of the updates, at `at`, combined into `result`.
Value scatterElement(Lowering& lowering, Builder& b, tet::ScatterOp op, mlir::ValueRange at, Value result,
                     Value indices, Value updates) {
  const int64_t rank = shapeOf(result).size();
  WindowDims dims = windowDims(rank, at.size(), op.getUpdateWindowDims(), op.getInsertedWindowDims(),
                               op.getInputBatchingDims());
  Dims index_dims = indexDims(shapeOf(indices).size(), op.getIndexVectorDim(), dims.batch);
  ScatterPosition position(b, rank);
  for (auto [k, dim] : llvm::enumerate(op.getScatterDimsToOperandDims())) {
    Values index_at;
    for (int64_t from : index_dims) {
      index_at.push_back(from < 0 ? Value(arith::ConstantIndexOp::create(b, k)) : at[from]);
    }
    Type element = elementOf(op.getScatterIndices());
    Value start = loadScalar(b, tensor::ExtractOp::create(b, indices, index_at), element);
    Value wide = convertScalar(b, start, element, b.getI64Type());
    position.advance(dim, arith::IndexCastOp::create(b, b.getIndexType(), wide));
  }
  for (auto [dim, index_dim] : llvm::zip(op.getInputBatchingDims(), op.getScatterIndicesBatchingDims())) {
    position.advance(dim, at[index_dims[index_dim]]);
  }
  for (auto [window, dim] : llvm::zip(op.getUpdateWindowDims(), dims.operand_of_offset))
    position.advance(dim, at[window]);
  Value inside = position.clampInside(shapeOf(result));

  Type element = elementOf(op.getInput());
  Value stored = tensor::ExtractOp::create(b, result, position.values());
  Value update = loadScalar(b, tensor::ExtractOp::create(b, updates, at), element);
  Value combined = combine(b, op.getKind(), loadScalar(b, stored, element), update, element);
  Value next = storeScalar(b, roundScalar(b, combined, element), element);
  if (inside) next = arith::SelectOp::create(b, inside, next, stored);
  return tensor::InsertOp::create(b, next, result, position.values());
}

// Dimensions of the updates whose index is the position along a dimension of the result, and nothing is
// added: updates that differ there meet different elements.
Dims independentDims(tet::ScatterOp op, int64_t rank) {
  WindowDims dims = windowDims(shapeOf(op.getResult()).size(), rank, op.getUpdateWindowDims(),
                               op.getInsertedWindowDims(), op.getInputBatchingDims());
  Dims index_dims = indexDims(shapeOf(op.getScatterIndices()).size(), op.getIndexVectorDim(), dims.batch);
  Dims independent;
  auto add = [&](int64_t update_dim, int64_t result_dim) {
    if (!llvm::is_contained(op.getScatterDimsToOperandDims(), result_dim)) independent.push_back(update_dim);
  };
  for (auto [window, dim] : llvm::zip(op.getUpdateWindowDims(), dims.operand_of_offset)) add(window, dim);
  for (auto [dim, index_dim] : llvm::zip(op.getInputBatchingDims(), op.getScatterIndicesBatchingDims()))
    add(index_dims[index_dim], dim);
  return independent;
}

}  // namespace

mlir::LogicalResult lowerScatter(Lowering& lowering, tet::ScatterOp op) {
  Builder& b = lowering.b;
  Value input = lowering.tensor(op.getInput()), indices = lowering.tensor(op.getScatterIndices());
  Value updates = lowering.tensor(op.getUpdates());
  if (op.getType().getNumElements() == 0) {
    lowering.bind(op.getResult(), input);
    return mlir::success();
  }
  Value zero = arith::ConstantIndexOp::create(b, 0), one = arith::ConstantIndexOp::create(b, 1);
  Values ends;
  for (int64_t extent : shapeOf(updates)) ends.push_back(arith::ConstantIndexOp::create(b, extent));
  Values zeros(ends.size(), zero), ones(ends.size(), one);
  auto nest = mlir::scf::buildLoopNest(
      b, b.getLoc(), zeros, ends, ones, mlir::ValueRange{input},
      [&](mlir::OpBuilder& inner, mlir::Location loc, mlir::ValueRange at, mlir::ValueRange carried) {
        Builder body(loc, inner);
        return mlir::scf::ValueVector{scatterElement(lowering, body, op, at, carried[0], indices, updates)};
      });
  for (int64_t dim : independentDims(op, ends.size()))
    nest.loops[dim]->setAttr(kIndependentAttr, b.getUnitAttr());
  lowering.bind(op.getResult(), nest.results.front());
  return mlir::success();
}

}  // namespace tetrarch::compile
