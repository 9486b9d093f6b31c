// Convolutions of a spread input (lhs_dilation, as transposed convolutions have it) without the zeros
// between: the outputs that meet the same taps of the kernel are features of one ordinary convolution.
//
// One dimension, spread by s, low zeros before the input: output o sums input[i] * kernel[k] over the k with
// o + k - low = s * i. For k = s * t + p, 0 <= p < s, and o = s * q + low - p that is i = q + t: so phase p
// of the outputs is the convolution of the input with each s-th tap from p on, and the phases, from the last
// to the first, are s outputs in a row. (Shi et al., "Real-Time Single Image … Using an Efficient Sub-Pixel
// …", CVPR 2016, section 2.)
#include "llvm/Support/MathExtras.h"
#include "tetrarch/compile/rewrite/rules.h"

namespace tetrarch::compile {
namespace {

using namespace tet;  // the ops
using Dims = llvm::SmallVector<int64_t>;
using R = PatternRewriter;

// One spatial dimension. Where spread is 1, nothing about it changes.
struct Axis {
  int64_t in, out, taps, spread, stride, dilation, low, high;

  int64_t phases() const { return spread; }
  int64_t tapsOfPhase() const { return llvm::divideCeil(taps, spread); }
  // The first q whose s outputs meet output 0, and the last one that meets a wanted output.
  int64_t first() const { return llvm::divideFloorSigned(spread - 1 - low, spread); }
  int64_t last() const { return llvm::divideFloorSigned(out + spread - 2 - low, spread); }
  int64_t rows() const { return spread == 1 ? out : last() - first() + 1; }
  int64_t newLow() const { return spread == 1 ? low : -first(); }
  int64_t newHigh() const { return spread == 1 ? high : last() + tapsOfPhase() - in; }
  // Outputs that are computed before the first wanted one.
  int64_t surplus() const { return spread == 1 ? 0 : spread - 1 - low - (spread * first()); }
};

bool isChannelsLast(ConvolutionOp op, int64_t spatial) {
  auto counts = [&](llvm::ArrayRef<int64_t> dims, int64_t from) {
    return llvm::all_of(llvm::enumerate(dims),
                        [&](auto dim) { return dim.value() == from + static_cast<int64_t>(dim.index()); });
  };
  return op.getInputBatchDimension() == 0 && op.getOutputBatchDimension() == 0 &&
         op.getInputFeatureDimension() == spatial + 1 && op.getOutputFeatureDimension() == spatial + 1 &&
         op.getKernelInputFeatureDimension() == spatial &&
         op.getKernelOutputFeatureDimension() == spatial + 1 && counts(op.getInputSpatialDimensions(), 1) &&
         counts(op.getOutputSpatialDimensions(), 1) && counts(op.getKernelSpatialDimensions(), 0);
}

// Empty when the rule does not apply.
llvm::SmallVector<Axis> axesOf(ConvolutionOp op) {
  const int64_t spatial = tensorType(op.getLhs()).getRank() - 2;
  if (op.getBatchGroupCount() != 1 || !isChannelsLast(op, spatial)) return {};
  llvm::SmallVector<Axis> axes;
  bool spread = false;
  for (int64_t i = 0; i < spatial; ++i) {
    const Axis axis = {shapeOfValue(op.getLhs())[i + 1], shapeOfValue(op.getResult())[i + 1],
                       shapeOfValue(op.getRhs())[i],     op.getLhsDilation()[i],
                       op.getWindowStrides()[i],         op.getRhsDilation()[i],
                       op.getPadding()[2 * i],           op.getPadding()[(2 * i) + 1]};
    if (axis.in == 0 || axis.out == 0 || axis.taps == 0) return {};
    if (axis.spread > 1 && (axis.stride > 1 || axis.dilation > 1)) return {};
    spread |= axis.spread > 1;
    axes.push_back(axis);
  }
  return spread ? axes : llvm::SmallVector<Axis>();
}

Value zeroOf(R& r, mlir::Location loc, mlir::Type element) {
  auto scalar = mlir::RankedTensorType::get({}, element);
  return ConstantOp::create(r, loc, scalar, mlir::cast<mlir::ElementsAttr>(r.getZeroAttr(scalar)));
}

// [taps…, in, g * out] -> [taps of a phase…, in, g * phases… * out], filled up with zeros where the taps do
// not divide.
Value kernelOfPhases(R& r, ConvolutionOp op, llvm::ArrayRef<Axis> axes, int64_t groups) {
  const mlir::Location loc = op.getRhs().getLoc();
  const auto type = tensorType(op.getRhs());
  const int64_t spatial = axes.size(), in = type.getDimSize(spatial), out = type.getDimSize(spatial + 1);
  Dims none(spatial + 2, 0), fill(spatial + 2, 0), split, phase_dims, places, shape;
  for (auto [i, axis] : llvm::enumerate(axes)) {
    fill[i] = (axis.tapsOfPhase() * axis.phases()) - axis.taps;
    split.append({axis.tapsOfPhase(), axis.phases()});
    phase_dims.push_back((2 * i) + 1);
    shape.push_back(axis.tapsOfPhase());
  }
  Value kernel = op.getRhs();
  if (fill != none) {
    kernel = PadOp::create(r, loc, kernel, zeroOf(r, loc, type.getElementType()), none, fill, none);
  }
  split.append({in, groups, out / groups});
  kernel = ReverseOp::create(r, loc, reshapeTo(r, loc, kernel, split), phase_dims);
  for (int64_t i = 0; i < spatial; ++i) places.push_back(2 * i);
  places.append({2 * spatial, (2 * spatial) + 1});
  llvm::append_range(places, phase_dims);
  places.push_back((2 * spatial) + 2);
  int64_t phases = 1;
  for (const Axis& axis : axes) phases *= axis.phases();
  shape.append({in, out * phases});
  return reshapeTo(r, loc, transposeBy(r, loc, kernel, places), shape);
}

// [n, rows…, g * phases… * out] -> [n, out of each axis…, g * out]
Value joinPhases(R& r, ConvolutionOp op, Value value, llvm::ArrayRef<Axis> axes, int64_t groups) {
  const mlir::Location loc = op.getLoc();
  auto result = shapeOfValue(op.getResult());
  const int64_t spatial = axes.size(), batch = result.front(), features = result.back();
  Dims split = {batch}, places = {0}, shape = {batch}, starts(spatial + 2, 0), limits(result),
       ones(spatial + 2, 1);
  for (const Axis& axis : axes) split.push_back(axis.rows());
  split.push_back(groups);
  for (auto [i, axis] : llvm::enumerate(axes)) {
    const int64_t dim = i;
    split.push_back(axis.phases());
    places.append({dim + 1, spatial + 2 + dim});
    shape.push_back(axis.rows() * axis.phases());
    starts[dim + 1] = axis.surplus();
    limits[dim + 1] = axis.surplus() + axis.out;
  }
  split.push_back(features / groups);
  places.append({spatial + 1, (2 * spatial) + 2});
  shape.push_back(features);
  value = transposeBy(r, loc, reshapeTo(r, loc, value, split), places);
  return SliceOp::create(r, loc, reshapeTo(r, loc, value, shape), starts, limits, ones);
}

// convolution(spread(x), w) = join(convolution(x, phases(w))). Zeros that fill the kernel up meet elements of
// x that it did not: an infinity among them becomes NaN.
Value inputAsItIs(ConvolutionOp op, R& r) {
  const auto axes = axesOf(op);
  if (axes.empty()) return {};
  const auto groups = static_cast<int64_t>(op.getFeatureGroupCount());
  Value kernel = kernelOfPhases(r, op, axes, groups);
  Dims shape = {shapeOfValue(op.getResult()).front()}, padding, ones(axes.size(), 1);
  for (const Axis& axis : axes) {
    shape.push_back(axis.rows());
    padding.append({axis.newLow(), axis.newHigh()});
  }
  shape.push_back(shapeOfValue(kernel).back());
  mlir::OperationState state(op.getLoc(), ConvolutionOp::getOperationName(), {op.getLhs(), kernel},
                             {op.getType().clone(shape)}, op->getAttrs());
  auto inner = mlir::cast<ConvolutionOp>(r.create(state));
  inner.setPadding(padding);
  inner.setLhsDilation(ones);
  return joinPhases(r, op, inner, axes, groups);
}

}  // namespace

void addSpreadRules(mlir::RewritePatternSet& patterns) { addRules<ConvolutionOp>(patterns, {inputAsItIs}); }

}  // namespace tetrarch::compile
