// The OpenCL loader, opened at run time: a machine without one has no OpenCL devices, and the plug-in still
// loads.
#pragma once

#define CL_TARGET_OPENCL_VERSION 120
#include <CL/cl.h>

#include <string>
#include <vector>

#include "tetrarch/base/status.h"

namespace tetrarch::opencl {

struct ClApi {
#define CL_FUNCTION(name) decltype(&::cl##name) name = nullptr;
#include "tetrarch/devices/opencl/cl_api.def"
#undef CL_FUNCTION
};

// Opened once; the error says what is missing.
const Result<ClApi>& loadApi();
// The functions, where devices exist and loadApi() therefore has succeeded.
const ClApi& cl();

// OK, or what the OpenCL error `code` of the call `what` means.
Status check(cl_int code, std::string_view what);

std::string deviceText(cl_device_id device, cl_device_info what);
template <typename T>
T deviceValue(cl_device_id device, cl_device_info what, T absent) {
  T value{};
  return cl().GetDeviceInfo(device, what, sizeof value, &value, nullptr) == CL_SUCCESS ? value : absent;
}

// A device as the loader lists it.
struct FoundDevice {
  cl_platform_id platform = nullptr;
  cl_device_id id = nullptr;
};
// Of all platforms, in the loader's order; found once.
const std::vector<FoundDevice>& foundDevices();

}  // namespace tetrarch::opencl
