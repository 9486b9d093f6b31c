#include "tetrarch/compile/rewrite/rules.h"
#include "tetrarch/graph/constants.h"

namespace tetrarch::compile {
namespace {

using namespace tet;  // the ops
using Dims = llvm::SmallVector<int64_t>;
using R = PatternRewriter;

bool all(llvm::ArrayRef<int64_t> values, int64_t expected) {
  return llvm::all_of(values, [=](int64_t value) { return value == expected; });
}

// Splat of the element of another splat, in another shape.
Value splatLike(R& r, Value splat, mlir::RankedTensorType type) {
  auto elements = llvm::cast<mlir::DenseElementsAttr>(splat.getDefiningOp<ConstantOp>().getValue());
  return ConstantOp::create(r, splat.getLoc(), elements.resizeSplat(type)).getResult();
}
bool isSplatConstant(Value value) {
  auto constant = value.getDefiningOp<ConstantOp>();
  auto elements = constant ? llvm::dyn_cast<mlir::DenseElementsAttr>(constant.getValue()) : nullptr;
  return elements && elements.isSplat();
}

// broadcast(x) with dimensions of size 1 that grow = broadcast of x without them. A constant loses all of
// size 1.
Value squeezeBroadcast(BroadcastInDimOp op, R& r) {
  Dims shape, dims;
  for (auto [size, dim] : llvm::zip(shapeOfValue(op.getOperand()), op.getBroadcastDimensions())) {
    if (size == 1 && (shapeOfValue(op.getResult())[dim] != 1 || isConstant(op.getOperand()))) continue;
    shape.push_back(size);
    dims.push_back(dim);
  }
  if (shape.size() == shapeOfValue(op.getOperand()).size()) return {};
  Value squeezed = reshapeTo(r, op.getLoc(), op.getOperand(), shape);
  return BroadcastInDimOp::create(r, op.getLoc(), squeezed, shapeOfValue(op.getResult()), dims);
}

// broadcast(broadcast(x)) = broadcast(x)
Value mergeBroadcasts(BroadcastInDimOp op, R& r) {
  auto inner = op.getOperand().getDefiningOp<BroadcastInDimOp>();
  if (!inner) return {};
  Dims dims = permuted(op.getBroadcastDimensions(), inner.getBroadcastDimensions());
  return BroadcastInDimOp::create(r, op.getLoc(), inner.getOperand(), shapeOfValue(op.getResult()), dims);
}

// Whether a permutation leaves the dimensions larger than 1 in order.
bool movesOnlyUnits(TransposeOp op) {
  auto shape = shapeOfValue(op.getOperand());
  int64_t last = -1;
  for (int64_t from : op.getPermutation()) {
    if (shape[from] == 1) continue;
    if (from < last) return false;
    last = from;
  }
  return true;
}

// f(reshape(x), splat) = reshape(f(x, splat)): elementwise ops go before reshapes, so that they meet what
// made x.
Value sinkReshape(mlir::Operation* op, R& r) {
  std::optional<llvm::ArrayRef<int64_t>> inner;
  for (Value operand : op->getOperands()) {
    if (auto reshape = operand.getDefiningOp<ReshapeOp>()) {
      auto shape = shapeOfValue(reshape.getOperand());
      if (inner && *inner != shape) return {};
      // A reshape that others read too stays, and a constant's is computed.
      if (isConstant(reshape.getOperand()) || !reshape->hasOneUse()) return {};
      inner = shape;
    } else if (!isSplatConstant(operand)) {
      return {};
    }
  }
  if (!inner) return {};
  llvm::SmallVector<Value> operands;
  for (Value operand : op->getOperands()) {
    auto reshape = operand.getDefiningOp<ReshapeOp>();
    operands.push_back(reshape ? reshape.getOperand()
                               : splatLike(r, operand, tensorType(operand).clone(*inner)));
  }
  auto outer = tensorType(op->getResult(0));
  mlir::Operation* moved = cloneWith(r, op, operands, outer.clone(*inner));
  return reshapeTo(r, op->getLoc(), moved->getResult(0), outer.getShape());
}

// f(broadcast(x), broadcast(y)) = broadcast(f(x, y)), splats among the operands.
Value sinkBroadcast(mlir::Operation* op, R& r) {
  BroadcastInDimOp first;
  for (Value operand : op->getOperands()) {
    auto broadcast = operand.getDefiningOp<BroadcastInDimOp>();
    if (!broadcast && !isSplatConstant(operand)) return {};
    if (!broadcast) continue;
    if (!first) first = broadcast;
    const bool same = broadcast.getBroadcastDimensions() == first.getBroadcastDimensions() &&
                      shapeOfValue(broadcast.getOperand()) == shapeOfValue(first.getOperand());
    if (!same) return {};
  }
  if (!first) return {};
  auto inner = shapeOfValue(first.getOperand());
  llvm::SmallVector<Value> operands;
  for (Value operand : op->getOperands()) {
    auto broadcast = operand.getDefiningOp<BroadcastInDimOp>();
    operands.push_back(broadcast ? Value(broadcast.getOperand())
                                 : splatLike(r, operand, tensorType(operand).clone(inner)));
  }
  auto outer = tensorType(op->getResult(0));
  Value small = cloneWith(r, op, operands, outer.clone(inner))->getResult(0);
  return BroadcastInDimOp::create(r, op->getLoc(), small, outer.getShape(), first.getBroadcastDimensions());
}

// A rule that takes every elementwise op.
class ElementwisePattern : public mlir::RewritePattern {
 public:
  using Rule = Value (*)(mlir::Operation*, R&);
  ElementwisePattern(mlir::MLIRContext* context, Rule rule)
      : RewritePattern(MatchAnyOpTypeTag(), 1, context), rule_(rule) {}
  mlir::LogicalResult matchAndRewrite(mlir::Operation* op, R& r) const override {
    Value value = op->hasTrait<Elementwise>() ? rule_(op, r) : Value();
    if (!value) return mlir::failure();
    r.replaceOp(op, value);
    return mlir::success();
  }

 private:
  Rule rule_;
};

// pad(x, 0) into a convolution: the convolution pads by itself.
Value mergePadIntoConvolution(ConvolutionOp op, R& r) {
  auto pad = op.getLhs().getDefiningOp<PadOp>();
  if (!pad || !isSplat(pad.getPaddingValue(), 0) || !all(pad.getInteriorPadding(), 0) ||
      !all(op.getLhsDilation(), 1))
    return {};
  Dims padding(op.getPadding());
  Dims low(pad.getEdgePaddingLow()), high(pad.getEdgePaddingHigh());
  for (auto [i, dim] : llvm::enumerate(op.getInputSpatialDimensions())) {
    padding[2 * i] += low[dim];
    padding[2 * i + 1] += high[dim];
    low[dim] = high[dim] = 0;
  }
  if (!all(low, 0) || !all(high, 0)) return {};
  mlir::Operation* merged = cloneWith(r, op, {pad.getOperand(), op.getRhs()}, op.getType());
  llvm::cast<ConvolutionOp>(merged).setPadding(padding);
  return merged->getResult(0);
}

// slice(slice(x)) = slice(x)
Value mergeSlices(SliceOp op, R& r) {
  auto inner = op.getOperand().getDefiningOp<SliceOp>();
  if (!inner) return {};
  Dims starts, limits, strides;
  for (auto [start, limit, stride, inner_start, inner_stride] :
       llvm::zip(op.getStartIndices(), op.getLimitIndices(), op.getStrides(), inner.getStartIndices(),
                 inner.getStrides())) {
    starts.push_back(inner_start + start * inner_stride);
    // Behind the last element that is taken, if any is.
    const int64_t count = (limit - start + stride - 1) / stride;
    strides.push_back(stride * inner_stride);
    limits.push_back(count == 0 ? starts.back() : starts.back() + (count - 1) * strides.back() + 1);
  }
  return SliceOp::create(r, op.getLoc(), op.getType(), inner.getOperand(), starts, limits, strides);
}

// slice(convert(x)) = convert(slice(x)), when nothing reads all of it: the neighbours of a pixel are read as
// they are stored.
Value sliceBeforeConvert(SliceOp op, R& r) {
  auto convert = op.getOperand().getDefiningOp<ConvertOp>();
  if (!convert ||
      !llvm::all_of(convert->getUsers(), [](mlir::Operation* user) { return llvm::isa<SliceOp>(user); }))
    return {};
  auto narrow = tensorType(convert.getOperand()).clone(op.getType().getShape());
  Value slice = cloneWith(r, op, convert.getOperand(), narrow)->getResult(0);
  return ConvertOp::create(r, op.getLoc(), slice, op.getType().getElementType());
}

// slice(reshape(x)) = reshape(slice(x)), when the reshape only adds or takes dimensions of size 1
Value sliceBeforeReshape(SliceOp op, R& r) {
  auto reshape = op.getOperand().getDefiningOp<ReshapeOp>();
  auto dims = reshape ? unitReshapeDims(reshape) : std::nullopt;
  if (!dims || op.getType().getNumElements() == 0) return {};
  auto inner = shapeOfValue(reshape.getOperand());
  Dims starts(inner.size(), 0), limits(inner), strides(inner.size(), 1);
  for (auto [dim, from] : llvm::enumerate(*dims)) {
    if (from < 0) continue;
    starts[from] = op.getStartIndices()[dim];
    limits[from] = op.getLimitIndices()[dim];
    strides[from] = op.getStrides()[dim];
  }
  Value slice = SliceOp::create(r, op.getLoc(), reshape.getOperand(), starts, limits, strides);
  return reshapeTo(r, op.getLoc(), slice, shapeOfValue(op.getResult()));
}

// reduce(reshape(x)) = reduce(x) over the dimensions that the reshape merged, when all of them are reduced.
Value reduceUnmerged(ReduceOp op, R& r) {
  auto reshape = op.getOperand().getDefiningOp<ReshapeOp>();
  if (!reshape) return {};
  auto from = shapeOfValue(reshape.getOperand()), to = shapeOfValue(reshape.getResult());
  auto reduced = [&](int64_t dim) { return llvm::is_contained(op.getDimensions(), dim); };
  Dims dims;
  size_t next = 0;
  for (auto [dim, size] : llvm::enumerate(to)) {
    int64_t product = 1;
    size_t first = next;
    while (next < from.size() && product < size) product *= from[next++];
    if (product != size || size == 1 || (next - first != 1 && !reduced(dim))) return {};
    for (size_t d = first; d < next && reduced(dim); ++d) dims.push_back(d);
  }
  if (next != from.size()) return {};
  return ReduceOp::create(r, op.getLoc(), op.getType(), op.getKindAttr(), reshape.getOperand(),
                          r.getDenseI64ArrayAttr(dims));
}

}  // namespace

void addMovementRules(mlir::RewritePatternSet& patterns) {
  for (auto rule : {sinkReshape, sinkBroadcast})
    patterns.add<ElementwisePattern>(patterns.getContext(), rule);
  addRules<ReshapeOp>(
      patterns,
      {
          // reshape(x) = x, to its own shape
          [](ReshapeOp op, R&) -> Value {
            return op.getOperand().getType() == op.getType() ? op.getOperand() : Value();
          },
          // reshape(reshape(x)) = reshape(x)
          [](ReshapeOp op, R& r) -> Value {
            auto inner = op.getOperand().getDefiningOp<ReshapeOp>();
            return inner ? ReshapeOp::create(r, op.getLoc(), inner.getOperand(), shapeOfValue(op.getResult()))
                               .getResult()
                         : Value();
          },
          // reshape(splat) = splat
          [](ReshapeOp op, R& r) -> Value {
            return isSplatConstant(op.getOperand()) ? splatLike(r, op.getOperand(), op.getType()) : Value();
          },
      });
  addRules<TransposeOp>(
      patterns, {
                    // transpose(x) = x, when nothing moves
                    [](TransposeOp op, R&) -> Value {
                      return isIdentityPermutation(op.getPermutation()) ? op.getOperand() : Value();
                    },
                    // transpose(x) = reshape(x), when only dimensions of size 1 move
                    [](TransposeOp op, R& r) -> Value {
                      return movesOnlyUnits(op)
                                 ? reshapeTo(r, op.getLoc(), op.getOperand(), shapeOfValue(op.getResult()))
                                 : Value();
                    },
                    // transpose(transpose(x)) = transpose(x)
                    [](TransposeOp op, R& r) -> Value {
                      auto inner = op.getOperand().getDefiningOp<TransposeOp>();
                      if (!inner) return Value();
                      return transposeBy(r, op.getLoc(), inner.getOperand(),
                                         permuted(inner.getPermutation(), op.getPermutation()));
                    },
                    // transpose(splat) = splat
                    [](TransposeOp op, R& r) -> Value {
                      return isSplatConstant(op.getOperand()) ? splatLike(r, op.getOperand(), op.getType())
                                                              : Value();
                    },
                });
  addRules<BroadcastInDimOp>(
      patterns, {
                    // broadcast(x) = x, to its own shape
                    [](BroadcastInDimOp op, R&) -> Value {
                      return op.getOperand().getType() == op.getType() ? op.getOperand() : Value();
                    },
                    // broadcast(splat) = splat
                    [](BroadcastInDimOp op, R& r) -> Value {
                      return isSplatConstant(op.getOperand()) ? splatLike(r, op.getOperand(), op.getType())
                                                              : Value();
                    },
                    mergeBroadcasts,
                    squeezeBroadcast,
                });
  addRules<SliceOp>(
      patterns, {
                    // slice(x) = x, of everything
                    [](SliceOp op, R&) -> Value {
                      return op.getOperand().getType() == op.getType() ? op.getOperand() : Value();
                    },
                    // slice(splat) = splat
                    [](SliceOp op, R& r) -> Value {
                      return isSplatConstant(op.getOperand()) ? splatLike(r, op.getOperand(), op.getType())
                                                              : Value();
                    },
                    mergeSlices,
                    sliceBeforeConvert,
                    sliceBeforeReshape,
                });
  addRules<PadOp>(patterns, {
                                // pad(x) = x, by nothing
                                [](PadOp op, R&) -> Value {
                                  const bool nothing = all(op.getEdgePaddingLow(), 0) &&
                                                       all(op.getEdgePaddingHigh(), 0) &&
                                                       all(op.getInteriorPadding(), 0);
                                  return nothing ? op.getOperand() : Value();
                                },
                            });
  addRules<ConcatenateOp>(patterns, {
                                        // concatenate(x) = x
                                        [](ConcatenateOp op, R&) -> Value {
                                          return op.getInputs().size() == 1 ? op.getInputs().front()
                                                                            : Value();
                                        },
                                    });
  addRules<ReverseOp>(patterns, {
                                    // reverse(reverse(x)) = x
                                    [](ReverseOp op, R&) -> Value {
                                      auto inner = op.getOperand().getDefiningOp<ReverseOp>();
                                      return inner && inner.getDimensions() == op.getDimensions()
                                                 ? inner.getOperand()
                                                 : Value();
                                    },
                                });
  addRules<ReduceOp>(patterns, {
                                   // reduce(x) = x, over nothing
                                   [](ReduceOp op, R&) -> Value {
                                     return op.getDimensions().empty() ? op.getOperand() : Value();
                                   },
                                   reduceUnmerged,
                               });
  addRules<ConvolutionOp>(patterns, {mergePadIntoConvolution});
}

}  // namespace tetrarch::compile
