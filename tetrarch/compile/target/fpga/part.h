// The parts that kernels are made for: facts.
#pragma once

#include <string_view>

#include "tetrarch/abi/fpga_program.h"

namespace tetrarch::fpga {

struct Part {
  std::string_view name;
  Resources has;
  int64_t block_ram_bits = 0;  // of one block RAM
};

// LFE5UM-85F: Lattice FPGA-DS-02012, table 1.1. A multiplier is 18 x 18.
inline constexpr Part kEcp5{
    "ecp5-85k", {.luts = 83640, .flip_flops = 83640, .multipliers = 156, .block_rams = 208}, 18432};

}  // namespace tetrarch::fpga
