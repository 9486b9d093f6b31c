#include "tetrarch/graph/parse.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Parser/Parser.h"
#include "tetrarch/graph/tet.h"

namespace tetrarch::tet {
namespace {

// Keeps the first error of the diagnostics that are raised during its life.
class FirstError {
 public:
  explicit FirstError(mlir::MLIRContext* context)
      : handler_(context, [this](mlir::Diagnostic& diagnostic) {
          if (diagnostic.getSeverity() != mlir::DiagnosticSeverity::Error || !text_.empty()) return;
          if (auto loc = llvm::dyn_cast<mlir::FileLineColLoc>(diagnostic.getLocation())) {
            text_ = fmt::format("{}:{}: ", loc.getFilename().str(), loc.getLine());
          }
          text_ += diagnostic.str();
        }) {}
  const std::string& text() const { return text_; }

 private:
  std::string text_;
  mlir::ScopedDiagnosticHandler handler_;
};

}  // namespace

std::unique_ptr<mlir::MLIRContext> makeContext() {
  auto context = std::make_unique<mlir::MLIRContext>(mlir::MLIRContext::Threading::DISABLED);
  context->loadDialect<TetDialect, mlir::affine::AffineDialect, mlir::arith::ArithDialect,
                       mlir::func::FuncDialect, mlir::linalg::LinalgDialect, mlir::math::MathDialect,
                       mlir::scf::SCFDialect, mlir::tensor::TensorDialect>();
  return context;
}

Result<mlir::OwningOpRef<mlir::ModuleOp>> parseGraph(std::string_view text, mlir::MLIRContext* context,
                                                     std::string_view name) {
  FirstError error(context);
  mlir::ParserConfig config(context);
  auto module = mlir::parseSourceString<mlir::ModuleOp>(text, config, name);
  if (!module) return invalidArgument("{}", error.text());
  return module;
}

Status verifyGraph(mlir::Operation* op, StatusCode code) {
  FirstError error(op->getContext());
  if (mlir::succeeded(mlir::verify(op))) return {};
  return fail(code, "{}", error.text());
}

}  // namespace tetrarch::tet
