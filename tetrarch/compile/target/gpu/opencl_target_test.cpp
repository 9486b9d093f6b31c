// Tasks of every normal form on an OpenCL device (PoCL where there is no other), against the CPU target.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <set>

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Parser/Parser.h"
#include "tetrarch/abi/opencl_program.h"
#include "tetrarch/compile/kernel_tool/kernel_runner.h"
#include "tetrarch/compile/kernel_tool/plugin_runner.h"

namespace tetrarch::compile {
namespace {

constexpr const char* kReductions = R"(
    func.func @sum(%x: tensor<6x50x31xf32>) -> tensor<6x31xf32> {
      %zero = arith.constant 0.0 : f32
      %e = tensor.empty() : tensor<6x31xf32>
      %f = linalg.fill ins(%zero : f32) outs(%e : tensor<6x31xf32>) -> tensor<6x31xf32>
      %y = linalg.generic {indexing_maps = [affine_map<(i, j, k) -> (i, k, j)>, affine_map<(i, j, k) -> (i, j)>], iterator_types = ["parallel", "parallel", "reduction"]} ins(%x : tensor<6x50x31xf32>) outs(%f : tensor<6x31xf32>) {
      ^bb0(%v: f32, %a: f32):
        %q = arith.mulf %v, %v : f32
        %s = arith.addf %a, %q : f32
        linalg.yield %s : f32
      } -> tensor<6x31xf32>
      return %y : tensor<6x31xf32>
    }
    func.func @largest(%x: tensor<3x517xf32>) -> tensor<3xf32> {
      %low = arith.constant 0xFF800000 : f32
      %e = tensor.empty() : tensor<3xf32>
      %f = linalg.fill ins(%low : f32) outs(%e : tensor<3xf32>) -> tensor<3xf32>
      %y = linalg.generic {indexing_maps = [affine_map<(i, k) -> (i, k)>, affine_map<(i, k) -> (i)>], iterator_types = ["parallel", "reduction"]} ins(%x : tensor<3x517xf32>) outs(%f : tensor<3xf32>) {
      ^bb0(%v: f32, %a: f32):
        %s = arith.maximumf %a, %v : f32
        linalg.yield %s : f32
      } -> tensor<3xf32>
      return %y : tensor<3xf32>
    }
)";

class OpenClTarget : public testing::Test {
 protected:
  OpenClTarget() {
    mlir::DialectRegistry registry;
    registerCodegenDialects(registry);
    context_.appendDialectRegistry(registry);
    context_.loadAllAvailableDialects();
  }

  static PluginRunner& device() {
    static Result<PluginRunner> runner = PluginRunner::open(TETRARCH_OPENCL_PLUGIN, "");
    EXPECT_TRUE(runner.has_value()) << runner.error().toString();
    return *runner;
  }

  std::vector<Task> parse(const std::string& text) {
    module_ = mlir::parseSourceString<mlir::ModuleOp>(text, &context_);
    return collect();
  }
  std::vector<Task> parseFile(const std::string& path) {
    module_ = mlir::parseSourceFile<mlir::ModuleOp>(path, &context_);
    return collect();
  }

  // Each task in three pieces on the device, and on the CPU. Sums are compared to `tolerance` of the largest
  // value.
  void expectSame(const std::vector<Task>& tasks, double tolerance = 1e-5,
                  const CodegenOptions& options = {}) {
    auto opencl = findCodeGenerator("opencl")->compile(tasks, options);
    ASSERT_TRUE(opencl.has_value()) << opencl.error().toString();
    auto cpu = findCodeGenerator("cpu")->compile(tasks, {});
    ASSERT_TRUE(cpu.has_value()) << cpu.error().toString();
    auto reference = KernelModule::load(cpu->back());
    ASSERT_TRUE(reference.has_value());
    for (size_t i = 0; i < tasks.size(); ++i) {
      EXPECT_TRUE(findCodeGenerator("opencl")->supports(tasks[i]).ok());
      std::vector<Tensor> operands = *makeOperands(tasks[i], 1), expected = *makeResults(tasks[i]),
                          actual = *makeResults(tasks[i]);
      launch(*reference->find(tasks[i].name), operands, expected, 1);
      for (const int64_t pieces : {1, 3}) {
        for (Tensor& tensor : actual) std::memset(tensor.data(), 0xff, tensor.bytes());
        const Status done = device().run(opencl->front(), i, operands, actual, pieces);
        ASSERT_TRUE(done.ok()) << tasks[i].name << ": " << done.toString();
        for (size_t r = 0; r < expected.size(); ++r) {
          const Difference apart = *difference(actual[r], expected[r]);
          EXPECT_LE(apart.relative, tolerance)
              << tasks[i].name << " in " << pieces << ", element " << apart.at;
        }
      }
    }
  }

  mlir::MLIRContext context_;
  mlir::OwningOpRef<mlir::ModuleOp> module_;

 private:
  std::vector<Task> collect() {
    std::vector<Task> tasks;
    EXPECT_TRUE(module_);
    if (!module_) return tasks;
    for (auto function : module_->getOps<mlir::func::FuncOp>()) {
      mlir::Block& block = function.getBody().front();
      tasks.push_back({function.getName().str(), &block, taskHash(block)});
    }
    return tasks;
  }
};

TEST_F(OpenClTarget, ResNetsTasks) {
  std::vector<Task> tasks = parseFile(TETRARCH_TILE_TESTS "/resnet50.mlir");
  // One of each kind; the others differ in their sizes.
  const std::set<std::string> kinds = {
      "stem", "maxpool", "c1x1_64_64_56", "c3x3_256_s2", "c1x1_512_1024_s2", "c3x3_512_7", "gap", "fc"};
  std::erase_if(tasks, [&](const Task& task) { return !kinds.contains(task.name); });
  EXPECT_EQ(tasks.size(), kinds.size());
  expectSame(tasks);
}
TEST_F(OpenClTarget, MiniLmsTasks) { expectSame(parseFile(TETRARCH_TILE_TESTS "/minilm.mlir")); }

// Sizes that no tile divides: 29 rows, 37 columns of packed and of plain right operands.
TEST_F(OpenClTarget, ContractionsWithTails) {
  expectSame(parse(R"(
    func.func @packed(%x: tensor<29x19xf32>, %w: tensor<3x19x16xf32>, %b: tensor<37xf32>) -> tensor<29x37xf32> {
      %zero = arith.constant 0.0 : f32
      %e = tensor.empty() : tensor<29x37xf32>
      %f = linalg.fill ins(%zero : f32) outs(%e : tensor<29x37xf32>) -> tensor<29x37xf32>
      %c = linalg.generic {indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (n floordiv 16, k, n mod 16)>, affine_map<(m, n, k) -> (m, n)>], iterator_types = ["parallel", "parallel", "reduction"]} ins(%x, %w : tensor<29x19xf32>, tensor<3x19x16xf32>) outs(%f : tensor<29x37xf32>) {
      ^bb0(%l: f32, %r: f32, %a: f32):
        %p = arith.mulf %l, %r : f32
        %s = arith.addf %a, %p : f32
        linalg.yield %s : f32
      } -> tensor<29x37xf32>
      %y = linalg.generic {indexing_maps = [affine_map<(m, n) -> (m, n)>, affine_map<(m, n) -> (n)>, affine_map<(m, n) -> (m, n)>], iterator_types = ["parallel", "parallel"]} ins(%c, %b : tensor<29x37xf32>, tensor<37xf32>) outs(%e : tensor<29x37xf32>) {
      ^bb0(%v: f32, %bias: f32, %o: f32):
        %s = arith.addf %v, %bias : f32
        %t = math.tanh %s : f32
        linalg.yield %t : f32
      } -> tensor<29x37xf32>
      return %y : tensor<29x37xf32>
    }
    func.func @batched(%x: tensor<3x13x7xf32>, %w: tensor<3x7x21xf32>) -> tensor<3x13x21xf32> {
      %zero = arith.constant 0.0 : f32
      %e = tensor.empty() : tensor<3x13x21xf32>
      %f = linalg.fill ins(%zero : f32) outs(%e : tensor<3x13x21xf32>) -> tensor<3x13x21xf32>
      %c = linalg.generic {indexing_maps = [affine_map<(b, m, n, k) -> (b, m, k)>, affine_map<(b, m, n, k) -> (b, k, n)>, affine_map<(b, m, n, k) -> (b, m, n)>], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%x, %w : tensor<3x13x7xf32>, tensor<3x7x21xf32>) outs(%f : tensor<3x13x21xf32>) {
      ^bb0(%l: f32, %r: f32, %a: f32):
        %p = arith.mulf %l, %r : f32
        %s = arith.addf %a, %p : f32
        linalg.yield %s : f32
      } -> tensor<3x13x21xf32>
      return %c : tensor<3x13x21xf32>
    }
    func.func @integers(%x: tensor<11x18xi8>, %w: tensor<18x20xi8>) -> tensor<11x20xi32> {
      %zero = arith.constant 0 : i32
      %e = tensor.empty() : tensor<11x20xi32>
      %f = linalg.fill ins(%zero : i32) outs(%e : tensor<11x20xi32>) -> tensor<11x20xi32>
      %c = linalg.generic {indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>], iterator_types = ["parallel", "parallel", "reduction"]} ins(%x, %w : tensor<11x18xi8>, tensor<18x20xi8>) outs(%f : tensor<11x20xi32>) {
      ^bb0(%l: i8, %r: i8, %a: i32):
        %wl = arith.extsi %l : i8 to i32
        %wr = arith.extsi %r : i8 to i32
        %p = arith.muli %wl, %wr : i32
        %s = arith.addi %a, %p : i32
        linalg.yield %s : i32
      } -> tensor<11x20xi32>
      return %c : tensor<11x20xi32>
    })"));
}

TEST_F(OpenClTarget, ElementwiseInEveryType) {
  std::string text;
  struct Row {
    std::string type, body;
  };
  for (const auto& [type, body] : {
           Row{"f64", "%t = math.exp %a : f64 %r = arith.divf %t, %b : f64"},
           Row{"f16",
               "%x = arith.extf %a : f16 to f32 %y = arith.extf %b : f16 to f32 %z = arith.mulf %x, %y : f32 "
               "%r = arith.truncf %z : f32 to f16"},
           Row{"bf16",
               "%x = arith.extf %a : bf16 to f32 %y = arith.extf %b : bf16 to f32 %z = arith.addf %x, %y : "
               "f32 %r = arith.truncf %z : f32 to bf16"},
           Row{"i8", "%c = arith.cmpi sgt, %a, %b : i8 %r = arith.select %c, %a, %b : i8"},
           Row{"i16", "%r = arith.muli %a, %b : i16"},
           Row{"i32", "%t = arith.shli %a, %b : i32 %r = arith.subi %t, %b : i32"},
           Row{"i64", "%t = arith.addi %a, %b : i64 %r = arith.xori %t, %a : i64"},
       }) {
    std::string function = R"(
    func.func @f_T(%in0: tensor<5x67xT>, %in1: tensor<67xT>) -> tensor<67x5xT> {
      %e = tensor.empty() : tensor<67x5xT>
      %out = linalg.generic {indexing_maps = [affine_map<(i, j) -> (j, i)>, affine_map<(i, j) -> (i)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]} ins(%in0, %in1 : tensor<5x67xT>, tensor<67xT>) outs(%e : tensor<67x5xT>) {
      ^bb0(%a: T, %b: T, %o: T):
        BODY
        linalg.yield %r : T
      } -> tensor<67x5xT>
      return %out : tensor<67x5xT>
    })";
    function.replace(function.find("BODY"), 4, body);
    for (size_t at; (at = function.find('T')) != std::string::npos;) function.replace(at, 1, type);
    text += function;
  }
  expectSame(parse(text), 1e-3);
}

TEST_F(OpenClTarget, GathersAndReductions) {
  expectSame(parse(R"(
    func.func @gather(%table: tensor<4x33xf32>, %ids: tensor<9xi64>) -> tensor<9x33xf32> {
      %e = tensor.empty() : tensor<9x33xf32>
      %y = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]} ins(%ids : tensor<9xi64>) outs(%e : tensor<9x33xf32>) {
      ^bb0(%id: i64, %o: f32):
        %row = arith.index_cast %id : i64 to index
        %column = linalg.index 1 : index
        %v = tensor.extract %table[%row, %column] : tensor<4x33xf32>
        linalg.yield %v : f32
      } -> tensor<9x33xf32>
      return %y : tensor<9x33xf32>
    }
    )"));
  expectSame(parse(kReductions));
}

// Softmax, layer norm and lone reductions by work-groups, which the tuner may choose.
TEST_F(OpenClTarget, RowsByGroups) {
  CodegenOptions by_groups;
  by_groups.cache.load = [](uint64_t, std::string_view) {
    return "rows=0 vectors=0 unit_rows=0 unit_columns=0 group=64";
  };
  std::vector<Task> tasks = parseFile(TETRARCH_TILE_TESTS "/minilm.mlir");
  std::erase_if(tasks, [](const Task& task) { return task.name != "softmax" && task.name != "layernorm"; });
  ASSERT_EQ(tasks.size(), 2u);
  expectSame(tasks, 1e-5, by_groups);
  expectSame(parse(kReductions), 1e-5, by_groups);
}

TEST_F(OpenClTarget, EqualTasksShareKernels) {
  std::vector<Task> tasks = parseFile(TETRARCH_TILE_TESTS "/minilm.mlir");
  tasks.resize(1);
  tasks.push_back(tasks[0]);
  tasks[1].name = "again";
  auto blobs = findCodeGenerator("opencl")->compile(tasks, {});
  ASSERT_TRUE(blobs.has_value()) << blobs.error().toString();
  ASSERT_EQ(blobs->front().entries.size(), 2u);
  EXPECT_EQ(blobs->front().entries[1].symbol, "again");
  EXPECT_EQ(blobs->front().entries[1].units, blobs->front().entries[0].units);
}

TEST_F(OpenClTarget, MeasuresTilesOnceAndRemembers) {
  std::vector<Task> tasks = parseFile(TETRARCH_TILE_TESTS "/resnet50.mlir");
  std::erase_if(tasks, [](const Task& task) { return task.name != "c1x1_512_128_28"; });
  ASSERT_EQ(tasks.size(), 1u);
  std::optional<std::string> remembered;
  int measured = 0;
  CodegenOptions options;
  options.measure = [&](const CodeBlob&, size_t entry, const Task&) -> Result<double> {
    ++measured;
    return entry == 1 ? 1.0 : 2.0;
  };
  options.cache = {[&](uint64_t, std::string_view) { return remembered; },
                   [&](uint64_t, std::string_view target, std::string_view choice) {
                     EXPECT_EQ(target, "opencl");
                     remembered = choice;
                   }};
  const auto first = findCodeGenerator("opencl")->compile(tasks, options);
  ASSERT_TRUE(first.has_value()) << first.error().toString();
  EXPECT_GT(measured, 1);
  ASSERT_TRUE(remembered.has_value());
  const int before = measured;
  const auto second = findCodeGenerator("opencl")->compile(tasks, options);
  ASSERT_TRUE(second.has_value());
  EXPECT_EQ(measured, before);
  EXPECT_EQ(first->front().bytes, second->front().bytes);
}

// Candidates that the device refuses do not count, and what is found holds the work-group's size.
TEST_F(OpenClTarget, SearchesWorkGroupSizes) {
  std::vector<Task> tasks = parseFile(TETRARCH_TILE_TESTS "/resnet50.mlir");
  std::erase_if(tasks, [](const Task& task) { return task.name != "c1x1_64_64_56"; });
  ASSERT_EQ(tasks.size(), 1u);
  std::string remembered;
  CodegenOptions options;
  options.measure = [](const CodeBlob& blob, size_t entry, const Task&) -> Result<double> {
    const auto program = abi::readOpenClProgram(blob.bytes);
    const uint32_t local = program->entries[entry].passes.back().local_items;
    if (local > 32) return tetrarch::fail(StatusCode::kInvalidArgument, "too large a group");
    return local == 32 ? 1.0 : 2.0;
  };
  options.cache.store = [&](uint64_t, std::string_view, std::string_view choice) { remembered = choice; };
  const auto blobs = findCodeGenerator("opencl")->compile(tasks, options);
  ASSERT_TRUE(blobs.has_value()) << blobs.error().toString();
  EXPECT_TRUE(remembered.ends_with(" local=32")) << remembered;
  EXPECT_EQ(abi::readOpenClProgram(blobs->front().bytes)->entries[0].passes.back().local_items, 32u);
}

TEST_F(OpenClTarget, SearchEndsWithItsTime) {
  CodegenOptions options;
  int measured = 0;
  options.measure = [&](const CodeBlob&, size_t, const Task&) -> Result<double> {
    ++measured;
    return 1.0;
  };
  options.search_seconds = 0;
  options.cache.store = [](uint64_t, std::string_view, std::string_view) {
    ADD_FAILURE() << "what was not searched for is not remembered";
  };
  const auto blobs =
      findCodeGenerator("opencl")->compile(parseFile(TETRARCH_TILE_TESTS "/minilm.mlir"), options);
  ASSERT_TRUE(blobs.has_value()) << blobs.error().toString();
  EXPECT_EQ(measured, 0);
}

// Statements without a tile: a kernel each, spread over work-items along loops that are independent.
TEST_F(OpenClTarget, StatementsWithoutTiles) {
  const std::vector<Task> tasks = parse(R"(
    func.func @scatter(%x: tensor<7x65xf32>, %i: tensor<5xi64>, %u: tensor<5x65xf32>) -> tensor<7x65xf32> {
      %c0 = arith.constant 0 : index
      %c1 = arith.constant 1 : index
      %c5 = arith.constant 5 : index
      %c65 = arith.constant 65 : index
      %r = scf.for %a = %c0 to %c5 step %c1 iter_args(%t = %x) -> (tensor<7x65xf32>) {
        %n = scf.for %b = %c0 to %c65 step %c1 iter_args(%s = %t) -> (tensor<7x65xf32>) {
          %id = tensor.extract %i[%a] : tensor<5xi64>
          %row = arith.index_cast %id : i64 to index
          %old = tensor.extract %s[%row, %b] : tensor<7x65xf32>
          %more = tensor.extract %u[%a, %b] : tensor<5x65xf32>
          %new = arith.addf %old, %more : f32
          %w = tensor.insert %new into %s[%row, %b] : tensor<7x65xf32>
          scf.yield %w : tensor<7x65xf32>
        } {independent}
        scf.yield %n : tensor<7x65xf32>
      }
      return %r : tensor<7x65xf32>
    }
    func.func @table(%i: tensor<9xi32>) -> tensor<9xf16> {
      %t = arith.constant dense<[0.5, -1.0, 2.0, 3.25, 4.0, 5.0, 6.0, 7.0]> : tensor<8xf16>
      %e = tensor.empty() : tensor<9xf16>
      %r = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]} ins(%i : tensor<9xi32>) outs(%e : tensor<9xf16>) {
      ^bb0(%id: i32, %o: f16):
        %at = arith.index_cast %id : i32 to index
        %v = tensor.extract %t[%at] : tensor<8xf16>
        linalg.yield %v : f16
      } -> tensor<9xf16>
      return %r : tensor<9xf16>
    })");
  expectSame(tasks);
  const auto blobs = findCodeGenerator("opencl")->compile(tasks, {});
  const auto program = abi::readOpenClProgram(blobs->front().bytes);
  // What is scattered into is copied first; each column is then scattered by a work-item of its own.
  const abi::OpenClEntry& scatter = program->entries[0];
  ASSERT_GE(scatter.passes.size(), 2u);
  EXPECT_EQ(scatter.passes[0].items, 7u * 65);
  EXPECT_EQ(scatter.passes[1].items, 65u);
}

TEST_F(OpenClTarget, DeclinesWithTheReason) {
  const std::vector<Task> tasks = parse(R"(
    func.func @loop(%x: tensor<8xf32>, %n: tensor<i32>) -> tensor<8xf32> {
      %c0 = arith.constant 0 : index
      %c1 = arith.constant 1 : index
      %count = tensor.extract %n[] : tensor<i32>
      %end = arith.index_cast %count : i32 to index
      %r = scf.for %i = %c0 to %end step %c1 iter_args(%t = %x) -> (tensor<8xf32>) {
        %v = tensor.extract %t[%c1] : tensor<8xf32>
        %n2 = tensor.insert %v into %t[%c0] : tensor<8xf32>
        scf.yield %n2 : tensor<8xf32>
      }
      return %r : tensor<8xf32>
    })");
  const Status status = findCodeGenerator("opencl")->supports(tasks[0]);
  EXPECT_EQ(status.code(), StatusCode::kUnimplemented);
  EXPECT_EQ(status.message(), "the data alone says how long its loops run");
  auto compiled = findCodeGenerator("opencl")->compile(tasks, {});
  ASSERT_FALSE(compiled.has_value());
  EXPECT_NE(compiled.error().message().find("loop"), std::string_view::npos);
}

}  // namespace
}  // namespace tetrarch::compile
