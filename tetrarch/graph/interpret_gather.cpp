// Reference kernels of gather, scatter and sort.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>

#include "tetrarch/graph/arithmetic.h"
#include "tetrarch/graph/dimension_numbers.h"
#include "tetrarch/graph/interpret.h"

namespace tetrarch::tet {
namespace {

// Where element `at` of gather's result (scatter's updates) lies: the index vector's start in the operand,
// and the offset in the slice. Their sum is the operand's index.
class Addressing {
 public:
  Addressing(const DimensionNumbers& numbers, const Tensor& indices, int64_t operand_rank)
      : n_(numbers),
        indices_(indices),
        strides_(rowMajorStrides(indices.shape())),
        operand_rank_(operand_rank) {}

  Shape startOf(const Shape& at) const {
    Shape index = batchIndex(at);
    Shape start(operand_rank_, 0);
    for (auto [operand_dim, indices_dim] : llvm::zip(n_.operand_batching, n_.indices_batching)) {
      start[operand_dim] = index[indices_dim];
    }
    for (auto [k, operand_dim] : llvm::enumerate(n_.index_map)) {
      if (std::cmp_less(n_.index_vector_dim, index.size()))
        index[n_.index_vector_dim] = static_cast<int64_t>(k);
      start[operand_dim] = element(dot(index, strides_));
    }
    return start;
  }

  Shape offsetOf(const Shape& at) const {
    Shape offset(operand_rank_, 0);
    size_t window = 0;
    for (int64_t d = 0; d < operand_rank_; ++d) {
      if (n_.isWindowDim(d)) offset[d] = at[n_.offset_dims[window++]];
    }
    return offset;
  }

 private:
  // The index into `indices` that the dimensions of `at` which are no offsets give; 0 along the index vector.
  Shape batchIndex(const Shape& at) const {
    Shape index;
    for (size_t d = 0; d < at.size(); ++d) {
      if (!llvm::is_contained(n_.offset_dims, static_cast<int64_t>(d))) index.push_back(at[d]);
    }
    if (n_.index_vector_dim < indices_.rank()) index.insert(index.begin() + n_.index_vector_dim, 0);
    return index;
  }

  // An unsigned value beyond the signed range is beyond every tensor.
  int64_t element(int64_t i) const {
    const int64_t value = indices_.getInt(i);
    return indices_.type() == ElementType::U64 && value < 0 ? std::numeric_limits<int64_t>::max() / 2 : value;
  }

  DimensionNumbers n_;
  const Tensor& indices_;
  std::vector<int64_t> strides_;
  int64_t operand_rank_;
};

Result<Tensor> gatherKernel(GatherOp op, Inputs in) {
  TET_ASSIGN_OR_RETURN(Tensor out, createLike(op));
  const Tensor& operand = in[0];
  const DimensionNumbers numbers = gatherNumbers(op);
  const Addressing addressing(numbers, in[1], operand.rank());
  const std::vector<int64_t> strides = rowMajorStrides(operand.shape());
  const size_t size = byteSize(out.type());
  Shape at(out.rank(), 0);
  for (int64_t i = 0; i < out.count(); ++i, advanceIndex(at, out.shape())) {
    Shape index = addressing.startOf(at);
    const Shape offset = addressing.offsetOf(at);
    for (int64_t d = 0; d < operand.rank(); ++d) {
      index[d] = std::clamp<int64_t>(index[d], 0, operand.shape()[d] - op.getSliceSizes()[d]) + offset[d];
    }
    std::memcpy(out.as<char>() + i * size, operand.as<char>() + dot(index, strides) * size, size);
  }
  return out;
}

// What is in place already and what arrives, combined; assign keeps what arrives.
template <typename T>
T combined(ReductionKind kind, ElementType type, T old, T arriving) {
  if (kind == ReductionKind::Assign) return arriving;
  const BinaryKernel& kernel = combinerOf(kind);
  if constexpr (std::is_same_v<T, double>)
    return kernel.on_double(old, arriving);
  else
    return kernel.on_int(old, arriving, intType(type));
}

template <typename T>
Result<Tensor> scatter(ScatterOp op, Inputs in) {
  TET_ASSIGN_OR_RETURN(Tensor out, createLike(op));
  const Tensor& updates = in[2];
  const DimensionNumbers numbers = scatterNumbers(op);
  const Addressing addressing(numbers, in[1], out.rank());
  const std::vector<int64_t> strides = rowMajorStrides(out.shape());
  std::vector<T> values = load<T>(in[0]);
  Shape at(updates.rank(), 0);
  for (int64_t i = 0; i < updates.count(); ++i, advanceIndex(at, updates.shape())) {
    Shape index = addressing.startOf(at);
    const Shape offset = addressing.offsetOf(at);
    bool inside = true;
    for (int64_t d = 0; d < out.rank(); ++d) {
      index[d] += offset[d];
      inside = inside && index[d] >= 0 && index[d] < out.shape()[d];
    }
    if (!inside) continue;
    T& value = values[dot(index, strides)];
    value = combined<T>(op.getKind(), out.type(), value, get<T>(updates, i));
  }
  store<T>(out, values);
  return out;
}

Result<Tensor> scatterKernel(ScatterOp op, Inputs in) {
  return isFloat(in[0].type()) ? scatter<double>(op, in) : scatter<int64_t>(op, in);
}

// The order of one row of keys: `order[i]` is the place that element i of the sorted row comes from.
std::vector<int64_t> sortedOrder(const Tensor& keys, int64_t row, int64_t stride, int64_t count,
                                 bool descending) {
  std::vector<int64_t> order(count);
  std::iota(order.begin(), order.end(), 0);
  auto sortBy = [&](auto key, auto before) {
    std::ranges::sort(order, [&](int64_t a, int64_t b) {
      const auto first = key(descending ? b : a), second = key(descending ? a : b);
      return before(first, second) || (!before(second, first) && a < b);
    });
  };
  if (isFloat(keys.type())) {
    sortBy([&](int64_t i) { return keys.getDouble(row + i * stride); },
           [](double a, double b) { return std::isnan(b) ? !std::isnan(a) : a < b; });
  } else {
    const IntType t = intType(keys.type());
    sortBy([&](int64_t i) { return keys.getInt(row + i * stride); },
           [t](int64_t a, int64_t b) { return less(a, b, t); });
  }
  return order;
}

Result<Tensors> sortKernel(mlir::Operation* operation, Inputs in) {
  auto op = llvm::cast<SortOp>(operation);
  Tensors out;
  for (mlir::Value result : op.getResults()) {
    TET_ASSIGN_OR_RETURN(out.emplace_back(), createLike(result));
  }
  const Tensor& keys = in[0];
  const int64_t count = keys.shape()[op.getDimension()];
  const int64_t stride = rowMajorStrides(keys.shape())[op.getDimension()];
  for (int64_t i = 0; i < keys.count(); ++i) {
    if (i / stride % count != 0) continue;  // only the first element of each row
    const auto order = sortedOrder(keys, i, stride, count, op.getDirection() == SortDirection::Descending);
    for (size_t t = 0; t < in.size(); ++t) {
      const size_t size = byteSize(in[t].type());
      for (int64_t j = 0; j < count; ++j) {
        std::memcpy(out[t].as<char>() + (i + j * stride) * size,
                    in[t].as<char>() + (i + order[j] * stride) * size, size);
      }
    }
  }
  return out;
}

}  // namespace

void addGatherKernels(KernelTable& table) {
  table.add(gatherKernel);
  table.add(scatterKernel);
  table.add(SortOp::getOperationName(), sortKernel);
}

}  // namespace tetrarch::tet
