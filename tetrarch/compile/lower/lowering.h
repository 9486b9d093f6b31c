// The body of a task: from ops of the graph to linalg, tensor, arith, math and scf on storage types.
//
// A Lowering turns the values of one block into tensors on demand. Ops come in two sorts:
//   inlined   elementwise ops, broadcasts, transposes, gathers, iota and splats have no tensor of their
//             own: a chain of them becomes part of the body of the one linalg.generic that needs it
//             (GenericBuilder::expression);
//   the rest  has a row in lowerings.def: contractions, reductions, concatenations, … make tensors.
// An inlined value becomes a tensor after all where it is a result, where an op of the second sort reads it,
// and where computing it again would cost more than keeping it.
#pragma once

#include <optional>

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/DenseSet.h"
#include "mlir/IR/AffineMap.h"
#include "tetrarch/compile/lower/payload.h"

namespace tetrarch::compile {

using Dims = llvm::SmallVector<int64_t>;
using Maps = llvm::SmallVector<mlir::AffineMap>;
using Values = llvm::SmallVector<mlir::Value>;

// A tensor that holds a value of the graph: of the storage type, or, when `sum` is set, of that wider type,
// still to be rounded to the value's element type.
struct Leaf {
  mlir::Value tensor;
  mlir::Type sum;
};

// Where to read a value: a tensor and the map from loop dimensions to its indices.
struct Access {
  mlir::Value tensor;
  mlir::AffineMap map;
  mlir::Type sum;
};

inline mlir::RankedTensorType typeOf(mlir::Value tensor) {
  return llvm::cast<mlir::RankedTensorType>(tensor.getType());
}
inline mlir::Type elementOf(mlir::Value tensor) { return typeOf(tensor).getElementType(); }
inline llvm::ArrayRef<int64_t> shapeOf(mlir::Value tensor) { return typeOf(tensor).getShape(); }

class Lowering {
 public:
  // Ops are appended at the builder's insertion point.
  explicit Lowering(Builder& builder) : b(builder) {}

  // Declares that `tensor`, of storage type, holds `value`.
  void bind(mlir::Value value, mlir::Value tensor, mlir::Type sum = {}) { leaves_[value] = {tensor, sum}; }
  // Lowers the ops of a block whose arguments are bound; `results` get the terminator's operands as storage
  // tensors. On failure a diagnostic has been emitted on the op to blame.
  mlir::LogicalResult lowerBlock(mlir::Block& block, Values& results);

  // The value as a tensor of storage type.
  mlir::Value tensor(mlir::Value value);
  // The value where it is easiest to read: through transposes, and unit dimensions added or taken, of a
  // tensor.
  Access read(mlir::Value value, mlir::AffineMap map);
  bool isInlined(mlir::Value value) const;
  // A tensor of the value's storage type that nothing else reads, made by one parallel loop.
  mlir::Value ownTensor(mlir::Value value) { return ownTensors(value).front(); }
  // The same of values of one shape, made by one loop together.
  Values ownTensors(llvm::ArrayRef<mlir::Value> values);
  // Whether loops of their own would compute something of both values, not only read it.
  bool shareArithmetic(mlir::Value a, mlir::Value b) const;
  // Single element of a 0-D value, computed, outside of any loop.
  mlir::Value scalar(mlir::Value value);
  // The bound tensors, for a nested region: `child` sees all that is known here.
  void shareWith(Lowering& child) const { child.leaves_ = leaves_; }
  // Makes tensors of all values from outside that the op's regions use.
  void materializeCaptures(mlir::Operation* op);

  Builder& b;

 private:
  friend class GenericBuilder;

  void planTensors(mlir::Block& block);
  Leaf leaf(mlir::Value value);
  void materialize(llvm::ArrayRef<mlir::Value> values);
  void collectArithmetic(mlir::Value value, llvm::DenseSet<mlir::Operation*>& found) const;
  Values computeSideBySide(llvm::ArrayRef<mlir::Value> values);

  llvm::DenseMap<mlir::Value, Leaf> leaves_;
  llvm::DenseSet<mlir::Value> kept_;  // inlined values that get a tensor
};

// Writes one linalg.generic: operands, expressions and outputs in any order, then finish().
class GenericBuilder {
 public:
  // `extents` of all loops; the first `parallel` of them are parallel, the rest reductions.
  GenericBuilder(Lowering& lowering, llvm::ArrayRef<int64_t> extents, int64_t parallel);
  ~GenericBuilder();

  // Element map(loop indices) of the value, computed.
  mlir::Value expression(mlir::Value value, mlir::AffineMap map);
  // The same for a value that this loop is to make a tensor of.
  mlir::Value root(mlir::Value value, mlir::AffineMap map);
  // The stored element of a value that is nothing but data moved from a tensor; null where it is computed.
  mlir::Value moved(mlir::Value value, mlir::AffineMap map, bool is_root = true);
  // The element at an access, computed.
  mlir::Value load(const Access& access, mlir::Type element);
  // The element of a tensor as it is stored.
  mlir::Value operand(mlir::Value tensor, mlir::AffineMap map);
  // An output starting from `init`; returns its current element.
  mlir::Value output(mlir::Value init, mlir::AffineMap map);
  llvm::SmallVector<mlir::Value> finish(mlir::ValueRange yielded);

  Builder& body() { return body_; }
  // A loop's index, or a constant.
  mlir::Value index(mlir::AffineExpr expr);
  Lowering& lowering() { return lowering_; }

 private:
  mlir::Value inlineOp(mlir::Operation* op, mlir::AffineMap map);
  void bindAllLoops();

  Lowering& lowering_;
  Dims extents_;
  int64_t parallel_;
  mlir::Block* block_;
  Builder body_;
  Values inputs_, outputs_;
  Maps input_maps_, output_maps_;
  llvm::DenseMap<std::pair<mlir::Value, mlir::AffineMap>, mlir::Value> memo_, operands_;
};

// Tensors.
mlir::Value emptyTensor(Builder& b, llvm::ArrayRef<int64_t> shape, mlir::Type element);
// Filled with a scalar of the element type.
mlir::Value filledTensor(Builder& b, llvm::ArrayRef<int64_t> shape, mlir::Value scalar);
// Of the storage type, filled with a computed scalar of the graph's `element` type.
mlir::Value filledStorage(Builder& b, llvm::ArrayRef<int64_t> shape, mlir::Value computed,
                          mlir::Type element);
// The tensor copied into the buffer of `target`, as loops want of what they carry: each value stays in its
// own buffer.
mlir::Value copyInto(Builder& b, mlir::Value tensor, mlir::Value target);
// Low, high and interior padding with a scalar of the tensor's element type; negative low and high take away.
mlir::Value padTensor(Builder& b, mlir::Value tensor, llvm::ArrayRef<int64_t> low,
                      llvm::ArrayRef<int64_t> high, llvm::ArrayRef<int64_t> interior, mlir::Value scalar);
mlir::Value sliceTensor(Builder& b, mlir::Value tensor, llvm::ArrayRef<int64_t> starts,
                        llvm::ArrayRef<int64_t> sizes, llvm::ArrayRef<int64_t> strides);
// A computed integer of the graph's `element` type, brought into [0, last] and made an index.
mlir::Value clampedIndex(Builder& b, mlir::Value number, mlir::Type element, int64_t last);
// The map that reads the operand of a broadcast, transpose or unit reshape where the result is read at `map`.
// Nullopt when the op moves data in another way.
std::optional<mlir::AffineMap> operandMap(mlir::Operation* op, mlir::AffineMap map);
// Gather and dynamic_slice: an element of operand 0, at a place that the other operands tell.
bool readsByIndex(mlir::Operation* op);
// A reshape that only adds or takes dimensions of size 1.
bool movesNothing(tet::ReshapeOp op);
// Numbers that count up from any start: an iota, or one to which the same is added everywhere.
bool isCounting(mlir::Operation* op);
// The stored element of such an op's result at `map`.
mlir::Value elementByIndex(GenericBuilder& generic, mlir::Operation* op, mlir::AffineMap map);

// The splat constant's element, or null.
mlir::Attribute splatOf(mlir::Value value);

// A map from `loops` dimensions to those of `dims`; -1 reads index 0.
mlir::AffineMap dimMap(mlir::MLIRContext* context, int64_t loops, llvm::ArrayRef<int64_t> dims);
Dims countFrom(int64_t first, int64_t count);

}  // namespace tetrarch::compile
