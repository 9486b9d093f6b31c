#include "tetrarch/compile/kernel_tool/quantised_text.h"

#include <fmt/format.h>

namespace tetrarch::compile {
namespace {

constexpr const char* kProducts = R"(    %xe = arith.extsi %in0 : i8 to i32
    %we = arith.extsi %in1 : i8 to i32
    %m = arith.muli %xe, %we : i32
    %s = arith.addi %out, %m : i32
    linalg.yield %s : i32
)";

// The multiplier and shift of a word, then the rounding shift, with the guards of the lowering of shifts.
constexpr const char* kScaled = R"(    %wide = arith.extsi %in0 : i32 to i64
    %bw = arith.extsi %in1 : i32 to i64
    %sum = arith.addi %wide, %bw : i64
    %m32 = arith.andi %in2, %c32767 : i32
    %m = arith.extsi %m32 : i32 to i64
    %high = arith.shrui %in2, %c16 : i32
    %s6 = arith.andi %high, %c63_32 : i32
    %s1 = arith.maxsi %s6, %c1_32 : i32
    %s = arith.extsi %s1 : i32 to i64
    %before = arith.subi %s, %c1 : i64
    %fits = arith.cmpi ult, %before, %c64 : i64
    %places = arith.select %fits, %before, %c0 : i64
    %power = arith.shli %c1, %places : i64
    %half = arith.select %fits, %power, %c0 : i64
    %below = arith.subi %half, %c1 : i64
    %scaled = arith.muli %sum, %m : i64
    %by = arith.minui %s, %c63 : i64
    %floor = arith.shrsi %scaled, %by : i64
    %odd = arith.andi %floor, %c1 : i64
    %raised = arith.addi %scaled, %below : i64
    %nudged = arith.addi %raised, %odd : i64
    %first = arith.shrsi %nudged, %by : i64
)";

constexpr const char* kOther = R"(    %rw = arith.extsi %in3 : i8 to i64
    %centred = arith.subi %rw, %cz : i64
    %rx = arith.muli %centred, %cm : i64
    %rfloor = arith.shrsi %rx, %c14 : i64
    %rodd = arith.andi %rfloor, %c1 : i64
    %rraised = arith.addi %rx, %c8191 : i64
    %rnudged = arith.addi %rraised, %rodd : i64
    %other = arith.shrsi %rnudged, %c14 : i64
    %both = arith.addi %first, %other : i64
)";

constexpr const char* kClipped = R"(    %moved = arith.addi %{0}, %cz : i64
    %above = arith.maxsi %moved, %low : i64
    %clipped = arith.minsi %above, %c127 : i64
    %q = arith.trunci %clipped : i64 to i8
    linalg.yield %q : i8
)";

constexpr const char* kConstants = R"(  %zero8 = arith.constant -7 : i8
  %zero = arith.constant 0 : i32
  %c32767 = arith.constant 32767 : i32
  %c16 = arith.constant 16 : i32
  %c63_32 = arith.constant 63 : i32
  %c1_32 = arith.constant 1 : i32
  %c0 = arith.constant 0 : i64
  %c1 = arith.constant 1 : i64
  %c14 = arith.constant 14 : i64
  %c63 = arith.constant 63 : i64
  %c64 = arith.constant 64 : i64
  %c127 = arith.constant 127 : i64
  %c8191 = arith.constant 8191 : i64
  %cm = arith.constant -23837 : i64
  %cz = arith.constant -11 : i64
  %low = arith.constant -128 : i64
)";

}  // namespace

std::string quantisedText(const QuantisedText& q) {
  const int padded_height = q.height + 2 * q.pad, padded_width = q.width + 2 * q.pad;
  const int oh = (padded_height - q.kernel) / q.stride + 1, ow = (padded_width - q.kernel) / q.stride + 1;
  const std::string x = fmt::format("tensor<1x{}x{}x{}xi8>", q.height, q.width, q.in_channels),
                    w = fmt::format("tensor<{}x{}x{}x{}x16xi8>", (q.out_channels + 15) / 16, q.kernel,
                                    q.kernel, q.in_channels),
                    channel = fmt::format("tensor<{}xi32>", q.out_channels),
                    out = fmt::format("1x{}x{}x{}", oh, ow, q.out_channels);
  std::string text = fmt::format(
      "func.func @{}(%x: {}, %w: {}, %b: {}, %words: {}{}) -> tensor<{}xi8> {{\n{}", q.name, x, w, channel,
      channel, q.residual ? fmt::format(", %r: tensor<{}xi8>", out) : "", out, kConstants);
  std::string input = "%x", input_type = x;
  if (q.pad > 0) {
    input = "%p";
    input_type = fmt::format("tensor<1x{}x{}x{}xi8>", padded_height, padded_width, q.in_channels);
    text += fmt::format(
        "  %p = tensor.pad %x low[0, {0}, {0}, 0] high[0, {0}, {0}, 0] {{\n  ^bb0(%i0: index, %i1: index, "
        "%i2: "
        "index, %i3: index):\n    tensor.yield %zero8 : i8\n  }} : {1} to {2}\n",
        q.pad, x, input_type);
  }
  text += fmt::format(
      "  %e = tensor.empty() : tensor<{0}xi32>\n  %f = linalg.fill ins(%zero : i32) outs(%e : "
      "tensor<{0}xi32>) -> "
      "tensor<{0}xi32>\n"
      "  %c = linalg.generic {{indexing_maps = [affine_map<(d0, d1, d2, d3, d4, d5, d6) -> (d0, d1 * {1} + "
      "d4, d2 * "
      "{1} + d5, d6)>, affine_map<(d0, d1, d2, d3, d4, d5, d6) -> (d3 floordiv 16, d4, d5, d6, d3 mod 16)>, "
      "affine_map<(d0, d1, d2, d3, d4, d5, d6) -> (d0, d1, d2, d3)>], iterator_types = [\"parallel\", "
      "\"parallel\", "
      "\"parallel\", \"parallel\", \"reduction\", \"reduction\", \"reduction\"]}} ins({2}, %w : {3}, {4}) "
      "outs(%f : "
      "tensor<{0}xi32>) {{\n  ^bb0(%in0: i8, %in1: i8, %out: i32):\n{5}  }} -> tensor<{0}xi32>\n",
      out, q.stride, input, input_type, w, kProducts);
  const std::string same = "affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>",
                    last = "affine_map<(d0, d1, d2, d3) -> (d3)>";
  text += fmt::format(
      "  %ye = tensor.empty() : tensor<{0}xi8>\n  %y = linalg.generic {{indexing_maps = [{1}, {2}, {2}, "
      "{3}{1}], "
      "iterator_types = [\"parallel\", \"parallel\", \"parallel\", \"parallel\"]}} ins(%c, %b, %words{4} : "
      "tensor<{0}xi32>, {5}, {5}{6}) outs(%ye : tensor<{0}xi8>) {{\n  ^bb0(%in0: i32, %in1: i32, %in2: "
      "i32{7}, %out: "
      "i8):\n{8}{9}{10}  }} -> tensor<{0}xi8>\n  return %y : tensor<{0}xi8>\n}}\n",
      out, same, last, q.residual ? same + ", " : "", q.residual ? ", %r" : "", channel,
      q.residual ? fmt::format(", tensor<{}xi8>", out) : "", q.residual ? ", %in3: i8" : "", kScaled,
      q.residual ? kOther : "", fmt::format(kClipped, q.residual ? "both" : "first"));
  return text;
}

std::string byteProductText(const std::string& name, int m, int k, int n) {
  return fmt::format(
      "func.func @{0}(%x: tensor<{1}x{2}xi8>, %w: tensor<{2}x{3}xi8>) -> tensor<{1}x{3}xi32> {{\n"
      "  %zero = arith.constant 0 : i32\n  %e = tensor.empty() : tensor<{1}x{3}xi32>\n"
      "  %f = linalg.fill ins(%zero : i32) outs(%e : tensor<{1}x{3}xi32>) -> tensor<{1}x{3}xi32>\n"
      "  %c = linalg.generic {{indexing_maps = [affine_map<(d0, d1, d2) -> (d0, d2)>, affine_map<(d0, d1, "
      "d2) -> "
      "(d2, d1)>, affine_map<(d0, d1, d2) -> (d0, d1)>], iterator_types = [\"parallel\", \"parallel\", "
      "\"reduction\"]}} ins(%x, %w : tensor<{1}x{2}xi8>, tensor<{2}x{3}xi8>) outs(%f : tensor<{1}x{3}xi32>) "
      "{{\n"
      "  ^bb0(%in0: i8, %in1: i8, %out: i32):\n{4}  }} -> tensor<{1}x{3}xi32>\n  return %c : "
      "tensor<{1}x{3}xi32>\n}}\n",
      name, m, k, n, kProducts);
}

}  // namespace tetrarch::compile
