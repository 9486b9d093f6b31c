// Walks an ONNX model and imports node by node. Internal to import/onnx.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <unordered_map>

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "tetrarch/import/onnx/import.h"
#include "tetrarch/import/onnx/op_context.h"
#include "tetrarch/import/onnx/tensor_data.h"

namespace tetrarch::onnx {

// "node 'name' (Op)", for messages.
std::string describeNode(const Node& node);

class Importer {
 public:
  Importer(mlir::MLIRContext& context, std::shared_ptr<Model> model, const std::filesystem::path& folder,
           const OnnxImportOptions& options, OnnxNeeds& needs);

  Result<mlir::OwningOpRef<mlir::ModuleOp>> run();

  //-- For handlers of operators with subgraphs and of those that need values
  // Imports `graph` with its inputs bound to `arguments`; its outputs. Names of `outer` are visible inside.
  Result<Values> importSubgraph(const Graph& graph, llvm::ArrayRef<Value> arguments, const Scope& outer,
                                const Frame& frame);
  Result<Tensor> require(Value value, const std::string& what);
  // A tensor in the file as a constant.
  Result<Value> readConstant(const TensorData& data);
  Result<Value> readConstant(const SparseTensorData& data);
  const OnnxLimits& limits() const { return options_.limits; }

 private:
  Status importMain(mlir::func::FuncOp main);
  Status importNodes(const google::protobuf::RepeatedPtrField<Node>& nodes, Scope& scope, const Frame& frame);
  Status importNode(const Node& node, Scope& scope, const Frame& frame);
  Status checkInputs(const Node& node, const Scope& scope) const;
  Status callFunction(const Function& function, const Node& node, Scope& scope, const Frame& frame);
  Status callOperator(const Node& node, Scope& scope, const Frame& frame);
  Status readInitializers(const Graph& graph, Scope& scope);

  std::string readerOf(const std::string& input) const;
  Result<Scope> importInputs(mlir::func::FuncOp main);
  Status importInput(const ValueInfo& info, mlir::func::FuncOp main, Scope& scope);
  Result<Shape> shapeOfInput(const ValueInfo& info);
  Status returnOutputs(mlir::func::FuncOp main, const Scope& scope);

  std::shared_ptr<Model> model_;
  const OnnxImportOptions& options_;
  OnnxNeeds& needs_;
  mlir::OpBuilder ops_;
  GraphBuilder builder_;
  TensorSource source_;
  Opsets opsets_;
  std::unordered_map<std::string, const Function*> functions_;  // by "domain:name:overload"
  std::set<const Function*> active_;                            // functions being inlined
  std::map<std::string, int64_t> dims_;                         // named dimensions bound so far
  std::unordered_map<const TensorData*, Tensor>
      tensors_;  // those read, since unrolled bodies read them again
  int64_t nodes_ = 0;
};

}  // namespace tetrarch::onnx
