// Weights in files beside the model: what may be read, and from which places of a model.
#include "tetrarch/import/onnx/external_data.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <functional>

#include "mlir/IR/MLIRContext.h"
#include "tetrarch/import/onnx/import.h"
#include "tetrarch/import/onnx/test_models.h"

namespace tetrarch::onnx {
namespace {

namespace fs = std::filesystem;

// Every place of a model that may hold a tensor, filled with `data`, which has six elements.
struct Site {
  std::string name;
  std::function<Model(const TensorData& data)> make;
};

// y = x + w, where a node of the operator makes w from the attribute.
Model withAttribute(std::string_view op, const std::string& name,
                    const std::function<void(Attribute&)>& fill) {
  Model model = emptyModel();
  std::vector<std::string> inputs;
  if (op == "ConstantOfShape") {
    inputs = {"shape"};
    TensorData& shape = addInitializer(*model.mutable_graph(), "shape", kInt64, {2});
    for (const int64_t dim : {2, 3}) shape.add_int64_data(dim);
  }
  Attribute& attribute = *addNode(*model.mutable_graph(), op, inputs, {"w"}).add_attribute();
  attribute.set_name(name);
  fill(attribute);
  addNode(*model.mutable_graph(), "Add", {"x", "w"}, {"y"});
  return model;
}

void setTensor(Attribute& attribute, const TensorData& data) {
  attribute.set_type(Attribute::TENSOR);
  *attribute.mutable_t() = data;
}

// Six values at six places; the one of the two that is not `given` is in the message itself.
void fillSparse(SparseTensorData& sparse, const TensorData* values, const TensorData* indices) {
  for (const int64_t dim : {2, 3}) sparse.add_dims(dim);
  for (auto* part : {sparse.mutable_values(), sparse.mutable_indices()}) {
    part->set_data_type(part == &sparse.values() ? kFloat : kInt64);
    part->add_dims(6);
  }
  sparse.mutable_values()->set_raw_data(std::string(24, '\0'));
  sparse.mutable_indices()->set_raw_data(std::string(48, '\0'));
  if (values) *sparse.mutable_values() = *values;
  if (indices) *sparse.mutable_indices() = *indices;
  sparse.mutable_values()->set_name("w");
}

TensorData withoutShape(TensorData data, int type = kFloat) {
  data.set_data_type(type);
  data.clear_dims();
  data.add_dims(6);
  return data;
}

Model withSubgraphInitializer(const TensorData& data) {
  Model model = emptyModel();
  addInitializer(*model.mutable_graph(), "c", 9, {}).add_int32_data(1);
  Node& node = addNode(*model.mutable_graph(), "If", {"c"}, {"y"});
  for (const char* branch : {"then_branch", "else_branch"}) {
    Graph& graph = addGraph(node, branch);
    *graph.add_initializer() = data;
    addNode(graph, "Add", {"x", "w"}, {"z"});
    setTensorType(*graph.add_output(), "z", kFloat, {2, 3});
  }
  return model;
}

Model withFunctionConstant(const TensorData& data, bool by_default) {
  Model model = emptyModel();
  addNode(*model.mutable_graph(), "F", {"x"}, {"y"}).set_domain("mine");
  model.add_opset_import()->set_domain("mine");
  Function& function = *model.add_functions();
  function.set_name("F");
  function.set_domain("mine");
  function.add_input("a");
  function.add_output("b");
  function.add_opset_import()->set_version(21);
  Attribute& value = *addNode(*function.mutable_node(), "Constant", {}, {"w"}).add_attribute();
  value.set_name("value");
  if (by_default) {
    value.set_ref_attr_name("weights");
    value.set_type(Attribute::TENSOR);
    Attribute& weights = *function.add_attribute_proto();
    weights.set_name("weights");
    setTensor(weights, data);
  } else {
    setTensor(value, data);
  }
  addNode(*function.mutable_node(), "Add", {"a", "w"}, {"b"});
  return model;
}

const std::vector<Site>& sites() {
  auto sparse = [](Attribute& attribute) -> SparseTensorData& {
    attribute.set_type(Attribute::SPARSE_TENSOR);
    return *attribute.mutable_sparse_tensor();
  };
  static const std::vector<Site> all = {
      {"Initializer",
       [](const TensorData& data) {
         Model model = addModel();
         *model.mutable_graph()->mutable_initializer(0) = data;
         return model;
       }},
      {"SparseInitializer",
       [](const TensorData& data) {
         Model model = addModel();
         model.mutable_graph()->clear_initializer();
         const TensorData values = withoutShape(data);
         fillSparse(*model.mutable_graph()->add_sparse_initializer(), &values, nullptr);
         return model;
       }},
      {"SparseIndices",
       [](const TensorData& data) {
         Model model = addModel();
         model.mutable_graph()->clear_initializer();
         const TensorData indices = withoutShape(data, kInt64);
         fillSparse(*model.mutable_graph()->add_sparse_initializer(), nullptr, &indices);
         return model;
       }},
      {"Constant",
       [](const TensorData& data) {
         return withAttribute("Constant", "value", [&](Attribute& a) { setTensor(a, data); });
       }},
      {"SparseConstant",
       [=](const TensorData& data) {
         const TensorData values = withoutShape(data);
         return withAttribute("Constant", "sparse_value",
                              [&](Attribute& a) { fillSparse(sparse(a), &values, nullptr); });
       }},
      {"SparseConstantIndices",
       [=](const TensorData& data) {
         const TensorData indices = withoutShape(data, kInt64);
         return withAttribute("Constant", "sparse_value",
                              [&](Attribute& a) { fillSparse(sparse(a), nullptr, &indices); });
       }},
      {"ConstantOfShape",
       [](const TensorData& data) {
         TensorData one = data;
         one.clear_dims();
         one.add_dims(1);
         return withAttribute("ConstantOfShape", "value", [&](Attribute& a) { setTensor(a, one); });
       }},
      {"SubgraphInitializer", withSubgraphInitializer},
      {"FunctionConstant", [](const TensorData& data) { return withFunctionConstant(data, false); }},
      {"FunctionDefault", [](const TensorData& data) { return withFunctionConstant(data, true); }},
  };
  return all;
}

class ExternalData : public testing::Test {
 protected:
  ExternalData() : root_(fs::temp_directory_path() / ("tetrarch_external_" + std::to_string(getpid()))) {
    fs::remove_all(root_);
    fs::create_directories(root_ / "model" / "sub");
    for (const char* name : {"secret.bin", "model/w.bin", "model/sub/w.bin"}) {
      std::ofstream(root_ / name, std::ios::binary) << std::string(48, '\0');
    }
  }
  ~ExternalData() override { fs::remove_all(root_); }

  // `w` with two rows of three floats in `location`.
  static TensorData dataIn(const std::string& location, const std::string& offset = "",
                           const std::string& length = "24") {
    TensorData data = addModel().graph().initializer(0);
    data.set_data_location(1);
    for (const auto& [key, value] :
         {std::pair{"location", location}, std::pair{"offset", offset}, std::pair{"length", length}}) {
      if (value.empty() && std::string_view(key) != "location") continue;
      KeyValue& entry = *data.add_external_data();
      entry.set_key(key);
      entry.set_value(value);
    }
    return data;
  }

  // Imports a model with such a weight.
  Status import(const std::string& location, const std::string& offset = "",
                const std::string& length = "24") {
    return importData(sites()[0], dataIn(location, offset, length));
  }
  Status importData(const Site& site, const TensorData& data) {
    mlir::MLIRContext context(mlir::MLIRContext::Threading::DISABLED);
    const std::string bytes = site.make(data).SerializeAsString();
    auto module = importOnnx(context, std::as_bytes(std::span(bytes)), "m.onnx", root_ / "model");
    return module.has_value() ? Status() : module.error();
  }

  // Links and odd files beside the model; none of them is to be read.
  std::vector<std::string> makeOddFiles() {
    fs::create_symlink(root_ / "secret.bin", root_ / "model/link.bin");
    fs::create_directory_symlink(root_, root_ / "model/up");
    fs::create_hard_link(root_ / "secret.bin", root_ / "model/hard.bin");
    EXPECT_EQ(mkfifo((root_ / "model/fifo").c_str(), 0600), 0);
    return {"link.bin", "up/secret.bin", "hard.bin", "fifo", "sub", "w.bin/w.bin"};
  }

  fs::path root_;
};

TEST_F(ExternalData, IsReadBelowTheFolder) {
  EXPECT_TRUE(import("w.bin").ok());
  EXPECT_TRUE(import("./sub//w.bin", "8").ok());
}

TEST_F(ExternalData, PathsThatLeaveAreRefused) {
  using enum StatusCode;
  EXPECT_EQ(import("../secret.bin").code(), kPermissionDenied);
  EXPECT_EQ(import("sub/../../secret.bin").code(), kPermissionDenied);
  EXPECT_EQ(import("sub/../w.bin").code(), kPermissionDenied);
  EXPECT_EQ(import((root_ / "model/w.bin").string()).code(), kPermissionDenied);
  EXPECT_EQ(import("..\\secret.bin").code(), kPermissionDenied);
  EXPECT_EQ(import(std::string("w.bin\0.txt", 10)).code(), kInvalidArgument);
  EXPECT_EQ(import("").code(), kInvalidArgument);
  EXPECT_EQ(import(std::string(4096, 'a')).code(), kInvalidArgument);
  EXPECT_EQ(import("nowhere.bin").code(), kNotFound);
}

TEST_F(ExternalData, LinksAndOddFilesAreRefused) {
  for (const std::string& name : makeOddFiles()) {
    const Status status = import(name);
    EXPECT_EQ(status.code(), StatusCode::kPermissionDenied) << name << ": " << status.toString();
  }
}

TEST_F(ExternalData, RangesMustLieInTheFile) {
  for (const char* offset : {"-1", "25", "49", "9223372036854775807", "99999999999999999999", "0x10"}) {
    EXPECT_EQ(import("w.bin", offset).code(), StatusCode::kInvalidArgument) << offset;
  }
  EXPECT_EQ(import("w.bin", "0", "-24").code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(import("w.bin", "0", "25").code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(import("w.bin", "0", "").code(), StatusCode::kInvalidArgument);
  EXPECT_TRUE(import("w.bin", "24", "").ok());
}

TEST_F(ExternalData, EveryPlaceOfATensorIsHeldToTheSame) {
  std::vector<std::string> bad = makeOddFiles();
  for (const char* name : {"../secret.bin", "sub/../../secret.bin", "/proc/self/environ"})
    bad.push_back(name);
  for (const Site& site : sites()) {
    const int64_t bytes = site.name.ends_with("Indices") ? 48 : site.name == "ConstantOfShape" ? 4 : 24;
    const Status good = importData(site, dataIn("w.bin", "", std::to_string(bytes)));
    EXPECT_TRUE(good.ok()) << site.name << ": " << good.toString();
    for (const std::string& name : bad) {
      const Status status = importData(site, dataIn(name));
      EXPECT_EQ(status.code(), StatusCode::kPermissionDenied)
          << site.name << ", " << name << ": " << status.toString();
    }
  }
}

TEST_F(ExternalData, AFileWithAHoleIsNoWayToAllMemory) {
  fs::copy_file(root_ / "model/w.bin", root_ / "model/hole.bin");
  fs::resize_file(root_ / "model/hole.bin", uint64_t{1} << 42);
  TensorData data = dataIn("hole.bin", "", "");
  data.set_dims(0, int64_t{1} << 20), data.set_dims(1, int64_t{1} << 20);
  const Status status = importData(sites()[0], data);
  EXPECT_EQ(status.code(), StatusCode::kOutOfRange) << status.toString();
}

}  // namespace
}  // namespace tetrarch::onnx
