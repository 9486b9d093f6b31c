// The processor as its RTL says, cycle by cycle: a Verilated model with the memory system of
// rtl/npu/README.md around it. What it starts from and leaves behind is the State of the C++ models, so that
// the two can be compared.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "tetrarch/devices/npu/case.h"

namespace tetrarch::npu {

class NpuRtl {
 public:
  virtual ~NpuRtl() = default;

  // Runs a program, which ends with HALT or a fault, from `state`, which it updates; instructions that touch
  // DRAM touch the segments of `dram`. Of the result the cause, its place and the cycles are set.
  // DeadlineExceeded when the processor is not done after `max_cycles`: then `state` is what it was.
  virtual Result<Timing> run(std::span<const Word> program, State& state, const Dram& dram,
                             int64_t dram_bytes, int64_t max_cycles) = 0;
};

// One model; not thread safe, but models are independent. Unimplemented names the configurations that were
// built.
Result<std::unique_ptr<NpuRtl>> makeNpuRtl(const Config& config);
// The configuration of this side that was built; the standard one if there is none.
Config builtNpuRtl(int64_t side);

// The same run as runModels(), by the RTL.
Result<Outcome> runRtl(NpuRtl& rtl, const Case& c, int64_t max_cycles);

}  // namespace tetrarch::npu
