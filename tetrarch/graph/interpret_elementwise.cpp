// Reference kernels of the elementwise ops.
#include <algorithm>
#include <cmath>

#include "tetrarch/graph/arithmetic.h"
#include "tetrarch/graph/interpret.h"

namespace tetrarch::tet {
namespace {

Result<Tensors> applyUnary(const UnaryKernel& kernel, mlir::Operation* op, Inputs in) {
  TET_ASSIGN_OR_RETURN(Tensor out, createLike(op->getResult(0)));
  if (isFloat(in[0].type())) {
    std::vector<double> values = load<double>(in[0]);
    for (double& x : values) x = kernel.on_double(x);
    store<double>(out, values);
  } else {
    const IntType t = intType(in[0].type());
    for (int64_t i = 0; i < out.count(); ++i) out.setInt(i, kernel.on_int(in[0].getInt(i), t));
  }
  return Tensors{std::move(out)};
}

Result<Tensors> applyBinary(const BinaryKernel& kernel, mlir::Operation* op, Inputs in) {
  TET_ASSIGN_OR_RETURN(Tensor out, createLike(op->getResult(0)));
  if (isFloat(in[0].type())) {
    std::vector<double> values = load<double>(in[0]);
    const std::vector<double> rhs = load<double>(in[1]);
    for (size_t i = 0; i < values.size(); ++i) values[i] = kernel.on_double(values[i], rhs[i]);
    store<double>(out, values);
  } else {
    const IntType t = intType(in[0].type());
    for (int64_t i = 0; i < out.count(); ++i)
      out.setInt(i, kernel.on_int(in[0].getInt(i), in[1].getInt(i), t));
  }
  return Tensors{std::move(out)};
}

Result<Tensor> isFiniteKernel(IsFiniteOp op, Inputs in) {
  TET_ASSIGN_OR_RETURN(Tensor out, createLike(op));
  for (int64_t i = 0; i < out.count(); ++i) out.setInt(i, std::isfinite(in[0].getDouble(i)));
  return out;
}

// Integers to f32 round from the integer itself: through double they could round twice.
Result<Tensor> convertKernel(ConvertOp op, Inputs in) {
  TET_ASSIGN_OR_RETURN(Tensor out, createLike(op));
  const ElementType from = in[0].type(), to = out.type();
  for (int64_t i = 0; i < out.count(); ++i) {
    if (isInteger(from) && isInteger(to)) {
      out.setInt(i, in[0].getInt(i));
    } else if (isInteger(from) && to == ElementType::F32) {
      const int64_t value = in[0].getInt(i);
      out.as<float>()[i] = from == ElementType::U64 ? static_cast<float>(static_cast<uint64_t>(value))
                                                    : static_cast<float>(value);
    } else {
      out.setDouble(i, in[0].getDouble(i));
    }
  }
  return out;
}

template <typename T, typename Less>
bool holds(ComparisonDirection direction, T a, T b, Less less) {
  switch (direction) {
    case ComparisonDirection::EQ:
      return a == b;
    case ComparisonDirection::NE:
      return a != b;
    case ComparisonDirection::GE:
      return a == b || less(b, a);
    case ComparisonDirection::GT:
      return less(b, a);
    case ComparisonDirection::LE:
      return a == b || less(a, b);
    case ComparisonDirection::LT:
      return less(a, b);
  }
  return false;
}

Result<Tensor> compareKernel(CompareOp op, Inputs in) {
  TET_ASSIGN_OR_RETURN(Tensor out, createLike(op));
  const ComparisonDirection direction = op.getComparisonDirection();
  const IntType t = intType(in[0].type());
  for (int64_t i = 0; i < out.count(); ++i) {
    out.setInt(i, isFloat(in[0].type())
                      ? holds(direction, in[0].getDouble(i), in[1].getDouble(i), std::less<>())
                      : holds(direction, in[0].getInt(i), in[1].getInt(i),
                              [t](int64_t a, int64_t b) { return less(a, b, t); }));
  }
  return out;
}

Result<Tensor> selectKernel(SelectOp op, Inputs in) {
  TET_ASSIGN_OR_RETURN(Tensor out, createLike(op));
  const size_t size = byteSize(out.type());
  for (int64_t i = 0; i < out.count(); ++i) {
    const char* from = in[in[0].getInt(i) ? 1 : 2].as<char>();
    std::copy_n(from + i * size, size, out.as<char>() + i * size);
  }
  return out;
}

Result<Tensor> clampKernel(ClampOp op, Inputs in) {
  TET_ASSIGN_OR_RETURN(Tensor out, createLike(op));
  const BinaryKernel& max = combinerOf(ReductionKind::Maximum);
  const BinaryKernel& min = combinerOf(ReductionKind::Minimum);
  const IntType t = intType(out.type());
  for (int64_t i = 0; i < out.count(); ++i) {
    if (isFloat(out.type())) {
      out.setDouble(i,
                    min.on_double(max.on_double(in[1].getDouble(i), in[0].getDouble(i)), in[2].getDouble(i)));
    } else {
      out.setInt(i, min.on_int(max.on_int(in[1].getInt(i), in[0].getInt(i), t), in[2].getInt(i), t));
    }
  }
  return out;
}

}  // namespace

void addElementwiseKernels(KernelTable& table) {
  for (const UnaryKernel& kernel : unaryKernels()) {
    table.add(kernel.op, [&kernel](mlir::Operation* op, Inputs in) { return applyUnary(kernel, op, in); });
  }
  for (const BinaryKernel& kernel : binaryKernels()) {
    table.add(kernel.op, [&kernel](mlir::Operation* op, Inputs in) { return applyBinary(kernel, op, in); });
  }
  table.add(isFiniteKernel);
  table.add(convertKernel);
  table.add(compareKernel);
  table.add(selectKernel);
  table.add(clampKernel);
}

}  // namespace tetrarch::tet
