// Expected values were computed with NumPy's einsum and PyTorch's convolutions.
#include "tetrarch/graph/test_util.h"

namespace tetrarch::tet {
namespace {

TEST(DotGeneral, Batched) {
  EXPECT_EQ(runText(R"(func.func @main(%x: tensor<2x2x3xf32>, %y: tensor<2x3x2xf32>) -> tensor<2x2x2xf32> {
    %0 = tet.dot_general %x, %y, batching_dims = [0] x [0], contracting_dims = [2] x [1]
        : (tensor<2x2x3xf32>, tensor<2x3x2xf32>) -> tensor<2x2x2xf32>
    return %0 : tensor<2x2x2xf32> })",
                    {counting({2, 2, 3}), counting({2, 3, 2})}),
            (Values{10, 13, 28, 40, 172, 193, 244, 274}));
}

TEST(DotGeneral, TwoContractingDimensionsInAnyPlace) {
  EXPECT_EQ(runText(R"(func.func @main(%x: tensor<2x3x4xf64>, %y: tensor<4x3x2xf64>) -> tensor<2x2xf64> {
    %0 = tet.dot_general %x, %y, batching_dims = [] x [], contracting_dims = [1, 2] x [1, 0]
        : (tensor<2x3x4xf64>, tensor<4x3x2xf64>) -> tensor<2x2xf64>
    return %0 : tensor<2x2xf64> })",
                    {counting({2, 3, 4}, ElementType::F64), counting({4, 3, 2}, ElementType::F64)}),
            (Values{880, 946, 2464, 2674}));
}

TEST(DotGeneral, NarrowIntegersIntoWide) {
  EXPECT_EQ(runText(R"(func.func @main(%x: tensor<1x2xui8>, %y: tensor<2x1xi8>) -> tensor<1x1xi32> {
    %0 = tet.dot_general %x, %y, batching_dims = [] x [], contracting_dims = [1] x [0]
        : (tensor<1x2xui8>, tensor<2x1xi8>) -> tensor<1x1xi32>
    return %0 : tensor<1x1xi32> })",
                    {tensorOf(ElementType::U8, {1, 2}, {200, 255}),
                     tensorOf(ElementType::I8, {2, 1}, {-128, 127})}),
            (Values{200 * -128 + 255 * 127}));
}

TEST(DotGeneral, HalfPrecisionSumsWide) {
  EXPECT_EQ(
      runText(R"(func.func @main(%x: tensor<3xf16>, %y: tensor<3xf16>) -> tensor<f16> {
    %0 = tet.dot_general %x, %y, batching_dims = [] x [], contracting_dims = [0] x [0]
        : (tensor<3xf16>, tensor<3xf16>) -> tensor<f16>
    return %0 : tensor<f16> })",
              {tensorOf(ElementType::F16, {3}, {2048, 1, 1}), tensorOf(ElementType::F16, {3}, {1, 1, 1})}),
      (Values{2050}));
}

// A convolution of NCHW by OIHW.
std::string convolutionText(std::string_view input, std::string_view kernel, std::string_view output,
                            std::string_view attributes) {
  return fmt::format(R"(func.func @main(%x: tensor<{0}>, %k: tensor<{1}>) -> tensor<{2}> {{
    %0 = tet.convolution %x, %k {{{3}, input_batch_dimension = 0, input_feature_dimension = 1,
      input_spatial_dimensions = array<i64: 2, 3>, kernel_output_feature_dimension = 0,
      kernel_input_feature_dimension = 1, kernel_spatial_dimensions = array<i64: 2, 3>, output_batch_dimension = 0,
      output_feature_dimension = 1, output_spatial_dimensions = array<i64: 2, 3>}}
      : (tensor<{0}>, tensor<{1}>) -> tensor<{2}>
    return %0 : tensor<{2}> }})",
                     input, kernel, output, attributes);
}

// (0, 1, 2, 3, 4, 0, 1, …) - 2
Tensor weights(Shape shape) {
  Tensor tensor = Tensor::create(ElementType::F32, std::move(shape)).value();
  for (int64_t i = 0; i < tensor.count(); ++i) tensor.setDouble(i, static_cast<double>(i % 5 - 2));
  return tensor;
}

TEST(Convolution, StridesAndPadding) {
  const std::string text =
      convolutionText("1x2x4x4xf32", "2x2x3x3xf32", "1x2x2x2xf32",
                      "window_strides = array<i64: 2, 2>, padding = array<i64: 1, 1, 1, 1>, "
                      "lhs_dilation = array<i64: 1, 1>, rhs_dilation = array<i64: 1, 1>");
  EXPECT_EQ(runText(text, {counting({1, 2, 4, 4}, ElementType::F32, -10), weights({2, 2, 3, 3})}),
            (Values{3, -17, 2, -10, 0, -10, 6, -3}));
}

TEST(Convolution, DilatedKernel) {
  const std::string text =
      convolutionText("1x2x4x4xf32", "2x2x3x3xf32", "1x2x2x2xf32",
                      "window_strides = array<i64: 3, 3>, padding = array<i64: 2, 2, 2, 2>, "
                      "lhs_dilation = array<i64: 1, 1>, rhs_dilation = array<i64: 2, 2>");
  EXPECT_EQ(runText(text, {counting({1, 2, 4, 4}, ElementType::F32, -10), weights({2, 2, 3, 3})}),
            (Values{4, -60, 28, 43, -14, 31, 16, -60}));
}

TEST(Convolution, FeatureGroups) {
  const std::string text = convolutionText(
      "1x2x4x4xf32", "4x1x2x2xf32", "1x4x2x2xf32",
      "window_strides = array<i64: 2, 2>, padding = array<i64: 0, 0, 0, 0>, lhs_dilation = array<i64: "
      "1, 1>, rhs_dilation = array<i64: 1, 1>, feature_group_count = 2");
  EXPECT_EQ(runText(text, {counting({1, 2, 4, 4}, ElementType::F32, -10), weights({4, 1, 2, 2})}),
            (Values{24, 20, 8, 4, 4, 2, -4, -6, -11, -11, -11, -11, 5, 7, 13, 15}));
}

TEST(Convolution, DilatedInputIsATransposedConvolution) {
  // The kernel of ConvTranspose is [in, out, …] and turned around.
  EXPECT_EQ(
      runText(R"(func.func @main(%x: tensor<1x2x2x2xf32>, %k: tensor<2x1x3x3xf32>) -> tensor<1x1x3x3xf32> {
    %t = tet.reverse %k, dims = [2, 3] : (tensor<2x1x3x3xf32>) -> tensor<2x1x3x3xf32>
    %0 = tet.convolution %x, %t {window_strides = array<i64: 1, 1>, padding = array<i64: 1, 1, 1, 1>,
      lhs_dilation = array<i64: 2, 2>, rhs_dilation = array<i64: 1, 1>, input_batch_dimension = 0,
      input_feature_dimension = 1, input_spatial_dimensions = array<i64: 2, 3>, kernel_output_feature_dimension = 1,
      kernel_input_feature_dimension = 0, kernel_spatial_dimensions = array<i64: 2, 3>, output_batch_dimension = 0,
      output_feature_dimension = 1, output_spatial_dimensions = array<i64: 2, 3>}
      : (tensor<1x2x2x2xf32>, tensor<2x1x3x3xf32>) -> tensor<1x1x3x3xf32>
    return %0 : tensor<1x1x3x3xf32> })",
              {counting({1, 2, 2, 2}), weights({2, 1, 3, 3})}),
      (Values{4, 9, 7, -18, -9, -22, 10, 11, 13}));
}

TEST(Convolution, BatchGroupsSplitTheBatchByOutputFeature) {
  // Two groups: image 0 with kernel feature 0, image 1 with kernel feature 1.
  const std::string text = convolutionText(
      "2x1x1x2xf32", "2x1x1x2xf32", "1x2x1x1xf32",
      "window_strides = array<i64: 1, 1>, padding = array<i64: 0, 0, 0, 0>, lhs_dilation = array<i64: "
      "1, 1>, rhs_dilation = array<i64: 1, 1>, batch_group_count = 2");
  EXPECT_EQ(runText(text, {f32({2, 1, 1, 2}, {1, 2, 3, 4}), f32({2, 1, 1, 2}, {5, 6, 7, 8})}),
            (Values{1 * 5 + 2 * 6, 3 * 7 + 4 * 8}));
}

}  // namespace
}  // namespace tetrarch::tet
