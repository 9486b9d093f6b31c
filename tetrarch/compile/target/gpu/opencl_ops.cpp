#include "tetrarch/compile/target/gpu/opencl_ops.h"

#include <algorithm>
#include <array>

#include "llvm/ADT/StringRef.h"

namespace tetrarch::opencl {
namespace {

constexpr auto kRows = std::to_array<OpRow>({
    // Floats. maximumf and minimumf return NaN when either side is; fmax and fmin do not, so those are
    // helpers.
    {"arith.addf", "$0 + $1", Prec::Add, Finish::Rounded, ""},
    {"arith.subf", "$0 - $1", Prec::Add, Finish::Rounded, ""},
    {"arith.mulf", "$0 * $1", Prec::Mul, Finish::Rounded, ""},
    {"arith.divf", "$0 / $1", Prec::Mul, Finish::Rounded, ""},
    {"arith.remf", "fmod($0, $1)", Prec::Atom, Finish::Rounded, ""},
    {"arith.negf", "-$0", Prec::Unary, Finish::None, ""},
    {"arith.maximumf", "maximum_$T($0, $1)", Prec::Atom, Finish::None, "maximum"},
    {"arith.minimumf", "minimum_$T($0, $1)", Prec::Atom, Finish::None, "minimum"},
    {"arith.maxnumf", "fmax($0, $1)", Prec::Atom, Finish::None, ""},
    {"arith.minnumf", "fmin($0, $1)", Prec::Atom, Finish::None, ""},
    {"math.absf", "fabs($0)", Prec::Atom, Finish::None, ""},
    {"math.acos", "acos($0)", Prec::Atom, Finish::Rounded, ""},
    {"math.acosh", "acosh($0)", Prec::Atom, Finish::Rounded, ""},
    {"math.asin", "asin($0)", Prec::Atom, Finish::Rounded, ""},
    {"math.asinh", "asinh($0)", Prec::Atom, Finish::Rounded, ""},
    {"math.atan", "atan($0)", Prec::Atom, Finish::Rounded, ""},
    {"math.atan2", "atan2($0, $1)", Prec::Atom, Finish::Rounded, ""},
    {"math.atanh", "atanh($0)", Prec::Atom, Finish::Rounded, ""},
    {"math.cbrt", "cbrt($0)", Prec::Atom, Finish::Rounded, ""},
    {"math.ceil", "ceil($0)", Prec::Atom, Finish::None, ""},
    {"math.copysign", "copysign($0, $1)", Prec::Atom, Finish::None, ""},
    {"math.cos", "cos($0)", Prec::Atom, Finish::Rounded, ""},
    {"math.cosh", "cosh($0)", Prec::Atom, Finish::Rounded, ""},
    {"math.erf", "erf($0)", Prec::Atom, Finish::Rounded, ""},
    {"math.erfc", "erfc($0)", Prec::Atom, Finish::Rounded, ""},
    {"math.exp", "exp($0)", Prec::Atom, Finish::Rounded, ""},
    {"math.exp2", "exp2($0)", Prec::Atom, Finish::Rounded, ""},
    {"math.expm1", "expm1($0)", Prec::Atom, Finish::Rounded, ""},
    {"math.floor", "floor($0)", Prec::Atom, Finish::None, ""},
    {"math.fma", "fma($0, $1, $2)", Prec::Atom, Finish::Rounded, ""},
    {"math.fpowi", "pown($0, $1)", Prec::Atom, Finish::Rounded, ""},
    {"math.isfinite", "isfinite($0)", Prec::Atom, Finish::Mask, ""},
    {"math.isinf", "isinf($0)", Prec::Atom, Finish::Mask, ""},
    {"math.isnan", "isnan($0)", Prec::Atom, Finish::Mask, ""},
    {"math.log", "log($0)", Prec::Atom, Finish::Rounded, ""},
    {"math.log10", "log10($0)", Prec::Atom, Finish::Rounded, ""},
    {"math.log1p", "log1p($0)", Prec::Atom, Finish::Rounded, ""},
    {"math.log2", "log2($0)", Prec::Atom, Finish::Rounded, ""},
    {"math.powf", "pow($0, $1)", Prec::Atom, Finish::Rounded, ""},
    {"math.round", "round($0)", Prec::Atom, Finish::None, ""},
    {"math.roundeven", "rint($0)", Prec::Atom, Finish::None, ""},
    {"math.rsqrt", "rsqrt($0)", Prec::Atom, Finish::Rounded, ""},
    {"math.sin", "sin($0)", Prec::Atom, Finish::Rounded, ""},
    {"math.sinh", "sinh($0)", Prec::Atom, Finish::Rounded, ""},
    {"math.sqrt", "sqrt($0)", Prec::Atom, Finish::Rounded, ""},
    {"math.tan", "tan($0)", Prec::Atom, Finish::Rounded, ""},
    {"math.tanh", "tanh($0)", Prec::Atom, Finish::Rounded, ""},
    {"math.trunc", "trunc($0)", Prec::Atom, Finish::None, ""},
    {"vector.fma", "fma($0, $1, $2)", Prec::Atom, Finish::Rounded, ""},
    // Integers. Sums and products wrap, which C promises for unsigned types only.
    {"arith.addi", "$u0 + $u1", Prec::Add, Finish::Signed, ""},
    {"arith.subi", "$u0 - $u1", Prec::Add, Finish::Signed, ""},
    {"arith.muli", "$u0 * $u1", Prec::Mul, Finish::Signed, ""},
    {"arith.divsi", "$0 / $1", Prec::Mul, Finish::Signed, ""},
    {"arith.divui", "$u0 / $u1", Prec::Mul, Finish::Signed, ""},
    {"arith.remsi", "$0 % $1", Prec::Mul, Finish::Signed, ""},
    {"arith.remui", "$u0 % $u1", Prec::Mul, Finish::Signed, ""},
    {"arith.floordivsi", "floor_div_$T($0, $1)", Prec::Atom, Finish::None, "floor_div"},
    {"arith.ceildivsi", "ceil_div_$T($0, $1)", Prec::Atom, Finish::None, "ceil_div"},
    {"arith.ceildivui", "$u0 / $u1 + ($u0 % $u1 != 0 ? 1 : 0)", Prec::Add, Finish::Signed, ""},
    {"arith.andi", "$0 & $1", Prec::And, Finish::None, ""},
    {"arith.ori", "$0 | $1", Prec::Or, Finish::None, ""},
    {"arith.xori", "$0 ^ $1", Prec::Xor, Finish::None, ""},
    {"arith.shli", "$u0 << $u1", Prec::Shift, Finish::Signed, ""},
    {"arith.shrsi", "$0 >> $1", Prec::Shift, Finish::Signed, ""},
    {"arith.shrui", "$u0 >> $u1", Prec::Shift, Finish::Signed, ""},
    {"arith.maxsi", "max($0, $1)", Prec::Atom, Finish::None, ""},
    {"arith.minsi", "min($0, $1)", Prec::Atom, Finish::None, ""},
    {"arith.maxui", "max($u0, $u1)", Prec::Atom, Finish::Signed, ""},
    {"arith.minui", "min($u0, $u1)", Prec::Atom, Finish::Signed, ""},
    {"math.absi", "abs($0)", Prec::Atom, Finish::Signed, ""},
    {"math.ctlz", "clz($0)", Prec::Atom, Finish::None, ""},
    {"math.ctpop", "popcount($0)", Prec::Atom, Finish::None, ""},
    {"math.cttz", "trailing_zeros_$T($0)", Prec::Atom, Finish::None, "trailing_zeros"},
});

// $T the type, $U its unsigned twin, $V the ushort of the same lanes, $W the lanes ("" for a scalar), $I the
// uint.
struct Helper {
  std::string_view name;
  std::string_view text;
};
constexpr auto kHelpers = std::to_array<Helper>({
    {"maximum", "static inline $T maximum_$T($T a, $T b) { return a < b || isnan(b) ? b : a; }"},
    {"minimum", "static inline $T minimum_$T($T a, $T b) { return a > b || isnan(b) ? b : a; }"},
    {"floor_div",
     "static inline $T floor_div_$T($T a, $T b) { return a / b - (a % b != 0 && (a < 0) != (b < 0)); }"},
    {"ceil_div",
     "static inline $T ceil_div_$T($T a, $T b) { return a / b + (a % b != 0 && (a < 0) == (b < 0)); }"},
    {"trailing_zeros", "static inline $T trailing_zeros_$T($T a) { return popcount(($T)(~a & (a - 1))); }"},
    {"from_half",
     "static inline $T from_half_$T($V bits) { return vload_half$W(0, (const __private half*)&bits); }"},
    {"to_half",
     "static inline $V to_half_$T($T x) {\n"
     "  $V bits;\n"
     "  vstore_half$W_rte(x, 0, (__private half*)&bits);\n"
     "  return bits;\n"
     "}"},
    {"round_half",
     "static inline $T round_half_$T($T x) {\n"
     "  $V bits;\n"
     "  vstore_half$W_rte(x, 0, (__private half*)&bits);\n"
     "  return vload_half$W(0, (const __private half*)&bits);\n"
     "}"},
    {"round_bfloat",
     "static inline $T round_bfloat_$T($T x) {\n"
     "  const $I bits = as_$I(x);\n"
     "  return as_$T((isnan(x) ? bits | 0x400000u : bits + 0x7fffu + (bits >> 16 & 1u)) & 0xffff0000u);\n"
     "}"},
});
// Comparisons of vectors are masks that `select` takes, where a scalar has `? :` and `&&`.
constexpr auto kVectorHelpers = std::to_array<Helper>({
    {"maximum", "static inline $T maximum_$T($T a, $T b) { return select(a, b, (a < b) | isnan(b)); }"},
    {"minimum", "static inline $T minimum_$T($T a, $T b) { return select(a, b, (a > b) | isnan(b)); }"},
    {"floor_div",
     "static inline $T floor_div_$T($T a, $T b) { return a / b + ((a % b != 0) & ((a < 0) ^ (b < 0))); }"},
    {"ceil_div",
     "static inline $T ceil_div_$T($T a, $T b) { return a / b - ((a % b != 0) & ~((a < 0) ^ (b < 0))); }"},
});

void replaceAll(std::string& text, std::string_view from, std::string_view to) {
  for (size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size())
    text.replace(at, from.size(), to);
}

template <typename Table>
std::string_view find(const Table& table, std::string_view name) {
  auto row = std::ranges::find(table, name, &Helper::name);
  return row == table.end() ? std::string_view() : row->text;
}

}  // namespace

const OpRow* findRow(std::string_view op) {
  auto row = std::ranges::find(kRows, op, &OpRow::op);
  return row == kRows.end() ? nullptr : &*row;
}

std::string helperText(std::string_view helper, const ScalarType& type, int width) {
  std::string_view found = width > 1 ? find(kVectorHelpers, helper) : std::string_view();
  std::string text(found.empty() ? find(kHelpers, helper) : found);
  const std::string lanes = width == 1 ? "" : std::to_string(width);
  replaceAll(text, "$T", typeName(type, width));
  replaceAll(text, "$V", "ushort" + lanes);
  replaceAll(text, "$I", "uint" + lanes);
  replaceAll(text, "$W", lanes);
  return text;
}

std::string_view integerPredicate(int predicate) {
  // In the order of arith::CmpIPredicate.
  static constexpr std::array<std::string_view, 10> kTexts = {
      "$0 == $1", "$0 != $1",  "$0 < $1",    "$0 <= $1",  "$0 > $1",
      "$0 >= $1", "$u0 < $u1", "$u0 <= $u1", "$u0 > $u1", "$u0 >= $u1"};
  return kTexts[predicate];
}

std::string_view floatPredicate(int predicate) {
  // In the order of arith::CmpFPredicate: false, ordered, unordered, true. C's comparisons are the ordered
  // ones but for !=, which is the unordered one.
  static constexpr std::array<std::string_view, 16> kTexts = {"$0 != $0 & $0 == $0",
                                                              "$0 == $1",
                                                              "$0 > $1",
                                                              "$0 >= $1",
                                                              "$0 < $1",
                                                              "$0 <= $1",
                                                              "islessgreater($0, $1)",
                                                              "isordered($0, $1)",
                                                              "($0 == $1) | isunordered($0, $1)",
                                                              "($0 > $1) | isunordered($0, $1)",
                                                              "($0 >= $1) | isunordered($0, $1)",
                                                              "($0 < $1) | isunordered($0, $1)",
                                                              "($0 <= $1) | isunordered($0, $1)",
                                                              "$0 != $1",
                                                              "isunordered($0, $1)",
                                                              "$0 == $0 | $0 != $0"};
  return kTexts[predicate];
}

}  // namespace tetrarch::opencl
