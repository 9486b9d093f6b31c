// Sums of products with weights that the model holds: the weights lie in ROMs, and what is summed in one
// iteration is a tree of adders, without multipliers where the weights are -1, 0 and 1.
#include "llvm/ADT/bit.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Matchers.h"
#include "tetrarch/compile/target/fpga/nest_kernel.h"

namespace tetrarch::fpga {
namespace {

namespace arith = mlir::arith;
using compile::TileAccess;
using compile::TileBuffer;
using llvm::APInt;
using llvm::ArrayRef;
using llvm::SmallVector;
using mlir::Value;
using Role = Dim::Role;

// Weights take no more of the chip's RAM than this share.
constexpr int64_t kWeightsShare = 2;

int64_t bytesOf(mlir::Type type) { return std::max<int64_t>(1, type.getIntOrFloatBitWidth() / 8); }

// An element as it lies in memory, little-endian.
APInt elementAt(std::span<const std::byte> bytes, mlir::Type type, int64_t number) {
  const int64_t size = bytesOf(type);
  uint64_t bits = 0;
  for (int64_t i = size; i-- > 0;)
    bits = bits << 8 | static_cast<uint64_t>(bytes[static_cast<size_t>(number * size + i)]);
  return APInt(64, bits).trunc(type.getIntOrFloatBitWidth());
}

bool isTernary(ArrayRef<APInt> values) {
  return llvm::all_of(values, [](const APInt& v) { return v.isZero() || v.isOne() || v.isAllOnes(); });
}

mlir::TypedAttr attributeOf(mlir::Type type, const APInt& bits) {
  if (auto real = mlir::dyn_cast<mlir::FloatType>(type))
    return mlir::FloatAttr::get(type, llvm::APFloat(real.getFloatSemantics(), bits));
  return mlir::IntegerAttr::get(type, bits);
}

mlir::DenseElementsAttr dataOf(mlir::Type type, ArrayRef<APInt> values) {
  SmallVector<mlir::Attribute> attributes;
  for (const APInt& value : values) attributes.push_back(attributeOf(type, value));
  return mlir::DenseElementsAttr::get(
      mlir::RankedTensorType::get({static_cast<int64_t>(values.size())}, type), attributes);
}

Value withoutExtensions(Value value) {
  while (auto extended = value.getDefiningOp<arith::ExtSIOp>()) value = extended.getIn();
  return value;
}

// The ROM's lanes that say of a weight of -1, 0 or 1 whether it is not 0 and whether it is negative, when the
// value is such a weight.
struct TernaryWeight {
  flow::LoadOp counts, negates;
};
std::optional<TernaryWeight> ternaryWeight(Value value) {
  auto both = withoutExtensions(value).getDefiningOp<arith::OrIOp>();
  if (!both) return std::nullopt;
  auto negates = both.getLhs().getDefiningOp<arith::ExtSIOp>();
  auto counts = both.getRhs().getDefiningOp<arith::ExtUIOp>();
  if (!negates || !counts) return std::nullopt;
  TernaryWeight weight{counts.getIn().getDefiningOp<flow::LoadOp>(),
                       negates.getIn().getDefiningOp<flow::LoadOp>()};
  if (!weight.counts || !weight.negates || !counts.getIn().getType().isInteger(1)) return std::nullopt;
  return weight;
}

// The factors of `zero + a * b`, the second of them a weight where one is.
std::optional<std::pair<Value, Value>> productOf(Value term, Value zero) {
  auto sum = term.getDefiningOp<arith::AddIOp>();
  if (!sum || (sum.getLhs() != zero && sum.getRhs() != zero)) return std::nullopt;
  auto product = (sum.getLhs() == zero ? sum.getRhs() : sum.getLhs()).getDefiningOp<arith::MulIOp>();
  if (!product) return std::nullopt;
  const Value left = product.getLhs(), right = product.getRhs();
  const bool swaps = ternaryWeight(left) || mlir::matchPattern(withoutExtensions(left), mlir::m_Constant());
  return swaps ? std::pair(right, left) : std::pair(left, right);
}

}  // namespace

// --- weights
// ------------------------------------------------------------------------------------------------------------

std::span<const std::byte> NestKernel::constantOf(unsigned buffer) const {
  const TileBuffer& tensor = plan_.buffers[buffer];
  if (tensor.kind != TileBuffer::Kind::kOperand || tensor.index >= task_.constants.size()) return {};
  return task_.constants[tensor.index];
}

bool NestKernel::isResident(const TileAccess& access, const StageLoops& loops) const {
  if (!resident_ || constantOf(access.buffer).empty()) return false;
  for (size_t d = 0; d < loops.dims.size(); ++d) {
    if (loops.dims[d].role == Role::Unit && access.strides[d] != 0) return false;
  }
  const int64_t bits = elementOf(access.buffer).getIntOrFloatBitWidth();
  return bits * wordsOf(access, loops).elements() <=
         part_.has.block_rams * part_.block_ram_bits / kWeightsShare;
}

Value NestKernel::rom(int64_t words, int64_t lanes, mlir::Type type, ArrayRef<APInt> values) {
  mlir::OpBuilder::InsertionGuard guard(b_);
  b_.restoreInsertionPoint(network_);
  return flow::MemoryOp::create(b_, loc_, flow::MemoryType::get(b_.getContext(), words, lanes, type),
                                dataOf(type, values));
}

NestKernel::Source NestKernel::resident(const TileAccess& access, const StageLoops& loops) {
  const Words words = wordsOf(access, loops);
  const mlir::Type element = elementOf(access.buffer);
  SmallVector<APInt> values;
  for (int64_t i = 0; i < words.elements(); ++i)
    values.push_back(elementAt(constantOf(access.buffer), element, access.offset + words.placeOf(i)));
  if (words.words == 1) {  // no loop chooses: wires
    return [this, words, values, element, &loops](ArrayRef<int64_t> copy) -> Value {
      return arith::ConstantOp::create(b_, loc_, attributeOf(element, values[words.laneOf(loops, copy)]));
    };
  }
  const auto integer = mlir::dyn_cast<mlir::IntegerType>(element);
  const bool is_ternary = integer && integer.getWidth() > 1 && isTernary(values);
  unsigned width = element.getIntOrFloatBitWidth();
  if (integer && !is_ternary) {
    width = 1;
    for (const APInt& value : values) width = std::max(width, value.getSignificantBits());
  }
  SmallVector<APInt> stored;
  for (const APInt& value : values) {
    if (is_ternary)
      stored.append({APInt(1, !value.isZero()), APInt(1, value.isNegative())});
    else
      stored.push_back(value.trunc(width));
  }
  const int64_t each = is_ternary ? 2 : 1;
  const mlir::Type type = is_ternary ? b_.getI1Type() : integer ? b_.getIntegerType(width) : element;
  Value memory = rom(words.words, each * words.lanes, type, stored);
  return [=, this, &loops](ArrayRef<int64_t> copy) -> Value {
    const SmallVector<int64_t> nowhere(loops.dims.size(), 0);
    Value address = affine(words.access, loops, nowhere, b_.getI32Type());
    const int64_t lane = each * words.laneOf(loops, copy);
    Value loaded = flow::LoadOp::create(b_, loc_, type, memory, address, lane);
    if (!is_ternary) return type == element ? loaded : arith::ExtSIOp::create(b_, loc_, element, loaded);
    Value negates = flow::LoadOp::create(b_, loc_, type, memory, address, lane + 1);
    return arith::OrIOp::create(b_, loc_, arith::ExtSIOp::create(b_, loc_, element, negates),
                                arith::ExtUIOp::create(b_, loc_, element, loaded));
  };
}

// --- sums
// ---------------------------------------------------------------------------------------------------------------

// Whether integers are summed, in whatever order.
bool NestKernel::sumsIntegers(const compile::TileNest& nest) const {
  if (nest.outputs.size() != 1) return false;
  const auto combiner = compile::findCombiner(*nest.body.block, 0, 1);
  return combiner && combiner->kind == mlir::vector::CombiningKind::ADD &&
         mlir::isa<mlir::IntegerType>(combiner->op->getResult(0).getType());
}

// What x is worth beside a weight: x, 0 or ~x, to which -x lacks 1.
Value NestKernel::gated(Value x, flow::LoadOp counts, flow::LoadOp negates, mlir::Type sum) {
  if (auto extended = x.getDefiningOp<arith::ExtSIOp>()) {
    x = extended.getIn();
  } else if (auto zeros = x.getDefiningOp<arith::ExtUIOp>()) {  // a bit for the sign
    const unsigned width = zeros.getIn().getType().getIntOrFloatBitWidth();
    x = arith::ExtUIOp::create(b_, loc_, b_.getIntegerType(width + 1), zeros.getIn());
  }
  const mlir::Type type = x.getType();
  const auto all = [&](Value bit) -> Value {
    return type == bit.getType() ? bit : arith::ExtSIOp::create(b_, loc_, type, bit);
  };
  Value gated = arith::AndIOp::create(b_, loc_, x, all(counts));
  gated = arith::XOrIOp::create(b_, loc_, gated, all(negates));
  return type == sum ? gated : arith::ExtSIOp::create(b_, loc_, sum, gated);
}

// How many of these lanes of a word are 1.
Value NestKernel::countOf(SmallVector<flow::LoadOp> loads, mlir::Type sum) {
  auto memory = loads[0].getMemory().getDefiningOp<flow::MemoryOp>();
  const flow::MemoryType type = memory.getType();
  const auto bits = llvm::to_vector(memory.getData()->getValues<bool>());
  SmallVector<int64_t> counts(type.getDepth(), 0);
  for (int64_t word = 0; word < type.getDepth(); ++word) {
    for (flow::LoadOp load : loads) counts[word] += bits[word * type.getLanes() + load.getLane()];
  }
  const unsigned width =
      llvm::bit_width(static_cast<uint64_t>(std::max<int64_t>(1, *llvm::max_element(counts))));
  const mlir::Type stored = b_.getIntegerType(width);
  SmallVector<APInt> values;
  for (int64_t count : counts) values.emplace_back(width, count);
  Value count = flow::LoadOp::create(b_, loc_, stored, rom(type.getDepth(), 1, stored, values),
                                     loads[0].getAddress(), 0);
  return stored == sum ? count : arith::ExtUIOp::create(b_, loc_, sum, count);
}

Value NestKernel::tree(SmallVector<Value> values) {
  while (values.size() > 1) {
    SmallVector<Value> sums;
    for (size_t i = 0; i + 1 < values.size(); i += 2)
      sums.push_back(arith::AddIOp::create(b_, loc_, values[i], values[i + 1]));
    if (values.size() % 2 == 1) sums.push_back(values.back());
    values = std::move(sums);
  }
  return values.front();
}

// A sum and what all copies of its step add to it.
Value NestKernel::sum(const StageLoops& loops, ArrayRef<Source> inputs, Value start, ArrayRef<int64_t> copy) {
  const mlir::Type type = start.getType();
  Value zero = arith::ConstantOp::create(b_, loc_, b_.getIntegerAttr(type, 0));
  SmallVector<Value> added, subtracted;
  SmallVector<flow::LoadOp> negates;
  for (const auto& step : loops.copies(/*reduction=*/true)) {
    std::vector<int64_t> at = copy;
    for (size_t d = 0; d < at.size(); ++d) at[d] += step[d];
    const Value term = body(loops.nest.body, loops, 0, inputs, zero, at).front();
    const auto product = productOf(term, zero);
    if (!product) {
      added.push_back(term);
    } else if (const auto weight = ternaryWeight(product->second)) {
      added.push_back(gated(product->first, weight->counts, weight->negates, type));
      negates.push_back(weight->negates);
    } else if (mlir::APInt constant;
               mlir::matchPattern(withoutExtensions(product->second), mlir::m_ConstantInt(&constant)) &&
               isTernary(constant)) {
      if (!constant.isZero()) (constant.isNegative() ? subtracted : added).push_back(product->first);
    } else {
      added.push_back(term);
    }
  }
  if (!negates.empty()) added.push_back(countOf(std::move(negates), type));
  if (!added.empty()) start = arith::AddIOp::create(b_, loc_, start, tree(added));
  if (!subtracted.empty()) start = arith::SubIOp::create(b_, loc_, start, tree(subtracted));
  return start;
}

// What the accumulators hold after all copies of a step.
SmallVector<Value> NestKernel::reduce(const StageLoops& loops, ArrayRef<Source> inputs,
                                      SmallVector<Value> values, ArrayRef<int64_t> copy) {
  if (loops.nest.reduces() && sumsIntegers(loops.nest)) return {sum(loops, inputs, values[0], copy)};
  for (const auto& step : loops.copies(/*reduction=*/true)) {
    std::vector<int64_t> at = copy;
    for (size_t d = 0; d < at.size(); ++d) at[d] += step[d];
    values = body(loops.nest.body, loops, 0, inputs, values, at);
  }
  return values;
}

}  // namespace tetrarch::fpga
