// A tensor on the host: element type, static shape, dense row-major storage. The currency between import, the
// reference interpreter, the runtime's border and the tests.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "tetrarch/base/element_type.h"
#include "tetrarch/base/status.h"

namespace tetrarch {

using Shape = std::vector<int64_t>;

// Product of the dimensions (1 for a scalar). An error on a negative dimension or beyond 2^62 elements.
Result<int64_t> elementCount(std::span<const int64_t> shape);
// "2x3xf32", as MLIR writes it inside tensor<>.
std::string toString(ElementType type, std::span<const int64_t> shape);

// Storage is aligned to 64 bytes, large storage to pages, so that devices can use it in place. It is shared
// between copies of the Tensor; write only through a tensor you own alone.
class Tensor {
 public:
  Tensor() = default;
  // Zero-filled. InvalidArgument when the shape is not countable, ResourceExhausted when memory is short.
  static Result<Tensor> create(ElementType type, Shape shape);
  // The same with any content, for whoever writes all of it.
  static Result<Tensor> uninitialized(ElementType type, Shape shape);
  // A view of memory that somebody else owns; `owner` keeps it alive and may be null if the caller does.
  static Tensor view(ElementType type, Shape shape, void* data, std::shared_ptr<void> owner = nullptr);
  template <typename T>
  static Tensor of(ElementType type, Shape shape, std::span<const T> values);

  ElementType type() const { return type_; }
  const Shape& shape() const { return shape_; }
  int64_t rank() const { return static_cast<int64_t>(shape_.size()); }
  int64_t count() const { return count_; }
  size_t bytes() const { return static_cast<size_t>(count_) * byteSize(type_); }
  void* data() { return data_.get(); }
  const void* data() const { return data_.get(); }
  template <typename T>
  T* as() {
    return static_cast<T*>(data_.get());
  }
  template <typename T>
  const T* as() const {
    return static_cast<const T*>(data_.get());
  }

  double getDouble(int64_t i) const { return loadDouble(type_, at(i)); }
  int64_t getInt(int64_t i) const { return loadInt(type_, at(i)); }
  void setDouble(int64_t i, double value) { storeDouble(type_, at(i), value); }
  void setInt(int64_t i, int64_t value) { storeInt(type_, at(i), value); }

 private:
  std::byte* at(int64_t i) const { return static_cast<std::byte*>(data_.get()) + i * byteSize(type_); }

  ElementType type_ = ElementType::F32;
  Shape shape_;
  int64_t count_ = 0;
  std::shared_ptr<void> data_;
};

template <typename T>
Tensor Tensor::of(ElementType type, Shape shape, std::span<const T> values) {
  Tensor tensor = create(type, std::move(shape)).value();
  for (int64_t i = 0; i < tensor.count(); ++i) {
    if (isFloat(type)) {
      tensor.setDouble(i, static_cast<double>(values[i]));
    } else {
      tensor.setInt(i, static_cast<int64_t>(values[i]));
    }
  }
  return tensor;
}

// The largest |a - b| over all elements, and the same divided by the largest finite |b| (0 when that is 0).
// Two NaNs, and two equal infinities, differ by 0; one NaN differs by infinity. FailedPrecondition when
// shapes differ.
struct Difference {
  double absolute = 0, relative = 0;
  int64_t at = -1;  // flat index of the largest, -1 when all are equal
};
Result<Difference> difference(const Tensor& a, const Tensor& b);

}  // namespace tetrarch
