// Units over the rows of a tensor: how softmax and normalisations look in a float graph, and the composites
// of integers that replace them.
#include <cmath>

#include "tetrarch/compile/quantize/integer.h"
#include "tetrarch/compile/rewrite/rules.h"
#include "tetrarch/graph/constants.h"
#include "tetrarch/graph/quantized_rows.h"

namespace tetrarch::compile {
namespace {

using namespace tet;  // the ops
using mlir::Operation;
using mlir::OpOperand;
using Builder = mlir::ImplicitLocOpBuilder;

bool isRowLength(int64_t n) { return n >= 1 && n <= kMostRowElements; }

// The statistic that a value repeats along its last dimension, or null.
Value spreadStatistic(Value value) {
  auto broadcast = value.getDefiningOp<BroadcastInDimOp>();
  if (!broadcast) return {};
  const int64_t rows = tensorType(value).getRank() - 1;
  auto dims = broadcast.getBroadcastDimensions();
  if (static_cast<int64_t>(dims.size()) != rows) return {};
  for (int64_t dim = 0; dim < rows; ++dim) {
    if (dims[dim] != dim || shapeOfValue(broadcast.getOperand())[dim] != shapeOfValue(value)[dim]) return {};
  }
  return broadcast.getOperand();
}

// The reduction of its operand's last dimension that makes the value.
ReduceOp rowReduction(Value value, ReductionKind kind) {
  auto reduce = value ? value.getDefiningOp<ReduceOp>() : ReduceOp();
  if (!reduce || reduce.getKind() != kind) return {};
  const int64_t last = tensorType(reduce.getOperand()).getRank() - 1;
  return reduce.getDimensions() == llvm::ArrayRef(last) ? reduce : ReduceOp();
}

// The sum over a row of which the value is the mean.
ReduceOp rowMean(Value value) {
  Operation* op = value ? value.getDefiningOp() : nullptr;
  if (!llvm::isa_and_nonnull<MultiplyOp, DivideOp>(op)) return {};
  auto number = splatNumber(op->getOperand(1));
  auto sum = rowReduction(op->getOperand(0), ReductionKind::Add);
  if (!number || !sum || *number == 0) return {};
  const double n = llvm::isa<DivideOp>(op) ? *number : 1 / *number;
  const auto length = static_cast<double>(shapeOfValue(sum.getOperand()).back());
  return std::fabs(n / length - 1) < 1e-6 ? sum : ReduceOp();
}

// The factors of a product of tensors, the outermost last.
void flattenProduct(Value value, llvm::SmallVectorImpl<Value>& factors) {
  auto product = value.getDefiningOp<MultiplyOp>();
  const bool is_leaf = !product || product.getLhs() == product.getRhs();
  if (is_leaf) return factors.push_back(value);
  flattenProduct(product.getLhs(), factors);
  flattenProduct(product.getRhs(), factors);
}

// x - mean of x, or x itself.
struct Deviation {
  Value x;
  bool centred = false;
  llvm::SmallVector<OpOperand*> uses;  // of x
};
Deviation readDeviation(Value value) {
  auto difference = value.getDefiningOp<SubtractOp>();
  auto sum = difference ? rowMean(spreadStatistic(difference.getRhs())) : ReduceOp();
  if (!sum || sum.getOperand() != difference.getLhs()) return {value};
  return {difference.getLhs(), true, {&difference->getOpOperand(0), &sum->getOpOperand(0)}};
}

// The deviation d and epsilon of mean(d * d) + epsilon, and the square d * d.
struct Variance {
  MultiplyOp square;
  double epsilon = 0;
};
std::optional<Variance> readVariance(Value value) {
  double epsilon = 0;
  if (auto sum = value.getDefiningOp<AddOp>()) {
    auto number = splatNumber(sum.getRhs());
    if (!number || *number < 0) return std::nullopt;
    epsilon = *number;
    value = sum.getLhs();
  }
  auto mean = rowMean(value);
  auto square = mean ? mean.getOperand().getDefiningOp<MultiplyOp>() : MultiplyOp();
  if (!square || square.getLhs() != square.getRhs()) return std::nullopt;
  return Variance{square, epsilon};
}

// What a factor of a normalisation is: 1 / sqrt of a variance, spread over the row.
std::optional<Variance> readInverseDeviation(Value factor) {
  Value statistic = spreadStatistic(factor);
  auto root = statistic ? statistic.getDefiningOp<RsqrtOp>() : RsqrtOp();
  return root ? readVariance(root.getOperand()) : std::nullopt;
}

// The product without scale and offset: a deviation times its inverse root mean square.
struct Normalised {
  Variance variance;
  Value deviation;
  std::vector<double> scale = {1};
};
std::optional<Normalised> readNormalised(Value value) {
  const int64_t last = tensorType(value).getRank() - 1;
  if (auto quotient = value.getDefiningOp<DivideOp>()) {
    Value statistic = spreadStatistic(quotient.getRhs());
    auto root = statistic ? statistic.getDefiningOp<SqrtOp>() : SqrtOp();
    auto variance = root ? readVariance(root.getOperand()) : std::nullopt;
    if (!variance) return std::nullopt;
    return Normalised{*variance, quotient.getLhs()};
  }
  llvm::SmallVector<Value> factors;
  flattenProduct(value, factors);
  std::optional<Variance> variance;
  Normalised found;
  for (Value factor : factors) {
    if (auto numbers = numbersAlong(factor, last); !numbers.empty()) {
      if (found.scale.size() < numbers.size()) found.scale.resize(numbers.size(), found.scale.front());
      for (size_t i = 0; i < found.scale.size(); ++i) found.scale[i] *= numbers[numbers.size() == 1 ? 0 : i];
    } else if (auto read = readInverseDeviation(factor); read && !variance) {
      variance = read;
    } else if (!found.deviation) {
      found.deviation = factor;
    } else {
      return std::nullopt;
    }
  }
  if (!found.deviation) return std::nullopt;
  if (!variance) {  // (d / sqrt(…)) * scale
    auto inner = found.deviation == value ? std::nullopt : readNormalised(found.deviation);
    if (!inner) return std::nullopt;
    inner->scale = std::move(found.scale);
    return inner;
  }
  found.variance = *variance;
  return found;
}

template <typename T>
T at(const std::vector<T>& values, size_t i) {
  return values[values.size() == 1 ? 0 : i];
}

// multiplier * 2^-shift, with the multiplier of the largest number as wide as it can be. Zeros become the
// least number, so that a bias can be added before the multiplication.
struct SharedShift {
  std::vector<int64_t> multipliers;
  int64_t shift = 1;
};
std::optional<SharedShift> sharedShift(const std::vector<double>& factors) {
  double largest = 0;
  for (double factor : factors) largest = std::max(largest, std::fabs(factor));
  if (!(largest > 0) || !(largest < std::ldexp(1, 13))) return std::nullopt;
  SharedShift shared{{}, fixedPoint(largest).shift};
  for (double factor : factors) {
    const double level = std::nearbyint(std::ldexp(factor, static_cast<int>(shared.shift)));
    shared.multipliers.push_back(level == 0 ? 1 : static_cast<int64_t>(level));
  }
  return shared;
}

// What is added to w so that the product with the multiplier has the offset, in steps of the result.
std::optional<std::vector<int64_t>> biasFor(const SharedShift& shared, const std::vector<double>& offsets) {
  std::vector<int64_t> bias;
  const size_t count = std::max(shared.multipliers.size(), offsets.size());
  for (size_t i = 0; i < count; ++i) {
    const double wide = std::ldexp(at(offsets, i), static_cast<int>(shared.shift));
    const double number = std::nearbyint(wide / static_cast<double>(at(shared.multipliers, i)));
    if (!(std::fabs(number) < std::ldexp(1, 31))) return std::nullopt;
    bias.push_back(static_cast<int64_t>(number));
  }
  return bias;
}

}  // namespace

std::optional<Unit> readSoftmax(Value value) {
  auto quotient = value.getDefiningOp<DivideOp>();
  auto power = quotient ? quotient.getLhs().getDefiningOp<ExponentialOp>() : ExponentialOp();
  auto sum = power ? rowReduction(spreadStatistic(quotient.getRhs()), ReductionKind::Add) : ReduceOp();
  if (!sum || sum.getOperand() != power.getResult()) return std::nullopt;
  auto below = power.getOperand().getDefiningOp<SubtractOp>();
  auto largest = below ? rowReduction(spreadStatistic(below.getRhs()), ReductionKind::Maximum) : ReduceOp();
  if (!largest || largest.getOperand() != below.getLhs()) return std::nullopt;
  if (!isRowLength(shapeOfValue(value).back())) return std::nullopt;
  return Unit{.kind = UnitKind::kSoftmax,
              .root = quotient,
              .operands = {&below->getOpOperand(0), &largest->getOpOperand(0)}};
}

std::optional<Unit> readNorm(Value value) {
  Operation* op = value.getDefiningOp();
  if (!op || tensorType(value).getRank() == 0 || !isRowLength(shapeOfValue(value).back()))
    return std::nullopt;
  Unit unit{.kind = UnitKind::kNorm, .root = op, .operands = {}};
  unit.norm.offset = {0};
  if (auto sum = llvm::dyn_cast<AddOp>(op)) {
    unit.norm.offset = numbersAlong(sum.getRhs(), tensorType(value).getRank() - 1);
    if (unit.norm.offset.empty()) return std::nullopt;
    value = sum.getLhs();
  }
  auto normalised = readNormalised(value);
  if (!normalised) return std::nullopt;
  Deviation deviation = readDeviation(normalised->deviation);
  MultiplyOp square = normalised->variance.square;
  if (square.getLhs() != normalised->deviation) return std::nullopt;
  if (!deviation.centred) {
    deviation.uses = {&square->getOpOperand(0), &square->getOpOperand(1)};
    for (OpOperand& use : deviation.x.getUses()) {
      const bool is_factor = llvm::isa<MultiplyOp, DivideOp>(use.getOwner());
      if (is_factor && use.getOwner() != square.getOperation()) deviation.uses.push_back(&use);
    }
  }
  unit.operands = std::move(deviation.uses);
  unit.norm.centred = deviation.centred;
  unit.norm.epsilon = normalised->variance.epsilon;
  unit.norm.scale = std::move(normalised->scale);
  return unit;
}

Value integerSoftmax(Builder& b, const Unit&, const Quantised& x, double scale, const RequantizeOutput& out) {
  const double factor = std::ldexp(1 / scale, -30);
  if (!(factor < std::ldexp(1, 13))) return {};
  Value exponential = makeConstant(b, b.getLoc(), exponentialTable(x.affine.scale), "exponential");
  Value reciprocal = makeConstant(b, b.getLoc(), reciprocalTable(), "reciprocal");
  return softmaxInt8(b, {x.q, exponential, reciprocal}, fixedPoint(factor), out);
}

Value integerNorm(Builder& b, const Unit& unit, const Quantised& x, double scale,
                  const RequantizeOutput& out) {
  const int64_t n = shapeOfValue(x.q).back();
  const Norm& norm = unit.norm;
  std::vector<double> factors, offsets;
  for (double number : norm.scale) factors.push_back(number / scale / normScale(n, norm.centred));
  for (double number : norm.offset) offsets.push_back(number / scale);
  auto shared = sharedShift(factors);
  auto bias = shared ? biasFor(*shared, offsets) : std::nullopt;
  const int square_bits = 14 - static_cast<int>(squareShift(n, norm.centred));
  const double epsilon = std::nearbyint(
      std::ldexp(norm.epsilon / (x.affine.scale * x.affine.scale) * static_cast<double>(n), square_bits));
  if (!bias || !(epsilon <= std::ldexp(1, 30))) return {};
  NormInput in{.x = x.q,
               .rsqrt = makeConstant(b, b.getLoc(), rsqrtTable(), "rsqrt"),
               .multiplier = vectorOf(b, ElementType::I32, shared->multipliers),
               .bias = {}};
  if (llvm::any_of(*bias, [](int64_t number) { return number != 0; }))
    in.bias = vectorOf(b, ElementType::I32, *bias);
  return normInt8(b, in,
                  {.centred = norm.centred,
                   .zero_point = norm.centred ? 0 : x.affine.zero_point,
                   .epsilon = static_cast<int64_t>(epsilon),
                   .shift = shared->shift},
                  out);
}

}  // namespace tetrarch::compile
