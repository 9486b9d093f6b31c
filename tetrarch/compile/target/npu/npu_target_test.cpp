// Quantised tasks on the NPU's models, against the CPU target's general path, bit for bit.
#include <gtest/gtest.h>

#include <cstring>
#include <random>

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Parser/Parser.h"
#include "tetrarch/compile/kernel_tool/kernel_runner.h"
#include "tetrarch/compile/kernel_tool/plugin_runner.h"

namespace tetrarch::compile {
namespace {

// A convolution of NHWC bytes with what lowering puts behind it.
struct Conv {
  int64_t images, size, channels, columns, taps, stride, dilation, low, high;
  bool diagonal = false, adds = false, sums = false;

  int64_t padded() const { return size + low + high; }
  int64_t out() const { return (padded() - (taps - 1) * dilation - 1) / stride + 1; }
};

std::string replaced(std::string text, const std::vector<std::pair<std::string, std::string>>& names) {
  for (const auto& [name, value] : names) {
    for (size_t at = 0; (at = text.find(name, at)) != std::string::npos; at += value.size())
      text.replace(at, name.size(), value);
  }
  return text;
}

constexpr const char* kHead = R"(
  func.func @NAME(%x: IN, %w: WEIGHTS, %bias: tensor<COLxi64>, %mult: tensor<COLxi64>, %half: tensor<COLxi64>, %shift: tensor<COLxi64>, %other: tensor<OUTxi8>) -> RESULT {
    %c0_i32 = arith.constant 0 : i32
    %zp = arith.constant -6 : i8
    %c1 = arith.constant 1 : i64
    %c63 = arith.constant 63 : i64
    %low = arith.constant -100 : i64
    %high = arith.constant 127 : i64
    %zero = arith.constant -7 : i64
    %c18 = arith.constant 18 : i64
    %half18 = arith.constant 131071 : i64
    %factor = arith.constant 30041 : i64
    %p = tensor.pad %x low[0, LOW, LOW, 0] high[0, HIGH, HIGH, 0] {
    ^bb0(%a0: index, %a1: index, %a2: index, %a3: index):
      tensor.yield %zp : i8
    } : IN to PADDED
    %e = tensor.empty() : tensor<OUTxi32>
    %f = linalg.fill ins(%c0_i32 : i32) outs(%e : tensor<OUTxi32>) -> tensor<OUTxi32>
)";
constexpr const char* kBody = R"( {
    ^bb0(%l: i8, %r: i8, %acc: i32):
      %lw = arith.extsi %l : i8 to i32
      %rw = arith.extsi %r : i8 to i32
      %m = arith.muli %lw, %rw : i32
      %s = arith.addi %acc, %m : i32
      linalg.yield %s : i32
    } -> tensor<OUTxi32>
)";
constexpr const char* kDense = R"(
    %c = linalg.generic {indexing_maps = [affine_map<(n, h, w, o, y, x, i) -> (n, h * STRIDE + y * DIL, w * STRIDE + x * DIL, i)>, affine_map<(n, h, w, o, y, x, i) -> (o floordiv 16, y, x, i, o mod 16)>, affine_map<(n, h, w, o, y, x, i) -> (n, h, w, o)>], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]} ins(%p, %w : PADDED, WEIGHTS) outs(%f : tensor<OUTxi32>))";
constexpr const char* kDiagonal = R"(
    %c = linalg.generic {indexing_maps = [affine_map<(n, h, w, o, y, x) -> (n, h * STRIDE + y * DIL, w * STRIDE + x * DIL, o)>, affine_map<(n, h, w, o, y, x) -> (y, x, 0, o)>, affine_map<(n, h, w, o, y, x) -> (n, h, w, o)>], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction"]} ins(%p, %w : PADDED, WEIGHTS) outs(%f : tensor<OUTxi32>))";
constexpr const char* kEpilogue = R"(
    %q = tensor.empty() : tensor<OUTxi8>
    %y = linalg.generic {indexing_maps = [affine_map<(n, h, w, o) -> (n, h, w, o)>, affine_map<(n, h, w, o) -> (o)>, affine_map<(n, h, w, o) -> (o)>, affine_map<(n, h, w, o) -> (o)>, affine_map<(n, h, w, o) -> (o)>, affine_map<(n, h, w, o) -> (n, h, w, o)>, affine_map<(n, h, w, o) -> (n, h, w, o)>], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%c, %bias, %mult, %half, %shift, %other : tensor<OUTxi32>, tensor<COLxi64>, tensor<COLxi64>, tensor<COLxi64>, tensor<COLxi64>, tensor<OUTxi8>) outs(%q : tensor<OUTxi8>) {
    ^bb0(%in: i32, %b: i64, %mu: i64, %ha: i64, %sh: i64, %ot: i8, %out: i8):
      %1 = arith.extsi %in : i32 to i64
      %2 = arith.addi %1, %b : i64
      %3 = arith.muli %2, %mu : i64
      %4 = arith.addi %3, %ha : i64
      %5 = arith.minui %sh, %c63 : i64
      %6 = arith.shrsi %3, %5 : i64
      %7 = arith.andi %6, %c1 : i64
      %8 = arith.addi %4, %7 : i64
      %9 = arith.shrsi %8, %5 : i64
ADDITION      %20 = arith.addi %TOTAL, %zero : i64
      %21 = arith.maxsi %20, %low : i64
      %22 = arith.minsi %21, %high : i64
      %23 = arith.trunci %22 : i64 to i8
      linalg.yield %23 : i8
    } -> tensor<OUTxi8>
)";
constexpr const char* kOther = R"(      %10 = arith.extsi %ot : i8 to i64
      %11 = arith.subi %10, %zero : i64
      %12 = arith.muli %11, %factor : i64
      %13 = arith.addi %12, %half18 : i64
      %14 = arith.shrsi %12, %c18 : i64
      %15 = arith.andi %14, %c1 : i64
      %16 = arith.addi %13, %15 : i64
      %17 = arith.shrsi %16, %c18 : i64
      %19 = arith.addi %9, %17 : i64
)";

std::string textOf(const Conv& c, const std::string& name) {
  std::string text = std::string(kHead) + (c.diagonal ? kDiagonal : kDense) + kBody;
  text += c.sums ? "    return %c : tensor<OUTxi32>\n  }\n"
                 : std::string(kEpilogue) + "    return %y : tensor<OUTxi8>\n  }\n";
  const auto nhwc = [&](int64_t size, int64_t last) {
    return fmt::format("{}x{}x{}x{}", c.images, size, size, last);
  };
  return replaced(
      text, {{"ADDITION", c.adds ? kOther : ""},
             {"TOTAL", c.adds ? "19" : "9"},
             {"NAME", name},
             {"WEIGHTS", c.diagonal ? fmt::format("tensor<{0}x{0}x1x{1}xi8>", c.taps, c.channels)
                                    : fmt::format("tensor<{}x{}x{}x{}x16xi8>", (c.columns + 15) / 16, c.taps,
                                                  c.taps, c.channels)},
             {"RESULT", fmt::format("tensor<OUTx{}>", c.sums ? "i32" : "i8")},
             {"PADDED", fmt::format("tensor<{}xi8>", nhwc(c.padded(), c.channels))},
             {"IN", fmt::format("tensor<{}xi8>", nhwc(c.size, c.channels))},
             {"OUT", nhwc(c.out(), c.columns)},
             {"COL", std::to_string(c.columns)},
             {"STRIDE", std::to_string(c.stride)},
             {"DIL", std::to_string(c.dilation)},
             {"LOW", std::to_string(c.low)},
             {"HIGH", std::to_string(c.high)}});
}

class NpuTarget : public testing::Test {
 protected:
  NpuTarget() {
    mlir::DialectRegistry registry;
    registerCodegenDialects(registry);
    context_.appendDialectRegistry(registry);
    context_.loadAllAvailableDialects();
  }

  void parse(const std::string& text) {
    module_ = mlir::parseSourceString<mlir::ModuleOp>(text, &context_);
    ASSERT_TRUE(module_);
    for (auto function : module_->getOps<mlir::func::FuncOp>()) {
      mlir::Block& block = function.getBody().front();
      tasks_.push_back({function.getName().str(), &block, taskHash(block)});
      operands_.push_back(*makeOperands(tasks_.back(), 1));
      fill(operands_.back(), tasks_.size());
      // All but the input and the other addend are constants of the model.
      for (size_t i = 0; i < operands_.back().size(); ++i) {
        Tensor& tensor = operands_.back()[i];
        const bool is_known = isConvolution(operands_.back()) && i != 0 && i != 6;
        tasks_.back().constants.push_back(
            is_known ? std::span(static_cast<const std::byte*>(tensor.data()), tensor.bytes())
                     : std::span<const std::byte>());
      }
    }
  }

  static bool isConvolution(const std::vector<Tensor>& operands) { return operands.size() == 7; }

  static void fill(std::vector<Tensor>& operands, size_t seed) {
    std::minstd_rand random(static_cast<unsigned>(seed + 1));
    const auto range = [&](int64_t low, int64_t high) {
      return std::uniform_int_distribution<int64_t>(low, high)(random);
    };
    for (const size_t i : {0, 1, 6}) {
      if (i >= operands.size()) break;
      for (int64_t e = 0; e < operands[i].count(); ++e) operands[i].setInt(e, range(-128, 127));
    }
    if (!isConvolution(operands)) return;
    for (int64_t c = 0; c < operands[2].count(); ++c) {
      const int64_t shift = range(16, 26);
      operands[2].setInt(c, range(-50000, 50000));
      operands[3].setInt(c, range(1 << 14, (1 << 15) - 1));
      operands[4].setInt(c, (int64_t{1} << (shift - 1)) - 1);
      operands[5].setInt(c, shift);
    }
  }

  void expectSame(const std::string& options) {
    auto device = PluginRunner::open(TETRARCH_NPU_PLUGIN, options);
    ASSERT_TRUE(device.has_value()) << device.error().toString();
    const auto generator = findCodeGenerator("npu")->forFeatures(featuresOf(options));
    for (const Task& task : tasks_)
      ASSERT_TRUE(generator->supports(task).ok()) << generator->supports(task).toString();
    const auto npu = generator->compile(tasks_, {});
    ASSERT_TRUE(npu.has_value()) << npu.error().toString();
    const auto cpu = compileGeneral(tasks_);
    ASSERT_TRUE(cpu.has_value()) << cpu.error().toString();
    const auto reference = KernelModule::load(*cpu);
    for (size_t i = 0; i < tasks_.size(); ++i) {
      std::vector<Tensor> expected = *makeResults(tasks_[i]), actual = *makeResults(tasks_[i]);
      launch(*reference->find(cpu->entries[i].symbol), operands_[i], expected, 1);
      for (const int64_t pieces : {1, 3}) {
        for (Tensor& tensor : actual) std::memset(tensor.data(), 0x55, tensor.bytes());
        const Status done = device->run(npu->front(), i, operands_[i], actual, pieces);
        ASSERT_TRUE(done.ok()) << tasks_[i].name << ": " << done.toString();
        const Difference apart = *difference(actual[0], expected[0]);
        EXPECT_EQ(apart.absolute, 0) << tasks_[i].name << " in " << pieces << ", element " << apart.at;
      }
    }
  }

  static std::string featuresOf(const std::string& options) {
    return options.empty()                          ? "side=16"
           : options.find("8") != std::string::npos ? "side=8 sp_rows=32768 acc_rows=2048"
                                                    : "side=32 sp_rows=8192 acc_rows=512";
  }

  mlir::MLIRContext context_;
  mlir::OwningOpRef<mlir::ModuleOp> module_;
  std::vector<Task> tasks_;
  std::vector<std::vector<Tensor>> operands_;
};

const Conv kConvs[] = {
    {1, 14, 32, 32, 3, 1, 1, 1, 1},
    {1, 15, 3, 20, 7, 2, 1, 3, 3},
    {2, 12, 3, 16, 3, 2, 1, 0, 1},
    {1, 13, 24, 37, 3, 1, 2, 2, 2},
    {1, 9, 40, 16, 1, 2, 1, 0, 0},
    {2, 7, 16, 33, 1, 1, 1, 0, 0, false, true},
    {1, 10, 16, 16, 3, 1, 1, 1, 1, false, false, true},
    {1, 11, 35, 35, 3, 2, 1, 1, 1, true},
    {2, 6, 16, 16, 5, 1, 1, 2, 2, true, true},
};

TEST_F(NpuTarget, ConvolutionsAreTheCpusBitForBit) {
  std::string text;
  for (size_t i = 0; i < std::size(kConvs); ++i) text += textOf(kConvs[i], fmt::format("conv{}", i));
  parse(text);
  expectSame("");
}

// Both operands are activations: rows of the right one are rows of weights.
constexpr const char* kProducts = R"(
  func.func @NAME(%x: tensor<BxMxKxi8>, %w: tensor<BxKxNxi8>) -> tensor<BxMxNxi32> {
    %zero = arith.constant 0 : i32
    %e = tensor.empty() : tensor<BxMxNxi32>
    %f = linalg.fill ins(%zero : i32) outs(%e : tensor<BxMxNxi32>) -> tensor<BxMxNxi32>
    %c = linalg.generic {indexing_maps = [affine_map<(b, m, n, k) -> (b, m, k)>, affine_map<(b, m, n, k) -> (b, k, n)>, affine_map<(b, m, n, k) -> (b, m, n)>], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%x, %w : tensor<BxMxKxi8>, tensor<BxKxNxi8>) outs(%f : tensor<BxMxNxi32>) {
    ^bb0(%l: i8, %r: i8, %acc: i32):
      %lw = arith.extsi %l : i8 to i32
      %rw = arith.extsi %r : i8 to i32
      %m = arith.muli %lw, %rw : i32
      %s = arith.addi %acc, %m : i32
      linalg.yield %s : i32
    } -> tensor<BxMxNxi32>
    return %c : tensor<BxMxNxi32>
  }
)";

TEST_F(NpuTarget, ProductsOfActivations) {
  std::string text;
  for (const auto& [b, m, n, k] :
       std::vector<std::array<int64_t, 4>>{{3, 24, 19, 33}, {1, 300, 64, 16}, {2, 1, 5, 100}}) {
    text += replaced(kProducts, {{"NAME", fmt::format("product{}", m)},
                                 {"BxMxKx", fmt::format("{}x{}x{}x", b, m, k)},
                                 {"BxKxNx", fmt::format("{}x{}x{}x", b, k, n)},
                                 {"BxMxNx", fmt::format("{}x{}x{}x", b, m, n)}});
  }
  parse(text);
  expectSame("");
}

TEST_F(NpuTarget, ArraysOfOtherSides) {
  parse(textOf(kConvs[0], "dense") + textOf(kConvs[1], "few_channels") + textOf(kConvs[7], "diagonal"));
  expectSame(R"({"side": 8})");
  expectSame(R"({"side": 32})");
}

TEST_F(NpuTarget, DeclinesWithAReason) {
  parse(textOf(kConvs[0], "conv"));
  const CodeGenerator& npu = *findCodeGenerator("npu");
  const auto reason = [&](const Task& task) { return std::string(npu.supports(task).message()); };
  Task task = tasks_[0];
  task.constants.clear();
  EXPECT_NE(reason(task).find("no rounding shift"), std::string::npos) << reason(task);
  operands_[0][3].setInt(2, 40000);
  EXPECT_NE(reason(tasks_[0]).find("column 2 has bias"), std::string::npos) << reason(tasks_[0]);
  const auto bf16 = npu.forFeatures("side=16 kind=bf16 sp_rows=8192");
  EXPECT_NE(bf16->supports(tasks_[0]).message().find("bf16"), std::string::npos);
}

TEST_F(NpuTarget, EstimatesAreCyclesOfTheModelAtTheDevicesClock) {
  parse(textOf(kConvs[0], "conv"));
  const CodeGenerator& npu = *findCodeGenerator("npu");
  const double slow = npu.forFeatures("clock_hz=1000000")->estimate(tasks_[0]).seconds;
  const double fast = npu.forFeatures("clock_hz=2000000")->estimate(tasks_[0]).seconds;
  EXPECT_GT(slow * 1e6, 14 * 14 * 9 * 2 * 2);
  EXPECT_LT(slow * 1e6, 2 * 14 * 14 * 9 * 2 * 2);
  EXPECT_DOUBLE_EQ(slow, 2 * fast);
}

}  // namespace
}  // namespace tetrarch::compile
