// What the handler of one operator sees: the node's inputs, attributes and outputs, and the builder.
//
// Reading an attribute of the wrong type or an input that is missing sets the builder's sticky error and
// yields a default, so that handlers read straight through; the importer looks at the status once, after the
// handler.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "tetrarch/import/graph_builder.h"
#include "tetrarch/import/onnx/model_file.h"
#include "tetrarch/import/onnx/onnx.pb.h"

namespace tetrarch::onnx {

class Importer;

// Names visible to a node; a subgraph also sees those of the graphs around it. Not owned; outlived by the
// importer.
struct Scope {
  explicit Scope(const Scope* outer = nullptr) : outer(outer) {}
  // The value, null for an optional input that the caller of a function left out; nothing for an unknown
  // name.
  std::optional<Value> lookUp(std::string_view name) const;

  const Scope* outer;
  std::unordered_map<std::string_view, Value> values;
};

// What a list of nodes is imported under: the model's main graph or one call of a function.
struct Frame {
  const Opsets* opsets = nullptr;
  std::unordered_map<std::string_view, const Attribute*> attributes;  // of the call, by the function's names
};

class OpContext {
 public:
  OpContext(Importer& importer, GraphBuilder& builder, const Node& node, Scope& scope, const Frame& frame,
            int64_t opset)
      : b(builder), node(node), scope(scope), frame(frame), opset(opset), importer(importer) {}

  GraphBuilder& b;
  const Node& node;
  Scope& scope;
  const Frame& frame;
  const int64_t opset;  // version of the node's own domain
  Importer& importer;

  //-- Inputs
  int inputCount() const { return node.input_size(); }
  bool has(int i) const;  // an optional input may be missing
  Value in(int i);
  Value inOr(int i, Value otherwise) { return has(i) ? in(i) : otherwise; }
  Values allInputs();
  // The value of input i, which must be known now since `what` depends on it.
  Result<Tensor> constant(int i, std::string_view what);
  Result<Shape> constantInts(int i, std::string_view what);
  // The same of attribute `name` where an older opset has one, else of input i; empty when there is neither.
  Result<Shape> intsFrom(std::string_view name, int i);

  //-- Attributes
  const Attribute* attribute(std::string_view name) const;  // null when absent
  bool hasAttribute(std::string_view name) const { return attribute(name) != nullptr; }
  int64_t getInt(std::string_view name, int64_t otherwise = 0);
  double getFloat(std::string_view name, double otherwise = 0);
  std::string getString(std::string_view name, std::string_view otherwise = "");
  Shape getInts(std::string_view name, Shape otherwise = {});
  std::vector<double> getFloats(std::string_view name);
  std::vector<std::string> getStrings(std::string_view name);
  const Graph* getGraph(std::string_view name);
  // Attribute `name` as an axis of `rank` dimensions, negative ones counted from the end.
  int64_t getAxis(std::string_view name, int64_t otherwise, int64_t rank);
  int64_t wrapAxis(int64_t axis, int64_t rank);
  Shape wrapAxes(Shape axes, int64_t rank);  // also refuses duplicates

  //-- Outputs
  bool wants(int i) const { return i < node.output_size() && !node.output(i).empty(); }
  Status result(Value value) { return results({value}); }
  Status results(llvm::ArrayRef<Value> values);
  template <typename... Args>
  Failure decline(fmt::format_string<Args...> format, Args&&... args) {
    return unimplemented(format, std::forward<Args>(args)...);
  }
  // Sets the sticky error.
  template <typename... Args>
  void refuse(fmt::format_string<Args...> format, Args&&... args) {
    b.fail(invalidArgument(format, std::forward<Args>(args)...));
  }
};

}  // namespace tetrarch::onnx
