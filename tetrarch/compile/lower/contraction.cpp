// Contractions: dot_general and convolution as one linalg.generic `sum + lhs * rhs` over a zero-filled
// tensor. Parallel loops come in the order of the result's dimensions, then the reductions.
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "tetrarch/compile/lower/lower_op.h"
#include "tetrarch/compile/lower/packed.h"
#include "tetrarch/graph/types.h"

namespace tetrarch::compile {
namespace {

namespace arith = mlir::arith;
using mlir::AffineExpr;
using mlir::AffineMap;
using mlir::Type;
using mlir::Value;

// What products are summed in: at least f32 or i32, f64 when an operand is.
Type sumType(Builder& b, Value lhs, Value rhs, Value result) {
  auto any = [&](auto matches) {
    return matches(elementOf(lhs)) || matches(elementOf(rhs)) || matches(elementOf(result));
  };
  if (llvm::isa<mlir::FloatType>(elementOf(result))) {
    return any([](Type t) { return t.isF64(); }) ? Type(b.getF64Type()) : Type(b.getF32Type());
  }
  return elementOf(result).getIntOrFloatBitWidth() > 32 ? b.getI64Type() : b.getI32Type();
}

Value toSum(Builder& b, Value x, Type element, Type sum) {
  if (x.getType() == sum) return x;
  if (llvm::isa<mlir::FloatType>(sum)) return arith::ExtFOp::create(b, sum, x);
  if (x.getType().getIntOrFloatBitWidth() > sum.getIntOrFloatBitWidth())
    return arith::TruncIOp::create(b, sum, x);
  return element.isUnsignedInteger() ? Value(arith::ExtUIOp::create(b, sum, x))
                                     : arith::ExtSIOp::create(b, sum, x);
}

Value addProduct(Builder& b, Value sum, Value x, Value y) {
  if (llvm::isa<mlir::FloatType>(sum.getType()))
    return arith::AddFOp::create(b, sum, arith::MulFOp::create(b, x, y));
  return arith::AddIOp::create(b, sum, arith::MulIOp::create(b, x, y));
}

// The loops of a contraction, and how they index its operands (values of the graph) and the sum.
struct Nest {
  Value lhs, rhs, result;
  Access lhs_access, rhs_access;
  Dims extents;
  int64_t parallel = 0;
};

Access readPanelsOr(Lowering& lowering, Value rhs, AffineMap map) {
  auto panels = matchPanels(rhs);
  if (!panels) return lowering.read(rhs, map);
  return {lowering.tensor(panels->packed), panelMap(map, panels->batch_dims), {}};
}

// The sum, one dimension a parallel loop.
Value emit(Lowering& lowering, const Nest& nest) {
  Builder& b = lowering.b;
  Type sum = sumType(b, nest.lhs, nest.rhs, nest.result);
  const bool is_float = llvm::isa<mlir::FloatType>(sum);
  GenericBuilder generic(lowering, nest.extents, nest.parallel);
  auto element = [&](const Access& access, Value value) {
    return toSum(generic.body(), generic.load(access, elementOf(value)), elementOf(value), sum);
  };
  Value zero = is_float ? floatConstant(b, sum, 0) : intConstant(b, sum, 0);
  auto shape = llvm::ArrayRef(nest.extents).take_front(nest.parallel);
  AffineMap out = dimMap(b.getContext(), nest.extents.size(), countFrom(0, nest.parallel));
  Value x = element(nest.lhs_access, nest.lhs), y = element(nest.rhs_access, nest.rhs);
  Value current = generic.output(filledTensor(b, shape, zero), out);
  return generic.finish(addProduct(generic.body(), current, x, y)).front();
}

void bindSum(Lowering& lowering, Value result, Value tensor) {
  const bool stored = elementOf(tensor) == tet::storageElementType(elementOf(result));
  lowering.bind(result, tensor, stored ? Type() : elementOf(tensor));
}

// Which loop each dimension of a dot_general's operand is: batch, then free from `first_free`, or contracted.
Dims dotLoops(int64_t rank, llvm::ArrayRef<int64_t> batching, llvm::ArrayRef<int64_t> contracting,
              int64_t first_free, int64_t first_contracting) {
  Dims loops(rank, -1);
  for (auto [loop, dim] : llvm::enumerate(batching)) loops[dim] = loop;
  for (auto [loop, dim] : llvm::enumerate(contracting)) loops[dim] = first_contracting + loop;
  for (int64_t& loop : loops) {
    if (loop < 0) loop = first_free++;
  }
  return loops;
}

// Numbers the loops of a convolution while its maps are made.
class ConvolutionNest {
 public:
  explicit ConvolutionNest(tet::ConvolutionOp op) : op_(op) {
    feature_groups_ = op.getFeatureGroupCount();
    batch_groups_ = op.getBatchGroupCount();
    kernel_features_ = kernel(op.getKernelInputFeatureDimension());
    out_per_group_ = kernel(op.getKernelOutputFeatureDimension()) / groups();
    depthwise_ = feature_groups_ > 1 && kernel_features_ == 1 && out_per_group_ == 1;
    makeLoops();
  }

  // Parallel loops: the result's dimensions, with its features split in (group, feature of the group).
  const Dims& extents() const { return extents_; }
  int64_t parallel() const { return parallel_; }
  bool splitsFeatures() const { return group_loop_ >= 0 && !depthwise_; }

  AffineMap lhsMap() const {
    llvm::SmallVector<AffineExpr> exprs(rank());
    AffineExpr group = group_loop_ >= 0 ? dim(group_loop_) : constant(0);
    AffineExpr channel = depthwise_ ? dim(feature_loop_) : dim(input_feature_loop_);
    if (feature_groups_ > 1 && !depthwise_) channel = group * kernel_features_ + channel;
    AffineExpr batch = dim(batch_loop_);
    if (batch_groups_ > 1) batch = group * outputBatch() + batch;
    exprs[op_.getInputBatchDimension()] = batch;
    exprs[op_.getInputFeatureDimension()] = channel;
    for (auto [i, position] : llvm::enumerate(op_.getInputSpatialDimensions())) {
      exprs[position] = dim(spatial_loops_[i]) * op_.getWindowStrides()[i] +
                        dim(kernel_loops_[i]) * op_.getRhsDilation()[i];
    }
    return map(exprs);
  }

  // Reads [groups, k…, n], as panels store the kernel [k…, groups * n].
  AffineMap groupedRhsMap() const {
    llvm::SmallVector<AffineExpr> exprs = {dim(group_loop_)};
    llvm::append_range(exprs, rhsMap().getResults().drop_back());
    exprs.push_back(dim(feature_loop_));
    return map(exprs);
  }

  AffineMap rhsMap() const {
    llvm::SmallVector<AffineExpr> exprs(rank());
    AffineExpr feature = dim(feature_loop_);
    if (splitsFeatures()) feature = dim(group_loop_) * out_per_group_ + feature;
    exprs[op_.getKernelOutputFeatureDimension()] = feature;
    exprs[op_.getKernelInputFeatureDimension()] = depthwise_ ? constant(0) : dim(input_feature_loop_);
    for (auto [i, position] : llvm::enumerate(op_.getKernelSpatialDimensions()))
      exprs[position] = dim(kernel_loops_[i]);
    return map(exprs);
  }

 private:
  void makeLoops() {
    auto shape = shapeOf(op_.getResult());
    spatial_loops_.resize(shape.size() - 2);
    for (int64_t position = 0; position < rank(); ++position) {
      if (position == static_cast<int64_t>(op_.getOutputBatchDimension())) {
        batch_loop_ = loop(shape[position]);
      } else if (position == static_cast<int64_t>(op_.getOutputFeatureDimension())) {
        if (groups() > 1 && !depthwise_) group_loop_ = loop(groups());
        feature_loop_ = loop(depthwise_ ? shape[position] : out_per_group_);
      } else {
        auto spatial = llvm::find(op_.getOutputSpatialDimensions(), position);
        spatial_loops_[spatial - op_.getOutputSpatialDimensions().begin()] = loop(shape[position]);
      }
    }
    parallel_ = extents_.size();
    for (int64_t position : op_.getKernelSpatialDimensions()) kernel_loops_.push_back(loop(kernel(position)));
    if (!depthwise_) input_feature_loop_ = loop(kernel_features_);
  }

  int64_t loop(int64_t extent) {
    extents_.push_back(extent);
    return extents_.size() - 1;
  }
  int64_t groups() const { return feature_groups_ * batch_groups_; }
  int64_t rank() const { return shapeOf(op_.getResult()).size(); }
  int64_t kernel(int64_t position) const { return shapeOf(op_.getRhs())[position]; }
  int64_t outputBatch() const { return shapeOf(op_.getResult())[op_.getOutputBatchDimension()]; }
  AffineExpr dim(int64_t position) const { return mlir::getAffineDimExpr(position, op_.getContext()); }
  AffineExpr constant(int64_t value) const { return mlir::getAffineConstantExpr(value, op_.getContext()); }
  AffineMap map(llvm::ArrayRef<AffineExpr> exprs) const {
    return AffineMap::get(extents_.size(), 0, exprs, op_.getContext());
  }

  mutable tet::ConvolutionOp op_;
  int64_t feature_groups_, batch_groups_, kernel_features_, out_per_group_;
  bool depthwise_;
  Dims extents_, spatial_loops_, kernel_loops_;
  int64_t parallel_ = 0, batch_loop_ = 0, feature_loop_ = 0, group_loop_ = -1, input_feature_loop_ = -1;
};

// The input as it is read, or padded and spread if the convolution asks for it.
Access convolutionInput(Lowering& lowering, tet::ConvolutionOp op, AffineMap map) {
  const int64_t rank = shapeOf(op.getLhs()).size();
  Dims low(rank, 0), high(rank, 0), interior(rank, 0);
  for (auto [i, position] : llvm::enumerate(op.getInputSpatialDimensions())) {
    low[position] = op.getPadding()[2 * i];
    high[position] = op.getPadding()[2 * i + 1];
    interior[position] = op.getLhsDilation()[i] - 1;
  }
  auto is_zero = [](int64_t value) { return value == 0; };
  if (llvm::all_of(low, is_zero) && llvm::all_of(high, is_zero) && llvm::all_of(interior, is_zero)) {
    return lowering.read(op.getLhs(), map);
  }
  Builder& b = lowering.b;
  Value input = lowering.tensor(op.getLhs());
  // All bits zero is 0 in every element type.
  Value zero = arith::ConstantOp::create(b, b.getZeroAttr(elementOf(input)));
  return {padTensor(b, input, low, high, interior, zero), map, {}};
}

Access convolutionKernel(Lowering& lowering, tet::ConvolutionOp op, const ConvolutionNest& loops) {
  auto panels = loops.splitsFeatures() ? matchGroupedPanels(op.getRhs()) : std::nullopt;
  if (panels) return {lowering.tensor(panels->packed), panelMap(loops.groupedRhsMap(), 1), {}};
  return readPanelsOr(lowering, op.getRhs(), loops.rhsMap());
}

// Joins the dimensions (group, feature of the group).
Value joinFeatures(Builder& b, Value sum, int64_t feature, mlir::RankedTensorType result) {
  llvm::SmallVector<mlir::ReassociationIndices> groups;
  for (int64_t dim = 0, from = 0; dim < result.getRank(); ++dim) {
    groups.push_back(dim == feature ? mlir::ReassociationIndices{from, from + 1}
                                    : mlir::ReassociationIndices{from});
    from += groups.back().size();
  }
  return mlir::tensor::CollapseShapeOp::create(b, result.clone(elementOf(sum)), sum, groups);
}

}  // namespace

mlir::LogicalResult lowerDotGeneral(Lowering& lowering, tet::DotGeneralOp op) {
  auto lhs_shape = shapeOf(op.getLhs()), rhs_shape = shapeOf(op.getRhs());
  const int64_t batch = op.getLhsBatchingDimensions().size(),
                contracted = op.getLhsContractingDimensions().size();
  const int64_t parallel = shapeOf(op.getResult()).size();
  const int64_t lhs_free = lhs_shape.size() - batch - contracted;
  Dims lhs = dotLoops(lhs_shape.size(), op.getLhsBatchingDimensions(), op.getLhsContractingDimensions(),
                      batch, parallel);
  Dims rhs = dotLoops(rhs_shape.size(), op.getRhsBatchingDimensions(), op.getRhsContractingDimensions(),
                      batch + lhs_free, parallel);
  Dims extents(shapeOf(op.getResult()));
  for (int64_t dim : op.getLhsContractingDimensions()) extents.push_back(lhs_shape[dim]);

  auto* context = op.getContext();
  Nest nest{op.getLhs(), op.getRhs(), op.getResult(), {}, {}, extents, parallel};
  nest.lhs_access = lowering.read(op.getLhs(), dimMap(context, extents.size(), lhs));
  nest.rhs_access = readPanelsOr(lowering, op.getRhs(), dimMap(context, extents.size(), rhs));
  bindSum(lowering, op.getResult(), emit(lowering, nest));
  return mlir::success();
}

mlir::LogicalResult lowerConvolution(Lowering& lowering, tet::ConvolutionOp op) {
  ConvolutionNest loops(op);
  Nest nest{op.getLhs(), op.getRhs(), op.getResult(), {}, {}, loops.extents(), loops.parallel()};
  nest.lhs_access = convolutionInput(lowering, op, loops.lhsMap());
  nest.rhs_access = convolutionKernel(lowering, op, loops);
  Value sum = emit(lowering, nest);
  if (loops.splitsFeatures()) {
    sum = joinFeatures(lowering.b, sum, op.getOutputFeatureDimension(), op.getType());
  }
  bindSum(lowering, op.getResult(), sum);
  return mlir::success();
}

}  // namespace tetrarch::compile
