// Random cases, each from its seed alone: legal programs dense with corners (saturation, odd tails, zero
// points, ternary and kept weights, full queues, bank conflicts), and programs that end with each of the
// causes.
#pragma once

#include "tetrarch/devices/npu/case.h"

namespace tetrarch::npu {

struct RandomOptions {
  int64_t side = 0;     // 0: any
  int kind = -1;        // of Kind; -1: any
  int64_t sp_rows = 0;  // 0: any small size, else exactly, as for an RTL built once
  int64_t acc_rows = 0;
  int64_t latency = 0;
  int instructions = 40;  // at most about twice as many
};

// The verifier accepts its program.
Case randomCase(uint64_t seed, const RandomOptions& options = {});

// Ends with `cause`, as the timing model says. REQUIRES: cause != Done.
Case randomFault(uint64_t seed, Cause cause, const RandomOptions& options = {});

// Corner-rich data.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed * 0x9e3779b97f4a7c15 + 0x853c49e6748fea9b) {}
  uint64_t bits();
  // min … max.
  int64_t range(int64_t min, int64_t max);
  bool chance(int percent) { return range(1, 100) <= percent; }
  template <size_t N>
  int64_t pick(const int64_t (&values)[N]) {
    return values[range(0, N - 1)];
  }

 private:
  uint64_t state_;
};
void fillRandomly(Random& random, const Config& config, State& state);
void fillRandomly(Random& random, std::span<std::byte> bytes);

}  // namespace tetrarch::npu
