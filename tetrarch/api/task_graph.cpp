#include "tetrarch/api/task_graph.h"

#include <algorithm>
#include <cstring>

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/MapVector.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "tetrarch/graph/constant_memory.h"
#include "tetrarch/graph/constants.h"
#include "tetrarch/graph/tet.h"
#include "tetrarch/graph/types.h"

namespace tetrarch::api {
namespace {

constexpr size_t kAlignment = 64;

class Collector {
 public:
  Result<TaskGraph> run(mlir::func::FuncOp main) {
    for (unsigned i = 0; i < main.getNumArguments(); ++i) {
      TET_RETURN_IF_ERROR(addInput(main, i));
    }
    for (mlir::Operation& op : main.getBody().front()) {
      TET_RETURN_IF_ERROR(add(main, op));
    }
    TET_RETURN_IF_ERROR(moveWeights(main.getContext()));
    return std::move(graph_);
  }

 private:
  Status add(mlir::func::FuncOp main, mlir::Operation& op) {
    if (auto constant = llvm::dyn_cast<tet::ConstantOp>(op)) return addConstant(constant);
    if (auto reshape = llvm::dyn_cast<tet::ReshapeOp>(op)) return addAlias(reshape);
    if (auto task = llvm::dyn_cast<tet::TaskOp>(op)) return addTask(task);
    if (llvm::isa<mlir::func::ReturnOp>(op)) return addOutputs(main, op);
    return internalError("'{}' is left beside the tasks", op.getName().getStringRef().str());
  }

  int addTensor(mlir::Value value, abi::TensorKind kind) {
    abi::TensorEntry entry{tet::elementTypeOf(value), tet::shapeOf(value), 0, kind};
    entry.bytes = byteSize(entry.type);
    for (int64_t dim : entry.shape) entry.bytes *= static_cast<uint64_t>(dim);
    const int number = static_cast<int>(graph_.manifest.tensors.size());
    graph_.manifest.tensors.push_back(std::move(entry));
    numbers_[value] = number;
    return number;
  }

  Status addInput(mlir::func::FuncOp main, unsigned i) {
    const auto name = main.getArgAttrOfType<mlir::StringAttr>(i, "tet.name");
    if (!name) return internalError("input {} has no name", i);
    const int tensor = addTensor(main.getArgument(i), abi::TensorKind::Input);
    const abi::TensorEntry& entry = graph_.manifest.tensors[tensor];
    graph_.manifest.inputs.push_back({name.str(), entry.type, entry.shape, tensor});
    return {};
  }

  // Constants of one value are stored once.
  Status addConstant(tet::ConstantOp op) {
    const int number = addTensor(op.getResult(), abi::TensorKind::Constant);
    abi::TensorEntry& entry = graph_.manifest.tensors[number];
    const auto [offset, fresh] = offsets_.try_emplace(op.getValue(), 0);
    if (fresh) {
      weight_bytes_ = (weight_bytes_ + kAlignment - 1) / kAlignment * kAlignment;
      offset->second = weight_bytes_;
      weight_bytes_ += entry.bytes;
    }
    entry.offset = offset->second;
    return {};
  }

  Status moveWeights(mlir::MLIRContext* context) {
    if (weight_bytes_ == 0) return {};
    const auto total = static_cast<int64_t>(weight_bytes_);
    TET_ASSIGN_OR_RETURN(graph_.weights, Tensor::uninitialized(ElementType::U8, {total}));
    auto* weights = graph_.weights.as<std::byte>();
    uint64_t end = 0;  // of what is written
    for (const auto& [value, offset] : offsets_) {
      TET_ASSIGN_OR_RETURN(const Tensor tensor, tet::tensorOf(value));
      std::fill(weights + end, weights + offset, std::byte{0});
      if (tensor.bytes() > 0) std::memcpy(weights + offset, tensor.data(), tensor.bytes());
      end = offset + tensor.bytes();
      if (auto resource = llvm::dyn_cast<mlir::DenseResourceElementsAttr>(value))
        tet::ConstantMemory::of(context).release(resource.getRawHandle().getKey());
    }
    return {};
  }

  Status addAlias(tet::ReshapeOp op) {
    const int of = abi::rootTensor(graph_.manifest, numbers_.lookup(op.getOperand()));
    const abi::TensorEntry target = graph_.manifest.tensors[of];
    const int number = addTensor(op.getResult(), target.kind);
    graph_.manifest.tensors[number].alias_of = of;
    graph_.manifest.tensors[number].offset = target.offset;
    return {};
  }

  Status addTask(tet::TaskOp op) {
    mlir::Block& block = op.getBody().front();
    compile::Task task{op.getName().str(), &block, compile::taskHash(block)};
    abi::TaskEntry entry;
    entry.name = task.name;
    entry.root = op.getRoot()        ? op.getRoot()->str()
                 : op.getComposite() ? op.getComposite()->str()
                                     : "elementwise";
    entry.hash = fmt::format("{:016x}", task.hash);
    for (mlir::Value input : op.getInputs()) entry.inputs.push_back(numbers_.lookup(input));
    for (mlir::Value result : op.getResults())
      entry.outputs.push_back(addTensor(result, abi::TensorKind::Temporary));
    entry.bytes = static_cast<double>(bytesOf(entry.inputs) + bytesOf(entry.outputs));
    if (auto flops = op->getAttrOfType<mlir::IntegerAttr>("flops"))
      entry.flops = static_cast<double>(flops.getInt());
    graph_.manifest.tasks.push_back(std::move(entry));
    graph_.tasks.push_back(std::move(task));
    return {};
  }

  Status addOutputs(mlir::func::FuncOp main, mlir::Operation& op) {
    for (unsigned i = 0; i < op.getNumOperands(); ++i) {
      const auto name = main.getResultAttrOfType<mlir::StringAttr>(i, "tet.name");
      if (!name) return internalError("output {} has no name", i);
      const int tensor = numbers_.lookup(op.getOperand(i));
      const abi::TensorEntry& entry = graph_.manifest.tensors[tensor];
      graph_.manifest.outputs.push_back({name.str(), entry.type, entry.shape, tensor});
    }
    return {};
  }

  uint64_t bytesOf(const std::vector<int>& tensors) const {
    uint64_t bytes = 0;
    for (int t : tensors) bytes += graph_.manifest.tensors[t].bytes;
    return bytes;
  }

  TaskGraph graph_;
  llvm::DenseMap<mlir::Value, int> numbers_;
  llvm::MapVector<mlir::ElementsAttr, uint64_t> offsets_;  // of constants in the weights, ascending
  uint64_t weight_bytes_ = 0;
};

}  // namespace

Result<TaskGraph> collectTasks(mlir::ModuleOp module) {
  auto main = module.lookupSymbol<mlir::func::FuncOp>("main");
  if (!main || !main.getBody().hasOneBlock())
    return internalError("the graph has no function 'main' of one block");
  TET_ASSIGN_OR_RETURN(TaskGraph graph, Collector().run(main));
  attachConstants(graph);
  return graph;
}

void attachConstants(TaskGraph& graph) {
  const abi::Manifest& manifest = graph.manifest;
  for (size_t i = 0; i < graph.tasks.size(); ++i) {
    std::vector<std::span<const std::byte>> constants;
    for (int input : manifest.tasks[i].inputs) {
      const abi::TensorEntry& tensor = manifest.tensors[abi::rootTensor(manifest, input)];
      const bool is_known = tensor.kind == abi::TensorKind::Constant && graph.weights.bytes() > 0;
      constants.push_back(is_known ? bytesOf(graph.weights).subspan(tensor.offset, tensor.bytes)
                                   : std::span<const std::byte>());
    }
    graph.tasks[i].constants = std::move(constants);
  }
}

}  // namespace tetrarch::api
