// libFuzzer target: whatever the bytes, the reader of blobs answers with an error or with a legal program,
// whose kernels the twin and the timing model run to their end or say why not.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "tetrarch/abi/fpga_blob.h"
#include "tetrarch/abi/fpga_boxes.h"
#include "tetrarch/devices/fpga/port_runner.h"
#include "tetrarch/devices/fpga/run.h"
#include "tetrarch/devices/fpga/timing.h"

namespace {

using namespace tetrarch::fpga;

constexpr int64_t kFewIterations = 20'000, kBufferBytes = 1 << 16;

// Whether it is small enough to be run here, and stays inside of buffers of that size.
bool isSmall(const Kernel& kernel) {
  if (kernel.buffers > 16 || hasMachine(kernel)) return false;
  for (const Stage& stage : kernel.stages) {
    const Nest& nest = std::get<Nest>(stage.work);
    if (iterationsOf(nest) * static_cast<int64_t>(nest.nodes.size() + 1) > kFewIterations) return false;
    if (nest.interval > 100 || nest.depth > 1000) return false;
  }
  for (const Port& port : kernel.ports) {
    int64_t last = port.offset, count = 1;
    for (const Port::Loop& loop : port.loops) {
      last += std::max<int64_t>(loop.stride, 0) * (loop.extent - 1);
      count *= loop.extent;
    }
    if (count > kFewIterations || (last + 1) * port.storage_bytes > kBufferBytes) return false;
  }
  return true;
}

void run(const Kernel& kernel) {
  std::vector<std::vector<std::byte>> buffers(kernel.buffers, std::vector<std::byte>(kBufferBytes));
  std::vector<void*> pointers;
  for (auto& buffer : buffers) pointers.push_back(buffer.data());
  const auto machines = Twin(kernel).run(0, pointers);
  const auto timing = simulateTiming(kernel, std::vector<int64_t>(kernel.stages.size()));
  // What has a time has a result; with FIFOs too shallow there is only a result.
  if (timing && !machines) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto given = std::as_bytes(std::span(data, size));
  std::vector<std::byte> bytes(given.begin(), given.end());
  // Else next to nothing gets past the check of its length.
  const uint64_t length = size;
  if (size >= sizeof(tet_fpga_header)) {
    std::memcpy(bytes.data() + offsetof(tet_fpga_header, blob_bytes), &length, sizeof length);
  }
  auto program = readProgram(bytes);
  if (!program) return 0;
  auto again = readProgram(writeProgram(*program));
  if (!again || !(*again == *program)) std::abort();
  for (const Kernel& kernel : program->kernels) {
    if (isSmall(kernel)) run(kernel);
  }
  return 0;
}
