// Reductions: reduce and reduce_window as one linalg.generic over a tensor filled with the kind's identity,
// and cumulative as a loop over slices. Sums and extrema of narrow floats are kept in f32 and rounded once.
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "tetrarch/compile/lower/lower_op.h"
#include "tetrarch/graph/types.h"

namespace tetrarch::compile {
namespace {

using mlir::AffineExpr;
using mlir::AffineMap;
using mlir::Type;
using mlir::Value;
using tet::ReductionKind;

Value identityTensor(Builder& b, llvm::ArrayRef<int64_t> shape, ReductionKind kind, Type element) {
  return filledTensor(b, shape, storeCarrier(b, identity(b, kind, element), element));
}

// Binds a tensor of carriers; what the carrier holds more than the element type is rounded or wrapped when
// read.
void bindCarrier(Lowering& lowering, Value result, Value tensor) {
  Type element = elementOf(result);
  const bool exact = elementOf(tensor) == tet::storageElementType(element) && !element.isSignlessInteger(4);
  lowering.bind(result, tensor, exact ? Type() : elementOf(tensor));
}

// One loop nest that combines `element_at(generic)` into the first `parallel` loops.
Value emitReduction(Lowering& lowering, llvm::ArrayRef<int64_t> extents, int64_t parallel, ReductionKind kind,
                    Type element, llvm::function_ref<Value(GenericBuilder&)> element_at) {
  GenericBuilder generic(lowering, extents, parallel);
  Value x = element_at(generic);
  Value init = identityTensor(lowering.b, extents.take_front(parallel), kind, element);
  AffineMap out = dimMap(lowering.b.getContext(), extents.size(), countFrom(0, parallel));
  Value current = loadCarrier(generic.body(), generic.output(init, out), element);
  Value combined = combine(generic.body(), kind, current, x, element);
  return generic.finish(storeCarrier(generic.body(), combined, element)).front();
}

// The input as it is read, or padded and spread with the identity if the windows ask for it.
Access windowInput(Lowering& lowering, tet::ReduceWindowOp op, AffineMap map) {
  const int64_t rank = shapeOf(op.getOperand()).size();
  Dims low(rank), high(rank), interior(rank);
  for (int64_t dim = 0; dim < rank; ++dim) {
    low[dim] = op.getPadding()[2 * dim];
    high[dim] = op.getPadding()[2 * dim + 1];
    interior[dim] = op.getBaseDilations()[dim] - 1;
  }
  auto is_zero = [](int64_t value) { return value == 0; };
  if (llvm::all_of(low, is_zero) && llvm::all_of(high, is_zero) && llvm::all_of(interior, is_zero)) {
    return lowering.read(op.getOperand(), map);
  }
  Builder& b = lowering.b;
  Type element = elementOf(op.getOperand());
  Value input = lowering.tensor(op.getOperand());
  Value filler = storeScalar(b, identity(b, op.getKind(), element), element);
  return {padTensor(b, input, low, high, interior, filler), map, {}};
}

}  // namespace

mlir::LogicalResult lowerReduce(Lowering& lowering, tet::ReduceOp op) {
  auto shape = shapeOf(op.getOperand());
  const int64_t rank = shape.size(), parallel = shapeOf(op.getResult()).size();
  Dims loop_of(rank), extents;
  auto reduced = [&](int64_t dim) { return llvm::is_contained(op.getDimensions(), dim); };
  for (bool reductions : {false, true}) {
    for (int64_t dim = 0; dim < rank; ++dim) {
      if (reduced(dim) != reductions) continue;
      loop_of[dim] = extents.size();
      extents.push_back(shape[dim]);
    }
  }
  AffineMap map = dimMap(op.getContext(), rank, loop_of);
  Value sum =
      emitReduction(lowering, extents, parallel, op.getKind(), elementOf(op.getOperand()),
                    [&](GenericBuilder& generic) { return generic.expression(op.getOperand(), map); });
  bindCarrier(lowering, op.getResult(), sum);
  return mlir::success();
}

// Parallel loops: the result's dimensions. Reductions: the window's dimensions that are larger than 1.
mlir::LogicalResult lowerReduceWindow(Lowering& lowering, tet::ReduceWindowOp op) {
  Dims extents(shapeOf(op.getResult()));
  const int64_t rank = extents.size();
  Dims window_loop(rank, -1);
  for (int64_t dim = 0; dim < rank; ++dim) {
    if (op.getWindowDimensions()[dim] == 1) continue;
    window_loop[dim] = extents.size();
    extents.push_back(op.getWindowDimensions()[dim]);
  }
  llvm::SmallVector<AffineExpr> exprs;
  for (int64_t dim = 0; dim < rank; ++dim) {
    AffineExpr position = mlir::getAffineDimExpr(dim, op.getContext()) * op.getWindowStrides()[dim];
    if (window_loop[dim] >= 0) {
      position =
          position + mlir::getAffineDimExpr(window_loop[dim], op.getContext()) * op.getWindowDilations()[dim];
    }
    exprs.push_back(position);
  }
  Access input = windowInput(lowering, op, AffineMap::get(extents.size(), 0, exprs, op.getContext()));
  Type element = elementOf(op.getOperand());
  Value combined = emitReduction(lowering, extents, rank, op.getKind(), element,
                                 [&](GenericBuilder& generic) { return generic.load(input, element); });
  bindCarrier(lowering, op.getResult(), combined);
  return mlir::success();
}

// for i: carried = combine(carried, operand[i]); result[i] = carried, where [i] is a slice along the
// dimension.
mlir::LogicalResult lowerCumulative(Lowering& lowering, tet::CumulativeOp op) {
  namespace tensor = mlir::tensor;
  Builder& b = lowering.b;
  auto type = op.getType();
  Type element = type.getElementType(), storage = tet::storageElementType(element);
  Dims slice_shape(type.getShape());
  slice_shape[op.getDimension()] = 1;
  Value operand = lowering.tensor(op.getOperand());
  Value result = emptyTensor(b, type.getShape(), storage);
  Value carried = identityTensor(b, slice_shape, op.getKind(), element);

  llvm::SmallVector<mlir::OpFoldResult> offsets(type.getRank(), b.getIndexAttr(0)),
      strides(type.getRank(), b.getIndexAttr(1));
  auto sizes = mlir::getAsIndexOpFoldResult(b.getContext(), slice_shape);
  AffineMap identity_map = AffineMap::getMultiDimIdentityMap(type.getRank(), b.getContext());
  auto constant = [&](int64_t value) { return mlir::arith::ConstantIndexOp::create(b, value).getResult(); };
  Value begin = constant(0), end = constant(type.getDimSize(op.getDimension())), step = constant(1);
  auto loop = mlir::scf::ForOp::create(b, begin, end, step, mlir::ValueRange{carried, result});
  {
    mlir::OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(loop.getBody());
    offsets[op.getDimension()] = loop.getInductionVar();
    Value slice = tensor::ExtractSliceOp::create(b, operand, offsets, sizes, strides);
    Value target = emptyTensor(b, slice_shape, storage);
    GenericBuilder generic(lowering, slice_shape, slice_shape.size());
    Value x = loadScalar(generic.body(), generic.operand(slice, identity_map), element);
    Value before =
        loadCarrier(generic.body(), generic.output(loop.getRegionIterArg(0), identity_map), element);
    generic.output(target, identity_map);
    Value sum = combine(generic.body(), op.getKind(), before, x, element);
    Value kept = storeCarrier(generic.body(), sum, element);
    Value stored = storeScalar(generic.body(), roundScalar(generic.body(), sum, element), element);
    auto slices = generic.finish({kept, stored});
    Value updated =
        tensor::InsertSliceOp::create(b, slices[1], loop.getRegionIterArg(1), offsets, sizes, strides);
    mlir::scf::YieldOp::create(b, mlir::ValueRange{slices[0], updated});
  }
  lowering.bind(op.getResult(), loop.getResult(1));
  return mlir::success();
}

}  // namespace tetrarch::compile
