// What happened in a run, as data: one row a launch and a copy.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tetrarch/abi/manifest.h"
#include "tetrarch/base/trace.h"

namespace tetrarch::run {

struct StepReport {
  enum class Kind : uint8_t { Launch, CopyIn, CopyOut } kind = Kind::Launch;
  int task = -1;                               // launches: index in the manifest, of the first one
  const abi::SegmentEntry* segment = nullptr;  // launches: of these tasks together; the plan's
  int tensor = -1;                             // copies: index in the manifest
  int device = 0;                              // index in the plan
  uint64_t begin = 0, end = 0, units = 0;      // launches: the range, and all units of the task
  uint64_t bytes = 0;                          // launches: its share of what the task touches; copies: moved
  double seconds = 0;                          // NaN when the device cannot say
  int64_t begin_ns = 0, end_ns = 0;  // on the host's monotonic clock; of the device where it can say
  abi::Source source = abi::Source::Measured;
  // The receipt, with the hash of the code that ran: the tasks' hashes, and symbol in its blob.
  std::string kernel, code_hash;
  // XXH3-128 of the tensors read and written, in the task's order, when Program::setHashes is on. A share of
  // a divided task has no output_hash: the others' units may not be there yet.
  std::string input_hash, output_hash;
  std::vector<std::pair<std::string, uint64_t>> counters;
};

struct RunReport {
  int64_t begin_ns = 0, end_ns = 0;            // of the whole call, measured on the host
  int64_t work_begin_ns = 0, work_end_ns = 0;  // of the steps, between the caller's inputs and outputs
  double seconds() const { return static_cast<double>(end_ns - begin_ns) * 1e-9; }
  uint64_t bytes_copied = 0;  // between spaces: host and devices with memory of their own
  // Inputs and outputs that could not be used in the caller's memory.
  uint64_t bytes_in = 0, bytes_out = 0;
  std::vector<StepReport> steps;  // in the order in which they were enqueued
};

// Adds a run to a trace: one track for each device of the plan, one event a step.
void addToTrace(const RunReport& report, const abi::Manifest& manifest, const abi::PlanEntry& plan,
                Trace& trace);

}  // namespace tetrarch::run
