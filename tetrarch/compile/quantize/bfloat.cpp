// The bfloat pass: what contractions of f32 read becomes bf16; their sums, and all else, stay f32.
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/MapVector.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "tetrarch/compile/composite_tag.h"
#include "tetrarch/compile/lower/lowering.h"
#include "tetrarch/compile/passes.h"
#include "tetrarch/compile/quantize/integer.h"
#include "tetrarch/graph/constants.h"
#include "tetrarch/graph/types.h"

namespace tetrarch::compile {

#define GEN_PASS_DEF_BFLOATPASS
#include "tetrarch/compile/passes.h.inc"

namespace {

using mlir::Operation;
using mlir::Value;

bool isContractionOfFloats(Operation* op) {
  if (!llvm::isa<tet::DotGeneralOp, tet::ConvolutionOp>(op)) return false;
  return elementOf(op->getOperand(0)).isF32() && elementOf(op->getOperand(1)).isF32() &&
         elementOf(op->getResult(0)).isF32();
}

Value narrowConstant(mlir::OpBuilder& b, tet::ConstantOp constant) {
  auto wide = tet::tensorOf(constant.getResult());
  auto narrow = wide ? Tensor::create(ElementType::BF16, wide->shape()) : propagate(wide.error());
  if (!narrow) return {};
  for (int64_t i = 0; i < wide->count(); ++i) narrow->setDouble(i, wide->getDouble(i));
  return tet::makeConstant(b, constant.getLoc(), *narrow);
}

// Once for all that read it.
class Narrower {
 public:
  Value narrow(Value wide) {
    Value& known = narrow_[wide];
    if (known) return known;
    mlir::OpBuilder b(wide.getContext());
    b.setInsertionPointAfterValue(wide);
    if (auto constant = wide.getDefiningOp<tet::ConstantOp>()) known = narrowConstant(b, constant);
    if (!known) known = tet::ConvertOp::create(b, wide.getLoc(), wide, b.getBF16Type());
    return known;
  }

 private:
  llvm::DenseMap<Value, Value> narrow_;
};

// Tasks are called after their contractions, and so are errors.
void nameContractions(mlir::Block& block) {
  int unnamed = 0;
  for (Operation& op : block) {
    if (!isContractionOfFloats(&op) || !frontendName(op.getLoc()).empty()) continue;
    const std::string name = (op.getName().stripDialect() + "." + llvm::Twine(unnamed++)).str();
    op.setLoc(mlir::NameLoc::get(mlir::StringAttr::get(op.getContext(), name), op.getLoc()));
  }
}

// Of the ops that a frontend gave one name the last is what it calls so: where somebody is going to measure
// how far its value is from the reference's.
void markValues(mlir::Block& block) {
  llvm::MapVector<llvm::StringRef, Operation*> named;
  for (Operation& op : block.without_terminator()) {
    const llvm::StringRef name = frontendName(op.getLoc());
    const bool is_value = op.getNumResults() == 1 && elementOf(op.getResult(0)).isF32();
    if (!name.empty() && is_value && op.hasAttr(kReference) && !llvm::isa<tet::ConstantOp>(op))
      named[name] = &op;
  }
  mlir::Builder b(block.getParentOp()->getContext());
  for (auto [name, op] : named) {
    op->setAttr(kStandsFor, b.getDictionaryAttr({b.getNamedAttr("name", b.getStringAttr(name)),
                                                 b.getNamedAttr("reference", op->getAttr(kReference)),
                                                 b.getNamedAttr("scale", b.getF64FloatAttr(1)),
                                                 b.getNamedAttr("zero_point", b.getI64IntegerAttr(0))}));
  }
}

struct BfloatPass : impl::BfloatPassBase<BfloatPass> {
  void runOnOperation() override {
    for (auto function : getOperation().getOps<mlir::func::FuncOp>()) {
      if (function.isExternal()) continue;
      nameContractions(function.front());
      markValues(function.front());
      Narrower narrower;
      llvm::SmallVector<Operation*> contractions;
      for (Operation& op : function.front()) {
        if (isContractionOfFloats(&op)) contractions.push_back(&op);
      }
      for (Operation* op : contractions) {
        for (unsigned side : {0, 1}) op->setOperand(side, narrower.narrow(op->getOperand(side)));
      }
    }
  }
};

}  // namespace
}  // namespace tetrarch::compile
