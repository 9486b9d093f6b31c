// Reference kernels of the reductions.
#include <algorithm>

#include "tetrarch/graph/arithmetic.h"
#include "tetrarch/graph/interpret.h"

namespace tetrarch::tet {
namespace {

// How two elements of a type combine, and what combining starts from. T is double or int64_t. Integer sums
// stay in 64 bits: wrapping once at the end gives the same bits for every kind, since maximum and minimum
// never leave the type.
template <typename T>
struct Combiner {
  Combiner(ReductionKind kind, ElementType element_type) : kernel(combinerOf(kind)), type(element_type) {
    if constexpr (std::is_same_v<T, double>)
      identity = identityDouble(kind, element_type);
    else
      identity = identityInt(kind, element_type);
  }
  T operator()(T a, T b) const {
    if constexpr (std::is_same_v<T, double>)
      return kernel.on_double(a, b);
    else
      return kernel.on_int(a, b, intType(type));
  }
  const BinaryKernel& kernel;
  ElementType type;
  T identity;
};

template <typename T>
Result<Tensor> reduce(ReduceOp op, const Tensor& in) {
  TET_ASSIGN_OR_RETURN(Tensor out, createLike(op));
  const Combiner<T> combine(op.getKind(), in.type());
  // The result's strides over the operand's dimensions: 0 along those that disappear.
  std::vector<int64_t> strides = rowMajorStrides(out.shape());
  for (int64_t d = 0; d < in.rank(); ++d) {
    if (llvm::is_contained(op.getDimensions(), d)) strides.insert(strides.begin() + d, 0);
  }
  std::vector<T> sums(out.count(), combine.identity);
  const std::vector<T> values = load<T>(in);
  Shape index(in.rank(), 0);
  for (const T value : values) {
    T& sum = sums[dot(index, strides)];
    sum = combine(sum, value);
    advanceIndex(index, in.shape());
  }
  store<T>(out, sums);
  return out;
}

// The flat operand element under window element `tap` of the output point `index`; -1 in padding and dilation
// holes.
int64_t operandElement(ReduceWindowOp op, const Tensor& in, const Shape& index, const Shape& tap) {
  int64_t at = 0;
  for (int64_t d = 0; d < in.rank(); ++d) {
    const int64_t dilation = op.getBaseDilations()[d];
    const int64_t spread =
        index[d] * op.getWindowStrides()[d] + tap[d] * op.getWindowDilations()[d] - op.getPadding()[2 * d];
    if (spread < 0 || spread % dilation != 0 || spread / dilation >= in.shape()[d]) return -1;
    at = at * in.shape()[d] + spread / dilation;
  }
  return at;
}

template <typename T>
Result<Tensor> reduceWindow(ReduceWindowOp op, const Tensor& in) {
  TET_ASSIGN_OR_RETURN(Tensor out, createLike(op));
  const Combiner<T> combine(op.getKind(), in.type());
  const std::vector<T> values = load<T>(in);
  const Shape window = op.getWindowDimensions().vec();
  Shape index(in.rank(), 0), tap(in.rank(), 0);
  for (int64_t i = 0; i < out.count(); ++i) {
    T sum = combine.identity;
    do {
      const int64_t at = operandElement(op, in, index, tap);
      if (at >= 0) sum = combine(sum, values[at]);
    } while (advanceIndex(tap, window));
    set<T>(out, i, sum);
    advanceIndex(index, out.shape());
  }
  return out;
}

template <typename T>
Result<Tensor> cumulative(CumulativeOp op, const Tensor& in) {
  TET_ASSIGN_OR_RETURN(Tensor out, createLike(op));
  const Combiner<T> combine(op.getKind(), in.type());
  const int64_t stride = rowMajorStrides(in.shape())[op.getDimension()];
  const int64_t size = in.shape()[op.getDimension()];
  std::vector<T> values = load<T>(in);
  for (int64_t i = 0; i < in.count(); ++i) {
    if (i / stride % size > 0) values[i] = combine(values[i - stride], values[i]);
  }
  store<T>(out, values);
  return out;
}

Result<Tensor> reduceKernel(ReduceOp op, Inputs in) {
  return isFloat(in[0].type()) ? reduce<double>(op, in[0]) : reduce<int64_t>(op, in[0]);
}

Result<Tensor> reduceWindowKernel(ReduceWindowOp op, Inputs in) {
  return isFloat(in[0].type()) ? reduceWindow<double>(op, in[0]) : reduceWindow<int64_t>(op, in[0]);
}

Result<Tensor> cumulativeKernel(CumulativeOp op, Inputs in) {
  return isFloat(in[0].type()) ? cumulative<double>(op, in[0]) : cumulative<int64_t>(op, in[0]);
}

}  // namespace

void addReductionKernels(KernelTable& table) {
  table.add(reduceKernel);
  table.add(reduceWindowKernel);
  table.add(cumulativeKernel);
}

}  // namespace tetrarch::tet
