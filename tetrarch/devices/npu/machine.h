// The functional model: instructions in program order, bit for bit what the RTL leaves in its memories.
#pragma once

#include <span>

#include "tetrarch/devices/npu/matmul.h"
#include "tetrarch/devices/npu/state.h"

namespace tetrarch::npu {

// One thread at a time. `dram` is copied, the memory behind it belongs to the caller.
class Machine {
 public:
  Machine(const Config& config, Dram dram, SimdLevel level = bestSimdLevel());

  // REQUIRES: the verifier accepts the program from the present state on, with this DRAM.
  void run(std::span<const Instruction> program);
  void step(const Instruction& instruction);

  State& state() { return state_; }
  const State& state() const { return state_; }
  // Takes over a snapshot.
  void restore(State state);

 private:
  void execute(const Halt& /*i*/) {}
  void execute(const Sync& /*i*/) {}
  void execute(const Dim& i);
  void execute(const Load& i);
  void execute(const Fill& i);
  void execute(const Store& i);
  void execute(const Matmul& i);
  void execute(const Vparam& i);
  void execute(const Table& i);
  void execute(const Vop& i);

  std::byte* localRow(bool in_acc, int64_t row);
  void loadWeights(const Matmul& i);

  const Config config_;
  const Dram dram_;
  const SimdLevel level_;
  State state_;
  Int8Tile tile_;
  int64_t tile_rows_ = -1;  // array rows that tile_ was loaded for, -1: not of the present weights
};

}  // namespace tetrarch::npu
