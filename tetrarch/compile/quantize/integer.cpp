#include "tetrarch/compile/quantize/integer.h"

#include <cmath>

#include "llvm/ADT/DenseMap.h"
#include "mlir/IR/IRMapping.h"
#include "tetrarch/compile/composite_tag.h"
#include "tetrarch/compile/rewrite/rules.h"
#include "tetrarch/graph/constants.h"
#include "tetrarch/graph/interpreter.h"
#include "tetrarch/graph/quantized.h"
#include "tetrarch/graph/types.h"

namespace tetrarch::compile {
namespace {

using namespace tet;  // the ops
using mlir::Operation;
using Builder = mlir::ImplicitLocOpBuilder;
using Numbers = std::vector<double>;

constexpr int kMostOtherShift = 31;  // of a second operand

// Constant weights as i8, symmetric: one scale for all or one an output feature.
struct Weights {
  Value q;
  Numbers scales;
  std::vector<int64_t> sums;  // of each output feature
};

// An i32 sum of products: real number = (acc - offset) * scale, one of each an output feature or one for all.
struct Sum {
  Value acc;
  Numbers scales;
  std::vector<int64_t> offsets;
  int64_t axis = -1;
};

// x - 128 of an unsigned byte as a signed one, and back: the same number with another zero point.
Value flipSign(Builder& b, Value q, mlir::Type element, int64_t offset) {
  Value wide = ConvertOp::create(b, q, b.getI32Type());
  Value moved = AddOp::create(b, wide, makeSplat(b, b.getLoc(), tensorType(wide), offset));
  return ConvertOp::create(b, moved, element);
}

Value scaleOf(Builder& b, const Numbers& scales) {
  const bool is_scalar = llvm::all_equal(scales);
  Shape shape;
  if (!is_scalar) shape.push_back(scales.size());
  std::span<const double> values(scales.data(), is_scalar ? 1 : scales.size());
  return makeConstant(b, b.getLoc(), Tensor::of<double>(ElementType::F32, shape, values));
}

// Factors of a requantisation; nullopt when one is out of range.
struct Factors {
  std::vector<int64_t> multipliers, shifts;
};
std::optional<Factors> fixedFactors(const Numbers& factors, int most_shift = kMostShift) {
  Factors fixed;
  for (double factor : factors) {
    if (!(factor > 0) || !(factor < std::ldexp(1, 13))) return std::nullopt;
    const FixedPoint point = fixedPoint(factor, most_shift);
    fixed.multipliers.push_back(point.multiplier);
    fixed.shifts.push_back(point.shift);
  }
  return fixed;
}

int64_t clampToByte(double x) { return static_cast<int64_t>(std::clamp(std::nearbyint(x), -128.0, 127.0)); }

template <typename T>
T at(const std::vector<T>& values, size_t i) {
  return values[values.size() == 1 ? 0 : i];
}

class Converter {
 public:
  explicit Converter(mlir::Block& block)
      : block_(block), b_(block.getParent()->getLoc(), block.getParent()->getContext()) {}

  void run() {
    for (TransposeOp op : llvm::to_vector(block_.getOps<TransposeOp>())) transposeWeights(op);
    for (CompositeOp op : llvm::to_vector(block_.getOps<CompositeOp>())) {
      if (op.getName() == kQuantize) convertQuantize(op);
    }
    eraseUnused();
    llvm::SmallVector<Operation*> contractions;
    for (Operation& op : block_) {
      if (isContraction(&op)) contractions.push_back(&op);
    }
    for (Operation* op : contractions) convertContraction(op);
    eraseUnused();
  }

 private:
  //-- Operands

  // The result of a composite as numbers: nullopt when its parameters are not one constant each.
  static std::optional<Affine> parametersOf(CompositeOp op) {
    auto scale = constantOf(op.getInputs()[1]), zero = constantOf(op.getInputs()[2]);
    if (!scale || !zero || scale->count() != 1 || zero->count() != 1) return std::nullopt;
    const double number = scale->getDouble(0);
    if (!(number > 0) || !std::isfinite(number)) return std::nullopt;
    return Affine{number, zero->getInt(0)};
  }

  // The byte tensor as i8: itself, or with its zero point moved by 128.
  std::optional<Quantised> toSigned(Value q, Affine affine) {
    mlir::Type element = tensorType(q).getElementType();
    if (element.isInteger(8) && !element.isUnsignedInteger()) return Quantised{q, affine};
    if (!element.isUnsignedInteger(8)) return std::nullopt;
    Value& made = signed_[q];
    if (!made) {
      mlir::OpBuilder::InsertionGuard guard(b_);
      b_.setInsertionPointAfterValue(q);
      if (auto quantizes = definingComposite(q, kQuantize)) {
        auto [scale, zero] = *parametersOf(quantizes);
        Value moved = vectorOf(b_, ElementType::I8, {zero - 128});
        made = quantize(b_, quantizes.getInputs()[0], quantizes.getInputs()[1], moved, 0);
      } else {
        made = flipSign(b_, q, b_.getI8Type(), -128);
      }
    }
    return Quantised{made, {affine.scale, affine.zero_point - 128}};
  }

  // transpose(dequantize(weights)) = dequantize(transpose(weights)), so that what reads it finds the
  // integers.
  void transposeWeights(TransposeOp op) {
    auto composite = definingComposite(op.getOperand(), kDequantize);
    if (!composite || !isKnown(composite.getInputs()[0])) return;
    b_.setInsertionPoint(op);
    b_.setLoc(op.getLoc());
    const int64_t axis = composite.getCompositeAttributes().getAs<mlir::IntegerAttr>(kAxis).getInt();
    const int64_t moved = llvm::find(op.getPermutation(), axis) - op.getPermutation().begin();
    Value q = TransposeOp::create(b_, composite.getInputs()[0], op.getPermutation());
    op.replaceAllUsesWith(dequantize(b_, q, composite.getInputs()[1], composite.getInputs()[2], moved));
  }

  // The i8 tensor behind a dequantised value.
  std::optional<Quantised> quantised(Value value) {
    auto composite = definingComposite(value, kDequantize);
    auto affine = composite ? parametersOf(composite) : std::nullopt;
    return affine ? toSigned(composite.getInputs()[0], *affine) : std::nullopt;
  }

  std::optional<Weights> weightsOf(Value value, int64_t feature_dim) {
    auto composite = definingComposite(value, kDequantize);
    if (!composite) return std::nullopt;
    auto q = constantOf(composite.getInputs()[0]), scale = constantOf(composite.getInputs()[1]),
         zero = constantOf(composite.getInputs()[2]);
    if (!q || !scale || !zero || byteSize(q->type()) != 1) return std::nullopt;
    const int64_t axis = composite.getCompositeAttributes().getAs<mlir::IntegerAttr>(kAxis).getInt();
    if (scale->count() != 1 && axis != feature_dim) return std::nullopt;
    const int64_t middle = q->type() == ElementType::U8 ? 128 : 0;
    for (int64_t i = 0; i < zero->count(); ++i) {
      if (zero->getInt(i) != middle) return std::nullopt;
    }
    Weights weights;
    for (int64_t i = 0; i < scale->count(); ++i) weights.scales.push_back(scale->getDouble(i));
    if (!llvm::all_of(weights.scales, [](double s) { return s > 0 && std::isfinite(s); }))
      return std::nullopt;
    Tensor centred = middle == 0 ? *q : Tensor::create(ElementType::I8, q->shape()).value();
    for (int64_t i = 0; middle != 0 && i < q->count(); ++i) centred.setInt(i, q->getInt(i) - middle);
    weights.sums = sumsAlong(centred, feature_dim);
    weights.q = middle == 0 ? composite.getInputs()[0] : Value();
    if (!weights.q || !isConstant(weights.q)) weights.q = makeConstant(b_, b_.getLoc(), centred, "weights");
    return weights;
  }

  static std::vector<int64_t> sumsAlong(const Tensor& weights, int64_t dim) {
    if (dim < 0) return {sumOf(weights)};
    const int64_t features = weights.shape()[dim];
    int64_t inner = 1;
    for (int64_t d = dim + 1; d < weights.rank(); ++d) inner *= weights.shape()[d];
    std::vector<int64_t> sums(features, 0);
    for (int64_t i = 0; i < weights.count(); ++i) sums[i / inner % features] += weights.getInt(i);
    return sums;
  }
  static int64_t sumOf(const Tensor& tensor) {
    int64_t sum = 0;
    for (int64_t i = 0; i < tensor.count(); ++i) sum += tensor.getInt(i);
    return sum;
  }

  //-- Contractions

  // A padded place stands for the real number 0, which is the zero point.
  Value padded(ConvolutionOp op, const Quantised& x) {
    const int64_t rank = tensorType(x.q).getRank();
    llvm::SmallVector<int64_t> low(rank, 0), high(rank, 0), interior(rank, 0);
    bool any = false;
    for (auto [i, dim] : llvm::enumerate(op.getInputSpatialDimensions())) {
      low[dim] = op.getPadding()[2 * i];
      high[dim] = op.getPadding()[2 * i + 1];
      interior[dim] = op.getLhsDilation()[i] - 1;
      any |= low[dim] != 0 || high[dim] != 0 || interior[dim] != 0;
    }
    if (!any || x.affine.zero_point == 0) return {};
    Value zero = vectorOf(b_, ElementType::I8, {x.affine.zero_point});
    return PadOp::create(b_, x.q, zero, low, high, interior);
  }

  Value convolve(ConvolutionOp op, const Quantised& x, Value weights) {
    Value with_padding = padded(op, x);
    mlir::IRMapping mapping;
    mapping.map(op.getLhs(), with_padding ? with_padding : x.q);
    mapping.map(op.getRhs(), weights);
    auto copy = llvm::cast<ConvolutionOp>(b_.clone(*op, mapping));
    if (with_padding) {
      const size_t spatial = op.getInputSpatialDimensions().size();
      copy.setPadding(llvm::SmallVector<int64_t>(2 * spatial, 0));
      copy.setLhsDilation(llvm::SmallVector<int64_t>(spatial, 1));
    }
    return copy;
  }

  std::optional<Sum> contract(Operation* op) {
    if (!isQuantisable(op)) return std::nullopt;
    auto x = quantised(op->getOperand(0));
    if (!x) return std::nullopt;
    const Features features = featuresOf(op);
    Sum sum{{}, {}, {}, features.result_dim};
    Value right;
    auto dot = llvm::dyn_cast<DotGeneralOp>(op);
    if (auto weights = weightsOf(op->getOperand(1), features.rhs_dim)) {
      // Weights that differ along batch dimensions have no one sum an output feature.
      if (x->affine.zero_point != 0 && dot && !dot.getRhsBatchingDimensions().empty()) return std::nullopt;
      if (features.rhs_dim < 0 && weights->scales.size() > 1) return std::nullopt;
      right = weights->q;
      for (double scale : weights->scales) sum.scales.push_back(scale * x->affine.scale);
      for (int64_t total : weights->sums) sum.offsets.push_back(total * x->affine.zero_point);
    } else {
      auto y = quantised(op->getOperand(1));
      if (!y || x->affine.zero_point != 0 || y->affine.zero_point != 0) return std::nullopt;
      right = y->q;
      sum.scales = {x->affine.scale * y->affine.scale};
      sum.offsets = {0};
    }
    if (auto convolution = llvm::dyn_cast<ConvolutionOp>(op)) {
      sum.acc = convolve(convolution, *x, right);
    } else {
      mlir::IRMapping mapping;
      mapping.map(dot.getLhs(), x->q);
      mapping.map(dot.getRhs(), right);
      sum.acc = b_.clone(*op, mapping)->getResult(0);
    }
    sum.acc.getDefiningOp()->setLoc(b_.getLoc());
    sum.acc.setType(tensorType(sum.acc).clone(b_.getI32Type()));
    return sum;
  }

  // What is added to the sum before it is scaled; nullopt when it leaves 31 bits.
  static std::optional<std::vector<int64_t>> biasOf(const Sum& sum, const Numbers& bias) {
    std::vector<int64_t> result;
    const size_t count = std::max({sum.scales.size(), sum.offsets.size(), bias.size()});
    for (size_t i = 0; i < count; ++i) {
      const double real = bias.empty() ? 0 : std::nearbyint(at(bias, i) / at(sum.scales, i));
      const double whole = real - static_cast<double>(at(sum.offsets, i));
      if (!(std::fabs(whole) < std::ldexp(1, 30))) return std::nullopt;
      result.push_back(static_cast<int64_t>(whole));
    }
    return result;
  }

  //-- Requantisation

  struct Target {
    Affine affine;
    std::optional<double> low, high;
  };

  static RequantizeOutput outputFor(const Target& target) {
    RequantizeOutput out{.zero_point = target.affine.zero_point};
    auto level = [&](double x) {
      return clampToByte(x / target.affine.scale + static_cast<double>(target.affine.zero_point));
    };
    if (target.low) out.low = level(*target.low);
    if (target.high) out.high = std::max(out.low, level(*target.high));
    return out;
  }

  // (acc + bias) * factors, plus `other`, as the target wants it.
  Value finish(Value acc, llvm::ArrayRef<int64_t> bias, Numbers factors, int64_t axis, const Target& target,
               const std::optional<RequantizeOther>& other = {}) {
    auto fixed = fixedFactors(factors);
    if (!fixed) return {};
    RequantizeInput in{.acc = acc, .axis = axis};
    if (llvm::any_of(bias, [](int64_t x) { return x != 0; })) in.bias = vectorOf(b_, ElementType::I32, bias);
    in.multiplier = vectorOf(b_, ElementType::I32, fixed->multipliers);
    in.shift = vectorOf(b_, ElementType::I32, fixed->shifts);
    return other ? requantizeAdd(b_, in, *other, outputFor(target)) : requantize(b_, in, outputFor(target));
  }

  std::optional<RequantizeOther> otherOf(Value value, double sign, const Affine& out) {
    auto y = quantised(value);
    if (!y) return std::nullopt;
    auto fixed = fixedFactors({y->affine.scale / out.scale}, kMostOtherShift);
    if (!fixed) return std::nullopt;
    const int64_t multiplier = sign < 0 ? -fixed->multipliers[0] : fixed->multipliers[0];
    return RequantizeOther{y->q, y->affine.zero_point, static_cast<int32_t>(multiplier),
                           static_cast<int32_t>(fixed->shifts[0])};
  }

  Value contraction(const Unit& unit, const Target& target) {
    auto sum = contract(unit.root);
    if (!sum) return {};
    for (double& scale : sum->scales) scale *= unit.factor;
    auto bias = biasOf(*sum, unit.bias ? numbersAlong(unit.bias, sum->axis) : Numbers());
    if (!bias) return {};
    Numbers factors;
    for (double scale : sum->scales) factors.push_back(scale / target.affine.scale);
    std::optional<RequantizeOther> other;
    if (unit.residual) {
      other = otherOf(unit.residual->get(), 1, target.affine);
      if (!other) return {};
    }
    return finish(sum->acc, *bias, factors, sum->axis, target, other);
  }

  Value widened(const Quantised& x) { return ConvertOp::create(b_, x.q, b_.getI32Type()); }
  Value centred(const Quantised& x) {
    Value wide = widened(x);
    if (x.affine.zero_point == 0) return wide;
    return SubtractOp::create(b_, wide, makeSplat(b_, b_.getLoc(), tensorType(wide), x.affine.zero_point));
  }

  Value add(const Unit& unit, const Target& target) {
    auto x = quantised(unit.operands[0]->get());
    auto other = otherOf(unit.operands[1]->get(), llvm::isa<SubtractOp>(unit.root) ? -1 : 1, target.affine);
    if (!x || !other) return {};
    return finish(widened(*x), {-x->affine.zero_point}, {x->affine.scale / target.affine.scale}, -1, target,
                  other);
  }

  Value multiply(const Unit& unit, const Target& target) {
    auto x = quantised(unit.operands[0]->get()), y = quantised(unit.operands[1]->get());
    if (!x || !y) return {};
    Value product = MultiplyOp::create(b_, centred(*x), centred(*y));
    return finish(product, {0}, {x->affine.scale * y->affine.scale / target.affine.scale}, -1, target);
  }

  Value sum(const Unit& unit, const Target& target) {
    auto x = quantised(unit.operands[0]->get());
    if (!x) return {};
    mlir::IRMapping mapping;
    mapping.map(unit.root->getOperand(0), centred(*x));
    Operation* total = b_.clone(*unit.root, mapping);
    total->setLoc(b_.getLoc());
    total->getResult(0).setType(tensorType(total->getResult(0)).clone(b_.getI32Type()));
    const double factor = x->affine.scale * unit.factor / target.affine.scale;
    return finish(total->getResult(0), {0}, {factor}, -1, target);
  }

  //-- Other units

  Value rows(const Unit& unit, const Target& target) {
    auto x = quantised(unit.operands[0]->get());
    if (!x) return {};
    auto make = unit.kind == UnitKind::kSoftmax ? integerSoftmax : integerNorm;
    return make(b_, unit, {x->q, x->affine}, target.affine.scale, outputFor(target));
  }

  Value rescaled(const Quantised& x, const Affine& out) {
    if (x.affine == out) return x.q;
    return finish(widened(x), {-x.affine.zero_point}, {x.affine.scale / out.scale}, -1, {out, {}, {}});
  }

  // Movement keeps a tensor's parameters; tensors that are joined get the result's first.
  Value movement(const Unit& unit, const Affine& out) {
    llvm::SmallVector<Quantised> operands;
    for (mlir::OpOperand* operand : unit.operands) {
      auto x = quantised(operand->get());
      if (!x) return {};
      operands.push_back(*x);
    }
    const bool joins = operands.size() > 1;
    const Affine affine = joins ? out : operands[0].affine;
    Operation* moved = unit.root->cloneWithoutRegions();
    for (auto [use, x] : llvm::zip(unit.operands, operands)) {
      Value q = joins ? rescaled(x, out) : x.q;
      if (!q) return moved->erase(), Value();
      moved->setOperand(use->getOperandNumber(), q);
    }
    if (auto pad = llvm::dyn_cast<PadOp>(moved))
      pad->setOperand(1, vectorOf(b_, ElementType::I8, {affine.zero_point}));
    b_.insert(moved);
    moved->setLoc(b_.getLoc());
    moved->getResult(0).setType(tensorType(moved->getResult(0)).clone(b_.getI8Type()));
    return rescaled({moved->getResult(0), affine}, out);
  }

  // The function's values for all 256 bytes, by evaluating its ops on them.
  Value table(const Unit& unit, const Target& target) {
    auto x = quantised(unit.operands[0]->get());
    if (!x) return {};
    Tensor inputs = Tensor::create(ElementType::F32, {256}).value();
    for (int i = 0; i < 256; ++i)
      inputs.setDouble(i, static_cast<double>(i - 128 - x->affine.zero_point) * x->affine.scale);
    auto outputs = evaluateOn(unit.root->getResult(0), unit.operands[0]->get(), inputs);
    if (!outputs) return {};
    Tensor bytes = Tensor::create(ElementType::I8, {256}).value();
    for (int i = 0; i < 256; ++i) {
      const double level =
          outputs->getDouble(i) / target.affine.scale + static_cast<double>(target.affine.zero_point);
      bytes.setInt((i + 128) % 256, std::isnan(level) ? target.affine.zero_point : clampToByte(level));
    }
    return lookup(b_, x->q, makeConstant(b_, b_.getLoc(), bytes, "table"));
  }

  // An elementwise expression of `source` at other numbers.
  static std::optional<Tensor> evaluateOn(Value value, Value source, const Tensor& numbers) {
    if (value == source) return numbers;
    if (auto splat = splatNumber(value)) {
      Tensor all = Tensor::create(elementTypeOf(value), numbers.shape()).value();
      for (int64_t i = 0; i < all.count(); ++i) {
        isFloat(all.type()) ? all.setDouble(i, *splat) : all.setInt(i, static_cast<int64_t>(*splat));
      }
      return all;
    }
    std::vector<Tensor> operands;
    for (Value operand : value.getDefiningOp()->getOperands()) {
      auto tensor = evaluateOn(operand, source, numbers);
      if (!tensor) return std::nullopt;
      operands.push_back(*std::move(tensor));
    }
    // The op itself, on tensors of another shape.
    Operation* op = value.getDefiningOp()->clone();
    op->getResult(0).setType(tensorType(value).clone(llvm::ArrayRef<int64_t>(numbers.shape())));
    auto results = evaluate(op, std::move(operands));
    op->destroy();
    return results ? std::optional(results->front()) : std::nullopt;
  }

  //-- The graph

  // From the end, so that what only erased ops read goes too.
  void eraseUnused() {
    llvm::SmallVector<Operation*> ops;
    for (Operation& op : block_.without_terminator()) ops.push_back(&op);
    for (Operation* op : llvm::reverse(ops)) {
      if (mlir::isOpTriviallyDead(op)) op->erase();
    }
  }

  // The op's name, or one made of its sort and a number: tasks are called after it, and so are errors.
  mlir::Location namedLoc(Operation* op) {
    mlir::Location loc = op->getLoc();
    if (!frontendName(loc).empty()) return loc;
    const std::string name = (op->getName().stripDialect() + "." + llvm::Twine(unnamed_++)).str();
    return mlir::NameLoc::get(b_.getStringAttr(name), loc);
  }
  // Says that `made` stands for `value`, where somebody is going to measure how well.
  void markPair(Value value, Value made, const Affine& affine) {
    auto number =
        value.getDefiningOp() ? value.getDefiningOp()->getAttrOfType<mlir::IntegerAttr>(kReference) : nullptr;
    if (!number || !made.getDefiningOp() || llvm::isa<ConstantOp>(made.getDefiningOp())) return;
    mlir::NamedAttrList about;
    about.set("name", b_.getStringAttr(frontendName(b_.getLoc())));
    about.set("reference", number);
    about.set("scale", b_.getF64FloatAttr(affine.scale));
    about.set("zero_point", b_.getI64IntegerAttr(affine.zero_point));
    made.getDefiningOp()->setAttr(kStandsFor, about.getDictionary(b_.getContext()));
  }

  Value integerOf(const Unit& unit, const Target& target) {
    switch (unit.kind) {
      case UnitKind::kContraction:
        return contraction(unit, target);
      case UnitKind::kAdd:
        return add(unit, target);
      case UnitKind::kMultiply:
        return multiply(unit, target);
      case UnitKind::kSum:
        return sum(unit, target);
      case UnitKind::kMovement:
        return movement(unit, target.affine);
      case UnitKind::kTable:
        return table(unit, target);
      case UnitKind::kSoftmax:
      case UnitKind::kNorm:
        return rows(unit, target);
    }
    return {};
  }

  void convertQuantize(CompositeOp op) {
    auto out = parametersOf(op);
    Value value = op.getInputs()[0], result = op.getResult(0);
    mlir::Type element = tensorType(result).getElementType();
    if (!out || element.getIntOrFloatBitWidth() != 8) return;
    const bool is_unsigned = element.isUnsignedInteger();
    if (is_unsigned) out->zero_point -= 128;
    b_.setInsertionPoint(op);
    b_.setLoc(namedLoc(value.getDefiningOp() ? value.getDefiningOp() : op.getOperation()));
    Value q;
    if (auto x = quantised(value)) {
      q = rescaled(*x, *out);
    } else if (auto unit = readUnit(value)) {
      b_.setLoc(namedLoc(unit->root));
      q = integerOf(*unit, {*out, unit->low, unit->high});
    }
    if (!q) return;
    markPair(value, q, *out);
    if (is_unsigned) {
      Value back = flipSign(b_, q, element, 128);
      signed_[back] = q;
      q = back;
    }
    result.replaceAllUsesWith(q);
  }

  // A contraction that floats read: its sum, dequantised.
  void convertContraction(Operation* op) {
    b_.setInsertionPoint(op);
    b_.setLoc(namedLoc(op));
    auto sum = contract(op);
    if (!sum) return;
    Value scale = scaleOf(b_, sum->scales), zero = vectorOf(b_, ElementType::I32, sum->offsets);
    Value real = dequantize(b_, sum->acc, scale, zero, sum->axis);
    markPair(op->getResult(0), real, {1, 0});
    op->getResult(0).replaceAllUsesWith(real);
  }

  mlir::Block& block_;
  Builder b_;
  int unnamed_ = 0;
  llvm::DenseMap<Value, Value> signed_;  // unsigned bytes -> the same as signed ones
};

}  // namespace

Value vectorOf(Builder& b, ElementType type, llvm::ArrayRef<int64_t> values) {
  const bool is_scalar = llvm::all_equal(values);
  Shape shape;
  if (!is_scalar) shape.push_back(values.size());
  return makeConstant(b, b.getLoc(),
                      Tensor::of<int64_t>(type, shape, is_scalar ? values.take_front() : values));
}

void makeInteger(mlir::Block& block) { Converter(block).run(); }

}  // namespace tetrarch::compile
