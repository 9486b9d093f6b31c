// rtl/fpga/README.md word by word, cycle by cycle and with data: what the twin and the timing model are
// tested against. Slow.
#pragma once

#include <span>
#include <vector>

#include "tetrarch/abi/fpga_program.h"

namespace tetrarch::fpga {

struct Reference {
  bool is_stuck = false;  // stages wait for each other for ever
  int64_t cycles = 0;
  std::vector<int64_t> machine_cycles;  // of each stage, 0 for a nest
};

// Runs one unit on the buffers. REQUIRES: verify() accepts the kernel.
Reference runReference(const Kernel& kernel, int64_t unit, std::span<void* const> buffers);

}  // namespace tetrarch::fpga
