// Sort as a bottom-up merge sort of positions, one line of elements after the other: stable, n log n, and the
// same for any number of inputs, which are permuted at the end.
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "tetrarch/compile/lower/lower_op.h"
#include "tetrarch/graph/types.h"

namespace tetrarch::compile {
namespace {

namespace arith = mlir::arith;
namespace scf = mlir::scf;
namespace tensor = mlir::tensor;
using mlir::Type;
using mlir::Value;
using mlir::ValueRange;

Value constantIndex(Builder& b, int64_t value) { return arith::ConstantIndexOp::create(b, value); }

// Writes the loops that sort one line; `at` holds its place along the other dimensions.
class LineSort {
 public:
  LineSort(Builder& b, tet::SortOp op, Value keys, ValueRange at)
      : b_(b), op_(op), keys_(keys), at_(at), length_(shapeOf(keys)[op.getDimension()]) {}

  // tensor<n x index>: which element comes first, second, …
  Value order() {
    Value positions = iota();
    int64_t passes = 0;
    while ((int64_t{1} << passes) < length_) ++passes;
    Value spare = emptyTensor(b_, {length_}, b_.getIndexType());
    auto loop = scf::ForOp::create(b_, constantIndex(b_, 0), constantIndex(b_, passes), constantIndex(b_, 1),
                                   ValueRange{positions, spare});
    mlir::OpBuilder::InsertionGuard guard(b_);
    b_.setInsertionPointToStart(loop.getBody());
    Value width = arith::ShLIOp::create(b_, constantIndex(b_, 1), loop.getInductionVar());
    Value merged = mergePass(loop.getRegionIterArg(0), loop.getRegionIterArg(1), width);
    Value sorted = copyInto(b_, merged, loop.getRegionIterArg(0));
    scf::YieldOp::create(b_, ValueRange{sorted, merged});
    return loop.getResult(0);
  }

  Values elementAt(Value position) {
    Values indices(at_.begin(), at_.end());
    indices.insert(indices.begin() + op_.getDimension(), position);
    return indices;
  }

 private:
  Value iota() {
    Value line = emptyTensor(b_, {length_}, b_.getIndexType());
    auto loop = scf::ForOp::create(b_, constantIndex(b_, 0), constantIndex(b_, length_), constantIndex(b_, 1),
                                   ValueRange{line});
    mlir::OpBuilder::InsertionGuard guard(b_);
    b_.setInsertionPointToStart(loop.getBody());
    Value i = loop.getInductionVar();
    Value next = tensor::InsertOp::create(b_, i, loop.getRegionIterArg(0), ValueRange{i});
    scf::YieldOp::create(b_, next);
    return loop.getResult(0);
  }

  // Merges neighbouring runs of `width` from `source` into `target`.
  Value mergePass(Value source, Value target, Value width) {
    Value end = constantIndex(b_, length_), step = arith::AddIOp::create(b_, width, width);
    auto runs = scf::ForOp::create(b_, constantIndex(b_, 0), end, step, ValueRange{target});
    mlir::OpBuilder::InsertionGuard guard(b_);
    b_.setInsertionPointToStart(runs.getBody());
    Value low = runs.getInductionVar();
    auto upTo = [&](Value distance) {
      return arith::MinUIOp::create(b_, arith::AddIOp::create(b_, low, distance), end).getResult();
    };
    Value merged = mergeRun(source, runs.getRegionIterArg(0), low, upTo(width), upTo(step));
    scf::YieldOp::create(b_, merged);
    return runs.getResult(0);
  }

  Value mergeRun(Value source, Value target, Value low, Value middle, Value high) {
    Value one = constantIndex(b_, 1);
    auto loop = scf::ForOp::create(b_, low, high, one, ValueRange{low, middle, target});
    mlir::OpBuilder::InsertionGuard guard(b_);
    b_.setInsertionPointToStart(loop.getBody());
    Value i = loop.getRegionIterArg(0), j = loop.getRegionIterArg(1), last = constantIndex(b_, length_ - 1);
    auto load = [&](Value at) {
      Value safe = arith::MinUIOp::create(b_, at, last);
      return tensor::ExtractOp::create(b_, source, ValueRange{safe}).getResult();
    };
    Value left = load(i), right = load(j);
    // The left run goes first among equals: that makes the sort stable.
    Value left_remains = arith::CmpIOp::create(b_, arith::CmpIPredicate::ult, i, middle);
    Value right_remains = arith::CmpIOp::create(b_, arith::CmpIPredicate::ult, j, high);
    Value right_wins = arith::AndIOp::create(b_, right_remains, comesBefore(key(right), key(left)));
    Value not_right = arith::XOrIOp::create(b_, right_wins, intConstant(b_, b_.getI1Type(), 1));
    Value take_left = arith::AndIOp::create(b_, left_remains, not_right);
    Value taken = arith::SelectOp::create(b_, take_left, left, right);
    Value next_i = arith::SelectOp::create(b_, take_left, arith::AddIOp::create(b_, i, one), i);
    Value next_j = arith::SelectOp::create(b_, take_left, j, arith::AddIOp::create(b_, j, one));
    Value written =
        tensor::InsertOp::create(b_, taken, loop.getRegionIterArg(2), ValueRange{loop.getInductionVar()});
    scf::YieldOp::create(b_, ValueRange{next_i, next_j, written});
    return loop.getResult(2);
  }

  Value key(Value position) {
    Value stored = tensor::ExtractOp::create(b_, keys_, elementAt(position));
    return loadScalar(b_, stored, element());
  }

  Value comesBefore(Value x, Value y) {
    return op_.getDirection() == tet::SortDirection::Ascending ? less(x, y) : less(y, x);
  }

  // NaN is the largest.
  Value less(Value x, Value y) {
    if (llvm::isa<mlir::FloatType>(element())) {
      Value below = arith::CmpFOp::create(b_, arith::CmpFPredicate::OLT, x, y);
      Value x_is_number = arith::CmpFOp::create(b_, arith::CmpFPredicate::ORD, x, x);
      Value y_is_nan = arith::CmpFOp::create(b_, arith::CmpFPredicate::UNO, y, y);
      return arith::OrIOp::create(b_, below, arith::AndIOp::create(b_, x_is_number, y_is_nan));
    }
    const bool is_unsigned = element().isUnsignedInteger() || element().isSignlessInteger(1);
    return arith::CmpIOp::create(b_, is_unsigned ? arith::CmpIPredicate::ult : arith::CmpIPredicate::slt, x,
                                 y);
  }

  Type element() { return elementOf(op_.getInputs().front()); }

  Builder& b_;
  tet::SortOp op_;
  Value keys_;
  ValueRange at_;
  int64_t length_;
};

// The sorted lines at `at` written into `results`.
scf::ValueVector sortLine(Builder& b, tet::SortOp op, ValueRange inputs, ValueRange at, ValueRange results) {
  LineSort line(b, op, inputs[0], at);
  Value order = line.order();
  const int64_t length = shapeOf(inputs[0])[op.getDimension()];
  auto loop =
      scf::ForOp::create(b, constantIndex(b, 0), constantIndex(b, length), constantIndex(b, 1), results);
  mlir::OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  Value to = loop.getInductionVar();
  Value from = tensor::ExtractOp::create(b, order, ValueRange{to});
  Values written;
  for (auto [input, result] : llvm::zip(inputs, loop.getRegionIterArgs())) {
    Value element = tensor::ExtractOp::create(b, input, line.elementAt(from));
    written.push_back(tensor::InsertOp::create(b, element, result, line.elementAt(to)));
  }
  scf::YieldOp::create(b, written);
  return scf::ValueVector(loop.getResults().begin(), loop.getResults().end());
}

}  // namespace

mlir::LogicalResult lowerSort(Lowering& lowering, tet::SortOp op) {
  Builder& b = lowering.b;
  Values inputs, results, ends;
  for (Value input : op.getInputs()) {
    inputs.push_back(lowering.tensor(input));
    results.push_back(emptyTensor(b, shapeOf(input), elementOf(inputs.back())));
  }
  for (auto [dim, extent] : llvm::enumerate(shapeOf(inputs[0]))) {
    if (static_cast<int64_t>(dim) != op.getDimension()) ends.push_back(constantIndex(b, extent));
  }
  Values zeros(ends.size(), constantIndex(b, 0)), ones(ends.size(), constantIndex(b, 1));
  auto sort_line = [&](mlir::OpBuilder& inner, mlir::Location loc, ValueRange at, ValueRange carried) {
    Builder body(loc, inner);
    return sortLine(body, op, inputs, at, carried);
  };
  auto nest = scf::buildLoopNest(b, b.getLoc(), zeros, ends, ones, results, sort_line);
  for (auto [value, tensor] : llvm::zip(op.getResults(), nest.results)) lowering.bind(value, tensor);
  return mlir::success();
}

}  // namespace tetrarch::compile
