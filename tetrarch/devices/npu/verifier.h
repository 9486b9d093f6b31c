// Proves, before a program runs, that the processor ends it with Done and with the bits that program order
// gives: every field in range, every token sent before it is taken, no token counter too full, HALT at the
// end, and no two instructions of different queues on the same rows or DRAM bytes, one writing, without
// tokens that order them.
#pragma once

#include <array>
#include <span>
#include <vector>

#include "tetrarch/devices/npu/legality.h"
#include "tetrarch/devices/npu/race_detector.h"

namespace tetrarch::npu {

// LOAD, FILL and STORE of more rows than this are refused: no memory has as many.
inline constexpr int64_t kMaxTransferRows = 65536;

// The proof step by step. A value: copy it to try an instruction.
class Verifier {
 public:
  // `dram` must outlive it.
  Verifier(const Config& config, const Dram& dram);

  // One more instruction, all before it being fine. After an error only destruction and assignment are left.
  // HALT is taken anywhere.
  Status add(const Instruction& instruction);
  const LoopState& loops() const { return loops_; }

 private:
  Status touch(const Halt& i);
  Status touch(const Sync& i);
  Status touch(const Dim& i);
  Status touch(const Load& i);
  Status touch(const Store& i);
  Status touch(const Fill& i);
  Status touch(const Matmul& i);
  Status touch(const Vparam& i);
  Status touch(const Table& i);
  Status touch(const Vop& i);
  Status readGrid(int64_t local, int64_t n1, int64_t n0, int64_t s1, int64_t s0);
  // The vector unit reads ahead of its writes, so it must not read what the same VOP has written.
  Status checkInPlace(const Vop& i, const VectorOpInfo& op);
  Status touchLocal(const Loops& loops, int64_t local, bool write);
  template <typename Transfer>
  Status transfer(const Loops& all, const Transfer& i, bool is_load);

  Config config_;
  const Dram* dram_;
  LoopState loops_;
  RaceDetector races_;
  std::array<std::vector<int64_t>, 2> stamps_;  // by row of the scratchpad and of the accumulator memory
  int64_t stamp_ = 0;
};

// InvalidArgument names the instruction's index, its text and the cause. The program starts from reset.
// O(rows touched) time.
Status verify(const Config& config, std::span<const Instruction> program, const Dram& dram);

// The same for an encoded stream, which it decodes.
Result<std::vector<Instruction>> verify(const Config& config, std::span<const Word> program,
                                        const Dram& dram);

}  // namespace tetrarch::npu
