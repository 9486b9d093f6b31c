// The operand of a loop over windows, as planes of lines, pixels and channels with padding around them.
#pragma once

#include <vector>

#include "tetrarch/compile/code_generator.h"
#include "tetrarch/compile/tile/nest.h"

namespace tetrarch::npu {

// A tensor with its padding: the last three dims are lines, pixels, channels.
struct PlanesRead {
  unsigned operand = 0;
  std::vector<int64_t> padded, source, low;
  int64_t padding = 0;

  size_t rank() const { return padded.size(); }
  bool isPadded() const { return padded != source; }
  int64_t channels() const { return padded.back(); }
  int64_t pixels() const { return rank() > 1 ? padded[rank() - 2] : 1; }
  int64_t lines() const { return rank() > 2 ? padded[rank() - 3] : 1; }
  int64_t sourcePixels() const { return rank() > 1 ? source[rank() - 2] : 1; }
  int64_t sourceLines() const { return rank() > 2 ? source[rank() - 3] : 1; }
  int64_t planeElements() const { return lines() * pixels() * channels(); }
  int64_t sourcePlane() const { return sourceLines() * sourcePixels() * channels(); }
};

// What the access reads, of a plan that readNests() made of the task. Unimplemented with the reason when it
// is no operand, or padded by something else than constants around lines and pixels.
Result<PlanesRead> readPlanes(const compile::Task& task, const compile::TileNestPlan& plan,
                              const compile::TileAccess& access);

}  // namespace tetrarch::npu
