// Tasks that are one sum of products of bytes or bf16, from loops with strides to taps, channels and columns.
#include <algorithm>
#include <cstring>

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "tetrarch/compile/target/npu/contraction.h"
#include "tetrarch/compile/target/npu/npu_task.h"
#include "tetrarch/compile/target/npu/read_planes.h"
#include "tetrarch/compile/target/npu/read_sums.h"
#include "tetrarch/compile/target/npu/requantize.h"
#include "tetrarch/compile/tile/nest.h"

namespace tetrarch::npu {
namespace {

using compile::TileAccess;
using compile::TileBuffer;
using compile::TileNest;
using compile::TileNestPlan;
namespace arith = mlir::arith;

// A stream is worth so many cycles, so that its beginning does not count.
constexpr int64_t kStreamCycles = 100000;

Status unfit(std::string_view why) { return unimplemented("a sum of products that does not fit: {}", why); }

// acc + extend(a) * extend(b) of two numbers of a type.
template <typename Add, typename Mul, typename Extend>
bool isProductOf(const compile::TileBody& body, mlir::Type type) {
  if (body.inputs.size() != 2) return false;
  auto sum = body.block->getTerminator()->getOperand(0).getDefiningOp<Add>();
  if (!sum || sum.getType().getIntOrFloatBitWidth() != 32) return false;
  for (mlir::Value side : {sum.getLhs(), sum.getRhs()}) {
    auto product = side.getDefiningOp<Mul>();
    if (!product) continue;
    auto a = product.getLhs().template getDefiningOp<Extend>();
    auto b = product.getRhs().template getDefiningOp<Extend>();
    if (!a || !b) return false;
    const auto is_argument = [&](mlir::Value value, unsigned number) {
      auto argument = mlir::dyn_cast<mlir::BlockArgument>(value);
      return argument && argument.getArgNumber() == number && argument.getType() == type;
    };
    return (is_argument(a.getIn(), 0) && is_argument(b.getIn(), 1)) ||
           (is_argument(a.getIn(), 1) && is_argument(b.getIn(), 0));
  }
  return false;
}

bool isProduct(const compile::TileBody& body, const Config& config) {
  mlir::Builder b(body.block->getParentOp()->getContext());
  return config.kind == Kind::Int8
             ? isProductOf<arith::AddIOp, arith::MulIOp, arith::ExtSIOp>(body, b.getI8Type())
             : isProductOf<arith::AddFOp, arith::MulFOp, arith::ExtFOp>(body, b.getBF16Type());
}

// acc + a * b of two f32, which no array multiplies.
bool isWideProduct(const compile::TileBody& body) {
  auto sum = body.block->getTerminator()->getOperand(0).getDefiningOp<arith::AddFOp>();
  if (!sum || body.inputs.size() != 2) return false;
  return llvm::any_of(sum->getOperands(), [](mlir::Value side) {
    auto product = side.getDefiningOp<arith::MulFOp>();
    return product && llvm::all_of(product->getOperands(), llvm::IsaPred<mlir::BlockArgument>);
  });
}

// Which of a task's tensors could lie on the chip, and how.
struct ChipChoices {
  std::map<size_t, ChipTensor> operands;
  std::optional<size_t> input, other;  // of the operands: what the sum reads, what is added to it
  std::optional<ChipTensor> result;
};

class Reader {
 public:
  Reader(const compile::Task& task, const Config& config, const TileNestPlan& plan, TaskMemory& memory)
      : task_(task), config_(config), plan_(plan), nest_(plan.nests.front()), memory_(memory) {}

  Result<std::vector<Contraction>> read();
  // After read().
  ChipChoices chipChoices() const;

 private:
  Status readDims();
  Status readDim(unsigned dim);
  Status readAxis(Axis& axis, unsigned dim, int64_t step);
  Status readWeights();
  Status readEpilogue();
  Status readRequantize();
  Status readProgram();
  void readGroups();
  Result<std::vector<Contraction>> readJoined();
  Contraction joinedOf(int64_t first, int64_t together, int64_t count) const;
  int64_t weightAt(int64_t group, int64_t tap, int64_t channel, int64_t feature) const;
  Status repackWeights();

  bool isColumn(unsigned dim) const { return dim == column_; }
  bool isReduced(unsigned dim) const { return dim >= nest_.parallel; }
  std::span<const std::byte> weightBytes() const {
    const unsigned operand = plan_.buffers[rhs_->buffer].index;
    return operand < task_.constants.size() ? task_.constants[operand] : std::span<const std::byte>();
  }

  const compile::Task& task_;
  const Config& config_;
  const TileNestPlan& plan_;
  const TileNest& nest_;
  TaskMemory& memory_;

  const TileAccess *lhs_ = nullptr, *rhs_ = nullptr, *out_ = nullptr;
  std::optional<size_t> other_;  // operand
  unsigned column_ = 0;
  bool diagonal_ = false;   // each column reads one channel, its own
  int group_ = -1;          // the loop over groups, where there is one
  size_t group_outer_ = 0;  // its place among c_.outer
  // What reads channels of its own: a group, or with diagonal weights a column.
  struct Groups {
    int64_t count = 1, channels = 1, features = 1, weights = 0;  // stride of the last
  } groups_;
  int64_t together_ = 1;  // groups that the array takes side by side
  PlanesRead shape_;
  Contraction c_;
  std::optional<Requantization> requantization_;
};

Status Reader::readAxis(Axis& axis, unsigned dim, int64_t step) {
  int64_t& extent = isReduced(dim) ? axis.taps : axis.out;
  if (extent != 1) return unfit("more loops than a plane has axes");
  extent = nest_.extents[dim];
  (isReduced(dim) ? axis.dilation : axis.stride) = step;
  const bool is_w = &axis == &c_.w;
  if (isReduced(dim)) {
    (is_w ? c_.weight_tap_w : c_.weight_tap_h) = rhs_->strides[dim] * c_.element;
  } else {
    (is_w ? c_.output_w : c_.output_h) = out_->strides[dim];
  }
  return {};
}

// One loop: around planes, along an axis of the plane, or over channels.
Status Reader::readDim(unsigned dim) {
  const int64_t extent = nest_.extents[dim], stride = lhs_->strides[dim];
  if (extent == 1 || isColumn(dim)) return {};
  const int64_t plane = shape_.planeElements(), line = shape_.pixels() * shape_.channels();
  if (!isReduced(dim) && (rhs_->strides[dim] != 0 || stride % plane == 0)) {
    const bool is_group = stride < shape_.channels();
    if (!is_group && stride % plane != 0 && shape_.padded != shape_.source)
      return unfit("a loop over parts of padded planes");
    const int64_t input = stride % plane == 0 ? stride / plane * shape_.sourcePlane() : stride;
    if (is_group && stride > 0) group_ = static_cast<int>(dim), group_outer_ = c_.outer.size();
    c_.outer.push_back({.count = extent,
                        .input = input * c_.element,
                        .weights = rhs_->strides[dim] * c_.element,
                        .output = out_->strides[dim]});
    return {};
  }
  if (stride == 0) return unfit("a loop that reads the same input again");
  if (stride % line == 0 && shape_.lines() > 1) return readAxis(c_.h, dim, stride / line);
  if (stride % shape_.channels() == 0) return readAxis(c_.w, dim, stride / shape_.channels());
  if (!isReduced(dim) || stride != 1 || c_.channels != 1)
    return unfit("an input that is no plane of channels");
  c_.channels = extent;
  c_.weight_channel = rhs_->strides[dim] * c_.element;
  return {};
}

Status Reader::readDims() {
  c_.weight_channel = config_.spRowBytes();
  for (unsigned d = 0; d < nest_.extents.size(); ++d) TET_RETURN_IF_ERROR(readDim(d));
  const size_t r = shape_.rank();
  c_.w.in = shape_.sourcePixels(), c_.h.in = shape_.sourceLines();
  c_.w.low = r > 1 ? shape_.low[r - 2] : 0, c_.h.low = r > 2 ? shape_.low[r - 3] : 0;
  c_.padding = shape_.padding;
  c_.input =
      memory_.operand(shape_.operand) + (shape_.padded == shape_.source ? lhs_->offset * c_.element : 0);
  c_.input_w = shape_.channels() * c_.element, c_.input_h = shape_.sourcePixels() * c_.input_w;
  // A slice begins anywhere in its plane: only what is read must exist.
  if (lhs_->offset != 0) {
    c_.w.in = c_.w.span(c_.w.out), c_.h.in = c_.h.span(c_.h.out);
  }
  c_.columns = nest_.extents[column_];
  return {};
}

Status Reader::readWeights() {
  if (plan_.buffers[rhs_->buffer].kind != TileBuffer::Kind::kOperand)
    return unfit("its weights are computed in the task");
  c_.weights = memory_.operand(plan_.buffers[rhs_->buffer].index) + rhs_->offset * c_.element;
  const bool packed = rhs_->panel_dim == static_cast<int>(column_);
  if (rhs_->panel_dim >= 0 && !packed) return unfit("weights in panels of something else than columns");
  if (!packed && nest_.extents[column_] > 1 && rhs_->strides[column_] != 1)
    return unfit("weights whose columns are not side by side");
  c_.weight_panel = packed ? rhs_->panel_stride * c_.element : config_.spRowBytes();
  return packed && config_.side != compile::kPanel ? repackWeights() : Status();
}

// Panels as wide as the array, where it has another side than the packed layout.
Status Reader::repackWeights() {
  const std::span<const std::byte> packed = weightBytes();
  const auto others =
      std::ranges::count_if(c_.outer, [](const OuterLoop& loop) { return loop.weights != 0; });
  if (packed.empty() || others > (group_ < 0 ? 0 : 1))
    return unfit("weights in panels of 16 that are not known when compiling");
  const int64_t side = config_.side, rows = rhs_->panel_stride / compile::kPanel;
  const int64_t panels = (c_.columns + side - 1) / side;
  const int64_t element = c_.element;
  std::vector<std::byte> bytes(groups_.count * panels * rows * side * element);
  for (int64_t group = 0; group < groups_.count; ++group) {
    for (int64_t column = 0; column < c_.columns; ++column) {
      for (int64_t row = 0; row < rows; ++row) {
        const int64_t from = rhs_->offset + group * groups_.weights +
                             column / compile::kPanel * rhs_->panel_stride + row * compile::kPanel +
                             column % compile::kPanel;
        const int64_t to = ((group * panels + column / side) * rows + row) * side + column % side;
        std::memcpy(&bytes[to * element], &packed[from * element], element);
      }
    }
  }
  const auto rescale = [&](int64_t& stride) { stride = stride / compile::kPanel * side; };
  rescale(c_.weight_tap_h), rescale(c_.weight_tap_w), rescale(c_.weight_channel);
  c_.weight_panel = rows * config_.spRowBytes();
  if (group_ >= 0) c_.outer[group_outer_].weights = panels * c_.weight_panel;
  c_.weights = memory_.addConstant(bytes);
  return {};
}

// From here on strides of the output are in bytes.
Status Reader::readEpilogue() {
  const int64_t result = memory_.result(plan_.buffers[out_->buffer].index);
  if (nest_.epilogue) TET_RETURN_IF_ERROR(config_.kind == Kind::Bf16 ? readProgram() : readRequantize());
  const int64_t element = c_.outputElementBytes();
  c_.epilogue.result = result;
  c_.output = result + out_->offset * element;
  c_.output_h *= element, c_.output_w *= element;
  for (OuterLoop& loop : c_.outer) loop.output *= element;
  return {};
}

Status Reader::readRequantize() {
  auto read = readRequantization({.task = task_,
                                  .plan = plan_,
                                  .body = *nest_.epilogue,
                                  .column_dim = column_,
                                  .columns = c_.columns,
                                  .group_dim = group_,
                                  .groups = group_ < 0 ? 1 : groups_.count});
  if (!read) return read.error();
  requantization_ = std::move(*read);
  Epilogue& e = c_.epilogue;
  e.kind = Epilogue::Kind::Requantize;
  e.zero_point = requantization_->zero_point, e.low = requantization_->low, e.high = requantization_->high;
  const int64_t side = config_.side, width = together_ > 1 ? together_ * groups_.features : c_.columns;
  e.parameters = memory_.addConstant(parameterRows(*requantization_, side, width));
  if (group_ >= 0 && together_ == 1)
    c_.outer[group_outer_].parameters = (c_.columns + side - 1) / side * 2 * config_.accRowBytes();
  if (const auto& other = requantization_->other) {
    if (other->access.strides != out_->strides || other->access.panel_dim >= 0 ||
        plan_.buffers[other->access.buffer].kind != TileBuffer::Kind::kOperand) {
      return unfit("the other addend has another layout than the result");
    }
    e.kind = Epilogue::Kind::RequantizeAdd;
    other_ = plan_.buffers[other->access.buffer].index;
    e.other = memory_.operand(*other_) + other->access.offset - out_->offset;
    e.other_zero_point = other->zero_point, e.other_multiplier = other->multiplier,
    e.other_shift = other->shift;
  }
  return {};
}

Status Reader::readProgram() {
  auto read = readSumsEpilogue(plan_, nest_, group_, config_, memory_);
  if (!read) return unfit(read.error().message());
  if (group_ >= 0 && together_ == 1) c_.outer[group_outer_].parameters = groups_.features;
  Epilogue& e = c_.epilogue;
  e.kind = Epilogue::Kind::Program;
  e.program = std::move(read->program);
  e.operands = std::move(read->operands);
  e.constants = read->constants;
  return {};
}

// Groups whose weights are known and of which the array takes several side by side: with most of its rows
// and columns at zeros, but in a fraction of the cycles.
void Reader::readGroups() {
  if (group_ < 0 && !diagonal_) return;
  const unsigned dim = diagonal_ ? column_ : static_cast<unsigned>(group_);
  groups_ = {.count = nest_.extents[dim],
             .channels = c_.channels,
             .features = diagonal_ ? 1 : c_.columns,
             .weights = rhs_->strides[dim]};
  const bool side_by_side = lhs_->strides[dim] == groups_.channels &&
                            out_->strides[dim] == groups_.features && !weightBytes().empty();
  if (side_by_side)
    together_ = std::max<int64_t>(1, config_.side / std::max(groups_.channels, groups_.features));
}

// The place of a number among the weights, in bytes.
int64_t Reader::weightAt(int64_t group, int64_t tap, int64_t channel, int64_t feature) const {
  const bool packed = !diagonal_ && rhs_->panel_dim == static_cast<int>(column_);
  const int64_t column = packed ? feature / compile::kPanel * rhs_->panel_stride + feature % compile::kPanel
                                : feature * rhs_->strides[column_];
  return (rhs_->offset + group * groups_.weights + column) * c_.element + tap / c_.w.taps * c_.weight_tap_h +
         tap % c_.w.taps * c_.weight_tap_w + channel * c_.weight_channel;
}

// `count` times `together` groups from `first` on.
Contraction Reader::joinedOf(int64_t first, int64_t together, int64_t count) const {
  const int64_t side = config_.side, taps = c_.taps(), e = c_.element, element = c_.outputElementBytes();
  const auto& [groups, channels, features, stride] = groups_;
  std::vector<std::byte> weights(count * taps * side * side * e);
  const std::span<const std::byte> values = weightBytes();
  for (int64_t block = 0; block < count; ++block) {
    for (int64_t tap = 0; tap < taps; ++tap) {
      for (int64_t group = 0; group < together; ++group) {
        for (int64_t c = 0; c < channels; ++c) {
          for (int64_t f = 0; f < features; ++f) {
            const int64_t row = (block * taps + tap) * side + group * channels + c;
            std::memcpy(&weights[(row * side + group * features + f) * e],
                        &values[weightAt(first + block * together + group, tap, c, f)], e);
          }
        }
      }
    }
  }
  Contraction joined = c_;
  joined.weights = memory_.addConstant(weights);
  joined.weight_channel = side * e, joined.weight_tap_w = side * side * e;
  joined.weight_tap_h = c_.w.taps * joined.weight_tap_w;
  joined.weight_panel = taps * side * side * e;
  joined.channels = together * channels, joined.joined = together;
  joined.columns = joined.epilogue.program.columns = together * features;
  joined.input += first * channels * e;
  joined.output += first * features * element;
  joined.epilogue.other += first * features;
  const bool has_program = c_.epilogue.kind == Epilogue::Kind::Program;
  const int64_t parameters = has_program ? together_ * features : 2 * config_.accRowBytes();
  joined.epilogue.parameters += first / together_ * parameters;
  joined.outer.push_back({.count = count,
                          .input = together * channels * e,
                          .weights = taps * side * side * e,
                          .output = together * features * element,
                          .parameters = parameters});
  return joined;
}

Result<std::vector<Contraction>> Reader::readJoined() {
  if (weightBytes().empty()) return propagate(unfit("weights of channels that are not known when compiling"));
  if (diagonal_ && (rhs_->panel_dim >= 0 || nest_.extents[column_] != shape_.channels())) {
    return propagate(unfit("weights of channels in another layout"));
  }
  const int64_t whole = groups_.count / together_, rest = groups_.count % together_;
  std::vector<Contraction> parts;
  if (whole > 0) parts.push_back(joinedOf(0, together_, whole));
  if (rest > 0) parts.push_back(joinedOf(whole * together_, rest, 1));
  return parts;
}

Result<std::vector<Contraction>> Reader::read() {
  lhs_ = std::get_if<TileAccess>(&nest_.body.inputs[0]);
  rhs_ = std::get_if<TileAccess>(&nest_.body.inputs[1]);
  if (!lhs_ || !rhs_ || nest_.outputs.size() != 1 || nest_.parallel == 0) {
    return propagate(unfit("an operand is no tensor"));
  }
  out_ = &nest_.outputs[0];
  column_ = nest_.parallel - 1;
  if (lhs_->panel_dim >= 0 || (nest_.extents[column_] > 1 && out_->strides[column_] != 1)) {
    return propagate(unfit("an operand in an unusual layout"));
  }
  diagonal_ = nest_.extents[column_] > 1 && lhs_->strides[column_] == 1 && rhs_->strides[column_] == 1;
  if (!diagonal_ && nest_.extents[column_] > 1 && lhs_->strides[column_] != 0) {
    return propagate(unfit("an input that varies with the columns"));
  }
  c_.element = config_.elementBytes();
  auto shape = readPlanes(task_, plan_, *lhs_);
  if (!shape) return propagate(unfit(shape.error().message()));
  shape_ = *std::move(shape);
  TET_RETURN_IF_ERROR(readDims());
  readGroups();
  const bool joins = diagonal_ || together_ > 1;
  if (joins && group_ >= 0) {
    c_.outer.erase(c_.outer.begin() + static_cast<int64_t>(group_outer_));
  } else if (!joins) {
    TET_RETURN_IF_ERROR(readWeights());
  }
  TET_RETURN_IF_ERROR(readEpilogue());
  if (joins) return readJoined();
  return std::vector{c_};
}

// What a program reads by column lies on the chip as a whole: of that many columns at a time.
std::vector<Contraction> partsOf(const Contraction& c, int64_t side) {
  constexpr int64_t kMostPanels = 128;
  const bool reads_columns =
      llvm::any_of(c.epilogue.program.nodes, [](const VectorNode& n) { return n.extent == Extent::Column; });
  const int64_t most = reads_columns ? kMostPanels * side : c.columns;
  std::vector<Contraction> parts;
  for (int64_t first = 0; first < c.columns; first += most) {
    Contraction& part = parts.emplace_back(c);
    part.columns = part.epilogue.program.columns = std::min(most, c.columns - first);
    part.weights += first / side * c.weight_panel;
    part.output += first * c.outputElementBytes();
    part.epilogue.parameters += first;
  }
  return parts;
}

// Whole tensors of one plane, dense, that the sum reads or writes.
ChipChoices Reader::chipChoices() const {
  ChipChoices choices;
  if (diagonal_ || !c_.outer.empty()) return choices;
  const auto is_whole = [&](mlir::Value tensor, const ChipTensor& chip) {
    return bytesOf(tensor) == static_cast<uint64_t>(chip.lines * chip.pixels * chip.channels);
  };
  const auto beyond = [](const Axis& axis) {
    return std::max<int64_t>(0, axis.span(axis.out) - axis.low - axis.in);
  };
  const ChipTensor input{.lines = c_.h.in,
                         .pixels = c_.w.in,
                         .channels = c_.channels,
                         .above = c_.h.low,
                         .below = beyond(c_.h),
                         .left = c_.w.low,
                         .right = beyond(c_.w),
                         .padding = c_.padding};
  if (lhs_->offset == 0 && c_.input_w == c_.channels &&
      is_whole(task_.block->getArgument(shape_.operand), input)) {
    choices.input = shape_.operand;
    choices.operands[shape_.operand] = input;
  }
  const ChipTensor output{.lines = c_.h.out, .pixels = c_.w.out, .channels = c_.columns};
  const bool is_dense = out_->offset == 0 && (c_.w.out == 1 || c_.output_w == c_.columns) &&
                        (c_.h.out == 1 || c_.output_h == c_.w.out * c_.columns);
  const unsigned result = plan_.buffers[out_->buffer].index;
  const mlir::Value written = task_.block->getTerminator()->getOperand(result);
  if (!is_dense || result != 0 || !requantization_ || !is_whole(written, output)) return choices;
  choices.result = output;
  const bool adds_whole = other_ && c_.epilogue.other == memory_.operand(*other_) &&
                          *other_ != choices.input && is_whole(task_.block->getArgument(*other_), output);
  if (adds_whole) choices.other = *other_, choices.operands[*other_] = output;
  return choices;
}

class ContractionEmitter : public TaskEmitter {
 public:
  ContractionEmitter(const Config& config, std::vector<ContractionPlan> plans, ChipChoices choices)
      : config_(config), plans_(std::move(plans)), choices_(std::move(choices)) {}

  TaskUnits units() const override {
    int64_t tiles = 0, cycles = 0;
    for (const ContractionPlan& plan : plans_) {
      tiles += plan.tiles();
      cycles += plan.work.outerCount() * plan.work.h.out * plan.work.w.out * plan.work.taps() * plan.blocks *
                plan.panels;
    }
    const int64_t streams = std::clamp<int64_t>(cycles / kStreamCycles, 1, tiles);
    const int64_t granularity = (tiles + streams - 1) / streams;
    if (!dividesRows()) return {.units = (tiles + granularity - 1) / granularity};
    const ContractionPlan& plan = plans_.front();
    const bool by_lines = plan.work.h.out > 1;
    return {.units = tiles,
            .granularity = granularity,
            .rows = by_lines ? plan.work.h.out : plan.work.w.out,
            .row_tile = by_lines ? plan.lines : plan.pixels};
  }

  Status emit(int64_t begin, int64_t end, StreamBuilder& builder) const override {
    if (!dividesRows()) {
      const int64_t tiles = allTiles(), streams = units().units, each = (tiles + streams - 1) / streams;
      begin *= each, end = std::min(tiles, end * each);
    }
    for (const ContractionPlan& plan : plans_) {
      const int64_t tiles = plan.tiles(), first = std::clamp<int64_t>(begin, 0, tiles);
      const int64_t last = std::clamp<int64_t>(end, 0, tiles);
      if (first < last) emitContraction(config_, plan, first, last, builder);
      begin -= tiles, end -= tiles;
    }
    return {};
  }

  int64_t multiplications() const override {
    int64_t count = 0;
    for (const ContractionPlan& plan : plans_) count += plan.source.multiplications();
    return count;
  }

  std::optional<ChipTensor> operandOnChip(size_t operand) const override {
    const auto found = choices_.operands.find(operand);
    return found == choices_.operands.end() ? std::nullopt : std::optional(found->second);
  }
  std::optional<ChipTensor> resultOnChip() const override { return choices_.result; }

  std::unique_ptr<TaskEmitter> withResidence(const Residence& residence) const override {
    ChipTensors chip{.output = residence.result, .stores = residence.stores, .sp_rows = residence.sp_rows};
    for (const auto& [operand, tensor] : residence.operands)
      (operand == choices_.input ? chip.input : chip.other) = tensor;
    std::vector<ContractionPlan> plans;
    for (const ContractionPlan& plan : plans_) {
      Contraction c = plan.source;
      c.chip = chip;
      auto made = planContraction(config_, c);
      if (!made) return nullptr;
      plans.push_back(*std::move(made));
    }
    return std::make_unique<ContractionEmitter>(config_, std::move(plans), choices_);
  }

 private:
  int64_t allTiles() const {
    int64_t tiles = 0;
    for (const ContractionPlan& plan : plans_) tiles += plan.tiles();
    return tiles;
  }
  // Whether tiles are equal ranges of the result's rows, one plane's lines or pixels.
  bool dividesRows() const {
    const ContractionPlan& plan = plans_.front();
    return plans_.size() == 1 && plan.work.outerCount() == 1 &&
           (plan.work.h.out == 1 || plan.pixelTiles() == 1);
  }

  Config config_;
  std::vector<ContractionPlan> plans_;
  ChipChoices choices_;
};

}  // namespace

Result<std::unique_ptr<TaskEmitter>> readContraction(const compile::Task& task, const Config& config,
                                                     TaskMemory& memory) {
  auto nests = compile::readNests(*task.block);
  if (!nests || nests->nests.size() != 1) return nullptr;
  const compile::TileNest& nest = nests->nests.front();
  if (config.kind == Kind::Bf16 && nest.reduces() && isWideProduct(nest.body))
    return propagate(unimplemented("products of f32; the array multiplies bf16 (--quantize bf16)"));
  if (!isProduct(nest.body, config)) return nullptr;
  Reader reader(task, config, *nests, memory);
  TET_ASSIGN_OR_RETURN(auto contractions, reader.read());
  std::vector<Contraction> parts;
  for (const Contraction& c : contractions) llvm::append_range(parts, partsOf(c, config.side));
  std::vector<ContractionPlan> plans;
  for (Contraction& c : parts) {
    TET_ASSIGN_OR_RETURN(ContractionPlan plan, planContraction(config, c));
    if (plan.workspaceBytes() > 0) {
      c.workspace = memory.addWorkspace(plan.workspaceBytes());
      TET_ASSIGN_OR_RETURN(plan, planContraction(config, c));
    }
    plans.push_back(std::move(plan));
  }
  return std::make_unique<ContractionEmitter>(config, std::move(plans), reader.chipChoices());
}

}  // namespace tetrarch::npu
