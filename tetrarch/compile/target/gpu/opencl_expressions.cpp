// Ops that are one C expression a part: the rows, comparisons, select, casts and constants.
#include <fmt/format.h>

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "tetrarch/compile/target/gpu/mlir_text.h"
#include "tetrarch/compile/target/gpu/opencl_printer_impl.h"

namespace tetrarch::opencl {
namespace {

bool isComparison(Prec prec) { return prec == Prec::Compare || prec == Prec::Equal; }

// The weakest expression that may stand bare at `at` in a row's text: anything between commas of a call; the
// left side of an operator as tight as the operator; the right side tighter (a - (b - c)).
Prec roomAt(std::string_view text, size_t at, size_t end, Prec prec) {
  const auto before = text.find_last_not_of(' ', at - 1), after = text.find_first_not_of(' ', end);
  const bool opened = at == 0 || text[before] == '(' || text[before] == ',';
  const bool closed = after == std::string_view::npos || text[after] == ')' || text[after] == ',';
  if (at > 0 && opened && closed) return Prec::Ternary;
  if (isComparison(prec) || prec >= Prec::And) return Prec::Add;
  return at == 0 && prec != Prec::Atom ? prec : static_cast<Prec>(std::max(0, static_cast<int>(prec) - 1));
}

// What a cast does to the value, beside the change of type.
struct CastRow {
  std::string_view op;
  bool source_unsigned, result_unsigned;
};
constexpr CastRow kCasts[] = {
    {"arith.extf", false, false},       {"arith.truncf", false, false},      {"arith.sitofp", false, false},
    {"arith.uitofp", true, false},      {"arith.fptosi", false, false},      {"arith.fptoui", false, true},
    {"arith.extsi", false, false},      {"arith.extui", true, false},        {"arith.trunci", false, false},
    {"arith.index_cast", false, false}, {"arith.index_castui", true, false},
};

}  // namespace

std::string operand(const Expr& expr, Prec weakest) {
  return expr.prec <= weakest ? expr.text : "(" + expr.text + ")";
}

void mergeReads(Expr& into, const Expr& from) {
  for (int number : from.reads) {
    if (!llvm::is_contained(into.reads, number)) into.reads.push_back(number);
  }
}

Expr KernelPrinter::fillText(std::string_view text, Prec prec, llvm::ArrayRef<Expr> operands,
                             const ScalarType& type, int width, bool as_unsigned) {
  Expr result{.prec = prec};
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '$') {
      result.text += text[i];
      continue;
    }
    if (text[i + 1] == 'T') {
      result.text += typeName(type, width);
      ++i;
      continue;
    }
    const bool unsigned_operand = text[i + 1] == 'u';
    const size_t end = i + (unsigned_operand ? 3 : 2);
    const Expr& from = operands[text[end - 1] - '0'];
    mergeReads(result, from);
    if (unsigned_operand && as_unsigned) {
      result.text += width == 1 ? fmt::format("({}){}", type.as_unsigned, operand(from, Prec::Unary))
                                : fmt::format("as_{}({})", unsignedName(type, width), from.text);
    } else {
      result.text += operand(from, roomAt(text, i, end, prec));
    }
    i = end - 1;
  }
  return result;
}

Expr KernelPrinter::finish(Expr expr, const ScalarType& type, int width, Finish finish, int operand_bits) {
  const std::string name = typeName(type, width);
  auto wrapped = [&](std::string text, Prec prec) { return Expr{std::move(text), prec, expr.reads}; };
  switch (finish) {
    case Finish::None:
      return expr;
    case Finish::Rounded: {
      if (type.narrow == Narrow::None) return expr;
      const std::string_view helper = type.narrow == Narrow::Half ? "round_half" : "round_bfloat";
      helpers_.add(helper, type, width);
      return wrapped(fmt::format("{}_{}({})", helper, name, expr.text), Prec::Atom);
    }
    case Finish::Signed:
      if (type.is_index) return expr;
      return width == 1 ? wrapped(fmt::format("({}){}", name, operand(expr, Prec::Unary)), Prec::Unary)
                        : wrapped(fmt::format("as_{}({})", name, expr.text), Prec::Atom);
    case Finish::Mask:
      if (width == 1 || operand_bits == 32) return expr;
      return wrapped(fmt::format("convert_int{}({})", width, expr.text), Prec::Atom);
  }
  return expr;
}

Status KernelPrinter::row(mlir::Operation* op, const OpRow& row) {
  if (op->getNumResults() != 1) return declined(op, "it has several results");
  TET_ASSIGN_OR_RETURN(const ScalarType result, type(op->getResult(0)));
  TET_ASSIGN_OR_RETURN(const ScalarType source, type(op->getOperand(0)));
  llvm::SmallVector<Parts> operands;
  for (mlir::Value value : op->getOperands()) {
    TET_ASSIGN_OR_RETURN(Parts of, parts(value));
    operands.push_back(std::move(of));
  }
  const auto widths = partWidths(op->getResult(0).getType());
  Parts results;
  for (size_t part = 0; part < widths.size(); ++part) {
    llvm::SmallVector<Expr> at;
    for (const Parts& of : operands) at.push_back(of[part]);
    const bool as_unsigned = !source.is_index && !source.is_float;
    Expr expr = fillText(row.text, row.prec, at, source, widths[part], as_unsigned);
    if (!row.helper.empty()) helpers_.add(row.helper, source, widths[part]);
    results.push_back(finish(std::move(expr), result, widths[part], row.finish, source.bits));
  }
  return bind(op, std::move(results));
}

Status KernelPrinter::compare(mlir::Operation* op, std::string_view text) {
  TET_ASSIGN_OR_RETURN(const ScalarType source, type(op->getOperand(0)));
  TET_ASSIGN_OR_RETURN(const Parts left, parts(op->getOperand(0)));
  TET_ASSIGN_OR_RETURN(const Parts right, parts(op->getOperand(1)));
  const Prec prec = text.find('|') != std::string_view::npos   ? Prec::Or
                    : text.find('&') != std::string_view::npos ? Prec::And
                    : text.find(',') != std::string_view::npos ? Prec::Atom
                                                               : Prec::Compare;
  const auto widths = partWidths(op->getResult(0).getType());
  Parts results;
  for (size_t part = 0; part < widths.size(); ++part) {
    Expr expr = fillText(text, prec, {left[part], right[part]}, source, widths[part], !source.is_float);
    results.push_back(finish(std::move(expr), source, widths[part], Finish::Mask, source.bits));
  }
  return bind(op, std::move(results));
}

Status KernelPrinter::select(mlir::Operation* op) {
  TET_ASSIGN_OR_RETURN(const ScalarType result, type(op->getResult(0)));
  TET_ASSIGN_OR_RETURN(const Parts condition, parts(op->getOperand(0)));
  TET_ASSIGN_OR_RETURN(const Parts yes, parts(op->getOperand(1)));
  TET_ASSIGN_OR_RETURN(const Parts no, parts(op->getOperand(2)));
  const bool one_condition = !mlir::isa<mlir::VectorType>(op->getOperand(0).getType());
  const auto widths = partWidths(op->getResult(0).getType());
  Parts results;
  for (size_t part = 0; part < widths.size(); ++part) {
    const Expr& test = condition[one_condition ? 0 : part];
    Expr expr;
    if (one_condition) {
      expr = {fmt::format("{} ? {} : {}", operand(test, Prec::Equal), operand(yes[part], Prec::Or),
                          operand(no[part], Prec::Or)),
              Prec::Ternary};
    } else {
      const std::string mask = result.bits == 32 || result.is_bool ? test.text
                                                                   : fmt::format("convert_{}{}({})",
                                                                                 result.bits == 64   ? "long"
                                                                                 : result.bits == 16 ? "short"
                                                                                                     : "char",
                                                                                 widths[part], test.text);
      expr.text = fmt::format("select({}, {}, {})", no[part].text, yes[part].text, mask);
    }
    for (const Expr* from : {&test, &yes[part], &no[part]}) mergeReads(expr, *from);
    results.push_back(std::move(expr));
  }
  return bind(op, std::move(results));
}

Expr KernelPrinter::convert(const Expr& expr, const ScalarType& from, const ScalarType& to, int width) {
  if (from.name == to.name) return finish(expr, to, width, Finish::Rounded, from.bits);
  Expr cast =
      width == 1
          ? Expr{fmt::format("({}){}", to.name, operand(expr, Prec::Unary)), Prec::Unary, expr.reads}
          : Expr{fmt::format("convert_{}({})", typeName(to, width), expr.text), Prec::Atom, expr.reads};
  return finish(std::move(cast), to, width, Finish::Rounded, from.bits);
}

Status KernelPrinter::cast(mlir::Operation* op) {
  const auto* row = llvm::find_if(
      kCasts, [&](const CastRow& r) { return r.op == std::string_view(op->getName().getStringRef()); });
  TET_ASSIGN_OR_RETURN(ScalarType from, type(op->getOperand(0)));
  TET_ASSIGN_OR_RETURN(ScalarType to, type(op->getResult(0)));
  TET_ASSIGN_OR_RETURN(const Parts source, parts(op->getOperand(0)));
  const auto widths = partWidths(op->getResult(0).getType());
  Parts results;
  for (size_t part = 0; part < widths.size(); ++part) {
    const int width = widths[part];
    Expr expr = source[part];
    if (to.is_bool) {  // trunci: the lowest bit
      auto number = [&](int value) {
        return width == 1 ? std::to_string(value) : fmt::format("({})({})", typeName(from, width), value);
      };
      expr = {fmt::format("({} & {}) != {}", operand(expr, Prec::Shift), number(1), number(0)), Prec::Compare,
              expr.reads};
      results.push_back(finish(std::move(expr), to, width, Finish::Mask, from.bits));
      continue;
    }
    if (from.is_bool && (row->source_unsigned == (width > 1))) {
      // A mask's true is -1, a bool's is 1: take the other one.
      expr = width > 1 ? Expr{fmt::format("({} & 1)", operand(expr, Prec::Shift)), Prec::Atom, expr.reads}
                       : Expr{fmt::format("-{}", operand(expr, Prec::Atom)), Prec::Unary, expr.reads};
      from.name = "int";
    } else if (from.is_bool) {
      from.name = width > 1 ? "int" : "bool";
    } else if (row->source_unsigned) {
      expr = fillText("$u0", Prec::Unary, {expr}, from, width, true);
      from.name = from.as_unsigned;
    }
    ScalarType through = to;
    if (row->result_unsigned) through.name = to.as_unsigned;
    expr = convert(expr, from, through, width);
    if (row->result_unsigned) expr = finish(std::move(expr), to, width, Finish::Signed, from.bits);
    results.push_back(std::move(expr));
  }
  return bind(op, std::move(results));
}

Status KernelPrinter::bitcast(mlir::Operation* op) {
  TET_ASSIGN_OR_RETURN(const ScalarType from, type(op->getOperand(0)));
  TET_ASSIGN_OR_RETURN(const ScalarType to, type(op->getResult(0)));
  TET_ASSIGN_OR_RETURN(const Parts source, parts(op->getOperand(0)));
  const auto widths = partWidths(op->getResult(0).getType());
  if (source.size() != widths.size()) return declined(op, "it changes the number of lanes");
  Parts results;
  for (size_t part = 0; part < widths.size(); ++part) {
    const int width = widths[part];
    const std::string ushort_name = width == 1 ? "ushort" : fmt::format("ushort{}", width);
    std::string text = source[part].text;
    if (from.narrow != Narrow::None) text = toBits(text, from, width);
    text = to.narrow != Narrow::None ? fromBits(fmt::format("as_{}({})", ushort_name, text), to, width)
                                     : fmt::format("as_{}({})", typeName(to, width), text);
    results.push_back({std::move(text), Prec::Atom, source[part].reads});
  }
  return bind(op, std::move(results));
}

std::string KernelPrinter::fromBits(const std::string& bits, const ScalarType& type, int width) {
  const std::string name = typeName(type, width);
  if (type.narrow == Narrow::Half) {
    helpers_.add("from_half", type, width);
    return fmt::format("from_half_{}({})", name, bits);
  }
  const std::string wide =
      width == 1 ? fmt::format("(uint){}", bits) : fmt::format("convert_uint{}({})", width, bits);
  return fmt::format("as_{}({} << 16)", name, wide);
}

std::string KernelPrinter::toBits(const std::string& value, const ScalarType& type, int width) {
  if (type.narrow == Narrow::Half) {
    helpers_.add("to_half", type, width);
    return fmt::format("to_half_{}({})", typeName(type, width), value);
  }
  return width == 1 ? fmt::format("(ushort)(as_uint({}) >> 16)", value)
                    : fmt::format("convert_ushort{0}(as_uint{0}({1}) >> 16)", width, value);
}

Status KernelPrinter::constant(mlir::Operation* op) {
  const mlir::Attribute value = mlir::cast<mlir::arith::ConstantOp>(op).getValue();
  TET_ASSIGN_OR_RETURN(const ScalarType result, type(op->getResult(0)));
  auto atom = [](std::string text) {
    const Prec prec = text[0] == '-' || text[0] == '(' ? Prec::Unary : Prec::Atom;
    return Expr{std::move(text), prec};
  };
  Parts results;
  auto dense = mlir::dyn_cast<mlir::DenseElementsAttr>(value);
  if (!dense) {
    results.push_back(atom(literal(value, result, false)));
  } else {
    int64_t lane = 0;
    const auto values = dense.getValues<mlir::Attribute>();
    for (int width : partWidths(op->getResult(0).getType())) {
      std::string text = literal(values[dense.isSplat() ? 0 : lane], result, width > 1);
      for (int i = 1; !dense.isSplat() && i < width; ++i)
        text += ", " + literal(values[lane + i], result, true);
      lane += width;
      results.push_back(width == 1
                            ? atom(std::move(text))
                            : Expr{fmt::format("({})({})", typeName(result, width), text), Prec::Unary});
    }
  }
  parts_[op->getResult(0)] = std::move(results);
  return {};
}

}  // namespace tetrarch::opencl
