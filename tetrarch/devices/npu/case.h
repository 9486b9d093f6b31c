// A run of the processor as a value: what it starts from, what it executes, what comes of it. The tests make
// them at random, the RTL and the models run them, and a failing one is shrunk.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "tetrarch/devices/npu/rtl.h"
#include "tetrarch/devices/npu/state.h"
#include "tetrarch/devices/npu/timing.h"

namespace tetrarch::npu {

struct Case {
  Config config;
  std::vector<Word> program;    // with its HALT
  State state;                  // before
  std::vector<std::byte> dram;  // from address 0, a multiple of 64 bytes
};

// After a run. `state` and `dram` mean something only when the cause is Done.
struct Outcome {
  State state;
  std::vector<std::byte> dram;
  Timing timing;
};

// What the models say. `times`, if not null, gets one row an instruction.
Outcome runModels(const Case& c, std::vector<InstructionTimes>* times = nullptr);

// The same run, by the RTL.
Result<Outcome> runRtl(NpuRtl& rtl, const Case& c, int64_t max_cycles);

// Instructions [begin, end) of a program that ends with Done, with HALT behind them, from where the
// functional model stands before `begin`.
Case windowOf(const Case& c, size_t begin, size_t end);

// The first difference between two outcomes in one sentence, or "". Of runs that do not end with Done only
// the cause, the place and the cycles count.
std::string difference(const Outcome& a, const Outcome& b);

// The smallest case found that is still legal and for which `fails` still holds: drops instructions, then
// tokens. REQUIRES: the verifier accepts c.program (so c.state has reset loops and tokens), and fails(c).
Case shrink(Case c, const std::function<bool(const Case&)>& fails);

// The program as text, one instruction a line.
std::string listing(const Case& c);

}  // namespace tetrarch::npu
