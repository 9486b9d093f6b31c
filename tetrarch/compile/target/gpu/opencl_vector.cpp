// vector ops that move lanes. A value is a list of parts (rows cut into OpenCL vectors); ops that keep whole
// parts move those, and the others go lane by lane.
#include <fmt/format.h>

#include <numeric>

#include "llvm/ADT/TypeSwitch.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "tetrarch/compile/target/gpu/mlir_text.h"
#include "tetrarch/compile/target/gpu/opencl_printer_impl.h"

namespace tetrarch::opencl {
namespace {

namespace vector = mlir::vector;

int64_t rowParts(mlir::Type type) {
  auto vector_type = mlir::dyn_cast<mlir::VectorType>(type);
  if (!vector_type || vector_type.getRank() == 0) return 1;
  const int64_t rows = vector_type.getNumElements() / vector_type.getShape().back();
  return static_cast<int64_t>(partWidths(type).size()) / rows;
}

// Number of the element at `position` (a prefix of the dimensions) among the sub-vectors that the prefix
// selects.
int64_t flatten(llvm::ArrayRef<int64_t> position, llvm::ArrayRef<int64_t> shape) {
  int64_t flat = 0;
  for (size_t i = 0; i < position.size(); ++i) flat = flat * shape[i] + position[i];
  return flat;
}

// The parts [first, first + count) that `position` selects, when it selects whole rows.
struct PartRange {
  size_t first, count;
};
PartRange partsAt(mlir::VectorType type, llvm::ArrayRef<int64_t> position) {
  const auto inner = type.getShape().drop_front(position.size()).drop_back();
  const int64_t rows = std::accumulate(inner.begin(), inner.end(), int64_t{1}, std::multiplies<>());
  const int64_t count = rows * rowParts(type);
  return {static_cast<size_t>(flatten(position, type.getShape()) * count), static_cast<size_t>(count)};
}

std::string laneName(int lane) { return fmt::format(".s{:x}", lane); }

// How vector.reduction combines two halves; empty for kinds without a row.
std::string_view combine(vector::CombiningKind kind) {
  switch (kind) {
    case vector::CombiningKind::ADD:
      return "$0 + $1";
    case vector::CombiningKind::MUL:
      return "$0 * $1";
    case vector::CombiningKind::MAXNUMF:
      return "fmax($0, $1)";
    case vector::CombiningKind::MINNUMF:
      return "fmin($0, $1)";
    case vector::CombiningKind::MAXIMUMF:
      return "maximum_$T($0, $1)";
    case vector::CombiningKind::MINIMUMF:
      return "minimum_$T($0, $1)";
    case vector::CombiningKind::MAXSI:
      return "max($0, $1)";
    case vector::CombiningKind::MINSI:
      return "min($0, $1)";
    case vector::CombiningKind::MAXUI:
      return "max($u0, $u1)";
    case vector::CombiningKind::MINUI:
      return "min($u0, $u1)";
    case vector::CombiningKind::AND:
      return "($0) & ($1)";
    case vector::CombiningKind::OR:
      return "($0) | ($1)";
    case vector::CombiningKind::XOR:
      return "($0) ^ ($1)";
    default:
      return "";
  }
}

}  // namespace

Result<std::vector<Expr>> KernelPrinter::lanes(mlir::Value value) {
  TET_ASSIGN_OR_RETURN(const Parts from, parts(value));
  std::vector<Expr> result;
  for (auto [width, part] : llvm::zip_equal(partWidths(value.getType()), from)) {
    for (int lane = 0; lane < width; ++lane) {
      result.push_back(width == 1 ? part
                                  : Expr{operand(part, Prec::Atom) + laneName(lane), Prec::Atom, part.reads});
    }
  }
  return result;
}

Status KernelPrinter::fromLanes(mlir::Operation* op, const std::vector<Expr>& lanes) {
  TET_ASSIGN_OR_RETURN(const ScalarType element, type(op->getResult(0)));
  Parts results;
  size_t lane = 0;
  for (int width : partWidths(op->getResult(0).getType())) {
    Expr part = lanes[lane];
    if (width > 1) {
      for (int i = 1; i < width; ++i) {
        part.text += ", " + lanes[lane + i].text;
        mergeReads(part, lanes[lane + i]);
      }
      part.text = fmt::format("({})({})", typeName(element, width), part.text);
      part.prec = Prec::Unary;
    }
    lane += width;
    results.push_back(std::move(part));
  }
  return bind(op, std::move(results));
}

Status KernelPrinter::broadcast(mlir::Operation* op) {
  auto to = mlir::cast<mlir::VectorType>(op->getResult(0).getType());
  auto from = mlir::dyn_cast<mlir::VectorType>(op->getOperand(0).getType());
  TET_ASSIGN_OR_RETURN(const ScalarType element, type(op->getOperand(0)));
  TET_ASSIGN_OR_RETURN(const Parts source, parts(op->getOperand(0)));
  Parts results;
  const auto widths = partWidths(to);
  if (!from || from.getNumElements() == 1) {
    // A bool that fills a mask becomes 0 or -1.
    const std::string value =
        element.is_bool && !from ? fmt::format("-(int)({})", source[0].text) : source[0].text;
    for (int width : widths) {
      results.push_back(width == 1 ? source[0]
                                   : Expr{fmt::format("({})({})", typeName(element, width), value),
                                          Prec::Unary, source[0].reads});
    }
    return bind(op, std::move(results));
  }
  if (to.getShape().take_back(from.getRank()) != from.getShape())
    return declined(op, "it stretches inner dimensions");
  for (size_t part = 0; part < widths.size(); ++part) results.push_back(source[part % source.size()]);
  return bind(op, std::move(results));
}

Status KernelPrinter::outerProduct(mlir::Operation* op) {
  auto product = mlir::cast<vector::OuterProductOp>(op);
  if (product.getKind() != vector::CombiningKind::ADD)
    return declined(op, "only sums of products have a spelling");
  TET_ASSIGN_OR_RETURN(const ScalarType element, type(product.getLhs()));
  TET_ASSIGN_OR_RETURN(const std::vector<Expr> left, lanes(product.getLhs()));
  TET_ASSIGN_OR_RETURN(Parts right, parts(product.getRhs()));
  if (!element.is_float) return declined(op, "only floats are multiplied so");
  const bool one_row = !mlir::isa<mlir::VectorType>(product.getRhs().getType());
  if (one_row) return declined(op, "a vector times a scalar should be a plain multiplication");
  const auto widths = partWidths(product.getRhs().getType());
  Parts sums;
  if (product.getAcc()) {
    TET_ASSIGN_OR_RETURN(sums, parts(product.getAcc()));
  }
  Parts results;
  for (size_t row = 0; row < left.size(); ++row) {
    for (size_t part = 0; part < right.size(); ++part) {
      const std::string wide = widths[part] == 1
                                   ? left[row].text
                                   : fmt::format("({})({})", typeName(element, widths[part]), left[row].text);
      Expr result{.text = wide + " * " + operand(right[part], Prec::Unary),
                  .prec = Prec::Mul,
                  .reads = left[row].reads};
      mergeReads(result, right[part]);
      if (!sums.empty()) {
        const Expr& sum = sums[row * right.size() + part];
        mergeReads(result, sum);
        result.text = fmt::format("fma({}, {}, {})", wide, right[part].text, sum.text);
        result.prec = Prec::Atom;
      }
      results.push_back(finish(std::move(result), element, widths[part], Finish::Rounded, element.bits));
    }
  }
  return bind(op, std::move(results));
}

Status KernelPrinter::extract(mlir::Operation* op) {
  auto extract = mlir::cast<vector::ExtractOp>(op);
  if (!extract.getDynamicPosition().empty()) return declined(op, "its position is not constant");
  auto from = extract.getSourceVectorType();
  const auto position = extract.getStaticPosition();
  if (static_cast<int64_t>(position.size()) == from.getRank()) {
    TET_ASSIGN_OR_RETURN(const std::vector<Expr> all, lanes(extract.getSource()));
    Expr lane = all[flatten(position, from.getShape())];
    if (from.getElementType().isInteger(1) && from.getShape().back() > 1)
      lane = {"(" + lane.text + " != 0)", Prec::Atom, lane.reads};
    return bind(op, {lane});
  }
  TET_ASSIGN_OR_RETURN(const Parts source, parts(extract.getSource()));
  const PartRange range = partsAt(from, position);
  return bind(op, Parts(llvm::ArrayRef(source).slice(range.first, range.count)));
}

Status KernelPrinter::insert(mlir::Operation* op) {
  auto insert = mlir::cast<vector::InsertOp>(op);
  if (!insert.getDynamicPosition().empty()) return declined(op, "its position is not constant");
  auto to = insert.getDestVectorType();
  const auto position = insert.getStaticPosition();
  TET_ASSIGN_OR_RETURN(const Parts value, parts(insert.getValueToStore()));
  if (static_cast<int64_t>(position.size()) == to.getRank()) {
    TET_ASSIGN_OR_RETURN(std::vector<Expr> all, lanes(insert.getDest()));
    all[flatten(position, to.getShape())] = value[0];
    return fromLanes(op, all);
  }
  TET_ASSIGN_OR_RETURN(Parts all, parts(insert.getDest()));
  const PartRange range = partsAt(to, position);
  std::copy(value.begin(), value.end(), all.begin() + range.first);
  return bind(op, std::move(all));
}

Status KernelPrinter::reduction(mlir::Operation* op) {
  auto reduction = mlir::cast<vector::ReductionOp>(op);
  const std::string_view text = combine(reduction.getKind());
  if (text.empty()) return declined(op, "its kind has no row");
  TET_ASSIGN_OR_RETURN(const ScalarType element, type(reduction.getVector()));
  TET_ASSIGN_OR_RETURN(const Parts source, parts(reduction.getVector()));
  auto join = [&](const Expr& a, const Expr& b, int width) {
    for (std::string_view helper : {"maximum", "minimum"}) {
      if (text.starts_with(helper)) helpers_.add(helper, element, width);
    }
    const Prec prec = text.ends_with("+ $1")   ? Prec::Add
                      : text.ends_with("* $1") ? Prec::Mul
                      : text.starts_with("(")  ? Prec::Or
                                               : Prec::Atom;
    const bool as_unsigned = text.find("$u") != std::string_view::npos;
    return finish(fillText(text, prec, {a, b}, element, width, as_unsigned), element, width,
                  as_unsigned ? Finish::Signed : Finish::Rounded, element.bits);
  };
  const std::string named = name(reduction.getResult(), "sum");
  Expr total;
  for (auto [width, part] : llvm::zip_equal(partWidths(reduction.getVector().getType()), source)) {
    Expr folded = part;
    for (int w = width; w > 1; w /= 2) {  // halves, so that lanes are combined as a tree
      if (folded.prec != Prec::Atom || folded.text.find('(') != std::string::npos) {
        const std::string half = unique(named);
        line(fmt::format("const {} {} = {};", typeName(element, w), half, folded.text));
        folded = {half};
      }
      folded = join({folded.text + ".lo"}, {folded.text + ".hi"}, w / 2);
      folded.text = folded.prec == Prec::Atom ? folded.text : "(" + folded.text + ")";
    }
    total = total.text.empty() ? folded : join(total, folded, 1);
  }
  if (reduction.getAcc()) {
    TET_ASSIGN_OR_RETURN(const Expr acc, scalar(reduction.getAcc()));
    total = join(acc, total, 1);
  }
  return bind(op, {total}, false);
}

Status KernelPrinter::vectors(mlir::Operation* op, bool& known) {
  auto permuted = [&](mlir::Value source,
                      auto from) -> Status {  // lane i of the result is lane from(i) of the source
    TET_ASSIGN_OR_RETURN(const std::vector<Expr> all, lanes(source));
    std::vector<Expr> picked;
    const int64_t count = mlir::cast<mlir::VectorType>(op->getResult(0).getType()).getNumElements();
    for (int64_t i = 0; i < count; ++i) picked.push_back(all[from(i)]);
    return fromLanes(op, picked);
  };
  return llvm::TypeSwitch<mlir::Operation*, Status>(op)
      .Case([&](vector::BroadcastOp) { return broadcast(op); })
      .Case([&](vector::OuterProductOp) { return outerProduct(op); })
      .Case([&](vector::ExtractOp) { return extract(op); })
      .Case([&](vector::InsertOp) { return insert(op); })
      .Case([&](vector::ReductionOp) { return reduction(op); })
      .Case([&](vector::ShapeCastOp cast) -> Status {
        TET_ASSIGN_OR_RETURN(const Parts source, parts(cast.getSource()));
        if (partWidths(cast.getSource().getType()) == partWidths(cast.getType())) return bind(op, source);
        return permuted(cast.getSource(), [](int64_t i) { return i; });
      })
      .Case([&](vector::ExtractStridedSliceOp slice) -> Status {
        if (slice.getSourceVectorType().getRank() != 1)
          return declined(op, "only rank-1 slices have a spelling");
        const int64_t first = mlir::cast<mlir::IntegerAttr>(slice.getOffsets()[0]).getInt();
        return permuted(slice.getSource(), [first](int64_t i) { return first + i; });
      })
      .Case([&](vector::ShuffleOp shuffle) -> Status {
        TET_ASSIGN_OR_RETURN(std::vector<Expr> all, lanes(shuffle.getV1()));
        TET_ASSIGN_OR_RETURN(std::vector<Expr> second, lanes(shuffle.getV2()));
        all.insert(all.end(), second.begin(), second.end());
        std::vector<Expr> picked;
        for (int64_t from : shuffle.getMask()) picked.push_back(all[std::max<int64_t>(from, 0)]);
        return fromLanes(op, picked);
      })
      .Case([&](vector::FromElementsOp elements) -> Status {
        std::vector<Expr> all;
        for (mlir::Value element : elements.getElements()) {
          TET_ASSIGN_OR_RETURN(Expr lane, scalar(element));
          all.push_back(std::move(lane));
        }
        return fromLanes(op, all);
      })
      .Case([&](vector::StepOp step) -> Status {
        std::vector<Expr> all;
        for (int64_t i = 0; i < step.getType().getNumElements(); ++i) all.push_back({std::to_string(i)});
        return fromLanes(op, all);
      })
      .Default([&](mlir::Operation*) -> Status {
        known = false;
        return {};
      });
}

}  // namespace tetrarch::opencl
