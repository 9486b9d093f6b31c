// Units of a kernel in its SystemVerilog, and what differs from the twin.
#pragma once

#include "tetrarch/devices/fpga/port_runner.h"
#include "tetrarch/devices/fpga/rtl_build.h"

namespace tetrarch::fpga {

// Elements of each port, of one unit.
using PortElements = std::vector<std::vector<uint64_t>>;

class RtlUnit {
 public:
  // REQUIRES: verify() accepts the kernel, which outlives this.
  RtlUnit(const Kernel& kernel, tetrarch_fpga_rtl_fn rtl);

  // Runs a unit: `elements` has those of inputs, and gets those of outputs. With `stalls` other than 0 ports
  // pause at random. `expected_cycles` bounds how long it may take. Gives the cycles; DeadlineExceeded when
  // it hangs, Internal for what else goes wrong.
  Result<int64_t> run(PortElements& elements, int64_t expected_cycles, uint64_t stalls) const;

 private:
  size_t wordsPerBeat(const Port& port) const;

  const Kernel& kernel_;
  tetrarch_fpga_rtl_fn rtl_;
};

// The first output element that differs, in words, or "".
std::string difference(const Kernel& kernel, const PortElements& rtl, const PortElements& twin);

}  // namespace tetrarch::fpga
