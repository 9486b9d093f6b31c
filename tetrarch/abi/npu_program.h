// A code blob of format "npu" as C++ structs; the bytes are defined in npu_blob.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "tetrarch/abi/npu_blob.h"
#include "tetrarch/abi/npu_isa.h"
#include "tetrarch/base/status.h"

namespace tetrarch::npu {

struct ProgramPiece {
  uint32_t kind = TET_NPU_BUFFER;
  uint32_t buffer = 0;
  uint64_t address = 0, bytes = 0, offset = 0;
  bool writable = false;
  bool operator==(const ProgramPiece&) const = default;
};

struct ProgramEntry {
  std::string symbol;
  uint64_t units = 1, granularity = 1, workspace_bytes = 0;
  uint32_t buffer_count = 0;
  std::vector<ProgramPiece> pieces;
  std::vector<std::vector<Word>> streams;  // one for each `granularity` units
  bool operator==(const ProgramEntry&) const = default;
};

struct Program {
  int64_t side = 16;
  Kind kind = Kind::Int8;
  int64_t sp_rows = 0, acc_rows = 0;
  std::vector<ProgramEntry> entries;
  std::vector<std::byte> constants;
  bool operator==(const Program&) const = default;
};

// The blob's bytes; the program need not be valid.
std::vector<std::byte> writeProgram(const Program& program);
// InvalidArgument says what is wrong with the bytes. What comes back has every index and range inside what it
// refers to, and as many streams as units ask for; the instructions themselves are not looked at.
Result<Program> readProgram(std::span<const std::byte> bytes);

}  // namespace tetrarch::npu
