// Tasks of every normal form, at random shapes and types, through the tiles of each variant against the
// general path; and what only the general path takes, against values worked out here.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/Parser/Parser.h"
#include "tetrarch/compile/kernel_tool/kernel_runner.h"
#include "tetrarch/compile/kernel_tool/quantised_text.h"
#include "tetrarch/compile/kernel_tool/task_text.h"
#include "tetrarch/compile/target/cpu/exact_doubles.h"
#include "tetrarch/compile/tile/tile.h"

namespace tetrarch::compile {
namespace {

std::string textOf(const Task& task) {
  std::string text;
  llvm::raw_string_ostream(text) << *task.block->getParentOp();
  return text;
}

class CpuTarget : public testing::Test {
 protected:
  CpuTarget() {
    mlir::DialectRegistry registry;
    registerCodegenDialects(registry);
    context_.appendDialectRegistry(registry);
    context_.loadAllAvailableDialects();
  }

  void parse(const std::string& text) {
    module_ = mlir::parseSourceString<mlir::ModuleOp>(text, &context_);
    ASSERT_TRUE(module_) << text;
    tasks_.clear();
    for (auto function : module_->getOps<mlir::func::FuncOp>()) {
      mlir::Block& block = function.getBody().front();
      tasks_.push_back({function.getName().str(), &block, taskHash(block)});
    }
  }

  std::vector<CodeBlob> compile(const CodegenOptions& options = {.threads = 2}) {
    auto blobs = findCodeGenerator("cpu")->compile(tasks_, options);
    EXPECT_TRUE(blobs.has_value()) << blobs.error().toString();
    return blobs ? *blobs : std::vector<CodeBlob>();
  }

  // Each task's tiles against the general path. `tiled`: none may have fallen back to it.
  void expectSame(const std::string& text, double tolerance, bool tiled = true) {
    parse(text);
    for (const Task& task : tasks_) {
      auto plan = planTile(*task.block, TileTarget{});
      EXPECT_EQ(plan.has_value(), tiled) << task.name << ": " << (plan ? "tiled" : plan.error().toString());
    }
    const std::vector<CodeBlob> blobs = compile();
    auto reference = compileGeneral(tasks_);
    ASSERT_TRUE(reference.has_value()) << reference.error().toString();
    for (const CodeBlob& blob : blobs) {
      for (size_t i = 0; i < tasks_.size(); ++i) {
        auto difference = compareKernels(blob, *reference, i, tasks_[i], 2, i + 1);
        ASSERT_TRUE(difference.has_value()) << difference.error().toString();
        EXPECT_LE(difference->relative, tolerance) << blob.features << " at " << difference->at << ":\n"
                                                   << textOf(tasks_[i]);
      }
    }
  }

  // Runs the one task of the last variant on given operands.
  std::vector<Tensor> run(std::vector<Tensor> operands) {
    const std::vector<CodeBlob> blobs = compile();
    auto module = KernelModule::load(blobs.back());
    EXPECT_TRUE(module.has_value());
    std::vector<Tensor> results = *makeResults(tasks_[0]);
    launch(*module->find(tasks_[0].name), operands, results, 1);
    return results;
  }

  mlir::MLIRContext context_;
  mlir::OwningOpRef<mlir::ModuleOp> module_;
  std::vector<Task> tasks_;
};

int pick(std::minstd_rand& random, int low, int high) {
  return std::uniform_int_distribution<int>(low, high)(random);
}

TEST_F(CpuTarget, ConvolutionsOfRandomShapes) {
  std::minstd_rand random(7);
  std::string text;
  for (int i = 0; i < 14; ++i) {
    ConvolutionText c;
    c.name = fmt::format("convolution_{}", i);
    c.batch = pick(random, 1, 2);
    c.kernel_height = pick(random, 1, 3), c.kernel_width = pick(random, 1, 4);
    c.stride = pick(random, 1, 2), c.dilation = pick(random, 1, 2);
    c.pad_low = pick(random, 0, 2), c.pad_high = pick(random, 0, 2);
    c.groups = pick(random, 0, 3) == 0 ? 3 : 1;
    c.in_channels = pick(random, 1, 20), c.out_channels = pick(random, 1, 70);
    c.height = pick(random, 8, 19), c.width = pick(random, 8, 33);
    c.residual = pick(random, 0, 1), c.relu = pick(random, 0, 1);
    text += convolutionText(c);
  }
  expectSame(text, 2e-6);
}

TEST_F(CpuTarget, MatrixProductsOfRandomShapes) {
  std::minstd_rand random(11);
  const int edges[] = {1, 2, 3, 7, 8, 15, 16, 17, 31, 33, 64, 65, 100, 129};
  std::string text;
  for (int i = 0; i < 18; ++i) {
    ProductText p;
    p.name = fmt::format("product_{}", i);
    p.batch = pick(random, 0, 2) == 0 ? pick(random, 2, 5) : 1;
    p.m = edges[pick(random, 0, 13)], p.k = edges[pick(random, 0, 13)], p.n = edges[pick(random, 0, 13)];
    p.packed = p.batch == 1 && pick(random, 0, 1);
    p.gelu = pick(random, 0, 2) == 0;
    text += productText(p);
  }
  expectSame(text, 2e-6);
}

TEST_F(CpuTarget, MatrixProductsOfEveryElementType) {
  std::string text;
  for (auto [operand, sum, extend, tolerance] : {std::tuple("f64", "f64", "", 1e-12),
                                                 {"f16", "f32", "extf", 1e-5},
                                                 {"bf16", "f32", "extf", 1e-5},
                                                 {"i8", "i32", "extsi", 0.0},
                                                 {"i16", "i64", "extsi", 0.0},
                                                 {"i32", "i32", "", 0.0}}) {
    for (bool packed : {false, true}) {
      ProductText p;
      p.name = fmt::format("product_{}_{}", operand, packed);
      p.m = 13, p.k = 37, p.n = 43;
      p.packed = packed, p.bias = false;
      p.operand_type = operand, p.sum_type = sum, p.extend = extend;
      text += productText(p);
    }
  }
  expectSame(text, 1e-5);
}

// Sums of bytes by dot products and requantisation in doubles have the bits of the scalar integer code.
TEST_F(CpuTarget, QuantisedConvolutionsOfRandomShapes) {
  std::minstd_rand random(23);
  std::string text;
  for (int i = 0; i < 16; ++i) {
    QuantisedText q;
    q.name = fmt::format("quantised_{}", i);
    q.kernel = pick(random, 1, 3), q.stride = pick(random, 1, 2), q.pad = pick(random, 0, q.kernel - 1);
    q.height = pick(random, 4, 15), q.width = pick(random, 4, 25);
    q.in_channels = pick(random, 1, 37), q.out_channels = pick(random, 1, 85);
    q.residual = pick(random, 0, 1);
    text += quantisedText(q);
  }
  QuantisedText gemv{.name = "gemv", .height = 1, .width = 1, .in_channels = 515, .out_channels = 1000};
  expectSame(text + quantisedText(gemv), 0);
  for (const Task& task : tasks_) {
    auto prepared = cpu::withExactDoubles(*task.block);
    ASSERT_TRUE(prepared) << task.name;
    bool wide = false;
    prepared->walk([&](mlir::Operation* op) {
      wide |= op->getName().getStringRef() == "arith.muli" && op->getResult(0).getType().isInteger(64);
    });
    EXPECT_FALSE(wide) << task.name;
  }
}

TEST_F(CpuTarget, ByteProductsWithRowMajorOperands) {
  std::string text;
  for (auto [m, k, n] : {std::array{7, 64, 40}, {1, 5, 16}, {33, 3, 20}, {20, 19, 15}, {4, 130, 129}})
    text += byteProductText(fmt::format("product_{}_{}_{}", m, k, n), m, k, n);
  expectSame(text, 0);
}

TEST_F(CpuTarget, ElementwiseTransposesAndBroadcasts) {
  const std::string text =
      elementwiseText("transpose", "f32", {5, 18, 33}, {{{2, 0, 1}, "f32"}}, "identity") +
      elementwiseText("transpose_back", "f32", {5, 18, 33}, {{{1, 0, 2}, "f32"}}, "identity") +
      elementwiseText("add_column", "f32", {19, 35}, {{{0, 1}, "f32"}, {{0}, "f32"}}, "add") +
      elementwiseText("add_row", "f32", {19, 35}, {{{0, 1}, "f32"}, {{1}, "f32"}}, "add") +
      elementwiseText("add_scalar", "f32", {2011}, {{{0}, "f32"}, {{}, "f32"}}, "add") +
      elementwiseText("scalars", "f32", {}, {{{}, "f32"}, {{}, "f32"}}, "add") +
      elementwiseText("outer", "f32", {37, 21}, {{{0}, "f32"}, {{1}, "f32"}}, "add") +
      elementwiseText("narrow", "f32", {301, 3}, {{{0, 1}, "f32"}, {{1}, "f32"}}, "add") +
      elementwiseText("long", "f32", {100003}, {{{0}, "f32"}, {{0}, "f32"}}, "add") +
      elementwiseText("doubles", "f64", {77, 13}, {{{0, 1}, "f64"}, {{1}, "f64"}}, "add") +
      elementwiseText("integers", "i32", {77, 13}, {{{0, 1}, "i32"}, {{1}, "i32"}}, "addi") +
      elementwiseText("bytes", "i8", {1000}, {{{0}, "i8"}, {{0}, "i8"}}, "addi") +
      elementwiseText("compare", "i8", {515}, {{{0}, "f32"}, {{0}, "f32"}}, "less") +
      elementwiseText("half", "f16", {515}, {{{0}, "f16"}, {{0}, "f16"}}, "add_as_f32") +
      elementwiseText("bfloat", "bf16", {515}, {{{0}, "bf16"}, {{0}, "bf16"}}, "add_as_f32") +
      elementwiseText("bfloat_transpose", "bf16", {18, 33}, {{{1, 0}, "bf16"}}, "identity") +
      elementwiseText("index", "f32", {9, 37}, {{{0, 1}, "f32"}}, "add_index");
  expectSame(text, 0);
}

TEST_F(CpuTarget, ReductionsOverEveryDim) {
  std::string text;
  for (const char* kind : {"addf", "maximumf"}) {
    for (const std::vector<int>& dims : {std::vector<int>{0}, {1}, {2}, {0, 2}, {1, 2}, {0, 1, 2}}) {
      std::string name = kind;
      for (int d : dims) name += fmt::format("_{}", d);
      text += reductionText(name, "f32", {5, 18, 37}, dims, kind);
    }
  }
  for (const char* kind : {"mulf", "minimumf", "maxnumf"})
    text += reductionText(kind, "f32", {5, 37}, {1}, kind);
  text += reductionText("sum_i32", "i32", {7, 50}, {1}, "addi") +
          reductionText("or_i8", "i8", {7, 50}, {1}, "ori") +
          reductionText("sum_f64", "f64", {7, 50}, {1}, "addf") +
          reductionText("long", "f32", {3, 10007}, {1}, "addf") +
          reductionText("short", "f32", {1000, 3}, {1}, "addf") + argmaxText("argmax", 19, 45);
  expectSame(text, 3e-6);
}

TEST_F(CpuTarget, Windows) {
  const std::string text =
      poolText("max_pool", 13, 17, 20, 3, 2, 1, "maximumf") +
      poolText("sum_pool", 9, 9, 64, 2, 2, 0, "addf") + poolText("odd", 7, 8, 5, 3, 1, 1, "maximumf") +
      depthwiseText("depthwise", 14, 15, 40, 3, 1) + depthwiseText("depthwise_s2", 14, 15, 3, 5, 2);
  expectSame(text, 2e-6);
}

TEST_F(CpuTarget, Rows) {
  const std::string text = softmaxText("softmax", {3, 5, 41}) + softmaxText("softmax_short", {100, 3}) +
                           softmaxText("softmax_one", {1000}) + softmaxText("softmax_long", {2, 5001}) +
                           layerNormText("layer_norm", 17, 100) + layerNormText("layer_norm_wide", 128, 384);
  expectSame(text, 3e-6);
}

TEST_F(CpuTarget, GathersReadRowsAsVectors) {
  parse(gatherText("gather", 50, 24, 7));
  std::vector<Tensor> operands = *makeOperands(tasks_[0], 3);
  for (int i = 0; i < 7; ++i) operands[1].setInt(i, (i * 13) % 50);
  const std::vector<Tensor> results = run(operands);
  for (int i = 0; i < 7; ++i) {
    for (int c = 0; c < 24; ++c) {
      ASSERT_EQ(results[0].getDouble(i * 24 + c), operands[0].getDouble((i * 13) % 50 * 24 + c));
    }
  }
}

TEST_F(CpuTarget, ConcatenationTakesTheGeneralPath) {
  parse(R"(func.func @concat(%a: tensor<3x4xf32>, %b: tensor<2x4xf32>) -> tensor<5x4xf32> {
    %e = tensor.empty() : tensor<5x4xf32>
    %x = tensor.insert_slice %a into %e[0, 0] [3, 4] [1, 1] : tensor<3x4xf32> into tensor<5x4xf32>
    %y = tensor.insert_slice %b into %x[3, 0] [2, 4] [1, 1] : tensor<2x4xf32> into tensor<5x4xf32>
    return %y : tensor<5x4xf32>
  })");
  EXPECT_EQ(planTile(*tasks_[0].block, TileTarget{}).error().code(), StatusCode::kUnimplemented);
  std::vector<Tensor> operands = *makeOperands(tasks_[0], 3);
  const std::vector<Tensor> results = run(operands);
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(results[0].getDouble(i), i < 12 ? operands[0].getDouble(i) : operands[1].getDouble(i - 12));
  }
}

TEST_F(CpuTarget, LoopsOverTensorsTakeTheGeneralPath) {
  // Collatz steps of each element: data-dependent while loops, and a scatter by scf.for with iter_args.
  parse(R"(func.func @steps(%a: tensor<8xi64>) -> tensor<8xi64> {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c8 = arith.constant 8 : index
    %one = arith.constant 1 : i64
    %two = arith.constant 2 : i64
    %three = arith.constant 3 : i64
    %zero = arith.constant 0 : i64
    %r = scf.for %i = %c0 to %c8 step %c1 iter_args(%t = %a) -> tensor<8xi64> {
      %v = tensor.extract %t[%i] : tensor<8xi64>
      %n:2 = scf.while (%x = %v, %s = %zero) : (i64, i64) -> (i64, i64) {
        %go = arith.cmpi sgt, %x, %one : i64
        scf.condition(%go) %x, %s : i64, i64
      } do {
      ^bb0(%x: i64, %s: i64):
        %odd = arith.remsi %x, %two : i64
        %is_odd = arith.cmpi ne, %odd, %zero : i64
        %half = arith.divsi %x, %two : i64
        %m = arith.muli %x, %three : i64
        %m1 = arith.addi %m, %one : i64
        %y = arith.select %is_odd, %m1, %half : i64
        %s1 = arith.addi %s, %one : i64
        scf.yield %y, %s1 : i64, i64
      }
      %u = tensor.insert %n#1 into %t[%i] : tensor<8xi64>
      scf.yield %u : tensor<8xi64>
    }
    return %r : tensor<8xi64>
  })");
  const int64_t values[] = {1, 2, 3, 6, 7, 9, 27, 97}, steps[] = {0, 1, 7, 8, 16, 19, 111, 118};
  Tensor input = Tensor::of<int64_t>(ElementType::I64, {8}, values);
  const std::vector<Tensor> results = run({input});
  for (int i = 0; i < 8; ++i) EXPECT_EQ(results[0].getInt(i), steps[i]);
  for (int i = 0; i < 8; ++i) EXPECT_EQ(input.getInt(i), values[i]) << "an operand was overwritten";
}

TEST_F(CpuTarget, ReturnsAnOperandUnchanged) {
  parse(
      "func.func @same(%a: tensor<7xf32>) -> (tensor<7xf32>, tensor<7xf32>) { return %a, %a : tensor<7xf32>, "
      "tensor<7xf32> }");
  std::vector<Tensor> operands = *makeOperands(tasks_[0], 3);
  for (const Tensor& result : run(operands)) {
    for (int i = 0; i < 7; ++i) EXPECT_EQ(result.getDouble(i), operands[0].getDouble(i));
  }
}

TEST_F(CpuTarget, TensorsWithoutElementsTakeTheGeneralPath) {
  expectSame(elementwiseText("none", "f32", {0, 4}, {{{0, 1}, "f32"}, {{1}, "f32"}}, "add") +
                 reductionText("sum_of_none", "f32", {3, 0}, {1}, "addf"),
             0, /*tiled=*/false);
}

TEST_F(CpuTarget, UnitsMapToRowsOfTheResult) {
  ConvolutionText c;
  c.name = "convolution";
  c.height = c.width = 28, c.in_channels = 64, c.out_channels = 64;
  c.kernel_height = c.kernel_width = 3, c.pad_low = c.pad_high = 1;
  parse(convolutionText(c) + softmaxText("softmax", {64, 500}));
  const std::vector<CodeBlob> blobs = compile();
  for (size_t i = 0; i < tasks_.size(); ++i) {
    const KernelEntry& entry = blobs.back().entries[i];
    ASSERT_GT(entry.rows, 1) << tasks_[i].name;
    const int64_t groups = (entry.rows + entry.row_tile - 1) / entry.row_tile;
    ASSERT_EQ(entry.units % groups, 0) << tasks_[i].name;
    // The first group of units must write the first row_tile rows, all of them and nothing else.
    auto module = KernelModule::load(blobs.back());
    std::vector<Tensor> operands = *makeOperands(tasks_[i], 5), results = *makeResults(tasks_[i]);
    for (int64_t at = 0; at < results[0].count(); ++at) results[0].setDouble(at, 1e9);
    std::vector<void*> buffers;
    for (Tensor& tensor : operands) buffers.push_back(tensor.data());
    buffers.push_back(results[0].data());
    std::vector<std::byte> scratch(entry.scratch_bytes + 64);
    auto* aligned = reinterpret_cast<void*>((reinterpret_cast<uintptr_t>(scratch.data()) + 63) / 64 * 64);
    module->find(tasks_[i].name)->run(buffers.data(), 0, entry.units / groups, aligned);
    const int64_t written = results[0].count() / entry.rows * entry.row_tile;
    for (int64_t at = 0; at < results[0].count(); ++at) {
      ASSERT_EQ(results[0].getDouble(at) != 1e9, at < written) << tasks_[i].name << " at " << at;
    }
  }
}

TEST_F(CpuTarget, EqualTasksShareTheirCodeAndEachHasARow) {
  ProductText p;
  p.m = p.k = p.n = 16;
  p.name = "first";
  std::string text = productText(p);
  p.name = "second";
  parse(text + productText(p));
  EXPECT_EQ(tasks_[0].hash, tasks_[1].hash);
  for (const CodeBlob& blob : compile()) {
    auto module = KernelModule::load(blob);
    ASSERT_TRUE(module.has_value());
    ASSERT_EQ(blob.entries.size(), 2u);
    EXPECT_EQ(module->find("first")->run, module->find("second")->run);
    EXPECT_EQ(module->find("first")->buffer_count, 4);
  }
}

TEST_F(CpuTarget, TuningMeasuresRivalsAndRemembersTheBest) {
  ProductText p;
  p.name = "product", p.m = 96, p.k = 64, p.n = 192, p.packed = true;
  parse(productText(p));
  int measured = 0;
  std::string kept;
  CodegenOptions options{.threads = 2};
  options.measure = [&](const CodeBlob&, size_t entry, const Task&) -> Result<double> {
    ++measured;
    return entry == 1 ? 1.0 : 2.0;
  };
  options.cache.store = [&](uint64_t, std::string_view, std::string_view choice) { kept = choice; };
  compile(options);
  EXPECT_GE(measured, 3);
  const auto choice = tileChoiceFromString(kept);
  ASSERT_TRUE(choice.has_value()) << kept;
  options.cache.load = [&](uint64_t, std::string_view) { return std::optional(kept); };
  const int before = measured;
  const std::vector<CodeBlob> blobs = compile(options);
  EXPECT_EQ(measured, before) << "a remembered choice was measured again";
}

// Largest error of an elementwise function against libm in double, relative to max(|value|, floor).
TEST_F(CpuTarget, MathFunctionsAreAccurate) {
  struct Row {
    const char* op;
    double (*exact)(double);
    double low, high, tolerance;
  };
  const Row rows[] = {
      {"exp", std::exp, -87, 88, 4e-7},       {"log", std::log, 1e-6, 1e6, 4e-7},
      {"tanh", std::tanh, -9, 9, 4e-7},       {"erf", std::erf, -4, 4, 4e-7},
      {"sin", std::sin, -30, 30, 1e-6},       {"cos", std::cos, -30, 30, 1e-6},
      {"log1p", std::log1p, -0.9, 100, 4e-7}, {"expm1", std::expm1, -5, 20, 4e-7},
      {"atan", std::atan, -50, 50, 4e-7},     {"sqrt", std::sqrt, 0, 1e6, 1e-7},
  };
  for (const Row& row : rows) {
    parse(elementwiseText("f", "f32", {4096}, {{{0}, "f32"}}, fmt::format("math.{}", row.op)));
    Tensor input = *Tensor::create(ElementType::F32, {4096});
    for (int i = 0; i < 4096; ++i) input.setDouble(i, row.low + (row.high - row.low) * i / 4095.0);
    const Tensor output = run({input})[0];
    double worst = 0, at = 0;
    for (int i = 0; i < 4096; ++i) {
      const double exact = row.exact(input.getDouble(i));
      const double error = std::abs(output.getDouble(i) - exact) / std::max(std::abs(exact), 0.05);
      if (!(error <= worst)) worst = error, at = input.getDouble(i);
    }
    EXPECT_LE(worst, row.tolerance) << row.op << " at " << at;
  }
}

TEST_F(CpuTarget, MathFunctionsKeepInfinitiesAndNans) {
  const double inf = std::numeric_limits<double>::infinity(), nan = std::numeric_limits<double>::quiet_NaN();
  for (auto [op, exact] : {std::pair<const char*, double (*)(double)>("exp", std::exp),
                           {"log", std::log},
                           {"tanh", std::tanh},
                           {"erf", std::erf},
                           {"sqrt", std::sqrt}}) {
    parse(elementwiseText("f", "f32", {32}, {{{0}, "f32"}}, fmt::format("math.{}", op)));
    const double values[] = {inf, -inf, nan, 0.0, -1000, 1000, 1e-30};
    Tensor input = *Tensor::create(ElementType::F32, {32});
    for (int i = 0; i < 32; ++i) input.setDouble(i, values[i % 7]);
    const Tensor output = run({input})[0];
    for (int i = 0; i < 7; ++i) {
      const auto expected = static_cast<float>(exact(values[i])), got = output.as<float>()[i];
      if (std::isnan(expected)) {
        EXPECT_TRUE(std::isnan(got)) << op << "(" << values[i] << ") = " << got;
      } else if (std::isinf(expected)) {
        EXPECT_EQ(got, expected) << op << "(" << values[i] << ")";
      } else {
        EXPECT_NEAR(got, expected, 1e-5 * std::max(1.0f, std::abs(expected)))
            << op << "(" << values[i] << ")";
      }
    }
  }
}

}  // namespace
}  // namespace tetrarch::compile
