#include "tetrarch/devices/conformance/fixture.h"

#include <dlfcn.h>

#include <fstream>
#include <iterator>

namespace tetrarch::conformance {

std::vector<std::byte> toBytes(const std::string& text) {
  auto* begin = reinterpret_cast<const std::byte*>(text.data());
  return {begin, begin + text.size()};
}

std::vector<std::byte> readFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return toBytes(std::string(std::istreambuf_iterator<char>(file), {}));
}

const Subject& theSubject() {
  static const Subject made = subject();
  return made;
}

const tet_plugin& api() {
  static const tet_plugin* table = [] {
    void* library = ::dlopen(theSubject().plugin.c_str(), RTLD_NOW | RTLD_LOCAL);
    EXPECT_NE(library, nullptr) << ::dlerror();
    auto entry =
        library ? reinterpret_cast<tetrarch_plugin_fn>(::dlsym(library, TET_PLUGIN_SYMBOL)) : nullptr;
    EXPECT_NE(entry, nullptr) << "no symbol " TET_PLUGIN_SYMBOL;
    static const tet_plugin none = {};
    return entry ? entry() : &none;
  }();
  return *table;
}

void Conformance::SetUp() {
  ASSERT_EQ(api().struct_size, sizeof(tet_plugin));
  uint32_t count = 0;
  Error error;
  ASSERT_EQ(api().device_count(&count, &error), TET_OK) << error.message;
  if (count == 0) GTEST_SKIP() << api().name << " has no device on this machine";
  device_ = open();
  ASSERT_NE(device_, nullptr);
  info_.struct_size = sizeof info_;
  ASSERT_EQ(api().device_info(device_.get(), &info_, &error), TET_OK) << error.message;
}

Handle<tet_device> Conformance::open(const std::string& options, tet_event_fn on_event, void* user) {
  tet_open_args args = {sizeof args, 0, 0, options.c_str(), on_event, user};
  tet_device* device = nullptr;
  EXPECT_OK(api().device_open(&args, &device, &error));
  return {device, api().device_close};
}

Handle<tet_buffer> Conformance::allocate(uint64_t bytes, tet_device* device) {
  tet_buffer* buffer = nullptr;
  EXPECT_OK(api().buffer_alloc(device ? device : device_.get(), bytes, &buffer, &error));
  return {buffer, api().buffer_free};
}

Handle<tet_queue> Conformance::queue(tet_device* device) {
  tet_queue* queue = nullptr;
  EXPECT_OK(api().queue_create(device ? device : device_.get(), &queue, &error));
  return {queue, api().queue_destroy};
}

Handle<tet_signal> Conformance::signal(uint64_t initial, tet_device* device) {
  tet_signal* signal = nullptr;
  EXPECT_OK(api().signal_create(device ? device : device_.get(), initial, &signal, &error));
  return {signal, api().signal_destroy};
}

Handle<tet_module> Conformance::load(tet_device* device) {
  const Subject& s = theSubject();
  tet_module* module = nullptr;
  EXPECT_OK(api().module_load(device ? device : device_.get(), "test", s.format.c_str(), s.blob.data(),
                              s.blob.size(), &module, &error));
  return {module, api().module_unload};
}

tet_kernel* Conformance::kernel(tet_module* module, const char* symbol) {
  tet_kernel* kernel = nullptr;
  EXPECT_OK(api().kernel_find(module, symbol, &kernel, &error));
  return kernel;
}

tet_status Conformance::tryLoad(const std::string& format, const void* bytes, uint64_t size) {
  tet_module* module = nullptr;
  Error error;
  tet_status status = api().module_load(device_.get(), "test", format.c_str(), bytes, size, &module, &error);
  if (status == TET_OK) {
    api().module_unload(module);
  } else {
    EXPECT_NE(error.message[0], 0) << "an error without a message";
  }
  return status;
}

Handle<tet_buffer> Conformance::filled(float value, tet_queue* queue, tet_device* device) {
  Handle<tet_buffer> buffer = allocate(kElements * sizeof(float), device);
  std::vector<float> values(kElements, value);
  EXPECT_OK(api().copy_in(queue, buffer.get(), 0, values.data(), values.size() * sizeof(float), &error));
  EXPECT_OK(api().queue_finish(queue, &error));  // `values` ends here
  return buffer;
}

void Conformance::expectAll(float value, tet_buffer* buffer, tet_queue* queue) {
  std::vector<float> values(kElements, -1);
  EXPECT_OK(api().copy_out(queue, values.data(), buffer, 0, values.size() * sizeof(float), &error));
  EXPECT_OK(api().queue_finish(queue, &error));
  if (theSubject().computes) EXPECT_EQ(values, std::vector<float>(kElements, value));
}

tet_status Conformance::launch(tet_queue* queue, tet_kernel* kernel, tet_buffer* from, tet_buffer* to,
                               uint64_t begin, uint64_t end, tet_receipt* receipt) {
  tet_buffer* buffers[] = {from, to};
  tet_launch one = {sizeof one, kernel, buffers, 2, 0, begin, end, receipt};
  return api().launch(queue, &one, 1, nullptr);
}

}  // namespace tetrarch::conformance
