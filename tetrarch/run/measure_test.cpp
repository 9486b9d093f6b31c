#include "tetrarch/run/measure.h"

#include <gtest/gtest.h>

#include <cstring>

#include "tetrarch/run/test_model.h"

namespace tetrarch::run {
namespace {

TEST(Measure, TimesAKernel) {
  auto device = DeviceRegistry::instance().open("cpu").value();
  TestModel model;
  model.output(model.task("add_one", {model.input()}));
  auto artifact = model.artifact().value();
  Module module = device->load("test", "elf", artifact->bytes(1)).value();
  std::vector<KernelBuffer> buffers(2, {ElementType::F32, kElements * sizeof(float), {}});
  auto timing = timeKernel(*device, module, "add_one", buffers, {.min_seconds = 0.001, .max_runs = 50});
  ASSERT_TRUE(timing) << timing.error().toString();
  EXPECT_GT(timing->seconds, 0);
  EXPECT_GE(timing->runs, 3);
  EXPECT_EQ(timing->source, abi::Source::Measured);
  timing = timeKernel(*device, module, "add_one", buffers, {.enough_seconds = 1e-9});
  ASSERT_TRUE(timing) << timing.error().toString();
  EXPECT_EQ(timing->runs, 1) << "a launch that takes long is not repeated";
  EXPECT_EQ(timeKernel(*device, module, "none", buffers).error().code(), StatusCode::kNotFound);
}

TEST(Measure, RandomValuesAreSeededAndInRange) {
  for (int t = 0; t < kElementTypeCount; ++t) {
    auto type = static_cast<ElementType>(t);
    std::vector<std::byte> a(1000 * byteSize(type)), b(a.size()), c(a.size());
    fillRandom(type, a, 1), fillRandom(type, b, 1), fillRandom(type, c, 2);
    EXPECT_EQ(a, b);
    EXPECT_NE(a, c);
    for (size_t i = 0; i < 1000; ++i) {
      double value = loadDouble(type, a.data() + i * byteSize(type));
      EXPECT_GE(value, isFloat(type) ? -1 : 0);
      EXPECT_LE(value, isFloat(type) ? 1 : 7);
    }
  }
}

}  // namespace
}  // namespace tetrarch::run
