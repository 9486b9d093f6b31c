// What one instruction may say and which rows and bytes it touches; the verifier and both models ask here.
#pragma once

#include <expected>
#include <optional>
#include <string>

#include "tetrarch/devices/npu/state.h"

namespace tetrarch::npu {

// Why the processor refuses an instruction when it dispatches it.
struct Fault {
  Cause cause;
  std::string why;  // half a sentence: "n0 = 0", "row 70 of 64 in the accumulator memory"
};

// The loops that DIM set so far, of both queues.
struct LoopState {
  Loops load, store;

  void apply(const Dim& dim);
};

// The checks at dispatch, in the README's order: IllegalField, LocalRange. `loops` is as it stands before.
std::optional<Fault> checkFields(const Config& config, const LoopState& loops,
                                 const Instruction& instruction);
// The same for the bits, with IllegalOpcode; the instruction when there is no fault.
std::expected<Instruction, Fault> checkWord(const Config& config, const LoopState& loops, const Word& word);

// The loops of a LOAD, FILL or STORE with the mask applied: those not in `mask` count once.
Loops activeLoops(const Loops& loops, int64_t mask);
// How many rows that makes, or kManyRows if more.
inline constexpr int64_t kManyRows = int64_t{1} << 32;
int64_t rowCount(const Loops& loops);
// The rows from the smallest to the largest address.
RowRange localRange(int64_t local, const Loops& loops);

// Bytes of a row at a local address.
int64_t rowBytes(const Config& config, int64_t local);

// Rows of a 2-D loop that begins at `local`, ends included.
RowRange gridRange(int64_t local, int64_t n1, int64_t n0, int64_t s1, int64_t s0);
// The three of a VOP. B's only if it has one.
RowRange rangeOfA(const Vop& vop);
RowRange rangeOfB(const Vop& vop);
RowRange rangeOfD(const Vop& vop);

// DRAM bytes from the lowest to one past the highest that the loops touch, `bytes` at each address.
struct ByteRange {
  int64_t begin, end;
};
ByteRange dramRange(int64_t dram, const Loops& loops, int64_t bytes);

// Calls visit(DRAM address, row) for each row in the order of the loops.
template <typename Visit>
void forEachRow(const Loops& l, int64_t dram, int64_t local, Visit&& visit) {
  for (int64_t i3 = 0; i3 < l[3].count; ++i3) {
    for (int64_t i2 = 0; i2 < l[2].count; ++i2) {
      for (int64_t i1 = 0; i1 < l[1].count; ++i1) {
        int64_t address = dram + i3 * l[3].dram_stride + i2 * l[2].dram_stride + i1 * l[1].dram_stride;
        int64_t row = rowOf(local) + i3 * l[3].row_stride + i2 * l[2].row_stride + i1 * l[1].row_stride;
        for (int64_t i0 = 0; i0 < l[0].count; ++i0) {
          visit(address, row);
          address += l[0].dram_stride;
          row += l[0].row_stride;
        }
      }
    }
  }
}

}  // namespace tetrarch::npu
