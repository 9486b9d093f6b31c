// Graphs of quantised compositions, through the whole pipeline, on the NPU's models: the reference
// interpreter's bits.
#include "tetrarch/compile/target/npu/npu_graph_test.h"
#include "tetrarch/graph/quantized_rows.h"

namespace tetrarch::compile {
namespace {

class NpuVector : public NpuGraphTest {};

const Shape kShapes[] = {{2, 3, 11}, {5, 128}, {7, 33}, {1, 1}, {3, 257}, {40, 384}};

TEST_F(NpuVector, SoftmaxIsTheInterpreters) {
  for (const Shape& shape : kShapes) {
    SCOPED_TRACE(shape.back());
    check(1, shape, [&](Builder& b, mlir::ValueRange in) {
      return tet::softmaxInt8(
          b, {in[0], table(b, tet::exponentialTable(0.03)), table(b, tet::reciprocalTable())},
          tet::fixedPoint(255 * std::ldexp(1, -30)), {.zero_point = -128});
    });
  }
}

TEST_F(NpuVector, NormalisationsAreTheInterpreters) {
  for (const Shape& shape : kShapes) {
    for (bool centred : {true, false}) {
      const int64_t n = shape.back();
      if (n == 1) continue;  // folds to something else
      SCOPED_TRACE(n);
      check(1, shape, [&](Builder& b, mlir::ValueRange in) {
        return tet::normInt8(
            b, {in[0], table(b, tet::rsqrtTable()), column(b, n, -32768, 32767), column(b, n, -3000, 3000)},
            {.centred = centred, .zero_point = centred ? 0 : -7, .epsilon = 300, .shift = 22},
            {.zero_point = 4, .low = -100, .high = 110});
      });
    }
  }
}

TEST_F(NpuVector, SumsProductsAndTablesAreTheInterpreters) {
  const auto wide = [](Builder& b, Value x) -> Value { return tet::ConvertOp::create(b, x, b.getI32Type()); };
  for (const Shape& shape : {Shape{1, 5, 7, 3}, Shape{17}, Shape{2, 4097}}) {
    check(2, shape, [&](Builder& b, mlir::ValueRange in) {
      return tet::requantizeAdd(b, {wide(b, in[0]), number(b, 9), number(b, 20000), number(b, 14), -1},
                                {in[1], -3, -30000, 15}, {.zero_point = 2, .low = -128, .high = 100});
    });
    check(2, shape, [&](Builder& b, mlir::ValueRange in) {
      Value product = tet::MultiplyOp::create(b, wide(b, in[0]), wide(b, in[1]));
      return tet::requantize(b, {product, {}, number(b, 17000), number(b, 21), -1}, {.zero_point = -5});
    });
    check(1, shape, [&](Builder& b, mlir::ValueRange in) {
      Tensor bytes = Tensor::create(ElementType::I8, {256}).value();
      for (int64_t i = 0; i < 256; ++i) bytes.setInt(i, i * 37 % 256 - 128);
      return tet::lookup(b, in[0], table(b, bytes));
    });
  }
}

TEST_F(NpuVector, BytesAreWidened) {
  check(1, {3, 5, 70}, [](Builder& b, mlir::ValueRange in) -> Value {
    return tet::ConvertOp::create(b, in[0], b.getI32Type());
  });
}

TEST_F(NpuVector, OtherSidesOfTheArrayToo) {
  for (const auto& [features, options] :
       {std::pair{"side=8", R"({"side":8})"}, std::pair{"side=32", R"({"side":32})"}}) {
    check(
        1, {9, 77},
        [&](Builder& b, mlir::ValueRange in) {
          return tet::softmaxInt8(
              b, {in[0], table(b, tet::exponentialTable(0.03)), table(b, tet::reciprocalTable())},
              tet::fixedPoint(127 * std::ldexp(1, -30)), {});
        },
        features, options);
  }
}

}  // namespace
}  // namespace tetrarch::compile
