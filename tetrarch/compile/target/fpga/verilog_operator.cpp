// Operators as expressions with registers behind them, or as modules of rtl/fpga/.
#include <fmt/args.h>
#include <fmt/format.h>

#include <ranges>

#include "tetrarch/abi/fpga_cost.h"
#include "tetrarch/compile/target/fpga/verilog_nest.h"

namespace tetrarch::fpga {
namespace {

// {x} {y} {z} are the operands; {w} the width of the result, {v} of the operands; {sign} {rest} masks of the
// result.
struct Expression {
  Operator op;
  const char* text;
};
constexpr Expression kExpressions[] = {
    {Operator::Add, "{x} + {y}"},
    {Operator::Sub, "{x} - {y}"},
    {Operator::And, "{x} & {y}"},
    {Operator::Or, "{x} | {y}"},
    {Operator::Xor, "{x} ^ {y}"},
    {Operator::Shl, "{x} << {y}"},
    {Operator::ShrS, "{w}'($signed({x}) >>> {y})"},
    {Operator::ShrU, "{x} >> {y}"},
    {Operator::MinS, "$signed({x}) < $signed({y}) ? {x} : {y}"},
    {Operator::MaxS, "$signed({x}) < $signed({y}) ? {y} : {x}"},
    {Operator::MinU, "{x} < {y} ? {x} : {y}"},
    {Operator::MaxU, "{x} < {y} ? {y} : {x}"},
    {Operator::Select, "{x} ? {y} : {z}"},
    {Operator::Eq, "{x} == {y}"},
    {Operator::Ne, "{x} != {y}"},
    {Operator::LtS, "$signed({x}) < $signed({y})"},
    {Operator::LeS, "$signed({x}) <= $signed({y})"},
    {Operator::LtU, "{x} < {y}"},
    {Operator::LeU, "{x} <= {y}"},
    {Operator::FNeg, "{x} ^ {sign}"},
    {Operator::FAbs, "{x} & {rest}"},
    {Operator::FCopySign, "({x} & {rest}) | ({y} & {sign})"},
    {Operator::ExtS, "{w}'($signed({x}))"},
    {Operator::ExtU, "{w}'({x})"},
    {Operator::Trunc, "{w}'({x})"},
    {Operator::Bits, "{x}"},
};

// {e} {m} are the exponent's and mantissa's width of the operand where it is a float, else of the result;
// {ro} the name of the result. Outputs that nobody needs are `extra`.
struct Module {
  Operator op;
  const char *name, *parameters, *inputs, *output, *extra;
};
constexpr Module kModules[] = {
    {Operator::Mul, "fpga_mul", ".WidthA({w}), .WidthB({w}), .WidthP({w})", ".a_i({x}), .b_i({y})", "p_o",
     ""},
    {Operator::Add3, "fpga_add3", ".Width({w})", ".x_i({x}), .y_i({y}), .z_i({z})", "sum_o", ""},
    {Operator::DivS, "fpga_div", ".Width({w}), .Signed(1'b1)", ".a_i({x}), .b_i({y})", "quotient_o",
     "remainder_o"},
    {Operator::DivU, "fpga_div", ".Width({w}), .Signed(1'b0)", ".a_i({x}), .b_i({y})", "quotient_o",
     "remainder_o"},
    {Operator::RemS, "fpga_div", ".Width({w}), .Signed(1'b1)", ".a_i({x}), .b_i({y})", "remainder_o",
     "quotient_o"},
    {Operator::RemU, "fpga_div", ".Width({w}), .Signed(1'b0)", ".a_i({x}), .b_i({y})", "remainder_o",
     "quotient_o"},
    {Operator::Popcount, "fpga_popcount", ".Width({w})", ".x_i({x})", "count_o", ""},
    {Operator::FAdd, "fpga_fadd", ".ExpW({e}), .ManW({m}), .Subtract(1'b0)", ".a_i({x}), .b_i({y})", "sum_o",
     ""},
    {Operator::FSub, "fpga_fadd", ".ExpW({e}), .ManW({m}), .Subtract(1'b1)", ".a_i({x}), .b_i({y})", "sum_o",
     ""},
    {Operator::FMul, "fpga_fmul", ".ExpW({e}), .ManW({m})", ".a_i({x}), .b_i({y})", "product_o", ""},
    {Operator::FDiv, "fpga_fdiv", ".ExpW({e}), .ManW({m})", ".a_i({x}), .b_i({y})", "quotient_o", ""},
    {Operator::FSqrt, "fpga_fsqrt", ".ExpW({e}), .ManW({m})", ".a_i({x})", "root_o", ""},
    {Operator::FMin, "fpga_fminmax", ".ExpW({e}), .ManW({m}), .Max(1'b0)", ".a_i({x}), .b_i({y})", "result_o",
     ""},
    {Operator::FMax, "fpga_fminmax", ".ExpW({e}), .ManW({m}), .Max(1'b1)", ".a_i({x}), .b_i({y})", "result_o",
     ""},
    {Operator::FFloor, "fpga_fround", ".ExpW({e}), .ManW({m}), .Mode(0)", ".a_i({x})", "result_o", ""},
    {Operator::FCeil, "fpga_fround", ".ExpW({e}), .ManW({m}), .Mode(1)", ".a_i({x})", "result_o", ""},
    {Operator::FTrunc, "fpga_fround", ".ExpW({e}), .ManW({m}), .Mode(2)", ".a_i({x})", "result_o", ""},
    {Operator::FRound, "fpga_fround", ".ExpW({e}), .ManW({m}), .Mode(3)", ".a_i({x})", "result_o", ""},
    {Operator::FRoundEven, "fpga_fround", ".ExpW({e}), .ManW({m}), .Mode(4)", ".a_i({x})", "result_o", ""},
    {Operator::IntToFloatS, "fpga_int_to_float", ".IntW({v}), .ExpW({e}), .ManW({m}), .Signed(1'b1)",
     ".int_i({x})", "float_o", ""},
    {Operator::IntToFloatU, "fpga_int_to_float", ".IntW({v}), .ExpW({e}), .ManW({m}), .Signed(1'b0)",
     ".int_i({x})", "float_o", ""},
    {Operator::FloatToIntS, "fpga_float_to_int", ".ExpW({e}), .ManW({m}), .IntW({w}), .Signed(1'b1)",
     ".float_i({x})", "int_o", ""},
    {Operator::FloatToIntU, "fpga_float_to_int", ".ExpW({e}), .ManW({m}), .IntW({w}), .Signed(1'b0)",
     ".float_i({x})", "int_o", ""},
    {Operator::FloatToFloat, "fpga_float_to_float",
     ".InExpW({e}), .InManW({m}), .OutExpW({re}), .OutManW({rm})", ".float_i({x})", "float_o", ""},
    {Operator::FEq, "fpga_fcompare", ".ExpW({e}), .ManW({m})", ".a_i({x}), .b_i({y})", "equal_o",
     "less_o unordered_o"},
    {Operator::FLt, "fpga_fcompare", ".ExpW({e}), .ManW({m})", ".a_i({x}), .b_i({y})", "less_o",
     "equal_o unordered_o"},
    {Operator::FUno, "fpga_fcompare", ".ExpW({e}), .ManW({m})", ".a_i({x}), .b_i({y})", "unordered_o",
     "less_o equal_o"},
};

std::string fill(const char* text, const Node& node, Type operand, const std::vector<std::string>& operands) {
  const Type format = operand.isFloat() ? operand : node.type;
  const uint64_t sign = uint64_t{1} << (node.type.width - 1);
  const auto at = [&](size_t i) { return i < operands.size() ? operands[i] : std::string(); };
  return fmt::format(
      fmt::runtime(text), fmt::arg("x", at(0)), fmt::arg("y", at(1)), fmt::arg("z", at(2)),
      fmt::arg("w", node.type.width), fmt::arg("v", operand.width),
      fmt::arg("sign", literal(node.type.width, sign)), fmt::arg("rest", literal(node.type.width, sign - 1)),
      fmt::arg("e", format.exponent), fmt::arg("m", format.isFloat() ? format.mantissa() : 0),
      fmt::arg("re", node.type.exponent), fmt::arg("rm", node.type.isFloat() ? node.type.mantissa() : 0));
}

std::string printModule(const Module& row, const Node& node, Type operand,
                        const std::vector<std::string>& operands, const std::string& result,
                        const std::string& enable, std::vector<std::string>& unused) {
  std::string text, pins;
  for (const auto part : std::views::split(std::string_view(row.extra), ' ')) {
    const std::string_view output(part);
    if (output.empty()) continue;
    const std::string name = fmt::format("{}_{}", result, output.substr(0, output.size() - 2));
    text += fmt::format("  {};\n", declare(node.type.width, name));
    pins += fmt::format(", .{}({})", output, name);
    unused.push_back(name);
  }
  return text + fmt::format("  {} #({}) u_{} (\n    .clk_i, .en_i({}), {}, .{}({}){}\n  );\n", row.name,
                            fill(row.parameters, node, operand, operands), result, enable,
                            fill(row.inputs, node, operand, operands), row.output, result, pins);
}

// Comparisons of which the module has only parts.
std::string printPair(const Node& node, Type operand, const std::vector<std::string>& operands,
                      const std::string& result, const std::string& enable,
                      std::vector<std::string>& unused) {
  const std::string less = result + "_less", equal = result + "_equal", unordered = result + "_unordered";
  std::string text = fmt::format("  logic {}, {}, {};\n", less, equal, unordered);
  text += fmt::format(
      "  fpga_fcompare #({}) u_{} (\n    .clk_i, .en_i({}), {}, .less_o({}), .equal_o({}), "
      ".unordered_o({})\n  );\n",
      fill(".ExpW({e}), .ManW({m})", node, operand, operands), result, enable,
      fill(".a_i({x}), .b_i({y})", node, operand, operands), less, equal, unordered);
  unused.push_back(unordered);
  if (node.op == Operator::FLe) return text + fmt::format("  assign {} = {} || {};\n", result, less, equal);
  unused.push_back(less);
  return text + fmt::format("  assign {} = !{};\n", result, equal);
}

std::string printClz(const Node& node, const std::vector<std::string>& operands, const std::string& result,
                     const std::string& enable) {
  const int width = node.type.width;
  const int count = std::bit_width(static_cast<unsigned>(width));
  return fmt::format(
      "  {};\n  fpga_clz #(.Width({})) u_{} (.clk_i, .en_i({}), .x_i({}), .zeros_o({}_zeros));\n  assign {} "
      "= {}'({}_zeros);\n",
      declare(count, result + "_zeros"), width, result, enable, operands[0], result, result, width, result);
}

}  // namespace

std::string declare(int64_t width, const std::string& name) {
  return width == 1 ? "logic " + name : fmt::format("logic [{}:0] {}", width - 1, name);
}

std::string literal(int64_t width, uint64_t bits) {
  return width == 1 ? fmt::format("1'b{}", bits & 1) : fmt::format("{}'h{:x}", width, bits);
}

std::string printOperator(const Node& node, Type operand, int latency,
                          const std::vector<std::string>& operands, const std::string& result,
                          const std::string& enable, std::vector<std::string>& unused) {
  if (node.op == Operator::FLe || node.op == Operator::FNe)
    return printPair(node, operand, operands, result, enable, unused);
  if (node.op == Operator::Clz) return printClz(node, operands, result, enable);
  for (const Module& row : kModules) {
    if (row.op == node.op) return printModule(row, node, operand, operands, result, enable, unused);
  }
  for (const Expression& row : kExpressions) {
    if (row.op != node.op) continue;
    const std::string value = fill(row.text, node, operand, operands);
    if (latency == 0) return fmt::format("  assign {} = {};\n", result, value);
    return fmt::format(
        "  fpga_pipe #(.Width({}), .Stages({})) u_{} (.clk_i, .en_i({}), .d_i({}), .q_o({}));\n",
        node.type.width, latency, result, enable, value, result);
  }
  return {};
}

}  // namespace tetrarch::fpga
