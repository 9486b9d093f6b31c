// The quantize pass: ranges become quantised values, what lies between quantised values becomes integer
// arithmetic, and what could not stays in floats.
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "tetrarch/compile/passes.h"
#include "tetrarch/compile/quantize/annotate.h"
#include "tetrarch/compile/quantize/integer.h"

namespace tetrarch::compile {

#define GEN_PASS_DEF_QUANTIZEPASS
#include "tetrarch/compile/passes.h.inc"

namespace {

struct QuantizePass : impl::QuantizePassBase<QuantizePass> {
  void runOnOperation() override {
    for (auto function : getOperation().getOps<mlir::func::FuncOp>()) {
      if (function.isExternal()) continue;
      mlir::Block& block = function.front();
      insertQuantization(block);
      eraseRanges(block);
      makeInteger(block);
    }
  }
};

}  // namespace
}  // namespace tetrarch::compile
