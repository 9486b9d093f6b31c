// Pooling of bytes, through the whole pipeline, on the NPU's models: the reference interpreter's bits.
#include "tetrarch/compile/target/npu/npu_graph_test.h"
#include "tetrarch/graph/quantized_parts.h"

namespace tetrarch::compile {
namespace {

class NpuPool : public NpuGraphTest {};

struct Window {
  Shape shape;  // NHWC
  int64_t taps_h, taps_w, stride_h, stride_w, low, high, dilation = 1;
};

const Window kWindows[] = {
    {{1, 112, 112, 64}, 3, 3, 2, 2, 1, 1},  {{1, 28, 28, 24}, 2, 2, 2, 2, 0, 0},
    {{2, 9, 13, 37}, 3, 5, 1, 1, 1, 2},     {{1, 21, 5, 16}, 5, 2, 3, 1, 2, 1},
    {{1, 10, 300, 3}, 3, 3, 1, 2, 0, 1},    {{3, 7, 7, 50}, 7, 7, 1, 1, 0, 0},
    {{1, 17, 19, 20}, 3, 2, 2, 1, 1, 1, 2}, {{1, 6, 6, 1}, 3, 3, 3, 3, 0, 0},
};

mlir::Value windows(mlir::ImplicitLocOpBuilder& b, mlir::Value x, const Window& w, tet::ReductionKind kind) {
  const int64_t d = w.dilation;
  using Dims = llvm::SmallVector<int64_t>;
  return tet::ReduceWindowOp::create(b, kind, x, Dims{1, w.taps_h, w.taps_w, 1},
                                     Dims{1, w.stride_h, w.stride_w, 1}, Dims{1, 1, 1, 1}, Dims{1, d, d, 1},
                                     Dims{0, 0, w.low, w.high, w.low, w.high, 0, 0});
}

TEST_F(NpuPool, MaximaAreTheInterpreters) {
  for (const Window& w : kWindows) {
    SCOPED_TRACE(w.shape[3]);
    check(1, w.shape,
          [&](Builder& b, mlir::ValueRange in) { return windows(b, in[0], w, tet::ReductionKind::Maximum); });
  }
}

TEST_F(NpuPool, SumsAreTheInterpreters) {
  for (const Window& w : kWindows) {
    for (bool requantizes : {true, false}) {
      SCOPED_TRACE(w.shape[3]);
      check(1, w.shape, [&](Builder& b, mlir::ValueRange in) -> Value {
        Value wide = tet::ConvertOp::create(b, in[0], b.getI32Type());
        Value sums = windows(b, wide, w, tet::ReductionKind::Add);
        return requantizes ? tet::requantize(b, {sums, number(b, 900), number(b, 29127), number(b, 18), -1},
                                             {.zero_point = 3, .low = -120, .high = 90})
                           : sums;
      });
    }
  }
}

TEST_F(NpuPool, GlobalMeansAreTheInterpreters) {
  for (const Shape& shape :
       {Shape{1, 7, 7, 2048}, Shape{2, 8, 5, 19}, Shape{3, 30, 33}, Shape{1, 56, 56, 40}}) {
    SCOPED_TRACE(shape.back());
    check(1, shape, [&](Builder& b, mlir::ValueRange in) {
      Value wide = tet::ConvertOp::create(b, in[0], b.getI32Type());
      const std::vector<int64_t> both = {1, 2};
      const llvm::ArrayRef<int64_t> dims = llvm::ArrayRef(both).take_front(shape.size() - 2);
      wide = tet::SubtractOp::create(b, wide, tet::quantized::splat(b, wide, b.getI32Type(), -7));
      Value sums = tet::ReduceOp::create(b, tet::ReductionKind::Add, wide, dims);
      return tet::requantize(b, {sums, number(b, 6272), number(b, 26750), number(b, 19), -1},
                             {.zero_point = -128});
    });
  }
}

TEST_F(NpuPool, ChannelsHaveFactorsOfTheirOwn) {
  check(1, {2, 6, 7, 37}, [&](Builder& b, mlir::ValueRange in) {
    Value wide = tet::ConvertOp::create(b, in[0], b.getI32Type());
    const std::vector<int64_t> dims = {1, 2};
    Value sums = tet::ReduceOp::create(b, tet::ReductionKind::Add, wide, llvm::ArrayRef(dims));
    return tet::requantize(
        b, {sums, column(b, 37, -900, 900), column(b, 37, 10000, 32767), column(b, 37, 16, 22), 1},
        {.zero_point = 5});
  });
}

TEST_F(NpuPool, OtherSidesOfTheArrayToo) {
  for (const auto& [features, options] : {std::pair{"side=8 sp_rows=32768 acc_rows=2048", R"({"side":8})"},
                                          std::pair{"side=32 sp_rows=8192 acc_rows=512", R"({"side":32})"}}) {
    check(
        1, {1, 15, 15, 45},
        [&](Builder& b, mlir::ValueRange in) {
          return windows(b, in[0], {{1, 15, 15, 45}, 3, 3, 2, 2, 1, 1}, tet::ReductionKind::Maximum);
        },
        features, options);
  }
}

}  // namespace
}  // namespace tetrarch::compile
