// Ops that move elements in blocks: pad, concatenate, slice, reverse, reshape, dynamic_update_slice; and
// constants and bit casts.
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "tetrarch/compile/lower/lower_op.h"
#include "tetrarch/graph/constants.h"
#include "tetrarch/graph/types.h"

namespace tetrarch::compile {
namespace {

namespace arith = mlir::arith;
namespace tensor = mlir::tensor;
using mlir::AffineExpr;
using mlir::AffineMap;
using mlir::OpFoldResult;
using mlir::Type;
using mlir::Value;
using FoldResults = llvm::SmallVector<OpFoldResult>;

FoldResults attrs(Builder& b, llvm::ArrayRef<int64_t> values) {
  return mlir::getAsIndexOpFoldResult(b.getContext(), values);
}

// The start of a dynamic block along each dimension, clamped so that the block lies inside.
FoldResults clampedStarts(Lowering& lowering, mlir::ValueRange starts, llvm::ArrayRef<int64_t> shape,
                          llvm::ArrayRef<int64_t> sizes) {
  Builder& b = lowering.b;
  FoldResults offsets;
  for (auto [start, extent, size] : llvm::zip(starts, shape, sizes)) {
    offsets.push_back(clampedIndex(b, lowering.scalar(start), elementOf(start), extent - size));
  }
  return offsets;
}

// Elements in storage bits, narrower to wider or back: `parts` narrow ones make a wide one, least significant
// first.
Value widen(Lowering& lowering, tet::BitcastConvertOp op, Type narrow, Type wide, int64_t parts) {
  Builder& b = lowering.b;
  auto shape = shapeOf(op.getResult());
  Type bits = b.getIntegerType(wide.getIntOrFloatBitWidth()),
       part_bits = b.getIntegerType(narrow.getIntOrFloatBitWidth());
  Value operand = lowering.tensor(op.getOperand());
  GenericBuilder generic(lowering, shape, shape.size());
  Builder& body = generic.body();
  Value whole;
  for (int64_t part = 0; part < parts; ++part) {
    llvm::SmallVector<AffineExpr> exprs;
    for (size_t dim = 0; dim < shape.size(); ++dim) exprs.push_back(b.getAffineDimExpr(dim));
    exprs.push_back(b.getAffineConstantExpr(part));
    Value stored = generic.operand(operand, AffineMap::get(shape.size(), 0, exprs, b.getContext()));
    Value raw = body.createOrFold<arith::BitcastOp>(part_bits, stored);
    Value shifted = arith::ShLIOp::create(body, arith::ExtUIOp::create(body, bits, raw),
                                          intConstant(body, bits, part * part_bits.getIntOrFloatBitWidth()));
    whole = whole ? Value(arith::OrIOp::create(body, whole, shifted)) : shifted;
  }
  AffineMap identity = AffineMap::getMultiDimIdentityMap(shape.size(), b.getContext());
  generic.output(emptyTensor(b, shape, wide), identity);
  return generic.finish(body.createOrFold<arith::BitcastOp>(wide, whole)).front();
}

Value narrow(Lowering& lowering, tet::BitcastConvertOp op, Type wide, Type narrow) {
  Builder& b = lowering.b;
  auto shape = shapeOf(op.getResult());
  Type bits = b.getIntegerType(wide.getIntOrFloatBitWidth()),
       part_bits = b.getIntegerType(narrow.getIntOrFloatBitWidth());
  GenericBuilder generic(lowering, shape, shape.size());
  Builder& body = generic.body();
  const int64_t last = shape.size() - 1;
  Value stored = generic.operand(lowering.tensor(op.getOperand()),
                                 dimMap(b.getContext(), shape.size(), countFrom(0, last)));
  Value raw = body.createOrFold<arith::BitcastOp>(bits, stored);
  Value part = arith::IndexCastOp::create(body, bits, generic.index(b.getAffineDimExpr(last)));
  Value amount =
      arith::MulIOp::create(body, part, intConstant(body, bits, part_bits.getIntOrFloatBitWidth()));
  Value piece = arith::TruncIOp::create(body, part_bits, arith::ShRUIOp::create(body, raw, amount));
  generic.output(emptyTensor(b, shape, narrow),
                 AffineMap::getMultiDimIdentityMap(shape.size(), b.getContext()));
  return generic.finish(body.createOrFold<arith::BitcastOp>(narrow, piece)).front();
}

Value bitcastElements(Lowering& lowering, tet::BitcastConvertOp op, Type to) {
  Builder& b = lowering.b;
  auto shape = shapeOf(op.getResult());
  AffineMap identity = AffineMap::getMultiDimIdentityMap(shape.size(), b.getContext());
  GenericBuilder generic(lowering, shape, shape.size());
  Value stored = generic.operand(lowering.tensor(op.getOperand()), identity);
  generic.output(emptyTensor(b, shape, to), identity);
  return generic.finish(arith::BitcastOp::create(generic.body(), to, stored).getResult()).front();
}

}  // namespace

mlir::LogicalResult lowerConstant(Lowering& lowering, tet::ConstantOp op) {
  Result<Tensor> value = tet::tensorOf(op.getValue());
  if (!value) return op.emitOpError(std::string(value.error().message()));
  auto type = tet::storageType(op.getType());
  llvm::ArrayRef bytes(static_cast<const char*>(value->data()), value->bytes());
  auto elements = mlir::DenseElementsAttr::getFromRawBuffer(type, bytes);
  lowering.bind(op.getResult(), arith::ConstantOp::create(lowering.b, type, elements));
  return mlir::success();
}

mlir::LogicalResult lowerReshape(Lowering& lowering, tet::ReshapeOp op) {
  Value operand = lowering.tensor(op.getOperand());
  auto type = tet::storageType(op.getType());
  auto groups = mlir::getReassociationIndicesForReshape(typeOf(operand), type);
  Value result;
  if (groups && type.getRank() < typeOf(operand).getRank()) {
    result = tensor::CollapseShapeOp::create(lowering.b, type, operand, *groups);
  } else if (groups) {
    result = tensor::ExpandShapeOp::create(lowering.b, type, operand, *groups);
  } else {
    auto flat = mlir::RankedTensorType::get({type.getNumElements()}, type.getElementType());
    auto all = [](int64_t rank) {
      return llvm::SmallVector<mlir::ReassociationIndices>{llvm::to_vector<2>(llvm::seq<int64_t>(0, rank))};
    };
    Value line = tensor::CollapseShapeOp::create(lowering.b, flat, operand, all(typeOf(operand).getRank()));
    result = tensor::ExpandShapeOp::create(lowering.b, type, line, all(type.getRank()));
  }
  lowering.bind(op.getResult(), result);
  return mlir::success();
}

mlir::LogicalResult lowerSlice(Lowering& lowering, tet::SliceOp op) {
  Value operand = lowering.tensor(op.getOperand());
  lowering.bind(op.getResult(), sliceTensor(lowering.b, operand, op.getStartIndices(),
                                            shapeOf(op.getResult()), op.getStrides()));
  return mlir::success();
}

mlir::LogicalResult lowerReverse(Lowering& lowering, tet::ReverseOp op) {
  Builder& b = lowering.b;
  auto shape = shapeOf(op.getResult());
  llvm::SmallVector<AffineExpr> exprs;
  for (auto [dim, extent] : llvm::enumerate(shape)) {
    AffineExpr position = b.getAffineDimExpr(dim);
    exprs.push_back(llvm::is_contained(op.getDimensions(), static_cast<int64_t>(dim)) ? extent - 1 - position
                                                                                      : position);
  }
  Value operand = lowering.tensor(op.getOperand());
  GenericBuilder generic(lowering, shape, shape.size());
  Value stored = generic.operand(operand, AffineMap::get(shape.size(), 0, exprs, b.getContext()));
  generic.output(emptyTensor(b, shape, elementOf(operand)),
                 AffineMap::getMultiDimIdentityMap(shape.size(), b.getContext()));
  lowering.bind(op.getResult(), generic.finish(stored).front());
  return mlir::success();
}

namespace {

// A result that is put together from boxes, each made by a loop of its own.
class Mosaic {
 public:
  Mosaic(Builder& b, mlir::RankedTensorType type)
      : b_(b), result_(emptyTensor(b, type.getShape(), type.getElementType())) {}
  void add(Value part, llvm::ArrayRef<int64_t> offsets) {
    const Dims ones(offsets.size(), 1);
    result_ = tensor::InsertSliceOp::create(b_, part, result_, attrs(b_, offsets), attrs(b_, shapeOf(part)),
                                            attrs(b_, ones));
  }
  Value result() const { return result_; }

 private:
  Builder& b_;
  Value result_;
};

// The borders from the outermost dimension inwards, so that most of them lie in one piece.
void addBorders(Builder& b, Mosaic& mosaic, llvm::ArrayRef<int64_t> shape, llvm::ArrayRef<int64_t> low,
                llvm::ArrayRef<int64_t> high, Value filler) {
  Dims offsets(shape.size(), 0), sizes(shape);
  auto fill = [&](size_t dim, int64_t offset, int64_t size) {
    if (size == 0) return;
    offsets[dim] = offset, sizes[dim] = size;
    mosaic.add(filledTensor(b, sizes, filler), offsets);
  };
  for (size_t dim = 0; dim < shape.size(); ++dim) {
    fill(dim, 0, low[dim]);
    fill(dim, shape[dim] - high[dim], high[dim]);
    offsets[dim] = low[dim], sizes[dim] = shape[dim] - low[dim] - high[dim];
  }
}

bool onlyGrows(tet::PadOp op) {
  auto not_negative = [](int64_t value) { return value >= 0; };
  return llvm::all_of(op.getEdgePaddingLow(), not_negative) &&
         llvm::all_of(op.getEdgePaddingHigh(), not_negative) &&
         llvm::all_of(op.getInteriorPadding(), [](int64_t value) { return value == 0; }) &&
         op.getOperand().getType().getNumElements() > 0;
}

// Padding that only convolutions read is part of their contraction.
bool padsConvolutions(tet::PadOp op) {
  return llvm::all_of(op->getUses(), [](mlir::OpOperand& use) {
    return llvm::isa<tet::ConvolutionOp>(use.getOwner()) && use.getOperandNumber() == 0;
  });
}

}  // namespace

mlir::LogicalResult lowerPad(Lowering& lowering, tet::PadOp op) {
  Builder& b = lowering.b;
  Value filler = storeScalar(b, lowering.scalar(op.getPaddingValue()), elementOf(op.getOperand()));
  if (!onlyGrows(op) || padsConvolutions(op)) {
    Value operand = lowering.tensor(op.getOperand());
    lowering.bind(op.getResult(), padTensor(b, operand, op.getEdgePaddingLow(), op.getEdgePaddingHigh(),
                                            op.getInteriorPadding(), filler));
    return mlir::success();
  }
  Mosaic mosaic(b, tet::storageType(op.getType()));
  mosaic.add(lowering.ownTensor(op.getOperand()), op.getEdgePaddingLow());
  addBorders(b, mosaic, shapeOf(op.getResult()), op.getEdgePaddingLow(), op.getEdgePaddingHigh(), filler);
  lowering.bind(op.getResult(), mosaic.result());
  return mlir::success();
}

namespace {

// What a concatenation puts together, and where in the result.
struct Part {
  Value value;
  Dims offsets;
};

// A concatenation that is put together where the one that reads it is.
bool isPart(tet::ConcatenateOp op) {
  return op->hasOneUse() && op->user_begin()->getBlock() == op->getBlock() &&
         llvm::isa<tet::ConcatenateOp>(*op->user_begin());
}

// Also of concatenations that are parts themselves.
void collectParts(tet::ConcatenateOp op, Dims offsets, std::vector<Part>& parts) {
  for (Value input : op.getInputs()) {
    if (auto inner = input.getDefiningOp<tet::ConcatenateOp>(); inner && isPart(inner)) {
      collectParts(inner, offsets, parts);
    } else if (typeOf(input).getNumElements() >
               0) {  // an empty one may lie beyond the end, where no slice may
      parts.push_back({input, offsets});
    }
    offsets[op.getDimension()] += shapeOf(input)[op.getDimension()];
  }
}

// Takes the first part away, and those of its shape that have arithmetic in common with it.
std::vector<Part> takeTogether(const Lowering& lowering, std::vector<Part>& parts) {
  std::vector<Part> together = {parts.front()}, rest;
  for (const Part& part : llvm::drop_begin(parts)) {
    const bool belongs = shapeOf(part.value) == shapeOf(together.front().value) &&
                         lowering.shareArithmetic(part.value, together.front().value);
    const bool is_new = llvm::none_of(together, [&](const Part& other) { return other.value == part.value; });
    (belongs && is_new ? together : rest).push_back(part);
  }
  parts = std::move(rest);
  return together;
}

}  // namespace

// Parts that have arithmetic in common are computed in one loop.
mlir::LogicalResult lowerConcatenate(Lowering& lowering, tet::ConcatenateOp op) {
  if (isPart(op)) return mlir::success();
  Mosaic mosaic(lowering.b, tet::storageType(op.getType()));
  std::vector<Part> parts;
  collectParts(op, Dims(op.getType().getRank(), 0), parts);
  while (!parts.empty()) {
    const std::vector<Part> together = takeTogether(lowering, parts);
    Values values;
    for (const Part& part : together) values.push_back(part.value);
    for (auto [tensor, part] : llvm::zip(lowering.ownTensors(values), together))
      mosaic.add(tensor, part.offsets);
  }
  lowering.bind(op.getResult(), mosaic.result());
  return mlir::success();
}

mlir::LogicalResult lowerDynamicUpdateSlice(Lowering& lowering, tet::DynamicUpdateSliceOp op) {
  Builder& b = lowering.b;
  Value operand = lowering.tensor(op.getOperand()), update = lowering.tensor(op.getUpdate());
  FoldResults starts = clampedStarts(lowering, op.getStartIndices(), shapeOf(operand), shapeOf(update));
  Dims ones(starts.size(), 1);
  lowering.bind(op.getResult(), tensor::InsertSliceOp::create(b, update, operand, starts,
                                                              attrs(b, shapeOf(update)), attrs(b, ones)));
  return mlir::success();
}

mlir::LogicalResult lowerBitcastConvert(Lowering& lowering, tet::BitcastConvertOp op) {
  Type from = tet::storageElementType(elementOf(op.getOperand())),
       to = tet::storageElementType(elementOf(op.getResult()));
  const int64_t from_bits = from.getIntOrFloatBitWidth(), to_bits = to.getIntOrFloatBitWidth();
  Value result;
  if (from == to) {
    result = lowering.tensor(op.getOperand());
  } else if (from_bits == to_bits) {
    result = bitcastElements(lowering, op, to);
  } else if (from_bits < to_bits) {
    result = widen(lowering, op, from, to, to_bits / from_bits);
  } else {
    result = narrow(lowering, op, from, to);
  }
  lowering.bind(op.getResult(), result);
  return mlir::success();
}

}  // namespace tetrarch::compile
