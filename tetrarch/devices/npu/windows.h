// Which parts of the streams that a device runs the RTL runs too.
#pragma once

#include <span>

#include "tetrarch/devices/npu/module.h"

namespace tetrarch::npu {

struct WindowChoice {
  int64_t count = 0;
  uint64_t seed = 0;
  int64_t cycles = 20000;  // of one window, about; a single instruction may take more
};

// Sets `windows` of the streams: `count` windows in all, drawn by the seed. Each is drawn around an
// instruction, of a kind that no window has yet, rarest first, as long as there is one; opcodes, operations
// of the vector unit and modes of the array are kinds.
void chooseWindows(const Config& config, std::span<Stream* const> streams, const WindowChoice& choice);

// A number of [0, kKinds) for the kind of an instruction.
inline constexpr size_t kKinds = 64;
size_t kindOf(const Instruction& instruction);

}  // namespace tetrarch::npu
