// Tasks that follow one another on the processor, as one stream: tensors between them stay in the scratchpad
// where that saves traffic, the others pass through DRAM, and the queues run on from task to task.
#pragma once

#include <memory>
#include <vector>

#include "tetrarch/compile/target/npu/npu_task.h"

namespace tetrarch::npu {

// What a segment becomes.
struct SegmentProgram {
  DramMap memory;
  std::vector<Word> words;
  std::vector<int64_t> cycles;           // of each task, from the end of the one before to its own
  std::vector<int64_t> multiplications;  // that each needs
  int64_t kept = 0;                      // tensors that never leave the chip
};

// An error when the segment cannot be one stream; its tasks can still run apart.
Result<SegmentProgram> compileSegment(const compile::Segment& segment, const Config& config);

}  // namespace tetrarch::npu
