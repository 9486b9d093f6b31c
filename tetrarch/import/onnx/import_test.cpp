// What an import makes of good models. The operators one by one are ONNX's own suite:
// test/onnx_conformance.py.
#include "tetrarch/import/onnx/import.h"

#include <gtest/gtest.h>

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/MLIRContext.h"
#include "tetrarch/graph/interpreter.h"
#include "tetrarch/import/onnx/test_models.h"

namespace tetrarch::onnx {
namespace {

class Import : public testing::Test {
 protected:
  auto import(const Model& model, const OnnxImportOptions& options = {}) {
    const std::string bytes = model.SerializeAsString();
    return importOnnx(context_, std::as_bytes(std::span(bytes)), "m.onnx", ".", options, &needs_);
  }
  std::vector<Tensor> run(const Model& model, std::vector<Tensor> inputs,
                          const OnnxImportOptions& options = {}) {
    auto module = import(model, options);
    if (!module.has_value()) {
      ADD_FAILURE() << module.error().toString();
      return {Tensor::create(ElementType::F32, {2, 3}).value()};
    }
    return tet::interpret(**module, std::move(inputs)).value();
  }
  static Tensor ramp() {
    return Tensor::of<double>(ElementType::F32, {2, 3}, std::vector<double>{-3, -2, -1, 0, 1, 2});
  }

  mlir::MLIRContext context_{mlir::MLIRContext::Threading::DISABLED};
  OnnxNeeds needs_;
};

TEST_F(Import, KeepsNames) {
  auto module = import(reluModel());
  ASSERT_TRUE(module.has_value());
  auto main = (*module)->lookupSymbol<mlir::func::FuncOp>("main");
  EXPECT_EQ(main.getArgAttrOfType<mlir::StringAttr>(0, "tet.name").str(), "x");
  EXPECT_EQ(main.getResultAttrOfType<mlir::StringAttr>(0, "tet.name").str(), "y");
}

TEST_F(Import, NamedDimensionsAreBound) {
  Model model = reluModel();
  model.mutable_graph()
      ->mutable_input(0)
      ->mutable_type()
      ->mutable_tensor_type()
      ->mutable_shape()
      ->mutable_dim(0)
      ->set_dim_param("batch");
  auto unbound = import(model);
  ASSERT_FALSE(unbound.has_value());
  EXPECT_EQ(unbound.error().code(), StatusCode::kFailedPrecondition);
  EXPECT_NE(unbound.error().message().find("--dim batch=1"), std::string_view::npos);
  EXPECT_EQ(needs_.dims, std::vector<std::string>{"batch"});
  OnnxImportOptions options;
  options.dims["batch"] = 2;
  EXPECT_EQ(run(model, {ramp()}, options)[0].getDouble(5), 2);
}

TEST_F(Import, AnInputThatDecidesAShapeIsAskedFor) {
  Model model = emptyModel();
  setTensorType(*model.mutable_graph()->add_input(), "shape", kInt64, {1});
  addNode(*model.mutable_graph(), "Reshape", {"x", "shape"}, {"y"});
  auto unbound = import(model);
  ASSERT_FALSE(unbound.has_value());
  EXPECT_EQ(unbound.error().code(), StatusCode::kFailedPrecondition);
  EXPECT_EQ(needs_.values, std::vector<std::string>{"shape"});
  OnnxImportOptions options;
  options.values["shape"] = Tensor::of<int64_t>(ElementType::I64, {1}, std::vector<int64_t>{-1});
  EXPECT_EQ(run(model, {ramp()}, options)[0].shape(), (Shape{6}));
}

TEST_F(Import, ShapeArithmeticLeavesNoOps) {
  Model model = emptyModel();
  Graph& graph = *model.mutable_graph();
  addInitializer(graph, "zero", kInt64, {1}).add_int64_data(0);
  addInitializer(graph, "minus", kInt64, {1}).add_int64_data(-1);
  addNode(graph, "Shape", {"x"}, {"s"});
  addNode(graph, "Gather", {"s", "zero"}, {"rows"});
  addNode(graph, "Concat", {"rows", "minus"}, {"target"});
  addInt(*graph.mutable_node(2), "axis", 0);
  addNode(graph, "Reshape", {"x", "target"}, {"y"});
  auto module = import(model);
  ASSERT_TRUE(module.has_value()) << module.error().toString();
  auto main = (*module)->lookupSymbol<mlir::func::FuncOp>("main");
  EXPECT_EQ(main.front().getOperations().size(), 1u);  // the reshape to the same shape is gone too
}

TEST_F(Import, FunctionsAreInlinedWithTheirAttributes) {
  Model model = emptyModel();
  model.add_opset_import()->set_domain("mine");
  addInt(addNode(*model.mutable_graph(), "Cut", {"x"}, {"y"}), "at", 1).set_type(Attribute::INT);
  model.mutable_graph()->mutable_node(0)->set_domain("mine");
  Function& function = *model.add_functions();
  function.set_name("Cut");
  function.set_domain("mine");
  function.add_input("a");
  function.add_output("b");
  function.add_attribute("at");
  function.add_opset_import()->set_version(21);
  Attribute& axis = addInt(addNode(*function.mutable_node(), "Flatten", {"a"}, {"b"}), "axis", 0);
  axis.set_ref_attr_name("at");
  EXPECT_EQ(run(model, {ramp()})[0].shape(), (Shape{2, 3}));
}

TEST_F(Import, ARunTimeConditionBecomesAnIf) {
  Model model = emptyModel();
  setTensorType(*model.mutable_graph()->add_input(), "c", 9, {});
  Node& node = addNode(*model.mutable_graph(), "If", {"c"}, {"y"});
  for (const auto& [branch, op] : {std::pair{"then_branch", "Relu"}, std::pair{"else_branch", "Neg"}}) {
    Graph& graph = addGraph(node, branch);
    addNode(graph, op, {"x"}, {"z"});
    setTensorType(*graph.add_output(), "z", kFloat, {2, 3});
  }
  const auto flag = [](int64_t value) {
    return Tensor::of<int64_t>(ElementType::I1, {}, std::vector<int64_t>{value});
  };
  EXPECT_EQ(run(model, {ramp(), flag(1)})[0].getDouble(0), 0);
  EXPECT_EQ(run(model, {ramp(), flag(0)})[0].getDouble(0), 3);
}

TEST_F(Import, ARunTimeTripCountBecomesAWhile) {
  Model model = emptyModel();
  setTensorType(*model.mutable_graph()->add_input(), "n", kInt64, {});
  Graph& body = addGraph(addNode(*model.mutable_graph(), "Loop", {"n", "", "x"}, {"y"}), "body");
  for (const char* name : {"i", "c", "v"}) body.add_input()->set_name(name);
  addNode(body, "Add", {"v", "v"}, {"w"});
  for (const char* name : {"c", "w"}) body.add_output()->set_name(name);
  const Tensor three = Tensor::of<int64_t>(ElementType::I64, {}, std::vector<int64_t>{3});
  EXPECT_EQ(run(model, {ramp(), three})[0].getDouble(5), 16);
}

TEST_F(Import, DescribesTheInterfaceWithoutImporting) {
  const std::string bytes = emptyModel().SerializeAsString();
  const auto interface = describeOnnx(std::as_bytes(std::span(bytes)), "m.onnx");
  ASSERT_TRUE(interface.has_value());
  ASSERT_EQ(interface->inputs.size(), 1u);
  EXPECT_EQ(interface->inputs[0].type, "f32");
  EXPECT_EQ(interface->inputs[0].dims->at(1).size, 3);
  EXPECT_EQ(interface->opset, 21);
}

}  // namespace
}  // namespace tetrarch::onnx
