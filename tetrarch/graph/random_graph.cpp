#include "tetrarch/graph/random_graph.h"

#include <algorithm>
#include <numeric>

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Builders.h"
#include "tetrarch/graph/constants.h"
#include "tetrarch/graph/random_grower.h"
#include "tetrarch/graph/types.h"

namespace tetrarch::tet {

const Grower::Rule Grower::kRules[] = {
    &Grower::unary,       &Grower::unary,         &Grower::binary,      &Grower::binary,
    &Grower::select,      &Grower::broadcast,     &Grower::flatten,     &Grower::slice,
    &Grower::pad,         &Grower::concatenate,   &Grower::matmul,      &Grower::convolution,
    &Grower::reduce,      &Grower::pool,          &Grower::reverse,     &Grower::transpose,
    &Grower::softmax,     &Grower::gatherRows,    &Grower::split,       &Grower::clamp,
    &Grower::rotate,      &Grower::upsample,      &Grower::position,    &Grower::inDouble,
    &Grower::integers,    &Grower::likeness,      &Grower::attention,   &Grower::groupedConvolution,
    &Grower::normalize,   &Grower::reduceSeveral, &Grower::averagePool, &Grower::cumulative,
    &Grower::sort,        &Grower::gatherByInput, &Grower::takeBlock,   &Grower::putBlock,
    &Grower::scatterRows, &Grower::normalize,     &Grower::binary,
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

namespace {
constexpr int64_t kIndices = 3;  // elements of the i64 argument
}

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
  grower.setIndices(block->addArgument(toMlir(ElementType::I64, Shape{kIndices}, context), loc));
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
