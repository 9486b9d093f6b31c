// The table of device.h over the classes of this folder: each entry checks its arguments and calls one
// function.
#include <cstdlib>
#include <cstring>
#include <map>

#include "tetrarch/devices/hosted/queue.h"
// The entries that only hand on, to the classes above.
#include "tetrarch/devices/hosted/entries.h"

namespace tetrarch::hosted {
namespace {

Result<std::unique_ptr<tet_device>> create(uint32_t index, const char* text) {
  if (index >= driver().count()) {
    return fail(StatusCode::kNotFound, "{} has no device {} (it has {})", driver().name, index,
                driver().count());
  }
  Options options(text);
  TET_ASSIGN_OR_RETURN(std::unique_ptr<tet_device> device, driver().create(index, options));
  device->takeCommonOptions(options);
  TET_RETURN_IF_ERROR(options.finish());
  device->index = index;
  return device;
}

tet_status giveInfo(const tet_device& device, tet_device_info* info) {
  tet_device_info full = {};
  device.describe(full);
  if (device.own_memory) full.flags &= ~uint32_t{TET_DEVICE_HOST_VISIBLE | TET_DEVICE_WRAPS_HOST};
  if (device.asynchronous) full.flags &= ~uint32_t{TET_DEVICE_BLOCKING};
  return giveStruct(full, info);
}

tet_status deviceCount(uint32_t* count, tet_error*) {
  *count = driver().count();
  return TET_OK;
}

tet_status deviceDescribe(uint32_t index, const char* options, tet_device_info* info, tet_error* error) {
  // The strings must outlive the call, so a device is kept for each way of asking; an idle one is small.
  static std::mutex mutex;
  static std::map<std::pair<uint32_t, std::string>, std::unique_ptr<tet_device>> kept;
  std::lock_guard lock(mutex);
  auto& device = kept[{index, options ? options : ""}];
  if (!device) {
    auto made = create(index, options);
    if (!made) return give(made.error(), error);
    device = std::move(*made);
  }
  return giveInfo(*device, info);
}

tet_status deviceOpen(const tet_open_args* args, tet_device** out, tet_error* error) {
  auto device = create(args->index, args->options);
  if (device) {
    (*device)->on_event = args->on_event;
    (*device)->event_user = args->user;
  }
  return giveHandle(std::move(device), out, error);
}

void deviceClose(tet_device* device) { delete device; }

tet_status deviceInfo(tet_device* device, tet_device_info* info, tet_error* error) {
  if (Status s = device->checkAlive(); !s.ok()) return give(s, error);
  return giveInfo(*device, info);
}

Result<std::unique_ptr<tet_buffer>> makeBuffer(tet_device* device, uint64_t bytes) {
  TET_RETURN_IF_ERROR(device->checkAlive());
  TET_RETURN_IF_ERROR(device->reserve(bytes));
  constexpr uint64_t kStep = kAllocationAlignment;
  uint64_t rounded = std::max<uint64_t>(1, (bytes + kStep - 1) / kStep) * kStep;
  auto* data = static_cast<std::byte*>(std::aligned_alloc(kStep, rounded));
  if (!data) {
    device->release(bytes);
    return fail(StatusCode::kResourceExhausted, "the machine has no {} bytes left", bytes);
  }
  return std::unique_ptr<tet_buffer>(new tet_buffer{device, data, bytes, tet_buffer::Storage::Owned});
}

tet_status bufferAlloc(tet_device* device, uint64_t bytes, tet_buffer** out, tet_error* error) {
  return giveHandle(makeBuffer(device, bytes), out, error);
}

Result<std::unique_ptr<tet_buffer>> makeWrapped(tet_device* device, void* host, uint64_t bytes) {
  TET_RETURN_IF_ERROR(device->checkAlive());
  if (device->own_memory) return unimplemented("this device works in memory of its own");
  if (reinterpret_cast<uintptr_t>(host) % kAlignment != 0) {
    return invalidArgument("host memory must be aligned to {} bytes to be wrapped", kAlignment);
  }
  auto* data = static_cast<std::byte*>(host);
  return std::unique_ptr<tet_buffer>(new tet_buffer{device, data, bytes, tet_buffer::Storage::Wrapped});
}

tet_status bufferWrap(tet_device* device, void* host, uint64_t bytes, tet_buffer** out, tet_error* error) {
  return giveHandle(makeWrapped(device, host, bytes), out, error);
}

Status checkRange(const tet_buffer* buffer, uint64_t offset, uint64_t bytes) {
  if (offset <= buffer->bytes && bytes <= buffer->bytes - offset) return {};
  return fail(StatusCode::kOutOfRange, "{} bytes at offset {} are not in a buffer of {}", bytes, offset,
              buffer->bytes);
}

Result<std::unique_ptr<tet_buffer>> makeSlice(tet_buffer* parent, uint64_t offset, uint64_t bytes) {
  TET_RETURN_IF_ERROR(parent->device->checkAlive());
  TET_RETURN_IF_ERROR(checkRange(parent, offset, bytes));
  if (parent->storage == tet_buffer::Storage::Slice) return invalidArgument("a slice cannot be sliced again");
  if (offset % kAlignment != 0)
    return invalidArgument("offset {} is not a multiple of {}", offset, kAlignment);
  return std::unique_ptr<tet_buffer>(
      new tet_buffer{parent->device, parent->data + offset, bytes, tet_buffer::Storage::Slice});
}

tet_status bufferSlice(tet_buffer* parent, uint64_t offset, uint64_t bytes, tet_buffer** out,
                       tet_error* error) {
  return giveHandle(makeSlice(parent, offset, bytes), out, error);
}

void bufferFree(tet_buffer* buffer) { delete buffer; }
void* bufferHostPointer(tet_buffer* buffer) { return buffer->device->own_memory ? nullptr : buffer->data; }

Result<std::unique_ptr<tet_module>> makeModule(tet_device* device, const char* name, const char* format,
                                               std::span<const std::byte> bytes) {
  TET_RETURN_IF_ERROR(device->checkAlive());
  auto module = device->load(name ? name : "code", format ? format : "", bytes);
  if (module) (*module)->device = device;
  return module;
}

tet_status moduleLoad(tet_device* device, const char* name, const char* format, const void* bytes,
                      uint64_t size, tet_module** out, tet_error* error) {
  return giveHandle(makeModule(device, name, format, {static_cast<const std::byte*>(bytes), size}), out,
                    error);
}

void moduleUnload(tet_module* module) { delete module; }

tet_status kernelFind(tet_module* module, const char* symbol, tet_kernel** out, tet_error* error) {
  if (Status s = module->device->checkAlive(); !s.ok()) return give(s, error);
  tet_kernel* kernel = module->find(symbol);
  if (!kernel) return give(fail(StatusCode::kNotFound, "the code has no kernel '{}'", symbol), error);
  kernel->device = module->device;
  *out = kernel;
  return TET_OK;
}

tet_status kernelInfo(tet_kernel* kernel, tet_kernel_info* info, tet_error* error) {
  if (Status s = kernel->device->checkAlive(); !s.ok()) return give(s, error);
  return giveStruct(kernel->info, info);
}

tet_status queueCreate(tet_device* device, tet_queue** out, tet_error* error) {
  if (Status s = device->checkAlive(); !s.ok()) return give(s, error);
  *out = new tet_queue(device);
  return TET_OK;
}

tet_status move(tet_queue* queue, void* to, const void* from, uint64_t bytes, tet_error* error) {
  auto work = [=]() -> Status {
    if (bytes > 0) std::memmove(to, from, bytes);
    return {};
  };
  return give(queue->submit(work), error);
}

tet_status copyIn(tet_queue* queue, tet_buffer* to, uint64_t offset, const void* from, uint64_t bytes,
                  tet_error* error) {
  if (Status s = checkRange(to, offset, bytes); !s.ok()) return give(s, error);
  return move(queue, to->data + offset, from, bytes, error);
}

tet_status copyOut(tet_queue* queue, void* to, tet_buffer* from, uint64_t offset, uint64_t bytes,
                   tet_error* error) {
  if (Status s = checkRange(from, offset, bytes); !s.ok()) return give(s, error);
  return move(queue, to, from->data + offset, bytes, error);
}

tet_status copy(tet_queue* queue, tet_buffer* to, uint64_t to_offset, tet_buffer* from, uint64_t from_offset,
                uint64_t bytes, tet_error* error) {
  if (Status s = checkRange(to, to_offset, bytes); !s.ok()) return give(s, error);
  if (Status s = checkRange(from, from_offset, bytes); !s.ok()) return give(s, error);
  return move(queue, to->data + to_offset, from->data + from_offset, bytes, error);
}

tet_status queueFlush(tet_queue* queue, tet_error* error) { return give(queue->device->checkAlive(), error); }

tet_status energyRead(tet_device* device, tet_figure* joules, tet_error* error) {
  if (Status s = device->checkAlive(); !s.ok()) return give(s, error);
  auto figure = device->joules();
  if (!figure) return give(figure.error(), error);
  *joules = *figure;
  return TET_OK;
}

tet_plugin makeTable() {
  tet_plugin t = {};
  t.struct_size = sizeof t;
  t.abi_major = TET_ABI_MAJOR, t.abi_minor = TET_ABI_MINOR;
  t.name = driver().name, t.version = driver().version;
  t.device_count = deviceCount, t.device_describe = deviceDescribe;
  t.device_open = deviceOpen, t.device_close = deviceClose, t.device_info = deviceInfo;
  t.buffer_alloc = bufferAlloc, t.buffer_wrap = bufferWrap, t.buffer_slice = bufferSlice;
  t.buffer_free = bufferFree, t.buffer_host_pointer = bufferHostPointer;
  t.module_load = moduleLoad, t.module_unload = moduleUnload;
  t.kernel_find = kernelFind, t.kernel_info = kernelInfo;
  t.queue_create = queueCreate, t.queue_destroy = queueDestroy;
  t.copy_in = copyIn, t.copy_out = copyOut, t.copy = copy, t.launch = launch;
  t.queue_flush = queueFlush, t.queue_finish = queueFinish;
  t.signal_create = signalCreate, t.signal_destroy = signalDestroy, t.signal_query = signalQuery;
  t.signal_set = signalSet, t.signal_wait = signalWait, t.signal_notify = signalNotify;
  t.queue_signal = queueSignal, t.queue_wait = queueWait;
  if (driver().has_energy) t.energy_read = energyRead;
  return t;
}

}  // namespace

const tet_plugin* table() {
  static const tet_plugin made = makeTable();
  return &made;
}

}  // namespace tetrarch::hosted
