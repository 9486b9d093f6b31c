// The C contract says the same as base/: numbers of codes and element types, and layout that must never move.
#include "tetrarch/abi/device.h"

#include <gtest/gtest.h>

#include "tetrarch/abi/artifact.h"
#include "tetrarch/abi/manifest.h"

namespace tetrarch::abi {
namespace {

static_assert(TET_RESOURCE_EXHAUSTED == static_cast<int>(StatusCode::kResourceExhausted));
static_assert(TET_OUT_OF_RANGE == static_cast<int>(StatusCode::kOutOfRange));
static_assert(TET_UNAVAILABLE == static_cast<int>(StatusCode::kUnavailable));
static_assert(TET_UNAUTHENTICATED == static_cast<int>(StatusCode::kUnauthenticated));
static_assert(TET_F64 == static_cast<int>(ElementType::F64) && TET_I1 == static_cast<int>(ElementType::I1));
static_assert(TET_U64 == static_cast<int>(ElementType::U64) && kElementTypeCount == TET_U64 + 1);
static_assert(TET_CLASS_OTHER == static_cast<int>(DeviceClass::Other));
static_assert(TET_MODELLED == static_cast<int>(Source::Modelled));
// Version 1.0 froze these; growing structs grow at the end.
static_assert(sizeof(tet_artifact_header) == 64 && sizeof(tet_artifact_section) == 48);
static_assert(sizeof(tet_figure) == 16 && sizeof(tet_link) == 32);
static_assert(offsetof(tet_launch, receipt) == 48 && offsetof(tet_plugin, device_count) == 32);
static_assert(offsetof(tet_device_info, formats) == 96 && offsetof(tet_receipt, counters) == 40);

TEST(DeviceContract, NamesOfEnumsRoundTrip) {
  for (Source s : {Source::Measured, Source::Simulated, Source::Modelled})
    EXPECT_EQ(sourceFromName(sourceName(s)), s);
  for (int c = TET_CLASS_CPU; c <= TET_CLASS_OTHER; ++c) {
    EXPECT_EQ(deviceClassFromName(deviceClassName(DeviceClass(c))), DeviceClass(c));
  }
  EXPECT_EQ(sourceFromName("guessed"), std::nullopt);
}

}  // namespace
}  // namespace tetrarch::abi
