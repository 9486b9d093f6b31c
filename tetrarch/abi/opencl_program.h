// A code blob of format "opencl-c" as C++ structs; the bytes are defined in opencl_blob.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "tetrarch/abi/opencl_blob.h"
#include "tetrarch/base/status.h"

namespace tetrarch::abi {

struct OpenClArgument {
  uint32_t kind = TET_OPENCL_BUFFER;
  uint64_t value = 0;
  bool operator==(const OpenClArgument&) const = default;
};

struct OpenClPass {
  std::string kernel;
  uint32_t kind = TET_OPENCL_UNITS;
  uint32_t local_items = 0;
  uint64_t items = 1;
  std::vector<OpenClArgument> arguments;
  bool operator==(const OpenClPass&) const = default;
};

struct OpenClEntry {
  std::string symbol;
  uint64_t units = 1, granularity = 1, workspace_bytes = 0;
  uint32_t buffer_count = 0;
  std::vector<OpenClPass> passes;
  bool operator==(const OpenClEntry&) const = default;
};

struct OpenClBinary {
  std::string device;
  std::string program;  // bytes
  bool operator==(const OpenClBinary&) const = default;
};

struct OpenClProgram {
  std::string source, options;
  std::vector<OpenClEntry> entries;
  std::vector<OpenClBinary> binaries;
  bool operator==(const OpenClProgram&) const = default;
};

// The blob's bytes; the program need not be valid.
std::vector<std::byte> writeOpenClProgram(const OpenClProgram& program);
// InvalidArgument says what is wrong with the bytes. What comes back is consistent: every index, size and
// product that a launch uses is in range, so a device may use it without checks of its own.
Result<OpenClProgram> readOpenClProgram(std::span<const std::byte> bytes);

}  // namespace tetrarch::abi
