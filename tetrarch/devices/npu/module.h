// A loaded blob of format "npu": every stream verified, its cycles known, ready to run.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tetrarch/abi/npu_program.h"
#include "tetrarch/devices/hosted/hosted.h"
#include "tetrarch/devices/npu/energy.h"
#include "tetrarch/devices/npu/state.h"
#include "tetrarch/devices/npu/timing.h"

namespace tetrarch::npu {

// Instructions [begin, end) of a stream.
struct Window {
  size_t begin, end;
  bool operator==(const Window&) const = default;
};

// One program and what it takes, which no data changes.
struct Stream {
  std::vector<Word> words;
  std::vector<Instruction> instructions;
  Timing timing;
  EnergyUnits energy;
  std::vector<Window> windows;  // by `begin`: what of it the RTL runs too
};

class NpuModule;

// Immutable once loaded; run by any number of threads.
struct NpuKernel : tet_kernel {
  const NpuModule* module = nullptr;  // that it belongs to
  std::string symbol;
  std::vector<ProgramPiece> pieces;
  std::vector<Stream> streams;

  // The kernel's DRAM over these buffers, these constants and this workspace.
  Result<Dram> dram(void* const* buffers, const std::vector<std::byte>& constants,
                    std::byte* workspace) const;
};

class NpuModule : public tet_module {
 public:
  // InvalidArgument for a blob that is not one, that is for another configuration, or of which a stream is
  // refused by the verifier: names task, stream and instruction.
  static Result<std::unique_ptr<NpuModule>> load(const Config& config, const std::string& name,
                                                 std::span<const std::byte> bytes);
  tet_kernel* find(std::string_view symbol) override;
  const std::vector<std::byte>& constants() const { return constants_; }
  // Of all kernels, in a fixed order.
  std::vector<Stream*> streams();

 private:
  Status add(const Config& config, ProgramEntry entry);

  std::map<std::string, NpuKernel, std::less<>> kernels_;
  std::vector<std::byte> constants_;
};

}  // namespace tetrarch::npu
