#include "tetrarch/base/element_type.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace tetrarch {
namespace {

TEST(ElementType, NamesAndOnnxNumbersAreUnique) {
  for (int i = 0; i < kElementTypeCount; ++i) {
    const auto type = static_cast<ElementType>(i);
    EXPECT_EQ(elementTypeFromName(info(type).name), type);
    EXPECT_EQ(elementTypeFromOnnx(info(type).onnx), type);
  }
  EXPECT_FALSE(elementTypeFromName("f31").has_value());
  EXPECT_FALSE(elementTypeFromOnnx(0).has_value());
}

// Every bit pattern of a narrow float survives decode and encode, and rounding picks the nearer neighbour.
TEST(ElementType, NarrowFloatsRoundTrip) {
  for (auto type : {ElementType::F16, ElementType::BF16, ElementType::F8E4M3FN, ElementType::F8E5M2}) {
    const unsigned count = 1u << (8 * byteSize(type));
    for (unsigned bits = 0; bits < count; ++bits) {
      const double value = loadDouble(type, &bits);
      unsigned back = 0;
      storeDouble(type, &back, value);
      if (std::isnan(value)) {
        EXPECT_TRUE(std::isnan(loadDouble(type, &back)));
      } else {
        EXPECT_EQ(back, bits) << info(type).name << " " << value;
      }
    }
  }
}

TEST(ElementType, RoundsToNearestEvenAndOverflows) {
  EXPECT_EQ(f32ToF16(1.0f + 1.0f / 2048), 0x3C00);  // a tie goes to even
  EXPECT_EQ(f32ToF16(1.0f + 3.0f / 2048), 0x3C02);
  EXPECT_EQ(f32ToF16(65520.0f), 0x7C00);
  uint8_t f8 = 0;
  storeDouble(ElementType::F8E4M3FN, &f8, 448);
  EXPECT_EQ(f8, 0x7E);
  storeDouble(ElementType::F8E4M3FN, &f8, 1000);
  EXPECT_EQ(f8, 0x7F);
  storeDouble(ElementType::F8E5M2, &f8, 1e9);
  EXPECT_EQ(f8, 0x7C);
}

TEST(ElementType, IntegersWrapAndSmallOnesExtend) {
  int8_t i4 = 0;
  storeInt(ElementType::I4, &i4, 9);
  EXPECT_EQ(loadInt(ElementType::I4, &i4), -7);
  uint8_t u8 = 0;
  storeInt(ElementType::U8, &u8, 257);
  EXPECT_EQ(u8, 1);
  int64_t i64 = 0;
  storeDouble(ElementType::I64, &i64, 1e300);
  EXPECT_NE(i64, 0);
  storeDouble(ElementType::I64, &i64, std::numeric_limits<double>::quiet_NaN());
  EXPECT_EQ(i64, 0);
}

}  // namespace
}  // namespace tetrarch
