#include "tetrarch/compile/kernel_tool/task_text.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace tetrarch::compile {
namespace {

using Ints = std::vector<int>;
using Strings = std::vector<std::string>;

std::string tensor(const Ints& shape, const std::string& type) {
  std::string text = "tensor<";
  for (int d : shape) text += fmt::format("{}x", d);
  return text + type + ">";
}

std::string dim(int d) { return fmt::format("d{}", d); }

Strings dims(int count) {
  Strings names;
  for (int d = 0; d < count; ++d) names.push_back(dim(d));
  return names;
}

std::string affineMap(int count, const Strings& results) {
  return fmt::format("affine_map<({}) -> ({})>", fmt::join(dims(count), ", "), fmt::join(results, ", "));
}

struct Operand {
  std::string value, type;
  Strings map;
};

// `%result = linalg.generic …`. The body's arguments are %in0, %in1, … and %out; it ends in `yield`.
std::string generic(const std::string& result, int dim_count, const Ints& reduced,
                    const std::vector<Operand>& inputs, const Operand& output, const std::string& body,
                    const std::string& yield) {
  auto element = [](const std::string& type) {
    return type.substr(type.find_last_of("x<") + 1, type.size() - type.find_last_of("x<") - 2);
  };
  Strings maps, iterators, values, types, arguments;
  for (const Operand& input : inputs) {
    maps.push_back(affineMap(dim_count, input.map));
    arguments.push_back(fmt::format("%in{}: {}", values.size(), element(input.type)));
    values.push_back(input.value);
    types.push_back(input.type);
  }
  maps.push_back(affineMap(dim_count, output.map));
  arguments.push_back("%out: " + element(output.type));
  for (int d = 0; d < dim_count; ++d) {
    iterators.push_back(std::ranges::find(reduced, d) == reduced.end() ? "\"parallel\"" : "\"reduction\"");
  }
  const std::string ins =
      inputs.empty() ? "" : fmt::format(" ins({} : {})", fmt::join(values, ", "), fmt::join(types, ", "));
  return fmt::format(
      "  {} = linalg.generic {{indexing_maps = [{}], iterator_types = [{}]}}{} outs({} : {}) {{\n  "
      "^bb0({}):\n"
      "{}    linalg.yield {} : {}\n  }} -> {}\n",
      result, fmt::join(maps, ", "), fmt::join(iterators, ", "), ins, output.value, output.type,
      fmt::join(arguments, ", "), body, yield, element(output.type), output.type);
}

std::string filled(const std::string& result, const std::string& type, const std::string& value,
                   const std::string& element) {
  return fmt::format(
      "  {0}_e = tensor.empty() : {1}\n  {0} = linalg.fill ins({2} : {3}) outs({0}_e : {1}) -> {1}\n", result,
      type, value, element);
}

std::string padded(const std::string& result, const std::string& source, const Ints& from, const Ints& to,
                   int low, int high, const std::string& value, const std::string& element) {
  std::string text =
      fmt::format("  {} = tensor.pad {} low[0, {}, {}{}] high[0, {}, {}{}] {{\n  ^bb0(", result, source, low,
                  low, from.size() == 5 ? ", 0, 0" : ", 0", high, high, from.size() == 5 ? ", 0, 0" : ", 0");
  for (size_t d = 0; d < from.size(); ++d) text += fmt::format("{}%i{}: index", d ? ", " : "", d);
  return text + fmt::format("):\n    tensor.yield {} : {}\n  }} : {} to {}\n", value, element,
                            tensor(from, element), tensor(to, element));
}

const char* const kMultiplyAdd = "    %m = arith.mulf %in0, %in1 : f32\n    %s = arith.addf %out, %m : f32\n";

Strings prefix(int count) { return dims(count); }

std::string neutral(const std::string& kind, const std::string& type) {
  const bool integer = type[0] == 'i';
  if (kind == "mulf") return "1.0";
  if (kind == "maximumf" || kind == "maxnumf") return "0xFF800000";
  if (kind == "minimumf") return "0x7F800000";
  return integer ? "0" : "0.0";
}

}  // namespace

std::string convolutionText(const ConvolutionText& c) {
  const int padding = c.pad_low + c.pad_high;
  const int oh = (c.height + padding - (c.kernel_height - 1) * c.dilation - 1) / c.stride + 1;
  const int ow = (c.width + padding - (c.kernel_width - 1) * c.dilation - 1) / c.stride + 1;
  const int panels = (c.out_channels + 15) / 16;
  const bool grouped = c.groups > 1;
  Ints x = {c.batch, c.height, c.width}, xp = {c.batch, c.height + padding, c.width + padding};
  Ints w = {panels, c.kernel_height, c.kernel_width, c.in_channels, 16}, y = {c.batch, oh, ow};
  if (grouped)
    x.push_back(c.groups), xp.push_back(c.groups), w.insert(w.begin(), c.groups), y.push_back(c.groups);
  x.push_back(c.in_channels), xp.push_back(c.in_channels), y.push_back(c.out_channels);
  const int g = 3, oc = grouped ? 4 : 3, kh = oc + 1, kw = oc + 2, ic = oc + 3, count = oc + 4;
  auto spatial = [&](int out, int k) {
    return fmt::format("d{} * {} + d{} * {}", out, c.stride, k, c.dilation);
  };
  Strings lhs = {"d0", spatial(1, kh), spatial(2, kw)}, rhs;
  if (grouped) lhs.push_back(dim(g)), rhs.push_back(dim(g));
  lhs.push_back(dim(ic));
  for (const std::string& e : {dim(oc) + " floordiv 16", dim(kh), dim(kw), dim(ic), dim(oc) + " mod 16"})
    rhs.push_back(e);
  const std::string out = tensor(y, "f32"), weights = tensor(w, "f32");
  Ints bias_shape = {c.out_channels};
  Strings bias_map = {dim(oc)};
  if (grouped) bias_shape.insert(bias_shape.begin(), c.groups), bias_map.insert(bias_map.begin(), dim(g));
  const std::string bias = tensor(bias_shape, "f32");
  std::string text =
      fmt::format("func.func @{}(%x: {}, %w: {}, %b: {}{}) -> {} {{\n  %zero = arith.constant 0.0 : f32\n",
                  c.name, tensor(x, "f32"), weights, bias, c.residual ? ", %r: " + out : "", out);
  if (padding > 0) text += padded("%p", "%x", x, xp, c.pad_low, c.pad_high, "%zero", "f32");
  text += filled("%f", out, "%zero", "f32");
  text +=
      generic("%c", count, {kh, kw, ic},
              {{padding > 0 ? "%p" : "%x", tensor(padding > 0 ? xp : x, "f32"), lhs}, {"%w", weights, rhs}},
              {"%f", out, prefix(oc + 1)}, kMultiplyAdd, "%s");
  std::vector<Operand> inputs = {{"%c", out, prefix(oc + 1)}, {"%b", bias, bias_map}};
  std::string body = "    %s = arith.addf %in0, %in1 : f32\n", last = "%s";
  if (c.residual) {
    inputs.push_back({"%r", out, prefix(oc + 1)});
    body += "    %t = arith.addf %s, %in2 : f32\n", last = "%t";
  }
  if (c.relu) body += fmt::format("    %u = arith.maximumf {}, %zero : f32\n", last), last = "%u";
  text += generic("%y", oc + 1, {}, inputs, {"%f_e", out, prefix(oc + 1)}, body, last);
  return text + fmt::format("  return %y : {}\n}}\n", out);
}

std::string productText(const ProductText& p) {
  const bool batched = p.batch > 1, integer = p.sum_type[0] == 'i';
  const int m = batched ? 1 : 0, n = m + 1, k = m + 2;
  Ints x = {p.m, p.k}, w = p.packed ? Ints{(p.n + 15) / 16, p.k, 16} : Ints{p.k, p.n}, y = {p.m, p.n};
  Strings lhs = {dim(m), dim(k)};
  Strings rhs =
      p.packed ? Strings{dim(n) + " floordiv 16", dim(k), dim(n) + " mod 16"} : Strings{dim(k), dim(n)};
  if (batched) {
    for (Ints* shape : {&x, &w, &y}) shape->insert(shape->begin(), p.batch);
    lhs.insert(lhs.begin(), "d0"), rhs.insert(rhs.begin(), "d0");
  }
  const std::string out = tensor(y, p.sum_type), bias = tensor({p.n}, p.sum_type);
  const std::string xt = tensor(x, p.operand_type), wt = tensor(w, p.operand_type);
  std::string text =
      fmt::format("func.func @{}(%x: {}, %w: {}{}) -> {} {{\n  %zero = arith.constant {} : {}\n", p.name, xt,
                  wt, p.bias ? ", %b: " + bias : "", out, integer ? "0" : "0.0", p.sum_type);
  text += filled("%f", out, "%zero", p.sum_type);
  std::string body, a = "%in0", b = "%in1";
  if (!p.extend.empty()) {
    for (auto [from, to] : {std::pair("%in0", "%a"), {"%in1", "%b1"}}) {
      body +=
          fmt::format("    {} = arith.{} {} : {} to {}\n", to, p.extend, from, p.operand_type, p.sum_type);
    }
    a = "%a", b = "%b1";
  }
  const char suffix = integer ? 'i' : 'f';
  body += fmt::format("    %m = arith.mul{} {}, {} : {}\n    %s = arith.add{} %out, %m : {}\n", suffix, a, b,
                      p.sum_type, suffix, p.sum_type);
  text += generic("%c", k + 1, {k}, {{"%x", xt, lhs}, {"%w", wt, rhs}}, {"%f", out, prefix(k)}, body, "%s");
  if (!p.bias) return text + fmt::format("  return %c : {}\n}}\n", out);
  std::string epilogue = "    %s = arith.addf %in0, %in1 : f32\n", last = "%s";
  if (p.gelu) {
    epilogue +=
        "    %half = arith.constant 0.5 : f32\n    %one = arith.constant 1.0 : f32\n    %r = arith.constant "
        "0.707106769 : f32\n"
        "    %q = arith.mulf %s, %r : f32\n    %g = math.erf %q : f32\n    %g1 = arith.addf %g, %one : f32\n"
        "    %h = arith.mulf %s, %half : f32\n    %z = arith.mulf %h, %g1 : f32\n";
    last = "%z";
  }
  text += generic("%y", k, {}, {{"%c", out, prefix(k)}, {"%b", bias, {dim(n)}}}, {"%f_e", out, prefix(k)},
                  epilogue, last);
  return text + fmt::format("  return %y : {}\n}}\n", out);
}

std::string elementwiseText(const std::string& name, const std::string& type, const std::vector<int>& shape,
                            const std::vector<OperandText>& operands, const std::string& body) {
  const int rank = static_cast<int>(shape.size());
  std::vector<Operand> inputs;
  Strings arguments;
  for (const auto& [at, element] : operands) {
    Ints extents;
    Strings map;
    for (int d : at) extents.push_back(shape[d]), map.push_back(dim(d));
    inputs.push_back({fmt::format("%a{}", inputs.size()), tensor(extents, element), map});
    arguments.push_back(fmt::format("{}: {}", inputs.back().value, inputs.back().type));
  }
  const std::string& in = operands[0].second;
  std::string code;
  if (body == "add") code = fmt::format("    %v = arith.addf %in0, %in1 : {}\n", type);
  if (body == "addi") code = fmt::format("    %v = arith.addi %in0, %in1 : {}\n", type);
  if (body == "less") {
    code = fmt::format("    %c = arith.cmpf olt, %in0, %in1 : {}\n    %v = arith.extui %c : i1 to {}\n", in,
                       type);
  }
  if (body == "add_as_f32") {
    code = fmt::format(
        "    %x = arith.extf %in0 : {0} to f32\n    %y = arith.extf %in1 : {0} to f32\n"
        "    %z = arith.addf %x, %y : f32\n    %v = arith.truncf %z : f32 to {0}\n",
        in);
  }
  if (body == "add_index") {
    code =
        "    %i = linalg.index 0 : index\n    %j = linalg.index 1 : index\n    %k = arith.addi %i, %j : "
        "index\n"
        "    %l = arith.index_cast %k : index to i32\n    %m = arith.sitofp %l : i32 to f32\n"
        "    %v = arith.addf %in0, %m : f32\n";
  }
  if (body.find('.') != std::string::npos) code = fmt::format("    %v = {} %in0 : {}\n", body, in);
  const std::string out = tensor(shape, type);
  return fmt::format("func.func @{}({}) -> {} {{\n  %e = tensor.empty() : {}\n", name,
                     fmt::join(arguments, ", "), out, out) +
         generic("%y", rank, {}, inputs, {"%e", out, prefix(rank)}, code,
                 body == "identity" ? "%in0" : "%v") +
         fmt::format("  return %y : {}\n}}\n", out);
}

std::string reductionText(const std::string& name, const std::string& type, const std::vector<int>& shape,
                          const std::vector<int>& reduced, const std::string& kind) {
  const int rank = static_cast<int>(shape.size());
  Ints kept;
  Strings map;
  for (int d = 0; d < rank; ++d) {
    if (std::ranges::find(reduced, d) == reduced.end()) kept.push_back(shape[d]), map.push_back(dim(d));
  }
  const std::string in = tensor(shape, type), out = tensor(kept, type);
  return fmt::format("func.func @{}(%x: {}) -> {} {{\n  %init = arith.constant {} : {}\n", name, in, out,
                     neutral(kind, type), type) +
         filled("%f", out, "%init", type) +
         generic("%y", rank, reduced, {{"%x", in, prefix(rank)}}, {"%f", out, map},
                 fmt::format("    %v = arith.{} %out, %in0 : {}\n", kind, type), "%v") +
         fmt::format("  return %y : {}\n}}\n", out);
}

std::string argmaxText(const std::string& name, int rows, int columns) {
  return fmt::format(R"(func.func @{0}(%x: tensor<{1}x{2}xf32>) -> (tensor<{1}xf32>, tensor<{1}xi64>) {{
  %low = arith.constant 0xFF800000 : f32
  %zero = arith.constant 0 : i64
  %fe = tensor.empty() : tensor<{1}xf32>
  %ie = tensor.empty() : tensor<{1}xi64>
  %f = linalg.fill ins(%low : f32) outs(%fe : tensor<{1}xf32>) -> tensor<{1}xf32>
  %i = linalg.fill ins(%zero : i64) outs(%ie : tensor<{1}xi64>) -> tensor<{1}xi64>
  %y:2 = linalg.generic {{indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0)>, affine_map<(d0, d1) -> (d0)>], iterator_types = ["parallel", "reduction"]}} ins(%x : tensor<{1}x{2}xf32>) outs(%f, %i : tensor<{1}xf32>, tensor<{1}xi64>) {{
  ^bb0(%v: f32, %best: f32, %at: i64):
    %index = linalg.index 1 : index
    %here = arith.index_cast %index : index to i64
    %more = arith.cmpf ogt, %v, %best : f32
    %b = arith.select %more, %v, %best : f32
    %a = arith.select %more, %here, %at : i64
    linalg.yield %b, %a : f32, i64
  }} -> (tensor<{1}xf32>, tensor<{1}xi64>)
  return %y#0, %y#1 : tensor<{1}xf32>, tensor<{1}xi64>
}}
)",
                     name, rows, columns);
}

std::string poolText(const std::string& name, int height, int width, int channels, int window, int stride,
                     int pad, const std::string& kind) {
  const int oh = (height + 2 * pad - window) / stride + 1, ow = (width + 2 * pad - window) / stride + 1;
  const Ints x = {1, height, width, channels}, xp = {1, height + 2 * pad, width + 2 * pad, channels};
  const std::string out = tensor({1, oh, ow, channels}, "f32"), shape = tensor({window, window}, "f32");
  std::string text = fmt::format(
      "func.func @{}(%x: {}) -> {} {{\n  %init = arith.constant {} : f32\n  %w = tensor.empty() : {}\n", name,
      tensor(x, "f32"), out, neutral(kind, "f32"), shape);
  if (pad > 0) text += padded("%p", "%x", x, xp, pad, pad, "%init", "f32");
  const Strings at = {"d0", fmt::format("d1 * {} + d4", stride), fmt::format("d2 * {} + d5", stride), "d3"};
  return text + filled("%f", out, "%init", "f32") +
         generic("%y", 6, {4, 5},
                 {{pad > 0 ? "%p" : "%x", tensor(pad > 0 ? xp : x, "f32"), at}, {"%w", shape, {"d4", "d5"}}},
                 {"%f", out, prefix(4)}, fmt::format("    %v = arith.{} %out, %in0 : f32\n", kind), "%v") +
         fmt::format("  return %y : {}\n}}\n", out);
}

std::string depthwiseText(const std::string& name, int height, int width, int channels, int window,
                          int stride) {
  const int pad = window / 2, oh = (height + 2 * pad - window) / stride + 1,
            ow = (width + 2 * pad - window) / stride + 1;
  const Ints x = {1, height, width, channels}, xp = {1, height + 2 * pad, width + 2 * pad, channels};
  const std::string out = tensor({1, oh, ow, channels}, "f32"),
                    weights = tensor({window, window, channels}, "f32");
  const std::string bias = tensor({channels}, "f32");
  const Strings at = {"d0", fmt::format("d1 * {} + d4", stride), fmt::format("d2 * {} + d5", stride), "d3"};
  return fmt::format("func.func @{}(%x: {}, %w: {}, %b: {}) -> {} {{\n  %zero = arith.constant 0.0 : f32\n",
                     name, tensor(x, "f32"), weights, bias, out) +
         padded("%p", "%x", x, xp, pad, pad, "%zero", "f32") + filled("%f", out, "%zero", "f32") +
         generic("%c", 6, {4, 5}, {{"%p", tensor(xp, "f32"), at}, {"%w", weights, {"d4", "d5", "d3"}}},
                 {"%f", out, prefix(4)}, kMultiplyAdd, "%s") +
         generic("%y", 4, {}, {{"%c", out, prefix(4)}, {"%b", bias, {"d3"}}}, {"%f_e", out, prefix(4)},
                 "    %s = arith.addf %in0, %in1 : f32\n    %u = arith.maximumf %s, %zero : f32\n", "%u") +
         fmt::format("  return %y : {}\n}}\n", out);
}

std::string softmaxText(const std::string& name, const std::vector<int>& shape) {
  const int rank = static_cast<int>(shape.size());
  const std::string x = tensor(shape, "f32"), r = tensor(Ints(shape.begin(), shape.end() - 1), "f32");
  const Operand row_max = {"%m", r, prefix(rank - 1)}, row_sum = {"%s", r, prefix(rank - 1)};
  const Operand in = {"%x", x, prefix(rank)}, exps = {"%ex", x, prefix(rank)}, out = {"%e", x, prefix(rank)};
  return fmt::format(
             "func.func @{}(%x: {}) -> {} {{\n  %zero = arith.constant 0.0 : f32\n  %low = arith.constant "
             "0xFF800000 : f32\n"
             "  %e = tensor.empty() : {}\n",
             name, x, x, x) +
         filled("%fm", r, "%low", "f32") +
         generic("%m", rank, {rank - 1}, {in}, {"%fm", r, prefix(rank - 1)},
                 "    %v = arith.maximumf %out, %in0 : f32\n", "%v") +
         generic("%ex", rank, {}, {in, row_max}, out,
                 "    %d = arith.subf %in0, %in1 : f32\n    %v = math.exp %d : f32\n", "%v") +
         filled("%fs", r, "%zero", "f32") +
         generic("%s", rank, {rank - 1}, {exps}, {"%fs", r, prefix(rank - 1)},
                 "    %v = arith.addf %out, %in0 : f32\n", "%v") +
         generic("%y", rank, {}, {exps, row_sum}, out, "    %v = arith.divf %in0, %in1 : f32\n", "%v") +
         fmt::format("  return %y : {}\n}}\n", x);
}

std::string layerNormText(const std::string& name, int rows, int columns) {
  const std::string x = tensor({rows, columns}, "f32"), r = tensor({rows}, "f32"),
                    g = tensor({columns}, "f32");
  const Operand in = {"%x", x, {"d0", "d1"}}, sum = {"%s", r, {"d0"}}, squares = {"%q", r, {"d0"}};
  return fmt::format(
             "func.func @{}(%x: {}, %g: {}, %b: {}) -> {} {{\n  %zero = arith.constant 0.0 : f32\n"
             "  %inverse = arith.constant {:.9e} : f32\n  %eps = arith.constant 1.0e-5 : f32\n  %e = "
             "tensor.empty() : {}\n",
             name, x, g, g, x, 1.0 / columns, x) +
         filled("%f", r, "%zero", "f32") +
         generic("%s", 2, {1}, {in}, {"%f", r, {"d0"}}, "    %v = arith.addf %out, %in0 : f32\n", "%v") +
         generic("%q", 2, {1}, {in, sum}, {"%f", r, {"d0"}},
                 "    %m = arith.mulf %in1, %inverse : f32\n    %d = arith.subf %in0, %m : f32\n    %d2 = "
                 "arith.mulf %d, %d : f32\n"
                 "    %v = arith.addf %out, %d2 : f32\n",
                 "%v") +
         generic("%y", 2, {}, {in, sum, squares, {"%g", g, {"d1"}}, {"%b", g, {"d1"}}},
                 {"%e", x, {"d0", "d1"}},
                 "    %m = arith.mulf %in1, %inverse : f32\n    %d = arith.subf %in0, %m : f32\n    %q1 = "
                 "arith.mulf %in2, %inverse : f32\n"
                 "    %q2 = arith.addf %q1, %eps : f32\n    %r = math.rsqrt %q2 : f32\n    %n = arith.mulf "
                 "%d, %r : f32\n"
                 "    %o = arith.mulf %n, %in3 : f32\n    %v = arith.addf %o, %in4 : f32\n",
                 "%v") +
         fmt::format("  return %y : {}\n}}\n", x);
}

std::string gatherText(const std::string& name, int rows, int columns, int count) {
  const std::string table = tensor({rows, columns}, "f32"), indices = tensor({count}, "i64"),
                    out = tensor({count, columns}, "f32");
  return fmt::format("func.func @{}(%t: {}, %i: {}) -> {} {{\n  %e = tensor.empty() : {}\n", name, table,
                     indices, out, out) +
         generic(
             "%y", 2, {}, {{"%i", indices, {"d0"}}}, {"%e", out, {"d0", "d1"}},
             fmt::format("    %r = arith.index_cast %in0 : i64 to index\n    %c = linalg.index 1 : index\n"
                         "    %v = tensor.extract %t[%r, %c] : {}\n",
                         table),
             "%v") +
         fmt::format("  return %y : {}\n}}\n", out);
}

}  // namespace tetrarch::compile
