// Files that were made to break an importer: each ends in one sentence that names the file and the cause.
#include <gtest/gtest.h>

#include <functional>

#include "mlir/IR/MLIRContext.h"
#include "tetrarch/import/onnx/import.h"
#include "tetrarch/import/onnx/test_models.h"

namespace tetrarch::onnx {
namespace {

Status importBytes(const std::string& bytes, const OnnxImportOptions& options = {}) {
  mlir::MLIRContext context(mlir::MLIRContext::Threading::DISABLED);
  auto module = importOnnx(context, std::as_bytes(std::span(bytes)), "bad.onnx", "/nonexistent", options);
  return module.has_value() ? Status() : module.error();
}

struct Case {
  std::string name;
  std::function<Model()> make;
  StatusCode code;
  std::string says;
};

// A model whose `x` has dimensions `dims`.
Model withInput(const std::vector<int64_t>& dims, int type = kFloat) {
  Model model = reluModel();
  model.mutable_graph()->mutable_input(0)->Clear();
  setTensorType(*model.mutable_graph()->mutable_input(0), "x", type, dims);
  return model;
}

Model withWeight(const std::function<void(TensorData&)>& fill) {
  Model model = addModel();
  fill(*model.mutable_graph()->mutable_initializer(0));
  return model;
}

Model withNode(
    std::string_view op, const std::vector<std::string>& inputs,
    const std::function<void(Node&)>& fill = [](Node&) {}) {
  Model model = emptyModel();
  fill(addNode(*model.mutable_graph(), op, inputs, {"y"}));
  return model;
}

Model withConstantShape(std::string_view op, std::vector<int64_t> shape) {
  Model model = emptyModel();
  TensorData& data =
      addInitializer(*model.mutable_graph(), "shape", kInt64, {static_cast<int64_t>(shape.size())});
  for (const int64_t dim : shape) data.add_int64_data(dim);
  if (op == "ConstantOfShape")
    addNode(*model.mutable_graph(), op, {"shape"}, {"y"});
  else
    addNode(*model.mutable_graph(), op, {"x", "shape"}, {"y"});
  return model;
}

// A node of the operator whose inputs after the first, `x` of shape `dims`, are lists of integers.
Model withConstants(
    std::string_view op, const std::vector<int64_t>& dims, const std::vector<std::vector<int64_t>>& constants,
    const std::function<void(Node&)>& fill = [](Node&) {}) {
  Model model = withInput(dims);
  model.mutable_graph()->clear_node();
  std::vector<std::string> inputs = {"x"};
  for (const auto& values : constants) {
    inputs.push_back("c" + std::to_string(inputs.size()));
    TensorData& data =
        addInitializer(*model.mutable_graph(), inputs.back(), kInt64, {static_cast<int64_t>(values.size())});
    for (const int64_t value : values) data.add_int64_data(value);
  }
  fill(addNode(*model.mutable_graph(), op, inputs, {"y"}));
  return model;
}

// A node of the operator on graph inputs of these shapes.
Model withInputs(
    std::string_view op, const std::vector<std::vector<int64_t>>& shapes,
    const std::function<void(Node&)>& fill = [](Node&) {}) {
  Model model = emptyModel(27);
  model.mutable_graph()->clear_input();
  std::vector<std::string> inputs;
  for (const auto& shape : shapes) {
    inputs.push_back("i" + std::to_string(inputs.size()));
    setTensorType(*model.mutable_graph()->add_input(), inputs.back(), kFloat, shape);
  }
  fill(addNode(*model.mutable_graph(), op, inputs, {"y"}));
  return model;
}

Model recursiveFunction() {
  Model model = withNode("F", {"x"}, [](Node& node) { node.set_domain("mine"); });
  for (const std::string name : {"F", "G"}) {
    Function& function = *model.add_functions();
    function.set_name(name);
    function.set_domain("mine");
    function.add_input("a");
    function.add_output("b");
    function.add_opset_import()->set_domain("mine");
    addNode(*function.mutable_node(), name == "F" ? "G" : "F", {"a"}, {"b"}).set_domain("mine");
  }
  return model;
}

// f0 calls f1 twice, f1 calls f2 twice, …: 2^40 nodes from 80.
Model functionBomb() {
  Model model = withNode("f0", {"x"}, [](Node& node) { node.set_domain("mine"); });
  for (int i = 0; i < 40; ++i) {
    Function& function = *model.add_functions();
    function.set_name("f" + std::to_string(i));
    function.set_domain("mine");
    function.add_input("a");
    function.add_output("c");
    function.add_opset_import()->set_version(21);
    function.add_opset_import()->set_domain("mine");
    const std::string next = i == 39 ? "Relu" : "f" + std::to_string(i + 1);
    for (const auto& [in, out] : {std::pair{"a", "b"}, std::pair{"b", "c"}}) {
      addNode(*function.mutable_node(), next, {in}, {out}).set_domain(i == 39 ? "" : "mine");
    }
  }
  return model;
}

Model nestedIfs(int depth) {
  Model model = emptyModel();
  addInitializer(*model.mutable_graph(), "c", 9, {}).add_int32_data(1);
  Graph* graph = model.mutable_graph();
  for (int i = 0; i < depth; ++i) {
    Node& node = addNode(*graph, "If", {"c"}, {i ? "z" : "y"});
    Graph& other = addGraph(node, "else_branch");
    addNode(other, "Identity", {"x"}, {"z"});
    setTensorType(*other.add_output(), "z", kFloat, {2, 3});
    graph = &addGraph(node, "then_branch");
    setTensorType(*graph->add_output(), "z", kFloat, {2, 3});
  }
  addNode(*graph, "Relu", {"x"}, {"z"});
  return model;
}

const std::vector<Case>& cases() {
  using enum StatusCode;
  static const std::vector<Case> all = {
      {"NoGraph",
       [] {
         Model m = reluModel();
         m.clear_graph();
         return m;
       },
       kInvalidArgument, "no graph"},
      {"NoOpset",
       [] {
         Model m = reluModel();
         m.clear_opset_import();
         return m;
       },
       kInvalidArgument, "no operator set"},
      {"Opset0", [] { return reluModel(0); }, kUnimplemented, "opset 0"},
      {"Opset999", [] { return reluModel(999); }, kUnimplemented, "opset 999"},
      {"OpsetTwice",
       [] {
         Model m = reluModel();
         m.add_opset_import()->set_version(20);
         return m;
       },
       kInvalidArgument, "twice"},
      {"IrVersion",
       [] {
         Model m = reluModel();
         m.set_ir_version(1 << 20);
         return m;
       },
       kInvalidArgument, "format version"},
      {"UnknownOp", [] { return withNode("Frobnicate", {"x"}); }, kUnimplemented, "Frobnicate"},
      {"UnknownDomain", [] { return withNode("Relu", {"x"}, [](Node& n) { n.set_domain("acme"); }); },
       kInvalidArgument, "domain 'acme'"},
      {"DanglingInput", [] { return withNode("Relu", {"nowhere"}); }, kInvalidArgument, "'nowhere'"},
      {"DanglingOutput", [] { return emptyModel(); }, kInvalidArgument, "output 'y'"},
      {"SelfCycle", [] { return withNode("Add", {"x", "y"}); }, kInvalidArgument, "cycle"},
      {"Cycle",
       [] {
         Model m = emptyModel();
         addNode(*m.mutable_graph(), "Add", {"x", "b"}, {"a"});
         addNode(*m.mutable_graph(), "Relu", {"a"}, {"b"});
         addNode(*m.mutable_graph(), "Relu", {"b"}, {"y"});
         return m;
       },
       kInvalidArgument, "cycle"},
      {"DuplicateOutput",
       [] {
         Model m = reluModel();
         addNode(*m.mutable_graph(), "Relu", {"x"}, {"y"});
         return m;
       },
       kInvalidArgument, "name of another value"},
      {"DuplicateInput",
       [] {
         Model m = reluModel();
         *m.mutable_graph()->add_input() = m.graph().input(0);
         return m;
       },
       kInvalidArgument, "two inputs"},
      {"DuplicateInitializer",
       [] {
         Model m = withWeight([](TensorData& w) { w.set_raw_data(std::string(24, 'x')); });
         *m.mutable_graph()->add_initializer() = m.graph().initializer(0);
         return m;
       },
       kInvalidArgument, "name of another value"},
      {"TooFewInputs", [] { return withNode("Add", {"x"}); }, kInvalidArgument, "has 1 inputs"},
      {"ShapesDoNotBroadcast",
       [] {
         Model m = addModel();
         m.mutable_graph()->mutable_initializer(0)->set_dims(1, 4);
         m.mutable_graph()->mutable_initializer(0)->set_raw_data(std::string(32, 'x'));
         return m;
       },
       kInvalidArgument, "broadcast"},
      {"MixedTypes",
       [] {
         return withWeight([](TensorData& w) {
           w.set_data_type(6);
           w.set_raw_data(std::string(24, 'x'));
         });
       },
       kInvalidArgument, "same type"},
      {"OutputOfOtherType",
       [] {
         Model m = reluModel();
         m.mutable_graph()->mutable_output(0)->mutable_type()->mutable_tensor_type()->set_elem_type(kInt64);
         return m;
       },
       kInvalidArgument, "declared i64"},
      {"TypeNumber", [] { return withInput({2}, 1234); }, kInvalidArgument, "1234"},
      {"NegativeTypeNumber", [] { return withInput({2}, -7); }, kInvalidArgument, "-7"},
      {"StringInput", [] { return withInput({2}, 8); }, kUnimplemented, "string"},
      {"SequenceInput",
       [] {
         Model m = reluModel();
         m.mutable_graph()->mutable_input(0)->mutable_type()->mutable_sequence_type();
         return m;
       },
       kUnimplemented, "not a tensor"},
      {"UnnamedDimension", [] { return withInput({2, -1}); }, kFailedPrecondition, "x[1]"},
      {"InputOf2To60", [] { return withInput({1LL << 30, 1LL << 30}); }, kInvalidArgument, "too large"},
      {"InputOverflows", [] { return withInput({1LL << 40, 1LL << 40}); }, kInvalidArgument, "too large"},
      {"WeightOf2To40", [] { return withWeight([](TensorData& w) { w.set_dims(0, 1LL << 40); }); },
       kInvalidArgument, "'w'"},
      {"WeightOverflows", [] { return withWeight([](TensorData& w) { w.set_dims(0, INT64_MAX); }); },
       kInvalidArgument, "'w'"},
      {"WeightNegative", [] { return withWeight([](TensorData& w) { w.set_dims(0, -2); }); },
       kInvalidArgument, "negative"},
      {"WeightShort", [] { return withWeight([](TensorData& w) { w.set_raw_data("abc"); }); },
       kInvalidArgument, "need 24 bytes, it has 3"},
      {"WeightWithoutData", [] { return withWeight([](TensorData&) {}); }, kInvalidArgument,
       "6 elements, it has 0"},
      {"WeightOfWrongType", [] { return withWeight([](TensorData& w) { w.set_data_type(99); }); },
       kInvalidArgument, "99"},
      {"WeightOfManyDims",
       [] {
         return withWeight([](TensorData& w) {
           for (int i = 0; i < 1000; ++i) w.add_dims(1);
         });
       },
       kInvalidArgument, "1002 dimensions"},
      {"DataLocation", [] { return withWeight([](TensorData& w) { w.set_data_location(7); }); },
       kInvalidArgument, "location 7"},
      {"SparseIndexOutside",
       [] {
         Model m = addModel();
         SparseTensorData& sparse = *m.mutable_graph()->add_sparse_initializer();
         *sparse.mutable_values() = m.graph().initializer(0);
         m.mutable_graph()->clear_initializer();
         sparse.mutable_values()->clear_dims();
         sparse.mutable_values()->add_dims(1);
         sparse.mutable_values()->add_float_data(1);
         sparse.mutable_indices()->set_data_type(kInt64);
         sparse.mutable_indices()->add_dims(1);
         sparse.mutable_indices()->add_int64_data(600);
         sparse.add_dims(6);
         return m;
       },
       kInvalidArgument, "index 600"},
      {"AttributeOfWrongType",
       [] {
         return withNode("Flatten", {"x"}, [](Node& n) { addInt(n, "axis", 1).set_type(Attribute::STRING); });
       },
       kInvalidArgument, "'axis' has the wrong type"},
      {"AxisOutside", [] { return withNode("Softmax", {"x"}, [](Node& n) { addInt(n, "axis", 5); }); },
       kInvalidArgument, "axis 5"},
      {"ReshapeWrongCount", [] { return withConstantShape("Reshape", {7}); }, kInvalidArgument,
       "cannot become"},
      {"ReshapeOverflow", [] { return withConstantShape("Reshape", {1LL << 40, 1LL << 40}); },
       kInvalidArgument, "too large"},
      {"ExpandOverflow", [] { return withConstantShape("Expand", {1LL << 40, 2, 3}); }, kOutOfRange,
       "too large"},
      {"FillOverflow", [] { return withConstantShape("ConstantOfShape", {INT64_MAX, INT64_MAX}); },
       kInvalidArgument, "2^62"},
      {"TileNegative", [] { return withConstantShape("Tile", {-1, 1}); }, kInvalidArgument, "repeat -1"},
      {"DftOf2To40", [] { return withConstants("DFT", {1, 8, 1}, {{1LL << 40}}); }, kUnimplemented,
       "length 1099511627776"},
      {"DftAlongItsParts", [] { return withConstants("DFT", {1, 8, 1}, {{8}, {2}}); }, kInvalidArgument,
       "real and imaginary"},
      {"StftWithoutStep", [] { return withConstants("STFT", {1, 8, 1}, {{0}}); }, kInvalidArgument, "step"},
      {"WindowOf2To60",
       [] {
         Model m = withConstantShape("HannWindow", {1LL << 60});
         m.mutable_graph()->mutable_node(0)->mutable_input()->DeleteSubrange(0, 1);
         return m;
       },
       kInvalidArgument, "not usable"},
      {"Col2ImOfAHugePicture",
       [] { return withConstants("Col2Im", {1, 4, 4}, {{1 << 30, 1 << 30}, {2, 2}}); }, kInvalidArgument,
       "too large"},
      {"Col2ImOfOtherCount", [] { return withConstants("Col2Im", {1, 4, 5}, {{3, 3}, {2, 2}}); },
       kInvalidArgument, "columns do not fit"},
      {"AffineGridOf2To60",
       [] { return withConstants("AffineGrid", {1, 2, 3}, {{1, 1, 1LL << 30, 1LL << 30}}); }, kOutOfRange,
       "too large"},
      {"AffineGridOfOtherBatch", [] { return withConstants("AffineGrid", {2, 2, 3}, {{1, 1, 4, 4}}); },
       kInvalidArgument, "theta"},
      {"GridOfOtherRank", [] { return withInputs("GridSample", {{1, 1, 4, 4}, {1, 2, 2, 3}}); },
       kInvalidArgument, "grid"},
      {"GridOf2To60", [] { return withInputs("GridSample", {{1, 1 << 20, 4, 4}, {1, 1 << 18, 1 << 18, 2}}); },
       kOutOfRange, "too large"},
      {"PoolOverPaddingOf2To60",
       [] {
         return withInputs("MaxPool", {{1, 1, 8, 8}}, [](Node& n) {
           for (const auto& [name, count] : {std::pair{"kernel_shape", 2}, std::pair{"pads", 4}}) {
             Attribute& sizes = *n.add_attribute();
             sizes.set_name(name), sizes.set_type(Attribute::INTS);
             for (int i = 0; i < count; ++i) sizes.add_ints(count == 2 ? 1 << 30 : 1 << 29);
           }
         });
       },
       kInvalidArgument, "with padding is too large"},
      {"DeterminantOfAHugeMatrix", [] { return withInputs("Det", {{1 << 10, 1 << 10}}); }, kUnimplemented,
       "1024 rows"},
      {"DeterminantOfAScalar", [] { return withInputs("Det", {{}}); }, kInvalidArgument, "square"},
      {"DeformedByManyGroups",
       [] {
         return withInputs("DeformConv", {{1, 4, 8, 8}, {4, 4, 3, 3}, {1, 18, 6, 6}},
                           [](Node& n) { addInt(n, "offset_group", INT64_MAX); });
       },
       kInvalidArgument, "groups"},
      {"DeformedByNoKernel",
       [] { return withInputs("DeformConv", {{1, 4, 8, 8}, {0, 4, 3, 3}, {1, 18, 6, 6}}); }, kInvalidArgument,
       "fit"},
      {"LinearAttentionForever",
       [] {
         return withInputs(
             "LinearAttention", {{1, 1 << 20, 8}, {1, 1 << 20, 8}, {1, 1 << 20, 8}}, [](Node& n) {
               addInt(n, "q_num_heads", 2), addInt(n, "kv_num_heads", 2);
               Attribute& rule = *n.add_attribute();
               rule.set_name("update_rule"), rule.set_type(Attribute::STRING), rule.set_s("linear");
             });
       },
       kUnimplemented, "1048576 steps"},
      {"CausalConvWithoutKernel", [] { return withInputs("CausalConvWithState", {{1, 4, 8}, {4, 1, 0}}); },
       kInvalidArgument, "weights"},
      {"NonMaxSuppressionOfOtherBoxes",
       [] { return withInputs("NonMaxSuppression", {{1, 4, 5}, {1, 1, 4}}); }, kFailedPrecondition, "'i0'"},
      {"RecursiveFunction", recursiveFunction, kInvalidArgument, "calls itself"},
      {"FunctionBomb", functionBomb, kOutOfRange, "nodes"},
      {"NameThatIsNoText",
       [] {
         Model m = reluModel();
         m.mutable_graph()->mutable_node(0)->set_name("relu \xff");
         return m;
       },
       kInvalidArgument, "UTF-8"},
      {"NameOfSeveralLines", [] { return withNode("Relu", {"no\nwhere\x1b[2J"}); }, kInvalidArgument,
       "'no where [2J'"},
      {"IfWithoutBranches", [] { return withNode("If", {"x"}); }, kInvalidArgument, "'then_branch'"},
      {"IfWhoseBranchesDiffer",
       [] {
         Model m = withNode("If", {"x"});
         m.mutable_graph()->mutable_input(0)->clear_type();
         setTensorType(*m.mutable_graph()->mutable_input(0), "x", 9, {1});
         Graph& yes = addGraph(*m.mutable_graph()->mutable_node(0), "then_branch");
         addNode(yes, "Not", {"x"}, {"z"});
         setTensorType(*yes.add_output(), "z", 9, {1});
         addGraph(*m.mutable_graph()->mutable_node(0), "else_branch");
         return m;
       },
       kInvalidArgument, "branch does not return"},
      {"IfVeryDeep", [] { return nestedIfs(60); }, kInvalidArgument, "nests deeper"},
      {"EndlessLoop",
       [] {
         Model m = withNode("Loop", {"", "", "x"});
         Graph& body = addGraph(*m.mutable_graph()->mutable_node(0), "body");
         for (const char* name : {"i", "c", "v"}) body.add_input()->set_name(name);
         for (const char* name : {"c", "v"}) body.add_output()->set_name(name);
         return m;
       },
       kOutOfRange, "iterations"},
  };
  return all;
}

class Hostile : public testing::TestWithParam<Case> {};

TEST_P(Hostile, IsOneSentence) {
  OnnxImportOptions options;
  options.limits.nodes = 100'000;
  const Status status = importBytes(GetParam().make().SerializeAsString(), options);
  EXPECT_EQ(status.code(), GetParam().code) << status.toString();
  EXPECT_TRUE(status.message().starts_with("bad.onnx: ")) << status.toString();
  EXPECT_NE(status.message().find(GetParam().says), std::string_view::npos) << status.toString();
  EXPECT_EQ(status.message().find('\n'), std::string_view::npos) << status.toString();
  EXPECT_EQ(exitCode(status), 2) << "the file is at fault";
}

INSTANTIATE_TEST_SUITE_P(Corpus, Hostile, testing::ValuesIn(cases()),
                         [](const auto& info) { return info.param.name; });

TEST(HostileFile, EveryTruncationIsRefused) {
  const std::string whole =
      withWeight([](TensorData& w) { w.set_raw_data(std::string(24, 'x')); }).SerializeAsString();
  ASSERT_TRUE(importBytes(whole).ok());
  for (size_t size = 0; size < whole.size(); ++size)
    EXPECT_FALSE(importBytes(whole.substr(0, size)).ok()) << size;
}

TEST(HostileFile, GarbageIsRefused) {
  EXPECT_EQ(importBytes("this is not a model").code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(importBytes(std::string(1000, '\xff')).code(), StatusCode::kInvalidArgument);
}

TEST(HostileFile, MissingFilesAndFolders) {
  mlir::MLIRContext context(mlir::MLIRContext::Threading::DISABLED);
  EXPECT_EQ(importOnnx(context, "/nonexistent/m.onnx").error().code(), StatusCode::kNotFound);
  EXPECT_EQ(importOnnx(context, "/tmp").error().code(), StatusCode::kInvalidArgument);
}

TEST(HostileFile, AMillionNodesInReasonableTime) {
  Model model = emptyModel();
  constexpr int kNodes = 1'000'000;
  for (int i = 0; i < kNodes; ++i) {
    Node& node = *model.mutable_graph()->add_node();
    node.set_op_type("Relu");
    node.add_input(i == 0 ? "x" : std::to_string(i - 1));
    node.add_output(i == kNodes - 1 ? "y" : std::to_string(i));
  }
  EXPECT_TRUE(importBytes(model.SerializeAsString()).ok());
}

}  // namespace
}  // namespace tetrarch::onnx
