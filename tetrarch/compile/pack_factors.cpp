#include "tetrarch/compile/pack_factors.h"

#include <optional>

#include "tetrarch/compile/composite_tag.h"
#include "tetrarch/graph/constants.h"
#include "tetrarch/graph/quantized_rows.h"
#include "tetrarch/graph/types.h"

namespace tetrarch::compile {
namespace {

using namespace tet;  // the ops
using mlir::Value;
using Builder = mlir::ImplicitLocOpBuilder;
using Numbers = std::vector<int64_t>;

constexpr int64_t kMultiplierBits = 15, kShiftAt = 16, kShiftMask = 63;

// A constant with one number a channel, or one for all, at each element of a tensor.
struct Channels {
  Numbers numbers;
  llvm::SmallVector<int64_t> dims;  // of the tensor; none: one number for all
  int64_t at(size_t i) const { return numbers[numbers.size() == 1 ? 0 : i]; }
};

std::optional<Channels> channelsOf(Value value) {
  Channels channels;
  if (auto broadcast = value.getDefiningOp<BroadcastInDimOp>()) {
    channels.dims.assign(broadcast.getBroadcastDimensions().begin(),
                         broadcast.getBroadcastDimensions().end());
    value = broadcast.getOperand();
  }
  auto constant = value.getDefiningOp<ConstantOp>();
  if (!constant || constant.getType().getRank() > 1) {
    auto splat =
        constant ? llvm::dyn_cast<mlir::SplatElementsAttr>(constant.getValue()) : mlir::SplatElementsAttr();
    if (!splat || !constant.getType().getElementType().isInteger(64)) return std::nullopt;
    channels.numbers = {splat.getSplatValue<llvm::APInt>().getSExtValue()};
    return channels;
  }
  Result<Tensor> tensor = tensorOf(constant.getValue());
  if (!tensor || tensor->type() != ElementType::I64 || tensor->count() == 0) return std::nullopt;
  for (int64_t i = 0; i < tensor->count(); ++i) channels.numbers.push_back(tensor->getInt(i));
  // Without a broadcast it is the tensor, of one dimension or none.
  if (channels.dims.empty() && llvm::all_equal(channels.numbers)) channels.numbers.resize(1);
  if (channels.dims.empty() && channels.numbers.size() > 1) channels.dims.push_back(0);
  return channels;
}

// An operand of a commutative op, whichever `Op` defines, and the other one.
template <typename Op, typename From>
std::pair<Op, Value> operandOf(From from) {
  if (auto found = from.getLhs().template getDefiningOp<Op>()) return {found, from.getRhs()};
  return {from.getRhs().template getDefiningOp<Op>(), from.getLhs()};
}

// (x + below_half + (x >> shift & 1)) >> shift with x = sum * multiplier.
struct Rounding {
  MultiplyOp product;
  Value sum, multiplier, shift;
  Channels multipliers, shifts;
};

// Whether below_half is 2^(shift - 1) - 1 everywhere, and both factors have the bits that a word has for
// them.
bool fitWord(const Rounding& rounding, const Channels& below_half) {
  const size_t count = std::max(
      {rounding.multipliers.numbers.size(), rounding.shifts.numbers.size(), below_half.numbers.size()});
  for (size_t i = 0; i < count; ++i) {
    const int64_t multiplier = rounding.multipliers.at(i), shift = rounding.shifts.at(i);
    if (multiplier < 0 || multiplier >> kMultiplierBits != 0 || shift < 1 || shift > kMostShift) return false;
    if (below_half.at(i) != (int64_t{1} << (shift - 1)) - 1) return false;
  }
  return true;
}

std::optional<Rounding> readRounding(ShiftRightArithmeticOp op) {
  auto nudged = op.getLhs().getDefiningOp<AddOp>();
  if (!nudged) return std::nullopt;
  auto [odd, raised] = operandOf<AndOp>(nudged);
  auto inner = raised.getDefiningOp<AddOp>();
  if (!odd || !inner) return std::nullopt;
  auto [product, half] = operandOf<MultiplyOp>(inner);
  auto again = operandOf<ShiftRightArithmeticOp>(odd).first;
  if (!product || !again || again.getLhs() != product.getResult() || again.getRhs() != op.getRhs())
    return std::nullopt;
  Rounding rounding{product, product.getLhs(), product.getRhs(), op.getRhs(), {}, {}};
  auto multipliers = channelsOf(rounding.multiplier), shifts = channelsOf(rounding.shift),
       below_half = channelsOf(half);
  if (!multipliers || !shifts || !below_half) return std::nullopt;
  rounding.multipliers = *multipliers, rounding.shifts = *shifts;
  return fitWord(rounding, *below_half) ? std::optional(rounding) : std::nullopt;
}

// A normalisation's columns share one shift: there is nothing to pack with their multipliers.
bool isOfNorm(ShiftRightArithmeticOp op) {
  return llvm::any_of(tagsOf(op.getLoc()), [](const CompositeTag& tag) {
    return tag.name.getValue() == kLayerNormInt8 || tag.name.getValue() == kRmsNormInt8;
  });
}

class FactorPacker {
 public:
  explicit FactorPacker(mlir::Block& block)
      : b_(mlir::UnknownLoc::get(block.getParent()->getContext()), &block, block.begin()) {}

  void pack(ShiftRightArithmeticOp op) {
    auto rounding = readRounding(op);
    if (!rounding || isOfNorm(op)) return;
    // What unpacks words comes first in the block, so that fusion sees it as older than the sum that it
    // scales.
    b_.setLoc(op.getLoc());
    shape_ = llvm::to_vector(typeOf(op.getResult()).getShape());
    narrowBias(*rounding);
    if (rounding->multipliers.numbers.size() == 1 && rounding->shifts.numbers.size() == 1) return;
    const Numbers words = wordsOf(*rounding);
    const bool by_channel = rounding->multipliers.dims.empty();
    Value word =
        spread(ElementType::I32, words, by_channel ? rounding->shifts.dims : rounding->multipliers.dims);
    Value multiplier = widen(AndOp::create(b_, word, splat(word, (1 << kMultiplierBits) - 1)));
    Value high = ShiftRightLogicalOp::create(b_, word, splat(word, kShiftAt));
    Value shift =
        widen(MaximumOp::create(b_, AndOp::create(b_, high, splat(high, kShiftMask)), splat(high, 1)));
    Value one = splat(shift, 1);
    Value half = ShiftLeftOp::create(b_, one, SubtractOp::create(b_, shift, one));
    Value below_half = SubtractOp::create(b_, half, one);
    rebuild(op, *rounding, multiplier, shift, below_half);
  }

 private:
  static mlir::RankedTensorType typeOf(Value value) {
    return llvm::cast<mlir::RankedTensorType>(value.getType());
  }
  Value splat(Value like, int64_t value) { return makeSplat(b_, b_.getLoc(), typeOf(like), value); }
  Value widen(Value x) { return ConvertOp::create(b_, x, b_.getI64Type()); }
  Value spread(ElementType type, const Numbers& numbers, llvm::ArrayRef<int64_t> dims) {
    Value constant =
        makeConstant(b_, b_.getLoc(),
                     Tensor::of<int64_t>(type, {static_cast<int64_t>(numbers.size())}, numbers), "factors");
    return BroadcastInDimOp::create(b_, constant, shape_, dims);
  }

  static Numbers wordsOf(const Rounding& rounding) {
    Numbers words;
    const size_t count = std::max(rounding.multipliers.numbers.size(), rounding.shifts.numbers.size());
    for (size_t i = 0; i < count; ++i)
      words.push_back(rounding.multipliers.at(i) | rounding.shifts.at(i) << kShiftAt);
    return words;
  }

  // sum = acc + bias, whose bias fits 32 bits.
  void narrowBias(const Rounding& rounding) {
    auto sum = rounding.sum.getDefiningOp<AddOp>();
    if (!sum) return;
    for (unsigned i : {0u, 1u}) {
      auto bias = channelsOf(sum->getOperand(i));
      const bool fits = bias && bias->dims.size() == 1 && llvm::all_of(bias->numbers, [](int64_t number) {
                          return number == static_cast<int32_t>(number);
                        });
      if (!fits) continue;
      sum->setOperand(i, widen(spread(ElementType::I32, bias->numbers, bias->dims)));
      return;
    }
  }

  void rebuild(ShiftRightArithmeticOp op, const Rounding& rounding, Value multiplier, Value shift,
               Value below_half) {
    Builder b(op.getLoc(), op);
    Value product = MultiplyOp::create(b, rounding.sum, multiplier);
    Value odd = AndOp::create(b, ShiftRightArithmeticOp::create(b, product, shift), splatBefore(b, product));
    Value nudged = AddOp::create(b, AddOp::create(b, product, below_half), odd);
    op.replaceAllUsesWith(ShiftRightArithmeticOp::create(b, nudged, shift).getResult());
  }
  static Value splatBefore(Builder& b, Value like) {
    return makeSplat(b, b.getLoc(), typeOf(like), int64_t{1});
  }

  Builder b_;
  llvm::SmallVector<int64_t> shape_;
};

}  // namespace

void packFactors(mlir::ModuleOp module) {
  llvm::SmallVector<ShiftRightArithmeticOp> candidates;
  module.walk([&](ShiftRightArithmeticOp op) { candidates.push_back(op); });
  for (ShiftRightArithmeticOp op : candidates) FactorPacker(*op->getBlock()).pack(op);
}

}  // namespace tetrarch::compile
