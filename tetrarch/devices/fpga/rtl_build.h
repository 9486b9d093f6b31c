// A kernel's SystemVerilog as a program: Verilator and a C++ compiler make it once, in the design's folder of
// the cache, for all processes and for good.
#pragma once

#include "tetrarch/abi/fpga_program.h"
#include "tetrarch/devices/fpga/rtl_table.h"

namespace tetrarch::fpga {

struct RtlTools {
  std::string verilator_root;  // holds bin/verilator_bin and include/
  std::string compiler;        // a path
};

// VERILATOR_ROOT and CXX of the environment, else what the build found, else what is in PATH. NotFound names
// what is missing and how to install it.
Result<RtlTools> findRtlTools();

// NotFound for a kernel without SystemVerilog, InvalidArgument for one that Verilator refuses, with what it
// says.
Result<tetrarch_fpga_rtl_fn> openRtl(const RtlTools& tools, const Kernel& kernel);

}  // namespace tetrarch::fpga
