#include "tetrarch/compile/quantize/unit.h"

#include <algorithm>
#include <cmath>

#include "llvm/ADT/SetVector.h"
#include "tetrarch/compile/rewrite/rules.h"
#include "tetrarch/graph/constants.h"
#include "tetrarch/graph/interpreter.h"
#include "tetrarch/graph/quantized.h"
#include "tetrarch/graph/types.h"

namespace tetrarch::compile {
namespace {

using namespace tet;  // the ops
using mlir::Operation;
using mlir::OpOperand;

constexpr int64_t kMostProducts = int64_t{1}
                                  << 16;  // of two 8-bit numbers, in 31 bits with a margin for the bias
constexpr size_t kMostTableOps = 64;

bool isF32(Value value) { return tensorType(value).getElementType().isF32(); }

// The other operand of a commutative op with one splat constant, and that constant.
std::optional<std::pair<OpOperand*, double>> withSplat(Operation* op) {
  for (unsigned i : {1u, 0u}) {
    if (auto number = splatNumber(op->getOperand(i))) return std::pair{&op->getOpOperand(1 - i), *number};
  }
  return std::nullopt;
}

// What an op multiplies or divides by a number, if nothing else reads that.
struct Scaled {
  Operation* op;
  double factor = 1;
};
Scaled peelFactor(Operation* op) {
  if (!llvm::isa_and_nonnull<MultiplyOp, DivideOp>(op)) return {op};
  auto number = splatNumber(op->getOperand(1));
  if (!number || *number == 0 || !op->getOperand(0).hasOneUse()) return {op};
  return {op->getOperand(0).getDefiningOp(), llvm::isa<MultiplyOp>(op) ? *number : 1 / *number};
}

struct Peeled {
  Value value;
  std::optional<double> low, high;
};

void narrow(Peeled& peeled, std::optional<double> low, std::optional<double> high) {
  // What lies below is limited first, so the outer limits bound it.
  auto bound = [&](double x) {
    return std::clamp(x, peeled.low.value_or(-INFINITY), peeled.high.value_or(INFINITY));
  };
  if (low) peeled.low = bound(*low);
  if (high) peeled.high = bound(*high);
}

// maximum, minimum and clamp with constants.
Peeled peelLimits(Value value) {
  Peeled peeled{value, {}, {}};
  while (Operation* op = peeled.value.getDefiningOp()) {
    if (peeled.value != value && !peeled.value.hasOneUse()) break;
    if (auto clamp = llvm::dyn_cast<ClampOp>(op)) {
      auto low = splatNumber(clamp.getMin()), high = splatNumber(clamp.getMax());
      if (!low || !high) break;
      narrow(peeled, low, high);
      peeled.value = clamp.getOperand();
    } else if (llvm::isa<MaximumOp, MinimumOp>(op)) {
      auto limited = withSplat(op);
      if (!limited) break;
      const bool is_low = llvm::isa<MaximumOp>(op);
      narrow(peeled, is_low ? std::optional(limited->second) : std::nullopt,
             is_low ? std::nullopt : std::optional(limited->second));
      peeled.value = limited->first->get();
    } else {
      break;
    }
  }
  return peeled;
}

// A contraction alone, times a positive number, plus a constant along its features.
std::optional<Unit> readBiased(Value value) {
  Operation* op = value.getDefiningOp();
  Value bias;
  if (auto sum = llvm::dyn_cast_or_null<AddOp>(op)) {
    if (!sum.getLhs().hasOneUse()) return std::nullopt;
    op = sum.getLhs().getDefiningOp();
    bias = sum.getRhs();
  }
  const Scaled product = peelFactor(op);
  op = product.op;
  if (!op || !isQuantisable(op) || !(product.factor > 0)) return std::nullopt;
  if (bias && numbersAlong(bias, featuresOf(op).result_dim).empty()) return std::nullopt;
  Unit unit{.kind = UnitKind::kContraction,
            .root = op,
            .operands = {&op->getOpOperand(0)},
            .factor = product.factor};
  if (!isKnown(op->getOperand(1))) unit.operands.push_back(&op->getOpOperand(1));
  unit.bias = bias;
  return unit;
}

// The same plus another tensor.
std::optional<Unit> readWithResidual(AddOp op) {
  for (unsigned i : {0u, 1u}) {
    OpOperand &sum = op->getOpOperand(i), &other = op->getOpOperand(1 - i);
    if (!sum.get().hasOneUse() || isKnown(other.get())) continue;
    auto unit = readBiased(sum.get());
    if (!unit) continue;
    unit->residual = &other;
    unit->operands.push_back(&other);
    return unit;
  }
  return std::nullopt;
}

// A statistic of rows that is spread over them again, as in layer norm: 8 bits are too few for it.
bool isRowStatistic(Value value) {
  auto broadcast = value.getDefiningOp<BroadcastInDimOp>();
  if (!broadcast) return false;
  Operation* op = broadcast.getOperand().getDefiningOp();
  while (op && op->hasTrait<Elementwise>()) op = op->getOperand(0).getDefiningOp();
  return llvm::isa_and_nonnull<ReduceOp>(op);
}

std::optional<Unit> readBinary(Operation* op) {
  if (!llvm::isa_and_nonnull<AddOp, SubtractOp, MultiplyOp>(op) || !isF32(op->getResult(0)))
    return std::nullopt;
  for (Value operand : op->getOperands()) {
    if (splatNumber(operand) || isKnown(operand)) return std::nullopt;
    if (!llvm::isa<AddOp>(op) && isRowStatistic(operand)) return std::nullopt;
  }
  const bool multiplies = llvm::isa<MultiplyOp>(op);
  Unit unit{.kind = multiplies ? UnitKind::kMultiply : UnitKind::kAdd, .root = op, .operands = {}};
  for (OpOperand& operand : op->getOpOperands()) unit.operands.push_back(&operand);
  if (unit.operands[0]->get() == unit.operands[1]->get()) return std::nullopt;  // a function of one tensor
  return unit;
}

std::optional<Unit> readSum(Value value) {
  const auto [op, factor] = peelFactor(value.getDefiningOp());
  if (!op || !(factor > 0) || !isF32(op->getResult(0))) return std::nullopt;
  auto reduce = llvm::dyn_cast<ReduceOp>(op);
  auto window = llvm::dyn_cast<ReduceWindowOp>(op);
  if (!(reduce && reduce.getKind() == ReductionKind::Add) &&
      !(window && window.getKind() == ReductionKind::Add))
    return std::nullopt;
  const int64_t results = std::max<int64_t>(1, tensorType(op->getResult(0)).getNumElements());
  const int64_t taps = reduce ? tensorType(reduce.getOperand()).getNumElements() / results
                              : llvm::product_of(window.getWindowDimensions());
  if (taps > kMostProducts) return std::nullopt;
  return Unit{.kind = UnitKind::kSum, .root = op, .operands = {&op->getOpOperand(0)}, .factor = factor};
}

std::optional<Unit> readMovement(Operation* op) {
  if (!op || !isF32(op->getResult(0))) return std::nullopt;
  Unit unit{.kind = UnitKind::kMovement, .root = op, .operands = {&op->getOpOperand(0)}};
  if (llvm::isa<ReshapeOp, TransposeOp, BroadcastInDimOp, SliceOp, ReverseOp>(op)) return unit;
  auto window = llvm::dyn_cast<ReduceWindowOp>(op);
  auto reduce = llvm::dyn_cast<ReduceOp>(op);
  if (window && window.getKind() == ReductionKind::Maximum) return unit;
  if (reduce && reduce.getKind() == ReductionKind::Maximum) return unit;
  if (auto pad = llvm::dyn_cast<PadOp>(op))
    return isSplat(pad.getPaddingValue(), 0) ? std::optional(unit) : std::nullopt;
  if (!llvm::isa<ConcatenateOp>(op)) return std::nullopt;
  unit.operands.clear();
  for (OpOperand& operand : op->getOpOperands()) unit.operands.push_back(&operand);
  return unit;
}

//===-- Tables
//-------------------------------------------------------------------------------------------------===//

// The elementwise ops behind a value, down to where they read something else.
class Cone {
 public:
  explicit Cone(Value value) : value_(value) { visit(value); }

  // The value of which all of this is a function, as far away as possible; null when there is none.
  Value source() const {
    if (ops_.size() > kMostTableOps) return {};
    for (Value candidate : candidates_) {
      if (candidate == value_ || tensorType(candidate).getShape() != tensorType(value_).getShape()) continue;
      if (isF32(candidate) && dependsOnlyOn(candidate)) return candidate;
    }
    return {};
  }

  llvm::SmallVector<OpOperand*> usesOf(Value source) const {
    llvm::SmallVector<OpOperand*> uses;
    llvm::SmallDenseSet<Value> seen;
    collectUses(value_, source, seen, uses);
    return uses;
  }

 private:
  static bool isLeaf(Value value) {
    Operation* op = value.getDefiningOp();
    if (!op || !op->hasTrait<Elementwise>() || readBiased(value)) return true;
    return llvm::any_of(op->getOperands(), [](Value v) { return isKnown(v) && !splatNumber(v); });
  }

  // Leaves come first among the candidates, then ops in the order in which they compute.
  void visit(Value value) {
    if (splatNumber(value) || !seen_.insert(value).second || ops_.size() > kMostTableOps) return;
    if (!isLeaf(value)) {
      for (Value operand : value.getDefiningOp()->getOperands()) visit(operand);
      ops_.push_back(value.getDefiningOp());
    }
    candidates_.push_back(value);
  }

  bool dependsOnlyOn(Value source) const {
    llvm::SmallVector<Value> stack = {value_};
    llvm::SmallDenseSet<Value> seen;
    while (!stack.empty()) {
      Value value = stack.pop_back_val();
      if (value == source || splatNumber(value) || !seen.insert(value).second) continue;
      if (isLeaf(value)) return false;
      llvm::append_range(stack, value.getDefiningOp()->getOperands());
    }
    return true;
  }

  static void collectUses(Value value, Value source, llvm::SmallDenseSet<Value>& seen,
                          llvm::SmallVector<OpOperand*>& uses) {
    if (!seen.insert(value).second) return;
    for (OpOperand& operand : value.getDefiningOp()->getOpOperands()) {
      if (operand.get() == source) {
        uses.push_back(&operand);
      } else if (!splatNumber(operand.get())) {
        collectUses(operand.get(), source, seen, uses);
      }
    }
  }

  Value value_;
  llvm::SmallVector<Operation*> ops_;
  llvm::SmallVector<Value> candidates_;
  llvm::SmallDenseSet<Value> seen_;
};

std::optional<Unit> readTable(Value value) {
  Operation* op = value.getDefiningOp();
  if (!op || !op->hasTrait<Elementwise>() || !isF32(value)) return std::nullopt;
  const Cone cone(value);
  Value source = cone.source();
  if (!source) return std::nullopt;
  return Unit{.kind = UnitKind::kTable, .root = op, .operands = cone.usesOf(source)};
}

}  // namespace

bool isContraction(Operation* op) { return llvm::isa<ConvolutionOp, DotGeneralOp>(op); }

bool isQuantisable(Operation* op) {
  if (!isContraction(op) || !isF32(op->getResult(0)) || !isF32(op->getOperand(0)) ||
      !isF32(op->getOperand(1)))
    return false;
  const int64_t rhs = tensorType(op->getOperand(1)).getNumElements();
  const Features features = featuresOf(op);
  int64_t products = rhs;
  if (features.rhs_dim >= 0)
    products /= std::max<int64_t>(1, shapeOfValue(op->getOperand(1))[features.rhs_dim]);
  if (auto dot = llvm::dyn_cast<DotGeneralOp>(op)) {
    for (int64_t dim : dot.getRhsBatchingDimensions())
      products /= std::max<int64_t>(1, shapeOfValue(dot.getRhs())[dim]);
  }
  return products <= kMostProducts && tensorType(op->getResult(0)).getNumElements() > 0;
}

Features featuresOf(Operation* op) {
  if (auto convolution = llvm::dyn_cast<ConvolutionOp>(op)) {
    return {static_cast<int64_t>(convolution.getOutputFeatureDimension()),
            static_cast<int64_t>(convolution.getKernelOutputFeatureDimension())};
  }
  auto dot = llvm::cast<DotGeneralOp>(op);
  Features features;
  for (int64_t dim = 0; dim < tensorType(dot.getRhs()).getRank(); ++dim) {
    if (llvm::is_contained(dot.getRhsBatchingDimensions(), dim)) continue;
    if (llvm::is_contained(dot.getRhsContractingDimensions(), dim)) continue;
    features = {tensorType(dot.getResult()).getRank() - 1, dim};
  }
  return features;
}

CompositeOp definingComposite(Value value, llvm::StringRef name) {
  auto composite = value.getDefiningOp<CompositeOp>();
  return composite && composite.getName() == name ? composite : CompositeOp();
}

bool isKnown(Value value) {
  Operation* op = value.getDefiningOp();
  if (!op || llvm::isa<ConstantOp>(op)) return op != nullptr;
  const bool passes = llvm::isa<ReshapeOp, TransposeOp>(op) || definingComposite(value, kDequantize);
  return passes && llvm::all_of(op->getOperands(), isKnown);
}

std::optional<Tensor> constantOf(Value value) {
  Operation* op = value.getDefiningOp();
  if (!op) return std::nullopt;
  if (llvm::isa<ConstantOp>(op)) {
    auto tensor = tensorOf(value);
    return tensor ? std::optional(*tensor) : std::nullopt;
  }
  if (!isKnown(value)) return std::nullopt;
  std::vector<Tensor> operands;
  for (Value operand : op->getOperands()) {
    auto tensor = constantOf(operand);
    if (!tensor) return std::nullopt;
    operands.push_back(*std::move(tensor));
  }
  auto results = evaluate(op, std::move(operands));
  return results ? std::optional(results->front()) : std::nullopt;
}

namespace {

// The numbers of a tensor that differ along `dim` alone: small broadcasts are computed when importing.
std::vector<double> numbersOfSpread(const Tensor& tensor, int64_t dim) {
  const int64_t extent = tensor.shape()[dim];
  int64_t inner = 1;
  for (size_t d = dim + 1; d < tensor.shape().size(); ++d) inner *= tensor.shape()[d];
  std::vector<double> numbers;
  for (int64_t i = 0; i < extent; ++i) numbers.push_back(tensor.getDouble(i * inner));
  for (int64_t i = 0; i < tensor.count(); ++i) {
    if (tensor.getDouble(i) != numbers[i / inner % extent]) return {};
  }
  return numbers;
}

}  // namespace

std::vector<double> numbersAlong(Value value, int64_t dim) {
  llvm::ArrayRef<int64_t> dims;
  Value constant = value;
  if (auto broadcast = value.getDefiningOp<BroadcastInDimOp>()) {
    constant = broadcast.getOperand();
    dims = broadcast.getBroadcastDimensions();
  } else if (auto number = splatNumber(value)) {
    return {*number};
  } else if (auto tensor = value.getDefiningOp<ConstantOp>() ? constantOf(value) : std::nullopt;
             tensor && dim >= 0 && dim < static_cast<int64_t>(tensor->shape().size())) {
    return numbersOfSpread(*tensor, dim);
  } else {
    return {};
  }
  // All dimensions of the constant but the one that runs along `dim` have one element.
  for (auto [from, to] : llvm::zip(shapeOfValue(constant), dims)) {
    if (from != 1 && to != dim) return {};
  }
  auto tensor = constantOf(constant);
  if (!tensor) return {};
  std::vector<double> numbers;
  for (int64_t i = 0; i < tensor->count(); ++i) numbers.push_back(tensor->getDouble(i));
  return numbers;
}

std::optional<Unit> readUnit(Value value) {
  if (!isF32(value)) return std::nullopt;
  const Peeled peeled = peelLimits(value);
  std::optional<Unit> unit;
  if (peeled.value == value || peeled.value.hasOneUse()) {
    Operation* op = peeled.value.getDefiningOp();
    unit = readBiased(peeled.value);
    if (auto sum = llvm::dyn_cast_or_null<AddOp>(op); sum && !unit) unit = readWithResidual(sum);
    if (!unit) unit = readSoftmax(peeled.value);
    if (!unit) unit = readNorm(peeled.value);
    if (!unit) unit = readBinary(op);
    // x * sigmoid(x) and the like are functions of one tensor.
    if (unit && (unit->kind == UnitKind::kAdd || unit->kind == UnitKind::kMultiply) &&
        Cone(peeled.value).source())
      return readTable(value);
    if (!unit) unit = readSum(peeled.value);
  }
  if (unit) {
    unit->low = peeled.low;
    unit->high = peeled.high;
    return unit;
  }
  unit = readMovement(value.getDefiningOp());
  return unit ? unit : readTable(value);
}

}  // namespace tetrarch::compile
