// The C contract with just enough around it for tests: handles that free themselves, and EXPECT_CODE.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "tetrarch/abi/device.h"
#include "tetrarch/devices/conformance/suite.h"

namespace tetrarch::conformance {

template <typename T>
using Handle = std::unique_ptr<T, void (*)(T*)>;

// The plug-in and the subject, loaded once.
const Subject& theSubject();
const tet_plugin& api();

struct Error : tet_error {
  Error() : tet_error{sizeof(tet_error), TET_OK, {}} {}
};
#define EXPECT_CODE(code, call)               \
  do {                                        \
    Error error;                              \
    EXPECT_EQ(code, (call)) << error.message; \
  } while (false)
#define EXPECT_OK(call) EXPECT_CODE(TET_OK, call)

class Conformance : public testing::Test {
 protected:
  void SetUp() override;

  Handle<tet_device> open(const std::string& options, tet_event_fn on_event = nullptr, void* user = nullptr);
  Handle<tet_device> open() { return open(theSubject().options); }
  Handle<tet_buffer> allocate(uint64_t bytes, tet_device* device = nullptr);
  Handle<tet_queue> queue(tet_device* device = nullptr);
  Handle<tet_signal> signal(uint64_t initial = 0, tet_device* device = nullptr);
  Handle<tet_module> load(tet_device* device = nullptr);
  tet_kernel* kernel(tet_module* module, const char* symbol);
  tet_status tryLoad(const std::string& format, const void* bytes, uint64_t size);

  // f32[1024] holding `value` everywhere.
  Handle<tet_buffer> filled(float value, tet_queue* queue, tet_device* device = nullptr);
  void expectAll(float value, tet_buffer* buffer, tet_queue* queue);
  tet_status launch(tet_queue* queue, tet_kernel* kernel, tet_buffer* from, tet_buffer* to,
                    uint64_t begin = 0, uint64_t end = kUnits, tet_receipt* receipt = nullptr);

  Handle<tet_device> device_{nullptr, nullptr};
  tet_device_info info_ = {};
};

}  // namespace tetrarch::conformance
