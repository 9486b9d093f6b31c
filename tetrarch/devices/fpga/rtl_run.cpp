#include "tetrarch/devices/fpga/rtl_run.h"

#include <algorithm>

#include "tetrarch/devices/fpga/evaluate.h"

namespace tetrarch::fpga {
namespace {

// A run that takes longer than this many times its prediction, and this many cycles more, hangs.
constexpr int64_t kPatience = 2, kStallPatience = 20, kMargin = 1000;

void putBits(uint64_t* words, size_t at, int width, uint64_t value) {
  words[at / 64] |= value << (at % 64);
  if (at % 64 + static_cast<size_t>(width) > 64) words[at / 64 + 1] |= value >> (64 - at % 64);
}

uint64_t getBits(const uint64_t* words, size_t at, int width) {
  uint64_t value = words[at / 64] >> (at % 64);
  if (at % 64 + static_cast<size_t>(width) > 64) value |= words[at / 64 + 1] << (64 - at % 64);
  return value & onesOf(width);
}

}  // namespace

RtlUnit::RtlUnit(const Kernel& kernel, tetrarch_fpga_rtl_fn rtl) : kernel_(kernel), rtl_(rtl) {}

size_t RtlUnit::wordsPerBeat(const Port& port) const {
  const Stream& stream = kernel_.streams[port.stream];
  return (size_t{stream.lanes} * stream.type.width + 63) / 64;
}

Result<int64_t> RtlUnit::run(PortElements& elements, int64_t expected_cycles, uint64_t stalls) const {
  std::vector<std::vector<uint64_t>> words(kernel_.ports.size());
  std::vector<tetrarch_fpga_beats> beats;
  for (size_t p = 0; p < kernel_.ports.size(); ++p) {
    const Stream& stream = kernel_.streams[kernel_.ports[p].stream];
    const size_t per_beat = wordsPerBeat(kernel_.ports[p]), count = elements[p].size() / stream.lanes;
    words[p].resize(count * per_beat);
    for (size_t i = 0; i < elements[p].size() && kernel_.ports[p].is_input; ++i) {
      putBits(words[p].data() + i / stream.lanes * per_beat, i % stream.lanes * stream.type.width,
              stream.type.width, elements[p][i]);
    }
    beats.push_back({words[p].data(), count, per_beat});
  }
  tetrarch_fpga_rtl_run run = {
      .ports = beats.data(),
      .stalls = stalls,
      .max_cycles = expected_cycles * (stalls == 0 ? kPatience : kStallPatience) + kMargin};
  switch (rtl_(&run)) {
    case TETRARCH_FPGA_RTL_DONE:
      break;
    case TETRARCH_FPGA_RTL_HANGS:
      return fail(StatusCode::kDeadlineExceeded, "it hangs, {} cycles being enough", expected_cycles);
    case TETRARCH_FPGA_RTL_TOO_MANY:
      return internalError("a port of the RTL sends more beats than it has");
    case TETRARCH_FPGA_RTL_LAST:
      return internalError("the RTL ends, or says that a port does, before or after its last beat");
    default:
      return internalError("the RTL stopped: {}", run.message);
  }
  for (size_t p = 0; p < kernel_.ports.size(); ++p) {
    if (kernel_.ports[p].is_input) continue;
    const Stream& stream = kernel_.streams[kernel_.ports[p].stream];
    for (size_t i = 0; i < elements[p].size(); ++i) {
      elements[p][i] = getBits(words[p].data() + i / stream.lanes * beats[p].words_per_beat,
                               i % stream.lanes * stream.type.width, stream.type.width);
    }
  }
  return run.cycles;
}

std::string difference(const Kernel& kernel, const PortElements& rtl, const PortElements& twin) {
  for (size_t p = 0; p < kernel.ports.size(); ++p) {
    if (kernel.ports[p].is_input || rtl[p] == twin[p]) continue;
    const auto at = static_cast<size_t>(std::ranges::mismatch(rtl[p], twin[p]).in1 - rtl[p].begin());
    return fmt::format("element {} of port {} is {:#x} against {:#x}", at, p, rtl[p][at], twin[p][at]);
  }
  return "";
}

}  // namespace tetrarch::fpga
