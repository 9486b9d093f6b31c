// Boards by the part that they carry, one row each: what the part has, and what loading and running designs
// takes. Figures for energy and configuration are modelled; docs/fpga.md says where they come from.
#pragma once

#include <span>
#include <string_view>

#include "tetrarch/abi/fpga_program.h"

namespace tetrarch::fpga {

struct Board {
  std::string_view part;
  Resources has;
  int64_t bitstream_bytes;  // of a whole configuration
  double configuration_bytes_per_second;
  double static_watts;
  double default_hz;  // of a kernel that brings no estimate of its clock
  // Of what brings operands and takes results: PCI Express 3.0 with four lanes.
  double link_bytes_per_second = 3.2e9, link_latency = 1e-6;
};

std::span<const Board> boards();
// InvalidArgument lists the parts that there are.
Result<Board> findBoard(std::string_view name);

// Joules of one cycle of each resource in use, half of it and twice it being as likely.
struct CycleEnergy {
  double lut, flip_flop, multiplier, block_ram;
};
inline constexpr CycleEnergy kCycleEnergy = {0.15e-12, 0.05e-12, 5e-12, 6e-12};
double joulesPerCycle(const Resources& uses);

// Of a launch on a configured part.
double secondsOf(const Board& board, double cycles, double hz, double bytes);
// Of loading another configuration.
double configurationSeconds(const Board& board);

// ResourceExhausted names the resource that is short, how many there are and how many are needed.
Status checkFits(const Resources& uses, const Board& board);
Resources operator+(const Resources& a, const Resources& b);

}  // namespace tetrarch::fpga
