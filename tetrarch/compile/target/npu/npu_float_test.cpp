// Graphs of bf16, and of f32 whose contractions are made to read bf16, through the whole pipeline on the
// models of the bf16 kind: within a stated part of what the reference interpreter gives for the same graph.
// The processor adds in its own order and rounds as rtl/npu/README.md says, so the bits are its own;
// float_program_test.cpp compares those.
#include "tetrarch/compile/target/npu/npu_graph_test.h"

namespace tetrarch::compile {
namespace {

// Of the largest number of a tensor. Sums of f32, in whatever order; what functions add (float_functions.h);
// bf16 has eight bits, and two ways to the same number may round it to neighbours.
constexpr double kSums = 2e-6, kFunctions = 2e-3, kNarrow = 1.0 / 128;

constexpr const char* kBf16 = R"({"kind":"bf16"})";

class NpuFloat : public NpuGraphTest {
 protected:
  // Arguments of @main from `inputs` on become constants, all filled with numbers from -1 to 1.
  void check(const std::string& text, size_t inputs, double tolerance,
             const char* features = "side=16 kind=bf16", const std::string& options = kBf16) {
    auto graph = tet::parseGraph(text, context_.get()).value();
    std::vector<Tensor> tensors = bind(*graph, inputs);
    const PipelineOptions bf16{.bf16 = true};
    mlir::OwningOpRef<mlir::ModuleOp> reference(graph->clone());
    ASSERT_TRUE(runPipeline(*reference, {.stop_after = "quantize", .bf16 = true}).ok());
    const std::vector<Tensor> expected = tet::interpret(*reference, tensors).value();
    auto program = TaskProgram::make(std::move(graph), bf16);
    ASSERT_TRUE(program) << program.error().message();
    const auto actual = runOnNpu(*program, tensors, features, options.c_str());
    ASSERT_TRUE(actual) << actual.error().message();
    for (size_t i = 0; i < expected.size(); ++i) {
      const Difference most = difference((*actual)[i], expected[i]).value();
      EXPECT_LE(most.relative, tolerance) << "result " << i << ", element " << most.at;
    }
  }

 private:
  std::vector<Tensor> bind(mlir::ModuleOp graph, size_t inputs) {
    auto main = *graph.getOps<mlir::func::FuncOp>().begin();
    std::vector<Tensor> tensors;
    Builder b = Builder::atBlockBegin(main.getLoc(), &main.front());
    std::uniform_real_distribution<double> numbers(-1, 1);
    for (mlir::BlockArgument argument : main.getArguments()) {
      Tensor tensor = Tensor::create(tet::elementTypeOf(argument), tet::shapeOf(argument)).value();
      for (int64_t i = 0; i < tensor.count(); ++i) tensor.setDouble(i, numbers(random_));
      if (argument.getArgNumber() >= inputs) {
        argument.replaceAllUsesWith(tet::makeConstant(b, b.getLoc(), tensor).getResult());
      } else {
        tensors.push_back(tensor);
      }
    }
    const auto count = static_cast<unsigned>(main.getNumArguments() - inputs);
    main.front().eraseArguments(static_cast<unsigned>(inputs), count);
    main.setType(b.getFunctionType(main.front().getArgumentTypes(), main.getResultTypes()));
    return tensors;
  }
};

// A product [m, k] x [k, n] of two types, its sums in f32.
struct Product {
  int m, k, n;
  std::string text(const std::string& behind, const std::string& in = "f32",
                   const std::string& out = "f32") const {
    return fmt::format(
        R"(func.func @main(%x: tensor<{0}x{1}x{3}>, %w: tensor<{1}x{2}x{3}>, %b: tensor<{2}x{4}>, %r: tensor<{0}x{2}x{4}>) -> tensor<{0}x{2}x{4}> {{
      %y = tet.dot_general %x, %w, batching_dims = [] x [], contracting_dims = [1] x [0] : (tensor<{0}x{1}x{3}>, tensor<{1}x{2}x{3}>) -> tensor<{0}x{2}x{4}>
      %bb = tet.broadcast_in_dim %b, dims = [1] : (tensor<{2}x{4}>) -> tensor<{0}x{2}x{4}>
      %zero = tet.constant dense<0.0> : tensor<{0}x{2}x{4}>
      %one = tet.constant dense<1.0> : tensor<{0}x{2}x{4}>
      %half = tet.constant dense<0.5> : tensor<{0}x{2}x{4}>
      %root = tet.constant dense<1.41421354> : tensor<{0}x{2}x{4}>
      {5}
    }})",
        m, k, n, in, out, replaceType(behind, fmt::format("tensor<{}x{}x{}>", m, n, out)));
  }
  static std::string replaceType(std::string text, const std::string& type) {
    for (size_t at = 0; (at = text.find("TYPE", at)) != std::string::npos;) text.replace(at, 4, type);
    return text;
  }
};

const std::string kBias = "%0 = tet.add %y, %bb : TYPE ";
const std::string kRelu = kBias + "%1 = tet.maximum %0, %zero : TYPE return %1 : TYPE";
const std::string kResidual = kBias + "%1 = tet.add %0, %r : TYPE return %1 : TYPE";
const std::string kGelu =
    kBias +
    "%1 = tet.divide %0, %root : TYPE %2 = tet.erf %1 : TYPE %3 = tet.add %2, %one : TYPE "
    "%4 = tet.multiply %0, %3 : TYPE %5 = tet.multiply %4, %half : TYPE return %5 : TYPE";

TEST_F(NpuFloat, Products) {
  for (const Product& p : {Product{37, 70, 50}, Product{1, 3, 1}, Product{300, 384, 96}, Product{5, 1000, 33},
                           Product{3, 20, 5000}}) {
    SCOPED_TRACE(p.k);
    check(p.text("return %y : TYPE"), 1, kSums * p.k);
    check(p.text(kRelu), 1, kSums * p.k);
    check(p.text(kResidual), 1, kSums * p.k);
    check(p.text(kGelu), 1, kFunctions);
  }
}

TEST_F(NpuFloat, ProductsOfBf16) {
  const Product p{37, 70, 50};
  check(p.text("return %y : TYPE", "bf16", "bf16"), 1, kNarrow);
  check(p.text(kRelu, "bf16", "bf16"), 1, kNarrow);
  check(p.text(kGelu, "bf16", "bf16"), 1, 2 * kNarrow);
}

// Both operands are activations, as in attention and in the gradients of a layer.
TEST_F(NpuFloat, ProductsOfActivations) {
  check(Product{20, 40, 33}.text("return %y : TYPE"), 4, kSums * 40);
  check(R"(func.func @main(%x: tensor<3x2x10x24xf32>, %y: tensor<3x2x24x17xf32>) -> tensor<3x2x10x17xf32> {
    %0 = tet.dot_general %x, %y, batching_dims = [0, 1] x [0, 1], contracting_dims = [3] x [2] : (tensor<3x2x10x24xf32>, tensor<3x2x24x17xf32>) -> tensor<3x2x10x17xf32>
    return %0 : tensor<3x2x10x17xf32>
  })",
        2, kSums * 24);
  // The gradient of weights: the left operand is transposed.
  check(
      R"(func.func @main(%x: tensor<40x24xf32>, %y: tensor<40x17xf32>, %w: tensor<24x17xf32>) -> tensor<24x17xf32> {
    %rate = tet.constant dense<0.1> : tensor<24x17xf32>
    %0 = tet.dot_general %x, %y, batching_dims = [] x [], contracting_dims = [0] x [0] : (tensor<40x24xf32>, tensor<40x17xf32>) -> tensor<24x17xf32>
    %1 = tet.multiply %0, %rate : tensor<24x17xf32>
    %2 = tet.subtract %w, %1 : tensor<24x17xf32>
    return %2 : tensor<24x17xf32>
  })",
      3, kSums * 40);
}

TEST_F(NpuFloat, OtherSidesOfTheArray) {
  const Product p{37, 70, 50};
  check(p.text(kGelu), 1, kFunctions, "side=8 kind=bf16", R"({"kind":"bf16","side":8})");
  check(p.text(kGelu), 1, kFunctions, "side=32 kind=bf16", R"({"kind":"bf16","side":32})");
}

struct Conv {
  int size, channels, columns, taps, stride, dilation, padding, groups;
  std::string text() const {
    const int out = (size + 2 * padding - (taps - 1) * dilation - 1) / stride + 1;
    return fmt::format(
        R"(func.func @main(%x: tensor<2x{0}x{0}x{1}xf32>, %k: tensor<{3}x{3}x{8}x{2}xf32>, %b: tensor<{2}xf32>) -> tensor<2x{4}x{4}x{2}xf32> {{
      %0 = tet.convolution %x, %k {{
        window_strides = array<i64: {5}, {5}>, padding = array<i64: {7}, {7}, {7}, {7}>, lhs_dilation = array<i64: 1, 1>,
        rhs_dilation = array<i64: {6}, {6}>, input_batch_dimension = 0, input_feature_dimension = 3,
        input_spatial_dimensions = array<i64: 1, 2>, kernel_input_feature_dimension = 2,
        kernel_output_feature_dimension = 3, kernel_spatial_dimensions = array<i64: 0, 1>, output_batch_dimension = 0,
        output_feature_dimension = 3, output_spatial_dimensions = array<i64: 1, 2>, feature_group_count = {9}}}
        : (tensor<2x{0}x{0}x{1}xf32>, tensor<{3}x{3}x{8}x{2}xf32>) -> tensor<2x{4}x{4}x{2}xf32>
      %1 = tet.broadcast_in_dim %b, dims = [3] : (tensor<{2}xf32>) -> tensor<2x{4}x{4}x{2}xf32>
      %2 = tet.add %0, %1 : tensor<2x{4}x{4}x{2}xf32>
      %zero = tet.constant dense<0.0> : tensor<2x{4}x{4}x{2}xf32>
      %3 = tet.maximum %2, %zero : tensor<2x{4}x{4}x{2}xf32>
      return %3 : tensor<2x{4}x{4}x{2}xf32>
    }})",
        size, channels, columns, taps, out, stride, dilation, padding, channels / groups, groups);
  }
};

TEST_F(NpuFloat, Convolutions) {
  const Conv rows[] = {
      {.size = 12,
       .channels = 24,
       .columns = 40,
       .taps = 3,
       .stride = 1,
       .dilation = 1,
       .padding = 1,
       .groups = 1},
      {.size = 15,
       .channels = 3,
       .columns = 16,
       .taps = 7,
       .stride = 2,
       .dilation = 1,
       .padding = 3,
       .groups = 1},
      {.size = 11,
       .channels = 16,
       .columns = 20,
       .taps = 1,
       .stride = 2,
       .dilation = 1,
       .padding = 0,
       .groups = 1},
      {.size = 14,
       .channels = 8,
       .columns = 8,
       .taps = 3,
       .stride = 1,
       .dilation = 2,
       .padding = 2,
       .groups = 1},
      {.size = 10,
       .channels = 40,
       .columns = 40,
       .taps = 3,
       .stride = 1,
       .dilation = 1,
       .padding = 1,
       .groups = 40},
      // Groups of more channels than the array has rows, one after another, and of few, side by side.
      {.size = 9,
       .channels = 40,
       .columns = 60,
       .taps = 3,
       .stride = 1,
       .dilation = 1,
       .padding = 1,
       .groups = 2},
      {.size = 10,
       .channels = 40,
       .columns = 60,
       .taps = 3,
       .stride = 2,
       .dilation = 1,
       .padding = 1,
       .groups = 10},
  };
  for (const Conv& row : rows) {
    SCOPED_TRACE(row.channels);
    check(row.text(), 1, kSums * row.taps * row.taps * row.channels / row.groups);
  }
}

// One elementwise task over two tensors and a column.
std::string elementwise(const std::string& type, const std::string& body) {
  return Product::replaceType("func.func @main(%x: TYPE, %y: TYPE, %c: tensor<50x" + type +
                                  ">) -> TYPE {\n%b = tet.broadcast_in_dim %c, dims = [1] : (tensor<50x" +
                                  type + ">) -> TYPE\n" + body + "}",
                              "tensor<9x50x" + type + ">");
}

TEST_F(NpuFloat, ElementwiseFunctions) {
  for (const std::string& type : {"f32", "bf16"}) {
    SCOPED_TRACE(type);
    const double exact = type == "f32" ? kSums : kNarrow, near = type == "f32" ? kFunctions : 2 * kNarrow;
    check(elementwise(type, "%0 = tet.multiply %x, %y : TYPE %1 = tet.add %0, %b : TYPE return %1 : TYPE"), 3,
          exact);
    check(
        elementwise(type, "%0 = tet.subtract %b, %x : TYPE %1 = tet.maximum %0, %y : TYPE return %1 : TYPE"),
        3, exact);
    for (const char* function : {"exponential", "erf", "tanh", "logistic", "abs", "negate"}) {
      SCOPED_TRACE(function);
      check(elementwise(type, fmt::format("%0 = tet.{} %x : TYPE return %0 : TYPE", function)), 3, near);
    }
    check(elementwise(type, "%0 = tet.exponential %y : TYPE %1 = tet.divide %x, %0 : TYPE return %1 : TYPE"),
          3, 2 * near);
  }
  // As the gradient of a ReLU.
  check(elementwise("f32",
                    "%z = tet.constant dense<0.0> : TYPE %p = tet.compare GT, %x, %z : (TYPE, TYPE) -> "
                    "tensor<9x50xi1> %0 = tet.select %p, %y, %z : tensor<9x50xi1>, TYPE return %0 : TYPE"),
        3, 0);
}

std::string rows(int count, int columns, const std::string& type, const std::string& body) {
  std::string text =
      "func.func @main(%x: TYPE, %g: tensor<COLUMNSxELEMENT>, %b: tensor<COLUMNSxELEMENT>) -> TYPE {\n" +
      body + "}";
  text = Product::replaceType(std::move(text), fmt::format("tensor<{}x{}x{}>", count, columns, type));
  for (const auto& [name, value] :
       {std::pair("ROWS", std::to_string(count)), {"COLUMNS", std::to_string(columns)}, {"ELEMENT", type}}) {
    for (size_t at = 0; (at = text.find(name, at)) != std::string::npos;)
      text.replace(at, strlen(name), value);
  }
  return text;
}

TEST_F(NpuFloat, Softmax) {
  for (auto [count, columns] : {std::pair{6, 11}, {5, 128}, {40, 384}, {3, 257}}) {
    for (const std::string& type : {"f32", "bf16"}) {
      SCOPED_TRACE(columns);
      check(rows(count, columns, type, R"(
        %0 = tet.reduce maximum, %x, dims = [1] : (TYPE) -> tensor<ROWSxELEMENT>
        %1 = tet.broadcast_in_dim %0, dims = [0] : (tensor<ROWSxELEMENT>) -> TYPE
        %2 = tet.subtract %x, %1 : TYPE
        %3 = tet.exponential %2 : TYPE
        %4 = tet.reduce add, %3, dims = [1] : (TYPE) -> tensor<ROWSxELEMENT>
        %5 = tet.broadcast_in_dim %4, dims = [0] : (tensor<ROWSxELEMENT>) -> TYPE
        %6 = tet.divide %3, %5 : TYPE
        return %6 : TYPE)"),
            3, type == "f32" ? kFunctions : 2 * kNarrow);
    }
  }
}

TEST_F(NpuFloat, LayerNorm) {
  for (auto [count, columns] : {std::pair{6, 11}, {5, 128}, {40, 384}, {3, 257}}) {
    for (const std::string& type : {"f32", "bf16"}) {
      SCOPED_TRACE(columns);
      const std::string n = fmt::format("%n = tet.constant dense<{}.0> : tensor<ROWSxELEMENT>\n", columns);
      check(rows(count, columns, type, n + R"(
        %e = tet.constant dense<0.00001> : tensor<ROWSxELEMENT>
        %0 = tet.reduce add, %x, dims = [1] : (TYPE) -> tensor<ROWSxELEMENT>
        %1 = tet.divide %0, %n : tensor<ROWSxELEMENT>
        %2 = tet.broadcast_in_dim %1, dims = [0] : (tensor<ROWSxELEMENT>) -> TYPE
        %3 = tet.subtract %x, %2 : TYPE
        %4 = tet.multiply %3, %3 : TYPE
        %5 = tet.reduce add, %4, dims = [1] : (TYPE) -> tensor<ROWSxELEMENT>
        %6 = tet.divide %5, %n : tensor<ROWSxELEMENT>
        %7 = tet.add %6, %e : tensor<ROWSxELEMENT>
        %8 = tet.rsqrt %7 : tensor<ROWSxELEMENT>
        %9 = tet.broadcast_in_dim %8, dims = [0] : (tensor<ROWSxELEMENT>) -> TYPE
        %10 = tet.multiply %3, %9 : TYPE
        %11 = tet.broadcast_in_dim %g, dims = [1] : (tensor<COLUMNSxELEMENT>) -> TYPE
        %12 = tet.broadcast_in_dim %b, dims = [1] : (tensor<COLUMNSxELEMENT>) -> TYPE
        %13 = tet.multiply %10, %11 : TYPE
        %14 = tet.add %13, %12 : TYPE
        return %14 : TYPE)"),
            1, type == "f32" ? kFunctions : 3 * kNarrow);
    }
  }
}

// Over rows, over pixels of planes, and with something behind.
TEST_F(NpuFloat, SumsOfColumns) {
  for (const std::string& type : {"f32", "bf16"}) {
    SCOPED_TRACE(type);
    for (const auto& [shape, dims, to] :
         std::vector<std::array<std::string, 3>>{{"40x50", "0", "50"},
                                                 {"1x20", "0", "20"},
                                                 {"700x33", "0", "33"},
                                                 {"2x7x5x40", "1, 2", "2x40"}}) {
      SCOPED_TRACE(shape);
      check(fmt::format(R"(func.func @main(%x: tensor<{0}x{3}>, %b: tensor<{2}x{3}>) -> tensor<{2}x{3}> {{
        %rate = tet.constant dense<0.25> : tensor<{2}x{3}>
        %0 = tet.reduce add, %x, dims = [{1}] : (tensor<{0}x{3}>) -> tensor<{2}x{3}>
        %1 = tet.multiply %0, %rate : tensor<{2}x{3}>
        %2 = tet.subtract %b, %1 : tensor<{2}x{3}>
        return %2 : tensor<{2}x{3}>
      }})",
                        shape, dims, to, type),
            2, type == "f32" ? kSums * 10 : kNarrow);
      check(fmt::format(R"(func.func @main(%x: tensor<{0}x{3}>) -> tensor<{2}x{3}> {{
        %0 = tet.reduce add, %x, dims = [{1}] : (tensor<{0}x{3}>) -> tensor<{2}x{3}>
        return %0 : tensor<{2}x{3}>
      }})",
                        shape, dims, to, type),
            1, type == "f32" ? kSums * 10 : kNarrow);
    }
  }
}

// What `text` says, as tasks, and why the first of them that is declined is.
TEST_F(NpuFloat, DeclinesWithAReason) {
  const auto generator = findCodeGenerator("npu")->forFeatures("side=16 kind=bf16");
  const auto reason = [&](const std::string& text) -> std::string {
    auto program = TaskProgram::make(tet::parseGraph(text, context_.get()).value()).value();
    for (const Task& task : program.tasks()) {
      const Status status = generator->supports(task);
      if (!status.ok()) return std::string(status.message());
    }
    return "";
  };
  EXPECT_NE(reason(Product{20, 40, 33}.text("return %y : TYPE")).find("products of f32"), std::string::npos);
  EXPECT_NE(reason(elementwise("f32", "%0 = tet.log %x : TYPE return %0 : TYPE")).find("math.log"),
            std::string::npos);
  EXPECT_NE(reason(elementwise("i32", "%0 = tet.add %x, %y : TYPE return %0 : TYPE")).find("bf16 and f32"),
            std::string::npos);
}

TEST_F(NpuFloat, Movement) {
  for (const std::string& type : {"f32", "bf16"}) {
    SCOPED_TRACE(type);
    const auto of = [&](std::string text) {
      for (size_t at = 0; (at = text.find("ELEMENT", at)) != std::string::npos;) text.replace(at, 7, type);
      return text;
    };
    check(of(R"(func.func @main(%x: tensor<2x5x7x33xELEMENT>) -> tensor<2x33x5x7xELEMENT> {
      %0 = tet.transpose %x, dims = [0, 3, 1, 2] : (tensor<2x5x7x33xELEMENT>) -> tensor<2x33x5x7xELEMENT>
      return %0 : tensor<2x33x5x7xELEMENT>
    })"),
          1, 0);
    check(of(R"(func.func @main(%x: tensor<3x20xELEMENT>, %y: tensor<3x50xELEMENT>) -> tensor<3x70xELEMENT> {
      %0 = tet.concatenate (%x, %y), dim = 1 : (tensor<3x20xELEMENT>, tensor<3x50xELEMENT>) -> tensor<3x70xELEMENT>
      return %0 : tensor<3x70xELEMENT>
    })"),
          2, 0);
  }
}

}  // namespace
}  // namespace tetrarch::compile
