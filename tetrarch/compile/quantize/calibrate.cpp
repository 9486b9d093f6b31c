#include "tetrarch/compile/quantize/calibrate.h"

#include <algorithm>
#include <cmath>
#include <random>

#include "llvm/ADT/MapVector.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "tetrarch/compile/quantize/annotate.h"
#include "tetrarch/compile/quantize/integer.h"
#include "tetrarch/graph/interpreter.h"

namespace tetrarch::compile {
namespace {

using mlir::Operation;

constexpr int64_t kKept = 1 << 15;  // numbers of a value that are looked at, over all samples
constexpr int64_t kExtremes = 128;  // of each sample also so many of the largest and of the smallest

// e^-kNegligible of a row's largest probability is nothing in 8 bits, even a thousand times.
constexpr float kNegligible = 14;

// What is seen of one value.
class Observer {
 public:
  void see(const Tensor& tensor, int64_t keep) { see(tensor.as<float>(), tensor.count(), keep); }

  // Exponents of a softmax along the last dimension: how far one lies below the row's negligible ones, as
  // masked ones do, makes no difference.
  void seeExponents(const Tensor& tensor, int64_t keep) {
    const float* numbers = tensor.as<float>();
    const int64_t length = std::max<int64_t>(1, tensor.shape().back());
    std::vector<float> limited(numbers, numbers + tensor.count());
    for (auto row = limited.begin(); row != limited.end(); row += length) {
      const float least = *std::max_element(row, row + length) - kNegligible;
      for (auto number = row; number != row + length; ++number) *number = std::max(*number, least);
    }
    see(limited.data(), tensor.count(), keep);
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
    std::ranges::sort(kept_, {}, &Kept::number);
    for (double tail : {1e-4, 1e-3, 1e-2}) {
      const auto cut = static_cast<size_t>(tail * static_cast<double>(kept_.size()));
      consider(std::min(kept_[cut].number, 0.0F), std::max(kept_[kept_.size() - 1 - cut].number, 0.0F));
    }
    return best;
  }

 private:
  void see(const float* numbers, int64_t count, int64_t keep) {
    const int64_t step = std::max<int64_t>(1, count / std::max<int64_t>(keep, 1));
    int64_t next = 0;
    for (int64_t i = 0; i < count; ++i) {
      if (!std::isfinite(numbers[i])) finite_ = false;
      low_ = std::min(low_, numbers[i]);
      high_ = std::max(high_, numbers[i]);
      if (i < next) continue;
      kept_.push_back({numbers[i], static_cast<float>(step)});
      // At irregular places: a regular step could miss the columns with the largest numbers.
      next = i + 1 + static_cast<int64_t>(random_() % (2 * step - 1));
    }
    if (step > 1 && finite_) keepExtremes({numbers, numbers + count});
  }

  // A few numbers may be so large that to cut them off costs more than all others gain.
  void keepExtremes(std::vector<float> numbers) {
    const auto few = std::min<std::ptrdiff_t>(kExtremes, std::ssize(numbers));
    for (int i = 0; i < 2; ++i) {
      std::nth_element(numbers.begin(), numbers.begin() + few - 1, numbers.end());
      for (auto number = numbers.begin(); number != numbers.begin() + few; ++number)
        kept_.push_back({i == 0 ? *number : -*number, 1});
      for (float& number : numbers) number = -number;
    }
  }

  double squareError(double low, double high) const {
    const Affine affine = affineFor(low, high, false);
    double sum = 0;
    for (auto [number, weight] : kept_) {
      const double level = std::nearbyint(number / affine.scale) + static_cast<double>(affine.zero_point);
      const double seen =
          (std::clamp(level, -128.0, 127.0) - static_cast<double>(affine.zero_point)) * affine.scale;
      sum += weight * (seen - number) * (seen - number);
    }
    return sum;
  }

  bool finite_ = true;
  float low_ = INFINITY, high_ = -INFINITY;
  struct Kept {
    float number, weight;
  };
  std::vector<Kept> kept_;
  std::minstd_rand random_;
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
  llvm::DenseSet<mlir::Value> exponents;
  for (Operation& op : main.front().without_terminator()) {
    auto softmax = op.getNumResults() == 1 ? readSoftmax(op.getResult(0)) : std::nullopt;
    if (softmax) exponents.insert(softmax->operands[0]->get());
  }
  const int64_t keep = kKept / static_cast<int64_t>(std::max<size_t>(calibration.samples.size(), 1));
  auto observe = [&](mlir::Value value, const Tensor& tensor) {
    Operation* op = value.getDefiningOp();
    const bool is_constant = op && op->hasTrait<mlir::OpTrait::ConstantLike>();
    if (tensor.type() != ElementType::F32 || is_constant) return;
    exponents.contains(value) ? observers[value].seeExponents(tensor, keep)
                              : observers[value].see(tensor, keep);
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
