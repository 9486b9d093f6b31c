#include "tetrarch/compile/target/npu/requantize.h"

#include <algorithm>
#include <cstring>

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Matchers.h"

namespace tetrarch::npu {
namespace {

using compile::TileAccess;
using compile::TileBuffer;
using compile::TileInput;
using mlir::Value;
namespace arith = mlir::arith;

using Columns = std::vector<int64_t>;

Status otherCode(std::string_view why) { return unimplemented("its sums are not requantised: {}", why); }

bool fits(int64_t value, int bits) {
  return value >= -(int64_t{1} << (bits - 1)) && value < int64_t{1} << (bits - 1);
}

int64_t elementAt(std::span<const std::byte> bytes, size_t index, size_t width) {
  int64_t value = 0;
  std::memcpy(&value, bytes.data() + index * width, width);
  const int shift = static_cast<int>(64 - 8 * width);
  return static_cast<int64_t>(static_cast<uint64_t>(value) << shift) >> shift;
}

// What an op that unpacks factors (compile/pack_factors.h) makes of numbers; nothing for other ops. Numbers
// are sign-extended from the width of their type.
std::optional<int64_t> evaluate(mlir::Operation* op, llvm::ArrayRef<int64_t> x) {
  const unsigned bits = op->getOperand(0).getType().getIntOrFloatBitWidth();
  const auto bitsOf = [&](int64_t value) {
    return static_cast<uint64_t>(value) & (bits == 64 ? ~uint64_t{0} : (uint64_t{1} << bits) - 1);
  };
  const auto wrapped = [&](uint64_t value) {
    return static_cast<int64_t>(value << (64 - bits)) >> (64 - bits);
  };
  if (mlir::isa<arith::ExtSIOp>(op)) return x[0];
  if (mlir::isa<arith::SelectOp>(op)) return x[0] != 0 ? x[1] : x[2];
  if (mlir::isa<arith::AndIOp>(op)) return x[0] & x[1];
  if (mlir::isa<arith::MaxSIOp>(op)) return std::max(x[0], x[1]);
  if (mlir::isa<arith::MinUIOp>(op)) return bitsOf(x[0]) < bitsOf(x[1]) ? x[0] : x[1];
  if (mlir::isa<arith::AddIOp>(op)) return wrapped(bitsOf(x[0]) + bitsOf(x[1]));
  if (mlir::isa<arith::SubIOp>(op)) return wrapped(bitsOf(x[0]) - bitsOf(x[1]));
  if (auto compare = mlir::dyn_cast<arith::CmpIOp>(op);
      compare && compare.getPredicate() == arith::CmpIPredicate::ult)
    return bitsOf(x[0]) < bitsOf(x[1]) ? -1 : 0;
  const bool shifts = mlir::isa<arith::ShLIOp, arith::ShRUIOp>(op);
  if (!shifts || bitsOf(x[1]) >= bits) return std::nullopt;
  return wrapped(mlir::isa<arith::ShLIOp>(op) ? bitsOf(x[0]) << x[1] : bitsOf(x[0]) >> x[1]);
}

// Values of a body that are known for each column, and the parts that are not.
class Reader {
 public:
  explicit Reader(const BodyOfColumns& body) : b_(body) {}
  Result<Requantization> read();

 private:
  const TileInput* inputOf(Value value) const {
    auto argument = mlir::dyn_cast<mlir::BlockArgument>(value);
    if (!argument || argument.getOwner() != b_.body.block) return nullptr;
    return argument.getArgNumber() < b_.body.inputs.size() ? &b_.body.inputs[argument.getArgNumber()]
                                                           : nullptr;
  }
  bool isSum(Value value) const {
    auto argument = mlir::dyn_cast<mlir::BlockArgument>(value);
    return argument && argument.getOwner() == b_.body.block &&
           static_cast<int>(argument.getArgNumber()) == b_.body.acc;
  }

  // ---- what is known ----
  std::optional<Columns> known(Value value) const {
    mlir::APInt constant;
    if (mlir::matchPattern(value, mlir::m_ConstantInt(&constant))) return splat(constant.getSExtValue());
    if (const TileInput* input = inputOf(value)) return knownInput(*input);
    mlir::Operation* op = value.getDefiningOp();
    if (!op || op->getNumOperands() == 0) return std::nullopt;
    std::vector<Columns> operands;
    for (Value operand : op->getOperands()) {
      if (!operand.getType().isInteger()) return std::nullopt;
      auto columns = known(operand);
      if (!columns) return std::nullopt;
      operands.push_back(*std::move(columns));
    }
    Columns results;
    for (int64_t c = 0; c < all(); ++c) {
      llvm::SmallVector<int64_t, 3> x;
      for (const Columns& columns : operands) x.push_back(columns[c]);
      const auto result = evaluate(op, x);
      if (!result) return std::nullopt;
      results.push_back(*result);
    }
    return results;
  }
  int64_t all() const { return b_.groups * b_.columns; }
  Columns splat(int64_t value) const { return Columns(all(), value); }
  std::optional<Columns> knownInput(const TileInput& input) const {
    if (auto* attribute = std::get_if<mlir::TypedAttr>(&input)) {
      auto integer = mlir::dyn_cast<mlir::IntegerAttr>(*attribute);
      return integer ? std::optional(splat(integer.getInt())) : std::nullopt;
    }
    auto* access = std::get_if<TileAccess>(&input);
    if (!access || access->panel_dim >= 0) return std::nullopt;
    const TileBuffer& buffer = b_.plan.buffers[access->buffer];
    if (buffer.kind != TileBuffer::Kind::kOperand || buffer.index >= b_.task.constants.size())
      return std::nullopt;
    const std::span<const std::byte> bytes = b_.task.constants[buffer.index];
    if (bytes.empty() || !buffer.element.isInteger()) return std::nullopt;
    for (size_t d = 0; d < access->strides.size(); ++d) {
      const bool varies = d == b_.column_dim || static_cast<int>(d) == b_.group_dim;
      if (access->strides[d] != 0 && !varies) return std::nullopt;
    }
    const auto strideOf = [&](size_t dim) { return dim < access->strides.size() ? access->strides[dim] : 0; };
    const int64_t stride = strideOf(b_.column_dim);
    const int64_t group_stride = b_.group_dim < 0 ? 0 : strideOf(static_cast<size_t>(b_.group_dim));
    const size_t width = (buffer.element.getIntOrFloatBitWidth() + 7) / 8;
    Columns columns;
    for (int64_t c = 0; c < all(); ++c) {
      const int64_t at = c / b_.columns * group_stride + c % b_.columns * stride;
      columns.push_back(elementAt(bytes, access->offset + at, width));
    }
    return columns;
  }
  // A number that is the same for all columns.
  std::optional<int64_t> scalar(Value value) const {
    const auto columns = known(value);
    if (!columns || std::ranges::adjacent_find(*columns, std::ranges::not_equal_to()) != columns->end())
      return std::nullopt;
    return columns->front();
  }

  // ---- shapes of code ----
  template <typename Op>
  static std::pair<Value, Value> operandsOf(Value value) {
    auto op = value ? value.getDefiningOp<Op>() : Op();
    return op ? std::pair(op->getOperand(0), op->getOperand(1)) : std::pair<Value, Value>();
  }
  // `x <Op> known`, in either order of the operands for ops that commute.
  template <typename Op>
  std::optional<std::pair<Value, Columns>> withKnown(Value value) const {
    auto [a, b] = operandsOf<Op>(value);
    if (!a) return std::nullopt;
    if (auto columns = known(b)) return std::pair(a, *columns);
    if (auto columns = known(a); columns && value.getDefiningOp()->hasTrait<mlir::OpTrait::IsCommutative>())
      return std::pair(b, *columns);
    return std::nullopt;
  }

  struct Rounded {
    Value product;
    Columns shift;
  };
  // rne(product, shift), as graph/quantized.cpp writes it: (p + half - 1 + (p >> s & 1)) >> s.
  std::optional<Rounded> rounded(Value value) const;
  Status readSum(const Rounded& r, Requantization& out) const;
  Status readOther(const Rounded& r, Requantization& out) const;
  Status readAddends(Value value, Requantization& out) const;
  static Status check(const Requantization& r);

  const BodyOfColumns& b_;
};

std::optional<Reader::Rounded> Reader::rounded(Value value) const {
  const auto shifted = withKnown<arith::ShRSIOp>(value);
  if (!shifted) return std::nullopt;
  auto [left, right] = operandsOf<arith::AddIOp>(shifted->first);
  if (!left) return std::nullopt;
  for (auto [biased, odd] : {std::pair(left, right), std::pair(right, left)}) {
    const auto half = withKnown<arith::AddIOp>(biased);
    const auto bit = withKnown<arith::AndIOp>(odd);
    const auto above = bit ? withKnown<arith::ShRSIOp>(bit->first) : std::nullopt;
    if (!half || !above || above->first != half->first || above->second != shifted->second) continue;
    for (int64_t c = 0; c < all(); ++c) {
      const int64_t shift = shifted->second[c];
      if (shift < 1 || shift > 62 || bit->second[c] != 1 ||
          half->second[c] != (int64_t{1} << (shift - 1)) - 1)
        return std::nullopt;
    }
    return Rounded{half->first, shifted->second};
  }
  return std::nullopt;
}

Status Reader::readSum(const Rounded& r, Requantization& out) const {
  const auto product = withKnown<arith::MulIOp>(r.product);
  if (!product) return otherCode("a factor that is not known");
  out.multiplier = product->second;
  out.shift = r.shift;
  Value sum = product->first;
  out.bias = splat(0);
  if (const auto biased = withKnown<arith::AddIOp>(sum)) sum = biased->first, out.bias = biased->second;
  auto wide = sum.getDefiningOp<arith::ExtSIOp>();
  if (!wide || !isSum(wide.getIn())) return otherCode("something else than the sum is scaled");
  return {};
}

Status Reader::readOther(const Rounded& r, Requantization& out) const {
  const auto product = withKnown<arith::MulIOp>(r.product);
  if (!product) return otherCode("a factor of the other addend that is not known");
  Requantization::Other other;
  Value value = product->first;
  Columns zero = splat(0);
  if (const auto difference = withKnown<arith::SubIOp>(value)) {
    value = difference->first, zero = difference->second;
  } else if (const auto sum = withKnown<arith::AddIOp>(value)) {
    value = sum->first, zero = sum->second;
    for (int64_t& z : zero) z = -z;
  }
  auto wide = value.getDefiningOp<arith::ExtSIOp>();
  const TileInput* input = wide ? inputOf(wide.getIn()) : nullptr;
  const auto* access = input ? std::get_if<TileAccess>(input) : nullptr;
  if (!access || !wide.getIn().getType().isInteger(8))
    return otherCode("the other addend is no tensor of bytes");
  const auto same = [](const Columns& c) {
    return std::ranges::all_of(c, [&](int64_t v) { return v == c[0]; });
  };
  if (!same(zero) || !same(product->second) || !same(r.shift)) {
    return otherCode("the other addend has factors of its own for each column");
  }
  other.access = *access;
  other.zero_point = zero[0], other.multiplier = product->second[0], other.shift = r.shift[0];
  out.other = std::move(other);
  return {};
}

Status Reader::readAddends(Value value, Requantization& out) const {
  if (const auto sum = rounded(value)) return readSum(*sum, out);
  auto [a, b] = operandsOf<arith::AddIOp>(value);
  const auto first = a ? rounded(a) : std::nullopt, second = b ? rounded(b) : std::nullopt;
  if (!first || !second) return otherCode("no rounding shift by numbers that are known when compiling");
  if (readSum(*first, out).ok()) return readOther(*second, out);
  TET_RETURN_IF_ERROR(readSum(*second, out));
  return readOther(*first, out);
}

Status Reader::check(const Requantization& r) {
  for (size_t c = 0; c < r.bias.size(); ++c) {
    if (!fits(r.bias[c], 32) || !fits(r.multiplier[c], 16)) {
      return unimplemented("column {} has bias {} and multiplier {}: the NPU has 32 and 16 bits for them", c,
                           r.bias[c], r.multiplier[c]);
    }
  }
  if (!fits(r.zero_point, 16) || !fits(r.low, 16) || !fits(r.high, 16)) {
    return unimplemented("zero point {} and limits {}, {}: the NPU has 16 bits for them", r.zero_point, r.low,
                         r.high);
  }
  if (r.other && (!fits(r.other->zero_point, 8) || !fits(r.other->multiplier, 16) || r.other->shift > 31)) {
    return unimplemented(
        "the other addend has zero point {}, multiplier {} and shift {}: the NPU has 8, 16 and 5 "
        "bits for them",
        r.other->zero_point, r.other->multiplier, r.other->shift);
  }
  return {};
}

Result<Requantization> Reader::read() {
  Requantization out;
  Value value = b_.body.block->getTerminator()->getOperand(0);
  auto narrow = value.getDefiningOp<arith::TruncIOp>();
  if (!narrow || !value.getType().isInteger(8)) return propagate(otherCode("the result is no byte"));
  const auto capped = withKnown<arith::MinSIOp>(narrow.getIn());
  const auto floored = capped ? withKnown<arith::MaxSIOp>(capped->first) : std::nullopt;
  if (!floored) return propagate(otherCode("it is not clipped"));
  out.high = capped->second[0], out.low = floored->second[0];
  value = floored->first;
  const auto shifted = withKnown<arith::AddIOp>(value);
  if (shifted && !rounded(value)) value = shifted->first, out.zero_point = shifted->second[0];
  TET_RETURN_IF_ERROR(readAddends(value, out));
  TET_RETURN_IF_ERROR(check(out));
  return out;
}

}  // namespace

Result<Requantization> readRequantization(const BodyOfColumns& body) { return Reader(body).read(); }

std::vector<std::byte> parameterRows(const Requantization& r, int64_t side, int64_t width) {
  const auto columns = static_cast<int64_t>(r.bias.size());
  const int64_t pairs = (width + side - 1) / side;  // of rows, for each `width` columns
  std::vector<uint32_t> words((columns + width - 1) / width * pairs * 2 * side);
  for (int64_t c = 0; c < columns; ++c) {
    const int64_t at = c % width;
    uint32_t* row = &words[(c / width * pairs + at / side) * 2 * side + at % side];
    row[0] = static_cast<uint32_t>(r.bias[c]);
    row[side] = static_cast<uint32_t>(r.multiplier[c] & 0xffff) | static_cast<uint32_t>(r.shift[c]) << 16;
  }
  const auto bytes = std::as_bytes(std::span(words));
  return {bytes.begin(), bytes.end()};
}

}  // namespace tetrarch::npu
