#include "tetrarch/graph/interpreter.h"

#include <set>

#include "tetrarch/graph/constants.h"
#include "tetrarch/graph/interpret.h"
#include "tetrarch/graph/parse.h"
#include "tetrarch/graph/test_util.h"

namespace tetrarch::tet {
namespace {

TEST(Interpreter, HasAKernelForEveryOp) {
  auto context = makeContext();
  const std::set<std::string> structure = {"tet.if",   "tet.while",  "tet.composite",
                                           "tet.task", "tet.return", "tet.yield"};
  int count = 0;
  for (mlir::RegisteredOperationName name : context->getRegisteredOperationsByDialect("tet")) {
    const std::string op = name.getStringRef().str();
    EXPECT_TRUE(structure.contains(op) || KernelTable::get().contains(op)) << op;
    ++count;
  }
  EXPECT_GE(count, 65);
}

constexpr std::string_view kIf = R"(
  func.func @main(%p: tensor<i1>, %x: tensor<2xf32>) -> tensor<2xf32> {
    %0 = tet.if %p : (tensor<i1>) -> tensor<2xf32> {
      tet.return %x : tensor<2xf32>
    } else {
      %1 = tet.negate %x : tensor<2xf32>
      tet.return %1 : tensor<2xf32>
    }
    return %0 : tensor<2xf32>
  })";

TEST(Interpreter, If) {
  EXPECT_EQ(runText(kIf, {tensorOf(ElementType::I1, {}, {1}), f32({2}, {1, 2})}), (Values{1, 2}));
  EXPECT_EQ(runText(kIf, {tensorOf(ElementType::I1, {}, {0}), f32({2}, {1, 2})}), (Values{-1, -2}));
}

TEST(Interpreter, WhileUsesValuesFromOutside) {
  EXPECT_EQ(runText(R"(
  func.func @main(%n: tensor<i32>, %step: tensor<i32>) -> tensor<i32> {
    %zero = tet.constant dense<0> : tensor<i32>
    %one = tet.constant dense<1> : tensor<i32>
    %0:2 = tet.while (%n, %zero) : tensor<i32>, tensor<i32> {
    ^bb0(%i: tensor<i32>, %sum: tensor<i32>):
      %more = tet.compare GT, %i, %zero : (tensor<i32>, tensor<i32>) -> tensor<i1>
      tet.return %more : tensor<i1>
    } do {
    ^bb0(%i: tensor<i32>, %sum: tensor<i32>):
      %less = tet.subtract %i, %one : tensor<i32>
      %next = tet.add %sum, %step : tensor<i32>
      tet.return %less, %next : tensor<i32>, tensor<i32>
    }
    return %0#1 : tensor<i32>
  })",
                    {i32({}, {4}), i32({}, {5})}),
            (Values{20}));
}

TEST(Interpreter, CompositeMeansItsRegion) {
  EXPECT_EQ(runText(R"(
  func.func @main(%x: tensor<2xf32>) -> tensor<2xf32> {
    %0 = tet.composite "twice" (%x) : (tensor<2xf32>) -> tensor<2xf32> {
    ^bb0(%a: tensor<2xf32>):
      %1 = tet.add %a, %a : tensor<2xf32>
      tet.return %1 : tensor<2xf32>
    }
    return %0 : tensor<2xf32>
  })",
                    {f32({2}, {1, 2})}),
            (Values{2, 4}));
}

TEST(Interpreter, RefusesInputsThatDoNotFit) {
  EXPECT_EQ(tryText(kIf, {}).error().message(), "@main takes 2 inputs, but got 0");
  EXPECT_EQ(tryText(kIf, {i32({}, {1}), f32({2}, {1, 2})}).error().message(),
            "input 0 of @main is i1, but got i32");
}

TEST(Interpreter, NamesAnOpThatItLacks) {
  const auto result =
      tryText("func.func @main(%x: f32) -> f32 {\n %0 = arith.addf %x, %x : f32\n return %0 : f32 }", {});
  EXPECT_EQ(result.error().code(), StatusCode::kInvalidArgument);
  const auto tensors = tryText(
      "func.func @main(%x: tensor<2xf32>) -> tensor<2xf32> {\n %0 = arith.addf %x, %x : tensor<2xf32>\n "
      "return %0 : "
      "tensor<2xf32> }",
      {f32({2}, {1, 2})});
  EXPECT_EQ(tensors.error().message(), "the interpreter has no kernel for 'arith.addf'");
}

TEST(Parse, SaysWhere) {
  const auto result =
      tryText("func.func @main(%x: tensor<2xf32>) {\n  %0 = tet.not %x : tensor<2xf32>\n  return\n}");
  EXPECT_EQ(result.error().message(),
            "graph:2: 'tet.not' op operand #0 must be statically shaped integer or i1 tensor of 4-bit "
            "signless integer "
            "or 8-bit signless integer or 16-bit signless integer or 32-bit signless integer or 64-bit "
            "signless integer "
            "or 8-bit unsigned integer or 16-bit unsigned integer or 32-bit unsigned integer or 64-bit "
            "unsigned integer "
            "or 1-bit signless integer values, but got 'tensor<2xf32>'");
}

class Constants : public testing::TestWithParam<ElementType> {};

TEST_P(Constants, SurviveTheWayThroughAttributes) {
  auto context = makeContext();
  for (int64_t count : {0, 1, 7, 5000}) {
    Tensor tensor = Tensor::create(GetParam(), {count}).value();
    for (int64_t i = 0; i < count; ++i) tensor.setInt(i, i * i % 7 + 1);
    mlir::ElementsAttr attribute = toAttribute(tensor, context.get());
    const Result<Tensor> back = tensorOf(attribute);
    ASSERT_TRUE(back) << back.error().message();
    EXPECT_EQ(back->type(), tensor.type());
    EXPECT_EQ(back->shape(), tensor.shape());
    EXPECT_EQ(valuesOf(*back), valuesOf(tensor));
  }
}

INSTANTIATE_TEST_SUITE_P(Types, Constants,
                         testing::Values(ElementType::F64, ElementType::F32, ElementType::F16,
                                         ElementType::BF16, ElementType::F8E4M3FN, ElementType::F8E5M2,
                                         ElementType::I1, ElementType::I4, ElementType::I8, ElementType::I16,
                                         ElementType::I32, ElementType::I64, ElementType::U8,
                                         ElementType::U16, ElementType::U32, ElementType::U64),
                         [](const auto& info) { return std::string(tetrarch::info(info.param).name); });

TEST(Constant, LargeOnesAreNotCopied) {
  auto context = makeContext();
  const Tensor tensor = counting({1000});
  EXPECT_EQ(tensorOf(toAttribute(tensor, context.get()))->data(), tensor.data());
}

TEST(Constant, SplatsAreSmall) {
  auto context = makeContext();
  mlir::OpBuilder builder(context.get());
  auto type = toMlir(ElementType::BF16, Shape{1000, 1000}, context.get());
  mlir::OwningOpRef<ConstantOp> constant = makeSplat(builder, builder.getUnknownLoc(), type, 1.5);
  EXPECT_TRUE(llvm::cast<mlir::DenseElementsAttr>(constant->getValue()).isSplat());
  EXPECT_EQ(splatValue(constant->getResult()), 1.5);
}

std::string resourceText(std::string_view name) {
  return fmt::format(
      "func.func @main() -> tensor<2xf32> {{\n %0 = tet.constant dense_resource<{}> : tensor<2xf32>\n "
      "return %0 : tensor<2xf32> }}\n",
      name);
}

TEST(Constant, MissingOrShortResourceIsAnError) {
  EXPECT_EQ(tryText(resourceText("missing")).error().message(),
            "the graph has no data for the resource 'missing'");
  const std::string text =
      resourceText("short") + "{-# dialect_resources: {builtin: {short: \"0x0400000000000000\"}} #-}";
  EXPECT_EQ(tryText(text).error().message(), "resource 'short' has 4 bytes, but 2xf32 needs 8");
}

TEST(Builders, InferTypesAndLeaveBadInputToTheVerifier) {
  auto context = makeContext();
  mlir::OpBuilder builder(context.get());
  const mlir::Location loc = builder.getUnknownLoc();
  mlir::OwningOpRef<mlir::ModuleOp> module = mlir::ModuleOp::create(loc);
  builder.setInsertionPointToEnd(module->getBody());
  auto x = makeConstant(builder, loc, counting({2, 3}));
  auto transposed = TransposeOp::create(builder, loc, x, llvm::ArrayRef<int64_t>{1, 0});
  EXPECT_EQ(shapeOf(transposed), (Shape{3, 2}));
  auto compared = CompareOp::create(builder, loc, x, x, ComparisonDirection::LT);
  EXPECT_EQ(elementTypeOf(compared), ElementType::I1);
  EXPECT_TRUE(verifyGraph(*module).ok());
  TransposeOp::create(builder, loc, x, llvm::ArrayRef<int64_t>{1, 1});
  EXPECT_EQ(verifyGraph(*module).message(),
            "'tet.transpose' op [1, 1] is not a permutation of 2 dimensions (C1)");
}

}  // namespace
}  // namespace tetrarch::tet
