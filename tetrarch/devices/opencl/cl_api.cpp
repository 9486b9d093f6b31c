#include "tetrarch/devices/opencl/cl_api.h"

#include <dlfcn.h>

#include <algorithm>
#include <cstdlib>

namespace tetrarch::opencl {
namespace {

// The loader's library: that of the system, or what this variable of the environment names, which is how
// tests watch the calls.
constexpr const char* kLoader = "libOpenCL.so.1";
constexpr const char* kLoaderVariable = "TETRARCH_OPENCL_LOADER";

Result<ClApi> open() {
  // Local, so that a driver's own libraries (PoCL brings an LLVM) stay out of the sight of the rest of the
  // process.
  const char* named = std::getenv(kLoaderVariable);  // NOLINT(concurrency-mt-unsafe): nobody sets it
  const char* loader = named ? named : kLoader;
  void* library = dlopen(loader, RTLD_NOW | RTLD_LOCAL);
  if (!library) return fail(StatusCode::kUnavailable, "the OpenCL loader cannot be opened ({})", dlerror());
  ClApi api;
#define CL_FUNCTION(name)                                                      \
  api.name = reinterpret_cast<decltype(api.name)>(dlsym(library, "cl" #name)); \
  if (!api.name) return fail(StatusCode::kUnavailable, "{} has no cl" #name, loader);
#include "tetrarch/devices/opencl/cl_api.def"
#undef CL_FUNCTION
  return api;
}

struct ErrorRow {
  cl_int code;
  StatusCode status;
  std::string_view meaning;
};
constexpr ErrorRow kErrors[] = {
    {CL_DEVICE_NOT_FOUND, StatusCode::kNotFound, "no such device"},
    {CL_DEVICE_NOT_AVAILABLE, StatusCode::kUnavailable, "the device is not available"},
    {CL_COMPILER_NOT_AVAILABLE, StatusCode::kUnimplemented, "the driver has no compiler"},
    {CL_MEM_OBJECT_ALLOCATION_FAILURE, StatusCode::kResourceExhausted, "the device's memory is short"},
    {CL_OUT_OF_RESOURCES, StatusCode::kResourceExhausted, "the device's resources are short"},
    {CL_OUT_OF_HOST_MEMORY, StatusCode::kResourceExhausted, "the host's memory is short"},
    {CL_MEM_COPY_OVERLAP, StatusCode::kInvalidArgument, "source and target overlap"},
    {CL_BUILD_PROGRAM_FAILURE, StatusCode::kInvalidArgument, "the driver's compiler rejects the source"},
    {CL_MISALIGNED_SUB_BUFFER_OFFSET, StatusCode::kInvalidArgument, "the offset is not aligned"},
    {CL_INVALID_BINARY, StatusCode::kInvalidArgument, "the binary is not for this driver"},
    {CL_INVALID_KERNEL_NAME, StatusCode::kInvalidArgument, "the program has no such kernel"},
    {CL_INVALID_BUFFER_SIZE, StatusCode::kResourceExhausted, "the buffer is larger than the device allows"},
    {CL_INVALID_WORK_GROUP_SIZE, StatusCode::kInvalidArgument, "the work-group does not fit the kernel"},
};

}  // namespace

const Result<ClApi>& loadApi() {
  static const Result<ClApi> api = open();
  return api;
}

const ClApi& cl() { return *loadApi(); }

Status check(cl_int code, std::string_view what) {
  if (code == CL_SUCCESS) return {};
  const auto* row = std::ranges::find(kErrors, code, &ErrorRow::code);
  if (row == std::end(kErrors)) return internalError("{} failed with OpenCL error {}", what, code);
  return fail(row->status, "{} failed: {} (OpenCL error {})", what, row->meaning, code);
}

std::string deviceText(cl_device_id device, cl_device_info what) {
  size_t bytes = 0;
  if (cl().GetDeviceInfo(device, what, 0, nullptr, &bytes) != CL_SUCCESS || bytes == 0) return "";
  std::string text(bytes, '\0');
  cl().GetDeviceInfo(device, what, bytes, text.data(), nullptr);
  return text.c_str();
}

const std::vector<FoundDevice>& foundDevices() {
  static const std::vector<FoundDevice> found = [] {
    std::vector<FoundDevice> all;
    cl_uint platforms = 0;
    if (!loadApi() || cl().GetPlatformIDs(0, nullptr, &platforms) != CL_SUCCESS) return all;
    std::vector<cl_platform_id> platform_ids(platforms);
    cl().GetPlatformIDs(platforms, platform_ids.data(), nullptr);
    for (cl_platform_id platform : platform_ids) {
      cl_uint devices = 0;
      if (cl().GetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, 0, nullptr, &devices) != CL_SUCCESS) continue;
      std::vector<cl_device_id> device_ids(devices);
      cl().GetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, devices, device_ids.data(), nullptr);
      for (cl_device_id device : device_ids) all.push_back({platform, device});
    }
    return all;
  }();
  return found;
}

}  // namespace tetrarch::opencl
