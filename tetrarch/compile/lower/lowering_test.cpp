// One case an op that makes tensors (lowerings.def), and the groups that fusion makes of several.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tetrarch/compile/lower/differential.h"

namespace tetrarch::compile {
namespace {

using Cases = std::vector<DifferentialCase>;

// A convolution NCHW x OIHW with dimension numbers spelled out.
std::string convolutionText(const std::string& lhs, const std::string& rhs, const std::string& result,
                            const std::string& type, const std::string& attributes) {
  const std::string x = tensorText(lhs, type), w = tensorText(rhs, type), y = tensorText(result, type);
  return "func.func @main(%x: " + x + ", %w: " + w + ") -> " + y + " {\n  %y = tet.convolution %x, %w {" +
         attributes +
         ", input_batch_dimension = 0 : i64, input_feature_dimension = 1 : i64, input_spatial_dimensions = "
         "array<i64: 2, 3>,"
         " kernel_input_feature_dimension = 1 : i64, kernel_output_feature_dimension = 0 : i64,"
         " kernel_spatial_dimensions = array<i64: 2, 3>, output_batch_dimension = 0 : i64, "
         "output_feature_dimension = 1 : i64,"
         " output_spatial_dimensions = array<i64: 2, 3>} : (" +
         x + ", " + w + ") -> " + y + "\n  return %y : " + y + "\n}\n";
}
std::string windowAttributes(const std::string& strides, const std::string& padding, const std::string& lhs,
                             const std::string& rhs) {
  return "window_strides = array<i64: " + strides + ">, padding = array<i64: " + padding +
         ">, lhs_dilation = array<i64: " + lhs + ">, rhs_dilation = array<i64: " + rhs + ">";
}

TEST(Lower, Convolutions) {
  checkAgainstInterpreter({
      {"plain", convolutionText("2x3x9x8", "5x3x3x2", "2x5x7x7", "f32",
                                windowAttributes("1, 1", "0, 0, 0, 0", "1, 1", "1, 1"))},
      {"strided", convolutionText("1x3x9x8", "5x3x3x3", "1x5x5x4", "f32",
                                  windowAttributes("2, 2", "1, 1, 1, 1", "1, 1", "1, 1"))},
      {"dilated", convolutionText("1x3x9x9", "5x3x3x3", "1x5x5x5", "f32",
                                  windowAttributes("1, 1", "0, 0, 0, 0", "1, 1", "2, 2"))},
      {"transposed", convolutionText("1x3x4x4", "5x3x3x3", "1x5x8x8", "f32",
                                     windowAttributes("1, 1", "1, 2, 1, 2", "2, 2", "1, 1"))},
      {"transposed_2x2", convolutionText("2x3x4x5", "5x3x2x2", "2x5x8x10", "f32",
                                         windowAttributes("1, 1", "1, 1, 1, 1", "2, 2", "1, 1"))},
      {"transposed_4x4", convolutionText("1x3x4x5", "5x3x4x4", "1x5x8x10", "f32",
                                         windowAttributes("1, 1", "2, 2, 2, 2", "2, 2", "1, 1"))},
      {"transposed_odd", convolutionText("1x3x4x5", "5x3x5x2", "1x5x11x8", "f32",
                                         windowAttributes("1, 1", "3, 2, -1, 1", "3, 2", "1, 1"))},
      {"transposed_one_way", convolutionText("1x3x4x9", "5x3x3x3", "1x5x12x5", "f32",
                                             windowAttributes("1, 2", "2, 2, 1, 1", "3, 1", "1, 1"))},
      {"transposed_groups", convolutionText("1x6x4x4", "4x3x3x3", "1x4x8x8", "f32",
                                            windowAttributes("1, 1", "1, 2, 1, 2", "2, 2", "1, 1") +
                                                ", feature_group_count = 2 : i64")},
      {"transposed_bytes", convolutionText("1x3x4x4", "5x3x4x4", "1x5x8x8", "i8",
                                           windowAttributes("1, 1", "2, 2, 2, 2", "2, 2", "1, 1"))},
      {"cropped", convolutionText("1x3x9x8", "5x3x3x3", "1x5x6x8", "f32",
                                  windowAttributes("1, 1", "-1, 0, 1, 1", "1, 1", "1, 1"))},
      {"grouped", convolutionText("1x6x5x5", "4x3x3x3", "1x4x5x5", "f32",
                                  windowAttributes("1, 1", "1, 1, 1, 1", "1, 1", "1, 1") +
                                      ", feature_group_count = 2 : i64")},
      {"depthwise", convolutionText("1x6x5x5", "6x1x3x3", "1x6x5x5", "f32",
                                    windowAttributes("1, 1", "1, 1, 1, 1", "1, 1", "1, 1") +
                                        ", feature_group_count = 6 : i64")},
      {"multiplier", convolutionText("1x3x5x5", "6x1x3x3", "1x6x5x5", "f32",
                                     windowAttributes("1, 1", "1, 1, 1, 1", "1, 1", "1, 1") +
                                         ", feature_group_count = 3 : i64")},
      {"batch_groups", convolutionText("4x3x5x5", "6x3x3x3", "2x6x5x5", "f32",
                                       windowAttributes("1, 1", "1, 1, 1, 1", "1, 1", "1, 1") +
                                           ", batch_group_count = 2 : i64")},
      {"half", convolutionText("1x3x5x5", "5x3x3x3", "1x5x5x5", "f16",
                               windowAttributes("1, 1", "1, 1, 1, 1", "1, 1", "1, 1"))},
      {"bytes", convolutionText("1x3x5x5", "5x3x3x3", "1x5x5x5", "i8",
                                windowAttributes("1, 1", "1, 1, 1, 1", "1, 1", "1, 1"))},
  });
}

// A convolution with `groups`, constant weights, and a bias, a residual and a ReLU after it.
struct GroupedBlock {
  int64_t groups, in, out, kernel, size, stride;

  std::string text() const {
    const int64_t padding = kernel / 2, result_size = (size + 2 * padding - kernel) / stride + 1;
    const std::string result = fmt::format("1x{}x{}x{}", out, result_size, result_size);
    const std::string x = tensorText(fmt::format("1x{}x{}x{}", in, size, size), "f32"),
                      w = tensorText(fmt::format("{}x{}x{}x{}", out, in / groups, kernel, kernel), "f32"),
                      y = tensorText(result, "f32"), bias = tensorText(std::to_string(out), "f32");
    const std::string convolution = fmt::format(
        "tet.convolution %x, %w {{{}, feature_group_count = {} : i64, input_batch_dimension = 0 : i64,"
        " input_feature_dimension = 1 : i64, input_spatial_dimensions = array<i64: 2, 3>,"
        " kernel_input_feature_dimension = 1 : i64, kernel_output_feature_dimension = 0 : i64,"
        " kernel_spatial_dimensions = array<i64: 2, 3>, output_batch_dimension = 0 : i64,"
        " output_feature_dimension = 1 : i64, output_spatial_dimensions = array<i64: 2, 3>}}",
        windowAttributes(fmt::format("{}, {}", stride, stride), fmt::format("{0}, {0}, {0}, {0}", padding),
                         "1, 1", "1, 1"),
        groups);
    return fmt::format(R"(func.func @main(%x: {0}, %b: {1}, %r: {2}) -> {2} {{
      %w = tet.constant dense<"0x{3}"> : {4}
      %c = {5} : ({0}, {4}) -> {2}
      %bb = tet.broadcast_in_dim %b, dims = [1] : ({1}) -> {2}
      %s = tet.add %c, %bb : {2}
      %t = tet.add %s, %r : {2}
      %zero = tet.constant dense<0.0> : {2}
      %y = tet.maximum %t, %zero : {2}
      return %y : {2} }})",
                       x, bias, y, weights(), w, convolution);
  }

 private:
  // Little-endian floats in [-1, 1), as hexadecimal digits.
  std::string weights() const {
    const Tensor tensor =
        randomTensor(ElementType::F32, {out, in / groups, kernel, kernel}, -1, 1, static_cast<uint32_t>(out));
    std::string digits;
    for (size_t i = 0; i < tensor.bytes(); ++i) digits += fmt::format("{:02X}", tensor.as<uint8_t>()[i]);
    return digits;
  }
};

TEST(Lower, GroupedBlocks) {
  checkAgainstInterpreter({
      {"resnext_stride", GroupedBlock{2, 32, 64, 3, 9, 2}.text()},  // two whole panels a group
      {"resnext", GroupedBlock{4, 64, 64, 3, 6, 1}.text()},         // one
      {"shufflenet", GroupedBlock{3, 36, 72, 1, 7, 1}.text()},      // one and a half
      {"odd", GroupedBlock{2, 6, 38, 3, 5, 1}.text()},              // one and some
      {"narrow", GroupedBlock{8, 32, 32, 3, 6, 1}.text()},          // none
      {"multiplier", GroupedBlock{5, 5, 10, 3, 6, 1}.text()},       // depthwise, two results a channel
      {"one_pixel", GroupedBlock{2, 40, 64, 1, 1, 1}.text()},
  });
}

TEST(Lower, DotGenerals) {
  auto dot = [](const std::string& lhs, const std::string& rhs, const std::string& result,
                const std::string& in, const std::string& out, const std::string& dims) {
    const std::string x = tensorText(lhs, in), y = tensorText(rhs, in), z = tensorText(result, out);
    return "func.func @main(%x: " + x + ", %y: " + y + ") -> " + z + " {\n  %z = tet.dot_general %x, %y, " +
           dims + " : (" + x + ", " + y + ") -> " + z + "\n  return %z : " + z + "\n}\n";
  };
  const std::string plain = "batching_dims = [] x [], contracting_dims = [1] x [0]";
  checkAgainstInterpreter({
      {"plain", dot("5x7", "7x9", "5x9", "f32", "f32", plain)},
      {"f64", dot("5x7", "7x9", "5x9", "f64", "f64", plain)},
      {"f16", dot("5x7", "7x9", "5x9", "f16", "f16", plain)},
      {"bf16_to_f32", dot("5x7", "7x9", "5x9", "bf16", "f32", plain), -2, 2, 1e-5},
      {"f8", dot("5x7", "7x9", "5x9", "f8E4M3FN", "f8E4M3FN", plain)},
      {"i8_to_i32", dot("5x7", "7x9", "5x9", "i8", "i32", plain)},
      {"ui8_to_i32", dot("5x7", "7x9", "5x9", "ui8", "i32", plain)},
      {"i4", dot("5x7", "7x9", "5x9", "i4", "i4", plain)},
      {"transposed",
       dot("7x5", "9x7", "5x9", "f32", "f32", "batching_dims = [] x [], contracting_dims = [0] x [1]")},
      {"batched", dot("2x5x3x7", "2x6x3x7", "2x3x5x6", "f32", "f32",
                      "batching_dims = [0, 2] x [0, 2], contracting_dims = [3] x [3]")},
      {"vector", dot("5x7", "7", "5", "f32", "f32", "batching_dims = [] x [], contracting_dims = [1] x [0]")},
      {"several", dot("5x4x3", "3x4x2x2", "5x2x2", "f32", "f32",
                      "batching_dims = [] x [], contracting_dims = [1, 2] x [1, 0]")},
  });
}

TEST(Lower, Windows) {
  auto window = [](const std::string& kind, const std::string& type, const std::string& rest,
                   const std::string& result) {
    const std::string x = tensorText("1x2x6x6", type), y = tensorText(result, type);
    return "func.func @main(%x: " + x + ") -> " + y + " {\n  %y = tet.reduce_window " + kind +
           ", %x, window = [1, 1, 3, 2], " + rest + " : (" + x + ") -> " + y + "\n  return %y : " + y +
           "\n}\n";
  };
  const std::string padded =
      "strides = [1, 1, 2, 2], base_dilations = [1, 1, 1, 1], window_dilations = [1, 1, 1, 1], padding = [0, "
      "0, 0, 0, 1, 1, 0, 0]";
  const std::string dilated =
      "strides = [1, 1, 1, 1], base_dilations = [1, 1, 2, 1], window_dilations = [1, 1, 2, 3], padding = [0, "
      "0, 0, 0, 0, 1, 0, 2]";
  checkAgainstInterpreter({
      {"maximum", window("maximum", "f32", padded, "1x2x3x3")},
      {"sum_f16", window("add", "f16", padded, "1x2x3x3")},
      {"minimum_i8", window("minimum", "i8", padded, "1x2x3x3")},
      {"or", window("or", "i1", padded, "1x2x3x3")},
      {"dilated", window("maximum", "f32", dilated, "1x2x8x5")},
      {"largest_f8", window("maximum", "f8E4M3FN", padded, "1x2x3x3")},
  });
}

TEST(Lower, Movement) {
  checkAgainstInterpreter({
      {"pad", R"(func.func @main(%x: tensor<3x4xf32>, %p: tensor<f32>) -> (tensor<6x5xf32>, tensor<2x7xf32>) {
        %a = tet.pad %x, %p, low = [1, 0], high = [2, 1], interior = [0, 0] : (tensor<3x4xf32>, tensor<f32>) -> tensor<6x5xf32>
        %b = tet.pad %x, %p, low = [-1, 1], high = [0, -1], interior = [0, 1] : (tensor<3x4xf32>, tensor<f32>) -> tensor<2x7xf32>
        return %a, %b : tensor<6x5xf32>, tensor<2x7xf32> })"},
      {"concatenate", R"(func.func @main(%x: tensor<3x4xi1>, %y: tensor<3x2xi1>) -> tensor<3x10xi1> {
        %z = tet.concatenate (%x, %y, %x), dim = 1 : (tensor<3x4xi1>, tensor<3x2xi1>, tensor<3x4xi1>) -> tensor<3x10xi1>
        return %z : tensor<3x10xi1> })"},
      {"slice_reverse", R"(func.func @main(%x: tensor<5x7xf32>) -> (tensor<2x3xf32>, tensor<5x7xf32>) {
        %a = tet.slice %x, starts = [1, 0], limits = [4, 7], strides = [2, 3] : (tensor<5x7xf32>) -> tensor<2x3xf32>
        %b = tet.reverse %x, dims = [1] : (tensor<5x7xf32>) -> tensor<5x7xf32>
        return %a, %b : tensor<2x3xf32>, tensor<5x7xf32> })"},
      {"reshape_transpose", R"(func.func @main(%x: tensor<4x6xf32>) -> tensor<3x2x4xf32> {
        %a = tet.reshape %x : (tensor<4x6xf32>) -> tensor<4x2x3xf32>
        %b = tet.transpose %a, dims = [2, 1, 0] : (tensor<4x2x3xf32>) -> tensor<3x2x4xf32>
        return %b : tensor<3x2x4xf32> })"},
      {"broadcast_iota",
       R"(func.func @main(%x: tensor<3x1xf32>) -> (tensor<3x5xf32>, tensor<3x5xf32>, tensor<4xi4>) {
        %a = tet.broadcast_in_dim %x, dims = [0, 1] : (tensor<3x1xf32>) -> tensor<3x5xf32>
        %i = tet.iota dim = 1 : tensor<3x5xf32>
        %s = tet.multiply %a, %i : tensor<3x5xf32>
        %j = tet.iota dim = 0 : tensor<4xi4>
        return %a, %s, %j : tensor<3x5xf32>, tensor<3x5xf32>, tensor<4xi4> })"},
      {"dynamic",
       R"(func.func @main(%x: tensor<5x7xf32>, %u: tensor<2x3xf32>, %i: tensor<i32>, %j: tensor<i32>) -> (tensor<2x3xf32>, tensor<5x7xf32>) {
        %a = tet.dynamic_slice %x[%i, %j], sizes = [2, 3] : (tensor<5x7xf32>, tensor<i32>, tensor<i32>) -> tensor<2x3xf32>
        %b = tet.dynamic_update_slice %x, %u[%i, %j] : (tensor<5x7xf32>, tensor<2x3xf32>, tensor<i32>, tensor<i32>) -> tensor<5x7xf32>
        return %a, %b : tensor<2x3xf32>, tensor<5x7xf32> })"},
      {"bitcast",
       R"(func.func @main(%x: tensor<3x4xf32>) -> (tensor<3x4xi32>, tensor<3x4x4xui8>, tensor<3x4xf32>) {
        %a = tet.bitcast_convert %x : (tensor<3x4xf32>) -> tensor<3x4xi32>
        %b = tet.bitcast_convert %x : (tensor<3x4xf32>) -> tensor<3x4x4xui8>
        %c = tet.bitcast_convert %b : (tensor<3x4x4xui8>) -> tensor<3x4xf32>
        return %a, %b, %c : tensor<3x4xi32>, tensor<3x4x4xui8>, tensor<3x4xf32> })"},
  });
}

TEST(Lower, GatherScatterSort) {
  checkAgainstInterpreter({
      {"embedding", R"(func.func @main(%t: tensor<7x3xf32>, %i: tensor<2x4xi64>) -> tensor<2x4x3xf32> {
        %g = tet.gather %t, %i {offset_dims = array<i64: 2>, collapsed_slice_dims = array<i64: 0>, operand_batching_dims = array<i64>,
          start_indices_batching_dims = array<i64>, start_index_map = array<i64: 0>, index_vector_dim = 2 : i64,
          slice_sizes = array<i64: 1, 3>} : (tensor<7x3xf32>, tensor<2x4xi64>) -> tensor<2x4x3xf32>
        return %g : tensor<2x4x3xf32> })"},
      {"blocks", R"(func.func @main(%t: tensor<2x7x6xf32>, %i: tensor<2x4x2xi32>) -> tensor<2x4x2x3xf32> {
        %g = tet.gather %t, %i {offset_dims = array<i64: 2, 3>, collapsed_slice_dims = array<i64>, operand_batching_dims = array<i64: 0>,
          start_indices_batching_dims = array<i64: 0>, start_index_map = array<i64: 2, 1>, index_vector_dim = 2 : i64,
          slice_sizes = array<i64: 1, 2, 3>} : (tensor<2x7x6xf32>, tensor<2x4x2xi32>) -> tensor<2x4x2x3xf32>
        return %g : tensor<2x4x2x3xf32> })"},
      {"scatter_add",
       R"(func.func @main(%t: tensor<7x3xf32>, %i: tensor<5x1xi32>, %u: tensor<5x3xf32>) -> (tensor<7x3xf32>, tensor<7x3xf32>) {
        %a = tet.scatter add, %t, %i, %u {update_window_dims = array<i64: 1>, inserted_window_dims = array<i64: 0>,
          input_batching_dims = array<i64>, scatter_indices_batching_dims = array<i64>, scatter_dims_to_operand_dims = array<i64: 0>,
          index_vector_dim = 1 : i64} : (tensor<7x3xf32>, tensor<5x1xi32>, tensor<5x3xf32>) -> tensor<7x3xf32>
        %b = tet.scatter assign, %t, %i, %u {update_window_dims = array<i64: 1>, inserted_window_dims = array<i64: 0>,
          input_batching_dims = array<i64>, scatter_indices_batching_dims = array<i64>, scatter_dims_to_operand_dims = array<i64: 0>,
          index_vector_dim = 1 : i64} : (tensor<7x3xf32>, tensor<5x1xi32>, tensor<5x3xf32>) -> tensor<7x3xf32>
        return %a, %b : tensor<7x3xf32>, tensor<7x3xf32> })"},
      {"sort",
       R"(func.func @main(%x: tensor<3x11xf32>, %k: tensor<11x2xi8>) -> (tensor<3x11xf32>, tensor<3x11xi32>, tensor<11x2xi8>, tensor<11x2xi32>) {
        %i = tet.iota dim = 1 : tensor<3x11xi32>
        %a, %b = tet.sort ascending (%x, %i), dim = 1, stable = true : (tensor<3x11xf32>, tensor<3x11xi32>) -> (tensor<3x11xf32>, tensor<3x11xi32>)
        %j = tet.iota dim = 0 : tensor<11x2xi32>
        %c, %d = tet.sort descending (%k, %j), dim = 0, stable = true : (tensor<11x2xi8>, tensor<11x2xi32>) -> (tensor<11x2xi8>, tensor<11x2xi32>)
        return %a, %b, %c, %d : tensor<3x11xf32>, tensor<3x11xi32>, tensor<11x2xi8>, tensor<11x2xi32> })"},
  });
}

TEST(Lower, ControlFlow) {
  checkAgainstInterpreter({
      {"if", R"(func.func @main(%p: tensor<i1>, %x: tensor<4xf32>) -> tensor<4xf32> {
        %y = tet.if %p : (tensor<i1>) -> tensor<4xf32> {
          %a = tet.exponential %x : tensor<4xf32>
          tet.return %a : tensor<4xf32>
        } else {
          %b = tet.negate %x : tensor<4xf32>
          tet.return %b : tensor<4xf32>
        }
        return %y : tensor<4xf32> })"},
      {"while", R"(func.func @main(%x: tensor<4xf32>, %w: tensor<4x4xf32>) -> (tensor<i32>, tensor<4xf32>) {
        %zero = tet.constant dense<0> : tensor<i32>
        %n, %y = tet.while(%zero, %x) : tensor<i32>, tensor<4xf32> {
        ^bb0(%i: tensor<i32>, %v: tensor<4xf32>):
          %limit = tet.constant dense<5> : tensor<i32>
          %more = tet.compare LT, %i, %limit : (tensor<i32>, tensor<i32>) -> tensor<i1>
          tet.return %more : tensor<i1>
        } do {
        ^bb0(%i: tensor<i32>, %v: tensor<4xf32>):
          %one = tet.constant dense<1> : tensor<i32>
          %next = tet.add %i, %one : tensor<i32>
          %p = tet.dot_general %v, %w, batching_dims = [] x [], contracting_dims = [0] x [0] : (tensor<4xf32>, tensor<4x4xf32>) -> tensor<4xf32>
          %t = tet.tanh %p : tensor<4xf32>
          %d = tet.constant dense<[0.5, -0.25, 0.125, 1.0]> : tensor<4xf32>
          %u = tet.add %t, %d : tensor<4xf32>
          tet.return %next, %u : tensor<i32>, tensor<4xf32>
        }
        return %n, %y : tensor<i32>, tensor<4xf32> })"},
  });
}

TEST(Lower, Groups) {
  checkAgainstInterpreter({
      {"softmax", R"(func.func @main(%x: tensor<2x9x13xf32>, %m: tensor<9x13xf32>) -> tensor<2x9x13xf32> {
        %mb = tet.broadcast_in_dim %m, dims = [1, 2] : (tensor<9x13xf32>) -> tensor<2x9x13xf32>
        %s = tet.add %x, %mb : tensor<2x9x13xf32>
        %max = tet.reduce maximum, %s, dims = [2] : (tensor<2x9x13xf32>) -> tensor<2x9xf32>
        %maxb = tet.broadcast_in_dim %max, dims = [0, 1] : (tensor<2x9xf32>) -> tensor<2x9x13xf32>
        %d = tet.subtract %s, %maxb : tensor<2x9x13xf32>
        %e = tet.exponential %d : tensor<2x9x13xf32>
        %sum = tet.reduce add, %e, dims = [2] : (tensor<2x9x13xf32>) -> tensor<2x9xf32>
        %sumb = tet.broadcast_in_dim %sum, dims = [0, 1] : (tensor<2x9xf32>) -> tensor<2x9x13xf32>
        %r = tet.divide %e, %sumb : tensor<2x9x13xf32>
        return %r : tensor<2x9x13xf32> })"},
      {"two_results",
       R"(func.func @main(%x: tensor<5x8xf32>, %w: tensor<8x16xf32>, %r: tensor<5x16xf32>) -> (tensor<5x16xf32>, tensor<5x16xf32>) {
        %p = tet.dot_general %x, %w, batching_dims = [] x [], contracting_dims = [1] x [0] : (tensor<5x8xf32>, tensor<8x16xf32>) -> tensor<5x16xf32>
        %s = tet.add %p, %r : tensor<5x16xf32>
        %l = tet.logistic %s : tensor<5x16xf32>
        %t = tet.multiply %s, %l : tensor<5x16xf32>
        return %s, %t : tensor<5x16xf32>, tensor<5x16xf32> })"},
      {"panels", R"(func.func @main(%x: tensor<3x2xf32>) -> tensor<3x18xf32> {
        %i = tet.iota dim = 1 : tensor<2x18xf32>
        %w = tet.constant dense<[[1.,2.,3.,4.,5.,6.,7.,8.,9.,1.,2.,3.,4.,5.,6.,7.,8.,9.],[1.,1.,3.,4.,2.,6.,7.,1.,9.,1.,0.,3.,0.,5.,5.,7.,8.,9.]]> : tensor<2x18xf32>
        %p = tet.dot_general %x, %w, batching_dims = [] x [], contracting_dims = [1] x [0] : (tensor<3x2xf32>, tensor<2x18xf32>) -> tensor<3x18xf32>
        %b = tet.constant dense<[1.,2.,3.,4.,5.,6.,7.,8.,9.,1.,2.,3.,4.,5.,6.,7.,8.,9.]> : tensor<18xf32>
        %bb = tet.broadcast_in_dim %b, dims = [1] : (tensor<18xf32>) -> tensor<3x18xf32>
        %s = tet.multiply %p, %bb : tensor<3x18xf32>
        return %s : tensor<3x18xf32> })"},
  });
}

}  // namespace
}  // namespace tetrarch::compile
