#include <cmath>
#include <limits>

#include "tetrarch/graph/test_util.h"

namespace tetrarch::tet {
namespace {

Values reduce(std::string_view kind, ElementType type, Values values) {
  const auto n = static_cast<int64_t>(values.size());
  return runText(
      fmt::format("func.func @main(%x: tensor<{0}x{1}>) -> tensor<{1}> {{\n  %0 = tet.reduce {2}, %x, dims "
                  "= [0] : (tensor<{0}x{1}>) -> tensor<{1}>\n  return %0 : tensor<{1}> }}",
                  n, info(type).name, kind),
      {tensorOf(type, {n}, values)});
}

TEST(Reduce, EveryKind) {
  EXPECT_EQ(reduce("add", ElementType::F32, {1, 2, 4}), (Values{7}));
  EXPECT_EQ(reduce("multiply", ElementType::I32, {2, 3, 7}), (Values{42}));
  EXPECT_EQ(reduce("maximum", ElementType::I8, {-5, -3, -9}), (Values{-3}));
  EXPECT_EQ(reduce("minimum", ElementType::U8, {5, 3, 255}), (Values{3}));
  EXPECT_EQ(reduce("and", ElementType::I1, {1, 1, 0}), (Values{0}));
  EXPECT_EQ(reduce("or", ElementType::I1, {0, 1, 0}), (Values{1}));
  EXPECT_EQ(reduce("xor", ElementType::I8, {5, 3, 9}), (Values{15}));
  EXPECT_TRUE(std::isnan(reduce("maximum", ElementType::F32, {1, std::nan(""), 2})[0]));
}

TEST(Reduce, NothingGivesTheIdentity) {
  constexpr double inf = std::numeric_limits<double>::infinity();
  EXPECT_EQ(reduce("add", ElementType::F32, {}), (Values{0}));
  EXPECT_EQ(reduce("multiply", ElementType::I8, {}), (Values{1}));
  EXPECT_EQ(reduce("maximum", ElementType::F32, {}), (Values{-inf}));
  EXPECT_EQ(reduce("maximum", ElementType::F8E4M3FN, {}), (Values{-448}));
  EXPECT_EQ(reduce("minimum", ElementType::I8, {}), (Values{127}));
  EXPECT_EQ(reduce("maximum", ElementType::I4, {}), (Values{-8}));
  EXPECT_EQ(reduce("minimum", ElementType::U8, {}), (Values{255}));
  EXPECT_EQ(reduce("and", ElementType::I8, {}), (Values{-1}));
  EXPECT_EQ(reduce("and", ElementType::I1, {}), (Values{1}));
}

TEST(Reduce, SumsRoundOnce) { EXPECT_EQ(reduce("add", ElementType::F16, {2048, 1, 1}), (Values{2050})); }

TEST(Reduce, AnyDimensions) {
  EXPECT_EQ(runText(R"(func.func @main(%x: tensor<2x3x2xf32>) -> tensor<3xf32> {
    %0 = tet.reduce add, %x, dims = [2, 0] : (tensor<2x3x2xf32>) -> tensor<3xf32>
    return %0 : tensor<3xf32> })",
                    {counting({2, 3, 2})}),
            (Values{0 + 1 + 6 + 7, 2 + 3 + 8 + 9, 4 + 5 + 10 + 11}));
}

TEST(ReduceWindow, PoolsWithPadding) {
  EXPECT_EQ(runText(R"(func.func @main(%x: tensor<1x1x4x4xf32>) -> tensor<1x1x2x2xf32> {
    %0 = tet.reduce_window maximum, %x, window = [1, 1, 3, 3], strides = [1, 1, 2, 2], base_dilations = [1, 1, 1, 1],
        window_dilations = [1, 1, 1, 1], padding = [0, 0, 0, 0, 1, 1, 1, 1]
        : (tensor<1x1x4x4xf32>) -> tensor<1x1x2x2xf32>
    return %0 : tensor<1x1x2x2xf32> })",
                    {counting({1, 1, 4, 4})}),
            (Values{5, 7, 13, 15}));
}

TEST(ReduceWindow, DilationsOfBaseAndWindow) {
  // Spread to 1 . 2 . 3, windows of elements two apart.
  EXPECT_EQ(runText(R"(func.func @main(%x: tensor<3xi32>) -> tensor<3xi32> {
    %0 = tet.reduce_window add, %x, window = [2], strides = [1], base_dilations = [2], window_dilations = [2],
        padding = [0, 0] : (tensor<3xi32>) -> tensor<3xi32>
    return %0 : tensor<3xi32> })",
                    {i32({3}, {1, 2, 3})}),
            (Values{3, 0, 5}));
}

TEST(Cumulative, AlongEitherDimension) {
  EXPECT_EQ(runText(R"(func.func @main(%x: tensor<2x3xf32>) -> tensor<2x3xf32> {
    %0 = tet.cumulative add, %x, dim = 1 : (tensor<2x3xf32>) -> tensor<2x3xf32>
    return %0 : tensor<2x3xf32> })",
                    {counting({2, 3})}),
            (Values{0, 1, 3, 3, 7, 12}));
  EXPECT_EQ(runText(R"(func.func @main(%x: tensor<3x2xi8>) -> tensor<3x2xi8> {
    %0 = tet.cumulative multiply, %x, dim = 0 : (tensor<3x2xi8>) -> tensor<3x2xi8>
    return %0 : tensor<3x2xi8> })",
                    {tensorOf(ElementType::I8, {3, 2}, {2, 16, 3, 16, 5, 1})}),
            (Values{2, 16, 6, 0, 30, 0}));
}

TEST(Gather, RowsWithClampedIndices) {
  EXPECT_EQ(runText(R"(func.func @main(%x: tensor<3x2xf32>, %i: tensor<2x2xi64>) -> tensor<2x2x2xf32> {
    %0 = tet.gather %x, %i {offset_dims = array<i64: 2>, collapsed_slice_dims = array<i64: 0>,
      operand_batching_dims = array<i64>, start_indices_batching_dims = array<i64>, start_index_map = array<i64: 0>,
      index_vector_dim = 2, slice_sizes = array<i64: 1, 2>} : (tensor<3x2xf32>, tensor<2x2xi64>) -> tensor<2x2x2xf32>
    return %0 : tensor<2x2x2xf32> })",
                    {counting({3, 2}), tensorOf(ElementType::I64, {2, 2}, {2, 0, -1, 7})}),
            (Values{4, 5, 0, 1, 0, 1, 4, 5}));
}

TEST(Gather, IndexVectorsAndOffsetsBeforeTheBatch) {
  EXPECT_EQ(runText(R"(func.func @main(%x: tensor<3x4xf32>, %i: tensor<2x2xi32>) -> tensor<2x2xf32> {
    %0 = tet.gather %x, %i {offset_dims = array<i64: 0>, collapsed_slice_dims = array<i64: 0>,
      operand_batching_dims = array<i64>, start_indices_batching_dims = array<i64>, start_index_map = array<i64: 1, 0>,
      index_vector_dim = 0, slice_sizes = array<i64: 1, 2>} : (tensor<3x4xf32>, tensor<2x2xi32>) -> tensor<2x2xf32>
    return %0 : tensor<2x2xf32> })",
                    // Index vectors run along dimension 0: (column, row) = (1, 2) and (9, 0).
                    {counting({3, 4}), i32({2, 2}, {1, 9, 2, 0})}),
            (Values{9, 2, 10, 3}));
}

constexpr std::string_view kBatchedGather = R"(
  func.func @main(%x: tensor<2x3xf32>, %i: tensor<2x2xi32>) -> tensor<2x2xf32> {
    %0 = tet.gather %x, %i {offset_dims = array<i64>, collapsed_slice_dims = array<i64: 1>,
      operand_batching_dims = array<i64: 0>, start_indices_batching_dims = array<i64: 0>,
      start_index_map = array<i64: 1>, index_vector_dim = 2, slice_sizes = array<i64: 1, 1>}
      : (tensor<2x3xf32>, tensor<2x2xi32>) -> tensor<2x2xf32>
    return %0 : tensor<2x2xf32> })";

TEST(Gather, BatchingDimensionsTakeAlongAnAxis) {
  EXPECT_EQ(runText(kBatchedGather, {counting({2, 3}), i32({2, 2}, {2, 0, 1, 1})}), (Values{2, 0, 4, 4}));
}

Values scatter(std::string_view kind) {
  return runText(
      fmt::format(
          R"(func.func @main(%x: tensor<3x2xf32>, %i: tensor<3xi32>, %u: tensor<3x2xf32>) -> tensor<3x2xf32> {{
    %0 = tet.scatter {}, %x, %i, %u {{update_window_dims = array<i64: 1>, inserted_window_dims = array<i64: 0>,
      input_batching_dims = array<i64>, scatter_indices_batching_dims = array<i64>,
      scatter_dims_to_operand_dims = array<i64: 0>, index_vector_dim = 1}}
      : (tensor<3x2xf32>, tensor<3xi32>, tensor<3x2xf32>) -> tensor<3x2xf32>
    return %0 : tensor<3x2xf32> }})",
          kind),
      {counting({3, 2}), i32({3}, {2, 2, 3}), f32({3, 2}, {10, 20, 3, 4, 50, 60})});
}

TEST(Scatter, CombinesInOrderAndDropsWhatFallsOutside) {
  EXPECT_EQ(scatter("add"), (Values{0, 1, 2, 3, 17, 29}));
  EXPECT_EQ(scatter("assign"), (Values{0, 1, 2, 3, 3, 4}));
  EXPECT_EQ(scatter("maximum"), (Values{0, 1, 2, 3, 10, 20}));
}

TEST(Scatter, BatchingDimensionsPutAlongAnAxis) {
  EXPECT_EQ(
      runText(
          R"(func.func @main(%x: tensor<2x3xf32>, %i: tensor<2x1xi32>, %u: tensor<2x1xf32>) -> tensor<2x3xf32> {
    %0 = tet.scatter assign, %x, %i, %u {update_window_dims = array<i64>, inserted_window_dims = array<i64: 1>,
      input_batching_dims = array<i64: 0>, scatter_indices_batching_dims = array<i64: 0>,
      scatter_dims_to_operand_dims = array<i64: 1>, index_vector_dim = 2}
      : (tensor<2x3xf32>, tensor<2x1xi32>, tensor<2x1xf32>) -> tensor<2x3xf32>
    return %0 : tensor<2x3xf32> })",
          {counting({2, 3}), i32({2, 1}, {2, 0}), f32({2, 1}, {7, 8})}),
      (Values{0, 1, 7, 8, 4, 5}));
}

std::vector<Tensor> sorted(std::string_view direction, ElementType type, Values keys) {
  const auto n = static_cast<int64_t>(keys.size());
  auto results = tryText(
      fmt::format(
          "func.func @main(%x: tensor<{0}x{1}>) -> (tensor<{0}x{1}>, tensor<{0}xi32>) {{\n  %i = tet.iota "
          "dim = "
          "0 : tensor<{0}xi32>\n  %0:2 = tet.sort {2} (%x, %i), dim = 0, stable = true : (tensor<{0}x{1}>, "
          "tensor<{0}xi32>) -> (tensor<{0}x{1}>, tensor<{0}xi32>)\n  return %0#0, %0#1 : tensor<{0}x{1}>, "
          "tensor<{0}xi32> }}",
          n, info(type).name, direction),
      {tensorOf(type, {n}, keys)});
  EXPECT_TRUE(results) << results.error().message();
  return *results;
}

TEST(Sort, IsStableInBothDirections) {
  auto up = sorted("ascending", ElementType::I8, {3, 1, 3, -2, 1});
  EXPECT_EQ(valuesOf(up[0]), (Values{-2, 1, 1, 3, 3}));
  EXPECT_EQ(valuesOf(up[1]), (Values{3, 1, 4, 0, 2}));
  auto down = sorted("descending", ElementType::I8, {3, 1, 3, -2, 1});
  EXPECT_EQ(valuesOf(down[0]), (Values{3, 3, 1, 1, -2}));
  EXPECT_EQ(valuesOf(down[1]), (Values{0, 2, 1, 4, 3}));
}

TEST(Sort, NaNIsTheLargest) {
  const double nan = std::nan(""), inf = std::numeric_limits<double>::infinity();
  EXPECT_EQ(valuesOf(sorted("ascending", ElementType::F32, {nan, 1, inf, 0, -0.})[1]),
            (Values{3, 4, 1, 2, 0}));
  EXPECT_EQ(valuesOf(sorted("descending", ElementType::F32, {1, nan, inf})[1]), (Values{1, 2, 0}));
}

TEST(Sort, AlongTheFirstDimension) {
  EXPECT_EQ(runText(R"(func.func @main(%x: tensor<3x2xf32>) -> tensor<3x2xf32> {
    %0 = tet.sort ascending (%x), dim = 0, stable = false : (tensor<3x2xf32>) -> tensor<3x2xf32>
    return %0 : tensor<3x2xf32> })",
                    {f32({3, 2}, {5, 1, 3, 9, 4, 2})}),
            (Values{3, 1, 4, 2, 5, 9}));
}

}  // namespace
}  // namespace tetrarch::tet
