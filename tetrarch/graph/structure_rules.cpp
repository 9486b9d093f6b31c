// The constraints of control flow and structure: what regions take and return.
#include "tetrarch/graph/shape_rules.h"
#include "tetrarch/graph/types.h"

namespace tetrarch::tet {

using llvm::SmallVector;
using llvm::SmallVectorImpl;
using mlir::LogicalResult;

static mlir::TypeRange returnedTypes(mlir::Region& region) {
  return region.front().getTerminator()->getOperandTypes();
}

LogicalResult IfOp::verifyRegions() {
  for (mlir::Region* branch : {&getTrueBranch(), &getFalseBranch()}) {
    if (returnedTypes(*branch) == getResultTypes()) continue;
    return emitOpError() << (branch == &getTrueBranch() ? "true" : "false")
                         << " branch does not return the result types (C1)";
  }
  return mlir::success();
}

LogicalResult WhileOp::inferReturnTypes(mlir::MLIRContext*, std::optional<mlir::Location>, Adaptor op,
                                        SmallVectorImpl<mlir::Type>& types) {
  llvm::append_range(types, op.getOperands().getTypes());
  return mlir::success();
}

LogicalResult WhileOp::verifyRegions() {
  const mlir::TypeRange types = getOperandTypes();
  if (types != getResultTypes() || types != getCond().getArgumentTypes() ||
      types != getBody().getArgumentTypes() || types != returnedTypes(getBody())) {
    return emitOpError("operands, results and the values of both regions differ in type (C1)");
  }
  const mlir::TypeRange returned = returnedTypes(getCond());
  auto flag = mlir::RankedTensorType::get({}, mlir::IntegerType::get(getContext(), 1));
  if (returned.size() == 1 && returned.front() == flag) return mlir::success();
  return emitOpError("condition does not return one tensor<i1> (C2)");
}

LogicalResult CompositeOp::verifyRegions() {
  if (getBody().getArgumentTypes() != getInputs().getTypes()) {
    return emitOpError("region arguments differ in type from the inputs (C1)");
  }
  if (returnedTypes(getBody()) == getResultTypes()) return mlir::success();
  return emitOpError("region does not return the result types (C2)");
}

// The first of `types` and `held` that are not a graph type and its storage type, or -1.
static int64_t firstNotStored(mlir::TypeRange types, mlir::TypeRange held) {
  if (types.size() != held.size()) return std::min(types.size(), held.size());
  for (auto [i, pair] : llvm::enumerate(llvm::zip(types, held))) {
    auto [type, storage] = pair;
    if (storageType(llvm::cast<mlir::RankedTensorType>(type)) != storage) return static_cast<int64_t>(i);
  }
  return -1;
}

static bool isTaskDialect(mlir::Operation* op) {
  static constexpr llvm::StringLiteral kDialects[] = {"affine", "arith", "linalg", "math", "scf", "tensor"};
  return llvm::isa<YieldOp>(op) || llvm::is_contained(kDialects, op->getName().getDialectNamespace());
}

LogicalResult TaskOp::verifyRegions() {
  if (int64_t i = firstNotStored(getInputs().getTypes(), getBody().getArgumentTypes()); i >= 0) {
    return emitOpError() << "region argument " << i << " does not have the storage type of its input (C1)";
  }
  if (int64_t i = firstNotStored(getResultTypes(), returnedTypes(getBody())); i >= 0) {
    return emitOpError() << "yielded value " << i << " does not have the storage type of its result (C1)";
  }
  mlir::Operation* stranger = nullptr;
  getBody().walk([&](mlir::Operation* op) {
    if (!isTaskDialect(op)) stranger = op;
  });
  if (!stranger) return mlir::success();
  return emitOpError() << "holds '" << stranger->getName()
                       << "', which is not of linalg, tensor, arith, math or scf (C2)";
}

}  // namespace tetrarch::tet
