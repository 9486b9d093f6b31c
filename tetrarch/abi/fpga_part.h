// The parts that kernels are made for: one row each, for the compiler and the device.
#pragma once

#include <string_view>

#include "tetrarch/abi/fpga_program.h"

namespace tetrarch::fpga {

struct Part {
  std::string_view name;
  Resources has;               // LUTs, flip-flops, multipliers, block RAMs
  int64_t block_ram_bits = 0;  // of one block RAM
};

// LFE5UM-25F, -45F and -85F: Lattice FPGA-DS-02012, table 1.1. A multiplier is 18 x 18.
inline constexpr int64_t kBlockRamBits = 18432;
inline constexpr Part kEcp5_25k{"ecp5-25k", {24288, 24288, 28, 56}, kBlockRamBits};
inline constexpr Part kEcp5_45k{"ecp5-45k", {43848, 43848, 72, 108}, kBlockRamBits};
inline constexpr Part kEcp5_85k{"ecp5-85k", {83640, 83640, 156, 208}, kBlockRamBits};

}  // namespace tetrarch::fpga
