// Proves, before a program runs, that the processor ends it with Done and with the bits that program order
// gives: every field in range, every token sent before it is taken, no token counter too full, HALT at the
// end, and no two instructions of different queues on the same rows or DRAM bytes, one writing, without
// tokens that order them.
#pragma once

#include <span>
#include <vector>

#include "tetrarch/devices/npu/state.h"

namespace tetrarch::npu {

// LOAD, FILL and STORE of more rows than this are refused: no memory has as many.
inline constexpr int64_t kMaxTransferRows = 65536;

// InvalidArgument names the instruction's index, its text and the cause. The program starts from reset.
// O(rows touched) time.
Status verify(const Config& config, std::span<const Instruction> program, const Dram& dram);

// The same for an encoded stream, which it decodes.
Result<std::vector<Instruction>> verify(const Config& config, std::span<const Word> program,
                                        const Dram& dram);

}  // namespace tetrarch::npu
