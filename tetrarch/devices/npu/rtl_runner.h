// Runs streams and windows of them in the processor's RTL, and watches over it.
#pragma once

#include <mutex>

#include "tetrarch/devices/npu/module.h"
#include "tetrarch/devices/npu/rtl.h"

namespace tetrarch::npu {

// Any number of threads; one at a time runs. Of errors, DeadlineExceeded means that the processor hangs and
// is of no further use; all others are Internal: it stopped with a cause, or differs from the models.
class RtlRunner {
 public:
  RtlRunner(const Config& config, const RtlTable& table) : config_(config), table_(table) {}

  // All of a stream, from reset, on `dram`. Gives the cycles, which are those of the timing model.
  Result<int64_t> run(const Stream& stream, const Dram& dram);

  // Runs instructions of `window` from `before` in the models and in the RTL, on copies of the memory that
  // they may write, and compares every bit of what they leave. Gives the cycles, which are the same in both.
  Result<int64_t> check(const Stream& stream, const Window& window, const State& before, const Dram& dram);

 private:
  Result<int64_t> runWatched(std::span<const Word> words, State& state, const Dram& dram,
                             const Timing& predicted);

  const Config config_;
  const RtlTable& table_;
  std::mutex mutex_;
  std::unique_ptr<NpuRtl> rtl_;  // made when it is first needed
};

}  // namespace tetrarch::npu
