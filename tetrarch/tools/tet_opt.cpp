// tet-opt: reads MLIR, runs the passes it is told, prints MLIR. For lit tests and for looking at one stage
// alone.
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"
#include "mlir/Transforms/Passes.h"
#include "tetrarch/compile/passes.h"
#include "tetrarch/graph/tet.h"

int main(int argc, char** argv) {
  mlir::DialectRegistry registry;
  registry.insert<tetrarch::tet::TetDialect, mlir::affine::AffineDialect, mlir::arith::ArithDialect,
                  mlir::func::FuncDialect, mlir::linalg::LinalgDialect, mlir::math::MathDialect,
                  mlir::scf::SCFDialect, mlir::tensor::TensorDialect>();
  mlir::registerTransformsPasses();
  tetrarch::compile::registerCompilePasses();
  return mlir::asMainReturnCode(mlir::MlirOptMain(argc, argv, "Tetrarch optimizer driver\n", registry));
}
