// Everything that the processor remembers between two instructions, and the DRAM beside it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "tetrarch/devices/npu/config.h"

namespace tetrarch::npu {

// One loop of a DMA queue, as DIM sets it.
struct Loop {
  int64_t count = 1, row_stride = 0, dram_stride = 0;
  bool operator==(const Loop&) const = default;
};
using Loops = std::array<Loop, kLoops>;

// What VPARAM sets. Lane words are raw: int32 bias and multiplier with shift, or fp32 bias and scale.
struct VectorParameters {
  std::vector<uint32_t> bias, scale;  // a lane each
  int64_t zp = 0, lo = 0, hi = 0, zp_b = 0, mult_b = 0, shift_b = 0;
  bool operator==(const VectorParameters&) const = default;
};

// Token counters: [p][q] from queue p to queue q.
using TokenCounters = std::array<std::array<int64_t, kQueues>, kQueues>;

struct State {
  explicit State(const Config& config);

  std::vector<std::byte> sp;       // rows of S elements
  std::vector<uint32_t> acc;       // rows of S words
  std::vector<uint16_t> table;     // raw int16 or bf16
  std::vector<std::byte> weights;  // the array's, S rows like the scratchpad's; ternary ones expanded
  Loops load_loops, store_loops;
  VectorParameters parameters;
  TokenCounters tokens = {};
  bool operator==(const State&) const = default;
};

// DRAM as the processor's addresses see it: pieces of host memory, apart from one another. Owns nothing.
class Dram {
 public:
  struct Segment {
    uint64_t base;
    std::byte* data;
    uint64_t bytes;
    bool writable;
  };
  // InvalidArgument when segments meet or lie above 32-bit addresses.
  static Result<Dram> make(std::vector<Segment> segments);

  // The segment that all of [address, address + bytes) lies in, a writable one if `write`; or null.
  const Segment* find(int64_t address, int64_t bytes, bool write) const;
  // The host's address of `address`; the same conditions.
  std::byte* at(int64_t address, int64_t bytes, bool write) const;
  std::span<const Segment> segments() const { return segments_; }

 private:
  std::vector<Segment> segments_;  // by base
};

}  // namespace tetrarch::npu
