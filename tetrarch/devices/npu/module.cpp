#include "tetrarch/devices/npu/module.h"

#include "tetrarch/devices/npu/verifier.h"

namespace tetrarch::npu {
namespace {

Status checkConfig(const Config& config, const Program& program) {
  if (program.side == config.side && program.kind == config.kind && program.sp_rows == config.sp_rows &&
      program.acc_rows == config.acc_rows) {
    return {};
  }
  return invalidArgument(
      "the code is for side {}, {}, {} and {} rows, and this processor has side {}, {}, {} and {} rows",
      program.side, kindName(program.kind), program.sp_rows, program.acc_rows, config.side,
      kindName(config.kind), config.sp_rows, config.acc_rows);
}

}  // namespace

Result<Dram> NpuKernel::dram(void* const* buffers, const std::vector<std::byte>& constants,
                             std::byte* workspace) const {
  std::vector<Dram::Segment> segments;
  for (const ProgramPiece& piece : pieces) {
    std::byte* data = nullptr;
    if (piece.kind == TET_NPU_CONSTANTS) {
      // Not writable, so nothing is written through it.
      data = const_cast<std::byte*>(constants.data()) + piece.offset;
    } else if (piece.kind == TET_NPU_WORKSPACE) {
      data = workspace ? workspace + piece.offset : nullptr;
    } else if (buffers) {
      data = static_cast<std::byte*>(buffers[piece.buffer]);
    }
    segments.push_back({piece.address, data, piece.bytes, piece.writable});
  }
  return Dram::make(std::move(segments));
}

Result<std::unique_ptr<NpuModule>> NpuModule::load(const Config& config, const std::string& name,
                                                   std::span<const std::byte> bytes) {
  auto program = readProgram(bytes);
  if (!program) return propagate(program.error().withContext(name));
  if (Status status = checkConfig(config, *program); !status.ok()) return propagate(status.withContext(name));
  auto module = std::make_unique<NpuModule>();
  module->constants_ = std::move(program->constants);
  for (ProgramEntry& entry : program->entries) {
    const std::string symbol = entry.symbol;
    Status status = module->add(config, std::move(entry));
    if (!status.ok()) return propagate(status.withContext(fmt::format("{}: task {}", name, symbol)));
  }
  return module;
}

Status NpuModule::add(const Config& config, ProgramEntry entry) {
  NpuKernel& kernel = kernels_[entry.symbol];
  kernel.module = this;
  kernel.symbol = entry.symbol;
  kernel.info = {.struct_size = sizeof kernel.info,
                 .units = entry.units,
                 .granularity = entry.granularity,
                 .workspace_bytes = entry.workspace_bytes,
                 .buffer_count = entry.buffer_count};
  kernel.pieces = std::move(entry.pieces);
  TET_ASSIGN_OR_RETURN(const Dram dram, kernel.dram(nullptr, constants_, nullptr));
  for (std::vector<Word>& words : entry.streams) {
    auto instructions = verify(config, words, dram);
    if (!instructions) {
      return instructions.error().withContext(fmt::format("stream {}", kernel.streams.size()));
    }
    Stream stream{.words = std::move(words), .instructions = std::move(*instructions), .windows = {}};
    stream.timing = simulateTiming(config, stream.words);
    if (stream.timing.cause != Cause::Done) {
      return internalError("stream {} passed the verifier and ends with '{}'", kernel.streams.size(),
                           causeText(stream.timing.cause));
    }
    stream.energy = energyUnits(config, stream.instructions, stream.timing);
    kernel.streams.push_back(std::move(stream));
  }
  return {};
}

std::vector<Stream*> NpuModule::streams() {
  std::vector<Stream*> all;
  for (auto& [symbol, kernel] : kernels_) {
    for (Stream& stream : kernel.streams) all.push_back(&stream);
  }
  return all;
}

tet_kernel* NpuModule::find(std::string_view symbol) {
  auto found = kernels_.find(symbol);
  return found == kernels_.end() ? nullptr : &found->second;
}

}  // namespace tetrarch::npu
