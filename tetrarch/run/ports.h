// Inputs and outputs of a bound program in the caller's memory.
//
// A tensor of the caller's is used where it lies, for the length of one run, when it is large enough to be
// worth it, aligned as the devices need it, and when an output overlaps nothing else that the caller gave.
// Otherwise it is copied to or from the program's own memory. Not thread safe: a program runs once at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "tetrarch/run/plugin.h"

namespace tetrarch::run {

struct Instruction;

// One input or output.
struct Port {
  // A device of the host's space whose launches name the tensor.
  struct Use {
    Device* device;
    tet_buffer* own;                      // its buffer in the program's memory
    std::vector<tet_buffer**> arguments;  // of launches
  };
  // A copy between the host's space and a device with memory of its own.
  struct Copy {
    Instruction* instruction;
    uint64_t offset;  // in the tensor
  };

  std::byte* own = nullptr;  // its place in the program's memory, or among the weights
  uint64_t bytes = 0;
  // Of outputs: where its value comes from when it has no memory of its own to be written.
  enum class From : uint8_t { Itself, Input, Output, Weights } from = From::Itself;
  size_t which = 0;  // that input or output
  std::vector<Use> uses;
  std::vector<Copy> copies;

  std::byte* at = nullptr;  // where it lies in the present run
};

class Ports {
 public:
  // Below this, copying is cheaper than having a device take the memory.
  static constexpr uint64_t kInPlaceBytes = uint64_t{64} << 10;

  std::vector<Port> inputs, outputs;
  uint64_t in_place_bytes = kInPlaceBytes;

  // Has the program work in the caller's memory where that suits, and copies the other inputs.
  void begin(std::span<const void* const> in, std::span<void* const> out);
  // Copies the outputs that were computed elsewhere.
  void copyOut(std::span<void* const> out);
  // Has the program forget the caller's memory; after begin() in any case, when no device works any more.
  void end();

  // Of the run that began last.
  uint64_t bytesIn() const { return bytes_in_; }
  uint64_t bytesOut() const { return bytes_out_; }

 private:
  bool useInPlace(Port& port, void* at);
  void putBack(Port& port);
  const std::byte* sourceOf(const Port& output) const;

  std::vector<Buffer> wrapped_;
  uint64_t bytes_in_ = 0, bytes_out_ = 0;
};

}  // namespace tetrarch::run
