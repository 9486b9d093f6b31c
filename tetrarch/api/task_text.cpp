#include "tetrarch/api/task_text.h"

#include <set>

#include "llvm/Support/raw_ostream.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/IRMapping.h"
#include "tetrarch/graph/parse.h"
#include "tetrarch/graph/tet.h"
#include "tetrarch/graph/types.h"

namespace tetrarch::api {
namespace {

std::string functionName(const std::string& hash) { return "task_" + hash; }

void addFunction(mlir::OpBuilder& builder, tet::TaskOp task, const std::string& hash) {
  const mlir::Location location = builder.getUnknownLoc();
  const auto type =
      builder.getFunctionType(mlir::ValueRange(task.getInputs()).getTypes(), task->getResultTypes());
  auto function = mlir::func::FuncOp::create(builder, location, functionName(hash), type);
  const mlir::OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(function.addEntryBlock());
  mlir::IRMapping mapping;
  mapping.map(task.getInputs(), function.getArguments());
  mlir::Operation* copy = builder.clone(*task, mapping);
  mlir::func::ReturnOp::create(builder, location, copy->getResults());
}

// Whether a value of a task's block is kept in exactly the bytes of that tensor.
bool isStoredAs(mlir::Value value, const abi::TensorEntry& tensor) {
  const auto type = llvm::dyn_cast<mlir::RankedTensorType>(value.getType());
  const auto element =
      type && type.hasStaticShape() ? tet::elementTypeFromMlir(type.getElementType()) : std::nullopt;
  return element && type.getShape() == llvm::ArrayRef<int64_t>(tensor.shape) &&
         byteSize(*element) * static_cast<uint64_t>(type.getNumElements()) == tensor.bytes;
}

bool areStoredAs(mlir::ValueRange values, const std::vector<int>& tensors, const abi::Manifest& manifest) {
  if (values.size() != tensors.size()) return false;
  for (size_t i = 0; i < tensors.size(); ++i) {
    if (!isStoredAs(values[i], manifest.tensors[tensors[i]])) return false;
  }
  return true;
}

Result<compile::Task> findTask(mlir::ModuleOp module, const abi::TaskEntry& entry,
                               const abi::Manifest& manifest) {
  auto function = module.lookupSymbol<mlir::func::FuncOp>(functionName(entry.hash));
  if (!function || function.isExternal()) return invalidArgument("task '{}' is missing", entry.name);
  auto task = llvm::dyn_cast<tet::TaskOp>(function.getBody().front().front());
  if (!task) return invalidArgument("task '{}' is no task", entry.name);
  mlir::Block& block = task.getBody().front();
  if (!areStoredAs(block.getArguments(), entry.inputs, manifest) ||
      !areStoredAs(block.getTerminator()->getOperands(), entry.outputs, manifest)) {
    return invalidArgument("task '{}' has other operands than the manifest says", entry.name);
  }
  return compile::Task{entry.name, &block, compile::taskHash(block)};
}

}  // namespace

std::string taskText(const TaskGraph& graph) {
  if (graph.tasks.empty()) return "";
  mlir::OpBuilder builder(graph.tasks.front().block->getParentOp()->getContext());
  mlir::OwningOpRef<mlir::ModuleOp> module = mlir::ModuleOp::create(builder.getUnknownLoc());
  builder.setInsertionPointToStart(module->getBody());
  std::set<std::string> done;
  for (size_t i = 0; i < graph.tasks.size(); ++i) {
    const std::string& hash = graph.manifest.tasks[i].hash;
    if (!done.insert(hash).second) continue;
    addFunction(builder, llvm::cast<tet::TaskOp>(graph.tasks[i].block->getParentOp()), hash);
  }
  std::string text;
  llvm::raw_string_ostream stream(text);
  module.get()->print(stream);
  return text;
}

Result<ParsedTasks> parseTasks(mlir::MLIRContext& context, const abi::Artifact& artifact) {
  const auto in_artifact = [&](const Status& status) {
    return propagate(status.withContext(artifact.name()));
  };
  auto module = tet::parseGraph(artifact.tasks(), &context, "tasks");
  if (!module) return in_artifact(module.error());
  ParsedTasks parsed{*std::move(module), {artifact.manifest(), {}, {}}};
  for (const abi::TaskEntry& entry : artifact.manifest().tasks) {
    auto task = findTask(*parsed.module, entry, artifact.manifest());
    if (!task) return in_artifact(task.error());
    parsed.graph.tasks.push_back(*std::move(task));
  }
  const std::span weights = artifact.weights();
  parsed.graph.weights = Tensor::view(ElementType::U8, {static_cast<int64_t>(weights.size())},
                                      const_cast<std::byte*>(weights.data()));
  attachConstants(parsed.graph);
  return parsed;
}

}  // namespace tetrarch::api
