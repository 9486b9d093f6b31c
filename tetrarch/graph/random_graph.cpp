#include "tetrarch/graph/random_graph.h"

#include <algorithm>
#include <numeric>
#include <random>

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Builders.h"
#include "tetrarch/graph/constants.h"
#include "tetrarch/graph/types.h"

namespace tetrarch::tet {
namespace {

using llvm::SmallVector;
using mlir::Value;
using Dims = llvm::ArrayRef<int64_t>;

// Grows a graph by one op at a time. Each rule picks its operands among the values so far, and gives null
// when the values it picked do not suit it.
class Grower {
 public:
  Grower(mlir::OpBuilder& builder, unsigned seed, int64_t largest_dim)
      : builder_(builder), loc_(builder.getUnknownLoc()), random_(seed), largest_dim_(largest_dim) {}

  void addValue(Value value) { values_.push_back(value); }
  const std::vector<Value>& values() const { return values_; }
  void grow();
  Shape randomShape() {
    Shape shape(below(5));
    for (int64_t& dim : shape) dim = 1 + below(shape.size() > 3 ? 6 : largest_dim_);
    return shape;
  }

 private:
  using Rule = Value (Grower::*)();
  static const Rule kRules[];

  int64_t below(int64_t limit) { return std::uniform_int_distribution<int64_t>(0, limit - 1)(random_); }
  Value pick() { return values_[below(std::ssize(values_))]; }
  Dims shape(Value v) { return llvm::cast<mlir::RankedTensorType>(v.getType()).getShape(); }
  int64_t rank(Value v) { return std::ssize(shape(v)); }
  // A constant of the shape with small random values.
  Value weights(Shape shape);

  template <typename Op>
  Value make(Value operand) {
    return Op::create(builder_, loc_, operand);
  }

  Value unary();
  Value binary();
  Value select();
  Value broadcast();
  Value flatten();
  Value transpose();
  Value reverse();
  Value slice();
  Value pad();
  Value concatenate();
  Value matmul();
  Value convolution();
  Value reduce();
  Value pool();
  Value gatherRows();
  Value softmax();

  mlir::OpBuilder& builder_;
  mlir::Location loc_;
  std::mt19937 random_;
  int64_t largest_dim_;
  std::vector<Value> values_;
};

const Grower::Rule Grower::kRules[] = {
    &Grower::unary,     &Grower::unary,       &Grower::binary,     &Grower::binary, &Grower::select,
    &Grower::broadcast, &Grower::flatten,     &Grower::slice,      &Grower::pad,    &Grower::concatenate,
    &Grower::matmul,    &Grower::convolution, &Grower::reduce,     &Grower::pool,   &Grower::reverse,
    &Grower::transpose, &Grower::softmax,     &Grower::gatherRows,
};

void Grower::grow() {
  Value value;
  while (!value) value = (this->*kRules[below(std::size(kRules))])();
  addValue(value);
}

Value Grower::weights(Shape shape) {
  Tensor tensor = Tensor::create(ElementType::F32, std::move(shape)).value();
  for (int64_t i = 0; i < tensor.count(); ++i) tensor.setDouble(i, static_cast<double>(below(33) - 16) / 16);
  return makeConstant(builder_, loc_, tensor);
}

Value Grower::unary() {
  const Value x = pick();
  switch (below(8)) {
    case 0:
      return make<AbsOp>(x);
    case 1:
      return make<CosineOp>(x);
    case 2:
      return make<ErfOp>(x);
    case 3:
      return make<ExponentialOp>(make<TanhOp>(x));
    case 4:
      return make<LogPlusOneOp>(make<AbsOp>(x));
    case 5:
      return make<LogisticOp>(x);
    case 6:
      return make<NegateOp>(x);
    default:
      return make<TanhOp>(x);
  }
}

Value Grower::binary() {
  const Value x = pick(), other = pick();
  const Value y = other.getType() == x.getType() ? other : weights(shapeOf(x));
  switch (below(5)) {
    case 0:
      return AddOp::create(builder_, loc_, x, y);
    case 1:
      return SubtractOp::create(builder_, loc_, x, y);
    case 2:
      return MultiplyOp::create(builder_, loc_, make<TanhOp>(x), y);
    case 3:
      return MaximumOp::create(builder_, loc_, x, y);
    default:
      return MinimumOp::create(builder_, loc_, x, y);
  }
}

// |x| by way of a comparison: continuous where the branches meet.
Value Grower::select() {
  const Value x = pick();
  const Value zero = makeSplat(builder_, loc_, llvm::cast<mlir::RankedTensorType>(x.getType()), 0.0);
  const Value is_negative = CompareOp::create(builder_, loc_, x, zero, ComparisonDirection::LT);
  return SelectOp::create(builder_, loc_, is_negative, make<NegateOp>(x), x);
}

// One more dimension in front.
Value Grower::broadcast() {
  const Value x = pick();
  if (rank(x) > 2) return {};
  SmallVector<int64_t> to{1 + below(4)}, dims;
  llvm::append_range(to, shape(x));
  for (int64_t d = 0; d < rank(x); ++d) dims.push_back(d + 1);
  return BroadcastInDimOp::create(builder_, loc_, x, to, dims);
}

Value Grower::flatten() {
  const Value x = pick();
  if (rank(x) < 2) return {};
  SmallVector<int64_t> to(shape(x).drop_front());
  to.front() *= shape(x).front();
  return ReshapeOp::create(builder_, loc_, x, to);
}

Value Grower::transpose() {
  const Value x = pick();
  SmallVector<int64_t> permutation(rank(x));
  std::iota(permutation.begin(), permutation.end(), 0);
  std::ranges::shuffle(permutation, random_);
  return TransposeOp::create(builder_, loc_, x, permutation);
}

Value Grower::reverse() {
  const Value x = pick();
  if (rank(x) == 0) return {};
  return ReverseOp::create(builder_, loc_, x, Dims{below(rank(x))});
}

Value Grower::slice() {
  const Value x = pick();
  SmallVector<int64_t> starts, limits, strides;
  for (int64_t dim : shape(x)) {
    starts.push_back(below(dim));
    limits.push_back(starts.back() + 1 + below(dim - starts.back()));
    strides.push_back(1 + below(2));
  }
  return SliceOp::create(builder_, loc_, x, starts, limits, strides);
}

Value Grower::pad() {
  const Value x = pick();
  SmallVector<int64_t> low, high, interior;
  for (int64_t dim : shape(x)) {
    low.push_back(below(3) - (dim > 2 ? 1 : 0));
    high.push_back(below(3));
    interior.push_back(below(2));
  }
  return PadOp::create(builder_, loc_, x, weights({}), low, high, interior);
}

Value Grower::concatenate() {
  const Value x = pick();
  if (rank(x) == 0) return {};
  const int64_t dim = below(rank(x));
  Shape other = shapeOf(x);
  other[dim] = 1 + below(4);
  return ConcatenateOp::create(builder_, loc_, mlir::ValueRange{x, weights(other)}, dim);
}

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

}  // namespace

mlir::OwningOpRef<mlir::ModuleOp> randomGraph(mlir::MLIRContext* context, unsigned seed,
                                              const RandomGraphOptions& options) {
  mlir::OpBuilder builder(context);
  const mlir::Location loc = builder.getUnknownLoc();
  mlir::OwningOpRef<mlir::ModuleOp> module = mlir::ModuleOp::create(loc);
  builder.setInsertionPointToEnd(module->getBody());
  auto function = mlir::func::FuncOp::create(builder, loc, "main", builder.getFunctionType({}, {}));
  mlir::Block* block = function.addEntryBlock();
  builder.setInsertionPointToEnd(block);
  Grower grower(builder, seed, options.largest_dim);
  for (int i = 0; i < options.inputs; ++i) {
    grower.addValue(block->addArgument(toMlir(ElementType::F32, grower.randomShape(), context), loc));
  }
  for (int i = 0; i < options.ops; ++i) grower.grow();
  SmallVector<Value> unused;
  for (Value value : grower.values()) {
    if (value.use_empty()) unused.push_back(value);
  }
  mlir::func::ReturnOp::create(builder, loc, unused);
  function.setFunctionType(
      builder.getFunctionType(block->getArgumentTypes(), mlir::ValueRange(unused).getTypes()));
  return module;
}

std::vector<Tensor> randomInputs(mlir::ModuleOp module, unsigned seed) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<double> real(-1, 1);
  std::vector<Tensor> inputs;
  auto function = module.lookupSymbol<mlir::func::FuncOp>("main");
  for (Value argument : function.getArguments()) {
    Tensor& tensor = inputs.emplace_back(Tensor::create(elementTypeOf(argument), shapeOf(argument)).value());
    for (int64_t i = 0; i < tensor.count(); ++i) {
      if (isFloat(tensor.type()))
        tensor.setDouble(i, real(random));
      else
        tensor.setInt(i, static_cast<int64_t>(random() % 8) & (tensor.type() == ElementType::I1 ? 1 : 7));
    }
  }
  return inputs;
}

}  // namespace tetrarch::tet
