#include "tetrarch/graph/tet.h"

#include "llvm/ADT/TypeSwitch.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "tetrarch/graph/constant_memory.h"
#include "tetrarch/graph/shape_rules.h"
#include "tetrarch/graph/tet_dialect.cpp.inc"
#include "tetrarch/graph/tet_enums.cpp.inc"
#include "tetrarch/graph/tet_interfaces.cpp.inc"
#define GET_ATTRDEF_CLASSES
#include "tetrarch/graph/tet_attrs.cpp.inc"
#define GET_OP_CLASSES
#include "tetrarch/graph/tet_ops.cpp.inc"

namespace tetrarch::tet {

void TetDialect::initialize() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "tetrarch/graph/tet_attrs.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "tetrarch/graph/tet_ops.cpp.inc"
      >();
  addInterfaces<ConstantMemory>();
}

mlir::Operation* TetDialect::materializeConstant(mlir::OpBuilder& builder, mlir::Attribute value,
                                                 mlir::Type type, mlir::Location loc) {
  auto elements = llvm::dyn_cast<mlir::ElementsAttr>(value);
  if (!elements || elements.getType() != type) return nullptr;
  return ConstantOp::create(builder, loc, elements);
}

mlir::OpFoldResult ConstantOp::fold(FoldAdaptor) { return getValue(); }

}  // namespace tetrarch::tet
