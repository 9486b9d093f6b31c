#include "tetrarch/abi/fpga_boxes.h"

#include <algorithm>

namespace tetrarch::fpga {
namespace {

bool overlap(const Box& a, const Box& b) {
  for (size_t i = 0; i < a.size(); ++i) {
    if (std::min(a[i].high, b[i].high) <= std::max(a[i].low, b[i].low)) return false;
  }
  return true;
}

}  // namespace

Status checkBox(const Nest& nest, const Box& box) {
  if (box.empty()) return {};
  if (box.size() != nest.loops.size()) {
    return invalidArgument("its box has {} ranges for {} loops", box.size(), nest.loops.size());
  }
  for (size_t i = 0; i < box.size(); ++i) {
    if (box[i].low < 0 || box[i].low > box[i].high || box[i].high > nest.loops[i].extent) {
      return invalidArgument("range {} of its box, {} to {}, is not in a loop of {}", i, box[i].low,
                             box[i].high, nest.loops[i].extent);
    }
  }
  return {};
}

Box fullBox(const Nest& nest, const Box& box) {
  if (!box.empty()) return box;
  Box full;
  for (const Nest::Loop& loop : nest.loops) full.push_back({0, loop.extent});
  return full;
}

Box fullBox(const Nest& nest, const Output& output) {
  Box box = fullBox(nest, output.box);
  for (size_t i = 0; i < box.size() && output.when == Output::When::Last; ++i) {
    if (!nest.loops[i].is_reduction) continue;
    box[i].low = std::max(box[i].low, nest.loops[i].extent - 1);
    box[i].high = std::max(box[i].high, box[i].low);
  }
  return box;
}

int64_t sizeOf(const Box& full) {
  int64_t size = 1;
  for (const Range& range : full) size *= range.high - range.low;
  return size;
}

int64_t iterationsOf(const Nest& nest) { return sizeOf(fullBox(nest, Box())); }

bool areDisjoint(const std::vector<Box>& full) {
  for (size_t i = 0; i < full.size(); ++i) {
    for (size_t j = 0; j < i; ++j) {
      if (overlap(full[i], full[j])) return false;
    }
  }
  return true;
}

std::map<uint32_t, std::vector<Box>> popsOf(const Nest& nest) {
  std::map<uint32_t, std::vector<Box>> pops;
  for (const Node& node : nest.nodes) {
    if (node.op != Operator::Pop) continue;
    std::vector<Box>& boxes = pops[node.object];
    const Box box = fullBox(nest, node.box);
    if (boxes.size() <= kMaxBoxes && std::ranges::find(boxes, box) == boxes.end()) boxes.push_back(box);
  }
  return pops;
}

std::map<uint32_t, std::vector<Box>> outputsOf(const Nest& nest, bool is_store) {
  std::map<uint32_t, std::vector<Box>> outputs;
  for (const Output& output : nest.outputs) {
    if (output.is_store != is_store) continue;
    std::vector<Box>& boxes = outputs[output.object];
    if (boxes.size() <= kMaxBoxes) boxes.push_back(fullBox(nest, output));
  }
  return outputs;
}

int64_t cellsOf(const Nest& nest) {
  int64_t cells = 1;
  bool inside = false;
  for (const Nest::Loop& loop : nest.loops) {
    inside |= loop.is_reduction;
    if (inside && !loop.is_reduction) cells *= loop.extent;
  }
  return cells;
}

int64_t updateDistance(const Nest& nest) {
  int64_t inside = 1;
  for (size_t i = nest.loops.size(); i-- > 0;) {
    if (nest.loops[i].is_reduction && nest.loops[i].extent > 1) return inside;
    inside *= nest.loops[i].extent;
  }
  return 0;
}

}  // namespace tetrarch::fpga
