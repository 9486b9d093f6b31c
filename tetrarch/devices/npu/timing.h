// The timing model: how many cycles an instruction stream takes, by the rules of rtl/npu/README.md, without
// any data. It jumps from event to event, so its own time grows with instructions, not with cycles.
#pragma once

#include <span>
#include <vector>

#include "tetrarch/devices/npu/state.h"

namespace tetrarch::npu {

// What a unit did, in cycles. Where it could have begun its next work and did not, one of the waits counts. A
// unit that pays for a tail or for its smallest stream is neither busy nor waiting.
struct UnitActivity {
  int64_t instructions = 0;
  int64_t busy = 0;                // beats of load and store, rows streamed by matrix, rows read by vector
  int64_t waited_for_work = 0;     // its queue was empty
  int64_t waited_for_tokens = 0;   // its head's tokens were not there
  int64_t waited_for_ports = 0;    // banks held by others, too many loads in flight, a SYNC behind work
  int64_t waited_for_weights = 0;  // matrix: the prepare stage was still at it
};

struct InstructionTimes {
  int64_t dispatched = -1, issued = -1, completed = -1;  // cycles, -1: never
};

struct Timing {
  Cause cause = Cause::Done;
  Queue queue = Queue::Load;  // Deadlock and what is found after dispatch: the queue …
  int64_t index = 0;          // … and the ordinal in it; found at dispatch: the index in the program
  int64_t cycles = 0;         // until done rises
  UnitActivity units[kQueues];
  int64_t multiplications = 0;  // of the array, rows gated by k not counted

  // Share of the array's multipliers that worked, 0 to 1.
  double utilisation(const Config& config) const {
    return cycles == 0 ? 0
                       : static_cast<double>(multiplications) /
                             static_cast<double>(cycles * config.side * config.side);
  }
};

// What a run starts from; the default is reset.
struct TimingStart {
  Loops load_loops, store_loops;
  TokenCounters tokens = {};
  static TimingStart of(const State& state) { return {state.load_loops, state.store_loops, state.tokens}; }
};

// Takes any words: an illegal program ends with its cause. `dram_bytes` bounds DRAM, a multiple of 64.
// `times`, if not null, gets one row an instruction.
Timing simulateTiming(const Config& config, std::span<const Word> program, const TimingStart& start = {},
                      int64_t dram_bytes = int64_t{1} << 32, std::vector<InstructionTimes>* times = nullptr);

}  // namespace tetrarch::npu
