// What a task is to the NPU: where its tensors lie in DRAM, and who writes its streams. kinds.def lists the
// readers, one for each kind of task, each in a file of its own.
#pragma once

#include <memory>
#include <vector>

#include "tetrarch/abi/npu_program.h"
#include "tetrarch/compile/code_generator.h"
#include "tetrarch/compile/target/npu/stream.h"

namespace tetrarch::npu {

// The DRAM that the streams of one task see: its operands and results, then constants of the code, then
// workspace.
class TaskMemory {
 public:
  // InvalidArgument for a task that is larger than what addresses name.
  static Result<TaskMemory> make(const compile::Task& task);

  int64_t operand(size_t i) const { return static_cast<int64_t>(pieces_[i].address); }
  int64_t result(size_t i) const { return static_cast<int64_t>(pieces_[operands_ + i].address); }
  // Bytes that come with the code; their address, a multiple of 64.
  int64_t addConstant(std::span<const std::byte> bytes);
  // Bytes of any content, each launch's own.
  int64_t addWorkspace(int64_t bytes);

  uint64_t workspaceBytes() const { return workspace_bytes_; }
  uint64_t end() const { return next_; }
  // Adds the constants to the program's and the pieces to the entry.
  void describe(ProgramEntry& entry, Program& program) const;

 private:
  void add(ProgramPiece piece);

  std::vector<ProgramPiece> pieces_;
  std::vector<std::byte> constants_;
  size_t operands_ = 0, buffers_ = 0;
  uint64_t next_ = 0, workspace_bytes_ = 0;
};

// How the units of a task are cut into streams, and how they map to the first result: KernelEntry::rows.
struct TaskUnits {
  int64_t units = 1, granularity = 1;
  int64_t rows = 0, row_tile = 1;
};

// Writes the streams of one task. Immutable; its memory is what TaskMemory held when it was made.
class TaskEmitter {
 public:
  virtual ~TaskEmitter() = default;
  virtual TaskUnits units() const { return {}; }
  // Adds units [begin, end) to an empty stream.
  virtual Status emit(int64_t begin, int64_t end, StreamBuilder& builder) const = 0;
  // Multiplications that the task needs, by its definition.
  virtual int64_t multiplications() const { return 0; }
};

// Null when the task is of another kind; an error when it is of this kind and cannot be done. Adds what it
// needs to the memory.
using TaskReader = Result<std::unique_ptr<TaskEmitter>> (*)(const compile::Task&, const Config&, TaskMemory&);

#define NPU_TASK_KIND(reader) \
  Result<std::unique_ptr<TaskEmitter>> reader(const compile::Task&, const Config&, TaskMemory&);
#include "tetrarch/compile/target/npu/kinds.def"
#undef NPU_TASK_KIND

// The emitter of a task, by the first reader that knows it. Unimplemented with the reason.
Result<std::unique_ptr<TaskEmitter>> readTask(const compile::Task& task, const Config& config,
                                              TaskMemory& memory);

}  // namespace tetrarch::npu
