// Small ONNX models for tests and fuzz seeds, built through the format's own classes.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tetrarch/import/onnx/onnx.pb.h"

namespace tetrarch::onnx {

inline constexpr int kFloat = 1, kInt64 = 7;  // TensorProto.DataType

// Adds a node; attributes are added to what it returns.
inline Node& addNode(google::protobuf::RepeatedPtrField<Node>& nodes, std::string_view op,
                     const std::vector<std::string>& inputs, const std::vector<std::string>& outputs) {
  Node& node = *nodes.Add();
  node.set_op_type(std::string(op));
  node.set_name(std::string(op) + "_" + std::to_string(nodes.size()));
  for (const std::string& name : inputs) node.add_input(name);
  for (const std::string& name : outputs) node.add_output(name);
  return node;
}
inline Node& addNode(Graph& graph, std::string_view op, const std::vector<std::string>& inputs,
                     const std::vector<std::string>& outputs) {
  return addNode(*graph.mutable_node(), op, inputs, outputs);
}

inline void setTensorType(ValueInfo& info, const std::string& name, int type,
                          const std::vector<int64_t>& shape) {
  info.set_name(name);
  auto& tensor = *info.mutable_type()->mutable_tensor_type();
  tensor.set_elem_type(type);
  tensor.mutable_shape();
  for (const int64_t dim : shape) tensor.mutable_shape()->add_dim()->set_dim_value(dim);
}

inline Attribute& addInt(Node& node, const std::string& name, int64_t value) {
  Attribute& attribute = *node.add_attribute();
  attribute.set_name(name);
  attribute.set_type(Attribute::INT);
  attribute.set_i(value);
  return attribute;
}

inline Graph& addGraph(Node& node, const std::string& name) {
  Attribute& attribute = *node.add_attribute();
  attribute.set_name(name);
  attribute.set_type(Attribute::GRAPH);
  return *attribute.mutable_g();
}

inline TensorData& addInitializer(Graph& graph, const std::string& name, int type,
                                  const std::vector<int64_t>& dims) {
  TensorData& data = *graph.add_initializer();
  data.set_name(name);
  data.set_data_type(type);
  for (const int64_t dim : dims) data.add_dims(dim);
  return data;
}

// x: f32[2, 3] to y, without nodes.
inline Model emptyModel(int64_t opset = 21) {
  Model model;
  model.set_ir_version(10);
  model.add_opset_import()->set_version(opset);
  setTensorType(*model.mutable_graph()->add_input(), "x", kFloat, {2, 3});
  setTensorType(*model.mutable_graph()->add_output(), "y", kFloat, {2, 3});
  return model;
}

// y = relu(x).
inline Model reluModel(int64_t opset = 21) {
  Model model = emptyModel(opset);
  addNode(*model.mutable_graph(), "Relu", {"x"}, {"y"});
  return model;
}

// y = x + w with w: f32[2, 3] still without data.
inline Model addModel() {
  Model model = emptyModel();
  addNode(*model.mutable_graph(), "Add", {"x", "w"}, {"y"});
  addInitializer(*model.mutable_graph(), "w", kFloat, {2, 3});
  return model;
}

}  // namespace tetrarch::onnx
