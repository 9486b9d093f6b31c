#include "tetrarch/compile/rewrite/recognise.h"

#include <cmath>
#include <map>

#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringSwitch.h"
#include "tetrarch/compile/composite_tag.h"
#include "tetrarch/compile/rewrite/formula.h"
#include "tetrarch/compile/rewrite/rules.h"

namespace tetrarch::compile {
namespace {

using mlir::Operation;
using Kind = Formula::Kind;

// `formula` with the names that `where` defines. Calls are elementwise ops; `sum`, `max` and `mean` reduce
// the trailing dimensions and are spread over them again. The first row that fits counts.
struct Spelling {
  const char* composition;
  const char* formula;
  std::initializer_list<std::pair<const char*, const char*>> where = {};
};
const Spelling kSpellings[] = {
    {"gelu", "0.5 * x * (1 + erf(0.70710678 * x))"},
    {"gelu", "0.5 * x * (1 + tanh(0.79788456 * (x + 0.044715 * x * x * x)))"},
    {"gelu", "0.5 * x * (1 + tanh(0.79788456 * x * (1 + 0.044715 * x * x)))"},
    {"swish", "x * logistic(? * x)"},
    {"softmax", "e / sum(e)", {{"e", "exp(x - max(x))"}}},
    {"softmax", "e / sum(e)", {{"e", "exp(x)"}}},
    {"log_softmax", "d - log(sum(exp(d)))", {{"d", "x - max(x)"}}},
    {"layer_norm", "d / sqrt(mean(d * d) + ?)", {{"d", "x - mean(x)"}}},
    {"layer_norm", "x * a + b - mean(x) * a", {{"a", "scale / sqrt(mean(d * d) + ?)"}, {"d", "x - mean(x)"}}},
    {"rms_norm", "x / sqrt(mean(x * x) + ?)"},
};

constexpr double kTolerance = 1e-3;  // of numbers: exporters round them, f16 does more
constexpr size_t kMostOperands = 6;  // of a sum or product in the table, and some

llvm::StringRef opOf(llvm::StringRef call) {
  return llvm::StringSwitch<llvm::StringRef>(call)
      .Case("erf", tet::ErfOp::getOperationName())
      .Case("exp", tet::ExponentialOp::getOperationName())
      .Case("log", tet::LogOp::getOperationName())
      .Case("logistic", tet::LogisticOp::getOperationName())
      .Case("sqrt", tet::SqrtOp::getOperationName())
      .Case("tanh", tet::TanhOp::getOperationName());
}

// What was found on the way through a formula.
struct Found {
  std::map<std::string, Value> names;
  llvm::SmallVector<Operation*> ops;
};

// A value as a sum or product of others: what a Formula of that kind is compared with.
struct Operands {
  double number;
  llvm::SmallVector<Value> parts, inverse;
};

// The value that a broadcast repeats along trailing dimensions.
Value withoutSpread(Value value, Found& found) {
  auto spread = value.getDefiningOp<tet::BroadcastInDimOp>();
  if (!spread) return value;
  const auto from = shapeOfValue(spread.getOperand());
  for (auto [i, dim] : llvm::enumerate(spread.getBroadcastDimensions())) {
    if (dim != static_cast<int64_t>(i) || shapeOfValue(value)[i] != from[i]) return value;
  }
  found.ops.push_back(spread);
  return spread.getOperand();
}

// Takes a value apart, ops in between only where nothing else reads them.
class Opening {
 public:
  Opening(Kind kind, Found& found)
      : is_sum_(kind == Kind::Sum), found_(found), operands_{is_sum_ ? 0.0 : 1.0, {}, {}} {}

  Operands open(Value value) {
    open(value, false, true);
    return std::move(operands_);
  }

 private:
  void open(Value value, bool inverse, bool is_first) {
    if (auto number = splatNumber(value)) return addNumber(*number, inverse);
    const bool inner = is_first || value.hasOneUse();
    value = withoutSpread(value, found_);
    Operation* op = value.getDefiningOp();
    const bool is_full = operands_.parts.size() + operands_.inverse.size() > kMostOperands;
    if (op && !is_full && (is_first || (inner && value.hasOneUse())) && openOp(op, inverse)) {
      found_.ops.push_back(op);
    } else if (llvm::isa_and_present<tet::RsqrtOp>(op) && !is_sum_) {
      add(value, !inverse);  // which call() takes for a square root
    } else {
      add(value, inverse);
    }
  }

  bool openOp(Operation* op, bool inverse) {
    if (is_sum_ ? llvm::isa<tet::AddOp>(op) : llvm::isa<tet::MultiplyOp>(op))
      return openBoth(op, inverse, inverse);
    if (is_sum_ ? llvm::isa<tet::SubtractOp>(op) : llvm::isa<tet::DivideOp>(op))
      return openBoth(op, inverse, !inverse);
    if (!llvm::isa<tet::NegateOp>(op)) return false;
    if (!is_sum_) operands_.number = -operands_.number;
    open(op->getOperand(0), inverse != is_sum_, false);
    return true;
  }
  bool openBoth(Operation* op, bool first, bool second) {
    open(op->getOperand(0), first, false);
    open(op->getOperand(1), second, false);
    return true;
  }

  void add(Value value, bool inverse) { (inverse ? operands_.inverse : operands_.parts).push_back(value); }
  void addNumber(double number, bool inverse) {
    if (is_sum_) {
      operands_.number += inverse ? -number : number;
    } else {
      operands_.number *= inverse ? 1 / number : number;
    }
  }

  bool is_sum_;
  Found& found_;
  Operands operands_;
};

bool isNear(double number, double expected) {
  return std::abs(number - expected) <= kTolerance * std::abs(expected);
}

// Compares values with one row of the table.
class Matcher {
 public:
  explicit Matcher(const Spelling& row) : formula_(parseFormula(row.formula)) {
    for (auto [name, text] : row.where) where_.emplace(name, parseFormula(text));
  }

  // The ops of the composition that ends in `root`; none where it is another one.
  llvm::SmallVector<Operation*> match(Operation* root) const {
    const bool may_be = formula_.kind == Kind::Sum ? llvm::isa<tet::AddOp, tet::SubtractOp>(root)
                                                   : llvm::isa<tet::MultiplyOp, tet::DivideOp>(root);
    Found found;
    if (!may_be || !match(formula_, root->getResult(0), found)) return {};
    return std::move(found.ops);
  }

 private:
  bool match(const Formula& formula, Value value, Found& found) const {
    switch (formula.kind) {
      case Kind::Name:
        return matchName(formula, withoutSpread(value, found), found);
      case Kind::Call:
        return matchCall(formula, withoutSpread(value, found), found);
      default:
        break;
    }
    const Operands operands = Opening(formula.kind, found).open(value);
    return (formula.any_number || isNear(operands.number, formula.number)) &&
           matchAll(formula.parts, operands.parts, found) &&
           matchAll(formula.inverse, operands.inverse, found);
  }

  // A name stands for the same value wherever it stands.
  bool matchName(const Formula& formula, Value value, Found& found) const {
    const auto [known, is_new] = found.names.try_emplace(formula.name, value);
    if (!is_new) return known->second == value;
    const auto definition = where_.find(formula.name);
    return definition == where_.end() || match(definition->second, value, found);
  }

  bool matchCall(const Formula& formula, Value value, Found& found) const {
    if (formula.name == "mean") return matchMean(formula, value, found);
    Operation* op = value.getDefiningOp();
    if (!op) return false;
    if (auto reduce = llvm::dyn_cast<tet::ReduceOp>(op)) return matchReduce(formula, reduce, found);
    const bool is_root = formula.name == "sqrt" && llvm::isa<tet::RsqrtOp>(op);
    if (!is_root && op->getName().getStringRef() != opOf(formula.name)) return false;
    found.ops.push_back(op);
    return match(formula.parts.front(), op->getOperand(0), found);
  }

  bool matchReduce(const Formula& formula, tet::ReduceOp op, Found& found) const {
    using tet::ReductionKind;
    const ReductionKind kind = formula.name == "max" ? ReductionKind::Maximum : ReductionKind::Add;
    const bool is_reduction = formula.name == "max" || formula.name == "sum";
    const int64_t kept = tensorType(op.getResult()).getRank();
    if (!is_reduction || op.getKind() != kind ||
        llvm::any_of(op.getDimensions(), [&](int64_t dim) { return dim < kept; }))
      return false;
    found.ops.push_back(op);
    return match(formula.parts.front(), op.getOperand(), found);
  }

  // A sum times one over how many were summed.
  bool matchMean(const Formula& formula, Value value, Found& found) const {
    const Operands operands = Opening(Kind::Product, found).open(value);
    if (operands.parts.size() != 1 || !operands.inverse.empty()) return false;
    auto sum = withoutSpread(operands.parts.front(), found).getDefiningOp<tet::ReduceOp>();
    if (!sum) return false;
    const double count = static_cast<double>(tensorType(sum.getOperand()).getNumElements()) /
                         static_cast<double>(tensorType(sum.getResult()).getNumElements());
    const Formula as_sum{.kind = Kind::Call, .name = "sum", .parts = formula.parts};
    return isNear(operands.number, 1 / count) && matchReduce(as_sum, sum, found);
  }

  // Each formula has its own value, in whatever order.
  bool matchAll(llvm::ArrayRef<Formula> formulas, llvm::ArrayRef<Value> values, Found& found) const {
    if (formulas.size() != values.size()) return false;
    if (formulas.empty()) return true;
    for (size_t i = 0; i < values.size(); ++i) {
      Found attempt = found;
      llvm::SmallVector<Value> others(values);
      others.erase(others.begin() + i);
      if (!match(formulas.front(), values[i], attempt)) continue;
      if (!matchAll(formulas.drop_front(), others, attempt)) continue;
      found = std::move(attempt);
      return true;
    }
    return false;
  }

  Formula formula_;
  std::map<std::string, Formula> where_;
};

bool isFloatOp(Operation* op) {
  return op->getNumResults() == 1 &&
         llvm::isa<mlir::FloatType>(tensorType(op->getResult(0)).getElementType());
}

}  // namespace

void recogniseCompositions(mlir::ModuleOp module, int64_t number) {
  std::vector<std::pair<const char*, Matcher>> rows;
  for (const Spelling& row : kSpellings) rows.emplace_back(row.composition, Matcher(row));
  mlir::Builder builder(module.getContext());
  module.walk([&](Operation* op) {
    const bool may_be = llvm::isa<tet::AddOp, tet::SubtractOp, tet::MultiplyOp, tet::DivideOp>(op);
    if (!may_be || !isFloatOp(op) || !tagsOf(op->getLoc()).empty()) return;
    for (const auto& [name, matcher] : rows) {
      const auto ops = matcher.match(op);
      if (ops.empty()) continue;
      const CompositeTag tag{builder.getStringAttr(name), builder.getI64IntegerAttr(number++)};
      for (Operation* part : ops) part->setLoc(withTag(part->getLoc(), tag));
      return;
    }
  });
}

}  // namespace tetrarch::compile
