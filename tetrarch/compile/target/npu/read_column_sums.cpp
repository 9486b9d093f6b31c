// Tasks that sum floats over other dimensions than the last: rows of a matrix, pixels of a plane.
#include <algorithm>

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Matchers.h"
#include "tetrarch/compile/target/npu/column_sums.h"
#include "tetrarch/compile/target/npu/npu_task.h"
#include "tetrarch/compile/target/npu/read_sums.h"

namespace tetrarch::npu {
namespace {

using compile::TileAccess;
using compile::TileBuffer;
namespace arith = mlir::arith;

// A stream is worth so many steps, so that its beginning does not count.
constexpr int64_t kStreamSteps = 64;

// acc + x or acc + extend(x), from 0.
bool isSum(const compile::TileNest& nest) {
  const compile::TileBody& body = nest.body;
  auto sum = body.block->getTerminator()->getOperand(0).getDefiningOp<arith::AddFOp>();
  if (!sum || !sum.getType().isF32() || body.inputs.size() != 1) return false;
  const auto* start = std::get_if<mlir::TypedAttr>(&nest.inits.front());
  if (!start || !mlir::matchPattern(*start, mlir::m_AnyZeroFloat())) return false;
  return llvm::any_of(sum->getOperands(), [&](mlir::Value side) {
    if (auto wide = side.getDefiningOp<arith::ExtFOp>()) side = wide.getIn();
    return side == body.block->getArgument(0);
  });
}

class ColumnSumsEmitter : public TaskEmitter {
 public:
  ColumnSumsEmitter(const Config& config, ColumnSumsPlan plan) : config_(config), plan_(std::move(plan)) {}

  TaskUnits units() const override {
    const int64_t steps = plan_.steps(config_.side);
    return {.units = steps, .granularity = std::min(steps, kStreamSteps)};
  }
  Status emit(int64_t begin, int64_t end, StreamBuilder& builder) const override {
    return emitColumnSums(config_, plan_, begin, end, builder);
  }

 private:
  const Config config_;
  const ColumnSumsPlan plan_;
};

// Nothing when the nest is something else.
Result<std::optional<ColumnSums>> readNest(const compile::TileNestPlan& plan, const compile::TileNest& nest,
                                           const Config& config, TaskMemory& memory) {
  if (!nest.reduces() || nest.parallel == 0 || nest.outputs.size() != 1 || !isSum(nest)) return std::nullopt;
  const auto* in = std::get_if<TileAccess>(&nest.body.inputs[0]);
  const TileAccess& out = nest.outputs.front();
  const unsigned column = nest.parallel - 1;
  const bool is_operand = in && plan.buffers[in->buffer].kind == TileBuffer::Kind::kOperand;
  if (!is_operand || in->panel_dim >= 0 || in->strides[column] != 1 || out.strides[column] != 1)
    return std::nullopt;
  const TileBuffer& source = plan.buffers[in->buffer];
  ColumnSums sums{.columns = nest.extents[column],
                  .element = source.element.getIntOrFloatBitWidth() / 8,
                  .input = memory.operand(source.index)};
  sums.input += in->offset * sums.element;
  if (nest.epilogue) {
    TET_ASSIGN_OR_RETURN(SumsEpilogue read, readSumsEpilogue(plan, nest, -1, config, memory));
    sums.epilogue.kind = Epilogue::Kind::Program;
    sums.epilogue.program = std::move(read.program);
    sums.epilogue.operands = std::move(read.operands);
    sums.epilogue.constants = read.constants;
  }
  const int64_t bytes = sums.outputElementBytes();
  sums.epilogue.result = memory.result(plan.buffers[out.buffer].index);
  sums.output = sums.epilogue.result + out.offset * bytes;
  for (unsigned d = 0; d < nest.extents.size(); ++d) {
    if (d == column) continue;
    OuterLoop loop{.count = nest.extents[d], .input = in->strides[d] * sums.element};
    if (d < nest.parallel) loop.output = out.strides[d] * bytes;
    (d < nest.parallel ? sums.outer : sums.rows).push_back(loop);
  }
  if (sums.rows.empty()) return std::nullopt;
  return sums;
}

}  // namespace

Result<std::unique_ptr<TaskEmitter>> readColumnSums(const compile::Task& task, const Config& config,
                                                    TaskMemory& memory) {
  if (config.kind != Kind::Bf16) return nullptr;
  auto nests = compile::readNests(*task.block);
  if (!nests || nests->nests.size() != 1) return nullptr;
  TET_ASSIGN_OR_RETURN(auto sums, readNest(*nests, nests->nests.front(), config, memory));
  if (!sums) return nullptr;
  TET_ASSIGN_OR_RETURN(ColumnSumsPlan plan, planColumnSums(config, *sums));
  return std::make_unique<ColumnSumsEmitter>(config, std::move(plan));
}

}  // namespace tetrarch::npu
