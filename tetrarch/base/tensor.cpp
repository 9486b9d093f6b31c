#include "tetrarch/base/tensor.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <limits>

namespace tetrarch {
namespace {

constexpr size_t kCacheLine = 64, kPage = 4096;
constexpr size_t kLarge = size_t{64} << 10;  // bytes from which on a tensor starts on a page

}  // namespace

Result<int64_t> elementCount(std::span<const int64_t> shape) {
  int64_t count = 1;
  bool empty = false;
  for (int64_t dim : shape) {
    if (dim < 0) return invalidArgument("dimension {} is negative", dim);
    if (dim == 0) empty = true;
    if (dim != 0 && (__builtin_mul_overflow(count, dim, &count) || count > (1LL << 62))) {
      return invalidArgument("shape has more than 2^62 elements");
    }
  }
  return empty ? 0 : count;
}

std::string toString(ElementType type, std::span<const int64_t> shape) {
  std::string text;
  for (int64_t dim : shape) text += fmt::format("{}x", dim);
  return text + std::string(info(type).name);
}

Result<Tensor> Tensor::create(ElementType type, Shape shape) {
  TET_ASSIGN_OR_RETURN(Tensor tensor, uninitialized(type, std::move(shape)));
  std::memset(tensor.data_.get(), 0, tensor.bytes());
  return tensor;
}

Result<Tensor> Tensor::uninitialized(ElementType type, Shape shape) {
  TET_ASSIGN_OR_RETURN(const int64_t count, elementCount(shape));
  // 2^40 bytes is beyond any box this runs on: refuse by arithmetic, not by the kernel's out-of-memory
  // killer.
  if (count > (1LL << 40)) {
    return fail(StatusCode::kResourceExhausted, "a tensor of {} does not fit in memory",
                toString(type, shape));
  }
  const size_t dense = count * byteSize(type);
  const size_t alignment = dense < kLarge ? kCacheLine : kPage;
  const size_t bytes = std::max<size_t>(1, (dense + alignment - 1) / alignment) * alignment;
  Tensor tensor;
  tensor.type_ = type;
  tensor.shape_ = std::move(shape);
  tensor.count_ = count;
  void* data = std::aligned_alloc(alignment, bytes);
  if (!data) {
    return fail(StatusCode::kResourceExhausted, "no memory for a tensor of {}",
                toString(type, tensor.shape_));
  }
  tensor.data_ = std::shared_ptr<void>(data, std::free);
  return tensor;
}

Tensor Tensor::view(ElementType type, Shape shape, void* data, std::shared_ptr<void> owner) {
  Tensor tensor;
  tensor.type_ = type;
  tensor.count_ = elementCount(shape).value_or(0);
  tensor.shape_ = std::move(shape);
  tensor.data_ = std::shared_ptr<void>(std::move(owner), data);
  return tensor;
}

Result<Difference> difference(const Tensor& a, const Tensor& b) {
  if (a.shape() != b.shape()) {
    return fail(StatusCode::kFailedPrecondition, "shapes differ: {} and {}", toString(a.type(), a.shape()),
                toString(b.type(), b.shape()));
  }
  Difference d;
  double largest = 0;
  for (int64_t i = 0; i < a.count(); ++i) {
    const double x = a.getDouble(i), y = b.getDouble(i);
    if (std::isfinite(y)) largest = std::max(largest, std::fabs(y));
    if (x == y || (std::isnan(x) && std::isnan(y))) continue;
    double delta = std::fabs(x - y);
    if (std::isnan(delta)) delta = std::numeric_limits<double>::infinity();
    if (delta > d.absolute || d.at < 0) d.absolute = delta, d.at = i;
  }
  d.relative = largest > 0 ? d.absolute / largest : (d.absolute > 0 ? d.absolute : 0);
  return d;
}

}  // namespace tetrarch
