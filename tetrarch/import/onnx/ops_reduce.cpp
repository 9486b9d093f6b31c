// Reductions over axes.
#include <limits>

#include "tetrarch/import/onnx/importer.h"
#include "tetrarch/import/onnx/op_context.h"

namespace tetrarch::onnx {
namespace {

using tet::ReductionKind;

struct Axes {
  Shape axes;
  bool keep, none;  // none: nothing to do
};

// The axes, from the attribute of older opsets or from input 1.
Result<Axes> readAxes(OpContext& n) {
  const int64_t rank = rankOf(n.in(0));
  Axes axes{{}, n.getInt("keepdims", 1) != 0, false};
  TET_ASSIGN_OR_RETURN(axes.axes, n.intsFrom("axes", 1));
  axes.axes = n.wrapAxes(axes.axes, rank);
  if (axes.axes.empty()) {
    axes.none = n.getInt("noop_with_empty_axes") != 0;
    if (!axes.none) axes.axes = range(rank);
  }
  TET_RETURN_IF_ERROR(n.b.status());
  return axes;
}

// prepare, then reduce over the axes, then finish. On integers a real `finish` (root, logarithm) is computed
// in f64.
using Step = llvm::function_ref<Value(Value)>;
Status importReduction(OpContext& n, ReductionKind kind, Step prepare, Step finish, bool real = false) {
  TET_ASSIGN_OR_RETURN(const Axes axes, readAxes(n));
  Value x = n.in(0);
  const ElementType type = typeOf(x);
  if (real && !isFloat(x)) x = n.b.convert(x, ElementType::F64);
  x = prepare(x);
  if (!axes.none) x = n.b.reduce(kind, x, axes.axes, axes.keep);
  return n.result(n.b.convert(finish(x), type));
}

Value same(Value x) { return x; }

ReductionKind forType(Value x, ReductionKind number, ReductionKind boolean) {
  return typeOf(x) == ElementType::I1 ? boolean : number;
}

}  // namespace

Status importReduceSum(OpContext& n) { return importReduction(n, ReductionKind::Add, same, same); }
Status importReduceProd(OpContext& n) { return importReduction(n, ReductionKind::Multiply, same, same); }
Status importReduceMax(OpContext& n) {
  return importReduction(n, forType(n.in(0), ReductionKind::Maximum, ReductionKind::Or), same, same);
}
Status importReduceMin(OpContext& n) {
  return importReduction(n, forType(n.in(0), ReductionKind::Minimum, ReductionKind::And), same, same);
}
Status importReduceL1(OpContext& n) {
  const bool is_unsigned = info(typeOf(n.in(0))).kind == ElementKind::Unsigned;
  return importReduction(n, ReductionKind::Add, [&](Value x) { return is_unsigned ? x : n.b.abs(x); }, same);
}
Status importReduceL2(OpContext& n) {
  return importReduction(
      n, ReductionKind::Add, [&](Value x) { return n.b.mul(x, x); }, [&](Value x) { return n.b.sqrt(x); },
      true);
}
Status importReduceSumSquare(OpContext& n) {
  return importReduction(n, ReductionKind::Add, [&](Value x) { return n.b.mul(x, x); }, same);
}
Status importReduceLogSum(OpContext& n) {
  return importReduction(n, ReductionKind::Add, same, [&](Value x) { return n.b.log(x); }, true);
}

Status importReduceMean(OpContext& n) {
  TET_ASSIGN_OR_RETURN(const Axes axes, readAxes(n));
  return n.result(axes.none ? n.in(0) : n.b.mean(n.in(0), axes.axes, axes.keep));
}

// m + log(sum(e^(x - m))) with m the maximum, or 0 where that is infinite.
Status importReduceLogSumExp(OpContext& n) {
  TET_ASSIGN_OR_RETURN(const Axes axes, readAxes(n));
  const ElementType type = typeOf(n.in(0));
  const Value x = isFloat(n.in(0)) ? n.in(0) : n.b.convert(n.in(0), ElementType::F64);
  if (axes.none) return n.result(n.b.convert(x, type));
  const Value largest = n.b.reduce(ReductionKind::Maximum, x, axes.axes, true);
  const Value finite =
      n.b.compare(tet::ComparisonDirection::LT, n.b.abs(largest), std::numeric_limits<double>::infinity());
  const Value shift = n.b.select(finite, largest, 0);
  const Value sum = n.b.log(n.b.sum(n.b.exp(n.b.sub(x, shift)), axes.axes, true));
  const Value result = n.b.convert(n.b.add(sum, shift), type);
  return n.result(axes.keep ? result : n.b.squeeze(result, axes.axes));
}

}  // namespace tetrarch::onnx
