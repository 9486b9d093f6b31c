#include "tetrarch/compile/quantize/calibrate.h"

#include <algorithm>
#include <cmath>

#include "llvm/ADT/MapVector.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "tetrarch/compile/quantize/annotate.h"
#include "tetrarch/compile/quantize/integer.h"
#include "tetrarch/graph/interpreter.h"

namespace tetrarch::compile {
namespace {

using mlir::Operation;

constexpr int64_t kKept = 1 << 15;  // numbers of a value that are looked at, over all samples

// What is seen of one value.
class Observer {
 public:
  void see(const Tensor& tensor, int64_t keep) {
    const float* numbers = tensor.as<float>();
    const int64_t step = std::max<int64_t>(1, tensor.count() / std::max<int64_t>(keep, 1));
    for (int64_t i = 0; i < tensor.count(); ++i) {
      if (!std::isfinite(numbers[i])) finite_ = false;
      low_ = std::min(low_, numbers[i]);
      high_ = std::max(high_, numbers[i]);
      if (i % step == 0) kept_.push_back(numbers[i]);
    }
  }

  // The range with the least square error among the whole one and narrower ones; none of what is not finite.
  std::optional<std::pair<double, double>> best() {
    if (!finite_ || kept_.empty()) return std::nullopt;
    std::pair<double, double> best{std::min(low_, 0.0F), std::max(high_, 0.0F)};
    double least = squareError(best.first, best.second);
    auto consider = [&](double low, double high) {
      const double error = squareError(low, high);
      if (error < least) least = error, best = {low, high};
    };
    const auto [low, high] = best;
    for (double part = 0.95; part > 0.25; part -= 0.05) consider(low * part, high * part);
    std::sort(kept_.begin(), kept_.end());
    for (double tail : {1e-4, 1e-3, 1e-2}) {
      const auto cut = static_cast<size_t>(tail * static_cast<double>(kept_.size()));
      consider(std::min(kept_[cut], 0.0F), std::max(kept_[kept_.size() - 1 - cut], 0.0F));
    }
    return best;
  }

 private:
  double squareError(double low, double high) const {
    const Affine affine = affineFor(low, high, false);
    double sum = 0;
    for (float number : kept_) {
      const double level = std::nearbyint(number / affine.scale) + static_cast<double>(affine.zero_point);
      const double seen =
          (std::clamp(level, -128.0, 127.0) - static_cast<double>(affine.zero_point)) * affine.scale;
      sum += (seen - number) * (seen - number);
    }
    return sum;
  }

  bool finite_ = true;
  float low_ = INFINITY, high_ = -INFINITY;
  std::vector<float> kept_;
};

mlir::func::FuncOp mainOf(mlir::ModuleOp module) { return module.lookupSymbol<mlir::func::FuncOp>("main"); }

struct Difference {
  double squares = 0, reference_squares = 0, largest = 0;

  void add(double difference, double reference) {
    squares += difference * difference;
    reference_squares += reference * reference;
    largest = std::max(largest, std::fabs(difference));
  }
  QuantisationError error() const {
    return {reference_squares > 0 ? std::sqrt(squares / reference_squares) : std::sqrt(squares), largest};
  }
};

// A value of the quantised graph that stands for one of the reference.
struct Pair {
  mlir::Value value;
  std::string name;
  int64_t reference;
  Affine affine;
};

std::vector<Pair> pairsOf(mlir::func::FuncOp main) {
  std::vector<Pair> pairs;
  main.walk([&](Operation* op) {
    auto about = op->getAttrOfType<mlir::DictionaryAttr>(kStandsFor);
    if (!about) return;
    const double scale = about.getAs<mlir::FloatAttr>("scale").getValueAsDouble();
    const int64_t zero_point = about.getAs<mlir::IntegerAttr>("zero_point").getInt();
    pairs.push_back({op->getResult(0),
                     about.getAs<mlir::StringAttr>("name").str(),
                     about.getAs<mlir::IntegerAttr>("reference").getInt(),
                     {scale, zero_point}});
  });
  return pairs;
}

void compare(const Tensor& value, const Affine& affine, const Tensor& reference, Difference& difference) {
  for (int64_t i = 0; i < value.count(); ++i) {
    const double number = (value.getDouble(i) - static_cast<double>(affine.zero_point)) * affine.scale;
    const double expected = reference.getDouble(i);
    if (std::isfinite(expected)) difference.add(number - expected, expected);
  }
}

}  // namespace

Status observeRanges(mlir::ModuleOp module, const Calibration& calibration) {
  mlir::func::FuncOp main = mainOf(module);
  llvm::MapVector<mlir::Value, Observer> observers;
  const int64_t keep = kKept / static_cast<int64_t>(std::max<size_t>(calibration.samples.size(), 1));
  auto observe = [&](mlir::Value value, const Tensor& tensor) {
    Operation* op = value.getDefiningOp();
    const bool is_constant = op && op->hasTrait<mlir::OpTrait::ConstantLike>();
    if (tensor.type() == ElementType::F32 && !is_constant) observers[value].see(tensor, keep);
  };
  for (const std::vector<Tensor>& sample : calibration.samples) {
    TET_RETURN_IF_ERROR(tet::interpret(main, sample, observe));
  }
  for (auto& [value, observer] : observers) {
    if (auto range = observer.best()) setRange(value, range->first, range->second);
  }
  return {};
}

void numberReferences(mlir::ModuleOp module) {
  int64_t number = 0;
  mlir::Builder b(module.getContext());
  for (Operation& op : mainOf(module).front().without_terminator()) {
    op.setAttr(kReference, b.getI64IntegerAttr(number++));
  }
}

Status measureErrors(mlir::ModuleOp reference, mlir::ModuleOp quantised, Calibration& calibration) {
  mlir::func::FuncOp main = mainOf(quantised);
  const std::vector<Pair> pairs = pairsOf(main);
  std::map<int64_t, Tensor> expected;
  for (const Pair& pair : pairs) expected[pair.reference] = Tensor();
  llvm::DenseMap<mlir::Value, const Pair*> pair_of;
  for (const Pair& pair : pairs) pair_of[pair.value] = &pair;
  std::map<std::string, Difference> differences;
  auto remember = [&](mlir::Value value, const Tensor& tensor) {
    auto number =
        value.getDefiningOp() ? value.getDefiningOp()->getAttrOfType<mlir::IntegerAttr>(kReference) : nullptr;
    auto wanted = number ? expected.find(number.getInt()) : expected.end();
    if (wanted != expected.end()) wanted->second = tensor;
  };
  auto check = [&](mlir::Value value, const Tensor& tensor) {
    if (const Pair* pair = pair_of.lookup(value)) {
      compare(tensor, pair->affine, expected[pair->reference], differences[pair->name]);
    }
  };
  for (const std::vector<Tensor>& sample : calibration.samples) {
    TET_RETURN_IF_ERROR(tet::interpret(mainOf(reference), sample, remember));
    TET_RETURN_IF_ERROR(tet::interpret(main, sample, check));
  }
  for (const auto& [name, difference] : differences) calibration.errors[name] = difference.error();
  quantised.walk([](Operation* op) {
    op->removeAttr(kStandsFor);
    op->removeAttr(kReference);
  });
  return {};
}

}  // namespace tetrarch::compile
