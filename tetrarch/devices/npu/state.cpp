#include "tetrarch/devices/npu/state.h"

#include <algorithm>

namespace tetrarch::npu {

State::State(const Config& config)
    : sp(config.sp_rows * config.spRowBytes()),
      acc(config.acc_rows * config.side),
      table(kTableEntries),
      weights(config.side * config.spRowBytes()) {
  parameters.bias.resize(config.side);
  parameters.scale.resize(config.side);
}

Result<Dram> Dram::make(std::vector<Segment> segments) {
  std::ranges::sort(segments, {}, &Segment::base);
  uint64_t end = 0;
  for (const Segment& segment : segments) {
    if (segment.base < end)
      return invalidArgument("the DRAM segment at {} meets the one before", segment.base);
    if (segment.base > UINT32_MAX || segment.bytes > (uint64_t{1} << 32) - segment.base) {
      return invalidArgument("the DRAM segment at {} ends above 32-bit addresses", segment.base);
    }
    end = segment.base + segment.bytes;
  }
  Dram dram;
  dram.segments_ = std::move(segments);
  return dram;
}

const Dram::Segment* Dram::find(int64_t address, int64_t bytes, bool write) const {
  if (address < 0) return nullptr;
  const auto begin = static_cast<uint64_t>(address);
  auto after = std::ranges::upper_bound(segments_, begin, {}, &Segment::base);
  if (after == segments_.begin()) return nullptr;
  const Segment& segment = *std::prev(after);
  const uint64_t offset = begin - segment.base;
  if (offset > segment.bytes || static_cast<uint64_t>(bytes) > segment.bytes - offset) return nullptr;
  return write && !segment.writable ? nullptr : &segment;
}

std::byte* Dram::at(int64_t address, int64_t bytes, bool write) const {
  const Segment* segment = find(address, bytes, write);
  return segment ? segment->data + (address - static_cast<int64_t>(segment->base)) : nullptr;
}

}  // namespace tetrarch::npu
