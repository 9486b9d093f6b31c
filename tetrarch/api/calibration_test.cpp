#include "tetrarch/api/calibration.h"

#include <gtest/gtest.h>

#include <cmath>

namespace tetrarch::api {
namespace {

const std::vector<CalibratedInput> kInputs = {{"x", ElementType::F32, {1, 3}}, {"n", ElementType::I64, {1}}};

Tensor floats(Shape shape, double value = 1) {
  Tensor tensor = Tensor::create(ElementType::F32, std::move(shape)).value();
  for (int64_t i = 0; i < tensor.count(); ++i) tensor.setDouble(i, value + static_cast<double>(i));
  return tensor;
}
Tensor ints(Shape shape) { return Tensor::create(ElementType::I64, std::move(shape)).value(); }

std::string messageFor(std::map<std::string, Tensor> given) {
  const auto samples = calibrationSamples(kInputs, {"int8", {std::move(given)}});
  if (samples) return "";
  EXPECT_EQ(samples.error().code(), StatusCode::kInvalidArgument);
  return std::string(samples.error().message());
}

TEST(Calibration, CutsTensorsIntoSamples) {
  const auto along_first = calibrationSamples(kInputs, {"int8", {{{"x", floats({4, 3})}, {"n", ints({4})}}}});
  ASSERT_TRUE(along_first);
  ASSERT_EQ(along_first->size(), 4);
  EXPECT_EQ((*along_first)[2][0].shape(), Shape({1, 3}));
  EXPECT_EQ((*along_first)[2][0].getDouble(0), 7);
  const auto one_more =
      calibrationSamples(kInputs, {"int8", {{{"x", floats({2, 1, 3})}, {"n", ints({2, 1})}}}});
  ASSERT_TRUE(one_more);
  EXPECT_EQ(one_more->size(), 2);
}

TEST(Calibration, SaysWhatIsWrong) {
  EXPECT_EQ(messageFor({{"x", floats({1, 3})}, {"n", ints({1})}}), "");
  EXPECT_EQ(messageFor({{"x", floats({1, 4})}, {"n", ints({1})}}),
            "calibration input 'x' is 1x4xf32, which is no number of samples of the model's 1x3xf32");
  EXPECT_EQ(messageFor({{"x", ints({1, 3})}, {"n", ints({1})}}),
            "calibration input 'x' is i64, but the model's input is f32");
  EXPECT_EQ(messageFor({{"x", floats({0, 3})}, {"n", ints({1})}}),
            "calibration input 'x' is empty (0x3xf32); give at least one sample of 1x3xf32");
  EXPECT_EQ(messageFor({{"x", floats({1, 3}, std::nan(""))}, {"n", ints({1})}}),
            "calibration input 'x' holds NaN at element 0; calibrate with finite numbers");
  EXPECT_EQ(messageFor({{"x", floats({1, 3}, INFINITY)}, {"n", ints({1})}}),
            "calibration input 'x' holds an infinity at element 0; calibrate with finite numbers");
  EXPECT_EQ(messageFor({{"x", floats({1, 3})}}), "calibration input 'n' is missing");
  EXPECT_EQ(messageFor({{"x", floats({2, 3})}, {"n", ints({3})}}),
            "calibration input 'n' has 3 samples, but 'x' has 2");
  EXPECT_EQ(messageFor({{"y", floats({1, 3})}}),
            "the model has no input 'y' to calibrate; its inputs are: x, n");
}

TEST(Calibration, GoesWithQuantisation) {
  EXPECT_TRUE(checkQuantisation({}).ok());
  EXPECT_TRUE(checkQuantisation({"int8", {{}}}).ok());
  EXPECT_EQ(checkQuantisation({"int4", {{}}}).message(),
            "'int4' is no quantisation; there are int8 and bf16");
  EXPECT_FALSE(checkQuantisation({"int8", {}}).ok());
  EXPECT_FALSE(checkQuantisation({"", {{}}}).ok());
}

}  // namespace
}  // namespace tetrarch::api
