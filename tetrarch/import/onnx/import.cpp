#include "tetrarch/import/onnx/import.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "tetrarch/graph/tet.h"
#include "tetrarch/import/onnx/importer.h"
#include "tetrarch/import/onnx/model_file.h"

namespace tetrarch {
namespace {

using Module = mlir::OwningOpRef<mlir::ModuleOp>;

Result<Module> importBytes(mlir::MLIRContext& context, std::span<const std::byte> bytes,
                           const std::filesystem::path& folder, const OnnxImportOptions& options,
                           OnnxNeeds& needs) {
  context.loadDialect<tet::TetDialect, mlir::func::FuncDialect>();
  TET_ASSIGN_OR_RETURN(auto model, onnx::parseModel(bytes));
  return onnx::Importer(context, std::move(model), folder, options, needs).run();
}

}  // namespace

Result<Module> importOnnx(mlir::MLIRContext& context, std::span<const std::byte> bytes,
                          const std::string& name, const std::filesystem::path& folder,
                          const OnnxImportOptions& options, OnnxNeeds* needs) {
  OnnxNeeds found;  // of this import alone, whatever the caller's held
  auto module = importBytes(context, bytes, folder, options, found);
  if (needs) *needs = std::move(found);
  if (!module.has_value()) return propagate(module.error().withContext(name));
  return module;
}

Result<Module> importOnnx(mlir::MLIRContext& context, const std::filesystem::path& path,
                          const OnnxImportOptions& options, OnnxNeeds* needs) {
  auto bytes = onnx::readModelFile(path);
  if (!bytes.has_value()) return propagate(bytes.error().withContext(path.string()));
  return importOnnx(context, *bytes, path.string(), path.parent_path(), options, needs);
}

}  // namespace tetrarch
