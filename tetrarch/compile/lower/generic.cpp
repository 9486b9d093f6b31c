#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StructuredOpsUtils.h"
#include "tetrarch/compile/lower/lowering.h"
#include "tetrarch/graph/types.h"

namespace tetrarch::compile {
namespace {

using mlir::AffineExpr;
using mlir::AffineMap;
using mlir::Operation;
using mlir::Value;

// A reshape that only adds or takes dimensions of size 1: each other dimension of the operand is the result's
// next.
std::optional<AffineMap> unitReshapeMap(tet::ReshapeOp op, AffineMap map) {
  auto from = shapeOf(op.getOperand()), to = shapeOf(op.getResult());
  llvm::SmallVector<AffineExpr> exprs;
  size_t next = 0;
  for (int64_t size : from) {
    if (size == 1) {
      exprs.push_back(mlir::getAffineConstantExpr(0, op.getContext()));
      continue;
    }
    while (next < to.size() && to[next] == 1) ++next;
    if (next == to.size() || to[next] != size) return std::nullopt;
    exprs.push_back(map.getResult(next++));
  }
  while (next < to.size() && to[next] == 1) ++next;
  if (next != to.size()) return std::nullopt;
  return AffineMap::get(map.getNumDims(), 0, exprs, op.getContext());
}

AffineMap broadcastMap(tet::BroadcastInDimOp op, AffineMap map) {
  auto to = shapeOf(op.getResult());
  llvm::SmallVector<AffineExpr> exprs;
  for (auto [size, dim] : llvm::zip(shapeOf(op.getOperand()), op.getBroadcastDimensions())) {
    exprs.push_back(size == to[dim] ? map.getResult(dim) : mlir::getAffineConstantExpr(0, op.getContext()));
  }
  return AffineMap::get(map.getNumDims(), 0, exprs, op.getContext());
}

AffineMap transposeMap(tet::TransposeOp op, AffineMap map) {
  llvm::SmallVector<AffineExpr> exprs(map.getNumResults());
  for (auto [dim, from] : llvm::enumerate(op.getPermutation())) exprs[from] = map.getResult(dim);
  return AffineMap::get(map.getNumDims(), 0, exprs, op.getContext());
}

}  // namespace

std::optional<AffineMap> operandMap(Operation* op, AffineMap map) {
  if (auto broadcast = llvm::dyn_cast<tet::BroadcastInDimOp>(op)) return broadcastMap(broadcast, map);
  if (auto transpose = llvm::dyn_cast<tet::TransposeOp>(op)) return transposeMap(transpose, map);
  if (auto reshape = llvm::dyn_cast<tet::ReshapeOp>(op)) return unitReshapeMap(reshape, map);
  return std::nullopt;
}

bool movesNothing(tet::ReshapeOp op) {
  AffineMap identity = AffineMap::getMultiDimIdentityMap(shapeOf(op.getResult()).size(), op.getContext());
  return unitReshapeMap(op, identity).has_value();
}

bool isCounting(Operation* op) {
  if (llvm::isa<tet::IotaOp>(op)) return true;
  auto add = llvm::dyn_cast<tet::AddOp>(op);
  return add && add.getLhs().getDefiningOp<tet::IotaOp>() && splatOf(add.getRhs());
}

mlir::Attribute splatOf(Value value) {
  auto constant = value.getDefiningOp<tet::ConstantOp>();
  auto elements = constant ? llvm::dyn_cast<mlir::DenseElementsAttr>(constant.getValue()) : nullptr;
  return elements && elements.isSplat() ? elements.getSplatValue<mlir::Attribute>() : nullptr;
}

AffineMap dimMap(mlir::MLIRContext* context, int64_t loops, llvm::ArrayRef<int64_t> dims) {
  llvm::SmallVector<AffineExpr> exprs;
  for (int64_t dim : dims) {
    exprs.push_back(dim < 0 ? mlir::getAffineConstantExpr(0, context) : mlir::getAffineDimExpr(dim, context));
  }
  return AffineMap::get(loops, 0, exprs, context);
}

Dims countFrom(int64_t first, int64_t count) {
  Dims dims(count);
  for (int64_t i = 0; i < count; ++i) dims[i] = first + i;
  return dims;
}

GenericBuilder::GenericBuilder(Lowering& lowering, llvm::ArrayRef<int64_t> extents, int64_t parallel)
    : lowering_(lowering),
      extents_(extents),
      parallel_(parallel),
      block_(new mlir::Block),
      body_(lowering.b.getLoc(), lowering.b.getContext()) {
  body_.setInsertionPointToEnd(block_);
}

GenericBuilder::~GenericBuilder() { delete block_; }

Value GenericBuilder::operand(Value tensor, AffineMap map) {
  Value& argument = operands_[{tensor, map}];
  if (!argument) {
    argument = block_->insertArgument(inputs_.size(), elementOf(tensor), tensor.getLoc());
    inputs_.push_back(tensor);
    input_maps_.push_back(map);
  }
  return argument;
}

Value GenericBuilder::load(const Access& access, mlir::Type element) {
  Value stored = operand(access.tensor, access.map);
  return access.sum ? convertScalar(body_, stored, access.sum, element) : loadScalar(body_, stored, element);
}

Value GenericBuilder::output(Value init, AffineMap map) {
  outputs_.push_back(init);
  output_maps_.push_back(map);
  return block_->addArgument(elementOf(init), init.getLoc());
}

Value GenericBuilder::root(Value value, AffineMap map) {
  if (!lowering_.isInlined(value)) return expression(value, map);
  Value known = memo_.lookup({value, map});
  Value computed = known ? known : inlineOp(value.getDefiningOp(), map);
  return memo_[{value, map}] = computed;
}

Value GenericBuilder::expression(Value value, AffineMap map) {
  if (Value known = memo_.lookup({value, map})) return known;
  Value computed;
  if (lowering_.isInlined(value) && !lowering_.kept_.contains(value)) {
    computed = inlineOp(value.getDefiningOp(), map);
  } else {
    Leaf leaf = lowering_.leaf(value);
    computed = load({leaf.tensor, map, leaf.sum}, elementOf(value));
  }
  return memo_[{value, map}] = computed;
}

Value GenericBuilder::moved(Value value, AffineMap map, bool is_root) {
  if (!lowering_.isInlined(value) || (lowering_.kept_.contains(value) && !is_root)) {
    Leaf leaf = lowering_.leaf(value);
    return leaf.sum ? Value() : operand(leaf.tensor, map);
  }
  Operation* op = value.getDefiningOp();
  if (auto inner = operandMap(op, map)) return moved(op->getOperand(0), *inner, /*is_root=*/false);
  return readsByIndex(op) ? elementByIndex(*this, op, map) : Value();
}

Value GenericBuilder::inlineOp(Operation* op, AffineMap map) {
  if (auto inner = operandMap(op, map)) return expression(op->getOperand(0), *inner);
  mlir::Type element = elementOf(op->getResult(0));
  if (readsByIndex(op)) return loadScalar(body_, elementByIndex(*this, op, map), element);
  if (auto iota = llvm::dyn_cast<tet::IotaOp>(op)) {
    Value position = index(map.getResult(iota.getIotaDimension()));
    Value number = mlir::arith::IndexCastOp::create(body_, body_.getI64Type(), position);
    return convertScalar(body_, number, body_.getI64Type(), element);
  }
  if (mlir::Attribute splat = splatOf(op->getResult(0))) return scalarConstant(body_, splat, element);
  Values operands;
  for (Value operand : op->getOperands()) operands.push_back(expression(operand, map));
  body_.setLoc(op->getLoc());
  return payload(body_, op, operands);
}

Value GenericBuilder::index(AffineExpr expr) {
  if (auto constant = llvm::dyn_cast<mlir::AffineConstantExpr>(expr)) {
    return mlir::arith::ConstantIndexOp::create(body_, constant.getValue());
  }
  return mlir::linalg::IndexOp::create(body_, llvm::cast<mlir::AffineDimExpr>(expr).getPosition());
}

// A loop that no map names on its own gets its extent from an operand that is only a shape.
void GenericBuilder::bindAllLoops() {
  llvm::SmallBitVector bound(extents_.size());
  auto mark = [&](llvm::ArrayRef<AffineMap> maps) {
    for (AffineMap map : maps) {
      for (AffineExpr expr : map.getResults()) {
        if (auto dim = llvm::dyn_cast<mlir::AffineDimExpr>(expr)) bound.set(dim.getPosition());
      }
    }
  };
  mark(input_maps_);
  mark(output_maps_);
  if (bound.all()) return;
  Dims shape, dims;
  for (auto [dim, extent] : llvm::enumerate(extents_)) {
    if (!bound.test(dim)) shape.push_back(extent), dims.push_back(dim);
  }
  Value window = emptyTensor(lowering_.b, shape, lowering_.b.getF32Type());
  operand(window, dimMap(lowering_.b.getContext(), extents_.size(), dims));
}

llvm::SmallVector<Value> GenericBuilder::finish(mlir::ValueRange yielded) {
  using mlir::utils::IteratorType;
  bindAllLoops();
  llvm::SmallVector<IteratorType> iterators(parallel_, IteratorType::parallel);
  iterators.resize(extents_.size(), IteratorType::reduction);
  Maps maps = input_maps_;
  maps.append(output_maps_);
  mlir::linalg::YieldOp::create(body_, yielded);
  Builder& b = lowering_.b;
  auto op = mlir::linalg::GenericOp::create(b, mlir::ValueRange(outputs_).getTypes(), inputs_, outputs_, maps,
                                            iterators);
  op.getRegion().push_back(block_);
  block_ = nullptr;
  return llvm::SmallVector<Value>(op.getResults());
}

Value emptyTensor(Builder& b, llvm::ArrayRef<int64_t> shape, mlir::Type element) {
  return mlir::tensor::EmptyOp::create(b, shape, element);
}

Value filledTensor(Builder& b, llvm::ArrayRef<int64_t> shape, Value scalar) {
  Value empty = emptyTensor(b, shape, scalar.getType());
  return mlir::linalg::FillOp::create(b, mlir::ValueRange{scalar}, mlir::ValueRange{empty}).getResult(0);
}

Value filledStorage(Builder& b, llvm::ArrayRef<int64_t> shape, Value computed, mlir::Type element) {
  return filledTensor(b, shape, storeScalar(b, computed, element));
}

Value sliceTensor(Builder& b, Value tensor, llvm::ArrayRef<int64_t> starts, llvm::ArrayRef<int64_t> sizes,
                  llvm::ArrayRef<int64_t> strides) {
  auto attrs = [&](llvm::ArrayRef<int64_t> values) {
    return mlir::getAsIndexOpFoldResult(b.getContext(), values);
  };
  return mlir::tensor::ExtractSliceOp::create(b, tensor, attrs(starts), attrs(sizes), attrs(strides));
}

Value copyInto(Builder& b, Value tensor, Value target) {
  if (tensor == target) return tensor;
  return mlir::linalg::CopyOp::create(b, mlir::ValueRange{tensor}, mlir::ValueRange{target}).getResult(0);
}

Value clampedIndex(Builder& b, Value number, mlir::Type element, int64_t last) {
  namespace arith = mlir::arith;
  mlir::Type i64 = b.getI64Type();
  Value wide = convertScalar(b, number, element, i64);
  Value zero = intConstant(b, i64, 0), end = intConstant(b, i64, last);
  // A u64 beyond the signed range is beyond any tensor too.
  Value clamped = element.isUnsignedInteger(64)
                      ? Value(arith::MinUIOp::create(b, wide, end))
                      : arith::MinSIOp::create(b, arith::MaxSIOp::create(b, wide, zero), end);
  return arith::IndexCastOp::create(b, b.getIndexType(), clamped);
}

namespace {

// What negative padding leaves of a tensor.
Value crop(Builder& b, Value tensor, llvm::ArrayRef<int64_t> low, llvm::ArrayRef<int64_t> high) {
  Dims starts, sizes, strides(low.size(), 1);
  for (auto [size, l, h] : llvm::zip(shapeOf(tensor), low, high)) {
    starts.push_back(std::max<int64_t>(-l, 0));
    sizes.push_back(size - starts.back() - std::max<int64_t>(-h, 0));
  }
  return llvm::equal(sizes, shapeOf(tensor)) ? tensor : sliceTensor(b, tensor, starts, sizes, strides);
}

// Elements set apart by `interior` copies of the scalar.
Value spread(Builder& b, Value tensor, llvm::ArrayRef<int64_t> interior, Value scalar) {
  Dims shape, strides, starts(interior.size(), 0);
  for (auto [size, gap] : llvm::zip(shapeOf(tensor), interior)) {
    shape.push_back(size + std::max<int64_t>(size - 1, 0) * gap);
    strides.push_back(gap + 1);
  }
  if (llvm::equal(shape, shapeOf(tensor))) return tensor;
  auto attrs = [&](llvm::ArrayRef<int64_t> values) {
    return mlir::getAsIndexOpFoldResult(b.getContext(), values);
  };
  return mlir::tensor::InsertSliceOp::create(b, tensor, filledTensor(b, shape, scalar), attrs(starts),
                                             attrs(shapeOf(tensor)), attrs(strides));
}

}  // namespace

Value padTensor(Builder& b, Value tensor, llvm::ArrayRef<int64_t> low, llvm::ArrayRef<int64_t> high,
                llvm::ArrayRef<int64_t> interior, Value scalar) {
  Value spaced = spread(b, tensor, interior, scalar);
  Dims before, after, shape;
  for (auto [l, h] : llvm::zip(low, high)) {
    before.push_back(std::max<int64_t>(l, 0));
    after.push_back(std::max<int64_t>(h, 0));
  }
  for (auto [size, l, h] : llvm::zip(shapeOf(spaced), before, after)) shape.push_back(size + l + h);
  Value padded = spaced;
  if (!llvm::equal(shape, shapeOf(spaced))) {
    auto attrs = [&](llvm::ArrayRef<int64_t> values) {
      return mlir::getAsIndexOpFoldResult(b.getContext(), values);
    };
    auto type = mlir::RankedTensorType::get(shape, scalar.getType());
    padded = mlir::tensor::PadOp::create(b, type, spaced, attrs(before), attrs(after), scalar);
  }
  // Cropping last keeps right what a negative edge takes from the padding of the interior.
  return crop(b, padded, low, high);
}

}  // namespace tetrarch::compile
