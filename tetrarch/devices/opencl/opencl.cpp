// The plug-in's table: each entry hands its arguments to one member function.
#include <algorithm>
#include <cstring>
#include <map>

#include "tetrarch/devices/opencl/queue.h"
// The entries that only hand on, to the classes above.
#include "tetrarch/devices/hosted/entries.h"

namespace tetrarch::opencl {
namespace {

using namespace hosted;  // its entries

tet_status deviceCount(uint32_t* count, tet_error*) {
  *count = static_cast<uint32_t>(foundDevices().size());
  return TET_OK;
}

// The strings must outlive the call, so a description is kept for each way of asking.
Result<const Description*> describe(uint32_t index, const char* json) {
  static std::mutex mutex;
  static std::map<std::pair<uint32_t, std::string>, std::unique_ptr<Description>> kept;
  if (index >= foundDevices().size()) {
    return fail(StatusCode::kNotFound, "opencl has no device {}: {}", index,
                loadApi() ? fmt::format("the drivers here offer {}", foundDevices().size())
                          : std::string(loadApi().error().message()));
  }
  TET_ASSIGN_OR_RETURN(const DeviceOptions options, parseOptions(json));
  std::lock_guard lock(mutex);
  auto& description = kept[{index, json ? json : ""}];
  if (!description) description = std::make_unique<Description>(index, foundDevices()[index], options);
  return description.get();
}

tet_status deviceDescribe(uint32_t index, const char* options, tet_device_info* info, tet_error* error) {
  auto description = describe(index, options);
  if (!description) return give(description.error(), error);
  return giveStruct((*description)->info(), info);
}

Result<std::unique_ptr<tet_device>> openDevice(const tet_open_args& args) {
  TET_ASSIGN_OR_RETURN(const DeviceOptions options, parseOptions(args.options));
  TET_ASSIGN_OR_RETURN(auto device, tet_device::open(args.index, options));
  device->on_event = args.on_event;
  device->event_user = args.user;
  return device;
}

tet_status deviceOpen(const tet_open_args* args, tet_device** out, tet_error* error) {
  return giveHandle(openDevice(*args), out, error);
}

void deviceClose(tet_device* device) { delete device; }

tet_status deviceInfo(tet_device* device, tet_device_info* info, tet_error* error) {
  if (Status s = device->checkAlive(); !s.ok()) return give(s, error);
  return giveStruct(device->description->info(), info);
}

tet_status bufferAlloc(tet_device* device, uint64_t bytes, tet_buffer** out, tet_error* error) {
  return giveHandle(tet_buffer::allocate(device, bytes), out, error);
}
tet_status bufferWrap(tet_device* device, void* host, uint64_t bytes, tet_buffer** out, tet_error* error) {
  return giveHandle(tet_buffer::wrap(device, host, bytes), out, error);
}
tet_status bufferSlice(tet_buffer* parent, uint64_t offset, uint64_t bytes, tet_buffer** out,
                       tet_error* error) {
  return giveHandle(tet_buffer::slice(parent, offset, bytes), out, error);
}
void bufferFree(tet_buffer* buffer) { delete buffer; }
void* bufferHostPointer(tet_buffer* buffer) { return buffer->host; }

tet_status moduleLoad(tet_device* device, const char* name, const char* format, const void* bytes,
                      uint64_t size, tet_module** out, tet_error* error) {
  const std::span<const std::byte> blob(static_cast<const std::byte*>(bytes), size);
  return giveHandle(tet_module::load(device, name ? name : "code", format ? format : "", blob), out, error);
}
void moduleUnload(tet_module* module) { delete module; }

tet_status moduleBinary(tet_module* module, void* bytes, uint64_t capacity, uint64_t* size,
                        const char** format, tet_error* error) {
  if (Status s = module->device->checkAlive(); !s.ok()) return give(s, error);
  auto binary = module->binary();
  if (!binary) return give(binary.error(), error);
  *size = binary->size();
  *format = "opencl-c";
  if (capacity > 0) std::memcpy(bytes, binary->data(), std::min<uint64_t>(capacity, binary->size()));
  return TET_OK;
}

tet_status kernelFind(tet_module* module, const char* symbol, tet_kernel** out, tet_error* error) {
  if (Status s = module->device->checkAlive(); !s.ok()) return give(s, error);
  tet_kernel* kernel = module->find(symbol);
  if (!kernel) return give(fail(StatusCode::kNotFound, "the code has no kernel '{}'", symbol), error);
  *out = kernel;
  return TET_OK;
}

tet_status kernelInfo(tet_kernel* kernel, tet_kernel_info* info, tet_error* error) {
  if (Status s = kernel->device->checkAlive(); !s.ok()) return give(s, error);
  const abi::OpenClEntry& entry = *kernel->entry;
  return giveStruct(tet_kernel_info{.units = entry.units,
                                    .granularity = entry.granularity,
                                    .workspace_bytes = entry.workspace_bytes,
                                    .buffer_count = entry.buffer_count},
                    info);
}

tet_status queueCreate(tet_device* device, tet_queue** out, tet_error* error) {
  return giveHandle(tet_queue::create(device), out, error);
}
tet_status copyIn(tet_queue* queue, tet_buffer* to, uint64_t offset, const void* from, uint64_t bytes,
                  tet_error* error) {
  return give(queue->copyIn(to, offset, from, bytes), error);
}
tet_status copyOut(tet_queue* queue, void* to, tet_buffer* from, uint64_t offset, uint64_t bytes,
                   tet_error* error) {
  return give(queue->copyOut(to, from, offset, bytes), error);
}
tet_status copy(tet_queue* queue, tet_buffer* to, uint64_t to_offset, tet_buffer* from, uint64_t from_offset,
                uint64_t bytes, tet_error* error) {
  return give(queue->copy(to, to_offset, from, from_offset, bytes), error);
}
tet_status queueFlush(tet_queue* queue, tet_error* error) { return give(queue->flush(), error); }

constexpr tet_plugin kTable = {
    .struct_size = sizeof(tet_plugin),
    .abi_major = TET_ABI_MAJOR,
    .abi_minor = TET_ABI_MINOR,
    .name = "opencl",
    .version = "1",
    .device_count = deviceCount,
    .device_describe = deviceDescribe,
    .device_open = deviceOpen,
    .device_close = deviceClose,
    .device_info = deviceInfo,
    .buffer_alloc = bufferAlloc,
    .buffer_wrap = bufferWrap,
    .buffer_slice = bufferSlice,
    .buffer_free = bufferFree,
    .buffer_host_pointer = bufferHostPointer,
    .module_load = moduleLoad,
    .module_unload = moduleUnload,
    .module_binary = moduleBinary,
    .kernel_find = kernelFind,
    .kernel_info = kernelInfo,
    .queue_create = queueCreate,
    .queue_destroy = queueDestroy,
    .copy_in = copyIn,
    .copy_out = copyOut,
    .copy = copy,
    .launch = launch,
    .queue_flush = queueFlush,
    .queue_finish = queueFinish,
    .signal_create = signalCreate,
    .signal_destroy = signalDestroy,
    .signal_query = signalQuery,
    .signal_set = signalSet,
    .signal_wait = signalWait,
    .signal_notify = signalNotify,
    .queue_signal = queueSignal,
    .queue_wait = queueWait,
};

}  // namespace
}  // namespace tetrarch::opencl

TET_EXPORT const tet_plugin* tetrarch_plugin(void) { return &tetrarch::opencl::kTable; }
