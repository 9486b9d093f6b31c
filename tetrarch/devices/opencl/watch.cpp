#include "tetrarch/devices/opencl/watch.h"

#include <dlfcn.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#define EXPORTED extern "C" __attribute__((visibility("default")))

namespace {

struct Call {
  const char* name;
  std::atomic<int> count = 0, good = -1;  // good calls until the one that fails; -1: none does
  std::atomic<cl_int> code = CL_SUCCESS;
};
Call calls[] = {{"clBuildProgram"},
                {"clCreateBuffer"},
                {"clCreateKernel"},
                {"clCreateProgramWithBinary"},
                {"clCreateProgramWithSource"},
                {"clEnqueueMarkerWithWaitList"},
                {"clEnqueueNDRangeKernel"},
                {"clFinish"},
                {"clSetKernelArg"},
                {"clWaitForEvents"}};

Call* find(const char* name) {
  for (Call& call : calls) {
    if (std::strcmp(call.name, name) == 0) return &call;
  }
  return nullptr;
}

// Counts a call; what it should fail with, or CL_SUCCESS.
cl_int enter(const char* name) {
  Call& call = *find(name);
  ++call.count;
  if (call.good < 0) return CL_SUCCESS;
  const auto good = call.good--;
  return good == 0 ? call.code.load() : CL_SUCCESS;
}

// For calls that tell their error through their last argument.
bool fails(const char* name, cl_int* code) {
  const cl_int wanted = enter(name);
  if (wanted != CL_SUCCESS && code) *code = wanted;
  return wanted != CL_SUCCESS;
}

void* real(const char* name) {
  static void* loader = dlopen("libOpenCL.so.1", RTLD_NOW | RTLD_LOCAL);
  return dlsym(loader, name);
}
#define REAL(function) reinterpret_cast<decltype(&(function))>(real(#function))

struct Reporter {
  ~Reporter() {
    const char* path = std::getenv("TETRARCH_OPENCL_CALLS");
    std::FILE* file = path ? std::fopen(path, "w") : nullptr;
    if (!file) return;
    for (const Call& call : calls) std::fprintf(file, "%s %d\n", call.name, call.count.load());
    std::fclose(file);
  }
} reporter;

}  // namespace

EXPORTED int tetrarch_opencl_calls(const char* name) {
  const Call* call = find(name);
  return call ? call->count.load() : -1;
}

EXPORTED void tetrarch_opencl_fail(const char* name, int good, cl_int code) {
  Call& call = *find(name);
  call.code = code;
  call.good = code == CL_SUCCESS ? -1 : good;
}

EXPORTED cl_int clBuildProgram(cl_program program, cl_uint count, const cl_device_id* devices,
                               const char* options, void(CL_CALLBACK* notify)(cl_program, void*),
                               void* user) {
  if (const cl_int code = enter(__func__)) return code;
  return REAL(clBuildProgram)(program, count, devices, options, notify, user);
}

EXPORTED cl_mem clCreateBuffer(cl_context context, cl_mem_flags flags, size_t size, void* host,
                               cl_int* code) {
  if (fails(__func__, code)) return nullptr;
  return REAL(clCreateBuffer)(context, flags, size, host, code);
}

EXPORTED cl_kernel clCreateKernel(cl_program program, const char* name, cl_int* code) {
  if (fails(__func__, code)) return nullptr;
  return REAL(clCreateKernel)(program, name, code);
}

EXPORTED cl_program clCreateProgramWithBinary(cl_context context, cl_uint count, const cl_device_id* devices,
                                              const size_t* sizes, const unsigned char** binaries,
                                              cl_int* status, cl_int* code) {
  if (fails(__func__, code)) return nullptr;
  return REAL(clCreateProgramWithBinary)(context, count, devices, sizes, binaries, status, code);
}

EXPORTED cl_program clCreateProgramWithSource(cl_context context, cl_uint count, const char** texts,
                                              const size_t* sizes, cl_int* code) {
  if (fails(__func__, code)) return nullptr;
  return REAL(clCreateProgramWithSource)(context, count, texts, sizes, code);
}

EXPORTED cl_int clEnqueueMarkerWithWaitList(cl_command_queue queue, cl_uint count, const cl_event* events,
                                            cl_event* event) {
  if (const cl_int code = enter(__func__)) return code;
  return REAL(clEnqueueMarkerWithWaitList)(queue, count, events, event);
}

EXPORTED cl_int clEnqueueNDRangeKernel(cl_command_queue queue, cl_kernel kernel, cl_uint dims,
                                       const size_t* offset, const size_t* global, const size_t* local,
                                       cl_uint count, const cl_event* events, cl_event* event) {
  if (const cl_int code = enter(__func__)) return code;
  return REAL(clEnqueueNDRangeKernel)(queue, kernel, dims, offset, global, local, count, events, event);
}

EXPORTED cl_int clFinish(cl_command_queue queue) {
  if (const cl_int code = enter(__func__)) return code;
  return REAL(clFinish)(queue);
}

EXPORTED cl_int clSetKernelArg(cl_kernel kernel, cl_uint index, size_t size, const void* value) {
  if (const cl_int code = enter(__func__)) return code;
  return REAL(clSetKernelArg)(kernel, index, size, value);
}

EXPORTED cl_int clWaitForEvents(cl_uint count, const cl_event* events) {
  if (const cl_int code = enter(__func__)) return code;
  return REAL(clWaitForEvents)(count, events);
}
