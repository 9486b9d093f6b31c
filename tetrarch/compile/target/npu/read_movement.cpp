// Tasks that only move numbers: each loop nest writes a box of the result with a part of an operand, or with
// one number.
#include <algorithm>

#include "tetrarch/compile/target/npu/movement.h"
#include "tetrarch/compile/target/npu/npu_task.h"
#include "tetrarch/compile/tile/nest.h"

namespace tetrarch::npu {
namespace {

using compile::TileAccess;
using compile::TileBuffer;
using compile::TileInput;
using compile::TileNest;
using compile::TileNestPlan;

// A stream is worth so many pieces, so that its beginning does not count.
constexpr int64_t kStreamPieces = 16;

Status unfit(std::string_view why) { return unimplemented("numbers that cannot be moved: {}", why); }

// What the nest writes as it is: elements of a tensor, or a number. Null when it does anything else.
const TileInput* copiedBy(const TileNest& nest) {
  if (nest.reduces() || nest.epilogue || nest.outputs.size() != 1) return nullptr;
  auto argument = mlir::dyn_cast<mlir::BlockArgument>(nest.body.block->getTerminator()->getOperand(0));
  if (!argument || argument.getOwner() != nest.body.block) return nullptr;
  if (argument.getArgNumber() >= nest.body.inputs.size()) return nullptr;
  return &nest.body.inputs[argument.getArgNumber()];
}

// A byte that is all of the number's bytes.
std::optional<int64_t> byteOf(mlir::TypedAttr number) {
  auto real = mlir::dyn_cast<mlir::FloatAttr>(number);
  if (real && real.getValue().isPosZero()) return 0;
  auto integer = mlir::dyn_cast<mlir::IntegerAttr>(number);
  if (!integer) return std::nullopt;
  const int64_t value = integer.getValue().getSExtValue();
  const bool is_byte = integer.getType().isInteger(8) || value == 0 || value == -1;
  return is_byte ? std::optional(value) : std::nullopt;
}

// Nothing when the nest computes.
Result<std::optional<Movement>> readNest(TileNest nest, const TileNestPlan& plan, const Config& config,
                                         const TaskMemory& memory) {
  compile::collapseDims(nest, plan);
  const TileInput* input = copiedBy(nest);
  if (!input || std::holds_alternative<std::monostate>(*input)) return std::nullopt;
  const TileAccess& out = nest.outputs[0];
  const TileBuffer& result = plan.buffers[out.buffer];
  const bool is_known = config.kind == Kind::Bf16 || result.element.isInteger();
  if (!is_known || result.kind != TileBuffer::Kind::kResult) return std::nullopt;
  const int64_t bytes = result.element.getIntOrFloatBitWidth() / 8;
  if (bytes == 0) return propagate(unfit("numbers of less than a byte"));
  Movement movement{.bytes = bytes, .to = memory.result(result.index) + out.offset * bytes};
  const auto* number = std::get_if<mlir::TypedAttr>(input);
  if (number) movement.value = byteOf(*number);
  if (number && !movement.value) return propagate(unfit("a constant of several different bytes"));
  const TileAccess& from = number ? out : std::get<TileAccess>(*input);
  if (!number) {
    const TileBuffer& source = plan.buffers[from.buffer];
    if (source.kind != TileBuffer::Kind::kOperand || from.panel_dim >= 0)
      return propagate(unfit("they lie in no operand, or in panels"));
    movement.from = memory.operand(source.index) + from.offset * bytes;
  }
  for (size_t d = 0; d < nest.extents.size(); ++d) {
    const bool is_row = from.strides[d] == 1 && out.strides[d] == 1 && movement.bytes == bytes;
    if (is_row) {
      movement.bytes *= nest.extents[d];
    } else {
      movement.loops.push_back({nest.extents[d], from.strides[d] * bytes, out.strides[d] * bytes});
    }
  }
  return movement;
}

class MovementEmitter : public TaskEmitter {
 public:
  explicit MovementEmitter(std::vector<MovementPlan> plans) : plans_(std::move(plans)) {}

  TaskUnits units() const override {
    int64_t pieces = 0;
    for (const MovementPlan& plan : plans_) pieces += plan.pieces();
    return {.units = pieces, .granularity = std::min(pieces, kStreamPieces)};
  }
  Status emit(int64_t begin, int64_t end, StreamBuilder& builder) const override {
    int64_t first = 0;
    for (const MovementPlan& plan : plans_) {
      const int64_t last = std::min(end, first + plan.pieces());
      for (int64_t piece = std::max(begin, first); piece < last; ++piece)
        plan.emit(piece - first, piece % kMovementSlots, builder);
      first += plan.pieces();
    }
    return {};
  }

 private:
  const std::vector<MovementPlan> plans_;
};

}  // namespace

Result<std::unique_ptr<TaskEmitter>> readMovement(const compile::Task& task, const Config& config,
                                                  TaskMemory& memory) {
  auto nests = compile::readNests(*task.block);
  if (!nests || nests->isChain() || nests->nests.empty()) return nullptr;
  std::vector<MovementPlan> plans;
  for (const TileNest& nest : nests->nests) {
    TET_ASSIGN_OR_RETURN(const std::optional<Movement> movement, readNest(nest, *nests, config, memory));
    if (!movement) return nullptr;
    for (Movement& rows : cutRows(config, *movement)) plans.emplace_back(config, std::move(rows));
  }
  return std::make_unique<MovementEmitter>(std::move(plans));
}

}  // namespace tetrarch::npu
