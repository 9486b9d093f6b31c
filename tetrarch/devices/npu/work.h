// What an instruction asks of its unit, as the timing model sees it.
#pragma once

#include "tetrarch/devices/npu/legality.h"

namespace tetrarch::npu {

// The ports of banks, a bit each: scratchpad banks from bit 0, accumulator banks behind them.
struct Ports {
  uint32_t read = 0, write = 0;
  bool meets(const Ports& other) const { return (read & other.read) != 0 || (write & other.write) != 0; }
};

struct Work {
  Opcode opcode = Opcode::Halt;
  uint8_t wait = 0, signal = 0;
  bool keep = false;
  int64_t cycles = 0;   // beats, rows to stream, rows to read
  int64_t prepare = 0;  // matrix: cycles of the prepare stage
  Ports ports;          // load, store, vector; matrix: of the accumulator
  Ports weights, activations;
  int64_t fault_beat = -1;  // load, store: the first beat outside of DRAM
  int64_t multiplications = 0;
};

// REQUIRES: checkFields() has nothing against `instruction`.
Work workOf(const Config& config, const LoopState& loops, const Instruction& instruction, int64_t dram_bytes);

}  // namespace tetrarch::npu
