#include "tetrarch/compile/quantize/annotate.h"

#include <cmath>

#include "llvm/ADT/MapVector.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "tetrarch/compile/quantize/integer.h"
#include "tetrarch/compile/rewrite/rules.h"
#include "tetrarch/graph/constants.h"
#include "tetrarch/graph/quantized.h"
#include "tetrarch/graph/types.h"

namespace tetrarch::compile {
namespace {

using mlir::Operation;
using mlir::OpOperand;
using Builder = mlir::ImplicitLocOpBuilder;

// What is known of a value that is to be quantised.
struct Point {
  std::optional<Unit> unit;  // that makes it; none: floats do
  bool symmetric = false;
  Affine affine;
};

// The lowest number of a value that makes a difference to its readers: a sum with another operand is below
// what its range keeps from there on. The mask of an attention is so low that its range would leave nothing
// of the rest.
double usefulLow(Value value);

double usefulLow(OpOperand& use) {
  Operation* op = use.getOwner();
  if (llvm::isa<tet::ReshapeOp, tet::TransposeOp, tet::BroadcastInDimOp, tet::SliceOp>(op))
    return usefulLow(op->getResult(0));
  if (!llvm::isa<tet::AddOp>(op)) return -INFINITY;
  auto sum = rangeOf(op->getResult(0)), other = rangeOf(op->getOperand(1 - use.getOperandNumber()));
  return sum && other ? sum[0] - other[1] : -INFINITY;
}

double usefulLow(Value value) {
  double low = INFINITY;
  for (OpOperand& use : value.getUses()) low = std::min(low, usefulLow(use));
  return low;
}

class Inserter {
 public:
  explicit Inserter(mlir::Block& block)
      : block_(block), b_(block.getParent()->getLoc(), block.getParent()->getContext()) {}

  void run() {
    for (Operation& op : block_) {
      if (isQuantisable(&op)) demandOperands(&op);
    }
    // Before any use is replaced.
    for (auto& [value, point] : points_) point.affine = affineOf(value);
    for (auto& [value, point] : points_) insert(value, point);
    for (Operation* op : contractions_) quantiseWeights(op);
  }

 private:
  bool canQuantise(Value value) const {
    return tensorType(value).getElementType().isF32() && rangeOf(value) && !isKnown(value) &&
           tensorType(value).getNumElements() > 0;
  }

  // A row's spread may be a small part of the tensor's range, so that 8 bits before a normalisation cost
  // much: not worth it where floats, as of an embedding, would be quantised for it.
  static bool isOfContraction(Value value) {
    auto unit = readUnit(value);
    return unit && unit->kind == UnitKind::kContraction;
  }

  void demandOperands(Operation* op) {
    const bool has_weights = isKnown(op->getOperand(1));
    if (!canQuantise(op->getOperand(0)) || (!has_weights && !canQuantise(op->getOperand(1)))) return;
    contractions_.push_back(op);
    demand(op->getOpOperand(0), !has_weights);
    if (!has_weights) demand(op->getOpOperand(1), true);
  }

  // The use is to read a quantised value: so are those of which a unit makes it.
  void demand(OpOperand& use, bool symmetric) {
    uses_.insert(&use);
    auto [it, is_new] = points_.try_emplace(use.get());
    if (symmetric && !it->second.symmetric) {
      it->second.symmetric = true;
      if (!is_new) passOn(it->second);
    }
    if (!is_new) return;
    auto unit = readUnit(use.get());
    const bool possible =
        unit && llvm::all_of(unit->operands, [&](OpOperand* o) { return canQuantise(o->get()); });
    if (!possible || (unit->kind == UnitKind::kNorm && !isOfContraction(unit->operands[0]->get()))) return;
    it->second.unit = unit;
    for (OpOperand* operand : unit->operands) demand(*operand, moves(*unit) && symmetric);
  }
  static bool moves(const Unit& unit) {
    return unit.kind == UnitKind::kMovement && unit.operands.size() == 1;
  }
  void passOn(const Point& point) {
    if (!point.unit || !moves(*point.unit)) return;
    Point& source = points_[point.unit->operands[0]->get()];
    if (std::exchange(source.symmetric, true)) return;
    passOn(source);
  }

  // Movement takes over its operand's scale.
  Affine affineOf(Value value) {
    const Point& point = points_[value];
    if (point.unit && moves(*point.unit)) return affineOf(point.unit->operands[0]->get());
    auto range = rangeOf(value).asArrayRef();
    return affineFor(std::max(range[0], std::min(usefulLow(value), range[1])), range[1], point.symmetric);
  }

  void insert(Value value, const Point& point) {
    const Affine& affine = point.affine;
    b_.setInsertionPointAfterValue(value);
    b_.setLoc(value.getLoc());
    auto scalar = [&](ElementType type, double number) -> Value {
      const double numbers[] = {number};
      return tet::makeConstant(b_, b_.getLoc(), Tensor::of<double>(type, {}, numbers));
    };
    Value scale = scalar(ElementType::F32, affine.scale);
    Value zero = scalar(ElementType::I8, static_cast<double>(affine.zero_point));
    Value q = tet::quantize(b_, value, scale, zero, 0);
    Value real = tet::dequantize(b_, q, scale, zero, 0);
    // Of what floats make, other readers keep the float.
    value.replaceUsesWithIf(real, [&](OpOperand& use) {
      return use.getOwner() != q.getDefiningOp() && (point.unit || uses_.contains(&use));
    });
  }

  void quantiseWeights(Operation* op) {
    Value weights = op->getOperand(1);
    auto tensor = weights.getDefiningOp<tet::ConstantOp>() ? constantOf(weights) : std::nullopt;
    if (!tensor) return;
    Value& made = weights_[{weights, featuresOf(op).rhs_dim}];
    b_.setInsertionPointAfterValue(weights);
    b_.setLoc(weights.getLoc());
    if (!made) made = dequantised(*tensor, featuresOf(op).rhs_dim);
    op->setOperand(1, made);
  }

  // The weights as bytes with one scale for each index of `dim`, or for all.
  Value dequantised(const Tensor& weights, int64_t dim) {
    const int64_t features = dim < 0 ? 1 : weights.shape()[dim];
    int64_t inner = 1;
    for (int64_t d = dim + 1; dim >= 0 && d < weights.rank(); ++d) inner *= weights.shape()[d];
    auto feature = [&](int64_t i) { return i / inner % features; };
    std::vector<double> scales(features, 0);
    for (int64_t i = 0; i < weights.count(); ++i) {
      double& scale = scales[feature(i)];
      scale = std::max(scale, std::fabs(weights.getDouble(i)) / 127);
    }
    for (double& scale : scales) scale = scale > 1e-30 ? static_cast<double>(static_cast<float>(scale)) : 1;
    Tensor bytes = Tensor::create(ElementType::I8, weights.shape()).value();
    for (int64_t i = 0; i < weights.count(); ++i) {
      const double level = std::nearbyint(weights.getDouble(i) / scales[feature(i)]);
      bytes.setInt(i, static_cast<int64_t>(std::clamp(level, -127.0, 127.0)));
    }
    const Shape shape = dim < 0 ? Shape() : Shape{features};
    const std::vector<int64_t> zeros(features, 0);
    return tet::dequantize(
        b_, tet::makeConstant(b_, b_.getLoc(), bytes, "weights"),
        tet::makeConstant(b_, b_.getLoc(), Tensor::of<double>(ElementType::F32, shape, scales)),
        tet::makeConstant(b_, b_.getLoc(), Tensor::of<int64_t>(ElementType::I8, shape, zeros)),
        std::max<int64_t>(dim, 0));
  }

  mlir::Block& block_;
  Builder b_;
  llvm::MapVector<Value, Point> points_;
  llvm::DenseSet<OpOperand*> uses_;
  std::vector<Operation*> contractions_;
  llvm::DenseMap<std::pair<Value, int64_t>, Value> weights_;
};

mlir::func::FuncOp functionOf(Value argument) {
  return llvm::dyn_cast<mlir::func::FuncOp>(
      llvm::cast<mlir::BlockArgument>(argument).getOwner()->getParentOp());
}

}  // namespace

Affine affineFor(double low, double high, bool symmetric) {
  low = std::min(low, 0.0);
  high = std::max(high, 0.0);
  // A tensor of zeros, or of numbers whose scale f32 cannot hold, has any scale.
  const double widest = std::max(-low, high);
  if (!(widest > 1e-30)) return {1, 0};
  if (symmetric) return {static_cast<double>(static_cast<float>(widest / 127)), 0};
  const double scale = static_cast<double>(static_cast<float>((high - low) / 255));
  return {scale, static_cast<int64_t>(std::clamp(std::nearbyint(-128 - low / scale), -128.0, 127.0))};
}

void setRange(Value value, double low, double high) {
  auto range = mlir::DenseF64ArrayAttr::get(value.getContext(), {low, high});
  if (Operation* op = value.getDefiningOp()) {
    op->setAttr(kRange, range);
  } else if (auto function = functionOf(value)) {
    function.setArgAttr(llvm::cast<mlir::BlockArgument>(value).getArgNumber(), kRange, range);
  }
}

mlir::DenseF64ArrayAttr rangeOf(Value value) {
  if (Operation* op = value.getDefiningOp())
    return op->getNumResults() == 1 ? op->getAttrOfType<mlir::DenseF64ArrayAttr>(kRange) : nullptr;
  auto function = functionOf(value);
  const unsigned number = llvm::cast<mlir::BlockArgument>(value).getArgNumber();
  return function ? function.getArgAttrOfType<mlir::DenseF64ArrayAttr>(number, kRange) : nullptr;
}

void eraseRanges(mlir::Block& block) {
  for (Operation& op : block) op.removeAttr(kRange);
  if (auto function = llvm::dyn_cast<mlir::func::FuncOp>(block.getParentOp())) {
    for (unsigned i = 0; i < function.getNumArguments(); ++i) function.removeArgAttr(i, kRange);
  }
}

void insertQuantization(mlir::Block& block) { Inserter(block).run(); }

}  // namespace tetrarch::compile
