// Code blobs of format "elf": a shared object in memory, verified, mapped, its table checked.
#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>

#include "tetrarch/abi/cpu_kernel.h"
#include "tetrarch/devices/hosted/hosted.h"

namespace tetrarch::cpu {

struct CpuKernel : tet_kernel {
  tet_cpu_kernel_fn run = nullptr;
  int64_t scratch_bytes = 0;
};

class CpuModule : public tet_module {
 public:
  // InvalidArgument names what is wrong with the bytes. `name` stands in messages.
  static Result<std::unique_ptr<tet_module>> load(const std::string& name, std::span<const std::byte> bytes);
  ~CpuModule() override;
  tet_kernel* find(std::string_view symbol) override;

 private:
  CpuModule() = default;
  Status open(std::span<const std::byte> bytes);
  Status readTable();

  int file_ =
      -1;  // kept open: the loader knows libraries by path, and this path holds the descriptor's number
  void* library_ = nullptr;
  std::map<std::string, CpuKernel, std::less<>> kernels_;
};

// Checks that the bytes are a shared object for this processor that the loader can map without reading
// outside of them, without constructors and without libraries beyond libc and libm.
Status verifyElf(std::span<const std::byte> bytes);

}  // namespace tetrarch::cpu
