#include "tetrarch/run/measure.h"

#include <algorithm>
#include <cmath>
#include <random>

#include "tetrarch/base/trace.h"

namespace tetrarch::run {
namespace {

// The time of one launch: the device's own where it tells, else the host's around it.
Result<double> timeOnce(const Queue& queue, const tet_launch& launch, const tet_receipt& receipt) {
  int64_t begin = nowNs();
  TET_RETURN_IF_ERROR(queue.launch({&launch, 1}));
  TET_RETURN_IF_ERROR(queue.finish());
  int64_t end = nowNs();
  return std::isnan(receipt.seconds) ? static_cast<double>(end - begin) * 1e-9 : receipt.seconds;
}

Timing summarise(std::vector<double> samples) {
  Timing timing;
  timing.runs = static_cast<int>(samples.size());
  double mean = 0, squares = 0;
  for (double s : samples) mean += s / static_cast<double>(samples.size());
  for (double s : samples) squares += (s - mean) * (s - mean);
  if (samples.size() > 1) timing.stddev = std::sqrt(squares / static_cast<double>(samples.size() - 1));
  auto middle = samples.begin() + static_cast<std::ptrdiff_t>(samples.size() / 2);
  std::nth_element(samples.begin(), middle, samples.end());
  timing.seconds = *middle;
  return timing;
}

}  // namespace

void fillRandom(ElementType type, std::span<std::byte> out, uint64_t seed) {
  std::minstd_rand random(static_cast<uint32_t>(seed * 2654435761u + 1));
  size_t size = byteSize(type);
  for (size_t at = 0; at + size <= out.size(); at += size) {
    void* element = out.data() + at;
    auto bits = static_cast<uint32_t>(random());
    if (isFloat(type)) {
      storeDouble(type, element,
                  static_cast<double>(bits) / 1073741823.5 - 1);  // minstd_rand ends at 2^31 - 2
    } else {
      storeInt(type, element, type == ElementType::I1 ? bits & 1 : bits >> 4 & 7);
    }
  }
}

Result<Timing> timeKernel(Device& device, const Module& module, const std::string& symbol,
                          std::span<const KernelBuffer> buffers, const MeasureOptions& options) {
  TET_ASSIGN_OR_RETURN(Kernel kernel, module.find(symbol));
  if (const tet_figure& known = kernel.info().seconds; known.value > 0)
    return Timing{.seconds = known.value, .source = static_cast<abi::Source>(known.source)};
  TET_ASSIGN_OR_RETURN(Queue queue, device.createQueue());
  std::vector<Buffer> held;
  std::vector<tet_buffer*> raw;
  for (size_t i = 0; i < buffers.size(); ++i) {
    TET_ASSIGN_OR_RETURN(Buffer buffer, device.allocate(buffers[i].bytes));
    std::vector<std::byte> values;
    std::span<const std::byte> contents = buffers[i].contents;
    if (contents.empty()) {
      values.resize(buffers[i].bytes);
      fillRandom(buffers[i].type, values, options.seed + i);
      contents = values;
    }
    TET_RETURN_IF_ERROR(
        queue.copyIn(buffer, 0, contents.data(), std::min<uint64_t>(contents.size(), buffers[i].bytes)));
    TET_RETURN_IF_ERROR(queue.finish());
    raw.push_back(buffer.raw());
    held.push_back(std::move(buffer));
  }
  tet_receipt receipt = {};
  receipt.struct_size = sizeof receipt;
  tet_launch launch = {sizeof launch,       kernel.raw(), raw.data(), static_cast<uint32_t>(raw.size()), 0, 0,
                       kernel.info().units, &receipt};
  TET_RETURN_IF_ERROR(timeOnce(queue, launch, receipt));  // caches, first touch, lazy compilation
  std::vector<double> samples;
  double sum = 0;
  int64_t begin = nowNs();
  while (static_cast<int>(samples.size()) < options.max_runs) {
    TET_ASSIGN_OR_RETURN(double seconds, timeOnce(queue, launch, receipt));
    samples.push_back(seconds);
    sum += seconds;
    // A simulator's seconds are not ours, so the host's clock counts too.
    const double measured = std::max(sum, static_cast<double>(nowNs() - begin) * 1e-9);
    const bool often = static_cast<int>(samples.size()) >= options.min_runs;
    if (measured >= (often ? options.min_seconds : options.enough_seconds)) break;
  }
  Timing timing = summarise(std::move(samples));
  timing.source = static_cast<abi::Source>(receipt.source);
  return timing;
}

}  // namespace tetrarch::run
