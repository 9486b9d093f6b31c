#include "tetrarch/compile/lower/lowering.h"

#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/TypeSwitch.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Transforms/RegionUtils.h"
#include "tetrarch/compile/lower/lower_op.h"
#include "tetrarch/graph/types.h"

namespace tetrarch::compile {
namespace {

using mlir::AffineMap;
using mlir::Operation;
using mlir::Value;

using LowerOp = mlir::LogicalResult (*)(Lowering&, Operation*);

template <typename Op, mlir::LogicalResult (*lower)(Lowering&, Op)>
mlir::LogicalResult lowerAs(Lowering& lowering, Operation* op) {
  return lower(lowering, llvm::cast<Op>(op));
}

LowerOp findLowering(Operation* op) {
  static const llvm::StringMap<LowerOp> rows = {
#define LOWERING(op, function) {tet::op::getOperationName(), lowerAs<tet::op, function>},
#include "tetrarch/compile/lower/lowerings.def"
#undef LOWERING
  };
  return rows.lookup(op->getName().getStringRef());
}

// Arithmetic that reading one element at a computed place is worth.
constexpr int64_t kIndexedRead = 4;

// Arithmetic that an element of an op costs; moving data costs nothing, nor does counting.
int64_t flopsPerElement(Operation* op) {
  if (readsByIndex(op)) return kIndexedRead;
  if (!hasPayload(op) || isCounting(op)) return 0;
  const int64_t elements = std::max<int64_t>(typeOf(op->getResult(0)).getNumElements(), 1);
  return llvm::cast<tet::CostOpInterface>(op).getFlops() / elements;
}

// What it may cost to compute an element a second time rather than keep it; more than kMuch is not counted,
// since what is read twice counts twice, and in long chains that doubles and doubles.
constexpr int64_t kCheapToRepeat = 3, kMuch = 1 << 20;

}  // namespace

mlir::LogicalResult Lowering::lowerBlock(mlir::Block& block, Values& results) {
  planTensors(block);
  for (Operation& op : block.without_terminator()) {
    if (op.getNumResults() > 0 && isInlined(op.getResult(0))) {
      if (kept_.contains(op.getResult(0))) leaf(op.getResult(0));
      continue;
    }
    LowerOp lower = findLowering(&op);
    if (!lower) return op.emitOpError("has no lowering to a task; use ops of the tet dialect");
    b.setLoc(op.getLoc());
    if (mlir::failed(lower(*this, &op))) return mlir::failure();
  }
  // Results of one shape that are still chains are computed side by side, in one loop.
  llvm::SmallVector<Values> groups;
  for (Value value : block.getTerminator()->getOperands()) {
    if (leaves_.contains(value) ||
        llvm::any_of(groups, [&](Values& g) { return llvm::is_contained(g, value); }))
      continue;
    auto same_shape = [&](Values& group) { return shapeOf(group.front()) == shapeOf(value); };
    auto group = llvm::find_if(groups, same_shape);
    if (group == groups.end()) {
      groups.push_back({value});
    } else {
      group->push_back(value);
    }
  }
  for (Values& group : groups) materialize(group);
  for (Value value : block.getTerminator()->getOperands()) {
    Value result = tensor(value);
    // A slice is a way to read something else, not yet a tensor of its own.
    const bool is_view = result.getDefiningOp<mlir::tensor::ExtractSliceOp>() != nullptr;
    results.push_back(is_view ? ownTensor(value) : result);
  }
  return mlir::success();
}

bool Lowering::isInlined(Value value) const {
  Operation* op = value.getDefiningOp();
  if (!op || leaves_.contains(value)) return false;
  if (hasPayload(op) || llvm::isa<tet::IotaOp>(op) || readsByIndex(op)) return true;
  if (llvm::isa<tet::ConstantOp>(op)) return splatOf(value) != nullptr;
  return operandMap(op, AffineMap::getMultiDimIdentityMap(typeOf(value).getRank(), b.getContext()))
      .has_value();
}

// Decides which inlined values get a tensor: those that two loops would compute at more than kCheapToRepeat,
// and those that a broadcast would repeat.
void Lowering::planTensors(mlir::Block& block) {
  llvm::DenseMap<Value, int64_t> cost;
  for (Operation& op : block.without_terminator()) {
    if (op.getNumResults() != 1 || !isInlined(op.getResult(0))) continue;
    int64_t sum = flopsPerElement(&op);
    for (Value operand : op.getOperands()) {
      const bool grows = typeOf(operand).getNumElements() < typeOf(op.getResult(0)).getNumElements();
      if (grows && cost.lookup(operand) > 0) kept_.insert(operand);
      sum += kept_.contains(operand) ? 0 : cost.lookup(operand);
    }
    cost[op.getResult(0)] = std::min(sum, kMuch);
  }
  // The loops that read a value, directly or through inlined users; a kept value is a loop of its own.
  llvm::DenseMap<Value, llvm::SmallDenseSet<Operation*, 2>> loops;
  for (Operation& op : llvm::reverse(block.getOperations())) {
    for (Value operand : op.getOperands()) {
      if (!cost.contains(operand)) continue;
      const bool passes =
          op.getNumResults() == 1 && cost.contains(op.getResult(0)) && !kept_.contains(op.getResult(0));
      if (passes) {
        auto through = loops[op.getResult(0)];
        loops[operand].insert(through.begin(), through.end());
      } else {
        loops[operand].insert(&op);
      }
    }
    if (op.getNumResults() == 1 && loops[op.getResult(0)].size() > 1 &&
        cost.lookup(op.getResult(0)) > kCheapToRepeat) {
      kept_.insert(op.getResult(0));
    }
  }
}

Leaf Lowering::leaf(Value value) {
  auto found = leaves_.find(value);
  if (found == leaves_.end()) {
    materialize(value);
    found = leaves_.find(value);
  }
  return found->second;
}

Value Lowering::tensor(Value value) {
  Leaf known = leaf(value);
  if (!known.sum) return known.tensor;
  materialize(value);
  return leaves_[value].tensor;
}

void Lowering::materialize(llvm::ArrayRef<Value> values) {
  b.setLoc(values.back().getLoc());
  Values tensors = computeSideBySide(values);
  for (auto [value, tensor] : llvm::zip(values, tensors)) bind(value, tensor);
}

// One parallel loop that computes values of one shape. A sum that was not rounded yet is rounded here.
Values Lowering::computeSideBySide(llvm::ArrayRef<Value> values) {
  auto shape = shapeOf(values.front());
  AffineMap identity = AffineMap::getMultiDimIdentityMap(shape.size(), b.getContext());
  GenericBuilder generic(*this, shape, shape.size());
  Values stored;
  for (Value value : values) {
    stored.push_back(generic.moved(value, identity));
    if (!stored.back())
      stored.back() = storeScalar(generic.body(), generic.root(value, identity), elementOf(value));
  }
  for (Value value : values) {
    generic.output(emptyTensor(b, shape, tet::storageElementType(elementOf(value))), identity);
  }
  return generic.finish(stored);
}

Values Lowering::ownTensors(llvm::ArrayRef<Value> values) {
  b.setLoc(values.back().getLoc());
  return computeSideBySide(values);
}

void Lowering::collectArithmetic(Value value, llvm::DenseSet<Operation*>& found) const {
  llvm::SmallVector<Value> open = {value};
  llvm::DenseSet<Operation*> seen;
  while (!open.empty()) {
    Value next = open.pop_back_val();
    Operation* op = next.getDefiningOp();
    if (!isInlined(next) || !seen.insert(op).second || isCounting(op)) continue;
    if (hasPayload(op)) found.insert(op);
    llvm::append_range(open, op->getOperands());
  }
}

bool Lowering::shareArithmetic(Value a, Value b) const {
  llvm::DenseSet<Operation*> of_a, of_b;
  collectArithmetic(a, of_a);
  collectArithmetic(b, of_b);
  return llvm::any_of(of_b, [&](Operation* op) { return of_a.contains(op); });
}

Access Lowering::read(Value value, AffineMap map) {
  while (!leaves_.contains(value)) {
    Operation* op = value.getDefiningOp();
    auto inner = op && isInlined(value) && !kept_.contains(value) ? operandMap(op, map) : std::nullopt;
    if (!inner) break;
    map = *inner;
    value = op->getOperand(0);
  }
  Leaf known = leaf(value);
  return {known.tensor, map, known.sum};
}

Value Lowering::scalar(Value value) {
  if (mlir::Attribute splat = splatOf(value)) return scalarConstant(b, splat, elementOf(value));
  Value stored = mlir::tensor::ExtractOp::create(b, tensor(value), mlir::ValueRange{});
  return loadScalar(b, stored, elementOf(value));
}

void Lowering::materializeCaptures(Operation* op) {
  llvm::SetVector<Value> captures;
  mlir::getUsedValuesDefinedAbove(op->getRegions(), captures);
  for (Value value : captures) {
    if (!splatOf(value)) tensor(value);
  }
}

}  // namespace tetrarch::compile
