// Every row of payload.def, and convert, compare and reductions by kind, on the element types that differ.
#include <gtest/gtest.h>

#include "tetrarch/compile/lower/differential.h"

namespace tetrarch::compile {
namespace {

using Cases = std::vector<DifferentialCase>;
using Names = std::vector<std::string>;

const Names kNarrowAndWide = {"f32", "f64", "f16", "bf16", "f8E4M3FN", "f8E5M2"};
const Names kInts = {"i4", "i8", "i32", "i64", "ui8", "ui64"};

// A function of x, y, p with one result for each line "op operands" over one type.
std::string functionOf(const Names& ops, const std::string& type, const std::string& operands) {
  const std::string tensor = tensorText("37", type);
  std::string body, names, types;
  for (const std::string& op : ops) {
    body += "  %" + op + " = tet." + op + " " + operands + " : " + tensor + "\n";
    names += (names.empty() ? "%" : ", %") + op;
    types += (types.empty() ? "" : ", ") + tensor;
  }
  return "func.func @main(%x: " + tensor + ", %y: " + tensor + ", %z: " + tensor + ") -> (" + types +
         ") {\n" + body + "  return " + names + " : " + types + "\n}\n";
}

TEST(LowerElementwise, UnaryFloats) {
  const Names exact = {"abs",  "ceil", "floor", "negate", "round_nearest_afz", "round_nearest_even",
                       "sign", "sqrt", "rsqrt"};
  const Names functions = {"cbrt", "cosine",       "erf",      "exponential", "exponential_minus_one",
                           "log",  "log_plus_one", "logistic", "sine",        "tan",
                           "tanh"};
  Cases cases;
  for (const std::string& type : kNarrowAndWide)
    cases.push_back({"exact_" + type, functionOf(exact, type, "%x")});
  for (const std::string& type : {"f32", "f16"}) {
    cases.push_back({"functions_" + std::string(type), functionOf(functions, type, "%x"), 0.1, 1.5});
    cases.push_back({"negative_" + std::string(type), functionOf(functions, type, "%x"), -1.5, -0.1});
  }
  checkAgainstInterpreter(cases);
}

TEST(LowerElementwise, BinaryFloats) {
  const Names ops = {"add", "divide", "maximum", "minimum", "multiply", "subtract"};
  Cases cases;
  for (const std::string& type : kNarrowAndWide)
    cases.push_back({"binary_" + type, functionOf(ops, type, "%x, %y")});
  cases.push_back({"functions", functionOf({"atan2", "power", "remainder"}, "f32", "%x, %y")});
  checkAgainstInterpreter(cases);
}

TEST(LowerElementwise, Integers) {
  const Names binary = {"add",
                        "and",
                        "divide",
                        "maximum",
                        "minimum",
                        "multiply",
                        "or",
                        "power",
                        "remainder",
                        "shift_left",
                        "shift_right_arithmetic",
                        "shift_right_logical",
                        "subtract",
                        "xor"};
  const Names unary = {"count_leading_zeros", "negate", "not", "popcnt"};
  Cases cases;
  for (const std::string& type : kInts) {
    cases.push_back({"binary_" + type, functionOf(binary, type, "%x, %y")});
    cases.push_back({"unary_" + type, functionOf(unary, type, "%x")});
    cases.push_back({"clamp_" + type, functionOf({"clamp"}, type, "%x, %y, %z")});
    if (type[0] == 'i') cases.push_back({"signed_" + type, functionOf({"abs", "sign"}, type, "%x")});
  }
  cases.push_back({"bool", functionOf({"and", "or", "xor", "maximum", "minimum"}, "i1", "%x, %y")});
  cases.push_back({"not", functionOf({"not"}, "i1", "%x")});
  checkAgainstInterpreter(cases);
}

TEST(LowerElementwise, Converts) {
  const Names types = {"f32", "f64", "f16", "f8E4M3FN", "f8E5M2", "i1",  "i4",
                       "i8",  "i32", "i64", "ui8",      "ui32",   "ui64"};
  Cases cases;
  for (const std::string& from : types) {
    std::string body, names, results;
    for (const std::string& to : types) {
      const std::string result = tensorText("37", to);
      body += "  %" + to + " = tet.convert %x : (" + tensorText("37", from) + ") -> " + result + "\n";
      names += (names.empty() ? "%" : ", %") + to;
      results += (results.empty() ? "" : ", ") + result;
    }
    // Positive, since what a float below 0 is as an unsigned integer is left open.
    cases.push_back({"from_" + from,
                     "func.func @main(%x: " + tensorText("37", from) + ") -> (" + results + ") {\n" + body +
                         "  return " + names + " : " + results + "\n}\n",
                     0, 2, 0});
  }
  checkAgainstInterpreter(cases);
}

TEST(LowerElementwise, ComparesAndSelects) {
  Cases cases;
  for (const std::string& type : {"f32", "f16", "i8", "ui8", "i1", "i64"}) {
    const std::string t = tensorText("37", type), b = tensorText("37", "i1");
    std::string body, names, results;
    for (const std::string& direction : {"EQ", "NE", "GE", "GT", "LE", "LT"}) {
      body += "  %c" + direction + " = tet.compare " + direction + ", %x, %y : (" + t + ", " + t + ") -> " +
              b + "\n  %s" + direction + " = tet.select %c" + direction + ", %x, %y : " + b + ", " + t + "\n";
      names += (names.empty() ? "%c" : ", %c") + direction + ", %s" + direction;
      results += (results.empty() ? "" : ", ") + b + ", " + t;
    }
    cases.push_back({"compare_" + type, "func.func @main(%x: " + t + ", %y: " + t + ") -> (" + results +
                                            ") {\n" + body + "  return " + names + " : " + results +
                                            "\n}\n"});
  }
  cases.push_back({"is_finite", R"(func.func @main(%x: tensor<37xf32>) -> tensor<37xi1> {
    %zero = tet.constant dense<0.0> : tensor<37xf32>
    %a = tet.divide %x, %zero : tensor<37xf32>
    %c = tet.constant dense<1.0> : tensor<37xf32>
    %p = tet.compare LT, %x, %c : (tensor<37xf32>, tensor<37xf32>) -> tensor<37xi1>
    %s = tet.select %p, %a, %x : tensor<37xi1>, tensor<37xf32>
    %f = tet.is_finite %s : (tensor<37xf32>) -> tensor<37xi1>
    return %f : tensor<37xi1> })"});
  checkAgainstInterpreter(cases);
}

TEST(LowerElementwise, Reductions) {
  auto reduceText = [](const std::string& kind, const std::string& type) {
    const std::string x = tensorText("5x7x9", type);
    return "func.func @main(%x: " + x + ") -> (" + tensorText("5x7", type) + ", " + tensorText("7", type) +
           ", " + tensorText("", type) + ", " + x + ") {\n  %a = tet.reduce " + kind +
           ", %x, dims = [2] : (" + x + ") -> " + tensorText("5x7", type) + "\n  %b = tet.reduce " + kind +
           ", %x, dims = [0, 2] : (" + x + ") -> " + tensorText("7", type) + "\n  %c = tet.reduce " + kind +
           ", %x, dims = [0, 1, 2] : (" + x + ") -> " + tensorText("", type) + "\n  %d = tet.cumulative " +
           kind + ", %x, dim = 1 : (" + x + ") -> " + x +
           "\n  return %a, %b, %c, %d : " + tensorText("5x7", type) + ", " + tensorText("7", type) + ", " +
           tensorText("", type) + ", " + x + "\n}\n";
  };
  Cases cases;
  for (const std::string& type : {"f32", "f16", "i8", "i4", "ui8", "i64"}) {
    for (const std::string& kind : {"add", "multiply", "maximum", "minimum"}) {
      cases.push_back({kind + "_" + type, reduceText(kind, type), 0.5, 1.1});
    }
  }
  for (const std::string& type : {"i1", "i32", "ui8"}) {
    for (const std::string& kind : {"and", "or", "xor"})
      cases.push_back({kind + "_" + type, reduceText(kind, type)});
  }
  checkAgainstInterpreter(cases);
}

}  // namespace
}  // namespace tetrarch::compile
