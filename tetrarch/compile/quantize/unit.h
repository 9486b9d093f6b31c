// What one integer operation of a quantised graph replaces: the ops from its quantised operands to the value
// that is quantised next. Private to quantize/.
#pragma once

#include <optional>
#include <vector>

#include "llvm/ADT/SmallVector.h"
#include "tetrarch/base/tensor.h"
#include "tetrarch/graph/tet.h"

namespace tetrarch::compile {

using mlir::Value;

enum class UnitKind {
  kContraction,  // convolution or dot_general, + constant bias, + one other tensor
  kAdd,          // a + b or a - b
  kMultiply,     // a * b
  kSum,          // sum over dimensions or windows, times a constant
  kMovement,     // elements of the operands in another order, or the largest of some
  kTable,        // any function of one tensor's elements
  kSoftmax,      // along the last dimension
  kNorm,         // layer norm or RMS norm along the last dimension
};

// What a normalisation computes: (x - mean) / sqrt(mean square of that + epsilon) * scale + offset.
struct Norm {
  bool centred = true;  // else x itself, not its difference from the mean, is divided
  double epsilon = 0;
  std::vector<double> scale, offset;  // one number, or one an element of the row
};

struct Unit {
  UnitKind kind;
  mlir::Operation* root;                         // the op that names it; for kTable the last one
  llvm::SmallVector<mlir::OpOperand*> operands;  // that have to be quantised
  // What precedes the quantisation of the result: limits, and of contractions and sums the following.
  std::optional<double> low, high;
  Value bias;                           // a constant, or null
  mlir::OpOperand* residual = nullptr;  // added to the contraction; also the last of `operands`
  double factor = 1;                    // of a sum or contraction, before the bias
  Norm norm;                            // of kNorm
};

// The unit that computes `value`; nothing when no integer operation does. Without weights that are constant
// (or dequantised constants) a contraction has two operands, else one.
std::optional<Unit> readUnit(Value value);

// Softmax and normalisations, in rows.cpp.
std::optional<Unit> readSoftmax(Value value);
std::optional<Unit> readNorm(Value value);

bool isContraction(mlir::Operation* op);
// convolution or dot_general in f32 whose sum of products cannot leave 32 bits.
bool isQuantisable(mlir::Operation* op);
// Where the output features of a contraction lie; -1: nowhere.
struct Features {
  int64_t result_dim = -1, rhs_dim = -1;
};
Features featuresOf(mlir::Operation* contraction);

// The composite of this name that defines the value, or null.
tet::CompositeOp definingComposite(Value value, llvm::StringRef name);
// The value of a constant, and of what moves or dequantises one; isKnown() only says whether there is one.
std::optional<Tensor> constantOf(Value value);
bool isKnown(Value value);
// A constant with one number an index of `dim` (or one for all) of a tensor; empty when it is none.
std::vector<double> numbersAlong(Value value, int64_t dim);

}  // namespace tetrarch::compile
