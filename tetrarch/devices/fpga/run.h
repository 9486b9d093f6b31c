// What a kernel computes, bit for bit as rtl/fpga/README.md says: the twin of its SystemVerilog.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "tetrarch/abi/fpga_program.h"
#include "tetrarch/devices/fpga/port_runner.h"

namespace tetrarch::fpga {

class NestRunner;

// More than this many cycles of one machine in one unit, and it is given up.
inline constexpr int64_t kMaxMachineCycles = 1'000'000'000;

// Computes units of one kernel, one after the other; not for two threads at a time.
class Twin {
 public:
  // REQUIRES: verify() accepts the kernel, which outlives this.
  explicit Twin(const Kernel& kernel);
  ~Twin();

  // Computes unit number `unit` on the buffers. Gives the cycles of each stage that is a machine (of the
  // others 0), which is what timing depends on. FailedPrecondition when stages wait for each other for ever,
  // and DeadlineExceeded for a machine that does not end, name the stage.
  Result<std::vector<int64_t>> run(int64_t unit, std::span<void* const> buffers);

 private:
  bool isReady(size_t stage) const;
  Result<bool> pass(size_t limit);
  Status stuck() const;

  const Kernel& kernel_;
  Chip chip_;
  std::vector<PortRunner> ports_;
  std::vector<std::unique_ptr<NestRunner>> nests_;  // of each stage, null for a machine
  std::vector<bool> done_;                          // stages
  std::vector<int64_t> machine_cycles_;
};

}  // namespace tetrarch::fpga
