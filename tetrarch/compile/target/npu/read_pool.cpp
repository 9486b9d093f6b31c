// Tasks that are maxima of bytes or sums over windows, from loops with strides to taps and channels.
#include <algorithm>

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "tetrarch/compile/target/npu/npu_task.h"
#include "tetrarch/compile/target/npu/pool.h"
#include "tetrarch/compile/target/npu/read_planes.h"
#include "tetrarch/compile/target/npu/read_scalar.h"
#include "tetrarch/compile/target/npu/requantize.h"

namespace tetrarch::npu {
namespace {

using compile::TileAccess;
using compile::TileNest;
using compile::TileNestPlan;
namespace arith = mlir::arith;

// A stream is worth so many steps, so that its beginning does not count.
constexpr int64_t kStreamSteps = 16;

Status unfit(std::string_view why) { return unimplemented("windows that do not fit: {}", why); }

// The one tensor that a body reads, by its argument; -1 where it reads several.
int onlyArgument(const compile::TileBody& body) {
  int only = -1;
  for (mlir::BlockArgument argument : body.block->getArguments()) {
    const unsigned i = argument.getArgNumber();
    if (argument.use_empty() || static_cast<int>(i) == body.acc || i >= body.inputs.size()) continue;
    if (only >= 0) return -1;
    only = static_cast<int>(i);
  }
  return only;
}

// How numbers meet in a window: max(acc, byte), acc + extend(byte) + offset, or acc + word.
struct Combination {
  bool sums = false;
  int64_t bytes = 1;
  int64_t offset = 0;
};

// What a sum adds to a value, and the value.
std::pair<mlir::Value, int64_t> withoutOffset(mlir::Value value) {
  if (auto sub = value.getDefiningOp<arith::SubIOp>()) {
    if (auto number = constantNumber(sub.getRhs())) return {sub.getLhs(), -*number};
  }
  if (auto add = value.getDefiningOp<arith::AddIOp>()) {
    if (auto number = constantNumber(add.getRhs())) return {add.getLhs(), *number};
  }
  return {value, 0};
}

// Nothing when the body does something else with its only tensor.
std::optional<Combination> readCombination(const compile::TileBody& body, int input) {
  mlir::Operation* combiner = body.block->getTerminator()->getOperand(0).getDefiningOp();
  Combination made{.sums = mlir::isa_and_nonnull<arith::AddIOp>(combiner)};
  if (input < 0 || (!made.sums && !mlir::isa_and_nonnull<arith::MaxSIOp>(combiner))) return std::nullopt;
  bool has_acc = false, has_input = false;
  for (mlir::Value operand : combiner->getOperands()) {
    const auto [value, offset] = made.sums ? withoutOffset(operand) : std::pair(operand, int64_t{0});
    auto wide = made.sums ? value.getDefiningOp<arith::ExtSIOp>() : arith::ExtSIOp();
    auto argument = mlir::dyn_cast<mlir::BlockArgument>(wide ? wide.getIn() : value);
    if (!argument) return std::nullopt;
    if (static_cast<int>(argument.getArgNumber()) == input) {
      made.bytes = made.sums && !wide ? 4 : 1;
      has_input = argument.getType().isInteger(made.bytes == 1 ? 8 : 32) && (made.bytes == 1 || offset == 0);
      made.offset = offset;
    } else {
      has_acc = offset == 0;
    }
  }
  const bool fits = combiner->getResult(0).getType().isInteger(made.sums ? 32 : 8);
  return has_acc && has_input && fits ? std::optional(made) : std::nullopt;
}

class Reader {
 public:
  Reader(const compile::Task& task, const Config& config, const TileNestPlan& plan, TaskMemory& memory)
      : task_(task), config_(config), plan_(plan), nest_(plan.nests.front()), memory_(memory) {}

  // Nothing when it is no pooling.
  Result<std::optional<Pool>> read();

 private:
  Status readDim(unsigned dim);
  Status readAxis(Axis& axis, unsigned dim, int64_t step);
  Status readStart() const;
  Status readEpilogue();
  Status addOffsets(std::vector<int64_t>& bias) const;
  bool isReduced(unsigned dim) const { return dim >= nest_.parallel; }

  const compile::Task& task_;
  const Config& config_;
  const TileNestPlan& plan_;
  const TileNest& nest_;
  TaskMemory& memory_;

  const TileAccess *in_ = nullptr, *out_ = nullptr;
  unsigned column_ = 0;
  PlanesRead planes_;
  Pool pool_;
  int64_t offset_ = 0;  // of each summand
};

Status Reader::readAxis(Axis& axis, unsigned dim, int64_t step) {
  int64_t& extent = isReduced(dim) ? axis.taps : axis.out;
  if (extent != 1) return unfit("more loops than a plane has axes");
  extent = nest_.extents[dim];
  (isReduced(dim) ? axis.dilation : axis.stride) = step;
  if (!isReduced(dim)) (&axis == &pool_.w ? pool_.output_w : pool_.output_h) = out_->strides[dim];
  return {};
}

// One loop: around planes or along an axis of the plane.
Status Reader::readDim(unsigned dim) {
  const int64_t extent = nest_.extents[dim], stride = in_->strides[dim];
  if (extent == 1 || dim == column_) return {};
  const int64_t plane = planes_.planeElements(), channels = planes_.channels();
  const int64_t line = planes_.pixels() * channels;
  if (stride == 0) return unfit("a loop that reads the same input again");
  if (stride % plane == 0 && !isReduced(dim)) {
    pool_.outer.push_back(
        {.count = extent, .input = stride / plane * planes_.sourcePlane(), .output = out_->strides[dim]});
    return {};
  }
  if (stride % plane == 0 || stride % channels != 0) return unfit("windows of more than lines and pixels");
  if (stride % line == 0) return readAxis(pool_.h, dim, stride / line);
  return readAxis(pool_.w, dim, stride / channels);
}

// Maxima begin with the least byte, sums with 0.
Status Reader::readStart() const {
  const auto* start = nest_.inits.size() == 1 ? std::get_if<mlir::TypedAttr>(&nest_.inits[0]) : nullptr;
  auto number = start ? mlir::dyn_cast<mlir::IntegerAttr>(*start) : mlir::IntegerAttr();
  const bool is_neutral = number && number.getValue().getSExtValue() == (pool_.sums ? 0 : -128);
  return is_neutral ? Status() : unfit("they begin with another number than the neutral one");
}

// All summands' offsets at once.
Status Reader::addOffsets(std::vector<int64_t>& bias) const {
  const int64_t taps = pool_.h.taps * pool_.w.taps, most = int64_t{1} << 22;
  if (std::abs(offset_) > 255 || taps > most) return unfit("sums that may leave 32 bits");
  for (int64_t& b : bias) {
    b += taps * offset_;
    if (b != static_cast<int32_t>(b)) return unfit("a bias of more than 32 bits");
  }
  return {};
}

Status Reader::readEpilogue() {
  if (!nest_.epilogue && offset_ != 0) return unfit("sums of differences that are not requantised");
  if (nest_.epilogue && !pool_.sums) return unfit("something is computed from their maxima");
  if (nest_.epilogue) {
    auto read = readRequantization({.task = task_,
                                    .plan = plan_,
                                    .body = *nest_.epilogue,
                                    .column_dim = column_,
                                    .columns = pool_.channels});
    if (!read) return read.error();
    if (read->other) return unfit("a second addend");
    TET_RETURN_IF_ERROR(addOffsets(read->bias));
    const auto same = [](const std::vector<int64_t>& of_columns) {
      return std::ranges::adjacent_find(of_columns, std::ranges::not_equal_to()) == of_columns.end();
    };
    pool_.same_parameters = same(read->bias) && same(read->multiplier) && same(read->shift);
    if (pool_.same_parameters) {
      // In every lane, also where there are fewer channels.
      for (auto* factors : {&read->bias, &read->multiplier, &read->shift})
        *factors = std::vector<int64_t>(config_.side, factors->front());
    }
    pool_.epilogue.kind = Epilogue::Kind::Requantize;
    pool_.epilogue.zero_point = read->zero_point;
    pool_.epilogue.low = read->low, pool_.epilogue.high = read->high;
    const auto columns = static_cast<int64_t>(read->bias.size());
    pool_.epilogue.parameters = memory_.addConstant(parameterRows(*read, config_.side, columns));
  }
  const int64_t element = pool_.outputElementBytes();
  pool_.output = memory_.result(plan_.buffers[out_->buffer].index) + out_->offset * element;
  pool_.output_h *= element, pool_.output_w *= element;
  for (OuterLoop& loop : pool_.outer) loop.output *= element;
  return {};
}

Result<std::optional<Pool>> Reader::read() {
  const int input = onlyArgument(nest_.body);
  const auto combination = readCombination(nest_.body, input);
  if (!combination || nest_.parallel == 0 || nest_.outputs.size() != 1) return std::nullopt;
  in_ = std::get_if<TileAccess>(&nest_.body.inputs[input]);
  out_ = &nest_.outputs[0];
  column_ = nest_.parallel - 1;
  // Others reduce what lies side by side.
  if (!in_ || in_->strides[column_] != 1 || out_->strides[column_] != 1 || in_->panel_dim >= 0)
    return std::nullopt;
  auto planes = readPlanes(task_, plan_, *in_);
  if (!planes) return propagate(unfit(planes.error().message()));
  planes_ = *std::move(planes);
  pool_.sums = combination->sums, offset_ = combination->offset;
  pool_.input_element = combination->bytes;
  pool_.channels = nest_.extents[column_];
  TET_RETURN_IF_ERROR(readStart());
  for (unsigned dim = 0; dim < nest_.extents.size(); ++dim) TET_RETURN_IF_ERROR(readDim(dim));
  const size_t r = planes_.rank();
  pool_.w.in = planes_.sourcePixels(), pool_.h.in = planes_.sourceLines();
  pool_.w.low = r > 1 ? planes_.low[r - 2] : 0, pool_.h.low = r > 2 ? planes_.low[r - 3] : 0;
  const int64_t element = pool_.input_element;
  pool_.padding = planes_.padding;
  if (element > 1 && planes_.isPadded() && planes_.padding != 0)
    return propagate(unfit("padding with wide numbers"));
  pool_.input = memory_.operand(planes_.operand) + in_->offset * element;
  pool_.input_w = planes_.channels() * element, pool_.input_h = planes_.sourcePixels() * pool_.input_w;
  for (OuterLoop& loop : pool_.outer) loop.input *= element;
  // A slice begins anywhere in its plane: only what is read must exist.
  if (in_->offset != 0) {
    pool_.w.in = pool_.w.span(pool_.w.out), pool_.h.in = pool_.h.span(pool_.h.out);
  }
  TET_RETURN_IF_ERROR(readEpilogue());
  return pool_;
}

class PoolEmitter : public TaskEmitter {
 public:
  PoolEmitter(const Config& config, PoolPlan plan) : config_(config), plan_(std::move(plan)) {}

  TaskUnits units() const override {
    return {.units = plan_.steps(), .granularity = std::min(plan_.steps(), kStreamSteps)};
  }
  Status emit(int64_t begin, int64_t end, StreamBuilder& builder) const override {
    emitPool(config_, plan_, begin, end, builder);
    return {};
  }

 private:
  const Config config_;
  const PoolPlan plan_;
};

}  // namespace

Result<std::unique_ptr<TaskEmitter>> readPool(const compile::Task& task, const Config& config,
                                              TaskMemory& memory) {
  auto nests = compile::readNests(*task.block);
  if (!nests || nests->nests.size() != 1 || !nests->nests.front().reduces()) return nullptr;
  TET_ASSIGN_OR_RETURN(const std::optional<Pool> pool, Reader(task, config, *nests, memory).read());
  if (!pool) return nullptr;
  TET_ASSIGN_OR_RETURN(PoolPlan plan, planPool(config, *pool));
  return std::make_unique<PoolEmitter>(config, std::move(plan));
}

}  // namespace tetrarch::npu
