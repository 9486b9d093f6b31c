#include "tetrarch/compile/target/fpga/clone_body.h"

#include "llvm/ADT/TypeSwitch.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Matchers.h"

namespace tetrarch::fpga {
namespace {

namespace arith = mlir::arith;
using mlir::Value;

mlir::Attribute scalarAttribute(mlir::Attribute value) {
  if (auto splat = mlir::dyn_cast<mlir::SplatElementsAttr>(value))
    value = splat.getSplatValue<mlir::Attribute>();
  auto integer = mlir::dyn_cast<mlir::IntegerAttr>(value);
  if (!integer || !integer.getType().isIndex()) return value;
  return mlir::IntegerAttr::get(scalarType(integer.getType()), integer.getValue().getSExtValue());
}

Value cast(mlir::OpBuilder& b, mlir::Location loc, Value value, mlir::Type type, bool is_signed) {
  const unsigned from = value.getType().getIntOrFloatBitWidth(), to = type.getIntOrFloatBitWidth();
  if (from == to) return value;
  if (from > to) return arith::TruncIOp::create(b, loc, type, value);
  if (is_signed) return arith::ExtSIOp::create(b, loc, type, value);
  return arith::ExtUIOp::create(b, loc, type, value);
}

}  // namespace

Value placeOf(mlir::OpBuilder& b, mlir::Location loc, llvm::ArrayRef<int64_t> shape,
              mlir::ValueRange indices) {
  mlir::Type type = b.getI64Type();
  Value place = arith::ConstantIntOp::create(b, loc, type, 0);
  for (auto [extent, index] : llvm::zip(shape, indices)) {
    Value count = arith::ConstantIntOp::create(b, loc, type, extent);
    place = arith::AddIOp::create(b, loc, arith::MulIOp::create(b, loc, place, count), index);
  }
  return place;
}

mlir::Type scalarType(mlir::Type type) {
  return type.isIndex() ? mlir::IntegerType::get(type.getContext(), 64) : type;
}

Value cloneScalar(mlir::OpBuilder& b, mlir::Operation& op, mlir::ValueRange operands) {
  const mlir::Location loc = op.getLoc();
  if (auto constant = mlir::dyn_cast<arith::ConstantOp>(op))
    return arith::ConstantOp::create(b, loc,
                                     mlir::cast<mlir::TypedAttr>(scalarAttribute(constant.getValue())));
  if (mlir::isa<arith::IndexCastOp, arith::IndexCastUIOp>(op)) {
    return cast(b, loc, operands[0], scalarType(op.getResult(0).getType()),
                mlir::isa<arith::IndexCastOp>(op));
  }
  mlir::OperationState state(loc, op.getName(), operands, {scalarType(op.getResult(0).getType())}, {});
  state.addAttributes(op.getAttrDictionary().getValue());
  mlir::Operation* made = b.create(state);
  return made->getResult(0);
}

llvm::SmallVector<Value> cloneBody(mlir::OpBuilder& b, mlir::Block& body, const BodyValues& values) {
  mlir::IRMapping map;
  for (auto [argument, value] : llvm::zip(body.getArguments(), values.arguments)) {
    if (value) map.map(argument, value);
  }
  auto lookup = [&](Value value) -> Value {
    if (Value known = map.lookupOrNull(value)) return known;
    mlir::Attribute constant;  // from outside of the body
    if (!mlir::matchPattern(value, mlir::m_Constant(&constant))) return {};
    return arith::ConstantOp::create(b, value.getLoc(),
                                     mlir::cast<mlir::TypedAttr>(scalarAttribute(constant)));
  };
  for (mlir::Operation& op : body.without_terminator()) {
    if (auto index = mlir::dyn_cast<mlir::linalg::IndexOp>(op)) {
      map.map(index.getResult(), values.index(index.getDim()));
    } else if (auto extract = mlir::dyn_cast<mlir::tensor::ExtractOp>(op)) {
      llvm::SmallVector<Value> indices = llvm::map_to_vector(extract.getIndices(), lookup);
      Value place = placeOf(b, op.getLoc(), extract.getTensor().getType().getShape(), indices);
      map.map(extract.getResult(), values.extract(extract, place));
    } else {
      const llvm::SmallVector<Value> operands = llvm::map_to_vector(op.getOperands(), lookup);
      map.map(op.getResult(0), cloneScalar(b, op, operands));
    }
  }
  return llvm::map_to_vector(body.getTerminator()->getOperands(), lookup);
}

}  // namespace tetrarch::fpga
