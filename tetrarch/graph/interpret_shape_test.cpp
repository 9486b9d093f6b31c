#include "tetrarch/graph/test_util.h"

namespace tetrarch::tet {
namespace {

TEST(Constant, SmallSplatAndNarrow) {
  EXPECT_EQ(
      runText("func.func @main() -> tensor<2x2xf32> {\n %0 = tet.constant dense<[[1.0, 2.0], [3.0, 4.0]]> : "
              "tensor<2x2xf32>\n return %0 : tensor<2x2xf32> }"),
      (Values{1, 2, 3, 4}));
  EXPECT_EQ(runText("func.func @main() -> tensor<3xi1> {\n %0 = tet.constant dense<[true, false, true]> : "
                    "tensor<3xi1>\n return %0 : tensor<3xi1> }"),
            (Values{1, 0, 1}));
  EXPECT_EQ(
      runText(
          "func.func @main() -> tensor<2xi4> {\n %0 = tet.constant dense<[-3, 7]> : tensor<2xi4>\n return "
          "%0 : tensor<2xi4> }"),
      (Values{-3, 7}));
  EXPECT_EQ(runText("func.func @main() -> tensor<2xf8E4M3FN> {\n %0 = tet.constant dense<1.5> : "
                    "tensor<2xf8E4M3FN>\n return %0 : tensor<2xf8E4M3FN> }"),
            (Values{1.5, 1.5}));
  EXPECT_EQ(
      runText("func.func @main() -> tensor<0xui8> {\n %0 = tet.constant dense<> : tensor<0xui8>\n return "
              "%0 : tensor<0xui8> }"),
      Values());
}

TEST(Iota, CountsAlongItsDimension) {
  EXPECT_EQ(
      runText(
          "func.func @main() -> tensor<2x3xi32> {\n %0 = tet.iota dim = 1 : tensor<2x3xi32>\n return %0 : "
          "tensor<2x3xi32> }"),
      (Values{0, 1, 2, 0, 1, 2}));
  EXPECT_EQ(
      runText(
          "func.func @main() -> tensor<2x3xbf16> {\n %0 = tet.iota dim = 0 : tensor<2x3xbf16>\n return %0 "
          ": tensor<2x3xbf16> }"),
      (Values{0, 0, 0, 1, 1, 1}));
}

TEST(BroadcastInDim, RepeatsOnesAndNewDimensions) {
  EXPECT_EQ(runText(R"(func.func @main(%x: tensor<2x1xf32>) -> tensor<2x2x3xf32> {
    %0 = tet.broadcast_in_dim %x, dims = [1, 2] : (tensor<2x1xf32>) -> tensor<2x2x3xf32>
    return %0 : tensor<2x2x3xf32> })",
                    {f32({2, 1}, {5, 7})}),
            (Values{5, 5, 5, 7, 7, 7, 5, 5, 5, 7, 7, 7}));
}

TEST(Reshape, KeepsTheOrder) {
  EXPECT_EQ(runText(R"(func.func @main(%x: tensor<2x3xf32>) -> tensor<3x2xf32> {
    %0 = tet.reshape %x : (tensor<2x3xf32>) -> tensor<3x2xf32>
    return %0 : tensor<3x2xf32> })",
                    {counting({2, 3})}),
            (Values{0, 1, 2, 3, 4, 5}));
}

TEST(BitcastConvert, SameNarrowerAndWider) {
  EXPECT_EQ(runText(R"(func.func @main(%x: tensor<1xf32>) -> tensor<1xi32> {
    %0 = tet.bitcast_convert %x : (tensor<1xf32>) -> tensor<1xi32>
    return %0 : tensor<1xi32> })",
                    {f32({1}, {1})}),
            (Values{0x3f800000}));
  EXPECT_EQ(runText(R"(func.func @main(%x: tensor<1xi32>) -> tensor<1xi32> {
    %0 = tet.bitcast_convert %x : (tensor<1xi32>) -> tensor<1x4xui8>
    %1 = tet.reverse %0, dims = [1] : (tensor<1x4xui8>) -> tensor<1x4xui8>
    %2 = tet.bitcast_convert %1 : (tensor<1x4xui8>) -> tensor<1xi32>
    return %2 : tensor<1xi32> })",
                    {i32({1}, {0x01020304})}),
            (Values{0x04030201}));
}

TEST(Transpose, PermutesDimensions) {
  EXPECT_EQ(runText(R"(func.func @main(%x: tensor<2x3x2xf32>) -> tensor<2x2x3xf32> {
    %0 = tet.transpose %x, dims = [2, 0, 1] : (tensor<2x3x2xf32>) -> tensor<2x2x3xf32>
    return %0 : tensor<2x2x3xf32> })",
                    {counting({2, 3, 2})}),
            (Values{0, 2, 4, 6, 8, 10, 1, 3, 5, 7, 9, 11}));
}

TEST(Reverse, TurnsDimensionsAround) {
  EXPECT_EQ(runText(R"(func.func @main(%x: tensor<2x3xf32>) -> tensor<2x3xf32> {
    %0 = tet.reverse %x, dims = [1] : (tensor<2x3xf32>) -> tensor<2x3xf32>
    return %0 : tensor<2x3xf32> })",
                    {counting({2, 3})}),
            (Values{2, 1, 0, 5, 4, 3}));
}

TEST(Slice, StridesAndScalars) {
  EXPECT_EQ(runText(R"(func.func @main(%x: tensor<3x5xf32>) -> tensor<2x2xf32> {
    %0 = tet.slice %x, starts = [1, 0], limits = [3, 4], strides = [1, 3] : (tensor<3x5xf32>) -> tensor<2x2xf32>
    return %0 : tensor<2x2xf32> })",
                    {counting({3, 5})}),
            (Values{5, 8, 10, 13}));
  EXPECT_EQ(runText(R"(func.func @main(%x: tensor<f32>) -> tensor<f32> {
    %0 = tet.slice %x, starts = [], limits = [], strides = [] : (tensor<f32>) -> tensor<f32>
    return %0 : tensor<f32> })",
                    {f32({}, {4})}),
            (Values{4}));
}

constexpr std::string_view kDynamicSlice = R"(
  func.func @main(%x: tensor<3x4xf32>, %i: tensor<i32>, %j: tensor<i32>) -> tensor<2x2xf32> {
    %0 = tet.dynamic_slice %x[%i, %j], sizes = [2, 2] : (tensor<3x4xf32>, tensor<i32>, tensor<i32>) -> tensor<2x2xf32>
    return %0 : tensor<2x2xf32> })";

TEST(DynamicSlice, ClampsItsStart) {
  EXPECT_EQ(runText(kDynamicSlice, {counting({3, 4}), i32({}, {1}), i32({}, {1})}), (Values{5, 6, 9, 10}));
  EXPECT_EQ(runText(kDynamicSlice, {counting({3, 4}), i32({}, {9}), i32({}, {-9})}), (Values{4, 5, 8, 9}));
}

TEST(DynamicUpdateSlice, ReplacesTheBlock) {
  constexpr std::string_view text = R"(
  func.func @main(%x: tensor<2x3xf32>, %u: tensor<1x2xf32>, %i: tensor<i32>, %j: tensor<i32>) -> tensor<2x3xf32> {
    %0 = tet.dynamic_update_slice %x, %u[%i, %j]
        : (tensor<2x3xf32>, tensor<1x2xf32>, tensor<i32>, tensor<i32>) -> tensor<2x3xf32>
    return %0 : tensor<2x3xf32> })";
  EXPECT_EQ(runText(text, {counting({2, 3}), f32({1, 2}, {8, 9}), i32({}, {1}), i32({}, {5})}),
            (Values{0, 1, 2, 3, 8, 9}));
}

Values pad(std::string_view low, std::string_view high, std::string_view interior, int64_t size) {
  return runText(
      fmt::format("func.func @main(%x: tensor<3xf32>) -> tensor<{0}xf32> {{\n  %v = tet.constant "
                  "dense<9.0> : tensor<f32>\n  %0 = tet.pad %x, %v, low = [{1}], high = [{2}], interior = "
                  "[{3}] : (tensor<3xf32>, tensor<f32>) -> tensor<{0}xf32>\n  return %0 : "
                  "tensor<{0}xf32> }}",
                  size, low, high, interior),
      {f32({3}, {1, 2, 3})});
}

TEST(Pad, PositiveNegativeAndInterior) {
  EXPECT_EQ(pad("1", "2", "0", 6), (Values{9, 1, 2, 3, 9, 9}));
  EXPECT_EQ(pad("0", "0", "1", 5), (Values{1, 9, 2, 9, 3}));
  EXPECT_EQ(pad("-1", "0", "1", 4), (Values{9, 2, 9, 3}));
  EXPECT_EQ(pad("-2", "-1", "1", 2), (Values{2, 9}));
  EXPECT_EQ(pad("1", "-2", "0", 2), (Values{9, 1}));
  EXPECT_EQ(pad("-3", "1", "0", 1), (Values{9}));
}

TEST(Concatenate, AlongAnyDimension) {
  EXPECT_EQ(runText(R"(func.func @main(%x: tensor<2x2xf32>, %y: tensor<2x1xf32>) -> tensor<2x3xf32> {
    %0 = tet.concatenate (%x, %y), dim = 1 : (tensor<2x2xf32>, tensor<2x1xf32>) -> tensor<2x3xf32>
    return %0 : tensor<2x3xf32> })",
                    {counting({2, 2}), f32({2, 1}, {8, 9})}),
            (Values{0, 1, 8, 2, 3, 9}));
}

}  // namespace
}  // namespace tetrarch::tet
