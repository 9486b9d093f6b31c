#include "tetrarch/devices/fpga/reference.h"

#include <algorithm>
#include <cstring>
#include <deque>
#include <map>

#include "tetrarch/devices/fpga/evaluate.h"

namespace tetrarch::fpga {
namespace {

using Beat = std::vector<uint64_t>;
using Indices = std::vector<int64_t>;

Indices digitsOf(int64_t number, const std::vector<int64_t>& extents) {
  Indices digits(extents.size());
  for (size_t i = extents.size(); i-- > 0; number /= extents[i]) digits[i] = number % extents[i];
  return digits;
}

bool isInside(const Box& box, const Indices& indices) {
  for (size_t i = 0; i < box.size(); ++i) {
    if (indices[i] < box[i].low || indices[i] >= box[i].high) return false;
  }
  return true;
}

struct Chip {
  const Kernel& kernel;
  std::vector<std::deque<Beat>> streams;
  std::vector<std::vector<uint64_t>> memories;

  uint64_t load(const Node& node, uint64_t address) const {
    const Memory& memory = kernel.memories[node.object];
    return address < memory.depth ? memories[node.object][address * memory.lanes + node.imm] : 0;
  }
  void store(uint32_t object, uint64_t address, const Beat& values) {
    const Memory& memory = kernel.memories[object];
    if (address >= memory.depth) return;
    std::ranges::copy(values, memories[object].begin() + static_cast<ptrdiff_t>(address * memory.lanes));
  }
};

class NestReference {
 public:
  NestReference(const Nest& nest, Chip& chip) : nest_(nest), chip_(chip), past_(nest.nodes.size()) {
    for (const Nest::Loop& loop : nest.loops) {
      extents_.push_back(loop.extent);
      iterations_ *= loop.extent;
    }
    cells_.resize(nest.accumulators.size());
  }

  bool hasEnded() const { return left_ == iterations_; }
  bool moved() const { return moved_; }

  // One cycle; `beats` in each stream at its beginning. What goes in and out of streams is put aside.
  void step(const std::vector<size_t>& beats, std::vector<std::pair<uint32_t, Beat>>& pushed) {
    moved_ = false;
    const bool leaves = !pipeline_.empty() && enabled_ - pipeline_.front().issued == nest_.depth;
    if (leaves) {
      for (const auto& [stream, beat] : pipeline_.front().beats) {
        if (beats[stream] >= chip_.kernel.streams[stream].depth) return;
      }
      for (auto& given : pipeline_.front().beats) pushed.push_back(given);
      pipeline_.pop_front();
      ++left_;
    }
    const Indices indices = digitsOf(issued_, extents_);
    const bool is_in_phase = !nest_.shares || issued_ == 0 || (enabled_ - next_) % nest_.interval == 0;
    if (issued_ < iterations_ && enabled_ >= next_ && is_in_phase && hasBeats(indices, beats)) {
      pipeline_.push_back({enabled_, iterate(indices)});
      next_ = enabled_ + nest_.interval;
      ++issued_;
    }
    moved_ = leaves || !pipeline_.empty() || (issued_ < iterations_ && (enabled_ < next_ || !is_in_phase));
    ++enabled_;
  }

 private:
  struct InFlight {
    int64_t issued;
    std::vector<std::pair<uint32_t, Beat>> beats;
  };

  bool hasBeats(const Indices& indices, const std::vector<size_t>& beats) const {
    return std::ranges::all_of(nest_.nodes, [&](const Node& node) {
      return node.op != Operator::Pop || !isInside(node.box, indices) || beats[node.object] > 0;
    });
  }

  bool isAt(const Indices& indices, bool last) const {
    for (size_t i = 0; i < indices.size(); ++i) {
      if (nest_.loops[i].is_reduction && indices[i] != (last ? extents_[i] - 1 : 0)) return false;
    }
    return true;
  }

  // The parallel loops inside of the outermost reduction loop.
  Indices cellOf(const Indices& indices) const {
    Indices cell;
    bool inside = false;
    for (size_t i = 0; i < indices.size(); ++i) {
      inside |= nest_.loops[i].is_reduction;
      if (inside && !nest_.loops[i].is_reduction) cell.push_back(indices[i]);
    }
    return cell;
  }

  uint64_t valueOf(const Node& node, size_t index, const Indices& indices,
                   const std::vector<uint64_t>& values) {
    const auto operand = [&](size_t i) { return i < node.operands.size() ? values[node.operands[i]] : 0; };
    switch (node.op) {
      case Operator::Const:
        return node.imm;
      case Operator::Affine: {
        auto sum = static_cast<uint64_t>(node.offset);
        for (size_t i = 0; i < indices.size(); ++i) {
          sum += static_cast<uint64_t>(indices[i]) * static_cast<uint64_t>(node.strides[i]);
        }
        return sum & onesOf(node.type.width);
      }
      case Operator::Inside:
        return isInside(node.box, indices) ? 1 : 0;
      case Operator::Pop:
        return isInside(node.box, indices) ? chip_.streams[node.object].front()[node.imm] : 0;
      case Operator::Load:
        return chip_.load(node, operand(0));
      case Operator::Acc:
        return isAt(indices, /*last=*/false) ? values[nest_.accumulators[node.imm].init]
                                             : cells_[node.imm].at(cellOf(indices));
      case Operator::Delay: {
        std::vector<uint64_t>& past = past_[index];
        past.push_back(operand(0));
        return past.size() > node.imm ? past[past.size() - 1 - node.imm] : 0;
      }
      default:
        return evaluate(node.op, node.type, nest_.nodes[node.operands.back()].type, operand(0), operand(1),
                        operand(2));
    }
  }

  // The beats that it gives.
  std::vector<std::pair<uint32_t, Beat>> iterate(const Indices& indices) {
    std::vector<uint64_t> values;
    for (size_t i = 0; i < nest_.nodes.size(); ++i) {
      values.push_back(valueOf(nest_.nodes[i], i, indices, values));
    }
    for (size_t a = 0; a < cells_.size(); ++a)
      cells_[a][cellOf(indices)] = values[nest_.accumulators[a].update];
    std::vector<uint32_t> taken;
    for (const Node& node : nest_.nodes) {
      if (node.op != Operator::Pop || !isInside(node.box, indices)) continue;
      if (std::ranges::find(taken, node.object) == taken.end()) taken.push_back(node.object);
    }
    for (const uint32_t stream : taken) chip_.streams[stream].pop_front();
    std::vector<std::pair<uint32_t, Beat>> given;
    for (const Output& output : nest_.outputs) {
      if (!isInside(output.box, indices)) continue;
      if (output.when == Output::When::Last && !isAt(indices, /*last=*/true)) continue;
      Beat beat;
      for (const uint32_t value : output.values) beat.push_back(values[value]);
      if (!output.is_store) {
        given.emplace_back(output.object, std::move(beat));
      } else if (output.enable < 0 || values[static_cast<size_t>(output.enable)] != 0) {
        chip_.store(output.object, values[output.address], beat);
      }
    }
    return given;
  }

  const Nest& nest_;
  Chip& chip_;
  std::vector<int64_t> extents_;
  int64_t iterations_ = 1, issued_ = 0, left_ = 0, enabled_ = 0, next_ = 0;
  bool moved_ = false;
  std::deque<InFlight> pipeline_;
  std::vector<std::map<Indices, uint64_t>> cells_;
  std::vector<std::vector<uint64_t>> past_;  // of each Delay
};

int64_t runMachine(const Machine& machine, Chip& chip) {
  std::vector<uint64_t> registers(machine.registers.size());
  int64_t cycles = 0;
  for (int64_t next = 0; next >= 0;) {
    const Machine::Block& block = machine.blocks[static_cast<size_t>(next)];
    for (const Machine::Instruction& instruction : block.instructions) {
      const Node& node = instruction.node;
      Beat operands;
      for (const uint32_t operand : node.operands) operands.push_back(registers[operand]);
      if (instruction.is_store) {
        chip.store(node.object, operands[0], Beat(operands.begin() + 1, operands.end()));
        continue;
      }
      const Type type = node.operands.empty() ? node.type : machine.registers[node.operands.back()];
      operands.resize(3);
      registers[instruction.result] =
          node.op == Operator::Const ? node.imm
          : node.op == Operator::Load
              ? chip.load(node, operands[0])
              : evaluate(node.op, node.type, type, operands[0], operands[1], operands[2]);
    }
    cycles += block.cycles;
    const bool goes = block.condition < 0 || registers[static_cast<size_t>(block.condition)] != 0;
    next = goes ? block.then : block.otherwise;
  }
  return cycles;
}

// The elements of a port in order, as places in its buffer.
std::vector<int64_t> placesOf(const Kernel& kernel, const Port& port, int64_t unit) {
  const Indices digits = digitsOf(unit, kernel.units);
  int64_t first = port.offset, count = 1;
  for (size_t i = 0; i < digits.size(); ++i) first += digits[i] * port.unit_strides[i];
  std::vector<int64_t> extents, places;
  for (const Port::Loop& loop : port.loops) {
    extents.push_back(loop.extent);
    count *= loop.extent;
  }
  for (int64_t n = 0; n < count; ++n) {
    const Indices indices = digitsOf(n, extents);
    int64_t place = first;
    for (size_t i = 0; i < indices.size(); ++i) place += indices[i] * port.loops[i].stride;
    places.push_back(place);
  }
  return places;
}

struct PortReference {
  const Port& port;
  std::vector<int64_t> places;
  std::byte* buffer;
  size_t at = 0;  // the next element

  bool isDone() const { return at == places.size(); }
  Beat take(const Stream& stream) {
    Beat beat;
    for (uint32_t lane = 0; lane < stream.lanes; ++lane) {
      uint64_t value = 0;
      std::memcpy(&value, buffer + places[at++] * port.storage_bytes, port.storage_bytes);
      beat.push_back(value & onesOf(stream.type.width));
    }
    return beat;
  }
  void give(const Stream& stream, const Beat& beat) {
    for (const uint64_t bits : beat) {
      const uint64_t value =
          stream.type.isFloat() ? bits : static_cast<uint64_t>(signedValue(bits, stream.type.width));
      std::memcpy(buffer + places[at++] * port.storage_bytes, &value, port.storage_bytes);
    }
  }
};

}  // namespace

Reference runReference(const Kernel& kernel, int64_t unit, std::span<void* const> buffers) {
  Chip chip{kernel, std::vector<std::deque<Beat>>(kernel.streams.size()), {}};
  for (const Memory& memory : kernel.memories) {
    chip.memories.push_back(memory.data);
    chip.memories.back().resize(memory.depth * memory.lanes);
  }
  std::vector<PortReference> ports;
  for (const Port& port : kernel.ports) {
    ports.push_back({port, placesOf(kernel, port, unit), static_cast<std::byte*>(buffers[port.buffer])});
  }
  const size_t stages = kernel.stages.size();
  std::vector<NestReference> nests;
  std::vector<size_t> nest_of(stages);
  nests.reserve(stages);
  for (size_t i = 0; i < stages; ++i) {
    nest_of[i] = nests.size();
    if (const auto* nest = std::get_if<Nest>(&kernel.stages[i].work)) nests.emplace_back(*nest, chip);
  }
  Reference result{.machine_cycles = std::vector<int64_t>(stages)};
  std::vector<int64_t> end(stages, -1);  // of the stages that ended or whose end is known
  std::vector<bool> begun(stages);
  int64_t last = -1;
  for (int64_t cycle = 0;; ++cycle) {
    bool moved = false, over = true;
    std::vector<size_t> beats;
    for (const auto& stream : chip.streams) beats.push_back(stream.size());
    std::vector<std::pair<uint32_t, Beat>> pushed;
    for (PortReference& port : ports) {
      const Stream& stream = kernel.streams[port.port.stream];
      const size_t count = beats[port.port.stream];
      const bool goes = !port.isDone() && (port.port.is_input ? count < stream.depth : count > 0);
      if (goes && port.port.is_input) pushed.emplace_back(port.port.stream, port.take(stream));
      if (goes && !port.port.is_input) {
        port.give(stream, chip.streams[port.port.stream].front());
        chip.streams[port.port.stream].pop_front();
      }
      if (goes) last = std::max(last, cycle);
      moved |= goes;
      over &= port.isDone();
    }
    for (size_t i = 0; i < stages; ++i) {
      const auto ended = [&](uint32_t s) { return begun[s] && end[s] >= 0 && end[s] < cycle; };
      if (!begun[i] && std::ranges::all_of(kernel.stages[i].after, ended)) {
        begun[i] = true;
        if (const auto* machine = std::get_if<Machine>(&kernel.stages[i].work)) {
          result.machine_cycles[i] = runMachine(*machine, chip);
          end[i] = cycle + result.machine_cycles[i] - 1;
          last = std::max(last, end[i]);
        }
      }
      if (!begun[i] || end[i] >= 0) {
        moved |= begun[i] && end[i] >= cycle;
        over &= begun[i] && end[i] <= cycle;
        continue;
      }
      NestReference& nest = nests[nest_of[i]];
      nest.step(beats, pushed);
      moved |= nest.moved();
      if (nest.hasEnded()) {
        end[i] = cycle;
        last = std::max(last, cycle);
      } else {
        over = false;
      }
    }
    for (auto& [stream, beat] : pushed) chip.streams[stream].push_back(std::move(beat));
    if (over || !moved) {
      result.is_stuck = !over;
      result.cycles = last + 1;
      return result;
    }
  }
}

}  // namespace tetrarch::fpga
