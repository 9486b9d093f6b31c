// Times one kernel on one device, for the profile and for tuning while compiling.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "tetrarch/abi/manifest.h"
#include "tetrarch/run/plugin.h"

namespace tetrarch::run {

struct KernelBuffer {
  ElementType type = ElementType::F32;
  uint64_t bytes = 0;
  std::span<const std::byte> contents;  // empty: seeded random values, see fillRandom
};

struct MeasureOptions {
  double min_seconds = 0.01;    // repeats until this much has been measured …
  int min_runs = 3;             // … and at least so often, …
  double enough_seconds = 0.5;  // … unless the runs so far took this long: such kernels vary little
  int max_runs = 1000;
  uint64_t seed = 1;
};

struct Timing {
  double seconds = 0;  // median of a launch over all units
  double stddev = 0;
  int runs = 0;  // 0: the device told
  abi::Source source = abi::Source::Measured;
};

// Values as data looks, not zeros: energy and time of some units depend on them. Floats uniform in [-1, 1),
// integers in [0, 8), booleans either.
void fillRandom(ElementType type, std::span<std::byte> out, uint64_t seed);

// Inputs then outputs, as the kernel takes them. A kernel of which its device tells the time is not run.
Result<Timing> timeKernel(Device& device, const Module& module, const std::string& symbol,
                          std::span<const KernelBuffer> buffers, const MeasureOptions& options = {});

}  // namespace tetrarch::run
