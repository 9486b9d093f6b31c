// Layout: convolutions get channels-last operands and results; the transposes that this takes move towards
// the results, through every op that does not mind, until they meet their inverse.
#include "tetrarch/compile/rewrite/rules.h"
#include "tetrarch/graph/constants.h"

namespace tetrarch::compile {
namespace {

using namespace tet;  // the ops
using Dims = llvm::SmallVector<int64_t>;
using R = PatternRewriter;

Dims range(int64_t first, int64_t count) {
  Dims dims;
  for (int64_t i = 0; i < count; ++i) dims.push_back(first + i);
  return dims;
}

//===-- Convolutions
//-----------------------------------------------------------------------------------------------===//

// The dimensions of an operand in the order first, spatial…, last.
Dims order(int64_t first, llvm::ArrayRef<int64_t> spatial, int64_t last) {
  Dims dims = {first};
  llvm::append_range(dims, spatial);
  dims.push_back(last);
  return dims;
}
Dims kernelOrder(llvm::ArrayRef<int64_t> spatial, int64_t in, int64_t out) {
  Dims dims(spatial);
  dims.push_back(in);
  dims.push_back(out);
  return dims;
}

bool padsOneConvolution(PadOp op) {
  return op->hasOneUse() && llvm::isa<ConvolutionOp>(*op->user_begin()) &&
         op->use_begin()->getOperandNumber() == 0;
}

// transpose(lhs, in); padding stays beside the convolution, and its operand is transposed.
Value paddedInput(R& r, ConvolutionOp op, llvm::ArrayRef<int64_t> in) {
  auto pad = op.getLhs().getDefiningOp<PadOp>();
  if (!pad || !padsOneConvolution(pad)) return transposeBy(r, op.getLhs().getLoc(), op.getLhs(), in);
  Value inner = transposeBy(r, pad.getOperand().getLoc(), pad.getOperand(), in);
  return PadOp::create(r, pad.getLoc(), inner, pad.getPaddingValue(), permuted(pad.getEdgePaddingLow(), in),
                       permuted(pad.getEdgePaddingHigh(), in), permuted(pad.getInteriorPadding(), in));
}

// convolution(x, w) = transpose(convolution(transpose(x), transpose(w))) with x and the result [n, spatial…,
// c] and w [spatial…, in, out]
Value channelsLast(ConvolutionOp op, R& r) {
  const int64_t rank = tensorType(op.getLhs()).getRank(), spatial = rank - 2;
  Dims in = order(op.getInputBatchDimension(), op.getInputSpatialDimensions(), op.getInputFeatureDimension());
  Dims kernel = kernelOrder(op.getKernelSpatialDimensions(), op.getKernelInputFeatureDimension(),
                            op.getKernelOutputFeatureDimension());
  Dims out =
      order(op.getOutputBatchDimension(), op.getOutputSpatialDimensions(), op.getOutputFeatureDimension());
  if (isIdentityPermutation(in) && isIdentityPermutation(kernel) && isIdentityPermutation(out)) return {};
  Value lhs = paddedInput(r, op, in), rhs = transposeBy(r, op.getLoc(), op.getRhs(), kernel);
  auto array = [&](llvm::ArrayRef<int64_t> dims) { return r.getDenseI64ArrayAttr(dims); };
  auto number = [&](int64_t value) { return r.getI64IntegerAttr(value); };
  auto type = op.getType().clone(permuted(shapeOfValue(op.getResult()), out));
  auto last = ConvolutionOp::create(
      r, op.getLoc(), type, lhs, rhs, op.getWindowStridesAttr(), op.getPaddingAttr(), op.getLhsDilationAttr(),
      op.getRhsDilationAttr(), number(0), number(rank - 1), array(range(1, spatial)), number(spatial),
      number(spatial + 1), array(range(0, spatial)), number(0), number(rank - 1), array(range(1, spatial)),
      op.getFeatureGroupCountAttr(), op.getBatchGroupCountAttr());
  return transposeBy(r, op.getLoc(), last, inversePermutation(out));
}

//===-- Transposes through one op
//------------------------------------------------------------------------------------===//

// The value v with transpose(v, permutation) = value, or null when making it would cost a transpose.
Value untransposed(R& r, Value value, llvm::ArrayRef<int64_t> permutation) {
  auto type = tensorType(value).clone(permuted(shapeOfValue(value), inversePermutation(permutation)));
  if (auto transpose = value.getDefiningOp<TransposeOp>()) {
    return transpose.getPermutation() == permutation ? Value(transpose.getOperand()) : Value();
  }
  if (isConstant(value))
    return TransposeOp::create(r, value.getLoc(), value, inversePermutation(permutation));
  if (auto iota = value.getDefiningOp<IotaOp>()) {
    return IotaOp::create(r, value.getLoc(), type,
                          static_cast<uint64_t>(permutation[iota.getIotaDimension()]));
  }
  auto broadcast = value.getDefiningOp<BroadcastInDimOp>();
  if (!broadcast) return {};
  Dims dims;
  for (int64_t dim : broadcast.getBroadcastDimensions()) dims.push_back(permutation[dim]);
  Value operand = broadcast.getOperand();
  if (!llvm::is_sorted(dims)) {
    if (!isConstant(operand)) return {};
    Dims sorted = range(0, dims.size());
    llvm::sort(sorted, [&](int64_t a, int64_t b) { return dims[a] < dims[b]; });
    operand = transposeBy(r, value.getLoc(), operand, sorted);
    llvm::sort(dims);
  }
  return BroadcastInDimOp::create(r, value.getLoc(), operand, type.getShape(), dims);
}

TransposeOp transposeOf(Value value) { return value.getDefiningOp<TransposeOp>(); }

bool canUntranspose(Value value, llvm::ArrayRef<int64_t> permutation) {
  if (auto transpose = transposeOf(value)) return transpose.getPermutation() == permutation;
  if (isConstant(value) || value.getDefiningOp<IotaOp>()) return true;
  auto broadcast = value.getDefiningOp<BroadcastInDimOp>();
  if (!broadcast) return false;
  Dims dims;
  for (int64_t dim : broadcast.getBroadcastDimensions()) dims.push_back(permutation[dim]);
  return llvm::is_sorted(dims) || isConstant(broadcast.getOperand());
}

// f(transpose(x), transpose(y), cheap) = transpose(f(x, y, cheap')) for ops whose operands and result have
// one shape, or differ along a dimension that the caller renames.
template <typename Rename>
Value sinkThrough(mlir::Operation* op, R& r, mlir::ValueRange shaped, Rename rename) {
  TransposeOp first;
  for (Value operand : shaped) {
    if (!first) first = transposeOf(operand);
  }
  if (!first || !llvm::all_of(shaped, [&](Value v) { return canUntranspose(v, first.getPermutation()); }))
    return {};
  Dims permutation(first.getPermutation());
  llvm::SmallVector<Value> operands(op->getOperands());
  for (size_t i = 0; i < shaped.size(); ++i) operands[i] = untransposed(r, shaped[i], permutation);
  auto type = tensorType(op->getResult(0));
  auto inner = type.clone(permuted(type.getShape(), inversePermutation(permutation)));
  mlir::Operation* moved = cloneWith(r, op, operands, inner);
  rename(moved, inversePermutation(permutation), permutation);
  return transposeBy(r, op->getLoc(), moved->getResult(0), permutation);
}

class SinkThroughElementwise : public mlir::RewritePattern {
 public:
  explicit SinkThroughElementwise(mlir::MLIRContext* context)
      : RewritePattern(MatchAnyOpTypeTag(), 1, context) {}
  mlir::LogicalResult matchAndRewrite(mlir::Operation* op, R& r) const override {
    if (!op->hasTrait<Elementwise>()) return mlir::failure();
    Value value = sinkThrough(op, r, op->getOperands(), [](auto&&...) {});
    if (!value) return mlir::failure();
    r.replaceOp(op, value);
    return mlir::success();
  }
};

// One number a dimension, in the order of the dimensions before the transpose.
using Order = llvm::ArrayRef<int64_t>;

Value throughPad(PadOp op, R& r) {
  if (padsOneConvolution(op)) return {};  // see paddedInput()
  return sinkThrough(op, r, op.getOperand(), [&](mlir::Operation* moved, Order inverse, Order) {
    auto pad = llvm::cast<PadOp>(moved);
    pad.setEdgePaddingLow(permuted(op.getEdgePaddingLow(), inverse));
    pad.setEdgePaddingHigh(permuted(op.getEdgePaddingHigh(), inverse));
    pad.setInteriorPadding(permuted(op.getInteriorPadding(), inverse));
  });
}

// table[transpose(i)] = transpose(table[i])
Value throughLookup(GatherOp op, R& r) {
  auto transpose = transposeOf(op.getStartIndices());
  const bool is_table = tensorType(op.getOperand()).getRank() == 1 && op.getOffsetDims().empty() &&
                        op.getIndexVectorDim() == tensorType(op.getStartIndices()).getRank();
  if (!transpose || !is_table) return {};
  auto permutation = transpose.getPermutation();
  auto type = op.getType().clone(permuted(op.getType().getShape(), inversePermutation(permutation)));
  Value inner = cloneWith(r, op, {op.getOperand(), transpose.getOperand()}, type)->getResult(0);
  return transposeBy(r, op.getLoc(), inner, permutation);
}

Value throughSlice(SliceOp op, R& r) {
  return sinkThrough(op, r, op.getOperand(), [&](mlir::Operation* moved, Order inverse, Order) {
    auto slice = llvm::cast<SliceOp>(moved);
    slice.setStartIndices(permuted(op.getStartIndices(), inverse));
    slice.setLimitIndices(permuted(op.getLimitIndices(), inverse));
    slice.setStrides(permuted(op.getStrides(), inverse));
  });
}

Value throughConcatenate(ConcatenateOp op, R& r) {
  return sinkThrough(op, r, op.getInputs(), [&](mlir::Operation* moved, Order, Order permutation) {
    llvm::cast<ConcatenateOp>(moved).setDimension(permutation[op.getDimension()]);
  });
}

Value throughReverse(ReverseOp op, R& r) {
  return sinkThrough(op, r, op.getOperand(), [&](mlir::Operation* moved, Order, Order permutation) {
    llvm::cast<ReverseOp>(moved).setDimensions(permuted(permutation, op.getDimensions()));
  });
}

Value throughReduceWindow(ReduceWindowOp op, R& r) {
  return sinkThrough(op, r, op.getOperand(), [&](mlir::Operation* moved, Order inverse, Order) {
    auto window = llvm::cast<ReduceWindowOp>(moved);
    window.setWindowDimensions(permuted(op.getWindowDimensions(), inverse));
    window.setWindowStrides(permuted(op.getWindowStrides(), inverse));
    window.setBaseDilations(permuted(op.getBaseDilations(), inverse));
    window.setWindowDilations(permuted(op.getWindowDilations(), inverse));
    Dims padding;
    for (int64_t dim : inverse) padding.append({op.getPadding()[2 * dim], op.getPadding()[2 * dim + 1]});
    window.setPadding(padding);
  });
}

// reduce(transpose(x)) = transpose(reduce(x)), the transpose over the dimensions that are left
Value throughReduce(ReduceOp op, R& r) {
  auto transpose = transposeOf(op.getOperand());
  if (!transpose) return {};
  Dims reduced = permuted(transpose.getPermutation(), op.getDimensions());
  llvm::sort(reduced);
  Dims left, rank(transpose.getPermutation().size(), -1);
  for (int64_t dim = 0, next = 0; dim < static_cast<int64_t>(rank.size()); ++dim) {
    if (!llvm::is_contained(reduced, dim)) rank[dim] = next++;
  }
  for (int64_t from : transpose.getPermutation()) {
    if (rank[from] >= 0) left.push_back(rank[from]);
  }
  auto type = op.getType().clone(permuted(shapeOfValue(op.getResult()), inversePermutation(left)));
  Value inner = ReduceOp::create(r, op.getLoc(), type, op.getKindAttr(), transpose.getOperand(),
                                 r.getDenseI64ArrayAttr(reduced));
  return transposeBy(r, op.getLoc(), inner, left);
}

// broadcast(transpose(x)) = transpose(broadcast(x)), between tensors of one rank
Value throughBroadcast(BroadcastInDimOp op, R& r) {
  auto transpose = transposeOf(op.getOperand());
  if (!transpose || !isIdentityPermutation(op.getBroadcastDimensions())) return {};
  auto shape = shapeOfValue(op.getResult());
  if (shape.size() != op.getBroadcastDimensions().size()) return {};
  Dims inner = permuted(shape, inversePermutation(transpose.getPermutation()));
  Value wide =
      BroadcastInDimOp::create(r, op.getLoc(), transpose.getOperand(), inner, op.getBroadcastDimensions());
  return transposeBy(r, op.getLoc(), wide, transpose.getPermutation());
}

//===-- Transposes through reshapes
//----------------------------------------------------------------------------------===//

// A run of dimensions on each side with the same number of elements.
struct Segment {
  Dims from, to;
};

std::optional<llvm::SmallVector<Segment>> segments(Order from, Order to) {
  llvm::SmallVector<Segment> all;
  size_t i = 0, j = 0;
  while (i < from.size() || j < to.size()) {
    Segment segment;
    int64_t a = 1, b = 1;
    do {
      // One of each first, so that dimensions of one element that both have do not join runs.
      const bool smaller = segment.from.empty() || (!segment.to.empty() && a <= b);
      const bool take_from = j == to.size() || (i < from.size() && smaller);
      if (take_from && i == from.size()) return std::nullopt;
      if (take_from) {
        a *= from[i];
        segment.from.push_back(i++);
      } else {
        b *= to[j];
        segment.to.push_back(j++);
      }
      if (a == 0 || b == 0) return std::nullopt;
    } while ((a != b || segment.from.empty() || segment.to.empty()) && (i < from.size() || j < to.size()));
    if (a != b) return std::nullopt;
    all.push_back(std::move(segment));
  }
  return all;
}

// reshape(transpose(x)) = transpose(reshape(x)), when the transpose keeps each run of dimensions together
// that the reshape merges or splits
Value throughReshape(ReshapeOp op, R& r) {
  auto transpose = transposeOf(op.getOperand());
  if (!transpose || !transpose->hasOneUse() || isConstant(transpose.getOperand())) return {};
  auto runs = segments(shapeOfValue(op.getOperand()), shapeOfValue(op.getResult()));
  if (!runs) return {};
  auto permutation = transpose.getPermutation();
  for (const Segment& run : *runs) {
    if (run.from.empty() || run.to.empty()) return {};
    for (size_t i = 1; i < run.from.size(); ++i) {
      if (permutation[run.from[i]] != permutation[run.from[i - 1]] + 1) return {};
    }
  }
  llvm::SmallVector<Segment> before(*runs);
  llvm::sort(before, [&](const Segment& a, const Segment& b) {
    return permutation[a.from[0]] < permutation[b.from[0]];
  });
  Dims shape, places(shapeOfValue(op.getResult()).size());
  for (const Segment& run : before) {
    for (int64_t dim : run.to) {
      places[dim] = shape.size();
      shape.push_back(shapeOfValue(op.getResult())[dim]);
    }
  }
  Value inner = reshapeTo(r, op.getLoc(), transpose.getOperand(), shape);
  return transposeBy(r, op.getLoc(), inner, places);
}

}  // namespace

void addLayoutRules(mlir::RewritePatternSet& patterns) {
  patterns.add<SinkThroughElementwise>(patterns.getContext());
  addRules<ConvolutionOp>(patterns, {channelsLast});
  addRules<PadOp>(patterns, {throughPad});
  addRules<GatherOp>(patterns, {throughLookup});
  addRules<SliceOp>(patterns, {throughSlice});
  addRules<ConcatenateOp>(patterns, {throughConcatenate});
  addRules<ReverseOp>(patterns, {throughReverse});
  addRules<ReduceOp>(patterns, {throughReduce});
  addRules<ReduceWindowOp>(patterns, {throughReduceWindow});
  addRules<BroadcastInDimOp>(patterns, {throughBroadcast});
  addRules<ReshapeOp>(patterns, {throughReshape});
}

}  // namespace tetrarch::compile
