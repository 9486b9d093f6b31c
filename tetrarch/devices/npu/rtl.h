// The processor as its RTL says, cycle by cycle: what a Verilated model with the memory system of
// rtl/npu/README.md around it looks like from here. What it starts from and leaves behind is the State of the
// C++ models, so that the two can be compared.
//
// The models are shared libraries of their own, made by the same build (rtl/npu/), which this folder opens by
// name when somebody asks: a machine without them has the functional model.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "tetrarch/devices/npu/state.h"
#include "tetrarch/devices/npu/timing.h"

namespace tetrarch::npu {

class NpuRtl {
 public:
  virtual ~NpuRtl() = default;

  // Runs a program, which ends with HALT or a fault, from `state`, which it updates when the cause is Done;
  // instructions that touch DRAM touch the segments of `dram`. Of the result the cause, its place and the
  // cycles are set. DeadlineExceeded when the processor is not done after `max_cycles`, Internal when an
  // assertion of the RTL fails.
  virtual Result<Timing> run(std::span<const Word> program, State& state, const Dram& dram,
                             int64_t dram_bytes, int64_t max_cycles) = 0;
};

// What the library of one configuration exports as rtlTable().
struct RtlTable {
  uint64_t layout;  // kRtlLayout of the build that made it
  Kind kind;
  int64_t side, sp_rows, acc_rows, max_latency;
  const char* simulator;  // "Verilator 5.48"
  std::unique_ptr<NpuRtl> (*make)(const Config& config);
};
using RtlTableFn = const RtlTable* (*)();
#define TETRARCH_NPU_RTL_SYMBOL "tetrarch_npu_rtl"

// Differs where C++ values that cross the border have changed.
inline constexpr uint64_t kRtlLayout =
    (1 << 24) + (sizeof(State) << 16) + (sizeof(Timing) << 8) + sizeof(Config);

// The name of the library of a configuration: "npu_int8_16.so".
std::string rtlFileName(const Config& config);
// The folder in which a library that holds this code finds its RTL: ../rtl from where it lies.
std::string defaultRtlFolder();

// Opens the library of this configuration in `folder`, once in a process; it stays. NotFound says what to
// install when there is none, InvalidArgument why it does not fit.
Result<const RtlTable*> openRtl(const Config& config, const std::string& folder);

}  // namespace tetrarch::npu
