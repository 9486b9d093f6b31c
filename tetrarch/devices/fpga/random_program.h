// Random kernels, each from its seed alone: small, legal and dense with corners (all operators and types,
// boxes, delays, accumulators of one and of many cells, memories, machines, several lanes, units, strides
// backwards), that do not get stuck unless asked to.
#pragma once

#include <functional>
#include <random>

#include "tetrarch/abi/fpga_program.h"

namespace tetrarch::fpga {

struct RandomOptions {
  int stages = 4;  // at most, without those that fill memories
  int nodes = 10;  // about so many operators a nest
  bool machines = true;
  bool may_be_stuck = false;  // FIFOs as shallow as they come
};

// The verifier accepts it.
Kernel randomKernel(uint64_t seed, const RandomOptions& options = {});

// Bytes for each of its buffers, with corners of the types that ports read there.
std::vector<std::vector<std::byte>> randomBuffers(const Kernel& kernel, uint64_t seed);

// A smaller kernel that still fails: operators become constants, boxes and delays go, as far as that stays
// legal.
Kernel shrink(Kernel kernel, const std::function<bool(const Kernel&)>& fails);

}  // namespace tetrarch::fpga
