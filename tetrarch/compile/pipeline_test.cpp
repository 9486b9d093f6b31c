#include "tetrarch/compile/pipeline.h"

#include <gtest/gtest.h>

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"
#include "tetrarch/graph/constants.h"
#include "tetrarch/graph/parse.h"
#include "tetrarch/graph/test_util.h"

namespace tetrarch::compile {
namespace {

// The first weights are packed; the second are used as they are.
constexpr std::string_view kTwoProducts = R"(
  func.func @main(%x: tensor<16x20xf32>, %v: tensor<20x40xf32>, %y: tensor<16x40xf32>) -> tensor<16x40xf32> {
    %0 = tet.dot_general %x, %v, batching_dims = [] x [], contracting_dims = [1] x [0]
      : (tensor<16x20xf32>, tensor<20x40xf32>) -> tensor<16x40xf32>
    %1 = tet.add %0, %y : tensor<16x40xf32>
    return %1 : tensor<16x40xf32>
  })";

class PipelineTest : public testing::Test {
 protected:
  PipelineTest() : context_(tet::makeContext()) {
    module_ = std::move(*tet::parseGraph(kTwoProducts, context_.get()));
    packed_ = makeConstant(1);
    plain_ = makeConstant(2);
  }

  // In place of an argument; the result tells when its memory goes.
  std::weak_ptr<void> makeConstant(unsigned argument) {
    auto main = module_->lookupSymbol<mlir::func::FuncOp>("main");
    mlir::OpBuilder builder(&main.front(), main.front().begin());
    auto owner = std::make_shared<Tensor>(tet::counting(
        llvm::cast<mlir::RankedTensorType>(main.getArgument(argument).getType()).getShape().vec()));
    const Tensor tensor = Tensor::view(ElementType::F32, owner->shape(), owner->data(), owner);
    main.getArgument(argument).replaceAllUsesWith(
        tet::makeConstant(builder, builder.getUnknownLoc(), tensor).getResult());
    return owner;
  }

  std::unique_ptr<mlir::MLIRContext> context_;
  mlir::OwningOpRef<mlir::ModuleOp> module_;
  std::weak_ptr<void> packed_, plain_;
};

TEST_F(PipelineTest, FreesTheConstantsThatAStageReplaced) {
  PipelineOptions options;
  options.frees_constants = true;
  options.on_stage = [&](std::string_view stage, double) {
    const bool is_packed = stage == "pack" || stage == "fuse" || stage == "tasks";
    EXPECT_EQ(packed_.expired(), is_packed) << stage;
    EXPECT_FALSE(plain_.expired()) << stage;
  };
  const Status status = runPipeline(*module_, options);
  EXPECT_TRUE(status.ok()) << status.toString();
}

TEST_F(PipelineTest, KeepsConstantsThatAnotherModuleMayNeed) {
  const mlir::OwningOpRef<mlir::ModuleOp> other(module_->clone());
  const Status status = runPipeline(*module_);
  EXPECT_TRUE(status.ok()) << status.toString();
  EXPECT_FALSE(packed_.expired());
  other.get()->walk([](tet::ConstantOp op) { EXPECT_TRUE(tet::tensorOf(op.getValue()).has_value()); });
}

}  // namespace
}  // namespace tetrarch::compile
