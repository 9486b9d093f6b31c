// For tests: a program built and one kernel run on the first OpenCL device that there is, PoCL where no other
// is.
#pragma once

#include <CL/cl.h>

#include <cstddef>
#include <string>
#include <vector>

#include "tetrarch/base/status.h"

namespace tetrarch::opencl {

struct TestDevice {
  cl_device_id id = nullptr;
  cl_context context = nullptr;
  cl_command_queue queue = nullptr;
};

// NotFound when the machine has no OpenCL device. Lives as long as the process.
inline Result<TestDevice*> testDevice() {
  static TestDevice device;
  if (device.queue) return &device;
  cl_platform_id platform = nullptr;
  cl_int error = clGetPlatformIDs(1, &platform, nullptr);
  if (error == CL_SUCCESS) error = clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, 1, &device.id, nullptr);
  if (error == CL_SUCCESS) device.context = clCreateContext(nullptr, 1, &device.id, nullptr, nullptr, &error);
  if (error == CL_SUCCESS) device.queue = clCreateCommandQueue(device.context, device.id, 0, &error);
  if (error != CL_SUCCESS) return fail(StatusCode::kNotFound, "no OpenCL device (error {})", error);
  return &device;
}

inline Result<cl_program> buildForTest(const std::string& source) {
  TET_ASSIGN_OR_RETURN(TestDevice * device, testDevice());
  const char* text = source.c_str();
  cl_program program = clCreateProgramWithSource(device->context, 1, &text, nullptr, nullptr);
  if (clBuildProgram(program, 1, &device->id, "-Werror", nullptr, nullptr) == CL_SUCCESS) return program;
  std::string log(1 << 14, '\0');
  clGetProgramBuildInfo(program, device->id, CL_PROGRAM_BUILD_LOG, log.size(), log.data(), nullptr);
  return invalidArgument("{}\n{}", source, log.c_str());
}

// Runs `name` over `global` work-items; the buffers are written back.
inline Status runForTest(const std::string& source, const char* name, size_t global, size_t local,
                         const std::vector<std::pair<void*, size_t>>& buffers) {
  TET_ASSIGN_OR_RETURN(cl_program program, buildForTest(source));
  TestDevice& device = **testDevice();
  cl_kernel kernel = clCreateKernel(program, name, nullptr);
  std::vector<cl_mem> memory;
  for (size_t i = 0; i < buffers.size(); ++i) {
    memory.push_back(
        clCreateBuffer(device.context, CL_MEM_COPY_HOST_PTR, buffers[i].second, buffers[i].first, nullptr));
    clSetKernelArg(kernel, static_cast<cl_uint>(i), sizeof(cl_mem), &memory[i]);
  }
  const cl_int error =
      clEnqueueNDRangeKernel(device.queue, kernel, 1, nullptr, &global, &local, 0, nullptr, nullptr);
  for (size_t i = 0; i < buffers.size(); ++i) {
    clEnqueueReadBuffer(device.queue, memory[i], CL_TRUE, 0, buffers[i].second, buffers[i].first, 0, nullptr,
                        nullptr);
    clReleaseMemObject(memory[i]);
  }
  clReleaseKernel(kernel);
  clReleaseProgram(program);
  if (error != CL_SUCCESS) return internalError("the launch of {} failed (error {})", name, error);
  return {};
}

}  // namespace tetrarch::opencl
