#include "tetrarch/compile/target/cpu/dot_product.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

namespace tetrarch::compile::cpu {
namespace {

using mlir::Location;
using mlir::OpBuilder;
using mlir::Value;
using mlir::VectorType;

constexpr int64_t kColumns = 16;  // of a panel

Value call(OpBuilder& b, Location loc, const char* intrinsic, mlir::Type result, mlir::ValueRange arguments) {
  return mlir::LLVM::CallIntrinsicOp::create(b, loc, result, b.getStringAttr(intrinsic), arguments)
      .getResults();
}

// The word at every place of a vector of bytes.
Value repeat(OpBuilder& b, Location loc, Value word, int64_t words) {
  Value all = mlir::vector::BroadcastOp::create(b, loc, VectorType::get({words}, word.getType()), word);
  return mlir::vector::BitCastOp::create(b, loc, VectorType::get({4 * words}, b.getI8Type()), all);
}

// For each of `lanes` columns from `first` on, its bytes of `count` rows from `row` on.
Value gatherColumns(OpBuilder& b, Location loc, Value panel, int64_t first, int64_t lanes, int64_t row,
                    int64_t count) {
  llvm::SmallVector<int64_t> from;
  for (int64_t n = first; n < first + lanes; ++n) {
    for (int64_t k = row; k < row + count; ++k) from.push_back(k * kColumns + n);
  }
  return mlir::vector::ShuffleOp::create(b, loc, panel, panel, from);
}

class FourBytes : public TileDot {
 public:
  explicit FourBytes(const char* intrinsic) : intrinsic_(intrinsic) { left_offset = 128; }

  Values left(OpBuilder& b, Location loc, Value word, int64_t lanes) const override {
    return {repeat(b, loc, word, lanes)};
  }
  Values right(OpBuilder& b, Location loc, Value panel, int64_t first, int64_t lanes) const override {
    return {gatherColumns(b, loc, panel, first, lanes, 0, 4)};
  }
  Value add(OpBuilder& b, Location loc, Value acc, const Values& left, const Values& right) const override {
    return call(b, loc, intrinsic_, acc.getType(), {acc, left[0], right[0]});
  }

 private:
  const char* intrinsic_;
};

// Bytes widened to 16 bits; two rows of k at once.
class MultiplyPairs : public TileDot {
 public:
  explicit MultiplyPairs(const char* intrinsic) : intrinsic_(intrinsic) {
    left_registers = right_registers = 2;
  }

  Values left(OpBuilder& b, Location loc, Value word, int64_t lanes) const override {
    // Half the lanes have all four bytes each; a shuffle of words then spreads either pair over its 16 bytes.
    Value bytes = repeat(b, loc, word, lanes / 2);
    Value wide = extend(b, loc, bytes);
    Values pairs;
    for (int64_t pair : {0, 2}) {
      llvm::SmallVector<int64_t> from;
      for (int64_t i = 0; i < 2 * lanes; ++i) from.push_back(i / 4 * 4 + pair + i % 2);
      pairs.push_back(mlir::vector::ShuffleOp::create(b, loc, wide, wide, from));
    }
    return pairs;
  }
  Values right(OpBuilder& b, Location loc, Value panel, int64_t first, int64_t lanes) const override {
    return {extend(b, loc, gatherColumns(b, loc, panel, first, lanes, 0, 2)),
            extend(b, loc, gatherColumns(b, loc, panel, first, lanes, 2, 2))};
  }
  Value add(OpBuilder& b, Location loc, Value acc, const Values& left, const Values& right) const override {
    for (auto [x, y] : llvm::zip(left, right)) {
      Value products = call(b, loc, intrinsic_, acc.getType(), {x, y});
      acc = mlir::arith::AddIOp::create(b, loc, acc, products);
    }
    return acc;
  }

 private:
  static Value extend(OpBuilder& b, Location loc, Value bytes) {
    auto type = mlir::cast<VectorType>(bytes.getType());
    return mlir::arith::ExtSIOp::create(b, loc, type.clone(b.getI16Type()), bytes);
  }

  const char* intrinsic_;
};

}  // namespace

const TileDot& dotProduct(DotInstruction instruction, int64_t vector_bytes) {
  static const FourBytes four_bytes_32("llvm.x86.avx512.vpdpbusd.256"),
      four_bytes_64("llvm.x86.avx512.vpdpbusd.512");
  static const MultiplyPairs pairs_32("llvm.x86.avx2.pmadd.wd"), pairs_64("llvm.x86.avx512.pmaddw.d.512");
  const bool is_wide = vector_bytes == 64;
  if (instruction == DotInstruction::kFourBytes) return is_wide ? four_bytes_64 : four_bytes_32;
  return is_wide ? pairs_64 : pairs_32;
}

}  // namespace tetrarch::compile::cpu
