// Matrix products, einsum, determinants.
#include <algorithm>
#include <map>

#include "tetrarch/import/compositions.h"
#include "tetrarch/import/onnx/importer.h"
#include "tetrarch/import/onnx/op_context.h"

namespace tetrarch::onnx {
namespace {

using enum tet::ComparisonDirection;

// An integer matrix less its zero point, in i32, or as it is when it has none. A zero point of one dimension
// is one per row of a left operand, one per column of a right one.
Value centre(OpContext& n, int operand, int zero_point, bool left) {
  if (!n.has(zero_point)) return n.in(operand);
  const Value x = n.b.convert(n.in(operand), ElementType::I32);
  Value zero = n.b.convert(n.in(zero_point), ElementType::I32);
  if (countOf(zero) == 1) {
    zero = n.b.reshape(zero, {});
  } else if (left && rankOf(zero) == 1) {
    zero = n.b.expandDims(zero, {1});
  }
  return n.b.sub(x, zero);
}

}  // namespace

Status importMatMul(OpContext& n) { return n.result(n.b.matmul(n.in(0), n.in(1))); }

Status importMatMulInteger(OpContext& n) {
  return n.result(n.b.matmul(centre(n, 0, 2, true), centre(n, 1, 3, false), ElementType::I32));
}

Status importGemm(OpContext& n) {
  const Value a = n.in(0), w = n.in(1);
  if (rankOf(a) != 2 || rankOf(w) != 2) return invalidArgument("its operands are not matrices");
  const bool transpose_a = n.getInt("transA") != 0, transpose_b = n.getInt("transB") != 0;
  Value y = n.b.dotGeneral(a, w, {}, {}, {transpose_a ? 0 : 1}, {transpose_b ? 1 : 0});
  const double alpha = n.getFloat("alpha", 1), beta = n.getFloat("beta", 1);
  if (alpha != 1) y = n.b.mul(y, alpha);
  if (n.has(2)) y = n.b.add(y, beta == 1 ? n.in(2) : n.b.mul(n.in(2), beta));
  return n.result(y);
}

// Whether a and the result of a QLinearMatMul have one scale in f32 each, and b one or one a column.
static bool hasPlainScales(OpContext& n) {
  for (int i : {1, 4, 6}) {
    if (typeOf(n.in(i)) != ElementType::F32) return false;
  }
  for (int i : {1, 2, 6, 7}) {
    if (countOf(n.in(i)) != 1) return false;
  }
  const bool same_count = countOf(n.in(4)) == countOf(n.in(5));
  return same_count &&
         (countOf(n.in(4)) == 1 || (rankOf(n.in(4)) == 1 && rankOf(n.in(5)) == 1 && rankOf(n.in(3)) >= 2));
}

// Inputs: a, its scale and zero point, b, its scale and zero point, the result's scale and zero point.
Status importQLinearMatMul(OpContext& n) {
  if (hasPlainScales(n)) {
    auto scalar = [&](int i) { return n.b.reshape(n.in(i), {}); };
    auto perColumn = [&](int i) { return countOf(n.in(i)) == 1 ? scalar(i) : n.in(i); };
    const Value a = dequantize(n.b, n.in(0), scalar(1), scalar(2), 0);
    const Value b = dequantize(n.b, n.in(3), perColumn(4), perColumn(5), rankOf(n.in(3)) - 1);
    return n.result(quantize(n.b, n.b.matmul(a, b), scalar(6), scalar(7), 0));
  }
  const Value a = centre(n, 0, 2, true), w = centre(n, 3, 5, false);
  const Value product = n.b.matmul(a, w);
  const ElementType real = ElementType::F32, type = typeOf(n.in(7));
  auto scale = [&](int i, bool left) {
    const Value s = n.b.convert(n.in(i), real);
    if (countOf(s) == 1) return n.b.reshape(s, {});
    return left && rankOf(s) == 1 ? n.b.expandDims(s, {1}) : s;
  };
  const Value factor = n.b.div(n.b.mul(scale(1, true), scale(4, false)), scale(6, true));
  const Value scaled = n.b.unary("round_nearest_even", n.b.mul(n.b.convert(product, real), factor));
  Value zero = n.b.convert(n.in(7), real);
  zero = countOf(zero) == 1 ? n.b.reshape(zero, {}) : rankOf(zero) == 1 ? n.b.expandDims(zero, {1}) : zero;
  const bool is_signed = info(type).kind == ElementKind::Signed;
  return n.result(
      n.b.convert(n.b.clamp(n.b.add(scaled, zero), is_signed ? -128 : 0, is_signed ? 127 : 255), type));
}

//-- Einsum

namespace {

// One operand with a label per dimension: a letter, or a digit for a dimension of the ellipsis.
struct Term {
  Value value;
  std::string labels;
};

bool contains(const std::string& labels, char label) { return labels.find(label) != std::string::npos; }

int64_t axisOf(const Term& term, char label) { return static_cast<int64_t>(term.labels.find(label)); }

// "ij...k" for an operand of `rank`: the ellipsis becomes digits, right-aligned as broadcasting wants:
// "ij12k" of 3.
Result<std::string> expandEllipsis(std::string text, int64_t rank, int64_t ellipsis_rank) {
  std::erase(text, ' ');
  const size_t at = text.find("...");
  const int64_t covered = at == std::string::npos ? 0 : rank - (static_cast<int64_t>(text.size()) - 3);
  if (covered < 0 || covered > 9 || covered > ellipsis_rank)
    return invalidArgument("an ellipsis does not fit");
  if (at != std::string::npos) {
    std::string digits;
    for (int64_t i = ellipsis_rank - covered; i < ellipsis_rank; ++i) digits += static_cast<char>('0' + i);
    text.replace(at, 3, digits);
  }
  const bool valid =
      std::ranges::all_of(text, [](char c) { return std::isalnum(static_cast<unsigned char>(c)); });
  if (!valid || static_cast<int64_t>(text.size()) != rank) {
    return invalidArgument("the term '{}' does not fit an operand of rank {}", text, rank);
  }
  return text;
}

// A label that occurs twice in one term stands for its diagonal.
Term takeDiagonals(GraphBuilder& b, Term term) {
  for (size_t i = 0; i < term.labels.size(); ++i) {
    size_t j = term.labels.find(term.labels[i], i + 1);
    while (j != std::string::npos && b.ok()) {
      const auto shape = shapeOf(term.value);
      const int64_t first = static_cast<int64_t>(i), second = static_cast<int64_t>(j);
      const Value on =
          b.compare(EQ, b.iota(ElementType::I64, shape, first), b.iota(ElementType::I64, shape, second));
      term.value = b.sum(b.select(on, term.value, 0), {second});
      term.labels.erase(j, 1);
      j = term.labels.find(term.labels[i], i + 1);
    }
  }
  return term;
}

// Sums over the labels that nothing after wants.
Term sumUnused(GraphBuilder& b, Term term, const std::string& wanted) {
  Shape axes;
  std::string kept;
  for (size_t i = 0; i < term.labels.size(); ++i) {
    if (contains(wanted, term.labels[i])) {
      kept += term.labels[i];
    } else {
      axes.push_back(static_cast<int64_t>(i));
    }
  }
  return {b.sum(term.value, axes), kept};
}

Term product(GraphBuilder& b, Term x, Term y, const std::string& wanted) {
  // A size of 1 broadcasts: such a dimension is dropped from the operand that has it.
  auto dropOnes = [&](Term& term, const Term& other) {
    for (size_t i = term.labels.size(); i-- > 0;) {
      const char label = term.labels[i];
      if (!contains(other.labels, label) || dimOf(term.value, static_cast<int64_t>(i)) != 1) continue;
      if (dimOf(other.value, axisOf(other, label)) == 1) continue;
      term.value = b.squeeze(term.value, {static_cast<int64_t>(i)});
      term.labels.erase(i, 1);
    }
  };
  dropOnes(x, y);
  dropOnes(y, x);
  x = sumUnused(b, x, wanted + y.labels);
  y = sumUnused(b, y, wanted + x.labels);
  Shape x_batch, y_batch, x_contract, y_contract;
  std::string batch, x_free, y_free;
  for (const char label : x.labels) {
    if (!contains(y.labels, label)) {
      x_free += label;
    } else if (contains(wanted, label)) {
      batch += label;
      x_batch.push_back(axisOf(x, label));
      y_batch.push_back(axisOf(y, label));
    } else {
      x_contract.push_back(axisOf(x, label));
      y_contract.push_back(axisOf(y, label));
    }
  }
  for (const char label : y.labels) {
    if (!contains(x.labels, label)) y_free += label;
  }
  return {b.dotGeneral(x.value, y.value, x_batch, y_batch, x_contract, y_contract), batch + x_free + y_free};
}

struct Equation {
  std::vector<std::string> terms;
  std::string output;
};

std::vector<std::string> splitTerms(const std::string& text) {
  std::vector<std::string> terms;
  size_t begin = 0;
  for (size_t comma = text.find(','); comma != std::string::npos; comma = text.find(',', begin)) {
    terms.push_back(text.substr(begin, comma - begin));
    begin = comma + 1;
  }
  terms.push_back(text.substr(begin));
  return terms;
}

// Without an arrow: the ellipsis, then the labels that occur once, in alphabetical order.
std::string implicitOutput(const std::vector<std::string>& terms, int64_t ellipsis_rank) {
  std::map<char, int> occurrences;
  for (const std::string& term : terms) {
    for (const char label : term) ++occurrences[label];
  }
  std::string output;
  for (int64_t i = 0; i < ellipsis_rank; ++i) output += static_cast<char>('0' + i);
  for (const auto& [label, count] : occurrences) {
    if (count == 1 && std::isalpha(static_cast<unsigned char>(label))) output += label;
  }
  return output;
}

Result<Equation> readEquation(OpContext& n) {
  std::string text = n.getString("equation");
  std::erase(text, ' ');
  const size_t arrow = text.find("->");
  Equation equation;
  std::vector<std::string> terms = splitTerms(text.substr(0, arrow));
  if (static_cast<int>(terms.size()) != n.inputCount())
    return invalidArgument("'{}' does not fit the operands", text);
  int64_t ellipsis = 0;
  for (size_t i = 0; i < terms.size(); ++i) {
    if (contains(terms[i], '.')) {
      ellipsis =
          std::max(ellipsis, rankOf(n.in(static_cast<int>(i))) - static_cast<int64_t>(terms[i].size()) + 3);
    }
  }
  for (size_t i = 0; i < terms.size(); ++i) {
    TET_ASSIGN_OR_RETURN(std::string labels,
                         expandEllipsis(terms[i], rankOf(n.in(static_cast<int>(i))), ellipsis));
    equation.terms.push_back(std::move(labels));
  }
  if (arrow == std::string::npos) {
    equation.output = implicitOutput(equation.terms, ellipsis);
    return equation;
  }
  const std::string output = text.substr(arrow + 2);
  const bool dots = contains(output, '.');
  const int64_t rank = static_cast<int64_t>(output.size()) + (dots ? ellipsis - 3 : 0);
  TET_ASSIGN_OR_RETURN(equation.output, expandEllipsis(output, rank, ellipsis));
  return equation;
}

}  // namespace

Status importEinsum(OpContext& n) {
  TET_ASSIGN_OR_RETURN(const Equation equation, readEquation(n));
  Term result;
  for (size_t i = 0; i < equation.terms.size(); ++i) {
    const Term term = takeDiagonals(n.b, {n.in(static_cast<int>(i)), equation.terms[i]});
    std::string wanted = equation.output;
    for (size_t later = i + 1; later < equation.terms.size(); ++later) wanted += equation.terms[later];
    result = i == 0 ? sumUnused(n.b, term, wanted) : product(n.b, result, term, wanted);
    TET_RETURN_IF_ERROR(n.b.status());
  }
  result = sumUnused(n.b, result, equation.output);
  Shape order;
  for (const char label : equation.output) {
    if (!contains(result.labels, label)) return invalidArgument("no operand has output label '{}'", label);
    order.push_back(axisOf(result, label));
  }
  return n.result(n.b.transpose(result.value, order));
}

namespace {

constexpr int64_t kLargestDeterminant = 64;  // rows; each is a step of elimination in the graph

// Row `row` [n, size] of matrices [n, size, size], chosen by a flag per row: [n, size].
Value pickRow(GraphBuilder& b, Value matrices, Value is_row) {
  const Value flags = b.broadcastInDim(is_row, shapeOf(matrices), {0, 1});
  return b.sum(b.select(flags, matrices, 0), {1});
}

// Elimination below row `step` after the row with the largest pivot was swapped there. `determinant` [n]
// takes the pivot, and the sign of the swap.
Value eliminate(GraphBuilder& b, Value a, int64_t step, Value& determinant) {
  const int64_t size = dimOf(a, 1);
  const Shape rows = {dimOf(a, 0), size};
  const Value row = b.iota(ElementType::I64, rows, 1);
  const Value column = b.squeeze(b.sliceAxis(a, 2, step, step + 1), {2});
  const Value candidates = b.select(b.compare(GE, row, static_cast<double>(step)), b.abs(column), -1);
  const Value largest = b.reduce(tet::ReductionKind::Maximum, candidates, {1}, true);
  const Value found = b.select(b.compare(EQ, candidates, largest), row, static_cast<double>(size));
  const Value pivot_row = b.reduce(tet::ReductionKind::Minimum, found, {1}, true);  // [n, 1]
  const Value is_pivot = b.compare(EQ, row, b.broadcastTo(pivot_row, rows));
  const Value is_step = b.compare(EQ, row, static_cast<double>(step));
  const Value chosen = pickRow(b, a, is_pivot), displaced = pickRow(b, a, is_step);
  auto replace = [&](Value where, Value by, Value in) {
    return b.select(b.broadcastInDim(where, shapeOf(in), {0, 1}), b.broadcastInDim(by, shapeOf(in), {0, 2}),
                    in);
  };
  a = replace(is_step, chosen, replace(is_pivot, displaced, a));
  const Value pivot = b.squeeze(b.sliceAxis(chosen, 1, step, step + 1), {1});
  const Value stays = b.compare(EQ, b.squeeze(pivot_row, {1}), static_cast<double>(step));
  determinant = b.mul(determinant, b.select(stays, pivot, b.neg(pivot)));
  // A pivot of 0 means that the whole column is 0 already.
  const Value divisor = b.select(b.compare(EQ, pivot, 0), b.like(pivot, 1), pivot);
  const Value below = b.compare(GT, row, static_cast<double>(step));
  const Value lead = b.squeeze(b.sliceAxis(a, 2, step, step + 1), {2});
  const Value factor = b.select(below, b.div(lead, b.broadcastInDim(divisor, rows, {0})), 0);
  return b.sub(a, b.mul(b.expandDims(factor, {2}), b.expandDims(chosen, {1})));
}

}  // namespace

// By Gaussian elimination with partial pivoting, unrolled over the rows.
Status importDet(OpContext& n) {
  GraphBuilder& b = n.b;
  const Value x = n.in(0);
  const int64_t rank = rankOf(x), size = dimOf(x, rank - 1);
  if (rank < 2 || dimOf(x, rank - 2) != size || !isFloat(x))
    return invalidArgument("{} is no square matrix", toString(typeOf(x), shapeOf(x)));
  if (size > kLargestDeterminant) return n.decline("a matrix of {} rows", size);
  const Shape batch(shapeOf(x).drop_back(2));
  TET_ASSIGN_OR_RETURN(const int64_t count, elementCount(batch));
  const ElementType wide = byteSize(typeOf(x)) < 4 ? ElementType::F32 : typeOf(x);
  Value a = b.convert(b.reshape(x, {count, size, size}), wide);
  Value determinant = b.full(wide, {count}, 1);
  for (int64_t step = 0; step < size && b.ok(); ++step) a = eliminate(b, a, step, determinant);
  return n.result(b.convert(b.reshape(determinant, batch), typeOf(x)));
}

}  // namespace tetrarch::onnx
