#include "tetrarch/devices/opencl/device.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "tetrarch/base/trace.h"
#include "tetrarch/devices/opencl/queue.h"

using tetrarch::Result;
using tetrarch::Status;
using tetrarch::StatusCode;
using tetrarch::opencl::cl;
using tetrarch::opencl::deviceText;
using tetrarch::opencl::deviceValue;

namespace tetrarch::opencl {
namespace {

struct TypeRow {
  cl_device_type type;
  int32_t device_class;
};
// A driver that runs OpenCL on the CPU stands in for a GPU: it takes the same code on the same path. Its
// `shares` says what silicon it is.
constexpr TypeRow kTypes[] = {{CL_DEVICE_TYPE_GPU, TET_CLASS_GPU},
                              {CL_DEVICE_TYPE_CPU, TET_CLASS_GPU},
                              {CL_DEVICE_TYPE_ACCELERATOR, TET_CLASS_OTHER}};

constexpr const char* kFormats[] = {"opencl-c"};

// Everything that generated code holds in a float or an integer; f64 where the device has it.
constexpr uint32_t kElementTypes = 0xffff & ~(1u << TET_F64);

std::string platformText(cl_platform_id platform, cl_platform_info what) {
  char text[256] = "";
  cl().GetPlatformInfo(platform, what, sizeof text - 1, text, nullptr);
  return text;
}

}  // namespace

Result<DeviceOptions> parseOptions(const char* json) {
  hosted::Options options(json);
  DeviceOptions parsed;
  parsed.threads = options.integer("threads", 0, 1, 1 << 20);
  parsed.memory_bytes = options.integer("memory_bytes", 0, 1, INT64_MAX);
  parsed.fail_after_launches = options.integer("fail_after_launches", -1, 0, INT64_MAX);
  TET_RETURN_IF_ERROR(options.finish());
  return parsed;
}

Description::Description(uint32_t index, const FoundDevice& found, const DeviceOptions& options) {
  const auto type = deviceValue<cl_device_type>(found.id, CL_DEVICE_TYPE, CL_DEVICE_TYPE_GPU);
  const bool on_cpu = (type & CL_DEVICE_TYPE_CPU) != 0;
  std::string platform = platformText(found.platform, CL_PLATFORM_NAME);
  if (platform == "Portable Computing Language") platform = "PoCL";
  const std::string version = deviceText(found.id, CL_DRIVER_VERSION);
  const auto all_units = deviceValue<cl_uint>(found.id, CL_DEVICE_MAX_COMPUTE_UNITS, 1);
  const uint32_t units =
      options.threads > 0 ? static_cast<uint32_t>(std::min<int64_t>(options.threads, all_units)) : all_units;
  name_ = fmt::format("opencl:{}", index);
  description_ = fmt::format("{}{}: {}, {} compute unit{}", platform, on_cpu ? " on the CPU" : "",
                             deviceText(found.id, CL_DEVICE_NAME), units, units == 1 ? "" : "s");
  driver_ = fmt::format("{} {}", platform, version);
  features_ = deviceText(found.id, CL_DEVICE_EXTENSIONS);
  binary_key_ = fmt::format("{}|{}|{}", deviceText(found.id, CL_DEVICE_NAME),
                            deviceText(found.id, CL_DEVICE_VERSION), version);

  info_.struct_size = sizeof info_;
  info_.name = name_.c_str();
  info_.description = description_.c_str();
  info_.driver = driver_.c_str();
  info_.features = features_.c_str();
  info_.shares = on_cpu ? "host-cpu" : "";
  info_.device_class = TET_CLASS_OTHER;
  for (const TypeRow& row : kTypes) {
    if (type & row.type) info_.device_class = row.device_class;
  }
  info_.kind = TET_KIND_REAL;
  info_.flags = on_cpu ? TET_DEVICE_HOST_VISIBLE | TET_DEVICE_WRAPS_HOST : 0;
  info_.element_types = kElementTypes;
  if (features_.find("cl_khr_fp64") != std::string::npos) info_.element_types |= 1u << TET_F64;
  info_.memory_bytes = options.memory_bytes > 0
                           ? static_cast<uint64_t>(options.memory_bytes)
                           : deviceValue<cl_ulong>(found.id, CL_DEVICE_GLOBAL_MEM_SIZE, 0);
  info_.max_buffer_bytes = std::min<uint64_t>(
      info_.memory_bytes, deviceValue<cl_ulong>(found.id, CL_DEVICE_MAX_MEM_ALLOC_SIZE, 0));
  // Slices of host-visible memory are buffers of their own; others are sub-buffers, with the device's
  // alignment (bits).
  info_.alignment =
      on_cpu ? 64
             : std::max<cl_uint>(64, deviceValue<cl_uint>(found.id, CL_DEVICE_MEM_BASE_ADDR_ALIGN, 1024) / 8);
  info_.compute_units = units;
  info_.max_queues = 4;
  info_.format_count = std::size(kFormats);
  info_.formats = kFormats;
  for (tet_figure* unknown :
       {&info_.from_host.bytes_per_second, &info_.from_host.latency_seconds, &info_.to_host.bytes_per_second,
        &info_.to_host.latency_seconds, &info_.idle_watts, &info_.busy_watts}) {
    *unknown = {std::nan(""), TET_MEASURED, 0};
  }
}

uint64_t nextNumber() {
  static std::atomic<uint64_t> last{0};
  return ++last;
}

}  // namespace tetrarch::opencl

// ---- device
// --------------------------------------------------------------------------------------------------------

Result<std::unique_ptr<tet_device>> tet_device::open(uint32_t index,
                                                     const tetrarch::opencl::DeviceOptions& options) {
  const auto& found = tetrarch::opencl::foundDevices();
  if (index >= found.size()) {
    const auto& api = tetrarch::opencl::loadApi();
    return tetrarch::fail(
        StatusCode::kNotFound, "opencl has no device {}: {}", index,
        api ? fmt::format("the drivers here offer {}", found.size()) : std::string(api.error().message()));
  }
  auto device = std::make_unique<tet_device>();
  device->index = index;
  device->id = found[index].id;
  device->description.emplace(index, found[index], options);
  device->memory_bytes_ = device->description->info().memory_bytes;
  device->launches_left_ = options.fail_after_launches;
  if (!device->description->hostVisible()) {
    const auto limit = deviceValue<size_t>(device->id, CL_DEVICE_MAX_WORK_GROUP_SIZE, 1);
    device->local_items = std::min<size_t>(64, limit);
  }
  TET_RETURN_IF_ERROR(device->takePart(options.threads));
  cl_int code = CL_SUCCESS;
  device->context = cl().CreateContext(nullptr, 1, &device->id, nullptr, nullptr, &code);
  TET_RETURN_IF_ERROR(tetrarch::opencl::check(code, "opening the device"));
  device->measureClock();
  return device;
}

Status tet_device::takePart(int64_t threads) {
  const auto all = static_cast<int64_t>(deviceValue<cl_uint>(id, CL_DEVICE_MAX_COMPUTE_UNITS, 1));
  if (threads <= 0 || threads >= all) return {};
  // The last ones: who shares the machine with a CPU device leaves the first ones to that.
  const cl_device_partition_property counts[] = {CL_DEVICE_PARTITION_BY_COUNTS, all - threads, threads,
                                                 CL_DEVICE_PARTITION_BY_COUNTS_LIST_END, 0};
  cl_device_id parts[2] = {};
  cl_uint made = 0;
  TET_RETURN_IF_ERROR(
      tetrarch::opencl::check(cl().CreateSubDevices(id, counts, 2, parts, &made),
                              fmt::format("taking {} of the device's {} compute units", threads, all)));
  cl().ReleaseDevice(parts[0]);
  id = parts[1];
  is_part_ = true;
  return {};
}

tet_device::~tet_device() {
  if (context) cl().ReleaseContext(context);
  if (is_part_) cl().ReleaseDevice(id);
}

Status tet_device::checkAlive() const {
  if (!lost_.load(std::memory_order_acquire)) return {};
  return tetrarch::fail(StatusCode::kUnavailable, "{} is lost: {}", description->info().name, lost_why_);
}

void tet_device::lose(const std::string& why) {
  {
    std::lock_guard lock(lose_mutex_);
    if (lost_) return;
    lost_why_ = why;
    lost_.store(true, std::memory_order_release);
  }
  {
    std::lock_guard lock(signals_mutex);
    for (tet_signal* signal : signals) signal->wake();
    for (tet_queue* queue : queues) queue->releaseWaits();
  }
  if (!on_event) return;
  const tet_event event = {sizeof event, TET_EVENT_LOST, index, this, lost_why_.c_str()};
  on_event(event_user, &event);
}

Status tet_device::countLaunch() {
  if (launches_left_.load(std::memory_order_relaxed) < 0) return {};
  if (launches_left_.fetch_sub(1) > 0) return {};
  lose("it was told to fail after so many launches (option fail_after_launches)");
  return checkAlive();
}

Status tet_device::reserve(uint64_t bytes) {
  uint64_t used = used_bytes_;
  do {
    if (bytes > memory_bytes_ - std::min(used, memory_bytes_)) {
      return tetrarch::fail(StatusCode::kResourceExhausted,
                            "{} has {} of its {} bytes left and {} were asked for", description->info().name,
                            memory_bytes_ - std::min(used, memory_bytes_), memory_bytes_, bytes);
    }
  } while (!used_bytes_.compare_exchange_weak(used, used + bytes));
  return {};
}

Status tet_device::check(cl_int code, std::string_view what) {
  if (code != CL_DEVICE_NOT_AVAILABLE) return tetrarch::opencl::check(code, what);
  lose(fmt::format("{} found the device gone", what));
  return checkAlive();
}

void tet_device::measureClock() {
  cl_command_queue queue = cl().CreateCommandQueue(context, id, CL_QUEUE_PROFILING_ENABLE, nullptr);
  cl_event event = nullptr;
  cl_ulong end = 0;
  if (queue && cl().EnqueueMarkerWithWaitList(queue, 0, nullptr, &event) == CL_SUCCESS &&
      cl().Finish(queue) == CL_SUCCESS &&
      cl().GetEventProfilingInfo(event, CL_PROFILING_COMMAND_END, sizeof end, &end, nullptr) == CL_SUCCESS &&
      end != 0) {
    clock_offset_ = tetrarch::nowNs() - static_cast<int64_t>(end);
  }
  if (event) cl().ReleaseEvent(event);
  if (queue) cl().ReleaseCommandQueue(queue);
}

// ---- buffers
// -------------------------------------------------------------------------------------------------------

namespace {

constexpr uint64_t kHostAlignment = 64;

Result<cl_mem> createBuffer(tet_device* device, cl_mem_flags flags, uint64_t bytes, void* host) {
  cl_int code = CL_SUCCESS;
  cl_mem memory = cl().CreateBuffer(device->context, flags, bytes, host, &code);
  TET_RETURN_IF_ERROR(device->check(code, fmt::format("making a buffer of {} bytes", bytes)));
  return memory;
}

// A buffer over host memory; OpenCL knows no empty ones, so an empty one claims a byte that nobody touches.
Result<std::unique_ptr<tet_buffer>> overHost(tet_device* device, std::byte* host, uint64_t bytes) {
  static std::byte none[kHostAlignment];
  auto buffer = std::make_unique<tet_buffer>();
  buffer->device = device;
  buffer->host = host;
  buffer->bytes = bytes;
  TET_ASSIGN_OR_RETURN(buffer->memory, createBuffer(device, CL_MEM_READ_WRITE | CL_MEM_USE_HOST_PTR,
                                                    std::max<uint64_t>(bytes, 1), bytes > 0 ? host : none));
  return buffer;
}

}  // namespace

Result<std::unique_ptr<tet_buffer>> tet_buffer::allocate(tet_device* device, uint64_t bytes) {
  TET_RETURN_IF_ERROR(device->checkAlive());
  if (bytes > device->description->info().max_buffer_bytes) {
    return tetrarch::fail(StatusCode::kResourceExhausted,
                          "a buffer of {} bytes is larger than the {} that {} allows", bytes,
                          device->description->info().max_buffer_bytes, device->description->info().name);
  }
  TET_RETURN_IF_ERROR(device->reserve(bytes));
  auto buffer = std::make_unique<tet_buffer>();
  buffer->device = device;  // from here on the destructor gives back what was taken
  buffer->bytes = bytes;
  buffer->counted = true;
  if (!device->description->hostVisible()) {
    TET_ASSIGN_OR_RETURN(buffer->memory,
                         createBuffer(device, CL_MEM_READ_WRITE, std::max<uint64_t>(bytes, 1), nullptr));
    return buffer;
  }
  const uint64_t rounded =
      std::max<uint64_t>(1, (bytes + kHostAlignment - 1) / kHostAlignment) * kHostAlignment;
  auto* host = static_cast<std::byte*>(std::aligned_alloc(kHostAlignment, rounded));
  if (!host) return tetrarch::fail(StatusCode::kResourceExhausted, "the machine has no {} bytes left", bytes);
  buffer->host = host;
  buffer->owns_host = true;
  TET_ASSIGN_OR_RETURN(buffer->memory,
                       createBuffer(device, CL_MEM_READ_WRITE | CL_MEM_USE_HOST_PTR, rounded, host));
  // Work that is still under way keeps the memory object, and with it the memory.
  auto free_host = [](cl_mem, void* memory) { std::free(memory); };
  if (cl().SetMemObjectDestructorCallback(buffer->memory, free_host, host) == CL_SUCCESS)
    buffer->owns_host = false;
  return buffer;
}

Result<std::unique_ptr<tet_buffer>> tet_buffer::wrap(tet_device* device, void* host, uint64_t bytes) {
  TET_RETURN_IF_ERROR(device->checkAlive());
  if (!device->description->hostVisible())
    return tetrarch::unimplemented("{} cannot use host memory in place", device->description->info().name);
  if (reinterpret_cast<uintptr_t>(host) % kHostAlignment != 0) {
    return tetrarch::invalidArgument("host memory must be aligned to {} bytes to be wrapped", kHostAlignment);
  }
  return overHost(device, static_cast<std::byte*>(host), bytes);
}

Result<std::unique_ptr<tet_buffer>> tet_buffer::slice(tet_buffer* parent, uint64_t offset, uint64_t bytes) {
  tet_device* device = parent->device;
  TET_RETURN_IF_ERROR(device->checkAlive());
  TET_RETURN_IF_ERROR(parent->checkRange(offset, bytes));
  if (parent->is_slice) return tetrarch::invalidArgument("a slice cannot be sliced again");
  const uint32_t alignment = device->description->info().alignment;
  if (offset % alignment != 0)
    return tetrarch::invalidArgument("offset {} is not a multiple of {}", offset, alignment);
  if (device->description->hostVisible()) {
    TET_ASSIGN_OR_RETURN(auto made, overHost(device, parent->host + offset, bytes));
    made->is_slice = true;
    return made;
  }
  auto made = std::make_unique<tet_buffer>();
  made->device = device;
  made->bytes = bytes;
  made->is_slice = true;
  if (bytes == 0) {
    TET_ASSIGN_OR_RETURN(made->memory, createBuffer(device, CL_MEM_READ_WRITE, 1, nullptr));
    return made;
  }
  const cl_buffer_region region = {offset, bytes};
  cl_int code = CL_SUCCESS;
  made->memory =
      cl().CreateSubBuffer(parent->memory, CL_MEM_READ_WRITE, CL_BUFFER_CREATE_TYPE_REGION, &region, &code);
  TET_RETURN_IF_ERROR(device->check(code, "making a slice"));
  return made;
}

tet_buffer::~tet_buffer() {
  if (memory) cl().ReleaseMemObject(memory);
  if (owns_host) std::free(host);
  if (counted) device->release(bytes);
}

Status tet_buffer::checkRange(uint64_t offset, uint64_t size) const {
  if (offset <= bytes && size <= bytes - offset) return {};
  return tetrarch::fail(StatusCode::kOutOfRange, "{} bytes at offset {} are not in a buffer of {}", size,
                        offset, bytes);
}
