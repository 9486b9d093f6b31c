#include "tetrarch/import/onnx/import.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "tetrarch/graph/tet.h"
#include "tetrarch/import/onnx/importer.h"
#include "tetrarch/import/onnx/model_file.h"

namespace tetrarch {
namespace {

using Module = mlir::OwningOpRef<mlir::ModuleOp>;

using ParsedModel = Result<std::shared_ptr<onnx::Model>>;

Result<Module> importModel(mlir::MLIRContext& context, ParsedModel model, const std::string& name,
                           const std::filesystem::path& folder, const OnnxImportOptions& options,
                           OnnxNeeds* needs) {
  OnnxNeeds found;  // of this import alone, whatever the caller's held
  auto run = [&]() -> Result<Module> {
    if (!model.has_value()) return propagate(std::move(model));
    context.loadDialect<tet::TetDialect, mlir::func::FuncDialect>();
    return onnx::Importer(context, *std::move(model), folder, options, found).run();
  };
  auto module = run();
  if (needs) *needs = std::move(found);
  if (!module.has_value()) return propagate(module.error().withContext(name));
  return module;
}

// The file's bytes are gone when its weights are read.
ParsedModel parseFile(const std::filesystem::path& path) {
  TET_ASSIGN_OR_RETURN(const auto bytes, onnx::readModelFile(path));
  return onnx::parseModel(bytes);
}

}  // namespace

Result<Module> importOnnx(mlir::MLIRContext& context, std::span<const std::byte> bytes,
                          const std::string& name, const std::filesystem::path& folder,
                          const OnnxImportOptions& options, OnnxNeeds* needs) {
  return importModel(context, onnx::parseModel(bytes), name, folder, options, needs);
}

Result<Module> importOnnx(mlir::MLIRContext& context, const std::filesystem::path& path,
                          const OnnxImportOptions& options, OnnxNeeds* needs) {
  return importModel(context, parseFile(path), path.string(), path.parent_path(), options, needs);
}

}  // namespace tetrarch
