// Tasks of the normal forms as kernels on the plug-in, every unit in its SystemVerilog too (bits, cycles,
// pauses), against the CPU target; and what the generator says of tasks that it does not take.
#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Parser/Parser.h"
#include "tetrarch/abi/fpga_program.h"
#include "tetrarch/compile/kernel_tool/kernel_runner.h"
#include "tetrarch/compile/kernel_tool/plugin_runner.h"
#include "tetrarch/compile/kernel_tool/task_text.h"

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
    const auto blobs = findCodeGenerator("fpga")->compile({&task, 1}, {});
    ASSERT_TRUE(blobs) << blobs.error().toString();
    const auto cpu = compileGeneral({&task, 1});
    ASSERT_TRUE(cpu) << cpu.error().toString();
    const auto reference = KernelModule::load(*cpu);
    ASSERT_TRUE(reference);
    auto device = PluginRunner::open(TETRARCH_FPGA_PLUGIN, R"({"check_rtl":1})");
    ASSERT_TRUE(device) << device.error().toString();
    std::vector<Tensor> operands = *makeOperands(task, 1), expected = *makeResults(task),
                        actual = *makeResults(task);
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

TEST_F(FpgaTarget, WindowsThatSlide) { expectSame(poolText("pool", 7, 6, 2, 3, 1, 1, "maximumf")); }

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
