// Grows random graphs, one op at a time. Private to random_graph.
#pragma once

#include <random>

#include "mlir/IR/Builders.h"
#include "tetrarch/base/tensor.h"
#include "tetrarch/graph/tet.h"
#include "tetrarch/graph/types.h"

namespace tetrarch::tet {

using llvm::SmallVector;
using mlir::Value;
using Dims = llvm::ArrayRef<int64_t>;

// Grows a graph by one op at a time. Each rule picks its operands among the values so far, and gives null
// when the values it picked do not suit it.
class Grower {
 public:
  // `indices`: an i64 argument with at least one element, whose elements are in [0, 8).
  Grower(mlir::OpBuilder& builder, unsigned seed, int64_t largest_dim)
      : builder_(builder), loc_(builder.getUnknownLoc()), random_(seed), largest_dim_(largest_dim) {}
  void setIndices(Value indices) { indices_ = indices; }

  void addValue(Value value) { values_.push_back(value); }
  const std::vector<Value>& values() const { return values_; }
  void grow();
  Shape randomShape() {
    Shape shape(below(5));
    for (int64_t& dim : shape) dim = 1 + below(shape.size() > 3 ? 6 : largest_dim_);
    return shape;
  }

 private:
  using Rule = Value (Grower::*)();
  static const Rule kRules[];

  int64_t below(int64_t limit) { return std::uniform_int_distribution<int64_t>(0, limit - 1)(random_); }
  Value pick() { return values_[below(std::ssize(values_))]; }
  Dims shape(Value v) { return llvm::cast<mlir::RankedTensorType>(v.getType()).getShape(); }
  int64_t rank(Value v) { return std::ssize(shape(v)); }
  // A constant of the shape with small random values.
  Value weights(Shape shape);

  template <typename Op>
  Value make(Value operand) {
    return Op::create(builder_, loc_, operand);
  }

  Value unary();
  Value binary();
  Value select();
  Value broadcast();
  Value flatten();
  Value transpose();
  Value reverse();
  Value slice();
  Value pad();
  Value concatenate();
  Value matmul();
  Value convolution();
  Value reduce();
  Value pool();
  Value gatherRows();
  Value softmax();
  Value split();
  Value clamp();
  Value rotate();
  Value upsample();
  Value position();
  Value inDouble();
  Value integers();
  Value likeness();
  Value attention();
  Value groupedConvolution();
  Value normalize();
  Value reduceSeveral();
  Value averagePool();
  Value cumulative();
  Value sort();
  Value gatherByInput();
  Value takeBlock();
  Value putBlock();
  Value scatterRows();

  // x over the sum of squares and such, by way of reductions over the dimensions from `first` on.
  Value reduced(ReductionKind kind, Value x, Dims dims);
  Value spread(Value x, Value like, Dims over);

  mlir::OpBuilder& builder_;
  mlir::Location loc_;
  std::mt19937 random_;
  int64_t largest_dim_;
  std::vector<Value> values_;
  Value indices_;
};

}  // namespace tetrarch::tet
