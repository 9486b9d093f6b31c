// Rules that make contractions, reductions, windows and what reads by index.
#include <algorithm>
#include <numeric>

#include "tetrarch/graph/constants.h"
#include "tetrarch/graph/random_grower.h"

namespace tetrarch::tet {

Value Grower::matmul() {
  const Value x = pick();
  if (rank(x) < 1) return {};
  const int64_t last = rank(x) - 1, inner = shape(x)[last];
  const Value y = weights({inner, 1 + below(largest_dim_)});
  return make<TanhOp>(DotGeneralOp::create(builder_, loc_, x, y, Dims{}, Dims{}, Dims{last}, Dims{0}));
}

// NHWC by HWIO, padded to the same size at stride 1.
Value Grower::convolution() {
  const Value x = pick();
  if (rank(x) != 4) return {};
  const int64_t channels = shape(x)[3], stride = 1 + below(2), reach = below(2);
  const Value kernel = weights({2 * reach + 1, 2 * reach + 1, channels, 1 + below(8)});
  const SmallVector<int64_t> padding(4, reach), strides(2, stride), ones(2, 1);
  return make<TanhOp>(ConvolutionOp::create(builder_, loc_, x, kernel, strides, padding, ones, ones, 0, 3,
                                            Dims{1, 2}, 2, 3, Dims{0, 1}, 0, 3, Dims{1, 2}));
}

Value Grower::reduce() {
  const Value x = pick();
  if (rank(x) == 0) return {};
  const ReductionKind kind = below(2) ? ReductionKind::Maximum : ReductionKind::Add;
  return ReduceOp::create(builder_, loc_, kind, x, Dims{below(rank(x))});
}

Value Grower::pool() {
  const Value x = pick();
  if (rank(x) == 0) return {};
  const int64_t dim = below(rank(x));
  SmallVector<int64_t> window(rank(x), 1), strides(rank(x), 1), padding(2 * rank(x), 0);
  const SmallVector<int64_t> ones(rank(x), 1);
  window[dim] = 1 + below(std::min<int64_t>(shape(x)[dim], 3));
  strides[dim] = 1 + below(2);
  padding[2 * dim] = window[dim] / 2;
  return ReduceWindowOp::create(builder_, loc_, ReductionKind::Maximum, x, window, strides, ones, ones,
                                padding);
}

// Two rows of the first dimension, by constant indices.
Value Grower::gatherRows() {
  const Value x = pick();
  if (rank(x) == 0) return {};
  Tensor rows = Tensor::create(ElementType::I64, {2}).value();
  for (int64_t i : {0, 1}) rows.setInt(i, below(shape(x)[0]));
  SmallVector<int64_t> offsets, sizes(shape(x));
  sizes[0] = 1;
  for (int64_t d = 1; d < rank(x); ++d) offsets.push_back(d);
  return GatherOp::create(builder_, loc_, x, makeConstant(builder_, loc_, rows), offsets, Dims{0}, Dims{},
                          Dims{}, Dims{0}, 1, sizes);
}

// exp(x) / sum(exp(x)) of bounded x over the last dimension.
Value Grower::softmax() {
  const Value x = pick();
  if (rank(x) == 0) return {};
  const int64_t last = rank(x) - 1;
  SmallVector<int64_t> kept(last);
  std::iota(kept.begin(), kept.end(), 0);
  const Value powers = make<ExponentialOp>(make<TanhOp>(x));
  const Value sums = ReduceOp::create(builder_, loc_, ReductionKind::Add, powers, Dims{last});
  const Value whole = BroadcastInDimOp::create(builder_, loc_, sums, shape(x), kept);
  return DivideOp::create(builder_, loc_, powers, whole);
}

// --- what a dimension is cut into, or made of

Value Grower::split() {
  const Value x = pick();
  if (rank(x) == 0 || rank(x) > 4) return {};
  const int64_t dim = below(rank(x)), part = 2 + below(2);
  if (shape(x)[dim] % part != 0) return {};
  SmallVector<int64_t> to(shape(x));
  to[dim] /= part;
  to.insert(to.begin() + dim, part);
  return ReshapeOp::create(builder_, loc_, x, to);
}

// Halves of the last dimension change places, one negated: rotary embeddings.
Value Grower::rotate() {
  const Value x = pick();
  if (rank(x) == 0 || shape(x).back() % 2 != 0) return {};
  SmallVector<int64_t> starts(rank(x), 0), limits(shape(x));
  const SmallVector<int64_t> ones(rank(x), 1);
  limits.back() /= 2;
  const Value low = SliceOp::create(builder_, loc_, x, starts, limits, ones);
  starts.back() = limits.back(), limits.back() *= 2;
  const Value high = SliceOp::create(builder_, loc_, x, starts, limits, ones);
  return ConcatenateOp::create(builder_, loc_, mlir::ValueRange{make<NegateOp>(high), low}, rank(x) - 1);
}

// Each element of a dimension twice: nearest-neighbour resize.
Value Grower::upsample() {
  const Value x = pick();
  if (rank(x) == 0 || rank(x) > 4) return {};
  const int64_t dim = below(rank(x));
  SmallVector<int64_t> wide(shape(x)), to(shape(x)), kept(rank(x));
  std::iota(kept.begin(), kept.end(), 0);
  for (int64_t d = dim + 1; d < rank(x); ++d) ++kept[d];
  wide.insert(wide.begin() + dim + 1, 2);
  to[dim] *= 2;
  return ReshapeOp::create(builder_, loc_, BroadcastInDimOp::create(builder_, loc_, x, wide, kept), to);
}

Value Grower::clamp() {
  const Value x = pick();
  const Value low = makeSplat(builder_, loc_, llvm::cast<mlir::RankedTensorType>(x.getType()), -0.5);
  return ClampOp::create(builder_, loc_, low, x, weights(shapeOf(x)));
}

// The value plus the position along a dimension.
Value Grower::position() {
  const Value x = pick();
  if (rank(x) == 0) return {};
  auto type = llvm::cast<mlir::RankedTensorType>(x.getType());
  const Value iota = IotaOp::create(builder_, loc_, type.clone(builder_.getI64Type()),
                                    static_cast<uint64_t>(below(rank(x))));
  const Value scale = makeSplat(builder_, loc_, type, 0.125);
  const Value number = ConvertOp::create(builder_, loc_, iota, builder_.getF32Type());
  return AddOp::create(builder_, loc_, x, MultiplyOp::create(builder_, loc_, number, scale));
}

Value Grower::inDouble() {
  const Value x = pick();
  const Value wide = ConvertOp::create(builder_, loc_, x, builder_.getF64Type());
  return ConvertOp::create(builder_, loc_, make<SineOp>(wide), builder_.getF32Type());
}

// Arithmetic of integers, spread over a value.
Value Grower::integers() {
  const Value x = pick();
  if (rank(x) > 2) return {};
  const Value product = MultiplyOp::create(builder_, loc_, indices_, indices_);
  const Value sum = below(2) ? AddOp::create(builder_, loc_, product, indices_).getResult()
                             : SubtractOp::create(builder_, loc_, indices_, product).getResult();
  SmallVector<int64_t> to{shapeOf(indices_)[0]}, dims(rank(x));
  llvm::append_range(to, shape(x));
  std::iota(dims.begin(), dims.end(), 1);
  const Value narrow =
      ConvertOp::create(builder_, loc_, sum, below(2) ? builder_.getIntegerType(8) : builder_.getI32Type());
  const Value number = make<TanhOp>(ConvertOp::create(builder_, loc_, narrow, builder_.getF32Type()));
  return AddOp::create(builder_, loc_, BroadcastInDimOp::create(builder_, loc_, x, to, dims),
                       BroadcastInDimOp::create(builder_, loc_, number, to, Dims{0}));
}

// --- contractions of two computed values

// x xᵀ over the last dimension, for each of the leading ones.
Value Grower::likeness() {
  const Value x = pick();
  if (rank(x) < 2) return {};
  SmallVector<int64_t> batch(rank(x) - 2);
  std::iota(batch.begin(), batch.end(), 0);
  const SmallVector<int64_t> last{rank(x) - 1};
  return make<TanhOp>(DotGeneralOp::create(builder_, loc_, x, make<TanhOp>(x), batch, batch, last, last));
}

Value Grower::attention() {
  const Value x = pick();
  if (rank(x) < 2) return {};
  SmallVector<int64_t> batch(rank(x) - 2);
  std::iota(batch.begin(), batch.end(), 0);
  const Value bounded = make<TanhOp>(x);
  const int64_t last = rank(x) - 1;
  const Value scores =
      DotGeneralOp::create(builder_, loc_, bounded, bounded, batch, batch, Dims{last}, Dims{last});
  const Value shifted =
      SubtractOp::create(builder_, loc_, scores,
                         spread(reduced(ReductionKind::Maximum, scores, Dims{last}), scores, Dims{last}));
  const Value powers = make<ExponentialOp>(shifted);
  const Value share = DivideOp::create(
      builder_, loc_, powers, spread(reduced(ReductionKind::Add, powers, Dims{last}), powers, Dims{last}));
  return DotGeneralOp::create(builder_, loc_, share, bounded, batch, batch, Dims{last}, Dims{last - 1});
}

// In groups, depthwise among them, channels last or second.
Value Grower::groupedConvolution() {
  const Value x = pick();
  if (rank(x) != 4) return {};
  const bool last = below(2) != 0;
  const int64_t feature = last ? 3 : 1;
  const int64_t channels = shape(x)[feature],
                groups = below(2) || channels % 2 != 0 ? channels : channels / 2;
  const int64_t stride = 1 + below(2), dilation = 1 + below(2), size = 1 + 2 * below(2);
  const SmallVector<int64_t> spatial{last ? 1 : 2, last ? 2 : 3};
  const Value kernel = weights({size, size, channels / groups, groups * (1 + below(3))});
  const SmallVector<int64_t> padding(4, size / 2 * dilation), strides(2, stride), ones(2, 1),
      dilations(2, dilation);
  return make<TanhOp>(ConvolutionOp::create(builder_, loc_, x, kernel, strides, padding, ones, dilations, 0,
                                            feature, spatial, 2, 3, Dims{0, 1}, 0, feature, spatial, groups,
                                            1));
}

// --- reductions

Value Grower::reduced(ReductionKind kind, Value x, Dims dims) {
  return ReduceOp::create(builder_, loc_, kind, x, dims);
}

// The result of a reduction over `over`, for each element that it was made of.
Value Grower::spread(Value x, Value like, Dims over) {
  SmallVector<int64_t> kept;
  for (int64_t d = 0; d < rank(like); ++d) {
    if (!llvm::is_contained(over, d)) kept.push_back(d);
  }
  return BroadcastInDimOp::create(builder_, loc_, x, shape(like), kept);
}

// Layer norm over the last dimensions, or instance norm over the middle ones.
Value Grower::normalize() {
  const Value x = pick();
  if (rank(x) < 2) return {};
  SmallVector<int64_t> over;
  const int64_t first = 1 + below(rank(x) - 1), end = below(3) ? rank(x) : first + 1;
  int64_t count = 1;
  for (int64_t d = first; d < end; ++d) over.push_back(d), count *= shape(x)[d];
  auto type = llvm::cast<mlir::RankedTensorType>(reduced(ReductionKind::Add, x, over).getType());
  const Value size = makeSplat(builder_, loc_, type, static_cast<double>(count));
  const Value epsilon = makeSplat(builder_, loc_, type, 0.1);
  auto mean = [&](Value v) {
    return DivideOp::create(builder_, loc_, reduced(ReductionKind::Add, v, over), size);
  };
  const Value centred = SubtractOp::create(builder_, loc_, x, spread(mean(x), x, over));
  const Value variance = mean(MultiplyOp::create(builder_, loc_, centred, centred));
  const Value scale = make<RsqrtOp>(AddOp::create(builder_, loc_, variance, epsilon));
  return MultiplyOp::create(builder_, loc_, centred, spread(scale, x, over));
}

Value Grower::reduceSeveral() {
  const Value x = pick();
  SmallVector<int64_t> dims;
  for (int64_t d = 0; d < rank(x); ++d) {
    if (below(2)) dims.push_back(d);
  }
  return make<TanhOp>(reduced(ReductionKind::Add, x, dims));
}

// NHWC, windows over two dimensions.
Value Grower::averagePool() {
  const Value x = pick();
  if (rank(x) != 4 || shape(x)[1] < 3 || shape(x)[2] < 3) return {};
  const SmallVector<int64_t> window{1, 3, 3, 1}, ones(4, 1), strides{1, 1 + below(2), 1 + below(2), 1},
      padding{0, 0, 1, 1, 1, 1, 0, 0};
  const Value sum =
      ReduceWindowOp::create(builder_, loc_, ReductionKind::Add, x, window, strides, ones, ones, padding);
  const Value ninth = makeSplat(builder_, loc_, llvm::cast<mlir::RankedTensorType>(sum.getType()), 0.125);
  return MultiplyOp::create(builder_, loc_, sum, ninth);
}

Value Grower::cumulative() {
  const Value x = pick();
  if (rank(x) == 0) return {};
  return make<TanhOp>(CumulativeOp::create(builder_, loc_, ReductionKind::Add, x, below(rank(x))));
}

// Sorted values move no further than the values.
Value Grower::sort() {
  const Value x = pick();
  if (rank(x) == 0) return {};
  return SortOp::create(builder_, loc_, x, below(rank(x)),
                        below(2) ? SortDirection::Ascending : SortDirection::Descending, true)
      .getResult(0);
}

// --- reading and writing by an index that is an input

Value Grower::gatherByInput() {
  const Value x = pick();
  if (rank(x) == 0) return {};
  const int64_t dim = below(rank(x));
  SmallVector<int64_t> offsets, sizes(shape(x));
  sizes[dim] = 1;
  for (int64_t d = 1; d < rank(x); ++d) offsets.push_back(d);
  const Value rows =
      GatherOp::create(builder_, loc_, x, indices_, offsets, Dims{dim}, Dims{}, Dims{}, Dims{dim}, 1, sizes);
  return below(2) ? make<TanhOp>(rows) : rows;
}

Value Grower::takeBlock() {
  const Value x = pick();
  SmallVector<int64_t> sizes;
  SmallVector<Value> starts;
  for (int64_t dim : shape(x)) {
    sizes.push_back(1 + below(dim));
    const int64_t which = below(shapeOf(indices_)[0]);
    const Value one = SliceOp::create(builder_, loc_, indices_, Dims{which}, Dims{which + 1}, Dims{1});
    starts.push_back(ReshapeOp::create(builder_, loc_, one, Dims{}));
  }
  return DynamicSliceOp::create(builder_, loc_, x, starts, sizes);
}

Value Grower::putBlock() {
  const Value x = pick();
  if (rank(x) == 0) return {};
  Shape update(shapeOf(x));
  for (int64_t& dim : update) dim = 1 + below(dim);
  const Value one = SliceOp::create(builder_, loc_, indices_, Dims{0}, Dims{1}, Dims{1});
  const SmallVector<Value> starts(rank(x), ReshapeOp::create(builder_, loc_, one, Dims{}));
  return DynamicUpdateSliceOp::create(builder_, loc_, x, make<TanhOp>(weights(update)), starts);
}

Value Grower::scatterRows() {
  const Value x = pick();
  if (rank(x) == 0) return {};
  Shape update(shapeOf(x));
  update[0] = shapeOf(indices_)[0];
  SmallVector<int64_t> window;
  for (int64_t d = 1; d < rank(x); ++d) window.push_back(d);
  return ScatterOp::create(builder_, loc_, ReductionKind::Add, x, indices_, weights(update), window, Dims{0},
                           Dims{}, Dims{}, Dims{0}, 1);
}

}  // namespace tetrarch::tet
