#include "tetrarch/compile/differential/shrink.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "tetrarch/graph/tet.h"

namespace tetrarch::compile {
namespace {

using mlir::Operation;
using mlir::Value;
using Module = mlir::OwningOpRef<mlir::ModuleOp>;

mlir::func::FuncOp mainOf(mlir::ModuleOp module) { return *module.getOps<mlir::func::FuncOp>().begin(); }

// Removes what does not reach a result, and arguments that nothing reads; then the type fits again.
void tidy(mlir::func::FuncOp function) {
  mlir::Block& block = function.front();
  for (Operation& op : llvm::make_early_inc_range(llvm::reverse(block))) {
    if (op.use_empty() && &op != block.getTerminator()) op.erase();
  }
  for (int i = static_cast<int>(block.getNumArguments()) - 1; i >= 0; --i) {
    if (block.getArgument(i).use_empty()) block.eraseArgument(i);
  }
  function.removeArgAttrsAttr();
  function.removeResAttrsAttr();
  function.setFunctionType(mlir::FunctionType::get(function.getContext(), block.getArgumentTypes(),
                                                   block.getTerminator()->getOperandTypes()));
}

class Shrinker {
 public:
  Shrinker(mlir::ModuleOp graph, llvm::function_ref<bool(mlir::ModuleOp)> fails)
      : best_(graph.clone()), fails_(fails) {}

  Module run() {
    keepOneResult();
    while (takeOps()) {
    }
    return std::move(best_);
  }

 private:
  // Whether the changed copy still fails; then it is the best.
  bool attempt(llvm::function_ref<void(mlir::func::FuncOp)> change) {
    Module copy(best_->clone());
    change(mainOf(*copy));
    tidy(mainOf(*copy));
    if (!fails_(*copy)) return false;
    best_ = std::move(copy);
    return true;
  }

  void keepOneResult() {
    const unsigned count = mainOf(*best_).front().getTerminator()->getNumOperands();
    for (unsigned i = 0; i < count && count > 1; ++i) {
      const bool taken = attempt([&](mlir::func::FuncOp function) {
        Operation* end = function.front().getTerminator();
        end->setOperands(end->getOperand(i));
      });
      if (taken) return;
    }
  }

  // Later ops first: with one goes all that only it needed.
  bool takeOps() {
    bool any = false;
    for (unsigned i = mainOf(*best_).front().getOperations().size() - 1; i > 0; --i) {
      // An attempt may have taken more than one.
      if (i < mainOf(*best_).front().getOperations().size()) any |= takeOp(i - 1);
    }
    return any;
  }
  bool takeOp(unsigned position) {
    Operation& op = *std::next(mainOf(*best_).front().begin(), position);
    if (llvm::isa<tet::ConstantOp>(op) || op.getNumResults() != 1) return false;
    for (unsigned i = 0; i < op.getNumOperands(); ++i) {
      if (op.getOperand(i).getType() == op.getResult(0).getType() &&
          replace(position, [i](Operation& old) { return old.getOperand(i); }))
        return true;
    }
    return replace(position, [](Operation& old) {
      return old.getBlock()->addArgument(old.getResult(0).getType(), old.getLoc());
    });
  }
  bool replace(unsigned position, llvm::function_ref<Value(Operation&)> by) {
    return attempt([&](mlir::func::FuncOp function) {
      Operation& old = *std::next(function.front().begin(), position);
      Value value = by(old);
      old.getResult(0).replaceAllUsesWith(value);
    });
  }

  Module best_;
  llvm::function_ref<bool(mlir::ModuleOp)> fails_;
};

}  // namespace

Module shrink(mlir::ModuleOp graph, llvm::function_ref<bool(mlir::ModuleOp)> fails) {
  return Shrinker(graph, fails).run();
}

int64_t countOps(mlir::ModuleOp graph) {
  return llvm::count_if(mainOf(graph).front().without_terminator(),
                        [](Operation& op) { return !llvm::isa<tet::ConstantOp>(op); });
}

}  // namespace tetrarch::compile
