// What the plug-in asks of the driver, and what it makes of the driver's errors: through the loader of
// watch.h.
#include <gtest/gtest.h>

#include <dlfcn.h>

#include <chrono>
#include <cstdlib>
#include <cstring>

#include "tetrarch/abi/opencl_program.h"
#include "tetrarch/devices/conformance/fixture.h"
#include "tetrarch/devices/opencl/watch.h"

namespace tetrarch::conformance {
namespace {

constexpr uint64_t kSecond = 1'000'000'000;

class OpenClCalls : public Conformance {
 protected:
  static void SetUpTestSuite() {
    setenv("TETRARCH_OPENCL_LOADER", TETRARCH_OPENCL_WATCH, 1);  // NOLINT(concurrency-mt-unsafe)
    void* watch = dlopen(TETRARCH_OPENCL_WATCH, RTLD_NOW | RTLD_LOCAL);
    ASSERT_NE(watch, nullptr) << dlerror();
    calls_ = reinterpret_cast<decltype(calls_)>(dlsym(watch, "tetrarch_opencl_calls"));
    fail_ = reinterpret_cast<decltype(fail_)>(dlsym(watch, "tetrarch_opencl_fail"));
  }

  // Calls of `name` that `what` makes.
  template <typename What>
  int callsOf(const char* name, const What& what) {
    const int before = calls_(name);
    what();
    return calls_(name) - before;
  }
  static void failAt(const char* name, int good, cl_int code) { fail_(name, good, code); }

  std::vector<std::byte> binaryOf(tet_module* module) {
    uint64_t size = 0;
    const char* format = nullptr;
    EXPECT_OK(api().module_binary(module, nullptr, 0, &size, &format, &error));
    std::vector<std::byte> bytes(size);
    EXPECT_OK(api().module_binary(module, bytes.data(), size, &size, &format, &error));
    return bytes;
  }
  Handle<tet_module> loadBytes(const std::vector<std::byte>& bytes) {
    tet_module* module = nullptr;
    EXPECT_OK(
        api().module_load(device_.get(), "test", "opencl-c", bytes.data(), bytes.size(), &module, &error));
    return {module, api().module_unload};
  }
  void expectWorks(tet_module* module) {
    auto queue = this->queue();
    auto from = filled(1, queue.get()), to = allocate(kElements * sizeof(float));
    EXPECT_EQ(launch(queue.get(), kernel(module, "add_one"), from.get(), to.get()), TET_OK);
    expectAll(2, to.get(), queue.get());
  }

 private:
  static inline int (*calls_)(const char*) = nullptr;
  static inline void (*fail_)(const char*, int, cl_int) = nullptr;
};

TEST_F(OpenClCalls, LoadsTheBinaryInsteadOfTheSource) {
  Handle<tet_module> built{nullptr, nullptr}, cached{nullptr, nullptr};
  EXPECT_EQ(callsOf("clCreateProgramWithSource", [&] { built = load(); }), 1);
  const std::vector<std::byte> bytes = binaryOf(built.get());
  EXPECT_EQ(callsOf("clCreateProgramWithSource",
                    [&] {
                      EXPECT_EQ(callsOf("clCreateProgramWithBinary", [&] { cached = loadBytes(bytes); }), 1);
                    }),
            0);
  expectWorks(cached.get());
}

TEST_F(OpenClCalls, AnotherDriversBinaryIsNotTouched) {
  abi::OpenClProgram program = *abi::readOpenClProgram(binaryOf(load().get()));
  program.binaries[0].device += " of tomorrow";
  EXPECT_EQ(callsOf("clCreateProgramWithBinary",
                    [&] { expectWorks(loadBytes(abi::writeOpenClProgram(program)).get()); }),
            0);
}

TEST_F(OpenClCalls, BinaryThatTheDriverRefusesIsForgotten) {
  const std::vector<std::byte> bytes = binaryOf(load().get());
  failAt("clCreateProgramWithBinary", 0, CL_INVALID_BINARY);
  EXPECT_EQ(callsOf("clCreateProgramWithSource", [&] { expectWorks(loadBytes(bytes).get()); }), 1);
  failAt("clBuildProgram", 0, CL_BUILD_PROGRAM_FAILURE);  // the binary's; the source's is the second
  EXPECT_EQ(callsOf("clCreateProgramWithSource", [&] { expectWorks(loadBytes(bytes).get()); }), 1);
}

TEST_F(OpenClCalls, ChainIsEnqueuedWithoutWaits) {
  auto module = load();
  auto queue = this->queue();
  auto from = filled(1, queue.get()), middle = allocate(kElements * sizeof(float)),
       to = allocate(kElements * sizeof(float));
  auto done = signal();
  tet_buffer* first[] = {from.get(), middle.get()};
  tet_buffer* second[] = {middle.get(), to.get()};
  const tet_launch chain[] = {
      {sizeof(tet_launch), kernel(module.get(), "add_one"), first, 2, 0, 0, kUnits, nullptr},
      {sizeof(tet_launch), kernel(module.get(), "twice"), second, 2, 0, 0, kUnits, nullptr}};
  auto replay = [&] {
    for (int i = 0; i < 50; ++i) EXPECT_OK(api().launch(queue.get(), chain, 2, &error));
    EXPECT_OK(api().queue_signal(queue.get(), done.get(), 1, &error));
  };
  replay();  // sets the arguments
  for (const char* waits : {"clFinish", "clWaitForEvents"}) EXPECT_EQ(callsOf(waits, replay), 0) << waits;
  for (const char* once : {"clSetKernelArg", "clCreateBuffer", "clCreateKernel", "clBuildProgram"})
    EXPECT_EQ(callsOf(once, replay), 0) << once;
  EXPECT_EQ(callsOf("clEnqueueNDRangeKernel", replay), 50 * 3);
  expectAll(4, to.get(), queue.get());
}

TEST_F(OpenClCalls, OtherBuffersAreOtherArguments) {
  auto module = load();
  auto queue = this->queue();
  tet_kernel* add_one = kernel(module.get(), "add_one");
  for (int i = 0; i < 20; ++i) {  // memory that is freed and made again has the same handles, perhaps
    auto from = filled(static_cast<float>(i), queue.get()), to = allocate(kElements * sizeof(float));
    EXPECT_EQ(launch(queue.get(), add_one, from.get(), to.get()), TET_OK);
    EXPECT_EQ(launch(queue.get(), add_one, from.get(), to.get(), 0, 1), TET_OK);
    expectAll(static_cast<float>(i + 1), to.get(), queue.get());
  }
}

// The second launch of a chain fails: the caller hears of it, and so does whoever waits for the chain.
TEST_F(OpenClCalls, LaunchThatFails) {
  struct Row {
    cl_int code;
    tet_status status;
  };
  for (const auto [code, status] :
       {Row{CL_OUT_OF_RESOURCES, TET_RESOURCE_EXHAUSTED}, Row{CL_DEVICE_NOT_AVAILABLE, TET_UNAVAILABLE},
        Row{CL_MEM_OBJECT_ALLOCATION_FAILURE, TET_RESOURCE_EXHAUSTED}}) {
    auto device = open(theSubject().options);
    auto module = load(device.get());
    auto queue = this->queue(device.get());
    auto from = filled(1, queue.get(), device.get()), to = allocate(kElements * sizeof(float), device.get());
    auto done = signal(0, device.get());
    tet_status heard = TET_OK;
    EXPECT_OK(api().signal_notify(
        done.get(), 1, [](void* user, tet_status s) { *static_cast<tet_status*>(user) = s; }, &heard,
        &error));
    tet_buffer* buffers[] = {from.get(), to.get()};
    const tet_launch one = {sizeof one, kernel(module.get(), "add_one"), buffers, 2, 0, 0, kUnits, nullptr};
    const tet_launch chain[] = {one, one, one};
    failAt("clEnqueueNDRangeKernel", 1, code);
    Error error;
    EXPECT_EQ(api().launch(queue.get(), chain, 3, &error), status);
    EXPECT_NE(std::strstr(error.message, "add_one"), nullptr) << error.message;
    EXPECT_EQ(api().queue_signal(queue.get(), done.get(), 1, nullptr), status);
    EXPECT_EQ(api().signal_wait(done.get(), 1, 10 * kSecond, nullptr), status);
    EXPECT_EQ(api().queue_finish(queue.get(), nullptr), status);
    EXPECT_EQ(heard, status);
  }
}

TEST_F(OpenClCalls, DeviceThatVanishesWakesWhoeverWaits) {
  int lost = 0;
  auto on_event = [](void* user, const tet_event* event) {
    if (event->kind == TET_EVENT_LOST) ++*static_cast<int*>(user);
  };
  auto device = open(theSubject().options, on_event, &lost);
  auto module = load(device.get());
  auto queue = this->queue(device.get()), other = this->queue(device.get());
  auto never = signal(0, device.get());
  EXPECT_OK(api().queue_wait(other.get(), never.get(), 1, &error));
  tet_status waited = TET_OK;
  std::thread waiter([&] { waited = api().signal_wait(never.get(), 1, UINT64_MAX, nullptr); });
  auto from = filled(1, queue.get(), device.get()), to = allocate(kElements * sizeof(float), device.get());
  failAt("clEnqueueNDRangeKernel", 0, CL_DEVICE_NOT_AVAILABLE);
  EXPECT_EQ(launch(queue.get(), kernel(module.get(), "add_one"), from.get(), to.get()), TET_UNAVAILABLE);
  waiter.join();
  EXPECT_EQ(waited, TET_UNAVAILABLE);
  EXPECT_EQ(lost, 1);
  EXPECT_EQ(api().queue_flush(other.get(), nullptr), TET_UNAVAILABLE);
}

TEST_F(OpenClCalls, SignalThatCannotBeEnqueuedFails) {
  auto queue = this->queue();
  auto done = signal();
  failAt("clEnqueueMarkerWithWaitList", 0, CL_OUT_OF_RESOURCES);
  EXPECT_EQ(api().queue_signal(queue.get(), done.get(), 1, nullptr), TET_RESOURCE_EXHAUSTED);
  EXPECT_EQ(api().signal_wait(done.get(), 1, 10 * kSecond, nullptr), TET_RESOURCE_EXHAUSTED);
}

TEST_F(OpenClCalls, MemoryThatIsShortIsSaidSo) {
  failAt("clCreateBuffer", 0, CL_MEM_OBJECT_ALLOCATION_FAILURE);
  tet_buffer* buffer = nullptr;
  Error error;
  EXPECT_EQ(api().buffer_alloc(device_.get(), 4096, &buffer, &error), TET_RESOURCE_EXHAUSTED);
  EXPECT_NE(std::strstr(error.message, "4096"), nullptr) << error.message;
}

}  // namespace
}  // namespace tetrarch::conformance
