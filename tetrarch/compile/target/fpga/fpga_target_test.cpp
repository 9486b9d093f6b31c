// Tasks of the normal forms as kernels on the plug-in, every unit in its SystemVerilog too (bits, cycles,
// pauses), against the CPU target; and what the generator says of tasks that it does not take.
#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Parser/Parser.h"
#include "tetrarch/abi/fpga_boxes.h"
#include "tetrarch/abi/fpga_program.h"
#include "tetrarch/compile/kernel_tool/kernel_runner.h"
#include "tetrarch/compile/kernel_tool/plugin_runner.h"
#include "tetrarch/compile/kernel_tool/quantised_text.h"
#include "tetrarch/compile/kernel_tool/task_text.h"
#include "tetrarch/compile/target/fpga/kernel.h"

namespace tetrarch::compile {
namespace {

// A sum of a while loop: no nest says how often it runs.
constexpr const char* kLoop = R"(
    func.func @collatz(%x: tensor<3xi32>) -> tensor<3xi32> {
      %c0 = arith.constant 0 : index
      %c1 = arith.constant 1 : index
      %c3 = arith.constant 3 : index
      %one = arith.constant 1 : i32
      %zero = arith.constant 0 : i32
      %three = arith.constant 3 : i32
      %e = tensor.empty() : tensor<3xi32>
      %y = scf.for %i = %c0 to %c3 step %c1 iter_args(%t = %e) -> tensor<3xi32> {
        %v = tensor.extract %x[%i] : tensor<3xi32>
        %start = arith.andi %v, %three : i32
        %first = arith.addi %start, %one : i32
        %last:2 = scf.while (%n = %first, %steps = %zero) : (i32, i32) -> (i32, i32) {
          %more = arith.cmpi sgt, %n, %one : i32
          scf.condition(%more) %n, %steps : i32, i32
        } do {
        ^bb0(%n: i32, %steps: i32):
          %bit = arith.andi %n, %one : i32
          %odd = arith.cmpi eq, %bit, %one : i32
          %half = arith.shrui %n, %one : i32
          %triple = arith.muli %n, %three : i32
          %up = arith.addi %triple, %one : i32
          %next = arith.select %odd, %up, %half : i32
          %counted = arith.addi %steps, %one : i32
          scf.yield %next, %counted : i32, i32
        }
        %r = tensor.insert %last#1 into %t[%i] : tensor<3xi32>
        scf.yield %r : tensor<3xi32>
      }
      return %y : tensor<3xi32>
    }
)";

// The exclusive or of each row.
constexpr const char* kParity = R"(
    func.func @parity(%x: tensor<6x20xi8>) -> tensor<6xi8> {
      %zero = arith.constant 0 : i8
      %e = tensor.empty() : tensor<6xi8>
      %f = linalg.fill ins(%zero : i8) outs(%e : tensor<6xi8>) -> tensor<6xi8>
      %r = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>],
                           iterator_types = ["parallel", "reduction"]}
          ins(%x : tensor<6x20xi8>) outs(%f : tensor<6xi8>) {
      ^bb0(%in: i8, %out: i8):
        %s = arith.xori %in, %out : i8
        linalg.yield %s : i8
      } -> tensor<6xi8>
      return %r : tensor<6xi8>
    }
)";

// Neighbours of which those beyond an edge are the edge: two above and one below, to the right, of an operand
// that does not fit on the chip. The result has `height` rows and `width` columns, place (0, 0) is (-low,
// -low) of the operand.
std::string edgesText(int height, int width, int low) {
  return fmt::format(R"(
    func.func @edges(%x: tensor<400x300xi32>, %y: tensor<{0}x{1}xi32>) -> tensor<{0}x{1}xi32> {{
      %zero = arith.constant 0 : i64
      %bottom = arith.constant 399 : i64
      %right = arith.constant 299 : i64
      %e = tensor.empty() : tensor<{0}x{1}xi32>
      %r = linalg.generic {{indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>],
                           iterator_types = ["parallel", "parallel"]}}
          ins(%y : tensor<{0}x{1}xi32>) outs(%e : tensor<{0}x{1}xi32>) {{
      ^bb0(%in: i32, %out: i32):
        %up = arith.constant {2} : i64
        %down = arith.constant {3} : i64
        %i = linalg.index 0 : index
        %j = linalg.index 1 : index
        %i64 = arith.index_cast %i : index to i64
        %j64 = arith.index_cast %j : index to i64
        %iu = arith.addi %i64, %up : i64
        %iu0 = arith.maxsi %iu, %zero : i64
        %iu1 = arith.minsi %iu0, %bottom : i64
        %id = arith.addi %i64, %down : i64
        %id0 = arith.minsi %id, %bottom : i64
        %id1 = arith.maxsi %id0, %zero : i64
        %jr = arith.addi %j64, %down : i64
        %jr0 = arith.maxsi %jr, %zero : i64
        %jr1 = arith.minsi %jr0, %right : i64
        %iuc = arith.index_cast %iu1 : i64 to index
        %idc = arith.index_cast %id1 : i64 to index
        %jrc = arith.index_cast %jr1 : i64 to index
        %a = tensor.extract %x[%iuc, %jrc] : tensor<400x300xi32>
        %b = tensor.extract %x[%idc, %jrc] : tensor<400x300xi32>
        %two = arith.constant 2 : i32
        %twice = arith.muli %a, %two : i32
        %s = arith.addi %twice, %b : i32
        %t = arith.subi %s, %in : i32
        linalg.yield %t : i32
      }} -> tensor<{0}x{1}xi32>
      return %r : tensor<{0}x{1}xi32>
    }}
)",
                     height, width, -low - 2, -low + 1);
}

// Rows of a table, each begun as an operand says, of which values that follow one another choose some.
struct UpdateText {
  int count, bins;
  const char *type, *combine;
};
std::string updateText(const UpdateText& of) {
  return fmt::format(R"(
    func.func @updates(%at: tensor<{0}xi8>, %x: tensor<{0}x2x{2}>, %y: tensor<{1}x2x{2}>) -> tensor<{1}x2x{2}> {{
      %c0 = arith.constant 0 : index
      %c1 = arith.constant 1 : index
      %c2 = arith.constant 2 : index
      %count = arith.constant {0} : index
      %bins = arith.constant {1} : index
      %seven = arith.constant 7 : i8
      %r = scf.for %i = %c0 to %count step %c1 iter_args(%s = %y) -> tensor<{1}x2x{2}> {{
        %t = scf.for %j = %c0 to %c2 step %c1 iter_args(%u = %s) -> tensor<{1}x2x{2}> {{
          %v = tensor.extract %at[%i] : tensor<{0}xi8>
          %low = arith.andi %v, %seven : i8
          %wide = arith.extui %low : i8 to i64
          %place = arith.index_cast %wide : i64 to index
          %is_in = arith.cmpi ult, %place, %bins : index
          %row = arith.select %is_in, %place, %c0 : index
          %old = tensor.extract %u[%row, %j] : tensor<{1}x2x{2}>
          %more = tensor.extract %x[%i, %j] : tensor<{0}x2x{2}>
          %new = arith.{3} %old, %more : {2}
          %kept = arith.select %is_in, %new, %old : {2}
          %w = tensor.insert %kept into %u[%row, %j] : tensor<{1}x2x{2}>
          scf.yield %w : tensor<{1}x2x{2}>
        }}
        scf.yield %t : tensor<{1}x2x{2}>
      }}
      return %r : tensor<{1}x2x{2}>
    }}
)",
                     of.count, of.bins, of.type, of.combine);
}

class FpgaTarget : public testing::Test {
 protected:
  FpgaTarget() {
    mlir::DialectRegistry registry;
    registerCodegenDialects(registry);
    context_.appendDialectRegistry(registry);
    context_.loadAllAvailableDialects();
  }

  Task parse(const std::string& text) {
    module_ = mlir::parseSourceString<mlir::ModuleOp>(text, &context_);
    EXPECT_TRUE(module_);
    auto function = *module_->getOps<mlir::func::FuncOp>().begin();
    mlir::Block& block = function.getBody().front();
    return {function.getName().str(), &block, taskHash(block)};
  }

  // The same values on the plug-in and on the CPU, to `tolerance` of the largest.
  void expectSame(const std::string& text, double tolerance = 1e-5) {
    const Task task = parse(text);
    expectSame(task, *makeOperands(task, 1), tolerance);
  }

  // Operand 1, of bytes, is a constant of the model: its values are `least` to -least.
  void expectSameWithWeights(const std::string& text, int least) {
    Task task = parse(text);
    std::vector<Tensor> operands = *makeOperands(task, 1);
    auto* weights = static_cast<int8_t*>(operands[1].data());
    for (size_t i = 0; i < operands[1].bytes(); ++i) {
      const auto random = static_cast<int>(i * 2654435761U >> 16);
      weights[i] = static_cast<int8_t>(least + random % (1 - 2 * least));
    }
    task.constants.resize(operands.size());
    task.constants[1] = {reinterpret_cast<const std::byte*>(weights), operands[1].bytes()};
    expectSame(task, std::move(operands), 0);
  }

  void expectSame(const Task& task, std::vector<Tensor> operands, double tolerance) {
    const auto blobs = findCodeGenerator("fpga")->compile({&task, 1}, {});
    ASSERT_TRUE(blobs) << blobs.error().toString();
    const auto cpu = compileGeneral({&task, 1});
    ASSERT_TRUE(cpu) << cpu.error().toString();
    const auto reference = KernelModule::load(*cpu);
    ASSERT_TRUE(reference);
    auto device = PluginRunner::open(TETRARCH_FPGA_PLUGIN, R"({"check_rtl":1})");
    ASSERT_TRUE(device) << device.error().toString();
    std::vector<Tensor> expected = *makeResults(task), actual = *makeResults(task);
    launch(*reference->find(cpu->entries[0].symbol), operands, expected, 1);
    for (Tensor& tensor : actual) std::memset(tensor.data(), 0xff, tensor.bytes());
    const Status done = device->run(blobs->front(), 0, operands, actual);
    ASSERT_TRUE(done.ok()) << done.toString();
    for (size_t r = 0; r < expected.size(); ++r) {
      const Difference apart = *difference(actual[r], expected[r]);
      EXPECT_LE(apart.relative, tolerance) << task.name << ", element " << apart.at;
    }
  }

  mlir::MLIRContext context_;
  mlir::OwningOpRef<mlir::ModuleOp> module_;
};

TEST_F(FpgaTarget, ProductsThatTakeTurnsInTheirSums) {
  expectSame(productText({.name = "product", .m = 3, .k = 5, .n = 4}));
}

// Of an operand that does not fit on the chip: steps of two places, and padding that the first window begins
// in.
TEST_F(FpgaTarget, WindowsThatSlideInSteps) {
  expectSame(poolText("pool", 400, 302, 2, 3, 2, 1, "maximumf"));
  expectSame(poolText("pool", 300, 402, 2, 2, 2, 0, "addf"));
}

TEST_F(FpgaTarget, WindowsThatSlide) { expectSame(poolText("pool", 7, 6, 2, 3, 1, 1, "maximumf")); }

ProductText bytesText(int m, int k, int n) {
  return {.name = "weights",
          .m = m,
          .k = k,
          .n = n,
          .packed = true,
          .bias = false,
          .operand_type = "i8",
          .sum_type = "i32",
          .extend = "extsi"};
}

TEST_F(FpgaTarget, WeightsInRoms) {
  expectSameWithWeights(productText(bytesText(40, 64, 32)), -1);
  expectSameWithWeights(productText(bytesText(40, 20, 35)), -7);
  expectSameWithWeights(productText(bytesText(3, 24, 16)), -127);
}

TEST_F(FpgaTarget, TernaryWeightsNeedNoMultiplier) {
  Task task = parse(productText(bytesText(64, 64, 32)));
  std::vector<std::byte> weights(64 * 32);
  for (size_t i = 0; i < weights.size(); ++i)
    weights[i] = static_cast<std::byte>(static_cast<int>(i * 7 % 3) - 1);
  task.constants.resize(task.block->getNumArguments());
  task.constants[1] = weights;
  const auto kernel = fpga::makeKernel(task, fpga::kEcp5_85k);
  ASSERT_TRUE(kernel) << kernel.error().toString();
  EXPECT_EQ(kernel->estimate.multipliers, 0);
  EXPECT_EQ(kernel->ports.size(), 2U);  // none for the weights
  const auto& products = std::get<fpga::Nest>(kernel->stages.back().work);
  EXPECT_EQ(products.interval, 1U);
  EXPECT_LE(fpga::iterationsOf(products), 64 * 64 * 32 / 512);  // so many multiply-adds a cycle
}

// Channels lie side by side in a word of a padded picture, as many as are summed at once.
TEST_F(FpgaTarget, PaddedConvolutionsOfBytes) {
  const auto text = [](int channels, int features, int stride, bool residual) {
    return quantisedText({.name = "convolution",
                          .height = 7,
                          .width = 6,
                          .in_channels = channels,
                          .out_channels = features,
                          .kernel = 3,
                          .stride = stride,
                          .pad = 1,
                          .residual = residual});
  };
  expectSame(text(64, 16, 1, false), 0);
  expectSame(text(12, 35, 1, true), 0);
  expectSame(text(3, 16, 2, false), 0);
}

TEST_F(FpgaTarget, PaddedConvolutionsOfFloats) {
  expectSame(convolutionText({.name = "convolution",
                              .height = 6,
                              .width = 5,
                              .in_channels = 5,
                              .out_channels = 7,
                              .groups = 2,
                              .kernel_height = 3,
                              .kernel_width = 2,
                              .dilation = 2,
                              .pad_low = 2,
                              .pad_high = 1}));
  expectSame(depthwiseText("depthwise", 8, 7, 6, 3, 2));
}

// A load of the picture brings all channels that are summed at once: a convolution of many is folded as a
// product is.
TEST_F(FpgaTarget, AWordBringsAllChannels) {
  Task task = parse(quantisedText({.name = "convolution",
                                   .height = 28,
                                   .width = 28,
                                   .in_channels = 64,
                                   .out_channels = 64,
                                   .kernel = 3,
                                   .pad = 1}));
  const std::vector<Tensor> operands = *makeOperands(task, 1);
  task.constants.resize(operands.size());
  for (size_t i = 1; i < operands.size(); ++i)
    task.constants[i] = {reinterpret_cast<const std::byte*>(operands[i].data()), operands[i].bytes()};
  const auto kernel = fpga::makeKernel(task, fpga::kEcp5_85k);
  ASSERT_TRUE(kernel) << kernel.error().toString();
  const auto& products = std::get<fpga::Nest>(kernel->stages.back().work);
  EXPECT_EQ(products.interval, 1U);
  EXPECT_LE(fpga::iterationsOf(products), 28 * 28 * 64 * 9 * 64 / 64);  // so many multiply-adds a cycle
}

TEST_F(FpgaTarget, WindowsBeyondTheEdges) {
  expectSame(edgesText(400, 300, 0));
  // More rows and columns than the operand has, and fewer.
  expectSame(edgesText(402, 302, 1));
  expectSame(edgesText(398, 297, -1));
}

// Nothing but lines of the operand is kept, one element of it comes a cycle.
TEST_F(FpgaTarget, LinesAndNotTheWholeOperandAreKept) {
  const Task task = parse(edgesText(400, 300, 0));
  const auto kernel = fpga::makeKernel(task, fpga::kEcp5_85k);
  ASSERT_TRUE(kernel) << kernel.error().toString();
  EXPECT_TRUE(kernel->memories.empty());
  ASSERT_EQ(kernel->stages.size(), 1U);
  const auto& nest = std::get<fpga::Nest>(kernel->stages[0].work);
  EXPECT_EQ(nest.interval, 1U);
  EXPECT_LE(kernel->ports.size(), 3U);
}

TEST_F(FpgaTarget, ElementsThatALoopUpdates) {
  // Places beyond the table are no places.
  expectSame(updateText({.count = 300, .bins = 7, .type = "i32", .combine = "addi"}));
  // What is not there in the cycle after: an iteration waits until its word is in memory.
  expectSame(updateText({.count = 40, .bins = 5, .type = "f32", .combine = "addf"}));
}

// However often one place comes again.
TEST_F(FpgaTarget, AnUpdateACycle) {
  const Task task = parse(updateText({.count = 300, .bins = 7, .type = "i32", .combine = "addi"}));
  const auto kernel = fpga::makeKernel(task, fpga::kEcp5_85k);
  ASSERT_TRUE(kernel) << kernel.error().toString();
  ASSERT_EQ(kernel->stages.size(), 3U);
  EXPECT_EQ(std::get<fpga::Nest>(kernel->stages[1].work).interval, 1U);
  EXPECT_EQ(kernel->estimate.block_rams, 2);
}

// An update that comes in the cycle in which its cell is read must not meet itself.
TEST_F(FpgaTarget, ReductionsWithoutARegister) { expectSame(kParity); }

TEST_F(FpgaTarget, LoopsThatTheDataEnds) { expectSame(kLoop); }

TEST_F(FpgaTarget, SaysWhatThePartHasTooLittleOf) {
  const Task task = parse(gatherText("table", 100000, 64, 8));
  const Status status = findCodeGenerator("fpga")->supports(task);
  EXPECT_EQ(status.code(), StatusCode::kUnimplemented);
  // 6.4 million words of 32 bits in 512 x 36, and eight indices of 64.
  EXPECT_EQ(status.message(), "it needs 12502 block RAMs, and ecp5-85k has 208");
}

}  // namespace
}  // namespace tetrarch::compile
