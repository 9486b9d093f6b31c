// What a device is, and its memory.
#include <cmath>
#include <cstring>
#include <numeric>

#include "tetrarch/devices/conformance/fixture.h"

namespace tetrarch::conformance {
namespace {

using Info = Conformance;
using Memory = Conformance;

TEST_F(Info, VersionNameAndRequiredEntries) {
  EXPECT_EQ(api().abi_major, uint32_t{TET_ABI_MAJOR});
  ASSERT_NE(api().name, nullptr);
  EXPECT_GT(std::strlen(api().name), 0u);
  ASSERT_NE(api().version, nullptr);
  EXPECT_EQ(api().power_limit_get == nullptr, api().power_limit_set == nullptr) << "both or neither";
  EXPECT_EQ((info_.flags & TET_DEVICE_WRAPS_HOST) != 0 && api().buffer_wrap == nullptr, false);
}

TEST_F(Info, FieldsMakeSense) {
  EXPECT_TRUE(std::string(info_.name).starts_with(api().name));
  for (const char* text : {info_.description, info_.driver, info_.features, info_.shares})
    EXPECT_NE(text, nullptr);
  EXPECT_GE(info_.device_class, TET_CLASS_CPU);
  EXPECT_LE(info_.device_class, TET_CLASS_OTHER);
  EXPECT_TRUE(info_.kind == TET_KIND_REAL || info_.kind == TET_KIND_SIMULATED);
  EXPECT_TRUE(info_.element_types & (1u << TET_F32));
  EXPECT_GT(info_.memory_bytes, 0u);
  EXPECT_GT(info_.max_buffer_bytes, 0u);
  EXPECT_EQ(info_.alignment & (info_.alignment - 1), 0u);
  EXPECT_GT(info_.alignment, 0u);
  EXPECT_GE(info_.compute_units, 1u);
  EXPECT_GE(info_.max_queues, 1u);
  EXPECT_LE(info_.counter_count, uint32_t{TET_MAX_COUNTERS});
  bool takes_subject = false;
  for (uint32_t i = 0; i < info_.format_count; ++i) takes_subject |= theSubject().format == info_.formats[i];
  EXPECT_TRUE(takes_subject);
}

TEST_F(Info, DescribeSaysTheSameWithoutOpening) {
  tet_device_info described = {};
  described.struct_size = sizeof described;
  EXPECT_OK(api().device_describe(0, theSubject().options.c_str(), &described, &error));
  EXPECT_STREQ(described.name, info_.name);
  EXPECT_STREQ(described.features, info_.features);
  EXPECT_EQ(described.compute_units, info_.compute_units);
  EXPECT_EQ(described.flags, info_.flags);
}

TEST_F(Info, AnOlderHostGetsOnlyTheFieldsThatItKnows) {
  tet_device_info older;
  std::memset(&older, 0x5a, sizeof older);
  older.struct_size = offsetof(tet_device_info, driver);
  EXPECT_OK(api().device_info(device_.get(), &older, &error));
  EXPECT_STREQ(older.description, info_.description);
  EXPECT_EQ(older.struct_size, offsetof(tet_device_info, driver));
  auto* rest = reinterpret_cast<const unsigned char*>(&older) + older.struct_size;
  EXPECT_EQ(*rest, 0x5a) << "written beyond struct_size";
}

TEST_F(Info, WhatCannotBeOpenedIsAnError) {
  tet_device* device = nullptr;
  Error error;
  tet_open_args args = {sizeof args, 999, 0, nullptr, nullptr, nullptr};
  EXPECT_EQ(api().device_open(&args, &device, &error), TET_NOT_FOUND);
  EXPECT_NE(error.message[0], 0);
  args.index = 0;
  for (const char* options : {R"({"no_such_option":1})", "{", "[]", "7"}) {
    args.options = options;
    EXPECT_EQ(api().device_open(&args, &device, &error), TET_INVALID_ARGUMENT) << options;
  }
  EXPECT_NE(api().device_open(&args, &device, nullptr), TET_OK) << "a null error must do";
}

TEST_F(Info, FreeingNothingIsFine) {
  api().buffer_free(nullptr);
  api().module_unload(nullptr);
  api().queue_destroy(nullptr);
  api().signal_destroy(nullptr);
  api().device_close(nullptr);
}

TEST_F(Info, PowerEntriesWorkOrSayThatTheyDoNot) {
  tet_figure figure = {};
  EXPECT_TRUE(api().energy_read || !theSubject().has_meter);
  if (api().energy_read) {
    tet_status status = api().energy_read(device_.get(), &figure, nullptr);
    EXPECT_TRUE(status == TET_OK || (status == TET_UNIMPLEMENTED && !theSubject().has_meter)) << status;
    if (status == TET_OK) {
      double before = figure.value;
      EXPECT_OK(api().energy_read(device_.get(), &figure, &error));
      EXPECT_GE(figure.value, before) << "energy fell";
    }
  }
  if (api().power_read) {
    tet_status status = api().power_read(device_.get(), &figure, nullptr);
    EXPECT_TRUE(status == TET_OK || status == TET_UNIMPLEMENTED) << status;
  }
  tet_power_limit limit = {sizeof limit, 0, 0, 0};
  if (api().power_limit_get && api().power_limit_get(device_.get(), &limit, nullptr) == TET_OK) {
    EXPECT_LE(limit.min_watts, limit.max_watts);
    EXPECT_CODE(TET_OUT_OF_RANGE, api().power_limit_set(device_.get(), limit.max_watts * 2 + 1, &error));
  }
}

TEST_F(Memory, ZeroBytes) {
  Handle<tet_buffer> empty = allocate(0);
  Handle<tet_queue> q = queue();
  EXPECT_OK(api().copy_in(q.get(), empty.get(), 0, nullptr, 0, &error));
  EXPECT_CODE(TET_OUT_OF_RANGE, api().copy_in(q.get(), empty.get(), 0, "x", 1, &error));
}

TEST_F(Memory, TooMuchIsResourceExhausted) {
  tet_buffer* buffer = nullptr;
  for (uint64_t bytes : {uint64_t{1} << 60, UINT64_MAX}) {
    EXPECT_CODE(TET_RESOURCE_EXHAUSTED, api().buffer_alloc(device_.get(), bytes, &buffer, &error));
  }
  EXPECT_NE(allocate(64), nullptr) << "and the device still works";
}

TEST_F(Memory, CopiesBothWaysAtOffsets) {
  std::vector<uint8_t> in(10000), out(in.size());
  std::iota(in.begin(), in.end(), 1);
  Handle<tet_queue> q = queue();
  Handle<tet_buffer> b = allocate(in.size());
  EXPECT_OK(api().copy_in(q.get(), b.get(), 0, in.data(), in.size(), &error));
  EXPECT_OK(api().copy_in(q.get(), b.get(), 17, in.data() + 5000, 100, &error));
  EXPECT_OK(api().copy_out(q.get(), out.data(), b.get(), 3, in.size() - 3, &error));
  EXPECT_OK(api().queue_finish(q.get(), &error));
  std::memcpy(in.data() + 17, in.data() + 5000, 100);
  EXPECT_EQ(std::memcmp(out.data(), in.data() + 3, in.size() - 3), 0);
}

TEST_F(Memory, RangesOutsideAreErrors) {
  std::vector<uint8_t> host(200);
  Handle<tet_queue> q = queue();
  Handle<tet_buffer> b = allocate(100), c = allocate(100);
  EXPECT_CODE(TET_OUT_OF_RANGE, api().copy_in(q.get(), b.get(), 50, host.data(), 51, &error));
  EXPECT_CODE(TET_OUT_OF_RANGE, api().copy_in(q.get(), b.get(), UINT64_MAX, host.data(), 2, &error));
  EXPECT_CODE(TET_OUT_OF_RANGE, api().copy_out(q.get(), host.data(), b.get(), 101, 0, &error));
  EXPECT_CODE(TET_OUT_OF_RANGE, api().copy(q.get(), b.get(), 1, c.get(), 0, 100, &error));
  EXPECT_OK(api().copy_in(q.get(), b.get(), 50, host.data(), 50, &error));
  EXPECT_OK(api().queue_finish(q.get(), &error));
}

TEST_F(Memory, CopiesBetweenBuffersAndDevices) {
  Handle<tet_device> other = open();
  for (tet_device* device : {device_.get(), other.get()}) {
    Handle<tet_queue> q = queue(), there = queue(device);
    Handle<tet_buffer> from = filled(3, q.get()), to = filled(0, there.get(), device);
    tet_status status = api().copy(q.get(), to.get(), 0, from.get(), 0, kElements * sizeof(float), nullptr);
    if (status == TET_UNIMPLEMENTED && device != device_.get()) continue;
    EXPECT_EQ(status, TET_OK);
    EXPECT_OK(api().queue_finish(q.get(), &error));
    std::vector<float> values(kElements);
    EXPECT_OK(api().copy_out(there.get(), values.data(), to.get(), 0, kElements * sizeof(float), &error));
    EXPECT_OK(api().queue_finish(there.get(), &error));
    EXPECT_EQ(values, std::vector<float>(kElements, 3));
  }
}

TEST_F(Memory, SlicesAreViews) {
  uint64_t step = info_.alignment;
  Handle<tet_queue> q = queue();
  Handle<tet_buffer> parent = allocate(4 * step);
  tet_buffer *raw = nullptr, *none = nullptr;
  ASSERT_EQ(api().buffer_slice(parent.get(), step, 2 * step, &raw, nullptr), TET_OK);
  Handle<tet_buffer> slice(raw, api().buffer_free);
  std::vector<uint8_t> zeros(4 * step), out(4 * step), mark(2 * step, 7);
  EXPECT_OK(api().copy_in(q.get(), parent.get(), 0, zeros.data(), zeros.size(), &error));
  EXPECT_OK(api().copy_in(q.get(), slice.get(), 0, mark.data(), mark.size(), &error));
  EXPECT_OK(api().copy_out(q.get(), out.data(), parent.get(), 0, out.size(), &error));
  EXPECT_OK(api().queue_finish(q.get(), &error));
  std::memcpy(zeros.data() + step, mark.data(), mark.size());
  EXPECT_EQ(out, zeros);
  EXPECT_CODE(TET_OUT_OF_RANGE, api().copy_in(q.get(), slice.get(), step, mark.data(), step + 1, &error));
  EXPECT_CODE(TET_OUT_OF_RANGE, api().buffer_slice(parent.get(), 3 * step, 2 * step, &none, &error));
  EXPECT_CODE(TET_INVALID_ARGUMENT, api().buffer_slice(slice.get(), 0, 1, &none, &error));
  if (step > 1) EXPECT_CODE(TET_INVALID_ARGUMENT, api().buffer_slice(parent.get(), 1, 1, &none, &error));
}

TEST_F(Memory, HostPointersSeeTheBuffer) {
  Handle<tet_queue> q = queue();
  Handle<tet_buffer> b = filled(5, q.get());
  auto* values = static_cast<float*>(api().buffer_host_pointer(b.get()));
  EXPECT_EQ(values != nullptr, (info_.flags & TET_DEVICE_HOST_VISIBLE) != 0);
  if (!values) GTEST_SKIP() << "the device's memory is its own";
  EXPECT_EQ(values[kElements - 1], 5);
  std::fill(values, values + kElements, 6.0f);
  std::vector<float> out(kElements);
  EXPECT_OK(api().copy_out(q.get(), out.data(), b.get(), 0, kElements * sizeof(float), &error));
  EXPECT_OK(api().queue_finish(q.get(), &error));
  EXPECT_EQ(out, std::vector<float>(kElements, 6));
}

TEST_F(Memory, WrappedHostMemoryIsNotCopied) {
  if (!(info_.flags & TET_DEVICE_WRAPS_HOST)) GTEST_SKIP() << "the device cannot wrap host memory";
  std::vector<float> storage(kElements + 2048);
  void* aligned = storage.data();
  size_t room = storage.size() * sizeof(float);
  ASSERT_NE(std::align(std::max<size_t>(info_.alignment, 64), kElements * sizeof(float), aligned, room),
            nullptr);
  auto* host = static_cast<float*>(aligned);
  std::fill(host, host + kElements, 1.0f);
  tet_buffer* raw = nullptr;
  ASSERT_EQ(api().buffer_wrap(device_.get(), host, kElements * sizeof(float), &raw, nullptr), TET_OK);
  Handle<tet_buffer> wrapped(raw, api().buffer_free);
  Handle<tet_queue> q = queue();
  Handle<tet_module> module = load();
  Handle<tet_buffer> out = filled(0, q.get());
  std::fill(host, host + kElements, 41.0f);  // after wrapping: the device must see it
  EXPECT_EQ(launch(q.get(), kernel(module.get(), "add_one"), wrapped.get(), out.get()), TET_OK);
  expectAll(42, out.get(), q.get());
}

}  // namespace
}  // namespace tetrarch::conformance
