// Tasks that only move bytes, through the whole pipeline, on the NPU's models: the interpreter's tensors.
#include "tetrarch/compile/target/npu/npu_graph_test.h"

namespace tetrarch::compile {
namespace {

class NpuMovement : public NpuGraphTest {
 protected:
  using Numbers = llvm::SmallVector<int64_t>;
};

TEST_F(NpuMovement, Transpositions) {
  for (const auto& [shape, order] : std::vector<std::pair<Shape, Numbers>>{{{1, 24, 6, 8}, {0, 2, 3, 1}},
                                                                           {{2, 5, 7, 33}, {0, 3, 1, 2}},
                                                                           {{3, 40, 100}, {1, 0, 2}},
                                                                           {{70, 300}, {1, 0}}}) {
    SCOPED_TRACE(shape.back());
    check(1, shape, [&](Builder& b, mlir::ValueRange in) -> Value {
      return tet::TransposeOp::create(b, in[0], order);
    });
  }
}

TEST_F(NpuMovement, Slices) {
  check(1, {2, 9, 11, 40}, [&](Builder& b, mlir::ValueRange in) -> Value {
    return tet::SliceOp::create(b, in[0], Numbers{0, 1, 2, 3}, Numbers{2, 8, 11, 39}, Numbers{1, 2, 3, 1});
  });
  check(1, {5, 64}, [&](Builder& b, mlir::ValueRange in) -> Value {
    return tet::SliceOp::create(b, in[0], Numbers{1, 1}, Numbers{5, 64}, Numbers{1, 2});
  });
}

TEST_F(NpuMovement, Reversals) {
  check(1, {3, 9, 20}, [&](Builder& b, mlir::ValueRange in) -> Value {
    return tet::ReverseOp::create(b, in[0], Numbers{1, 2});
  });
}

TEST_F(NpuMovement, Concatenations) {
  for (int64_t dim : {1, 3}) {
    check(3, {1, 6, 8, 24},
          [&](Builder& b, mlir::ValueRange in) -> Value { return tet::ConcatenateOp::create(b, in, dim); });
  }
  check(2, {1, 90, 90, 64},
        [&](Builder& b, mlir::ValueRange in) -> Value { return tet::ConcatenateOp::create(b, in, 3); });
}

TEST_F(NpuMovement, Paddings) {
  check(1, {2, 6, 7, 20}, [&](Builder& b, mlir::ValueRange in) -> Value {
    const int64_t numbers[] = {-9};
    Value value = table(b, Tensor::of<int64_t>(ElementType::I8, {}, numbers));
    return tet::PadOp::create(b, in[0], value, Numbers{0, 1, 0, 3}, Numbers{1, 2, 3, 0}, Numbers{0, 0, 0, 0});
  });
}

}  // namespace
}  // namespace tetrarch::compile
