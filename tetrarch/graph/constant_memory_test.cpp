#include "tetrarch/graph/constant_memory.h"

#include <gtest/gtest.h>

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/OwningOpRef.h"
#include "tetrarch/graph/constants.h"
#include "tetrarch/graph/parse.h"
#include "tetrarch/graph/test_util.h"

namespace tetrarch::tet {
namespace {

constexpr size_t kBytes = 4 * 1000;

// 0, 1, 2, … that tell when their memory goes.
Tensor watched(std::weak_ptr<void>& memory) {
  auto owner = std::make_shared<Tensor>(counting({1000}));
  memory = owner;
  void* data = owner->data();
  return Tensor::view(ElementType::F32, {1000}, data, std::move(owner));
}

class ConstantMemoryTest : public testing::Test {
 protected:
  ConstantMemoryTest() : context_(makeContext()), builder_(context_.get()) {
    module_ = mlir::ModuleOp::create(builder_.getUnknownLoc());
    builder_.setInsertionPointToEnd(module_->getBody());
  }
  ConstantOp constant(std::weak_ptr<void>& memory) {
    return makeConstant(builder_, builder_.getUnknownLoc(), watched(memory));
  }

  std::unique_ptr<mlir::MLIRContext> context_;
  mlir::OpBuilder builder_;
  mlir::OwningOpRef<mlir::ModuleOp> module_;
};

TEST_F(ConstantMemoryTest, GoesWithTheLastOpThatShowsIt) {
  std::weak_ptr<void> first, second;
  ConstantOp one = constant(first), two = constant(second);
  mlir::Operation* copy = builder_.clone(*one);
  EXPECT_EQ(releaseUnusedConstants(*module_), 0u);
  one.erase();
  EXPECT_EQ(releaseUnusedConstants(*module_), 0u);
  copy->erase();
  EXPECT_EQ(releaseUnusedConstants(*module_), kBytes);
  EXPECT_TRUE(first.expired());
  EXPECT_FALSE(second.expired());
  EXPECT_EQ(valuesOf(*tensorOf(two.getValue()))[999], 999);
}

TEST_F(ConstantMemoryTest, OpsInRegionsAndOtherAttributesUseIt) {
  std::weak_ptr<void> memory;
  ConstantOp op = constant(memory);
  module_->getOperation()->setAttr("about", builder_.getArrayAttr({op.getValue()}));
  op.erase();
  EXPECT_EQ(releaseUnusedConstants(*module_), 0u);
  module_->getOperation()->removeAttr("about");
  EXPECT_EQ(releaseUnusedConstants(*module_), kBytes);
}

TEST_F(ConstantMemoryTest, ATensorThatWasReadKeepsIt) {
  std::weak_ptr<void> memory;
  const mlir::ElementsAttr value = constant(memory).getValue();
  auto read = std::make_unique<Tensor>(*tensorOf(value));
  module_->getBody()->clear();
  EXPECT_EQ(releaseUnusedConstants(*module_), kBytes);
  EXPECT_FALSE(memory.expired());
  EXPECT_EQ(read->getDouble(999), 999);
  read.reset();
  EXPECT_TRUE(memory.expired());
  EXPECT_EQ(tensorOf(value).error().code(), StatusCode::kNotFound);
}

TEST_F(ConstantMemoryTest, AConstantMadeOfAReadTensorOutlivesIts) {
  std::weak_ptr<void> memory;
  ConstantOp op = constant(memory);
  ConstantOp again = makeConstant(builder_, builder_.getUnknownLoc(), *tensorOf(op.getValue()));
  op.erase();
  EXPECT_EQ(releaseUnusedConstants(*module_), kBytes);
  EXPECT_EQ(valuesOf(*tensorOf(again.getValue()))[999], 999);
}

TEST_F(ConstantMemoryTest, GoesWithTheContext) {
  std::weak_ptr<void> memory;
  constant(memory);
  module_ = nullptr;
  EXPECT_FALSE(memory.expired());
  context_.reset();
  EXPECT_TRUE(memory.expired());
}

}  // namespace
}  // namespace tetrarch::tet
