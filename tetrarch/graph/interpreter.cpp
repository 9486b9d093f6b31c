#include "tetrarch/graph/interpreter.h"

#include <algorithm>
#include <cstring>
#include <thread>

#include "llvm/ADT/DenseMap.h"
#include "tetrarch/graph/interpret.h"

namespace tetrarch::tet {

//===-- Shared by the kernels
//------------------------------------------------------------------------------------===//

const KernelTable& KernelTable::get() {
  static const KernelTable table = [] {
    KernelTable t;
    addElementwiseKernels(t);
    addShapeKernels(t);
    addContractionKernels(t);
    addReductionKernels(t);
    addGatherKernels(t);
    return t;
  }();
  return table;
}

const Kernel* KernelTable::find(mlir::Operation* op) const {
  const auto it = kernels_.find(op->getName().getStringRef().str());
  return it == kernels_.end() ? nullptr : &it->second;
}

Result<Tensor> createLike(mlir::Value value) { return Tensor::create(elementTypeOf(value), shapeOf(value)); }

template <>
std::vector<double> load(const Tensor& tensor) {
  if (tensor.type() == ElementType::F32) return {tensor.as<float>(), tensor.as<float>() + tensor.count()};
  if (tensor.type() == ElementType::F64) return {tensor.as<double>(), tensor.as<double>() + tensor.count()};
  std::vector<double> values(tensor.count());
  for (int64_t i = 0; i < tensor.count(); ++i) values[i] = tensor.getDouble(i);
  return values;
}

template <>
std::vector<int64_t> load(const Tensor& tensor) {
  std::vector<int64_t> values(tensor.count());
  for (int64_t i = 0; i < tensor.count(); ++i) values[i] = tensor.getInt(i);
  return values;
}

template <>
void store(Tensor& tensor, std::span<const double> values) {
  if (tensor.type() == ElementType::F32) {
    std::copy(values.begin(), values.end(), tensor.as<float>());
    return;
  }
  for (int64_t i = 0; i < tensor.count(); ++i) tensor.setDouble(i, values[i]);
}

template <>
void store(Tensor& tensor, std::span<const int64_t> values) {
  for (int64_t i = 0; i < tensor.count(); ++i) tensor.setInt(i, values[i]);
}

std::vector<int64_t> rowMajorStrides(std::span<const int64_t> shape) {
  std::vector<int64_t> strides(shape.size(), 1);
  for (size_t d = shape.size(); d-- > 1;) strides[d - 1] = strides[d] * shape[d];
  return strides;
}

bool advanceIndex(std::span<int64_t> index, std::span<const int64_t> shape) {
  for (size_t d = shape.size(); d-- > 0;) {
    if (++index[d] < shape[d]) return true;
    index[d] = 0;
  }
  return false;
}

int64_t dot(std::span<const int64_t> index, std::span<const int64_t> strides) {
  int64_t sum = 0;
  for (size_t d = 0; d < index.size(); ++d) sum += index[d] * strides[d];
  return sum;
}

int64_t product(std::span<const int64_t> dims) {
  int64_t result = 1;
  for (int64_t dim : dims) result *= dim;
  return result;
}

View wholeOf(const Tensor& tensor) { return {0, rowMajorStrides(tensor.shape())}; }

void copyBox(std::span<const int64_t> box, Tensor& to, const View& to_view, const Tensor& from,
             const View& from_view) {
  if (product(box) == 0) return;
  const size_t size = byteSize(to.type());
  const int64_t inner = box.empty() ? 1 : box.back();
  const int64_t to_step = box.empty() ? 0 : to_view.strides.back() * static_cast<int64_t>(size);
  const int64_t from_step = box.empty() ? 0 : from_view.strides.back() * static_cast<int64_t>(size);
  const auto outer = box.first(box.empty() ? 0 : box.size() - 1);
  std::vector<int64_t> index(outer.size(), 0);
  do {
    char* out = to.as<char>() + (to_view.offset + dot(index, to_view.strides)) * static_cast<int64_t>(size);
    const char* in =
        from.as<char>() + (from_view.offset + dot(index, from_view.strides)) * static_cast<int64_t>(size);
    for (int64_t i = 0; i < inner; ++i) std::memcpy(out + i * to_step, in + i * from_step, size);
  } while (advanceIndex(index, outer));
}

void parallelFor(int64_t count, const std::function<void(int64_t, int64_t)>& work) {
  const int64_t workers =
      std::clamp<int64_t>(std::thread::hardware_concurrency(), 1, std::max<int64_t>(count, 1));
  std::vector<std::jthread> threads;
  for (int64_t w = 1; w < workers; ++w) {
    threads.emplace_back(work, count * w / workers, count * (w + 1) / workers);
  }
  work(0, count / workers);
}

//===-- Functions and control flow
//-------------------------------------------------------------------------------===//

namespace {

class Interpreter {
 public:
  Interpreter() = default;
  // Observes the ops of `block`.
  Interpreter(mlir::Block* block, const Observe& observe) : observed_(block), observe_(observe) {}

  // Runs the region's one block on `arguments` and returns what its terminator returns.
  Result<Tensors> run(mlir::Region& region, Tensors arguments) {
    mlir::Block& block = region.front();
    const bool observed = &block == observed_ && observe_;
    auto set = [&](mlir::Value value, Tensor tensor) {
      if (observed) observe_(value, tensor);
      values_[value] = std::move(tensor);
    };
    for (auto [argument, tensor] : llvm::zip(block.getArguments(), arguments)) set(argument, tensor);
    for (mlir::Operation& op : block.without_terminator()) {
      TET_ASSIGN_OR_RETURN(Tensors results, evaluate(op));
      for (auto [result, tensor] : llvm::zip(op.getResults(), results)) set(result, std::move(tensor));
    }
    return operandsOf(*block.getTerminator());
  }

  Result<Tensors> run(mlir::Operation& op, Tensors operands) {
    for (auto [operand, tensor] : llvm::zip(op.getOperands(), operands)) values_[operand] = std::move(tensor);
    return evaluate(op);
  }

 private:
  Tensors operandsOf(mlir::Operation& op) const {
    Tensors operands;
    for (mlir::Value value : op.getOperands()) operands.push_back(values_.at(value));
    return operands;
  }

  Result<Tensors> evaluate(mlir::Operation& op) {
    if (auto branch = llvm::dyn_cast<IfOp>(op)) return evaluateIf(branch);
    if (auto loop = llvm::dyn_cast<WhileOp>(op)) return evaluateWhile(loop);
    if (auto composite = llvm::dyn_cast<CompositeOp>(op)) return run(composite.getBody(), operandsOf(op));
    const Kernel* kernel = KernelTable::get().find(&op);
    if (!kernel) {
      return unimplemented("the interpreter has no kernel for '{}'", op.getName().getStringRef().str());
    }
    return (*kernel)(&op, operandsOf(op));
  }

  Result<Tensors> evaluateIf(IfOp op) {
    const bool taken = values_.at(op.getPred()).getInt(0) != 0;
    return run(taken ? op.getTrueBranch() : op.getFalseBranch(), {});
  }

  Result<Tensors> evaluateWhile(WhileOp op) {
    Tensors state = operandsOf(*op);
    while (true) {
      TET_ASSIGN_OR_RETURN(const Tensors condition, run(op.getCond(), state));
      if (condition.front().getInt(0) == 0) return state;
      TET_ASSIGN_OR_RETURN(state, run(op.getBody(), std::move(state)));
    }
  }

  mlir::Block* observed_ = nullptr;
  Observe observe_;
  llvm::DenseMap<mlir::Value, Tensor> values_;
};

Status checkInputs(mlir::func::FuncOp function, const Tensors& inputs) {
  if (inputs.size() != function.getNumArguments()) {
    return invalidArgument("@{} takes {} inputs, but got {}", function.getName().str(),
                           function.getNumArguments(), inputs.size());
  }
  for (auto [i, argument] : llvm::enumerate(function.getArguments())) {
    if (inputs[i].type() == elementTypeOf(argument) && inputs[i].shape() == shapeOf(argument)) continue;
    return invalidArgument("input {} of @{} is {}, but got {}", i, function.getName().str(),
                           toString(elementTypeOf(argument), shapeOf(argument)),
                           toString(inputs[i].type(), inputs[i].shape()));
  }
  return {};
}

}  // namespace

Result<Tensors> interpret(mlir::func::FuncOp function, Tensors inputs) {
  return interpret(function, std::move(inputs), {});
}

Result<Tensors> interpret(mlir::func::FuncOp function, Tensors inputs, const Observe& observe) {
  if (function.isExternal()) return invalidArgument("@{} has no body", function.getName().str());
  TET_RETURN_IF_ERROR(checkInputs(function, inputs));
  return Interpreter(&function.front(), observe).run(function.getBody(), std::move(inputs));
}

Result<Tensors> evaluate(mlir::Operation* op, Tensors operands) {
  return Interpreter().run(*op, std::move(operands));
}

Result<Tensors> interpret(mlir::ModuleOp module, Tensors inputs) {
  auto function = module.lookupSymbol<mlir::func::FuncOp>("main");
  if (!function) {
    auto functions = module.getOps<mlir::func::FuncOp>();
    if (!llvm::hasSingleElement(functions)) return invalidArgument("the module has no function named main");
    function = *functions.begin();
  }
  return interpret(function, std::move(inputs));
}

}  // namespace tetrarch::tet
