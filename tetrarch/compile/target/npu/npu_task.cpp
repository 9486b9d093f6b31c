#include "tetrarch/compile/target/npu/npu_task.h"

#include "mlir/IR/Block.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Operation.h"

namespace tetrarch::npu {
namespace {

constexpr uint64_t kAlignment = 64, kAddressable = uint64_t{1} << 32;

uint64_t aligned(uint64_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

// The first tensor whose elements no instruction of this kind reads or writes; null when there is none.
mlir::Type foreignType(mlir::Block& block, Kind kind) {
  std::vector<mlir::Value> tensors(block.getArguments().begin(), block.getArguments().end());
  const mlir::ValueRange results = block.getTerminator()->getOperands();
  tensors.insert(tensors.end(), results.begin(), results.end());
  for (mlir::Value tensor : tensors) {
    const mlir::Type element = mlir::cast<mlir::RankedTensorType>(tensor.getType()).getElementType();
    const bool is_known = kind == Kind::Int8 ? element.isInteger() : element.isF32() || element.isBF16();
    if (!is_known) return element;
  }
  return {};
}

std::string nameOf(mlir::Type type) {
  std::string name;
  llvm::raw_string_ostream(name) << type;
  return name;
}

}  // namespace

uint64_t bytesOf(mlir::Value value) {
  const auto type = mlir::cast<mlir::RankedTensorType>(value.getType());
  return static_cast<uint64_t>(type.getNumElements()) * ((type.getElementTypeBitWidth() + 7) / 8);
}

int64_t DramMap::reserve(uint64_t bytes) {
  const uint64_t address = next_;
  next_ += aligned(bytes);
  return static_cast<int64_t>(address);
}

int64_t DramMap::add(ProgramPiece piece) {
  piece.address = static_cast<uint64_t>(reserve(piece.bytes));
  pieces_.push_back(piece);
  return static_cast<int64_t>(piece.address);
}

int64_t DramMap::addBuffer(uint64_t bytes, bool writable) {
  return add({.kind = TET_NPU_BUFFER, .buffer = buffers_++, .bytes = bytes, .writable = writable});
}

int64_t DramMap::addConstant(std::span<const std::byte> bytes) {
  const uint64_t offset = aligned(constants_.size());
  constants_.resize(offset);
  constants_.insert(constants_.end(), bytes.begin(), bytes.end());
  return add({.kind = TET_NPU_CONSTANTS, .bytes = bytes.size(), .offset = offset});
}

int64_t DramMap::addWorkspace(uint64_t bytes) {
  const int64_t address = reserve(bytes);
  addWorkspaceAt(address, bytes);
  return address;
}

void DramMap::addWorkspaceAt(int64_t address, uint64_t bytes) {
  const uint64_t offset = aligned(workspace_bytes_);
  workspace_bytes_ = offset + bytes;
  pieces_.push_back({.kind = TET_NPU_WORKSPACE,
                     .address = static_cast<uint64_t>(address),
                     .bytes = bytes,
                     .offset = offset,
                     .writable = true});
}

Status DramMap::check() const {
  if (next_ <= kAddressable) return {};
  return unimplemented("its tensors have {} bytes and the NPU addresses {}", next_, kAddressable);
}

void DramMap::describe(ProgramEntry& entry, Program& program) const {
  program.constants.resize(aligned(program.constants.size()));
  const uint64_t base = program.constants.size();
  program.constants.insert(program.constants.end(), constants_.begin(), constants_.end());
  entry.buffer_count = buffers_;
  entry.workspace_bytes = workspace_bytes_;
  for (ProgramPiece piece : pieces_) {
    if (piece.bytes == 0) continue;
    if (piece.kind == TET_NPU_CONSTANTS) piece.offset += base;
    entry.pieces.push_back(piece);
  }
}

TaskMemory TaskMemory::ofBuffers(const compile::Task& task, DramMap& map) {
  std::vector<int64_t> operands, results;
  for (mlir::Value argument : task.block->getArguments())
    operands.push_back(map.addBuffer(bytesOf(argument), false));
  for (mlir::Value result : task.block->getTerminator()->getOperands())
    results.push_back(map.addBuffer(bytesOf(result), true));
  return TaskMemory(map, std::move(operands), std::move(results));
}

Result<std::unique_ptr<TaskEmitter>> readTask(const compile::Task& task, const Config& config,
                                              TaskMemory& memory) {
  static constexpr TaskReader kReaders[] = {
#define NPU_TASK_KIND(reader) reader,
#include "tetrarch/compile/target/npu/kinds.def"
#undef NPU_TASK_KIND
  };
  for (TaskReader reader : kReaders) {
    TET_ASSIGN_OR_RETURN(auto emitter, reader(task, config, memory));
    if (emitter) return emitter;
  }
  if (mlir::Type type = foreignType(*task.block, config.kind)) {
    return propagate(unimplemented("it has tensors of {}, and the processor computes with {}", nameOf(type),
                                   config.kind == Kind::Int8 ? "integers" : "bf16 and f32"));
  }
  return propagate(unimplemented("no NPU program computes such a task"));
}

}  // namespace tetrarch::npu
