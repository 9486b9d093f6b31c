// What the interpreter's kernels share. Internal to graph/.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "tetrarch/base/tensor.h"
#include "tetrarch/graph/tet.h"
#include "tetrarch/graph/types.h"

namespace tetrarch::tet {

using Tensors = std::vector<Tensor>;
using Inputs = std::span<const Tensor>;
using Kernel = std::function<Result<Tensors>(mlir::Operation*, Inputs)>;

// The reference kernels by op name, one row an op.
class KernelTable {
 public:
  // All of them, made once.
  static const KernelTable& get();
  // Null for an op that has none.
  const Kernel* find(mlir::Operation* op) const;
  bool contains(llvm::StringRef name) const { return kernels_.contains(name.str()); }

  template <typename Op>
  void add(Result<Tensor> (*kernel)(Op, Inputs)) {
    add(Op::getOperationName(), [kernel](mlir::Operation* op, Inputs inputs) -> Result<Tensors> {
      TET_ASSIGN_OR_RETURN(Tensor result, kernel(llvm::cast<Op>(op), inputs));
      return Tensors{std::move(result)};
    });
  }
  void add(llvm::StringRef name, Kernel kernel) { kernels_.emplace(name.str(), std::move(kernel)); }

 private:
  std::unordered_map<std::string, Kernel> kernels_;
};

// One a family, each in interpret_<family>.cpp.
void addElementwiseKernels(KernelTable& table);
void addShapeKernels(KernelTable& table);
void addContractionKernels(KernelTable& table);
void addReductionKernels(KernelTable& table);
void addGatherKernels(KernelTable& table);

// A zero-filled tensor of the value's type.
Result<Tensor> createLike(mlir::Value value);

// T is double for floats and int64_t for integers (unsigned ones keep their bits).
template <typename T>
std::vector<T> load(const Tensor& tensor);
template <typename T>
void store(Tensor& tensor, std::span<const T> values);
template <typename T>
T get(const Tensor& tensor, int64_t i) {
  if constexpr (std::is_same_v<T, double>)
    return tensor.getDouble(i);
  else
    return tensor.getInt(i);
}
template <typename T>
void set(Tensor& tensor, int64_t i, T value) {
  if constexpr (std::is_same_v<T, double>)
    tensor.setDouble(i, value);
  else
    tensor.setInt(i, value);
}

// Element counts between neighbours along each dimension, row-major.
std::vector<int64_t> rowMajorStrides(std::span<const int64_t> shape);
// Steps `index` to the next of `shape` in row-major order; false, and all zeros, after the last.
bool advanceIndex(std::span<int64_t> index, std::span<const int64_t> shape);
int64_t dot(std::span<const int64_t> index, std::span<const int64_t> strides);
int64_t product(std::span<const int64_t> dims);

// Where an iteration over a box touches a tensor: element `offset + dot(index, strides)`.
struct View {
  int64_t offset;
  std::vector<int64_t> strides;
};
View wholeOf(const Tensor& tensor);
// to[index] = from[index] for each index in `box`. Element types agree.
void copyBox(std::span<const int64_t> box, Tensor& to, const View& to_view, const Tensor& from,
             const View& from_view);

// Runs work(begin, end) over parts of [0, count) on all cores.
void parallelFor(int64_t count, const std::function<void(int64_t, int64_t)>& work);

}  // namespace tetrarch::tet
