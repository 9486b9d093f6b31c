#include "tetrarch/import/onnx/importer.h"

#include <algorithm>

#include "llvm/ADT/STLExtras.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "tetrarch/graph/tet.h"
#include "tetrarch/graph/types.h"
#include "tetrarch/import/onnx/op_table.h"

namespace tetrarch::onnx {
namespace {

constexpr size_t kDeepestCall = 64;  // of functions in functions, each of which takes a part of the stack

std::string functionKey(std::string_view domain, std::string_view name, std::string_view overload) {
  return fmt::format("{}:{}:{}", domain == "ai.onnx" ? "" : domain, name, overload);
}

// Erases what no result depends on, users before producers.
void eraseDead(mlir::Block& block) {
  for (mlir::Operation& op : llvm::make_early_inc_range(llvm::reverse(block))) {
    if (mlir::isOpTriviallyDead(&op)) {
      op.erase();
      continue;
    }
    for (mlir::Region& region : op.getRegions()) {
      for (mlir::Block& inner : region) eraseDead(inner);
    }
  }
}

}  // namespace

std::string describeNode(const Node& node) {
  const std::string op = node.domain().empty() ? node.op_type() : node.domain() + "." + node.op_type();
  if (!node.name().empty()) return fmt::format("node '{}' ({})", node.name(), op);
  return fmt::format("node that makes '{}' ({})", node.output_size() ? node.output(0) : "", op);
}

Importer::Importer(mlir::MLIRContext& context, std::shared_ptr<Model> model,
                   const std::filesystem::path& folder, const OnnxImportOptions& options, OnnxNeeds& needs)
    : model_(std::move(model)),
      options_(options),
      needs_(needs),
      ops_(&context),
      builder_(ops_),
      source_{folder, model_, options.limits.expanded_bytes},
      dims_(options.dims) {}

Result<mlir::OwningOpRef<mlir::ModuleOp>> Importer::run() {
  TET_ASSIGN_OR_RETURN(opsets_, readOpsets(model_->opset_import()));
  for (const Function& function : model_->functions()) {
    const std::string key = functionKey(function.domain(), function.name(), function.overload());
    if (!functions_.emplace(key, &function).second) {
      return invalidArgument("it defines function '{}' twice", function.name());
    }
  }
  mlir::OwningOpRef<mlir::ModuleOp> module = mlir::ModuleOp::create(ops_.getUnknownLoc());
  ops_.setInsertionPointToEnd(module->getBody());
  auto main = mlir::func::FuncOp::create(ops_, ops_.getUnknownLoc(), "main", ops_.getFunctionType({}, {}));
  TET_RETURN_IF_ERROR(importMain(main));
  eraseDead(main.front());
  if (mlir::failed(mlir::verify(*module))) return internalError("the graph made of it does not verify");
  return module;
}

Status Importer::importMain(mlir::func::FuncOp main) {
  ops_.setInsertionPointToEnd(main.addEntryBlock());
  TET_ASSIGN_OR_RETURN(Scope scope, importInputs(main));
  TET_RETURN_IF_ERROR(readInitializers(model_->graph(), scope));
  Frame frame;
  frame.opsets = &opsets_;
  TET_RETURN_IF_ERROR(importNodes(model_->graph().node(), scope, frame));
  return returnOutputs(main, scope);
}

//-- Constants and values

Result<Value> Importer::readConstant(const TensorData& data) {
  auto found = tensors_.find(&data);
  if (found == tensors_.end()) {
    auto tensor = readTensor(data, source_);
    if (!tensor.has_value())
      return propagate(tensor.error().withContext(fmt::format("tensor '{}'", data.name())));
    found = tensors_.emplace(&data, std::move(*tensor)).first;
  }
  return builder_.constant(found->second);
}

Result<Value> Importer::readConstant(const SparseTensorData& data) {
  auto tensor = readSparseTensor(data, source_);
  if (!tensor.has_value()) {
    return propagate(tensor.error().withContext(fmt::format("sparse tensor '{}'", data.values().name())));
  }
  return builder_.constant(*tensor);
}

Status Importer::readInitializers(const Graph& graph, Scope& scope) {
  auto define = [&](const std::string& name, Value value) -> Status {
    if (name.empty()) return invalidArgument("an initializer has no name");
    if (scope.values.emplace(name, value).second) return {};
    // An input that is bound to a value has taken the place of its initializer, its default.
    if (&graph == &model_->graph() && options_.values.contains(name)) return {};
    return invalidArgument("initializer '{}' has the name of another value", name);
  };
  for (const TensorData& data : graph.initializer()) {
    TET_ASSIGN_OR_RETURN(const Value value, readConstant(data));
    TET_RETURN_IF_ERROR(define(data.name(), value));
  }
  for (const SparseTensorData& data : graph.sparse_initializer()) {
    TET_ASSIGN_OR_RETURN(const Value value, readConstant(data));
    TET_RETURN_IF_ERROR(define(data.values().name(), value));
  }
  return {};
}

Result<Tensor> Importer::require(Value value, const std::string& what) {
  llvm::SmallVector<mlir::BlockArgument> depends_on;
  auto tensor = builder_.require(value, depends_on);
  if (tensor.has_value()) return tensor;
  std::string names;
  for (mlir::BlockArgument argument : depends_on) {
    auto main = llvm::dyn_cast<mlir::func::FuncOp>(argument.getOwner()->getParentOp());
    auto name = main ? main.getArgAttrOfType<mlir::StringAttr>(argument.getArgNumber(), "tet.name") : nullptr;
    if (!name) return unimplemented("{} changes from one iteration of a loop to the next", what);
    names += fmt::format("{}'{}'", names.empty() ? "" : ", ", name.str());
    if (tensor.error().code() == StatusCode::kFailedPrecondition) needs_.values.push_back(name.str());
  }
  if (tensor.error().code() == StatusCode::kFailedPrecondition) {
    return fail(StatusCode::kFailedPrecondition,
                "{} depends on the value of graph input {}, which must be given", what, names);
  }
  return propagate(tensor.error().withContext(what));
}

//-- Nodes

Status Importer::importNodes(const google::protobuf::RepeatedPtrField<Node>& nodes, Scope& scope,
                             const Frame& frame) {
  for (const Node& node : nodes) {
    if (Status status = importNode(node, scope, frame); !status.ok())
      return status.withContext(describeNode(node));
  }
  return {};
}

Status Importer::checkInputs(const Node& node, const Scope& scope) const {
  for (const std::string& name : node.input()) {
    if (!name.empty() && !scope.lookUp(name)) {
      return invalidArgument(
          "its input '{}' is made by no node before it (it dangles, or is part of a cycle)", name);
    }
  }
  return {};
}

Status Importer::importNode(const Node& node, Scope& scope, const Frame& frame) {
  if (++nodes_ > options_.limits.nodes) {
    return fail(StatusCode::kOutOfRange, "the model expands to more than {} nodes", options_.limits.nodes);
  }
  TET_RETURN_IF_ERROR(checkInputs(node, scope));
  const auto function = functions_.empty()
                            ? functions_.end()
                            : functions_.find(functionKey(node.domain(), node.op_type(), node.overload()));
  if (function != functions_.end()) return callFunction(*function->second, node, scope, frame);
  return callOperator(node, scope, frame);
}

Status Importer::callOperator(const Node& node, Scope& scope, const Frame& frame) {
  const std::string domain = node.domain() == "ai.onnx" ? "" : node.domain();
  const auto version = frame.opsets->find(domain);
  if (version == frame.opsets->end())
    return invalidArgument("the model does not import its domain '{}'", domain);
  TET_ASSIGN_OR_RETURN(const OpRow* row, findOp(domain, node.op_type(), version->second));
  if (node.input_size() < row->min_inputs || node.input_size() > row->max_inputs) {
    return invalidArgument("it has {} inputs, the operator takes {} to {}", node.input_size(),
                           row->min_inputs, row->max_inputs);
  }
  OpContext context(*this, builder_, node, scope, frame, version->second);
  Status status = row->handler(context);
  return status.ok() ? builder_.status() : status;
}

Status Importer::callFunction(const Function& function, const Node& node, Scope& scope, const Frame& frame) {
  if (active_.size() >= kDeepestCall) {
    return invalidArgument("functions call each other more than {} deep", kDeepestCall);
  }
  if (!active_.insert(&function).second)
    return invalidArgument("function '{}' calls itself", function.name());
  OpContext caller(*this, builder_, node, scope, frame, 0);
  if (node.input_size() > function.input_size() || node.output_size() > function.output_size()) {
    return invalidArgument("it has more inputs or outputs than its function");
  }
  TET_ASSIGN_OR_RETURN(const Opsets opsets, readOpsets(function.opset_import()));
  Frame inner;
  inner.opsets = &opsets;
  for (const Attribute& attribute : function.attribute_proto())
    inner.attributes[attribute.name()] = &attribute;
  for (const Attribute& given : node.attribute()) {
    if (const Attribute* resolved = caller.attribute(given.name())) inner.attributes[given.name()] = resolved;
  }
  Scope body;
  for (int i = 0; i < function.input_size(); ++i) {
    body.values[function.input(i)] = caller.has(i) ? caller.in(i) : Value();
  }
  TET_RETURN_IF_ERROR(importNodes(function.node(), body, inner));
  Values results;
  for (const std::string& name : function.output()) results.push_back(body.lookUp(name).value_or(Value()));
  active_.erase(&function);
  return caller.results(results);
}

Result<Values> Importer::importSubgraph(const Graph& graph, llvm::ArrayRef<Value> arguments,
                                        const Scope& outer, const Frame& frame) {
  if (static_cast<size_t>(graph.input_size()) != arguments.size()) {
    return invalidArgument("its subgraph '{}' has {} inputs instead of {}", graph.name(), graph.input_size(),
                           arguments.size());
  }
  Scope scope(&outer);
  for (int i = 0; i < graph.input_size(); ++i) scope.values[graph.input(i).name()] = arguments[i];
  TET_RETURN_IF_ERROR(readInitializers(graph, scope));
  TET_RETURN_IF_ERROR(importNodes(graph.node(), scope, frame));
  Values results;
  for (const ValueInfo& output : graph.output()) {
    results.push_back(scope.lookUp(output.name()).value_or(Value()));
    if (!results.back()) return invalidArgument("nothing makes output '{}' of its subgraph", output.name());
  }
  return results;
}

}  // namespace tetrarch::onnx
