#include "tetrarch/run/ports.h"

#include <algorithm>
#include <cstring>

#include "tetrarch/run/program_impl.h"

namespace tetrarch::run {
namespace {

bool overlap(const void* a, uint64_t a_bytes, const void* b, uint64_t b_bytes) {
  auto first = reinterpret_cast<uintptr_t>(a), second = reinterpret_cast<uintptr_t>(b);
  return first < second + b_bytes && second < first + a_bytes;
}

template <typename Pointer>
bool overlapsAny(const void* at, uint64_t bytes, const std::vector<Port>& ports,
                 std::span<const Pointer> given, size_t except) {
  for (size_t i = 0; i < ports.size(); ++i) {
    if (i != except && overlap(at, bytes, given[i], ports[i].bytes)) return true;
  }
  return false;
}

}  // namespace

void Ports::begin(std::span<const void* const> in, std::span<void* const> out) {
  constexpr size_t kNone = SIZE_MAX;
  bytes_in_ = bytes_out_ = 0;
  for (size_t i = 0; i < inputs.size(); ++i) {
    Port& port = inputs[i];
    port.at = port.own;
    // The runtime never writes to an input.
    if (port.bytes >= in_place_bytes && useInPlace(port, const_cast<void*>(in[i]))) continue;
    if (port.bytes == 0) continue;
    std::memcpy(port.own, in[i], port.bytes);
    bytes_in_ += port.bytes;
  }
  for (size_t i = 0; i < outputs.size(); ++i) {
    Port& port = outputs[i];
    port.at = port.own;
    if (port.from != Port::From::Itself || port.bytes < in_place_bytes) continue;
    if (overlapsAny(out[i], port.bytes, inputs, in, kNone)) continue;
    if (overlapsAny(out[i], port.bytes, outputs, out, i)) continue;
    useInPlace(port, out[i]);
  }
}

void Ports::copyOut(std::span<void* const> out) {
  for (size_t i = 0; i < outputs.size(); ++i) {
    const std::byte* source = sourceOf(outputs[i]);
    if (source == out[i] || outputs[i].bytes == 0) continue;
    std::memmove(out[i], source, outputs[i].bytes);
    bytes_out_ += outputs[i].bytes;
  }
}

void Ports::end() {
  for (Port& port : inputs) putBack(port);
  for (Port& port : outputs) putBack(port);
  wrapped_.clear();
}

const std::byte* Ports::sourceOf(const Port& output) const {
  if (output.from == Port::From::Input) return inputs[output.which].at;
  if (output.from == Port::From::Output) return outputs[output.which].at;
  return output.at;
}

// False when a device does not take the memory; then nothing has changed.
bool Ports::useInPlace(Port& port, void* at) {
  const size_t before = wrapped_.size();
  for (const Port::Use& use : port.uses) {
    if (reinterpret_cast<uintptr_t>(at) % use.device->info().alignment != 0) break;
    auto buffer = use.device->wrap(at, port.bytes);
    if (!buffer) break;
    wrapped_.push_back(std::move(*buffer));
  }
  if (wrapped_.size() - before < port.uses.size()) {
    wrapped_.resize(before);
    return false;
  }
  for (size_t u = 0; u < port.uses.size(); ++u) {
    for (tet_buffer** argument : port.uses[u].arguments) *argument = wrapped_[before + u].raw();
  }
  port.at = static_cast<std::byte*>(at);
  for (const Port::Copy& copy : port.copies) copy.instruction->host = port.at + copy.offset;
  return true;
}

void Ports::putBack(Port& port) {
  if (port.at == port.own) return;
  port.at = port.own;
  for (const Port::Use& use : port.uses) {
    for (tet_buffer** argument : use.arguments) *argument = use.own;
  }
  for (const Port::Copy& copy : port.copies) copy.instruction->host = port.own + copy.offset;
}

}  // namespace tetrarch::run
