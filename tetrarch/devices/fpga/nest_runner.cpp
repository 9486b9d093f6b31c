#include "tetrarch/devices/fpga/nest_runner.h"

#include <algorithm>

#include "tetrarch/abi/fpga_boxes.h"

namespace tetrarch::fpga {
namespace {

// Values of a block stay in the cache.
constexpr size_t kBlock = 256, kSmallBlock = 64, kManyNodes = 512;

std::vector<int64_t> extentsOf(const Nest& nest) {
  std::vector<int64_t> extents;
  for (const Nest::Loop& loop : nest.loops) extents.push_back(loop.extent);
  return extents;
}

// Cells are numbered row-major over the parallel loops inside of the outermost reduction loop.
std::vector<int64_t> cellStrides(const Nest& nest, size_t& cells) {
  std::vector<int64_t> strides(nest.loops.size());
  const auto outermost = std::ranges::find_if(nest.loops, &Nest::Loop::is_reduction) - nest.loops.begin();
  cells = 1;
  for (size_t i = nest.loops.size(); i-- > static_cast<size_t>(outermost);) {
    if (nest.loops[i].is_reduction) continue;
    strides[i] = static_cast<int64_t>(cells);
    cells *= static_cast<size_t>(nest.loops[i].extent);
  }
  return strides;
}

Type operandType(const Nest& nest, const Node& node) {
  return node.operands.empty() ? node.type : nest.nodes[node.operands.back()].type;
}

// Where all reduction loops begin.
Box firstBox(const Nest& nest) {
  Box box = fullBox(nest, Box());
  for (size_t i = 0; i < box.size(); ++i) {
    if (nest.loops[i].is_reduction) box[i].high = 1;
  }
  return box;
}

}  // namespace

NestRunner::NestRunner(const Kernel& kernel, const Nest& nest)
    : kernel_(kernel),
      nest_(nest),
      extents_(extentsOf(nest)),
      block_(nest.nodes.size() > kManyNodes ? kSmallBlock : kBlock),
      odometer_(extents_),
      levels_(block_),
      values_(nest.nodes.size() * block_),
      cell_walker_(extents_, 0, cellStrides(nest, cell_count_)),
      cell_index_(block_),
      cells_(nest.accumulators.size(), Values(cell_count_)) {
  for (size_t i = 0; i < nest.nodes.size(); ++i) {
    const Node& node = nest.nodes[i];
    operators_.push_back({node.op, node.type, operandType(nest, node)});
    if (node.op == Operator::Const) std::fill_n(valuesOf(i), block_, node.imm);
    if (node.op == Operator::Affine) affine_.emplace(i, Walker(extents_, node.offset, node.strides));
    if (node.op == Operator::Inside || node.op == Operator::Pop)
      node_masks_[i] = maskOf(fullBox(nest, node.box));
    if (node.op == Operator::Delay) {
      history_of_[i] = histories_.size();
      histories_.push_back({Values(node.imm)});
    }
  }
  for (const auto& [stream, boxes] : popsOf(nest)) {
    Taken taken{stream, {}, std::vector<uint32_t>(block_)};
    for (const Box& box : boxes) taken.masks.push_back(maskOf(box));
    taken_.push_back(std::move(taken));
  }
  for (size_t i = 0; i < nest.nodes.size(); ++i) {
    if (nest.nodes[i].op != Operator::Pop) continue;
    taken_of_[i] =
        static_cast<size_t>(std::ranges::find(taken_, nest.nodes[i].object, &Taken::stream) - taken_.begin());
  }
  for (size_t o = 0; o < nest.outputs.size(); ++o) {
    const Output& output = nest.outputs[o];
    output_masks_.push_back(maskOf(fullBox(nest, output)));
    if (output.is_store) continue;
    auto found = std::ranges::find(given_, output.object, &Given::stream);
    if (found == given_.end()) found = given_.insert(found, {output.object, {}, {}});
    found->outputs.push_back(o);
    found->masks.push_back(output_masks_.back());
  }
  first_mask_ = maskOf(firstBox(nest));
  planSteps();
  planFolds();
}

size_t NestRunner::maskOf(const Box& full) {
  Mask mask;
  for (size_t i = 0; i < full.size(); ++i) {
    if (full[i] == Range{0, extents_[i]}) continue;
    mask.sides.push_back(
        {i, static_cast<uint64_t>(full[i].low), static_cast<uint64_t>(full[i].high - full[i].low)});
    if (index_walkers_.contains(i)) continue;
    std::vector<int64_t> strides(extents_.size());
    strides[i] = 1;
    index_walkers_.emplace(i, Walker(extents_, 0, strides));
    indices_.emplace(i, Values(block_));
  }
  const auto isSame = [&](const Mask& other) {
    return std::ranges::equal(mask.sides, other.sides, [](const auto& a, const auto& b) {
      return a.loop == b.loop && a.low == b.low && a.size == b.size;
    });
  };
  const auto found = std::ranges::find_if(masks_, isSame);
  if (found != masks_.end()) return static_cast<size_t>(found - masks_.begin());
  mask.ones.resize(block_);
  masks_.push_back(std::move(mask));
  return masks_.size() - 1;
}

// Serial is what depends on an iteration before and what such a dependence goes through; all else is
// evaluated before or behind it.
void NestRunner::planSteps() {
  const size_t count = nest_.nodes.size();
  std::vector<bool> is_stored(kernel_.memories.size()), is_loaded(kernel_.memories.size());
  for (const Output& output : nest_.outputs) {
    if (output.is_store) is_stored[output.object] = true;
  }
  std::vector<bool> depends(count), needed(count);
  bool has_memory = false;
  for (size_t i = 0; i < count; ++i) {
    const Node& node = nest_.nodes[i];
    const bool is_load = node.op == Operator::Load;
    if (is_load) is_loaded[node.object] = true;
    has_memory |= is_load && is_stored[node.object];
    depends[i] = node.op == Operator::Acc || (is_load && is_stored[node.object]) ||
                 std::ranges::any_of(node.operands, [&](uint32_t o) { return depends[o]; });
  }
  for (const auto& [init, update] : nest_.accumulators) needed[init] = needed[update] = true;
  for (size_t o = 0; o < nest_.outputs.size(); ++o) {
    const Output& output = nest_.outputs[o];
    if (!output.is_store) continue;
    (is_loaded[output.object] ? serial_stores_ : stores_).push_back(o);
    if (!is_loaded[output.object]) continue;
    needed[output.address] = true;
    if (output.enable >= 0) needed[static_cast<size_t>(output.enable)] = true;
    for (const uint32_t value : output.values) needed[value] = true;
  }
  for (size_t i = count; i-- > 0;) {
    for (const uint32_t operand : nest_.nodes[i].operands) needed[operand] = needed[operand] || needed[i];
  }
  for (size_t i = 0; i < count; ++i) {
    // What a cell or a word holds is there only at that moment.
    const Node& node = nest_.nodes[i];
    const bool is_read = node.op == Operator::Acc || (node.op == Operator::Load && is_stored[node.object]);
    const bool is_serial = is_read || (depends[i] && needed[i]);
    (is_serial ? serial_ : depends[i] ? behind_ : before_).push_back(i);
  }
  const auto distance = static_cast<size_t>(updateDistance(nest_));
  chunk_ = has_memory ? 1 : distance == 0 ? block_ : std::min(distance, block_);
}

// Accumulators of one cell that are nothing but a value and an operator on it.
void NestRunner::planFolds() {
  if (!serial_stores_.empty() || chunk_ != 1 || cell_count_ != 1) return;
  if (serial_.size() != 2 * nest_.accumulators.size()) return;
  std::vector<FoldPlan> folds;
  for (size_t a = 0; a < nest_.accumulators.size(); ++a) {
    const size_t update = nest_.accumulators[a].update;
    const Node& node = nest_.nodes[update];
    const auto isCell = [&](uint32_t o) {
      return nest_.nodes[o].op == Operator::Acc && nest_.nodes[o].imm == a;
    };
    const auto isReady = [&](uint32_t o) { return std::ranges::find(before_, o) != before_.end(); };
    if (node.operands.size() != 2 || operatorInfo(node.op).domain == Domain::Source) return;
    const uint32_t x = node.operands[0], y = node.operands[1];
    if (isCell(x) && isReady(y)) {
      folds.push_back({x, update, y, true});
    } else if (isCell(y) && isReady(x)) {
      folds.push_back({y, update, x, false});
    } else {
      return;
    }
  }
  folds_ = std::move(folds);
}

void NestRunner::reset() {
  odometer_.reset();
  for (auto& [node, walker] : affine_) walker.reset();
  for (auto& [loop, walker] : index_walkers_) walker.reset();
  cell_walker_.reset();
  for (History& history : histories_) {
    std::ranges::fill(history.values, 0);
    history.at = 0;
  }
}

// ---- a block ----------------------------------------------------------------------------------------------

void NestRunner::fillMasks(size_t count) {
  for (auto& [loop, walker] : index_walkers_) {
    // They go on when it is known how many iterations run.
    walker.peek(count, levels_.data(), indices_.at(loop).data());
  }
  for (Mask& mask : masks_) {
    for (size_t s = 0; s < mask.sides.size(); ++s) {
      const auto& [loop, low, size] = mask.sides[s];
      const uint64_t* index = indices_.at(loop).data();
      uint64_t* ones = mask.ones.data();
      if (s == 0) std::fill_n(ones, count, 1);
      for (size_t i = 0; i < count; ++i) ones[i] &= static_cast<uint64_t>(index[i] - low < size);
    }
  }
}

// How many iterations there are beats for; places them.
size_t NestRunner::countBeats(const Chip& chip, Taken& taken, size_t count) const {
  const size_t available = chip.streams[taken.stream].size();
  if (taken.masks.size() == 1 && !onesOf(taken.masks[0])) {
    for (size_t i = 0; i < count; ++i) taken.beat[i] = static_cast<uint32_t>(i);
    return std::min(count, available);
  }
  size_t beats = 0;
  for (size_t i = 0; i < count; ++i) {
    uint64_t takes = 0;
    for (const size_t mask : taken.masks) takes |= masks_[mask].ones[i];
    if (takes != 0 && beats == available) return i;
    taken.beat[i] = static_cast<uint32_t>(beats);
    beats += takes;
  }
  return count;
}

size_t NestRunner::prepare(const Chip& chip, size_t count) {
  odometer_.levels(count, levels_.data());
  fillMasks(count);
  for (Taken& taken : taken_) count = std::min(count, countBeats(chip, taken, count));
  for (Taken& taken : taken_) {
    taken.beats = 0;
    for (const size_t mask : taken.masks) {
      const uint64_t* ones = onesOf(mask);
      taken.beats += ones ? static_cast<size_t>(std::count(ones, ones + count, 1)) : count;
    }
  }
  return count;
}

bool NestRunner::advance(Chip& chip, size_t limit) {
  const auto hasRoom = [&](const Given& given) { return chip.streams[given.stream].size() < limit; };
  bool any = false;
  while (!isDone() && std::ranges::all_of(given_, hasRoom)) {
    const size_t count =
        prepare(chip, static_cast<size_t>(std::min<int64_t>(odometer_.left(), static_cast<int64_t>(block_))));
    if (count == 0) break;
    for (const size_t node : before_) evaluate(chip, node, 0, count);
    runSerial(chip, count);
    for (const size_t node : behind_) evaluate(chip, node, 0, count);
    for (const size_t output : stores_) store(chip, output, 0, count);
    for (const Given& given : given_) give(chip, given, count);
    for (const Taken& taken : taken_) chip.streams[taken.stream].pop(taken.beats);
    for (auto& [loop, walker] : index_walkers_)
      walker.walk(count, levels_.data(), 0, indices_.at(loop).data());
    odometer_.advance(count);
    any = true;
  }
  return any;
}

// ---- nodes: their values of iterations [begin, begin + count) of the block
// -----------------------------------

void NestRunner::evaluate(Chip& chip, size_t node, size_t begin, size_t count) {
  const Node& n = nest_.nodes[node];
  switch (n.op) {
    case Operator::Const:
      return;
    case Operator::Affine:
      return affine_.at(node).walk(count, levels_.data() + begin, fpga::onesOf(n.type.width),
                                   valuesOf(node) + begin);
    case Operator::Inside: {
      const uint64_t* ones = onesOf(node_masks_.at(node));
      if (ones) std::copy_n(ones + begin, count, valuesOf(node) + begin);
      if (!ones) std::fill_n(valuesOf(node) + begin, count, 1);
      return;
    }
    case Operator::Pop:
      return pop(chip, node, count);
    case Operator::Load:
      return load(chip, node, begin, count);
    case Operator::Acc:
      return readCells(node, begin, count);
    case Operator::Delay:
      return delay(node, begin, count);
    default: {
      const auto operand = [&](size_t i) {
        return i < n.operands.size() ? valuesOf(n.operands[i]) + begin : nullptr;
      };
      operators_[node].toBlock(count, operand(0), operand(1), operand(2), valuesOf(node) + begin);
    }
  }
}

void NestRunner::pop(const Chip& chip, size_t node, size_t count) {
  const Node& n = nest_.nodes[node];
  const BeatQueue& queue = chip.streams[n.object];
  const uint64_t* from = queue.front() + n.imm;
  const uint64_t* ones = onesOf(node_masks_.at(node));
  const uint32_t* beat = taken_[taken_of_.at(node)].beat.data();
  uint64_t* out = valuesOf(node);
  const size_t lanes = queue.lanes();
  if (!ones) {
    for (size_t i = 0; i < count; ++i) out[i] = from[i * lanes];
    return;
  }
  for (size_t i = 0; i < count; ++i) out[i] = ones[i] != 0 ? from[beat[i] * lanes] : 0;
}

void NestRunner::load(const Chip& chip, size_t node, size_t begin, size_t count) {
  const Node& n = nest_.nodes[node];
  const Memory& memory = kernel_.memories[n.object];
  const uint64_t* words = chip.memories[n.object].data() + n.imm;
  const uint64_t* address = valuesOf(n.operands[0]) + begin;
  uint64_t* out = valuesOf(node) + begin;
  const uint64_t depth = memory.depth, lanes = memory.lanes;
  for (size_t i = 0; i < count; ++i) out[i] = address[i] < depth ? words[address[i] * lanes] : 0;
}

void NestRunner::delay(size_t node, size_t begin, size_t count) {
  const Node& n = nest_.nodes[node];
  History& history = histories_[history_of_.at(node)];
  const uint64_t* in = valuesOf(n.operands[0]) + begin;
  uint64_t* out = valuesOf(node) + begin;
  const size_t size = history.values.size();
  uint64_t* ring = history.values.data();
  size_t at = history.at;
  for (size_t i = 0; i < count;) {
    const size_t run = std::min(count - i, size - at);
    for (size_t k = 0; k < run; ++k) {
      out[i + k] = ring[at + k];
      ring[at + k] = in[i + k];
    }
    i += run;
    at = at + run == size ? 0 : at + run;
  }
  history.at = at;
}

// ---- from iteration to iteration --------------------------------------------------------------------------

void NestRunner::readCells(size_t node, size_t begin, size_t count) {
  const Node& n = nest_.nodes[node];
  const uint64_t* first = onesOf(first_mask_);
  const uint64_t* init = valuesOf(nest_.accumulators[n.imm].init);
  const uint64_t* cells = cells_[n.imm].data();
  uint64_t* out = valuesOf(node);
  for (size_t i = begin; i < begin + count; ++i) {
    out[i] = !first || first[i] != 0 ? init[i] : cells[cell_index_[i]];
  }
}

void NestRunner::writeCells(size_t begin, size_t count) {
  for (size_t a = 0; a < cells_.size(); ++a) {
    const uint64_t* update = valuesOf(nest_.accumulators[a].update);
    uint64_t* cells = cells_[a].data();
    for (size_t i = begin; i < begin + count; ++i) cells[cell_index_[i]] = update[i];
  }
}

void NestRunner::runSerial(Chip& chip, size_t count) {
  if (serial_.empty() && serial_stores_.empty()) return;
  for (const FoldPlan& fold : folds_) {
    const size_t a = nest_.nodes[fold.acc].imm;
    operators_[fold.update].toFold(
        count,
        {fold.cell_is_x, valuesOf(fold.other), valuesOf(nest_.accumulators[a].init), onesOf(first_mask_),
         valuesOf(fold.acc), valuesOf(fold.update)},
        cells_[a][0]);
  }
  if (!folds_.empty()) return;
  cell_walker_.walk(count, levels_.data(), ~uint64_t{0}, cell_index_.data());
  for (size_t begin = 0; begin < count; begin += chunk_) {
    const size_t size = std::min(chunk_, count - begin);
    for (const size_t node : serial_) evaluate(chip, node, begin, size);
    writeCells(begin, size);
    for (const size_t output : serial_stores_) store(chip, output, begin, size);
  }
}

// ---- outputs ----------------------------------------------------------------------------------------------

void NestRunner::store(Chip& chip, size_t output, size_t begin, size_t count) {
  const Output& o = nest_.outputs[output];
  const Memory& memory = kernel_.memories[o.object];
  uint64_t* words = chip.memories[o.object].data();
  const uint64_t* ones = onesOf(output_masks_[output]);
  const uint64_t* enable = o.enable >= 0 ? valuesOf(static_cast<size_t>(o.enable)) : nullptr;
  const uint64_t* address = valuesOf(o.address);
  for (size_t i = begin; i < begin + count; ++i) {
    if ((ones && ones[i] == 0) || (enable && enable[i] == 0) || address[i] >= memory.depth) continue;
    uint64_t* word = words + address[i] * memory.lanes;
    for (size_t lane = 0; lane < o.values.size(); ++lane) word[lane] = valuesOf(o.values[lane])[i];
  }
}

void NestRunner::give(Chip& chip, const Given& given, size_t count) {
  BeatQueue& queue = chip.streams[given.stream];
  const size_t lanes = queue.lanes();
  uint64_t* out = queue.grow(count);
  size_t beats = 0;
  for (size_t k = 0; k < given.outputs.size(); ++k) {
    if (given.outputs.size() > 1) break;
    const Output& output = nest_.outputs[given.outputs[k]];
    const uint64_t* ones = onesOf(given.masks[k]);
    for (size_t lane = 0; lane < lanes; ++lane) {
      const uint64_t* values = valuesOf(output.values[lane]);
      beats = 0;
      for (size_t i = 0; i < count; ++i) {
        out[beats * lanes + lane] = values[i];
        beats += ones ? ones[i] : 1;
      }
    }
  }
  // Several outputs: each iteration gives at most one of them.
  for (size_t i = 0; i < count && given.outputs.size() > 1; ++i) {
    for (size_t k = 0; k < given.outputs.size(); ++k) {
      const uint64_t* ones = onesOf(given.masks[k]);
      if (ones && ones[i] == 0) continue;
      const Output& output = nest_.outputs[given.outputs[k]];
      for (size_t lane = 0; lane < lanes; ++lane)
        out[beats * lanes + lane] = valuesOf(output.values[lane])[i];
      ++beats;
    }
  }
  queue.shrink(count - beats);
}

}  // namespace tetrarch::fpga
