#include "tetrarch/import/graph_builder.h"

#include <algorithm>
#include <numeric>

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/DenseSet.h"
#include "tetrarch/graph/constants.h"
#include "tetrarch/graph/interpreter.h"
#include "tetrarch/graph/quantized.h"
#include "tetrarch/graph/tet.h"
#include "tetrarch/graph/types.h"

namespace tetrarch {
namespace {

// What depends on constants only is evaluated at once up to this many elements: enough for every shape
// computation and table of positions. Larger results stay as ops, which the compiler may fold where it pays.
constexpr int64_t kFoldElements = 1 << 14;
// The limit for ops that make much of little (a fill, an iota), which are cheaper as ops.
constexpr int64_t kFoldFillElements = 1 << 12;
// No operand of what is folded is larger: a splat of 2^40 elements is a small attribute, but not a small
// tensor.
constexpr int64_t kFoldOperandElements = 1 << 22;
// The same for values that must be known to know a shape.
constexpr int64_t kRequiredElements = 1 << 26;
// What no value of a graph exceeds, so that sizes can be computed without care for overflow.
constexpr int64_t kLargestRank = 64, kLargestCount = 1LL << 40;
// How many ops may lie between an input of the graph and a value that decides a shape. Beyond, the shape
// depends on what the network computes, and a variant compiled per value would be of no use.
constexpr size_t kShapeProgramOps = 256;

mlir::RankedTensorType rankedType(Value value) {
  return value ? llvm::dyn_cast<mlir::RankedTensorType>(value.getType()) : mlir::RankedTensorType();
}

bool isContraction(mlir::Operation* op) { return llvm::isa<tet::DotGeneralOp, tet::ConvolutionOp>(op); }

int64_t resultElements(mlir::Operation* op) {
  int64_t count = 0;
  for (Value result : op->getResults()) count += countOf(result);
  return count;
}

bool isReasonable(Value value) {
  const auto count = elementCount(shapeOf(value));
  return rankOf(value) <= kLargestRank && count.has_value() && *count <= kLargestCount;
}

bool isWorthFolding(mlir::Operation* op) {
  for (Value operand : op->getOperands()) {
    if (countOf(operand) > kFoldOperandElements) return false;
  }
  if (op->getNumResults() == 0 || llvm::isa<tet::ConstantOp, tet::IfOp, tet::WhileOp>(op)) return false;
  // Quantised weights stay as they are.
  if (auto composite = llvm::dyn_cast<tet::CompositeOp>(op);
      composite && composite.getName() == tet::kDequantize)
    return false;
  const bool fills = llvm::isa<tet::IotaOp, tet::BroadcastInDimOp>(op);
  return resultElements(op) <= (fills ? kFoldFillElements : kFoldElements);
}

}  // namespace

ElementType typeOf(Value value) {
  const auto type = rankedType(value);
  return type ? tet::elementTypeFromMlir(type.getElementType()).value_or(ElementType::F32) : ElementType::F32;
}

llvm::ArrayRef<int64_t> shapeOf(Value value) {
  const auto type = rankedType(value);
  return type ? type.getShape() : llvm::ArrayRef<int64_t>();
}

int64_t rankOf(Value value) { return static_cast<int64_t>(shapeOf(value).size()); }

int64_t dimOf(Value value, int64_t axis) {
  return axis >= 0 && axis < rankOf(value) ? shapeOf(value)[axis] : 0;
}

int64_t countOf(Value value) {
  const auto shape = shapeOf(value);
  return std::accumulate(shape.begin(), shape.end(), int64_t{1}, std::multiplies<>());
}

Shape range(int64_t n) {
  Shape all(std::max<int64_t>(n, 0));
  std::iota(all.begin(), all.end(), 0);
  return all;
}

Shape complement(int64_t rank, llvm::ArrayRef<int64_t> axes) {
  Shape others;
  for (int64_t d = 0; d < rank; ++d) {
    if (!llvm::is_contained(axes, d)) others.push_back(d);
  }
  return others;
}

std::optional<Shape> broadcastShapes(llvm::ArrayRef<int64_t> a, llvm::ArrayRef<int64_t> b) {
  if (a.size() < b.size()) std::swap(a, b);
  Shape shape(a.begin(), a.end());
  const size_t offset = a.size() - b.size();
  for (size_t i = 0; i < b.size(); ++i) {
    int64_t& dim = shape[offset + i];
    if (dim != b[i] && dim != 1 && b[i] != 1) return std::nullopt;
    if (dim == 1) dim = b[i];
  }
  return shape;
}

GraphBuilder::GraphBuilder(mlir::OpBuilder& builder)
    : builder_(builder), diagnostics_(builder.getContext(), [this](mlir::Diagnostic& diagnostic) {
        diagnostic_ = diagnostic.str();
        return mlir::success();
      }) {}

Value GraphBuilder::fail(Status status) {
  if (status_.ok()) status_ = std::move(status);
  return {};
}

bool GraphBuilder::given(llvm::ArrayRef<Value> values) {
  if (status_.ok() && llvm::is_contained(values, Value())) fail(internalError("an operand is missing"));
  return status_.ok();
}

mlir::RankedTensorType GraphBuilder::tensorType(ElementType type, llvm::ArrayRef<int64_t> shape) {
  return mlir::RankedTensorType::get(shape, tet::toMlir(type, context()));
}

//-- Making and folding ops

Values GraphBuilder::finish(mlir::Operation* op) {
  diagnostic_.clear();
  if (!llvm::all_of(op->getResults(), isReasonable)) {
    fail(tetrarch::fail(StatusCode::kOutOfRange, "the result of {} is too large",
                        op->getName().getStringRef().str()));
    op->erase();
    return {};
  }
  // What a region holds was checked op by op when it was filled; how it fits the op around it was not.
  const mlir::OperationName name = op->getName();
  if (mlir::failed(name.verifyInvariants(op)) || mlir::failed(name.verifyRegionInvariants(op))) {
    fail(invalidArgument("{}", diagnostic_));
    op->erase();
    return {};
  }
  if (auto folded = fold(op)) return *folded;
  return Values(op->getResults());
}

std::optional<Values> GraphBuilder::fold(mlir::Operation* op) {
  if (!isWorthFolding(op)) return std::nullopt;
  std::vector<Tensor> operands;
  for (Value operand : op->getOperands()) {
    auto tensor = known(operand);
    if (!tensor) return std::nullopt;
    operands.push_back(std::move(*tensor));
  }
  auto results = tet::evaluate(op, operands);
  if (!results.has_value()) return std::nullopt;
  op->erase();
  Values values;
  for (const Tensor& result : *results) values.push_back(constant(result));
  return values;
}

Value GraphBuilder::create(llvm::StringRef name, mlir::ValueRange operands, mlir::Type type,
                           llvm::ArrayRef<mlir::NamedAttribute> attributes) {
  if (!given(Values(operands))) return {};
  mlir::OperationState state(builder_.getUnknownLoc(), ("tet." + name).str(), operands, type, attributes);
  const Values results = finish(builder_.create(state));
  return results.empty() ? Value() : results.front();
}

std::optional<Tensor> GraphBuilder::known(Value value) const {
  if (!value || !value.getDefiningOp<tet::ConstantOp>()) return std::nullopt;
  auto tensor = tet::tensorOf(value);
  return tensor.has_value() ? std::optional(std::move(*tensor)) : std::nullopt;
}

Result<Tensor> GraphBuilder::require(Value value, llvm::SmallVectorImpl<mlir::BlockArgument>& depends_on) {
  if (!value) return propagate(status_);
  // The ops that compute the value, producers first, by an explicit stack: graphs are deeper than call
  // stacks.
  llvm::SmallVector<mlir::Operation*> order;
  llvm::DenseSet<mlir::Operation*> seen;
  llvm::SmallVector<std::pair<mlir::Operation*, unsigned>> stack;
  llvm::DenseSet<Value> arguments;
  auto visit = [&](Value v) {
    if (auto argument = llvm::dyn_cast<mlir::BlockArgument>(v)) {
      if (arguments.insert(v).second) depends_on.push_back(argument);
    } else if (seen.insert(v.getDefiningOp()).second) {
      stack.emplace_back(v.getDefiningOp(), 0);
    }
  };
  visit(value);
  bool computes = false;
  while (!stack.empty()) {
    auto& [op, next] = stack.back();
    if (next < op->getNumOperands()) {
      visit(op->getOperand(next++));
      continue;
    }
    if (resultElements(op) > kRequiredElements)
      return unimplemented("it is computed from a tensor that is too large");
    computes |= isContraction(op) || llvm::isa<tet::IfOp, tet::WhileOp>(op);
    order.push_back(op);
    stack.pop_back();
  }
  if (!depends_on.empty() && (computes || order.size() > kShapeProgramOps)) {
    return unimplemented("it depends on data that the network computes while it runs");
  }
  if (!depends_on.empty())
    return tetrarch::fail(StatusCode::kFailedPrecondition, "it depends on inputs of the graph");
  llvm::DenseMap<Value, Tensor> tensors;
  for (mlir::Operation* op : order) {
    if (auto constant = llvm::dyn_cast<tet::ConstantOp>(op)) {
      TET_ASSIGN_OR_RETURN(tensors[constant.getResult()], tet::tensorOf(constant.getResult()));
      continue;
    }
    std::vector<Tensor> operands;
    for (Value operand : op->getOperands()) operands.push_back(tensors.at(operand));
    TET_ASSIGN_OR_RETURN(auto results, tet::evaluate(op, operands));
    for (auto [result, tensor] : llvm::zip_equal(op->getResults(), results)) tensors[result] = tensor;
  }
  return tensors.at(value);
}

//-- Constants

Value GraphBuilder::constant(const Tensor& tensor) {
  if (!ok()) return {};
  return tet::makeConstant(builder_, builder_.getUnknownLoc(), tensor);
}

Value GraphBuilder::scalar(ElementType type, double value) {
  auto tensor = Tensor::create(type, {});
  if (!tensor.has_value()) return fail(tensor.error());
  tensor->setDouble(0, value);
  return constant(*tensor);
}

Value GraphBuilder::scalarInt(ElementType type, int64_t value) {
  auto tensor = Tensor::create(type, {});
  if (!tensor.has_value()) return fail(tensor.error());
  tensor->setInt(0, value);
  return constant(*tensor);
}

Value GraphBuilder::ints(llvm::ArrayRef<int64_t> values) {
  return constant(Tensor::of<int64_t>(ElementType::I64, {static_cast<int64_t>(values.size())}, values));
}

Value GraphBuilder::full(ElementType type, llvm::ArrayRef<int64_t> shape, double value) {
  if (!ok()) return {};
  if (auto count = elementCount(shape); !count.has_value()) return fail(count.error());
  return tet::makeSplat(builder_, builder_.getUnknownLoc(), tensorType(type, shape), value);
}

Value GraphBuilder::fullInt(ElementType type, llvm::ArrayRef<int64_t> shape, int64_t value) {
  if (!ok()) return {};
  if (auto count = elementCount(shape); !count.has_value()) return fail(count.error());
  return tet::makeSplat(builder_, builder_.getUnknownLoc(), tensorType(type, shape), value);
}

Value GraphBuilder::like(Value shape_and_type, double value) {
  return full(typeOf(shape_and_type), shapeOf(shape_and_type), value);
}

Value GraphBuilder::iota(ElementType type, llvm::ArrayRef<int64_t> shape, int64_t axis) {
  if (!ok()) return {};
  return emit<tet::IotaOp>(tensorType(type, shape), axis);
}

//-- Elementwise

Value GraphBuilder::unary(llvm::StringRef op, Value x) {
  return given({x}) ? create(op, {x}, x.getType()) : Value();
}

bool GraphBuilder::broadcastTogether(Value& a, Value& b) {
  if (!given({a, b})) return false;
  const auto shape = broadcastShapes(shapeOf(a), shapeOf(b));
  if (!shape) {
    fail(invalidArgument("shapes {} and {} do not broadcast", toString(typeOf(a), shapeOf(a)),
                         toString(typeOf(b), shapeOf(b))));
    return false;
  }
  a = broadcastTo(a, *shape);
  b = broadcastTo(b, *shape);
  return ok();
}

Value GraphBuilder::binary(llvm::StringRef op, Value a, Value b) {
  if (!broadcastTogether(a, b)) return {};
  return create(op, {a, b}, a.getType());
}

Value GraphBuilder::binary(llvm::StringRef op, Value a, double b) { return binary(op, a, like(a, b)); }

Value GraphBuilder::compare(tet::ComparisonDirection direction, Value a, Value b) {
  if (!broadcastTogether(a, b)) return {};
  return emit<tet::CompareOp>(a, b, direction);
}

Value GraphBuilder::compare(tet::ComparisonDirection direction, Value a, double b) {
  return compare(direction, a, like(a, b));
}

Value GraphBuilder::select(Value condition, Value a, Value b) {
  if (!broadcastTogether(a, b)) return {};
  const auto shape = broadcastShapes(shapeOf(condition), shapeOf(a));
  if (!shape) return fail(invalidArgument("the condition's shape does not broadcast to the values'"));
  a = broadcastTo(a, *shape);
  b = broadcastTo(b, *shape);
  condition = broadcastTo(condition, *shape);
  return given({condition, a, b}) ? create("select", {condition, a, b}, a.getType()) : Value();
}

Value GraphBuilder::select(Value condition, Value a, double b) {
  return select(condition, a, scalar(typeOf(a), b));
}

Value GraphBuilder::convert(Value x, ElementType type) {
  if (!given({x}) || typeOf(x) == type) return x;
  return create("convert", {x}, tensorType(type, shapeOf(x)));
}

Value GraphBuilder::bitcast(Value x, ElementType type) {
  if (!given({x}) || typeOf(x) == type) return x;
  return create("bitcast_convert", {x}, tensorType(type, shapeOf(x)));
}

Value GraphBuilder::clamp(Value x, double low, double high) {
  return given({x}) ? create("clamp", {like(x, low), x, like(x, high)}, x.getType()) : Value();
}

//-- Shapes

Value GraphBuilder::reshape(Value x, llvm::ArrayRef<int64_t> shape) {
  if (!given({x}) || shapeOf(x) == shape) return x;
  return create("reshape", {x}, tensorType(typeOf(x), shape));
}

Value GraphBuilder::transpose(Value x, llvm::ArrayRef<int64_t> permutation) {
  if (!given({x}) || llvm::equal(permutation, range(rankOf(x)))) return x;
  return emit<tet::TransposeOp>(x, permutation);
}

Value GraphBuilder::broadcastTo(Value x, llvm::ArrayRef<int64_t> shape) {
  if (!given({x}) || shapeOf(x) == shape) return x;
  const int64_t offset = static_cast<int64_t>(shape.size()) - rankOf(x);
  Shape dims = range(rankOf(x));
  for (int64_t& d : dims) d += offset;
  return broadcastInDim(x, shape, dims);
}

Value GraphBuilder::broadcastInDim(Value x, llvm::ArrayRef<int64_t> shape, llvm::ArrayRef<int64_t> dims) {
  if (!given({x}) || (shapeOf(x) == shape && llvm::equal(dims, range(rankOf(x))))) return x;
  if (auto count = elementCount(shape); !count.has_value()) return fail(count.error());
  return emit<tet::BroadcastInDimOp>(x, shape, dims);
}

Value GraphBuilder::expandDims(Value x, llvm::ArrayRef<int64_t> axes) {
  if (!given({x})) return {};
  const int64_t rank = rankOf(x) + static_cast<int64_t>(axes.size());
  Shape shape(rank, 1);
  const Shape others = complement(rank, axes);
  if (static_cast<int64_t>(others.size()) != rankOf(x))
    return fail(invalidArgument("axes repeat or are out of range"));
  for (size_t i = 0; i < others.size(); ++i) shape[others[i]] = shapeOf(x)[i];
  return reshape(x, shape);
}

Value GraphBuilder::squeeze(Value x, llvm::ArrayRef<int64_t> axes) {
  if (!given({x})) return {};
  Shape shape;
  for (const int64_t d : complement(rankOf(x), axes)) shape.push_back(dimOf(x, d));
  return reshape(x, shape);
}

Value GraphBuilder::slice(Value x, llvm::ArrayRef<int64_t> starts, llvm::ArrayRef<int64_t> limits,
                          llvm::ArrayRef<int64_t> strides) {
  if (!given({x})) return {};
  const Shape ones(rankOf(x), 1), zeros(rankOf(x), 0);
  if (strides.empty()) strides = ones;
  if (starts == llvm::ArrayRef(zeros) && limits == shapeOf(x) && strides == llvm::ArrayRef(ones)) return x;
  return emit<tet::SliceOp>(x, starts, limits, strides);
}

Value GraphBuilder::sliceAxis(Value x, int64_t axis, int64_t start, int64_t limit, int64_t stride) {
  if (!given({x})) return {};
  Shape starts(rankOf(x), 0), limits(shapeOf(x)), strides(rankOf(x), 1);
  if (axis < 0 || axis >= rankOf(x)) return fail(invalidArgument("axis {} does not exist", axis));
  starts[axis] = start;
  limits[axis] = limit;
  strides[axis] = stride;
  return slice(x, starts, limits, strides);
}

Value GraphBuilder::concat(llvm::ArrayRef<Value> parts, int64_t axis) {
  if (!given(parts)) return {};
  if (parts.size() == 1) return parts.front();
  return emit<tet::ConcatenateOp>(parts, axis);
}

Value GraphBuilder::pad(Value x, Value value, llvm::ArrayRef<int64_t> low, llvm::ArrayRef<int64_t> high,
                        llvm::ArrayRef<int64_t> interior) {
  if (!given({x, value})) return {};
  const Shape zeros(rankOf(x), 0);
  if (interior.empty()) interior = zeros;
  if (low == llvm::ArrayRef(zeros) && high == low && interior == low) return x;
  return emit<tet::PadOp>(x, value, low, high, interior);
}

Value GraphBuilder::reverse(Value x, llvm::ArrayRef<int64_t> axes) {
  if (!given({x}) || axes.empty()) return x;
  return emit<tet::ReverseOp>(x, axes);
}

Value GraphBuilder::dynamicSlice(Value x, llvm::ArrayRef<Value> starts, llvm::ArrayRef<int64_t> sizes) {
  return given({x}) && given(starts) ? emit<tet::DynamicSliceOp>(x, starts, sizes) : Value();
}

Value GraphBuilder::dynamicUpdateSlice(Value x, Value update, llvm::ArrayRef<Value> starts) {
  return given({x, update}) && given(starts) ? emit<tet::DynamicUpdateSliceOp>(x, update, starts) : Value();
}

}  // namespace tetrarch
