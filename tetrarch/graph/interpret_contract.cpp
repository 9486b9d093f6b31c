// Reference kernels of the contractions. Both bring their operands into one dense layout with the output
// features (the columns of rhs) last, so that the inner loop runs over contiguous sums and every sum has a
// fixed order.
#include <algorithm>

#include "tetrarch/graph/interpret.h"

namespace tetrarch::tet {
namespace {

using Dims = llvm::ArrayRef<int64_t>;

// Sums of floats are doubles; sums of integers are 64 bits that wrap.
template <typename T>
using Number = std::conditional_t<std::is_same_v<T, double>, double, uint64_t>;

// The elements of `tensor` with its dimensions in the order `dims`.
template <typename T>
Result<std::vector<Number<T>>> loadInOrder(const Tensor& tensor, Dims dims) {
  const std::vector<int64_t> strides = rowMajorStrides(tensor.shape());
  Shape shape;
  View from{0, {}};
  for (int64_t dim : dims) {
    shape.push_back(tensor.shape()[dim]);
    from.strides.push_back(strides[dim]);
  }
  TET_ASSIGN_OR_RETURN(Tensor ordered, Tensor::create(tensor.type(), shape));
  copyBox(shape, ordered, wholeOf(ordered), tensor, from);
  const std::vector<T> values = load<T>(ordered);
  return std::vector<Number<T>>(values.begin(), values.end());
}

// sums[n] += factor * row[n]
template <typename N>
void addScaled(N* __restrict sums, const N* __restrict row, N factor, int64_t count) {
  for (int64_t n = 0; n < count; ++n) sums[n] += factor * row[n];
}

llvm::SmallVector<int64_t> otherDims(int64_t rank, Dims a, Dims b) {
  llvm::SmallVector<int64_t> dims;
  for (int64_t d = 0; d < rank; ++d) {
    if (!llvm::is_contained(a, d) && !llvm::is_contained(b, d)) dims.push_back(d);
  }
  return dims;
}

int64_t sizeOf(const Tensor& tensor, Dims dims) {
  int64_t size = 1;
  for (int64_t dim : dims) size *= tensor.shape()[dim];
  return size;
}

template <typename T>
Result<Tensor> dotGeneral(DotGeneralOp op, const Tensor& lhs, const Tensor& rhs) {
  const Dims lhs_batch = op.getLhsBatchingDimensions(), rhs_batch = op.getRhsBatchingDimensions();
  const Dims lhs_contract = op.getLhsContractingDimensions(), rhs_contract = op.getRhsContractingDimensions();
  const auto rows = otherDims(lhs.rank(), lhs_batch, lhs_contract);
  const auto columns = otherDims(rhs.rank(), rhs_batch, rhs_contract);
  auto join = [](Dims a, Dims b, Dims c) {
    llvm::SmallVector<int64_t> dims(a);
    llvm::append_range(dims, b);
    llvm::append_range(dims, c);
    return dims;
  };
  TET_ASSIGN_OR_RETURN(const auto left, loadInOrder<T>(lhs, join(lhs_batch, rows, lhs_contract)));
  TET_ASSIGN_OR_RETURN(const auto right, loadInOrder<T>(rhs, join(rhs_batch, rhs_contract, columns)));
  TET_ASSIGN_OR_RETURN(Tensor out, createLike(op));
  const int64_t m = sizeOf(lhs, rows), k = sizeOf(lhs, lhs_contract), n = sizeOf(rhs, columns);
  parallelFor(sizeOf(lhs, lhs_batch) * m, [&](int64_t begin, int64_t end) {
    std::vector<Number<T>> sums(n);
    for (int64_t row = begin; row < end; ++row) {
      std::ranges::fill(sums, 0);
      const Number<T>* columns_of_batch = right.data() + row / m * k * n;
      for (int64_t i = 0; i < k; ++i) addScaled(sums.data(), columns_of_batch + i * n, left[row * k + i], n);
      for (int64_t i = 0; i < n; ++i) set<T>(out, row * n + i, static_cast<T>(sums[i]));
    }
  });
  return out;
}

Result<Tensor> dotGeneralKernel(DotGeneralOp op, Inputs in) {
  return isFloat(in[0].type()) ? dotGeneral<double>(op, in[0], in[1]) : dotGeneral<int64_t>(op, in[0], in[1]);
}

// A convolution with its dimensions brought into the orders [batch, spatial…, feature], [spatial…, in, out].
class Convolution {
 public:
  Convolution(ConvolutionOp op, const Tensor& lhs, const Tensor& rhs)
      : op_(op),
        spatial_(lhs.rank() - 2),
        input_dims_{op.getInputBatchDimension()},
        kernel_dims_(op.getKernelSpatialDimensions()),
        output_dims_{op.getOutputBatchDimension()} {
    llvm::append_range(input_dims_, op.getInputSpatialDimensions());
    input_dims_.push_back(op.getInputFeatureDimension());
    kernel_dims_.append({op.getKernelInputFeatureDimension(), op.getKernelOutputFeatureDimension()});
    llvm::append_range(output_dims_, op.getOutputSpatialDimensions());
    output_dims_.push_back(op.getOutputFeatureDimension());
    for (int64_t d : input_dims_) input_shape_.push_back(lhs.shape()[d]);
    for (int64_t d : kernel_dims_) kernel_shape_.push_back(rhs.shape()[d]);
    for (int64_t d : output_dims_) output_shape_.push_back(op.getType().getDimSize(d));
  }

  template <typename T>
  Result<Tensor> run(const Tensor& lhs, const Tensor& rhs) const {
    TET_ASSIGN_OR_RETURN(const auto input, loadInOrder<T>(lhs, input_dims_));
    TET_ASSIGN_OR_RETURN(const auto kernel, loadInOrder<T>(rhs, kernel_dims_));
    TET_ASSIGN_OR_RETURN(Tensor out, createLike(op_));
    const int64_t features = output_shape_.back();
    const std::vector<int64_t> strides = rowMajorStrides(out.shape());
    parallelFor(product(std::span(output_shape_).first(spatial_ + 1)), [&](int64_t begin, int64_t end) {
      std::vector<Number<T>> sums(features);
      for (int64_t point = begin; point < end; ++point) {
        const Shape index = unflatten(point);
        std::ranges::fill(sums, 0);
        accumulate<T>(input, kernel, index, sums);
        int64_t at = 0;
        for (int64_t d = 0; d <= spatial_; ++d) at += index[d] * strides[output_dims_[d]];
        for (int64_t o = 0; o < features; ++o) {
          set<T>(out, at + o * strides[output_dims_.back()], static_cast<T>(sums[o]));
        }
      }
    });
    return out;
  }

 private:
  // Batch and spatial indices of an output point.
  Shape unflatten(int64_t point) const {
    Shape index(spatial_ + 1);
    for (int64_t d = spatial_; d >= 0; --d) {
      index[d] = point % output_shape_[d];
      point /= output_shape_[d];
    }
    return index;
  }

  // The flat spatial position in the input under kernel position `tap` for the output point; -1 in padding
  // and in the holes of a dilated input.
  int64_t inputPosition(const Shape& index, const Shape& tap) const {
    int64_t position = 0;
    for (int64_t s = 0; s < spatial_; ++s) {
      const int64_t dilation = op_.getLhsDilation()[s], size = input_shape_[s + 1];
      const int64_t spread = index[s + 1] * op_.getWindowStrides()[s] + tap[s] * op_.getRhsDilation()[s] -
                             op_.getPadding()[2 * s];
      if (spread < 0 || spread % dilation != 0 || spread / dilation >= size) return -1;
      position = position * size + spread / dilation;
    }
    return position;
  }

  template <typename T>
  void accumulate(const std::vector<Number<T>>& input, const std::vector<Number<T>>& kernel,
                  const Shape& index, std::vector<Number<T>>& sums) const {
    const int64_t batch_groups = op_.getBatchGroupCount(), feature_groups = op_.getFeatureGroupCount();
    const int64_t groups = std::max(batch_groups, feature_groups);
    const int64_t channels = input_shape_.back(), features = output_shape_.back();
    const int64_t channels_in_group = kernel_shape_[spatial_], features_in_group = features / groups;
    const int64_t positions = product(std::span(input_shape_).subspan(1, spatial_));
    const auto taps = std::span(kernel_shape_).first(spatial_);
    Shape tap(spatial_, 0);
    int64_t tap_number = 0;
    do {
      const int64_t position = inputPosition(index, tap);
      const Number<T>* weights = kernel.data() + tap_number++ * channels_in_group * features;
      if (position < 0) continue;
      for (int64_t g = 0; g < groups; ++g) {
        const int64_t image = index[0] + (batch_groups > 1 ? g * output_shape_[0] : 0);
        const Number<T>* pixel = input.data() + (image * positions + position) * channels +
                                 (feature_groups > 1 ? g * channels_in_group : 0);
        for (int64_t c = 0; c < channels_in_group; ++c) {
          addScaled(sums.data() + g * features_in_group, weights + c * features + g * features_in_group,
                    pixel[c], features_in_group);
        }
      }
    } while (advanceIndex(tap, taps));
  }

  mutable ConvolutionOp op_;
  int64_t spatial_;
  llvm::SmallVector<int64_t> input_dims_, kernel_dims_, output_dims_;
  Shape input_shape_, kernel_shape_, output_shape_;
};

Result<Tensor> convolutionKernel(ConvolutionOp op, Inputs in) {
  const Convolution convolution(op, in[0], in[1]);
  return isFloat(in[0].type()) ? convolution.run<double>(in[0], in[1])
                               : convolution.run<int64_t>(in[0], in[1]);
}

}  // namespace

void addContractionKernels(KernelTable& table) {
  table.add(dotGeneralKernel);
  table.add(convolutionKernel);
}

}  // namespace tetrarch::tet
