// Loaded code: one OpenCL program and the kernels of its tasks.
#pragma once

#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tetrarch/abi/opencl_program.h"
#include "tetrarch/devices/opencl/device.h"

struct tet_kernel {
  tet_device* device = nullptr;
  const tetrarch::abi::OpenClEntry* entry = nullptr;
  std::vector<cl_kernel> passes;  // one per pass of the entry
  // Arguments are state of a cl_kernel: held from the first argument to the enqueue.
  std::mutex mutex;
  // What each argument of each pass is set to (see tet_queue::setArgument); replays set none again.
  std::vector<std::vector<uint64_t>> set;
};

struct tet_module {
  static tetrarch::Result<std::unique_ptr<tet_module>> load(tet_device* device, std::string_view name,
                                                            std::string_view format,
                                                            std::span<const std::byte> bytes);
  ~tet_module();

  tet_kernel* find(std::string_view symbol);
  // The blob with this device's own binary in it, made on the first call.
  tetrarch::Result<std::span<const std::byte>> binary();

  tet_device* device = nullptr;

 private:
  tetrarch::Status build();
  tetrarch::Status buildFrom(cl_program candidate, const std::string& options);
  tetrarch::Status createKernels();

  tetrarch::abi::OpenClProgram source_;
  cl_program program_ = nullptr;
  std::vector<std::unique_ptr<tet_kernel>> kernels_;  // one per entry
  std::mutex binary_mutex_;
  std::vector<std::byte> binary_;
};
