// What a task is to the NPU: where its tensors lie in DRAM, and who writes its streams. kinds.def lists the
// readers, one for each kind of task, each in a file of its own.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "mlir/IR/Value.h"
#include "tetrarch/abi/npu_program.h"
#include "tetrarch/compile/code_generator.h"
#include "tetrarch/compile/target/npu/chip_tensor.h"
#include "tetrarch/compile/target/npu/stream.h"

namespace tetrarch::npu {

// The DRAM that streams see: buffers of a launch, constants of the code, workspace. Addresses are given in
// the order of the calls, all of them multiples of 64.
class DramMap {
 public:
  int64_t addBuffer(uint64_t bytes, bool writable);
  // Bytes that come with the code.
  int64_t addConstant(std::span<const std::byte> bytes);
  // Bytes of any content, each launch's own.
  int64_t addWorkspace(uint64_t bytes);
  // Addresses alone: nothing lies there unless addWorkspaceAt() says so later.
  int64_t reserve(uint64_t bytes);
  void addWorkspaceAt(int64_t address, uint64_t bytes);

  uint64_t workspaceBytes() const { return workspace_bytes_; }
  // Unimplemented when the addresses are more than the processor has.
  Status check() const;
  // Adds the constants to the program's and the pieces to the entry.
  void describe(ProgramEntry& entry, Program& program) const;

 private:
  int64_t add(ProgramPiece piece);

  std::vector<ProgramPiece> pieces_;
  std::vector<std::byte> constants_;
  uint32_t buffers_ = 0;
  uint64_t next_ = 0, workspace_bytes_ = 0;
};

// What one task sees of it.
class TaskMemory {
 public:
  TaskMemory(DramMap& map, std::vector<int64_t> operands, std::vector<int64_t> results)
      : map_(&map), operands_(std::move(operands)), results_(std::move(results)) {}
  // Operands and results as buffers of a launch.
  static TaskMemory ofBuffers(const compile::Task& task, DramMap& map);

  int64_t operand(size_t i) const { return operands_[i]; }
  int64_t result(size_t i) const { return results_[i]; }
  int64_t addConstant(std::span<const std::byte> bytes) { return map_->addConstant(bytes); }
  int64_t addWorkspace(int64_t bytes) { return map_->addWorkspace(static_cast<uint64_t>(bytes)); }

 private:
  DramMap* map_;
  std::vector<int64_t> operands_, results_;
};

// The bytes of a task's operand or result.
uint64_t bytesOf(mlir::Value value);

// How the units of a task are cut into streams, and how they map to the first result: KernelEntry::rows.
struct TaskUnits {
  int64_t units = 1, granularity = 1;
  int64_t rows = 0, row_tile = 1;
};

// What of a task's tensors lies on the chip, by the number of the operand or result, and how much of the
// scratchpad, from its first row on, is the task's own meanwhile.
struct Residence {
  int64_t sp_rows = 0;
  std::map<size_t, ChipTensor> operands;
  std::optional<ChipTensor> result;  // the first
  bool stores = true;                // that result lies in DRAM too
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

  // Whether it relies on the vector unit's parameters being 0 at first, as they are after reset.
  virtual bool needsReset() const { return false; }

  // How it would find an operand, or put its first result, on the chip: extents and padding. Nothing when it
  // cannot.
  virtual std::optional<ChipTensor> operandOnChip(size_t /*operand*/) const { return std::nullopt; }
  virtual std::optional<ChipTensor> resultOnChip() const { return std::nullopt; }
  // The same task with that residence; null when it needs the whole scratchpad, or it does not fit.
  virtual std::unique_ptr<TaskEmitter> withResidence(const Residence& /*residence*/) const { return nullptr; }
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
