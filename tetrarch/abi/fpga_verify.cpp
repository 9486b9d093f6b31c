// Whether a program is one: everything that the twin, the timing model and the printer of SystemVerilog rely
// on. Whatever the numbers in it, nothing here overflows or takes long.
#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <set>
#include <string_view>

#include "tetrarch/abi/fpga_boxes.h"
#include "tetrarch/abi/fpga_cost.h"
#include "tetrarch/abi/fpga_program.h"

namespace tetrarch::fpga {
namespace {

// ---- limits -----------------------------------------------------------------------------------------------

constexpr size_t kMaxItems = 1 << 16;  // of any one list of a kernel
constexpr size_t kMaxStages = 1 << 10;
constexpr size_t kMaxLoops = 16;
constexpr int64_t kMaxIterations = int64_t{1} << 40;
constexpr int64_t kMaxElement = int64_t{1} << 48;  // number of an element of a buffer
constexpr uint64_t kMaxLanes = 1 << 12;
constexpr uint64_t kMaxFifo = 1 << 20;
constexpr uint64_t kMaxOnChip = uint64_t{1} << 26;  // elements of all memories, delays, accumulators
constexpr uint64_t kMaxDelay = 1 << 24;
constexpr uint64_t kMaxCycles = 1 << 20;  // of an interval, a pipeline, a block

Status inRange(std::string_view what, uint64_t value, uint64_t min, uint64_t max) {
  if (value >= min && value <= max) return {};
  return invalidArgument("{} is {}; it is {} to {}", what, value, min, max);
}

bool isIdentifier(std::string_view text) {
  const auto isWord = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  };
  return !text.empty() && text.size() <= 200 && !(text[0] >= '0' && text[0] <= '9') &&
         std::ranges::all_of(text, isWord);
}

// The product of extents, each at least 1, or nothing when it is more than kMaxIterations.
template <typename Extents>
Result<int64_t> productOf(const Extents& extents) {
  int64_t product = 1;
  for (const int64_t extent : extents) {
    if (extent < 1 || extent > kMaxIterations / product) {
      return invalidArgument("extents are at least 1 and their product at most 2^40");
    }
    product *= extent;
  }
  return product;
}

// ---- types ------------------------------------------------------------------------------------------------

Status checkType(Type type) {
  const bool known =
      type.isFloat() ? type == kF32 || type == kF16 || type == kBf16 : type.width >= 1 && type.width <= 64;
  if (known) return {};
  return invalidArgument("there is no type of {} bits with {} of an exponent", type.width, type.exponent);
}

bool fitsType(uint64_t bits, Type type) { return type.width == 64 || bits >> type.width == 0; }

std::string nameOf(Type type) {
  if (type == kF32) return "f32";
  if (type == kF16) return "f16";
  return type == kBf16 ? "bf16" : fmt::format("i{}", type.width);
}

// Why an operator does not take these types, or "".
std::string_view convertFault(Operator op, Type to, Type from) {
  const bool is_to_integer = !to.isFloat(), is_from_integer = !from.isFloat();
  switch (op) {
    case Operator::ExtS:
    case Operator::ExtU:
      return is_to_integer && is_from_integer && to.width > from.width ? "" : "makes an integer wider";
    case Operator::Trunc:
      return is_to_integer && is_from_integer && to.width < from.width ? "" : "makes an integer narrower";
    case Operator::Bits:
      return to.width == from.width ? "" : "keeps the width";
    case Operator::IntToFloatS:
    case Operator::IntToFloatU:
      return !is_to_integer && is_from_integer ? "" : "makes a float of an integer";
    case Operator::FloatToIntS:
    case Operator::FloatToIntU:
      return is_to_integer && !is_from_integer ? "" : "makes an integer of a float";
    default:
      return !is_to_integer && !is_from_integer ? "" : "makes a float of a float";
  }
}

std::string_view typeFault(Operator op, Type type, std::span<const Type> operands) {
  const auto allAre = [&](Type t) { return std::ranges::all_of(operands, [&](Type o) { return o == t; }); };
  if (op == Operator::Select) {
    return operands[0] == kI1 && operands[1] == type && operands[2] == type
               ? ""
               : "takes an i1 and two values of its own type";
  }
  switch (operatorInfo(op).domain) {
    case Domain::Int:
      return !type.isFloat() && allAre(type) ? "" : "takes integers of its own type";
    case Domain::Float:
      return type.isFloat() && allAre(type) ? "" : "takes floats of its own type";
    case Domain::Compare:
      return type == kI1 && allAre(operands[0]) && operands[0].isFloat() == (op >= Operator::FEq)
                 ? ""
                 : "gives an i1 of two values of one type";
    case Domain::Convert:
      return convertFault(op, type, operands[0]);
    default:
      return "";
  }
}

// Of the operands where costOf() wants to know.
Type operandTypeOf(const Node& node, std::span<const Type> operands) {
  const Domain domain = operatorInfo(node.op).domain;
  return domain == Domain::Compare || domain == Domain::Convert ? operands[0] : node.type;
}

// ---- a kernel ---------------------------------------------------------------------------------------------

class KernelVerifier {
 public:
  explicit KernelVerifier(const Kernel& kernel)
      : kernel_(kernel), streams_(kernel.streams.size()), memories_(kernel.memories.size()) {}
  Status check();

 private:
  struct Ends {
    int writers = 0, readers = 0;
    int64_t beats_in = 0, beats_out = 0;
  };
  struct Uses {
    std::set<size_t> stores, loads;  // stages
  };

  Status checkNames() const;
  Status checkPort(const Port& port, int64_t& beats) const;
  Status checkStream(const Stream& stream) const;
  Status checkMemory(const Memory& memory);
  Status checkStage(size_t index);
  Status checkNest(size_t stage, const Nest& nest);
  Status checkMachine(size_t stage, const Machine& machine);
  Status checkNode(size_t stage, const Nest& nest, size_t index);
  Status checkSource(size_t stage, const Nest* nest, const Node& node);
  Status checkSchedule(const Nest& nest, size_t index) const;
  Status checkAccumulators(const Nest& nest);
  Status checkOutput(size_t stage, const Nest& nest, const Output& output);
  Status checkEnds(const Nest& nest);
  Status checkLoads(size_t stage, const Nest& nest) const;
  Status checkInstruction(size_t stage, const Machine& machine, const Machine::Instruction& instruction);
  struct Access {
    int64_t last = -1;  // cycle
    bool is_store = false;
  };
  static Status checkAccess(Access& access, uint32_t cycle, bool is_store);
  Status checkBlock(size_t stage, const Machine& machine, const Machine::Block& block);
  Status checkUses() const;
  Status addOnChip(uint64_t elements);

  const Kernel& kernel_;
  std::vector<Ends> streams_;
  std::vector<Uses> memories_;
  uint64_t on_chip_ = 0;  // elements of memories, delays and accumulators
};

Status KernelVerifier::checkNames() const {
  if (kernel_.symbol.empty() || kernel_.symbol.size() > 1000) {
    return invalidArgument("its symbol has {} characters", kernel_.symbol.size());
  }
  if (!kernel_.verilog.empty() && !isIdentifier(kernel_.top)) {
    return invalidArgument("its module's name '{}' is no identifier", kernel_.top);
  }
  if (!std::isfinite(kernel_.estimated_hz) || kernel_.estimated_hz < 0) {
    return invalidArgument("its estimated clock is no frequency");
  }
  std::set<std::string_view> names;
  for (const Stage& stage : kernel_.stages) {
    if (!isIdentifier(stage.name)) return invalidArgument("the stage name '{}' is no identifier", stage.name);
    if (!names.insert(stage.name).second) return invalidArgument("two stages are called {}", stage.name);
  }
  return {};
}

Status KernelVerifier::checkPort(const Port& port, int64_t& beats) const {
  if (port.buffer >= kernel_.buffers) return invalidArgument("there is no buffer {}", port.buffer);
  if (port.stream >= kernel_.streams.size()) return invalidArgument("there is no stream {}", port.stream);
  const Stream& stream = kernel_.streams[port.stream];
  const bool exact = stream.type.isFloat();
  if (port.storage_bytes > 8 || port.storage_bytes * 8 < stream.type.width ||
      (exact && port.storage_bytes * 8 != stream.type.width)) {
    return invalidArgument("{} bytes do not hold its {}", port.storage_bytes, nameOf(stream.type));
  }
  TET_RETURN_IF_ERROR(inRange("the number of its loops", port.loops.size(), 0, kMaxLoops));
  if (port.unit_strides.size() != kernel_.units.size()) {
    return invalidArgument("it has {} strides for {} extents of units", port.unit_strides.size(),
                           kernel_.units.size());
  }
  std::vector<int64_t> extents;
  for (const Port::Loop& loop : port.loops) extents.push_back(loop.extent);
  TET_ASSIGN_OR_RETURN(const int64_t elements, productOf(extents));
  if (elements % stream.lanes != 0) {
    return invalidArgument("its {} elements are no multiple of {} lanes", elements, stream.lanes);
  }
  beats = elements / stream.lanes;
  // The lowest and the highest element.
  int64_t low = port.offset, high = port.offset;
  bool fits = low >= 0 && low < kMaxElement;
  const auto reach = [&](int64_t extent, int64_t stride) {
    int64_t step = 0;
    if (__builtin_mul_overflow(extent - 1, stride, &step) || step < -kMaxElement || step > kMaxElement) {
      fits = false;
    } else {
      (step < 0 ? low : high) += step;
    }
  };
  for (const Port::Loop& loop : port.loops) reach(loop.extent, loop.stride);
  for (size_t i = 0; i < kernel_.units.size(); ++i) reach(kernel_.units[i], port.unit_strides[i]);
  if (!fits || low < 0 || high >= kMaxElement) return invalidArgument("it goes outside of its buffer");
  return {};
}

Status KernelVerifier::addOnChip(uint64_t elements) {
  on_chip_ += elements;
  if (on_chip_ <= kMaxOnChip) return {};
  return invalidArgument("the kernel keeps more than {} elements on the chip", kMaxOnChip);
}

Status KernelVerifier::checkStream(const Stream& stream) const {
  TET_RETURN_IF_ERROR(checkType(stream.type));
  TET_RETURN_IF_ERROR(inRange("the number of lanes", stream.lanes, 1, kMaxLanes));
  return inRange("the depth", stream.depth, 2, kMaxFifo);
}

Status KernelVerifier::checkMemory(const Memory& memory) {
  TET_RETURN_IF_ERROR(checkType(memory.type));
  TET_RETURN_IF_ERROR(inRange("the number of lanes", memory.lanes, 1, kMaxLanes));
  TET_RETURN_IF_ERROR(inRange("the depth", memory.depth, 1, kMaxOnChip / memory.lanes));
  if (!memory.data.empty() && memory.data.size() != memory.depth * memory.lanes) {
    return invalidArgument("its data has {} elements for {} words of {}", memory.data.size(), memory.depth,
                           memory.lanes);
  }
  if (!std::ranges::all_of(memory.data, [&](uint64_t bits) { return fitsType(bits, memory.type); })) {
    return invalidArgument("an element of its data does not fit into {}", nameOf(memory.type));
  }
  return addOnChip(memory.depth * memory.lanes);
}

// What Source operators refer to; `nest` is null in a machine.
Status KernelVerifier::checkSource(size_t stage, const Nest* nest, const Node& node) {
  switch (node.op) {
    case Operator::Const:
      if (!fitsType(node.imm, node.type)) return invalidArgument("its value does not fit into its type");
      return {};
    case Operator::Load: {
      if (node.object >= kernel_.memories.size())
        return invalidArgument("there is no memory {}", node.object);
      const Memory& memory = kernel_.memories[node.object];
      if (node.type != memory.type || node.imm >= memory.lanes) {
        return invalidArgument("memory {} has {} lanes of {}", node.object, memory.lanes,
                               nameOf(memory.type));
      }
      memories_[node.object].loads.insert(stage);
      return {};
    }
    case Operator::Affine:
      if (!nest) break;
      if (node.type.isFloat()) return invalidArgument("its type is no integer");
      if (node.strides.size() != nest->loops.size()) {
        return invalidArgument("it has {} strides for {} loops", node.strides.size(), nest->loops.size());
      }
      return {};
    case Operator::Inside:
      if (!nest) break;
      if (node.type != kI1) return invalidArgument("its type is not i1");
      return checkBox(*nest, node.box);
    case Operator::Pop: {
      if (!nest) break;
      if (node.object >= kernel_.streams.size()) return invalidArgument("there is no stream {}", node.object);
      const Stream& stream = kernel_.streams[node.object];
      if (node.type != stream.type || node.imm >= stream.lanes) {
        return invalidArgument("stream {} has {} lanes of {}", node.object, stream.lanes,
                               nameOf(stream.type));
      }
      return checkBox(*nest, node.box);
    }
    case Operator::Acc:
      if (!nest) break;
      if (node.imm >= nest->accumulators.size()) {
        return invalidArgument("there is no accumulator {}", node.imm);
      }
      return {};
    case Operator::Delay:
      if (!nest) break;
      if (node.type != nest->nodes[node.operands[0]].type) return invalidArgument("it keeps the type");
      TET_RETURN_IF_ERROR(inRange("its number of iterations", node.imm, 1, kMaxDelay));
      return addOnChip(node.imm);
    default:
      return {};
  }
  return invalidArgument("a machine has no such operator");
}

Status KernelVerifier::checkNode(size_t stage, const Nest& nest, size_t index) {
  const Node& node = nest.nodes[index];
  TET_RETURN_IF_ERROR(checkType(node.type));
  const auto operands = static_cast<size_t>(operatorInfo(node.op).operands);
  if (node.operands.size() != operands) {
    return invalidArgument("it has {} operands and takes {}", node.operands.size(), operands);
  }
  std::vector<Type> types;
  for (const uint32_t operand : node.operands) {
    if (operand >= index) return invalidArgument("its operand {} is not before it", operand);
    types.push_back(nest.nodes[operand].type);
  }
  if (node.op == Operator::Load && types[0].isFloat()) return invalidArgument("its address is no integer");
  if (const auto fault = typeFault(node.op, node.type, types); !fault.empty()) {
    return invalidArgument("it {}", fault);
  }
  TET_RETURN_IF_ERROR(checkSource(stage, &nest, node));
  return checkSchedule(nest, index);
}

// Operands are there when the operator takes them.
Status KernelVerifier::checkSchedule(const Nest& nest, size_t index) const {
  const Node& node = nest.nodes[index];
  TET_RETURN_IF_ERROR(inRange("its cycle", node.cycle, 0, nest.depth));
  const bool is_at_issue = node.op == Operator::Const || node.op == Operator::Affine ||
                           node.op == Operator::Inside || node.op == Operator::Pop;
  if (is_at_issue && node.cycle != 0) return invalidArgument("its cycle is {}; it is 0", node.cycle);
  // What a Delay takes was there so many iterations before.
  const int64_t early =
      node.op == Operator::Delay ? static_cast<int64_t>(node.imm) * static_cast<int64_t>(nest.interval) : 0;
  for (const uint32_t operand : node.operands) {
    const int ready = readyCycle(nest.nodes, operand);
    if (ready > node.cycle + early) {
      return invalidArgument("in cycle {} its operand {} is not there, which is in cycle {}", node.cycle,
                             operand, ready);
    }
  }
  return {};
}

Status KernelVerifier::checkAccumulators(const Nest& nest) {
  const size_t count = nest.nodes.size();
  for (size_t a = 0; a < nest.accumulators.size(); ++a) {
    TET_RETURN_IF_ERROR(addOnChip(static_cast<uint64_t>(cellsOf(nest))));
  }
  TET_RETURN_IF_ERROR(inRange("the number of accumulators", nest.accumulators.size(), 0, kMaxItems));
  std::vector<bool> depends(count);  // on an Acc
  for (size_t i = 0; i < count; ++i) {
    depends[i] = nest.nodes[i].op == Operator::Acc ||
                 std::ranges::any_of(nest.nodes[i].operands, [&](uint32_t o) { return depends[o]; });
  }
  for (size_t a = 0; a < nest.accumulators.size(); ++a) {
    const auto& [init, update] = nest.accumulators[a];
    if (init >= count || update >= count) return invalidArgument("accumulator {} refers to no node", a);
    if (depends[init]) return invalidArgument("the beginning of accumulator {} depends on one", a);
    if (nest.nodes[init].type != nest.nodes[update].type) {
      return invalidArgument("accumulator {} begins with another type than it goes on with", a);
    }
  }
  const int64_t distance = updateDistance(nest);
  for (size_t i = 0; i < count; ++i) {
    const Node& node = nest.nodes[i];
    if (node.op != Operator::Acc) continue;
    const auto& [init, update] = nest.accumulators[node.imm];
    if (node.type != nest.nodes[update].type) {
      return invalidArgument("node {} has another type than accumulator {}", i, node.imm);
    }
    if (init >= i || readyCycle(nest.nodes, init) > static_cast<int>(node.cycle)) {
      return invalidArgument("the beginning of accumulator {} is not there when it is read", node.imm);
    }
    const int64_t ready = readyCycle(nest.nodes, update);
    if (distance > 0 && ready > node.cycle + distance * static_cast<int64_t>(nest.interval)) {
      return invalidArgument(
          "the update of accumulator {} is there in cycle {}, too late for the read {} iterations later",
          node.imm, ready, distance);
    }
  }
  return {};
}

Status KernelVerifier::checkOutput(size_t stage, const Nest& nest, const Output& output) {
  const size_t count = nest.nodes.size(), objects = output.is_store ? memories_.size() : streams_.size();
  if (output.object >= objects) {
    return invalidArgument("there is no {} {}", output.is_store ? "memory" : "stream", output.object);
  }
  Type type;
  size_t lanes = 0;
  if (output.is_store) {
    const Memory& memory = kernel_.memories[output.object];
    if (!memory.data.empty()) return invalidArgument("memory {} is a ROM", output.object);
    if (output.address >= count || nest.nodes[output.address].type.isFloat()) {
      return invalidArgument("its address is no node of an integer's type");
    }
    memories_[output.object].stores.insert(stage);
    std::tie(type, lanes) = std::tuple(memory.type, memory.lanes);
  } else {
    const Stream& stream = kernel_.streams[output.object];
    std::tie(type, lanes) = std::tuple(stream.type, stream.lanes);
  }
  const bool has_enable = output.enable >= 0;
  if (has_enable && (!output.is_store || output.enable >= static_cast<int64_t>(count) ||
                     nest.nodes[static_cast<size_t>(output.enable)].type != kI1)) {
    return invalidArgument("its enable is no node of type i1, of a store");
  }
  if (output.values.size() != lanes) {
    return invalidArgument("it has {} values for {} lanes", output.values.size(), lanes);
  }
  const auto fits = [&](uint32_t node) { return node < count && nest.nodes[node].type == type; };
  if (!std::ranges::all_of(output.values, fits))
    return invalidArgument("a value is no node of type {}", nameOf(type));
  if (output.when > Output::When::Last) return invalidArgument("it comes neither each time nor last");
  TET_RETURN_IF_ERROR(checkBox(nest, output.box));
  std::vector<uint32_t> used = output.values;
  if (output.is_store) used.push_back(output.address);
  if (has_enable) used.push_back(static_cast<uint32_t>(output.enable));
  for (const uint32_t node : used) {
    if (const int ready = readyCycle(nest.nodes, node); ready > static_cast<int>(nest.depth)) {
      return invalidArgument("its node {} is there in cycle {}, after the pipeline's last, {}", node, ready,
                             nest.depth);
    }
  }
  return {};
}

// Counts the beats, and finds two things of one iteration that there can be only one of.
Status KernelVerifier::checkEnds(const Nest& nest) {
  for (const auto& [stream, boxes] : popsOf(nest)) {
    TET_RETURN_IF_ERROR(inRange("the number of boxes", boxes.size(), 0, kMaxBoxes));
    if (!areDisjoint(boxes)) return invalidArgument("an iteration takes two beats of stream {}", stream);
    ++streams_[stream].readers;
    for (const Box& box : boxes) streams_[stream].beats_out += sizeOf(box);
  }
  for (const bool is_store : {false, true}) {
    for (const auto& [object, boxes] : outputsOf(nest, is_store)) {
      TET_RETURN_IF_ERROR(inRange("the number of outputs to one object", boxes.size(), 0, kMaxBoxes));
      if (!areDisjoint(boxes)) {
        return invalidArgument("an iteration gives {} {} two {}", is_store ? "memory" : "stream", object,
                               is_store ? "words" : "beats");
      }
      if (is_store) continue;
      ++streams_[object].writers;
      for (const Box& box : boxes) streams_[object].beats_in += sizeOf(box);
    }
  }
  return {};
}

// A nest that loads what it stores sees what the iteration before stored.
Status KernelVerifier::checkLoads(size_t stage, const Nest& nest) const {
  for (size_t i = 0; i < nest.nodes.size(); ++i) {
    const Node& node = nest.nodes[i];
    if (node.op != Operator::Load || !memories_[node.object].stores.contains(stage)) continue;
    if (!isInMemory(nest, i, nest.interval) && !isOnItsWay(nest, i, nest.interval)) {
      return invalidArgument("node {} ({}) loads in cycle {} what the iteration before stores in cycle {}", i,
                             operatorInfo(node.op).name, nest.interval + node.cycle, nest.depth);
    }
  }
  return {};
}

Status KernelVerifier::checkNest(size_t stage, const Nest& nest) {
  TET_RETURN_IF_ERROR(inRange("the number of loops", nest.loops.size(), 0, kMaxLoops));
  std::vector<int64_t> extents;
  for (const Nest::Loop& loop : nest.loops) extents.push_back(loop.extent);
  TET_RETURN_IF_ERROR(productOf(extents));
  TET_RETURN_IF_ERROR(inRange("the interval", nest.interval, 1, kMaxCycles));
  TET_RETURN_IF_ERROR(inRange("the depth", nest.depth, 1, kMaxCycles));
  TET_RETURN_IF_ERROR(inRange("the number of nodes", nest.nodes.size(), 0, kMaxItems));
  TET_RETURN_IF_ERROR(inRange("the number of outputs", nest.outputs.size(), 0, kMaxItems));
  for (size_t i = 0; i < nest.nodes.size(); ++i) {
    if (nest.nodes[i].op >= static_cast<Operator>(kOperators)) {
      return invalidArgument("node {}: there is no operator {}", i, static_cast<int>(nest.nodes[i].op));
    }
    if (Status status = checkNode(stage, nest, i); !status.ok()) {
      return status.withContext(fmt::format("node {} ({})", i, operatorInfo(nest.nodes[i].op).name));
    }
  }
  TET_RETURN_IF_ERROR(checkAccumulators(nest));
  for (size_t i = 0; i < nest.outputs.size(); ++i) {
    if (Status status = checkOutput(stage, nest, nest.outputs[i]); !status.ok()) {
      return status.withContext(fmt::format("output {}", i));
    }
  }
  TET_RETURN_IF_ERROR(checkEnds(nest));
  return checkLoads(stage, nest);
}

Status KernelVerifier::checkInstruction(size_t stage, const Machine& machine,
                                        const Machine::Instruction& instruction) {
  const Node& node = instruction.node;
  std::vector<Type> types;
  for (const uint32_t operand : node.operands) {
    if (operand >= machine.registers.size()) return invalidArgument("there is no register {}", operand);
    types.push_back(machine.registers[operand]);
  }
  if (instruction.is_store) {
    if (node.object >= memories_.size()) return invalidArgument("there is no memory {}", node.object);
    const Memory& memory = kernel_.memories[node.object];
    if (!memory.data.empty()) return invalidArgument("memory {} is a ROM", node.object);
    const bool fits = types.size() == memory.lanes + size_t{1} && !types[0].isFloat() &&
                      std::all_of(types.begin() + 1, types.end(), [&](Type t) { return t == memory.type; });
    if (!fits) {
      return invalidArgument("a store into memory {} takes an address and {} values of {}", node.object,
                             memory.lanes, nameOf(memory.type));
    }
    memories_[node.object].stores.insert(stage);
    return {};
  }
  if (node.op >= static_cast<Operator>(kOperators)) {
    return invalidArgument("there is no operator {}", static_cast<int>(node.op));
  }
  TET_RETURN_IF_ERROR(checkType(node.type));
  if (instruction.result >= machine.registers.size() || machine.registers[instruction.result] != node.type) {
    return invalidArgument("its result is no register of type {}", nameOf(node.type));
  }
  if (types.size() != static_cast<size_t>(operatorInfo(node.op).operands)) {
    return invalidArgument("it has {} operands and takes {}", types.size(), operatorInfo(node.op).operands);
  }
  if (node.op == Operator::Load && types[0].isFloat()) return invalidArgument("its address is no integer");
  if (const auto fault = typeFault(node.op, node.type, types); !fault.empty()) {
    return invalidArgument("it {}", fault);
  }
  return checkSource(stage, nullptr, node);
}

// A memory is stored to in a cycle of its own, behind the accesses before and ahead of those that follow.
Status KernelVerifier::checkAccess(Access& access, uint32_t cycle, bool is_store) {
  const bool is_late =
      access.last < 0 || (access.is_store || is_store ? cycle > access.last : cycle >= access.last);
  if (!is_late)
    return invalidArgument("its access to the memory in cycle {} is not behind the one before", cycle);
  access = {cycle, is_store};
  return {};
}

// Every value is there when it is used, and all are when the block ends.
Status KernelVerifier::checkBlock(size_t stage, const Machine& machine, const Machine::Block& block) {
  const auto blocks = static_cast<int64_t>(machine.blocks.size());
  const auto registers = static_cast<int64_t>(machine.registers.size());
  TET_RETURN_IF_ERROR(inRange("the number of cycles", block.cycles, 1, kMaxCycles));
  TET_RETURN_IF_ERROR(inRange("the number of instructions", block.instructions.size(), 0, kMaxItems));
  if (block.condition >= registers || block.then >= blocks || block.otherwise >= blocks) {
    return invalidArgument("it refers to a register or a block that is not there");
  }
  if (block.condition >= 0 && machine.registers[static_cast<size_t>(block.condition)] != kI1) {
    return invalidArgument("its condition is no i1");
  }
  std::vector<uint32_t> ready(machine.registers.size());
  std::map<uint32_t, Access> accesses;
  for (size_t i = 0; i < block.instructions.size(); ++i) {
    const auto& instruction = block.instructions[i];
    const Node& node = instruction.node;
    Status status = checkInstruction(stage, machine, instruction);
    for (const uint32_t operand : node.operands) {
      if (!status.ok()) break;
      if (ready[operand] > node.cycle) {
        status = invalidArgument("in cycle {} register {} is not there", node.cycle, operand);
      }
    }
    uint32_t end = node.cycle;
    if (status.ok() && !instruction.is_store) {
      std::vector<Type> types;
      for (const uint32_t operand : node.operands) types.push_back(machine.registers[operand]);
      end += static_cast<uint32_t>(costOf(node.op, node.type, operandTypeOf(node, types)).latency);
      ready[instruction.result] = end;
    }
    if (status.ok() && (instruction.is_store || node.op == Operator::Load)) {
      status = checkAccess(accesses[node.object], node.cycle, instruction.is_store);
    }
    if (status.ok() && (node.cycle >= block.cycles || end >= block.cycles)) {
      status = invalidArgument("it ends in cycle {} of {}", end, block.cycles);
    }
    if (!status.ok()) return status.withContext(fmt::format("instruction {}", i));
  }
  return {};
}

Status KernelVerifier::checkMachine(size_t stage, const Machine& machine) {
  TET_RETURN_IF_ERROR(inRange("the number of registers", machine.registers.size(), 0, kMaxItems));
  TET_RETURN_IF_ERROR(inRange("the number of blocks", machine.blocks.size(), 1, kMaxItems));
  for (const Type type : machine.registers) TET_RETURN_IF_ERROR(checkType(type));
  for (size_t i = 0; i < machine.blocks.size(); ++i) {
    if (Status status = checkBlock(stage, machine, machine.blocks[i]); !status.ok()) {
      return status.withContext(fmt::format("block {}", i));
    }
  }
  return {};
}

Status KernelVerifier::checkStage(size_t index) {
  const Stage& stage = kernel_.stages[index];
  if (!std::ranges::all_of(stage.after, [&](uint32_t other) { return other < index; })) {
    return invalidArgument("it begins after a stage that is not before it");
  }
  if (const auto* nest = std::get_if<Nest>(&stage.work)) return checkNest(index, *nest);
  return checkMachine(index, std::get<Machine>(stage.work));
}

// Stages that use a memory of which one stores to it are one after the other; what is loaded has been stored.
Status KernelVerifier::checkUses() const {
  const size_t stages = kernel_.stages.size();
  std::vector<std::vector<bool>> before(stages, std::vector<bool>(stages));  // [later][earlier]
  for (size_t i = 0; i < stages; ++i) {
    for (const uint32_t direct : kernel_.stages[i].after) {
      before[i][direct] = true;
      for (size_t j = 0; j < direct; ++j) before[i][j] = before[i][j] || before[direct][j];
    }
  }
  for (size_t m = 0; m < memories_.size(); ++m) {
    const Uses& uses = memories_[m];
    std::set<size_t> all = uses.loads;
    all.insert(uses.stores.begin(), uses.stores.end());
    for (const size_t store : uses.stores) {
      for (const size_t other : all) {
        if (other == store || before[std::max(store, other)][std::min(store, other)]) continue;
        return invalidArgument("memory {}: stage {} does not wait for stage {}", m,
                               kernel_.stages[std::max(store, other)].name,
                               kernel_.stages[std::min(store, other)].name);
      }
    }
    const bool is_filled = !kernel_.memories[m].data.empty() || !uses.stores.empty();
    if (!uses.loads.empty() &&
        (!is_filled || (!uses.stores.empty() && *uses.loads.begin() < *uses.stores.begin()))) {
      return invalidArgument("memory {}: stage {} loads what nobody has stored", m,
                             kernel_.stages[*uses.loads.begin()].name);
    }
  }
  return {};
}

template <typename Items, typename Check>
Status checkEach(const Items& items, std::string_view what, size_t max, const Check& check) {
  TET_RETURN_IF_ERROR(inRange(fmt::format("the number of {}s", what), items.size(), 0, max));
  for (size_t i = 0; i < items.size(); ++i) {
    if (Status status = check(i); !status.ok()) return status.withContext(fmt::format("{} {}", what, i));
  }
  return {};
}

Status KernelVerifier::check() {
  TET_RETURN_IF_ERROR(inRange("the number of stages", kernel_.stages.size(), 0, kMaxStages));
  TET_RETURN_IF_ERROR(checkNames());
  TET_RETURN_IF_ERROR(inRange("the number of extents of units", kernel_.units.size(), 0, kMaxLoops));
  TET_RETURN_IF_ERROR(productOf(kernel_.units));
  TET_RETURN_IF_ERROR(inRange("the number of buffers", kernel_.buffers, 0, kMaxItems));
  TET_RETURN_IF_ERROR(checkEach(kernel_.streams, "stream", kMaxItems,
                                [&](size_t i) { return checkStream(kernel_.streams[i]); }));
  TET_RETURN_IF_ERROR(checkEach(kernel_.memories, "memory", kMaxItems,
                                [&](size_t i) { return checkMemory(kernel_.memories[i]); }));
  TET_RETURN_IF_ERROR(checkEach(kernel_.ports, "port", kMaxItems, [&](size_t i) -> Status {
    const Port& port = kernel_.ports[i];
    int64_t beats = 0;
    TET_RETURN_IF_ERROR(checkPort(port, beats));
    Ends& ends = streams_[port.stream];
    ++(port.is_input ? ends.writers : ends.readers);
    (port.is_input ? ends.beats_in : ends.beats_out) += beats;
    return {};
  }));
  for (size_t i = 0; i < kernel_.stages.size(); ++i) {
    if (Status status = checkStage(i); !status.ok())
      return status.withContext("stage " + kernel_.stages[i].name);
  }
  TET_RETURN_IF_ERROR(checkEach(streams_, "stream", kMaxItems, [&](size_t i) -> Status {
    const Ends& ends = streams_[i];
    if (ends.writers != 1 || ends.readers != 1) {
      return invalidArgument("it has {} writers and {} readers", ends.writers, ends.readers);
    }
    if (ends.beats_in == ends.beats_out) return {};
    return invalidArgument("{} beats go in and {} come out", ends.beats_in, ends.beats_out);
  }));
  return checkUses();
}

}  // namespace

Status verify(const Program& program) {
  if (program.part.empty() || program.part.size() > 100) return invalidArgument("the program names no part");
  std::set<std::string_view> symbols;
  for (const Kernel& kernel : program.kernels) {
    if (Status status = KernelVerifier(kernel).check(); !status.ok()) {
      return status.withContext("kernel " + kernel.symbol);
    }
    if (!symbols.insert(kernel.symbol).second) {
      return invalidArgument("two kernels are called {}", kernel.symbol);
    }
  }
  return {};
}

}  // namespace tetrarch::fpga
