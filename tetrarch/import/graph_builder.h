// Builds `tet` graphs the way a frontend thinks: NumPy broadcasting, element types and shapes instead of MLIR
// types, and everything that depends on constants only evaluated at once (with the reference interpreter, so
// by one set of rules).
//
// Errors are sticky, so that a handler reads as algebra: the first op that cannot be made sets status(); from
// then on every method returns a null Value, which all methods accept (rank 0, no dimensions, f32).
//
// Not thread safe. Values belong to the graph under construction.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/SmallVector.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Diagnostics.h"
#include "tetrarch/base/tensor.h"
#include "tetrarch/graph/tet_enums.h"

namespace tetrarch {

using mlir::Value;
using Values = llvm::SmallVector<Value, 4>;

// Type and shape of a value; safe on null.
ElementType typeOf(Value value);
llvm::ArrayRef<int64_t> shapeOf(Value value);
int64_t rankOf(Value value);
int64_t dimOf(Value value, int64_t axis);  // 0 when there is no such axis
int64_t countOf(Value value);
inline bool isFloat(Value value) { return isFloat(typeOf(value)); }

// 0, 1, … n-1, and those of 0…rank-1 that are not in `axes`.
Shape range(int64_t n);
Shape complement(int64_t rank, llvm::ArrayRef<int64_t> axes);
// NumPy's common shape of two; nullopt when they do not broadcast.
std::optional<Shape> broadcastShapes(llvm::ArrayRef<int64_t> a, llvm::ArrayRef<int64_t> b);

// One entry per spatial dimension in each.
struct Window {
  Shape size, strides, dilations, pad_low, pad_high;
};

class GraphBuilder {
 public:
  explicit GraphBuilder(mlir::OpBuilder& builder);
  GraphBuilder(const GraphBuilder&) = delete;
  GraphBuilder& operator=(const GraphBuilder&) = delete;

  const Status& status() const { return status_; }
  bool ok() const { return status_.ok(); }
  // Sets the sticky error unless there is one. Returns null, so that `return b.fail(…)` works where a Value
  // is due.
  Value fail(Status status);
  void clearStatus() { status_ = Status(); }
  mlir::OpBuilder& ops() { return builder_; }
  mlir::MLIRContext* context() { return builder_.getContext(); }
  mlir::RankedTensorType tensorType(ElementType type, llvm::ArrayRef<int64_t> shape);

  //-- Constants
  Value constant(const Tensor& tensor);
  Value scalar(ElementType type, double value);
  Value scalarInt(ElementType type, int64_t value);
  Value ints(llvm::ArrayRef<int64_t> values);  // 1-D i64
  Value full(ElementType type, llvm::ArrayRef<int64_t> shape, double value);
  Value fullInt(ElementType type, llvm::ArrayRef<int64_t> shape, int64_t value);
  Value like(Value shape_and_type, double value);
  Value iota(ElementType type, llvm::ArrayRef<int64_t> shape, int64_t axis);
  // The value when it is a constant, else nothing.
  std::optional<Tensor> known(Value value) const;
  // The value, evaluating whatever computes it. FailedPrecondition when it depends on arguments of the graph,
  // which are added to `depends_on`; Unimplemented when it takes a contraction or control flow to know it.
  Result<Tensor> require(Value value, llvm::SmallVectorImpl<mlir::BlockArgument>& depends_on);

  //-- Elementwise; operands broadcast to each other as in NumPy and must agree in type
  Value unary(llvm::StringRef op, Value x);
  Value binary(llvm::StringRef op, Value a, Value b);
  Value binary(llvm::StringRef op, Value a, double b);
  Value compare(tet::ComparisonDirection direction, Value a, Value b);
  Value compare(tet::ComparisonDirection direction, Value a, double b);
  Value select(Value condition, Value a, Value b);
  Value select(Value condition, Value a, double b);
  Value convert(Value x, ElementType type);
  Value bitcast(Value x, ElementType type);
  Value clamp(Value x, double low, double high);
  Value add(Value a, auto b) { return binary("add", a, b); }
  Value sub(Value a, auto b) { return binary("subtract", a, b); }
  Value mul(Value a, auto b) { return binary("multiply", a, b); }
  Value div(Value a, auto b) { return binary("divide", a, b); }
  Value max(Value a, auto b) { return binary("maximum", a, b); }
  Value min(Value a, auto b) { return binary("minimum", a, b); }
  Value neg(Value x) { return unary("negate", x); }
  Value exp(Value x) { return unary("exponential", x); }
  Value log(Value x) { return unary("log", x); }
  Value abs(Value x) { return unary("abs", x); }
  Value sqrt(Value x) { return unary("sqrt", x); }
  Value floor(Value x) { return unary("floor", x); }
  Value logicalNot(Value x) { return unary("not", x); }
  Value isNan(Value x) { return compare(tet::ComparisonDirection::NE, x, x); }

  //-- Shapes
  Value reshape(Value x, llvm::ArrayRef<int64_t> shape);
  Value transpose(Value x, llvm::ArrayRef<int64_t> permutation);
  Value broadcastTo(Value x, llvm::ArrayRef<int64_t> shape);  // NumPy: aligned at the last dimension
  Value broadcastInDim(Value x, llvm::ArrayRef<int64_t> shape, llvm::ArrayRef<int64_t> dims);
  Value expandDims(Value x, llvm::ArrayRef<int64_t> axes);  // axes of the result
  Value squeeze(Value x, llvm::ArrayRef<int64_t> axes);
  Value slice(Value x, llvm::ArrayRef<int64_t> starts, llvm::ArrayRef<int64_t> limits,
              llvm::ArrayRef<int64_t> strides = {});
  Value sliceAxis(Value x, int64_t axis, int64_t start, int64_t limit, int64_t stride = 1);
  Value concat(llvm::ArrayRef<Value> parts, int64_t axis);
  Value pad(Value x, Value value, llvm::ArrayRef<int64_t> low, llvm::ArrayRef<int64_t> high,
            llvm::ArrayRef<int64_t> interior = {});
  Value reverse(Value x, llvm::ArrayRef<int64_t> axes);
  Value dynamicSlice(Value x, llvm::ArrayRef<Value> starts, llvm::ArrayRef<int64_t> sizes);
  Value dynamicUpdateSlice(Value x, Value update, llvm::ArrayRef<Value> starts);

  //-- Contractions and reductions
  // The result's type is `out` or, without it, the operands'.
  Value dotGeneral(Value a, Value b, llvm::ArrayRef<int64_t> a_batch, llvm::ArrayRef<int64_t> b_batch,
                   llvm::ArrayRef<int64_t> a_contract, llvm::ArrayRef<int64_t> b_contract,
                   std::optional<ElementType> out = {});
  Value matmul(Value a, Value b, std::optional<ElementType> out = {});  // numpy.matmul
  // x: [n, c, spatial…], w: [o, c / groups, spatial…].
  Value convolution(Value x, Value w, const Window& window, llvm::ArrayRef<int64_t> input_dilation,
                    int64_t groups, std::optional<ElementType> out = {});
  Value reduce(tet::ReductionKind kind, Value x, llvm::ArrayRef<int64_t> axes, bool keep_dims = false);
  Value sum(Value x, llvm::ArrayRef<int64_t> axes, bool keep_dims = false) {
    return reduce(tet::ReductionKind::Add, x, axes, keep_dims);
  }
  Value mean(Value x, llvm::ArrayRef<int64_t> axes, bool keep_dims = false);
  // Over the last window.size.size() dimensions of x.
  Value reduceWindow(tet::ReductionKind kind, Value x, const Window& window);
  Value cumulative(tet::ReductionKind kind, Value x, int64_t axis);

  //-- Gather, scatter, sort. Indices are in range: see wrapIndices.
  Value wrapIndices(Value indices, int64_t size);              // negative ones count from the end
  Value take(Value x, Value indices, int64_t axis);            // numpy.take
  Value takeAlong(Value x, Value indices, int64_t axis);       // ONNX's GatherElements
  Value gatherNd(Value x, Value indices, int64_t batch_dims);  // ONNX's GatherND
  Value scatterAlong(tet::ReductionKind kind, Value x, Value indices, Value updates, int64_t axis);
  Value scatterNd(tet::ReductionKind kind, Value x, Value indices, Value updates);
  // Sorts by the first and permutes the others with it; stable.
  Values sort(llvm::ArrayRef<Value> values, int64_t axis, tet::SortDirection direction);

  //-- Regions
  using Body = llvm::function_ref<Values(llvm::ArrayRef<Value>)>;
  Values composite(llvm::StringRef name, llvm::ArrayRef<Value> inputs, Body body,
                   llvm::ArrayRef<mlir::NamedAttribute> attributes = {});
  Values ifElse(Value condition, llvm::function_ref<Values()> on_true, llvm::function_ref<Values()> on_false);
  Values whileLoop(llvm::ArrayRef<Value> start, Body condition, Body body);

  mlir::NamedAttribute attr(llvm::StringRef name, mlir::Attribute value);
  mlir::NamedAttribute attr(llvm::StringRef name, int64_t value);
  mlir::NamedAttribute attr(llvm::StringRef name, llvm::ArrayRef<int64_t> values);
  mlir::NamedAttribute attrFloat(llvm::StringRef name, double value);

 private:
  // Makes tet.`name` and checks it; folds it when all operands are constants and the results are small.
  Value create(llvm::StringRef name, mlir::ValueRange operands, mlir::Type type,
               llvm::ArrayRef<mlir::NamedAttribute> attributes = {});
  template <typename Op, typename... Args>
  Value emit(Args&&... args);
  // Checks an op that was just made: its results, or the constants that they fold to, or nulls and the sticky
  // error.
  Values finish(mlir::Operation* op);
  std::optional<Values> fold(mlir::Operation* op);
  bool given(llvm::ArrayRef<Value> values);
  // Makes room for NumPy broadcasting: both reshaped to their common shape. False sets the sticky error.
  bool broadcastTogether(Value& a, Value& b);
  // Appends `body` called with arguments of `types` to the region.
  bool fillRegion(mlir::Region& region, mlir::TypeRange types, Body body);

  mlir::OpBuilder& builder_;
  Status status_;
  std::string diagnostic_;  // the last error that MLIR reported
  mlir::ScopedDiagnosticHandler diagnostics_;
};

template <typename Op, typename... Args>
Value GraphBuilder::emit(Args&&... args) {
  const Values results = finish(Op::create(builder_, builder_.getUnknownLoc(), std::forward<Args>(args)...));
  return results.empty() ? Value() : results.front();
}

}  // namespace tetrarch
