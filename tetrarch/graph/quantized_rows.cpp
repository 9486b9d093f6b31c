#include "tetrarch/graph/quantized_rows.h"

#include <cmath>

#include "llvm/Support/MathExtras.h"
#include "tetrarch/graph/constants.h"
#include "tetrarch/graph/quantized_parts.h"

namespace tetrarch::tet {
namespace {

using namespace quantized;
using mlir::Type;
using mlir::Value;

constexpr int64_t kTableSize = 256;
constexpr int64_t kLargestEntry = 32767;
constexpr int64_t kReciprocalBits = 30;  // 2^45 / x keeps 15 bits of the largest sum
constexpr int64_t kProbabilityShift = 15;
constexpr int64_t kFractionBits = 7;  // of a difference from the mean, 16 bits with its sign
constexpr int64_t kNormShift = 16;

Tensor tableOf(llvm::function_ref<double(int64_t)> entry) {
  Tensor table = Tensor::create(ElementType::I16, {kTableSize}).value();
  for (int64_t i = 0; i < kTableSize; ++i)
    table.setInt(i, std::min(kLargestEntry, static_cast<int64_t>(std::nearbyint(entry(i)))));
  return table;
}

// One number a column, at every element of the column. Converted only there: constants stay as they are.
Value alongColumns(Builder& b, Value numbers, Value like) {
  return spread(b, numbers, b.getI32Type(), like, typeOf(like).getRank() - 1);
}

// One number a row, at every element of the row.
Value alongRows(Builder& b, Value statistic, Value like) {
  llvm::SmallVector<int64_t> dims;
  for (int64_t dim = 0; dim < typeOf(statistic).getRank(); ++dim) dims.push_back(dim);
  return BroadcastInDimOp::create(b, statistic, typeOf(like).getShape(), dims);
}

Value reduceRow(Builder& b, ReductionKind kind, Value x) {
  const int64_t last = typeOf(x).getRank() - 1;
  return ReduceOp::create(b, kind, x, llvm::ArrayRef(last));
}

// table[index], an i32; `index` is ui8.
Value entryAt(Builder& b, Value table, Value index) {
  auto type = typeOf(index).clone(typeOf(table).getElementType());
  const llvm::SmallVector<int64_t> none, first = {0}, one = {1};
  Value entry = GatherOp::create(b, type, table, index, none, first, none, none, first,
                                 static_cast<uint64_t>(type.getRank()), one);
  return convert(b, entry, b.getI32Type());
}

// x as 2^position * (1 + …): its leading zeros, and its bits moved so that the leading one is the highest.
struct Normalised {
  Value zeros, bits;
};
Normalised normalise(Builder& b, Value x) {
  Value positive = MaximumOp::create(b, x, splat(b, x, b.getI32Type(), 1));
  Value zeros = CountLeadingZerosOp::create(b, positive);
  return {zeros, ShiftLeftOp::create(b, positive, zeros)};
}

// 2^45 / x for a positive i32.
Value reciprocal(Builder& b, Value x, Value table) {
  Type i32 = b.getI32Type();
  const Normalised n = normalise(b, x);
  Value index = ShiftRightLogicalOp::create(b, n.bits, splat(b, x, i32, 23));
  Value entry = entryAt(b, table, convert(b, index, b.getIntegerType(8, false)));
  return ShiftLeftOp::create(b, entry,
                             SubtractOp::create(b, n.zeros, splat(b, x, i32, 31 - kReciprocalBits)));
}

// 2^30 / sqrt(x) for a positive i32.
Value reciprocalRoot(Builder& b, Value x, Value table) {
  Type i32 = b.getI32Type();
  auto number = [&](int64_t value) { return splat(b, x, i32, value); };
  const Normalised n = normalise(b, x);
  Value position = SubtractOp::create(b, number(31), n.zeros);
  Value parity = ShiftLeftOp::create(b, AndOp::create(b, position, number(1)), number(7));
  Value mantissa = AndOp::create(b, ShiftRightLogicalOp::create(b, n.bits, number(24)), number(127));
  Value index = convert(b, OrOp::create(b, parity, mantissa), b.getIntegerType(8, false));
  Value half = ShiftRightArithmeticOp::create(b, position, number(1));
  return ShiftLeftOp::create(b, entryAt(b, table, index), SubtractOp::create(b, number(15), half));
}

// rne(x * y / 2^shift) modulo 2^32; x and y are i32.
Value product(Builder& b, Value x, Value y, int64_t shift) {
  Type i64 = b.getI64Type();
  Value exact = MultiplyOp::create(b, convert(b, x, i64), convert(b, y, i64));
  return convert(b, shiftRounding(b, exact, shift), b.getI32Type());
}

// 2^7 times the difference from the row's mean, or from the zero point.
Value difference(Builder& b, Value x, const NormNumbers& numbers) {
  Type i32 = b.getI32Type();
  Value wide = convert(b, x, i32), unit = splat(b, x, i32, int64_t{1} << kFractionBits);
  if (!numbers.centred) {
    Value centred = numbers.zero_point == 0
                        ? wide
                        : SubtractOp::create(b, wide, splat(b, x, i32, numbers.zero_point)).getResult();
    return MultiplyOp::create(b, centred, unit);
  }
  const int64_t n = typeOf(x).getShape().back();
  const FixedPoint part = fixedPoint(std::ldexp(1, kFractionBits) / static_cast<double>(n), 31);
  Value sum = reduceRow(b, ReductionKind::Add, wide);
  Value mean = product(b, sum, splat(b, sum, i32, part.multiplier), part.shift);
  return SubtractOp::create(b, MultiplyOp::create(b, wide, unit), alongRows(b, mean, x));
}

Value normBody(Builder& b, mlir::ValueRange in, const NormNumbers& numbers, const RequantizeOutput& out) {
  Type i32 = b.getI32Type(), i64 = b.getI64Type();
  Value x = in[0];
  const int64_t n = typeOf(x).getShape().back();
  Value d = difference(b, x, numbers);
  Value square = product(b, d, d, squareShift(n, numbers.centred));
  Value sum = reduceRow(b, ReductionKind::Add, square);
  if (numbers.epsilon != 0) sum = AddOp::create(b, sum, splat(b, sum, i32, numbers.epsilon));
  Value w = product(b, alongRows(b, reciprocalRoot(b, sum, in[1]), x), d, kNormShift);
  w = convert(b, w, i64);
  if (in.size() > 3) w = AddOp::create(b, w, convert(b, alongColumns(b, in[3], x), i64));
  Value multiplier = convert(b, alongColumns(b, in[2], x), b.getIntegerType(16));
  Value scaled = MultiplyOp::create(b, w, convert(b, multiplier, i64));
  return clipped(b, shiftRounding(b, scaled, numbers.shift), out);
}

}  // namespace

Tensor exponentialTable(double scale) {
  return tableOf([&](int64_t i) {
    const int64_t d = i < 128 ? i : i - kTableSize;
    return static_cast<double>(kLargestEntry) * std::exp(static_cast<double>(d - 127) * scale);
  });
}

Tensor reciprocalTable() {
  return tableOf([](int64_t i) { return 32768 / (1 + (static_cast<double>(i) + 0.5) / 256); });
}

Tensor rsqrtTable() {
  return tableOf([](int64_t i) {
    const double mantissa = 1 + (static_cast<double>(i % 128) + 0.5) / 128;
    return 32768 / std::sqrt(i < 128 ? mantissa : 2 * mantissa);
  });
}

int64_t squareShift(int64_t n, bool centred) {
  // A row between -128 and 127 has a variance of at most 127.5^2 < 2^14; a number is at most 255 < 2^8 from
  // its zero point.
  const int64_t bits = 2 * kFractionBits + (centred ? 14 : 16);
  return std::max<int64_t>(0, bits + llvm::Log2_64_Ceil(n) - 30);
}

double normScale(int64_t n, bool centred) {
  // r * d = 2^30 * d / sqrt(v), and v is n * 2^14 / 2^squareShift times the variance.
  const double spread = std::ldexp(static_cast<double>(n), -static_cast<int>(squareShift(n, centred)));
  return std::ldexp(1, 30 - static_cast<int>(kNormShift)) / std::sqrt(spread);
}

Value softmaxInt8(Builder& b, const SoftmaxInput& in, const FixedPoint& factor, const RequantizeOutput& out) {
  auto body = [&](Builder& b, mlir::ValueRange inputs) -> Value {
    Type i32 = b.getI32Type();
    Value wide = convert(b, inputs[0], i32);
    Value largest = reduceRow(b, ReductionKind::Maximum, wide);
    Value to_top = SubtractOp::create(b, splat(b, largest, i32, 127), largest);
    Value below = AddOp::create(b, wide, alongRows(b, to_top, wide));
    below = MinimumOp::create(b, below, splat(b, below, i32, 127));  // it is: said for what saturates
    Value e = entryAt(b, inputs[1], convert(b, below, b.getIntegerType(8, false)));
    Value r = reciprocal(b, reduceRow(b, ReductionKind::Add, e), inputs[2]);
    Value probability = product(b, alongRows(b, r, e), e, kProbabilityShift);
    Value multiplier = splat(b, probability, b.getI64Type(), factor.multiplier);
    Value scaled = MultiplyOp::create(b, convert(b, probability, b.getI64Type()), multiplier);
    return clipped(b, shiftRounding(b, scaled, factor.shift), out);
  };
  return composite(b, kSoftmaxInt8, {in.x, in.exponential, in.reciprocal}, typeOf(in.x),
                   {{kAxis, typeOf(in.x).getRank() - 1},
                    {"multiplier", factor.multiplier},
                    {"shift", factor.shift},
                    {"zero_point", out.zero_point},
                    {"low", out.low},
                    {"high", out.high}},
                   body);
}

Value normInt8(Builder& b, const NormInput& in, const NormNumbers& numbers, const RequantizeOutput& out) {
  llvm::SmallVector<Value> inputs = {in.x, in.rsqrt, in.multiplier};
  if (in.bias) inputs.push_back(in.bias);
  auto body = [&](Builder& b, mlir::ValueRange arguments) { return normBody(b, arguments, numbers, out); };
  return composite(b, numbers.centred ? kLayerNormInt8 : kRmsNormInt8, inputs, typeOf(in.x),
                   {{kAxis, typeOf(in.x).getRank() - 1},
                    {"input_zero_point", numbers.zero_point},
                    {"epsilon", numbers.epsilon},
                    {"shift", numbers.shift},
                    {"zero_point", out.zero_point},
                    {"low", out.low},
                    {"high", out.high}},
                   body);
}

}  // namespace tetrarch::tet
