#include "tetrarch/compile/target/gpu/opencl_printer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numeric>

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Parser/Parser.h"
#include "tetrarch/base/element_type.h"
#include "tetrarch/compile/target/gpu/opencl_test_util.h"

namespace tetrarch::opencl {
namespace {

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

class OpenClPrinter : public testing::Test {
 protected:
  OpenClPrinter() {
    context_.loadDialect<mlir::gpu::GPUDialect, mlir::arith::ArithDialect, mlir::math::MathDialect,
                         mlir::memref::MemRefDialect, mlir::scf::SCFDialect, mlir::vector::VectorDialect>();
  }

  // `kernels`: gpu.func ops.
  Result<std::string> print(const std::string& kernels) {
    module_ = mlir::parseSourceString<mlir::ModuleOp>("gpu.module @m {\n" + kernels + "\n}", &context_);
    if (!module_) return invalidArgument("the test's own text does not parse");
    return printOpenCl(*module_->getOps<mlir::gpu::GPUModuleOp>().begin());
  }

  // A kernel that stores `body`'s %r at the work-item's place; `body` reads %a (and %b) of the same type.
  static std::string lanewise(const std::string& type, const std::string& result, const std::string& body) {
    return "gpu.func @k(%in0: memref<64x" + type + ">, %in1: memref<64x" + type + ">, %res: memref<64x" +
           result + ">) kernel {\n %item = gpu.global_id x\n %a = memref.load %in0[%item] : memref<64x" +
           type + ">\n %b = memref.load %in1[%item] : memref<64x" + type + ">\n" + body +
           "\n memref.store %r, %res[%item] : memref<64x" + result + ">\n gpu.return\n}";
  }
  // The same on vectors of eight, one work-item for each.
  static std::string vectorwise(const std::string& type, const std::string& result, const std::string& body) {
    return "gpu.func @k(%in0: memref<64x" + type + ">, %in1: memref<64x" + type + ">, %res: memref<64x" +
           result +
           ">) kernel {\n %c8 = arith.constant 8 : index\n %tile = gpu.global_id x\n %item = arith.muli "
           "%tile, %c8 : index\n"
           " %a = vector.load %in0[%item] : memref<64x" +
           type + ">, vector<8x" + type + ">\n %b = vector.load %in1[%item] : memref<64x" + type +
           ">, vector<8x" + type + ">\n" + body + "\n vector.store %r, %res[%item] : memref<64x" + result +
           ">, vector<8x" + result + ">\n gpu.return\n}";
  }

  template <typename In, typename Out>
  std::vector<Out> run(const std::string& kernel, std::vector<In> a, std::vector<In> b, size_t items = 64) {
    a.resize(64, In{});
    b.resize(64, In{});
    std::vector<Out> out(64);
    auto source = print(kernel);
    EXPECT_TRUE(source.has_value()) << source.error().toString();
    if (!source) return out;
    const Status done = runForTest(
        *source, "k", items, 1,
        {{a.data(), 64 * sizeof(In)}, {b.data(), 64 * sizeof(In)}, {out.data(), 64 * sizeof(Out)}});
    EXPECT_TRUE(done.ok()) << done.toString() << "\n" << *source;
    return out;
  }

  mlir::MLIRContext context_;
  mlir::OwningOpRef<mlir::ModuleOp> module_;
};

TEST_F(OpenClPrinter, PrintsARegisterTileAsOneWouldWriteIt) {
  auto text = print(R"(
    gpu.func @tile(%lhs: memref<128xf32> loc("lhs"), %rhs: memref<1024xf32> loc("rhs"), %out: memref<32xf32> loc("out")) kernel
        attributes {known_block_size = array<i32: 1, 1, 1>} {
      %c0 = arith.constant 0 : index
      %c1 = arith.constant 1 : index
      %c16 = arith.constant 16 : index
      %c64 = arith.constant 64 : index
      %zero = arith.constant dense<0.0> : vector<16xf32>
      %row = gpu.global_id x loc("row")
      %start = arith.muli %row, %c64 : index
      %sum = scf.for %k = %c0 to %c64 step %c1 iter_args(%acc = %zero) -> vector<16xf32> {
        %at = arith.addi %start, %k : index
        %a = memref.load %lhs[%at] : memref<128xf32> loc("a")
        %wide = vector.broadcast %a : f32 to vector<16xf32>
        %from = arith.muli %k, %c16 : index
        %b = vector.load %rhs[%from] : memref<1024xf32>, vector<16xf32> loc("b")
        %next = vector.fma %wide, %b, %acc : vector<16xf32>
        scf.yield %next : vector<16xf32>
      }
      %to = arith.muli %row, %c16 : index
      vector.store %sum, %out[%to] : memref<32xf32>, vector<16xf32>
      gpu.return
    })");
  ASSERT_TRUE(text.has_value()) << text.error().toString();
  EXPECT_EQ(*text, R"(__attribute__((reqd_work_group_size(1, 1, 1)))
__kernel void tile(__global const float* restrict lhs,
                   __global const float* restrict rhs,
                   __global float* restrict out) {
  const int row = (int)get_global_id(0);
  const int at = row * 64;
  float16 acc = (float16)(0.0f);
  for (int i = 0; i < 64; ++i) {
    const float a = lhs[at + i];
    const float16 b = vload16(0, rhs + i * 16);
    acc = fma((float16)(a), b, acc);
  }
  vstore16(acc, 0, out + row * 16);
}
)");
  EXPECT_TRUE(buildForTest(*text).has_value());
}

TEST_F(OpenClPrinter, WrapsIntegersAndKeepsUnsignedOpsUnsigned) {
  const std::string body = R"(
    %s = arith.addi %a, %b : i32
    %c3 = arith.constant 3 : i32
    %d = arith.divui %s, %c3 : i32
    %n = arith.constant -7 : i32
    %f = arith.floordivsi %n, %c3 : i32
    %r = arith.xori %d, %f : i32)";
  const int big = std::numeric_limits<int>::max();
  auto out = run<int, int>(lanewise("i32", "i32", body), {big, 5}, {big, -1});
  EXPECT_EQ(out[0], static_cast<int>(0xfffffffeu / 3) ^ -3);
  EXPECT_EQ(out[1], 1 ^ -3);
}

TEST_F(OpenClPrinter, NarrowIntegersWrapInsideExpressions) {
  const std::string body = R"(
    %s = arith.addi %a, %b : i8
    %w = arith.extsi %s : i8 to i32
    %u = arith.extui %s : i8 to i32
    %r = arith.subi %u, %w : i32)";
  EXPECT_EQ((run<int8_t, int>(lanewise("i8", "i32", body), {100, 1}, {100, 1})[0]), 256);
  const std::string wide = R"(
    %s = arith.addi %a, %b : vector<8xi8>
    %w = arith.extsi %s : vector<8xi8> to vector<8xi32>
    %u = arith.extui %s : vector<8xi8> to vector<8xi32>
    %r = arith.subi %u, %w : vector<8xi32>)";
  auto out = run<int8_t, int>(vectorwise("i8", "i32", wide), {100, 1}, {100, 1}, 8);
  EXPECT_EQ(out[0], 256);
  EXPECT_EQ(out[1], 0);
}

TEST_F(OpenClPrinter, MaximumPassesNaNOn) {
  const float nan = std::nanf("");
  for (const bool vector : {false, true}) {
    const std::string type = vector ? "vector<8xf32>" : "f32";
    const std::string body = "%r = arith.maximumf %a, %b : " + type;
    auto out = run<float, float>(vector ? vectorwise("f32", "f32", body) : lanewise("f32", "f32", body),
                                 {1, nan, 1, 3}, {2, 1, nan, 2}, vector ? 8 : 64);
    EXPECT_EQ(out[0], 2);
    EXPECT_TRUE(std::isnan(out[1]));
    EXPECT_TRUE(std::isnan(out[2]));
    EXPECT_EQ(out[3], 3);
  }
}

TEST_F(OpenClPrinter, MasksSelectWhateverTheWidthOfTheirLanes) {
  const std::string body = R"(
    %m = arith.cmpf olt, %a, %b : vector<8xf64>
    %one = arith.constant dense<1> : vector<8xi8>
    %two = arith.constant dense<2> : vector<8xi8>
    %s = arith.select %m, %one, %two : vector<8xi1>, vector<8xi8>
    %t = arith.extui %m : vector<8xi1> to vector<8xi8>
    %r = arith.addi %s, %t : vector<8xi8>)";
  auto out = run<double, int8_t>(vectorwise("f64", "i8", body), {1, 5}, {2, 3}, 8);
  EXPECT_EQ(out[0], 2);
  EXPECT_EQ(out[1], 2);
  const std::string scalar = R"(
    %m = arith.cmpf ult, %a, %b : f32
    %n = arith.extui %m : i1 to i8
    %z = arith.extsi %m : i1 to i8
    %c10 = arith.constant 10 : i8
    %t = arith.muli %n, %c10 : i8
    %r = arith.addi %t, %z : i8)";
  auto bytes = run<float, int8_t>(lanewise("f32", "i8", scalar), {1, 5, std::nanf("")}, {2, 3, 1});
  EXPECT_EQ(bytes[0], 9);
  EXPECT_EQ(bytes[1], 0);
  EXPECT_EQ(bytes[2], 9);
}

TEST_F(OpenClPrinter, HalfFloatsRoundToNearestEven) {
  for (const std::string type : {"f16", "bf16"}) {
    const auto narrow = type == "f16" ? f32ToF16 : f32ToBf16;
    const auto widen = type == "f16" ? f16ToF32 : bf16ToF32;
    std::vector<uint16_t> a, b;
    for (int i = 0; i < 64; ++i) {
      a.push_back(narrow(std::ldexp(1.0f + static_cast<float>(i) / 61, i % 12 - 6)));
      b.push_back(narrow(static_cast<float>(i % 7) * 0.3f + 0.01f));
    }
    const std::string body = R"(
      %w = arith.extf %a : T to F
      %v = arith.extf %b : T to F
      %p = arith.mulf %w, %v : F
      %n = arith.truncf %p : F to T
      %r = arith.addf %n, %b : T)";
    for (const bool vector : {false, true}) {
      std::string text = body;
      for (auto [from, to] : {std::pair<char, std::string>{'T', type}, {'F', "f32"}}) {
        for (size_t at; (at = text.find(from)) != std::string::npos;)
          text.replace(at, 1, vector ? "vector<8x" + to + ">" : to);
      }
      auto out = run<uint16_t, uint16_t>(vector ? vectorwise(type, type, text) : lanewise(type, type, text),
                                         a, b, vector ? 8 : 64);
      for (int i = 0; i < 64; ++i) {
        EXPECT_EQ(out[i], narrow(widen(narrow(widen(a[i]) * widen(b[i]))) + widen(b[i]))) << type << " " << i;
      }
    }
  }
}

TEST_F(OpenClPrinter, WideAndTallVectorsAreSplit) {
  // 2x20 f32: rows of 16 + 4 lanes.
  auto text = print(R"(
    gpu.func @k(%x: memref<64xf32>, %y: memref<64xf32>, %z: memref<64xf32>) kernel {
      %c0 = arith.constant 0 : index
      %c20 = arith.constant 20 : index
      %zero = arith.constant dense<0.5> : vector<2x20xf32>
      %a = vector.load %x[%c0] : memref<64xf32>, vector<2xf32>
      %b = vector.load %y[%c0] : memref<64xf32>, vector<20xf32>
      %p = vector.outerproduct %a, %b, %zero : vector<2xf32>, vector<20xf32>
      %r0 = vector.extract %p[0] : vector<20xf32> from vector<2x20xf32>
      %r1 = vector.extract %p[1] : vector<20xf32> from vector<2x20xf32>
      %s = vector.reduction <add>, %r1 : vector<20xf32> into f32
      %l = vector.extract %p[1, 19] : f32 from vector<2x20xf32>
      %c40 = arith.constant 40 : index
      %c41 = arith.constant 41 : index
      vector.store %r0, %z[%c0] : memref<64xf32>, vector<20xf32>
      vector.store %r1, %z[%c20] : memref<64xf32>, vector<20xf32>
      memref.store %s, %z[%c40] : memref<64xf32>
      memref.store %l, %z[%c41] : memref<64xf32>
      gpu.return
    })");
  ASSERT_TRUE(text.has_value()) << text.error().toString();
  std::vector<float> x(64), y(64), z(64);
  std::iota(x.begin(), x.end(), 1.0f);
  std::iota(y.begin(), y.end(), 0.0f);
  const Status done = runForTest(*text, "k", 1, 1, {{x.data(), 256}, {y.data(), 256}, {z.data(), 256}});
  ASSERT_TRUE(done.ok()) << done.toString();
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(z[i], static_cast<float>(i) + 0.5f);
    EXPECT_EQ(z[20 + i], 2 * static_cast<float>(i) + 0.5f);
  }
  EXPECT_EQ(z[40], 2 * 190 + 20 * 0.5f);
  EXPECT_EQ(z[41], 38.5f);
}

TEST_F(OpenClPrinter, LocalMemoryBarriersBranchesAndSwaps) {
  // Each work-group of four reverses its four values in local memory, then work-item 0 adds a Fibonacci
  // number whose loop swaps its two variables.
  auto text = print(R"(
    gpu.func @k(%x: memref<64xf32>, %z: memref<64xf32>) workgroup(%tile: memref<4xf32, #gpu.address_space<workgroup>> ) kernel {
      %c0 = arith.constant 0 : index
      %c1 = arith.constant 1 : index
      %c3 = arith.constant 3 : index
      %c10 = arith.constant 10 : index
      %zero = arith.constant 0.0 : f32
      %one = arith.constant 1.0 : f32
      %g = gpu.global_id x
      %l = gpu.thread_id x
      %v = memref.load %x[%g] : memref<64xf32>
      memref.store %v, %tile[%l] : memref<4xf32, #gpu.address_space<workgroup>>
      gpu.barrier
      %from = arith.subi %c3, %l : index
      %w = memref.load %tile[%from] : memref<4xf32, #gpu.address_space<workgroup>>
      %first = arith.cmpi eq, %l, %c0 : index
      %r = scf.if %first -> f32 {
        %f:2 = scf.for %i = %c0 to %c10 step %c1 iter_args(%p = %zero, %q = %one) -> (f32, f32) {
          %s = arith.addf %p, %q : f32
          scf.yield %q, %s : f32, f32
        }
        %t = arith.addf %w, %f#0 : f32
        scf.yield %t : f32
      } else {
        scf.yield %w : f32
      }
      memref.store %r, %z[%g] : memref<64xf32>
      gpu.return
    })");
  ASSERT_TRUE(text.has_value()) << text.error().toString();
  std::vector<float> x(64), z(64);
  std::iota(x.begin(), x.end(), 0.0f);
  const Status done = runForTest(*text, "k", 64, 4, {{x.data(), 256}, {z.data(), 256}});
  ASSERT_TRUE(done.ok()) << done.toString() << *text;
  for (int i = 0; i < 64; ++i) {
    EXPECT_EQ(z[i], static_cast<float>(i / 4 * 4 + 3 - i % 4) + (i % 4 == 0 ? 55.0f : 0.0f)) << i << *text;
  }
}

TEST_F(OpenClPrinter, IndicesFromLongsAreLongs) {
  auto text = print(R"(
    gpu.func @k(%x: memref<64xf32>, %i: memref<64xi64>, %z: memref<4x16xf32, strided<[16, 1], offset: 0>>) kernel {
      %g = gpu.global_id x
      %c0 = arith.constant 0 : index
      %c63 = arith.constant 63 : index
      %raw = memref.load %i[%g] : memref<64xi64>
      %at = arith.index_cast %raw : i64 to index
      %low = arith.maxsi %at, %c0 : index
      %in = arith.minsi %low, %c63 : index
      %v = memref.load %x[%in] : memref<64xf32>
      memref.store %v, %z[%c0, %g] : memref<4x16xf32, strided<[16, 1], offset: 0>>
      gpu.return
    })");
  ASSERT_TRUE(text.has_value()) << text.error().toString();
  EXPECT_TRUE(contains(*text, "const long gx = (long)get_global_id(0);")) << *text;
  EXPECT_TRUE(buildForTest(*text).has_value()) << buildForTest(*text).error().toString();
}

TEST_F(OpenClPrinter, EveryFloatRowCompiles) {
  for (const std::string op :
       {"math.erf", "math.exp", "math.tanh", "math.rsqrt", "math.log1p", "math.roundeven", "math.cbrt"}) {
    const std::string body = "%t = " + op + " %a : vector<8xf32>\n %r = arith.addf %t, %b : vector<8xf32>";
    auto out = run<float, float>(vectorwise("f32", "f32", body), std::vector<float>(64, 0.75f), {}, 8);
    EXPECT_TRUE(std::isfinite(out[63])) << op;
  }
}

TEST_F(OpenClPrinter, DeclinesWhatHasNoSpelling) {
  auto text = print(R"(gpu.func @k(%x: memref<64xf32>) kernel { %l = gpu.lane_id
    %v = memref.load %x[%l] : memref<64xf32>
    gpu.return })");
  ASSERT_FALSE(text.has_value());
  EXPECT_EQ(text.error().code(), StatusCode::kUnimplemented);
  EXPECT_TRUE(contains(text.error().message(), "kernel k: OpenCL C has no spelling for gpu.lane_id"));
  text = print("gpu.func @k(%x: memref<?x64xf32, strided<[?, 1]>>) kernel { gpu.return }");
  ASSERT_FALSE(text.has_value());
  EXPECT_TRUE(contains(text.error().message(), "no static layout"));
}

}  // namespace
}  // namespace tetrarch::opencl
