#include "tetrarch/devices/fpga/random_program.h"

#include <algorithm>
#include <cstring>
#include <map>

#include "tetrarch/abi/fpga_boxes.h"
#include "tetrarch/abi/fpga_cost.h"
#include "tetrarch/devices/fpga/evaluate.h"
#include "tetrarch/devices/fpga/timing.h"

namespace tetrarch::fpga {
namespace {

constexpr int64_t kMaxIterations = 300;

class Random {
 public:
  explicit Random(uint64_t seed) : generator_(seed * 0x9e3779b97f4a7c15 + 1) {}
  uint64_t bits() { return generator_(); }
  int64_t range(int64_t min, int64_t max) {  // both included
    return min + static_cast<int64_t>(generator_() % static_cast<uint64_t>(max - min + 1));
  }
  bool chance(int percent) { return range(1, 100) <= percent; }
  template <typename T>
  const T& pick(const std::vector<T>& values) {
    return values[static_cast<size_t>(range(0, static_cast<int64_t>(values.size()) - 1))];
  }

 private:
  std::mt19937_64 generator_;
};

uint64_t corner(Random& r, Type type) {
  const uint64_t ones = onesOf(type.width);
  if (!type.isFloat()) {
    return r.pick(std::vector<uint64_t>{r.bits(), r.bits() >> r.range(0, 63), 0, 1, ones, ones >> 1,
                                        ones / 2 + 1}) &
           ones;
  }
  const int m = type.mantissa();
  const uint64_t infinity = onesOf(type.exponent) << m, one = (onesOf(type.exponent - 1) << m);
  const uint64_t magnitude =
      r.pick(std::vector<uint64_t>{r.bits(), one ^ (r.bits() & onesOf(m + 2)), 0, 1, one, infinity,
                                   infinity - 1, infinity | 1, uint64_t{1} << m});
  return (magnitude & (ones >> 1)) | (r.chance(50) ? uint64_t{1} << (type.width - 1) : 0);
}

Type anyType(Random& r) {
  return r.pick(std::vector<Type>{
      {1}, {8}, {8}, {16}, {32}, {32}, {64}, {static_cast<uint8_t>(r.range(1, 64))}, kF16, kBf16, kF32});
}

// A number as a product of up to three extents.
std::vector<int64_t> factors(Random& r, int64_t number) {
  std::vector<int64_t> result;
  for (int i = 0; i < 2; ++i) {
    std::vector<int64_t> divisors;
    for (int64_t d = 1; d <= number; ++d) {
      if (number % d == 0) divisors.push_back(d);
    }
    result.push_back(r.pick(divisors));
    number /= result.back();
  }
  result.push_back(number);
  std::erase_if(result, [&](int64_t f) { return f == 1 && r.chance(70); });
  return result;
}

// ---- a nest -----------------------------------------------------------------------------------------------

// Adds nodes, each in the cycle in which its operands are there or a little later.
class NestBuilder {
 public:
  NestBuilder(Random& random, const Kernel& kernel, std::vector<Nest::Loop> loops)
      : r(random), kernel_(kernel) {
    nest.loops = std::move(loops);
    distance_ = updateDistance(nest);
  }

  Nest nest;

  uint32_t add(Node node) {
    for (const uint32_t operand : node.operands) node.cycle = std::max(node.cycle, ready(operand));
    if (!node.operands.empty() && r.chance(15)) node.cycle += static_cast<uint32_t>(r.range(1, 3));
    nest.nodes.push_back(std::move(node));
    const auto index = static_cast<uint32_t>(nest.nodes.size() - 1);
    nest.depth = std::max(nest.depth, ready(index));
    return index;
  }

  uint32_t ready(uint32_t node) const { return static_cast<uint32_t>(readyCycle(nest.nodes, node)); }

  Box anyBox() {
    Box box;
    for (const Nest::Loop& loop : nest.loops) {
      const int64_t low = r.chance(60) ? 0 : r.range(0, loop.extent - 1);
      box.push_back({low, r.chance(60) ? loop.extent : r.range(low + 1, loop.extent)});
    }
    return box;
  }

  uint32_t constant(Type type) { return add({.op = Operator::Const, .type = type, .imm = corner(r, type)}); }

  uint32_t affine(Type type) {
    Node node{.op = Operator::Affine, .type = type, .offset = r.range(-3, 10)};
    for (size_t i = 0; i < nest.loops.size(); ++i) node.strides.push_back(r.range(-2, 5));
    return add(node);
  }

  // A node of the type: one that is there, or made of one, or new.
  uint32_t value(Type type) {
    std::vector<uint32_t> same;
    for (uint32_t i = 0; i < nest.nodes.size(); ++i) {
      if (nest.nodes[i].type == type) same.push_back(i);
    }
    if (!same.empty() && r.chance(80)) return r.pick(same);
    if (!nest.nodes.empty() && r.chance(80)) {
      return converted(static_cast<uint32_t>(r.range(0, static_cast<int64_t>(nest.nodes.size()) - 1)), type);
    }
    return type.isFloat() || r.chance(50) ? constant(type) : affine(type);
  }

  uint32_t converted(uint32_t from, Type to) {
    const Type type = nest.nodes[from].type;
    if (type == to) return from;
    Operator op = Operator::FloatToFloat;
    if (type.width == to.width && r.chance(50)) {
      op = Operator::Bits;
    } else if (!type.isFloat() && !to.isFloat()) {
      op = to.width < type.width ? Operator::Trunc : r.chance(50) ? Operator::ExtS : Operator::ExtU;
    } else if (!type.isFloat()) {
      op = r.chance(50) ? Operator::IntToFloatS : Operator::IntToFloatU;
    } else if (!to.isFloat()) {
      op = r.chance(50) ? Operator::FloatToIntS : Operator::FloatToIntU;
    }
    return add({.op = op, .type = to, .operands = {from}});
  }

  // Some operator on what is there.
  uint32_t operation() {
    const auto op = static_cast<Operator>(r.range(static_cast<int>(Operator::Delay), kOperators - 1));
    const Domain domain = operatorInfo(op).domain;
    if (op == Operator::Delay) {
      const uint32_t of = value(anyType(r));
      return add({.op = op,
                  .type = nest.nodes[of].type,
                  .operands = {of},
                  .imm = static_cast<uint64_t>(r.chance(80) ? r.range(1, 6) : r.range(30, 70))});
    }
    if (op == Operator::Select) {
      const Type type = anyType(r);
      const uint32_t condition = value(kI1), y = value(type);
      return add({.op = op, .type = type, .operands = {condition, y, value(type)}});
    }
    if (domain == Domain::Convert) {
      const uint32_t from = value(anyType(r));
      return converted(from, anyType(r));
    }
    return arithmetic(op, typeFor(op));
  }

  // Operands of one type.
  uint32_t arithmetic(Operator op, Type type) {
    Node node{.op = op, .type = operatorInfo(op).domain == Domain::Compare ? kI1 : type};
    for (int i = 0; i < operatorInfo(op).operands; ++i) node.operands.push_back(value(type));
    return add(node);
  }

  Type typeFor(Operator op) {
    const bool is_float =
        operatorInfo(op).domain == Domain::Float || (op >= Operator::FEq && op <= Operator::FUno);
    for (;;) {
      const Type type = anyType(r);
      const bool divides = op >= Operator::DivS && op <= Operator::RemU;
      if (type.isFloat() == is_float && !(divides && type.width > 20)) return type;
    }
  }

  uint32_t inside() {
    return add({.op = Operator::Inside, .type = kI1, .box = r.chance(10) ? Box() : anyBox()});
  }

  void pop(uint32_t stream, const Box& box) {
    const Stream& s = kernel_.streams[stream];
    for (uint32_t lane = 0; lane < s.lanes; ++lane) {
      add({.op = Operator::Pop, .type = s.type, .imm = lane, .object = stream, .box = box});
    }
  }

  uint32_t load(uint32_t memory) {
    const Memory& m = kernel_.memories[memory];
    const Type address{static_cast<uint8_t>(r.range(1, 12))};
    const uint32_t at = r.chance(60) ? affine(address) : value(address);
    return add({.op = Operator::Load,
                .type = m.type,
                .operands = {at},
                .imm = static_cast<uint64_t>(r.range(0, m.lanes - 1)),
                .object = memory});
  }

  // An accumulator whose update is one or two operators on it.
  void accumulate() {
    static const std::vector<Operator> ints = {Operator::Add,  Operator::Sub, Operator::MaxS,
                                               Operator::MinU, Operator::Xor, Operator::Mul};
    static const std::vector<Operator> floats = {Operator::FAdd, Operator::FMul, Operator::FMax,
                                                 Operator::FSub};
    const Type type = anyType(r);
    const uint32_t x = value(type), y = value(type), any = value(type);
    const uint32_t init = dependsOnAcc(any) ? constant(type) : any;
    const auto number = static_cast<uint64_t>(nest.accumulators.size());
    const uint32_t cycle = std::max({ready(init), ready(x), ready(y)});
    const uint32_t acc = add({.op = Operator::Acc, .type = type, .imm = number, .cycle = cycle});
    const auto& ops = type.isFloat() ? floats : ints;
    uint32_t update = add({.op = r.pick(ops),
                           .type = type,
                           .operands = r.chance(80) ? std::vector{acc, x} : std::vector{x, acc}});
    if (r.chance(20)) update = add({.op = r.pick(ops), .type = type, .operands = {update, y}});
    if (r.chance(10))
      update = add({.op = Operator::Select, .type = type, .operands = {value(kI1), update, acc}});
    nest.accumulators.push_back({init, update});
    const int64_t late = static_cast<int64_t>(ready(update)) - nest.nodes[acc].cycle;
    if (distance_ > 0)
      nest.interval = std::max(nest.interval, static_cast<uint32_t>((late + distance_ - 1) / distance_));
  }

  bool dependsOnAcc(uint32_t node) const {
    const Node& n = nest.nodes[node];
    return n.op == Operator::Acc ||
           std::ranges::any_of(n.operands, [&](uint32_t o) { return dependsOnAcc(o); });
  }

  std::vector<uint32_t> values(Type type, uint32_t lanes) {
    std::vector<uint32_t> result;
    for (uint32_t lane = 0; lane < lanes; ++lane) result.push_back(value(type));
    return result;
  }

  // A word that one operator changes, and goes back to its place.
  void change(uint32_t memory) {
    const Memory& m = kernel_.memories[memory];
    const uint32_t word = load(memory);
    Output output{.is_store = true, .object = memory, .address = nest.nodes[word].operands[0]};
    const Operator op =
        m.type.isFloat() ? Operator::FMax : r.pick(std::vector{Operator::Add, Operator::Xor, Operator::MaxS});
    for (uint32_t lane = 0; lane < m.lanes; ++lane)
      output.values.push_back(add({.op = op, .type = m.type, .operands = {word, value(m.type)}}));
    nest.outputs.push_back(std::move(output));
  }

  // Loads see what the iteration before stored: in memory, or also on the way there.
  void slowDownFor(uint32_t memory, bool overtakes) {
    for (size_t i = 0; i < nest.nodes.size(); ++i) {
      if (nest.nodes[i].op != Operator::Load || nest.nodes[i].object != memory) continue;
      if (storesTo(nest, i).empty()) continue;
      while (!isInMemory(nest, i, nest.interval) && !(overtakes && isOnItsWay(nest, i, nest.interval)))
        ++nest.interval;
    }
  }

 private:
  Random& r;
  const Kernel& kernel_;
  int64_t distance_;
};

// ---- a kernel ---------------------------------------------------------------------------------------------

class KernelBuilder {
 public:
  KernelBuilder(Random& random, const RandomOptions& options) : r(random), options_(options) {}

  Kernel build() {
    kernel_.symbol = "random";
    if (r.chance(40)) kernel_.units = factors(r, r.range(1, 6));
    if (r.chance(50)) addRom();
    const int64_t stages = r.range(1, options_.stages);
    for (int64_t i = 0; i < stages; ++i) {
      if (r.chance(25)) addRam();
      if (options_.machines && !rams_.empty() && r.chance(25)) {
        addMachine();
      } else {
        addNest();
      }
    }
    for (const auto& [stream, beats] : unread_) addPort(stream, beats, /*is_input=*/false);
    if (kernel_.ports.empty()) addNest();
    return std::move(kernel_);
  }

 private:
  uint32_t addStream(Type type) {
    kernel_.streams.push_back({type, static_cast<uint32_t>(r.chance(60) ? 1 : r.range(2, 4)),
                               static_cast<uint32_t>(r.chance(70) ? 2 : r.range(3, 9))});
    return static_cast<uint32_t>(kernel_.streams.size() - 1);
  }

  // Over a buffer of its own.
  void addPort(uint32_t stream, int64_t beats, bool is_input) {
    const Stream& s = kernel_.streams[stream];
    Port port{.is_input = is_input, .buffer = kernel_.buffers++, .stream = stream};
    const int least = (s.type.width + 7) / 8;
    port.storage_bytes = static_cast<uint8_t>(s.type.isFloat() || r.chance(70) ? least : r.range(least, 8));
    const int64_t elements = beats * s.lanes;
    std::vector<int64_t> extents = factors(r, elements);
    // The loops' strides in another order than the loops, so that elements are transposed.
    std::vector<size_t> order(extents.size());
    for (size_t i = 0; i < order.size(); ++i) order[i] = i;
    if (r.chance(40)) std::shuffle(order.begin(), order.end(), std::mt19937_64(r.bits()));
    std::vector<int64_t> strides(extents.size());
    int64_t stride = 1;
    for (size_t i = order.size(); i-- > 0; stride *= extents[order[i]]) strides[order[i]] = stride;
    port.offset = r.chance(70) ? 0 : r.range(1, 9);
    for (size_t i = 0; i < extents.size(); ++i) {
      if (r.chance(15)) {
        port.offset += strides[i] * (extents[i] - 1);
        strides[i] = -strides[i];
      }
      port.loops.push_back({extents[i], strides[i]});
    }
    int64_t unit = elements;
    port.unit_strides.resize(kernel_.units.size());
    for (size_t i = kernel_.units.size(); i-- > 0; unit *= kernel_.units[i]) port.unit_strides[i] = unit;
    kernel_.ports.push_back(std::move(port));
  }

  void addRom() {
    Memory memory{.type = anyType(r),
                  .lanes = static_cast<uint32_t>(r.range(1, 3)),
                  .depth = static_cast<uint64_t>(r.range(1, 20))};
    for (uint64_t i = 0; i < memory.depth * memory.lanes; ++i) memory.data.push_back(corner(r, memory.type));
    roms_.push_back(static_cast<uint32_t>(kernel_.memories.size()));
    kernel_.memories.push_back(std::move(memory));
  }

  // With a stage that stores to every word of it.
  void addRam() {
    const auto number = static_cast<uint32_t>(kernel_.memories.size());
    kernel_.memories.push_back({.type = anyType(r),
                                .lanes = static_cast<uint32_t>(r.range(1, 2)),
                                .depth = static_cast<uint64_t>(r.range(1, 20))});
    const Memory& memory = kernel_.memories.back();
    NestBuilder b(r, kernel_, {{static_cast<int64_t>(memory.depth), false}});
    const uint32_t at = b.add({.op = Operator::Affine, .type = {8}, .strides = {1}});
    for (int i = 0; i < 3; ++i) b.operation();
    const std::vector<uint32_t> values = b.values(memory.type, memory.lanes);
    b.nest.outputs.push_back({.is_store = true, .object = number, .address = at, .values = values});
    addStage("fill", b.nest, {});
    rams_.push_back(number);
    users_[number] = {lastStage()};
  }

  uint32_t lastStage() const { return static_cast<uint32_t>(kernel_.stages.size() - 1); }

  void addStage(const char* name, std::variant<Nest, Machine> work, std::vector<uint32_t> after) {
    std::ranges::sort(after);
    after.erase(std::unique(after.begin(), after.end()), after.end());
    kernel_.stages.push_back(
        {fmt::format("{}{}", name, kernel_.stages.size()), std::move(work), std::move(after)});
  }

  // Stages that a new user of the memory waits for.
  void use(uint32_t memory, std::vector<uint32_t>& after) {
    const auto& users = users_[memory];
    after.insert(after.end(), users.begin(), users.end());
    used_.push_back(memory);
  }
  void recordUses() {
    for (const uint32_t memory : used_) users_[memory].push_back(lastStage());
    used_.clear();
  }

  std::vector<Nest::Loop> loopsOf(int64_t beats, Box& box) {
    std::vector<Nest::Loop> loops;
    for (const int64_t extent : factors(r, beats)) {
      loops.push_back({extent, r.chance(30)});
      box.push_back({0, extent});
    }
    // A loop around or inside in which only one index takes a beat.
    if (r.chance(40) && beats * 3 <= kMaxIterations) {
      const int64_t extent = r.range(1, 3), index = r.range(0, extent - 1),
                    place = r.range(0, static_cast<int64_t>(loops.size()));
      loops.insert(loops.begin() + place, {extent, r.chance(50)});
      box.insert(box.begin() + place, {index, index + 1});
    }
    const bool takes_all = std::ranges::all_of(loops, [&](const Nest::Loop& loop) {
      return box[static_cast<size_t>(&loop - loops.data())] == Range{0, loop.extent};
    });
    if (takes_all && r.chance(80)) box.clear();
    return loops;
  }

  void addNest() {
    Box box;
    std::vector<uint32_t> taken;
    int64_t beats = r.range(1, r.chance(50) ? 12 : 60);
    uint32_t stream = 0;
    const bool reads = !unread_.empty() && r.chance(75), takes = reads || r.chance(75);
    if (reads) {
      auto it = unread_.begin();
      std::advance(it, r.range(0, static_cast<int64_t>(unread_.size()) - 1));
      std::tie(stream, beats) = *it;
      unread_.erase(it);
    } else if (takes) {
      stream = addStream(anyType(r));
      addPort(stream, beats, /*is_input=*/true);
    }
    std::vector<Nest::Loop> loops = loopsOf(beats, box);
    NestBuilder b(r, kernel_, std::move(loops));
    b.nest.interval = static_cast<uint32_t>(r.chance(75) ? 1 : r.range(2, 4));
    if (takes) b.pop(stream, box);
    if (takes && r.chance(30)) popMore(b);
    std::vector<uint32_t> after;
    if (!rams_.empty() && r.chance(50)) loadAndStore(b, after);
    if (!roms_.empty() && r.chance(60)) b.load(r.pick(roms_));
    if (r.chance(30)) b.inside();
    for (int64_t i = r.range(0, options_.nodes); i > 0; --i) b.operation();
    const bool reduces = std::ranges::any_of(b.nest.loops, &Nest::Loop::is_reduction);
    for (int64_t i = reduces ? r.range(0, 2) : 0; i > 0; --i) b.accumulate();
    for (int64_t i = r.range(0, 3); i > 0; --i) b.operation();
    addOutputs(b, stores_);
    b.nest.depth += static_cast<uint32_t>(r.chance(70) ? 0 : r.range(1, 4));
    const bool overtakes = r.chance(70);
    for (const uint32_t memory : used_) b.slowDownFor(memory, overtakes);
    stores_.clear();
    b.nest.shares = b.nest.interval > 1 && r.chance(60);
    addStage("nest", b.nest, after);
    recordUses();
  }

  // Beats of a second port, in some box.
  void popMore(NestBuilder& b) {
    const Box box = b.anyBox();
    const uint32_t stream = addStream(anyType(r));
    addPort(stream, sizeOf(fullBox(b.nest, box)), /*is_input=*/true);
    b.pop(stream, box);
  }

  void loadAndStore(NestBuilder& b, std::vector<uint32_t>& after) {
    const uint32_t memory = r.pick(rams_);
    use(memory, after);
    if (r.chance(30)) return b.change(memory);
    b.load(memory);
    if (r.chance(40)) stores_.push_back(memory);
  }

  void addOutputs(NestBuilder& b, const std::vector<uint32_t>& stores) {
    for (const uint32_t memory : stores) {
      const Memory& m = kernel_.memories[memory];
      Output output{.is_store = true,
                    .object = memory,
                    .address = b.value({static_cast<uint8_t>(r.range(2, 9))}),
                    .box = r.chance(50) ? Box() : b.anyBox()};
      output.values = b.values(m.type, m.lanes);
      if (r.chance(40)) output.enable = b.value(kI1);
      b.nest.outputs.push_back(std::move(output));
    }
    for (int64_t i = r.range(1, 2); i > 0; --i) {
      const Type type = anyType(r);
      const uint32_t stream = addStream(type), lanes = kernel_.streams[stream].lanes;
      Output output{.object = stream,
                    .values = b.values(type, lanes),
                    .when = r.chance(30) ? Output::When::Last : Output::When::Each,
                    .box = r.chance(60) ? Box() : b.anyBox()};
      int64_t beats = sizeOf(fullBox(b.nest, output));
      if (beats == 0) {  // the box has none of the last
        output.box.clear();
        beats = sizeOf(fullBox(b.nest, output));
      }
      b.nest.outputs.push_back(output);
      if (r.chance(20)) beats += addOther(b, output);
      unread_[stream] = beats;
    }
  }

  // The iterations above the box in some loop give other values to the same stream.
  int64_t addOther(NestBuilder& b, Output output) {
    Box box = fullBox(b.nest, output);
    for (size_t i = 0; i < box.size(); ++i) {
      const int64_t extent = b.nest.loops[i].extent;
      if (box[i].high == extent) continue;
      box[i] = {box[i].high, extent};
      output.box = box;
      output.when = Output::When::Each;
      output.values = b.values(kernel_.streams[output.object].type, kernel_.streams[output.object].lanes);
      b.nest.outputs.push_back(output);
      return sizeOf(box);
    }
    return 0;
  }

  // Counts through the words of a memory, with a branch in the loop.
  void addMachine() {
    const uint32_t memory = r.pick(rams_);
    const Memory& m = kernel_.memories[memory];
    std::vector<uint32_t> after;
    use(memory, after);
    const Type count{8};
    Machine machine{
        .registers = {count, count, count, kI1, m.type, m.type, kI1}};  // i, one, end, goes, x, y, odd
    const auto end = static_cast<uint64_t>(r.range(1, static_cast<int64_t>(m.depth) + 2));
    using Instruction = Machine::Instruction;
    const std::vector<Instruction> begin = {
        {{.op = Operator::Const, .type = count, .imm = 1}, 1},
        {{.op = Operator::Const, .type = count, .imm = end}, 2},
        {{.op = Operator::Const, .type = m.type, .imm = corner(r, m.type)}, 5}};
    const Operator op =
        m.type.isFloat() ? Operator::FAdd : r.pick(std::vector{Operator::Add, Operator::Xor, Operator::MaxS});
    Instruction store{{.operands = {0}, .object = memory}, 0, true};
    for (uint32_t lane = 0; lane < m.lanes; ++lane) store.node.operands.push_back(5);
    const std::vector<Instruction> body = {
        {{.op = Operator::Load, .type = m.type, .operands = {0}, .imm = 0, .object = memory}, 4},
        {{.op = op, .type = m.type, .operands = {4, 5}}, 5},
        {{.op = m.type.isFloat() ? Operator::FLt : Operator::LtS, .type = kI1, .operands = {4, 5}}, 6}};
    const std::vector<Instruction> next = {{{.op = Operator::Add, .type = count, .operands = {0, 1}}, 0},
                                           {{.op = Operator::LtU, .type = kI1, .operands = {0, 2}}, 3}};
    machine.blocks = {block(machine, begin, -1, 1, -1), block(machine, body, 6, 2, 3),
                      block(machine, {store}, -1, 3, -1), block(machine, next, 3, 1, -1)};
    addStage("machine", machine, after);
    recordUses();
  }

  static Machine::Block block(const Machine& machine, std::vector<Machine::Instruction> instructions,
                              int64_t condition, int64_t then, int64_t otherwise) {
    std::vector<uint32_t> ready(machine.registers.size());
    Machine::Block made{{}, condition, then, otherwise, 1};
    for (Machine::Instruction& instruction : instructions) {
      Node& node = instruction.node;
      for (const uint32_t operand : node.operands) node.cycle = std::max(node.cycle, ready[operand]);
      uint32_t end = node.cycle;
      if (!instruction.is_store) {
        const Type operand = node.operands.empty() ? node.type : machine.registers[node.operands.back()];
        end += static_cast<uint32_t>(costOf(node.op, node.type, operand).latency);
        ready[instruction.result] = end;
      }
      made.cycles = std::max(made.cycles, end + 1);
      made.instructions.push_back(std::move(instruction));
    }
    return made;
  }

  Random& r;
  const RandomOptions& options_;
  Kernel kernel_;
  std::map<uint32_t, int64_t> unread_;  // streams without a reader, and their beats
  std::vector<uint32_t> roms_, rams_, used_, stores_;
  std::map<uint32_t, std::vector<uint32_t>> users_;
};

int64_t beatsOf(const Kernel& kernel, uint32_t stream) {
  int64_t beats = 0;
  for (const Port& port : kernel.ports) {
    int64_t elements = port.stream == stream ? 1 : 0;
    for (const Port::Loop& loop : port.loops) elements *= loop.extent;
    beats = std::max(beats, elements / kernel.streams[stream].lanes);
  }
  for (const Stage& stage : kernel.stages) {
    const auto* nest = std::get_if<Nest>(&stage.work);
    if (!nest) continue;
    int64_t given = 0;
    for (const auto& [object, boxes] : outputsOf(*nest, false)) {
      for (const Box& box : boxes) given += object == stream ? sizeOf(box) : 0;
    }
    beats = std::max(beats, given);
  }
  return beats;
}

bool isStuck(const Kernel& kernel) {
  const std::vector<int64_t> machines(kernel.stages.size(), 1);
  return !simulateTiming(kernel, machines);
}

bool isLegal(const Kernel& kernel) { return verify({.part = "any", .kernels = {kernel}}).ok(); }

}  // namespace

Kernel randomKernel(uint64_t seed, const RandomOptions& options) {
  for (uint64_t attempt = 0;; ++attempt) {
    Random r(seed * 1000 + attempt);
    Kernel kernel = KernelBuilder(r, options).build();
    if (!isLegal(kernel)) continue;
    if (options.may_be_stuck || !isStuck(kernel)) return kernel;
    for (uint32_t s = 0; s < kernel.streams.size(); ++s) {
      kernel.streams[s].depth = std::max(kernel.streams[s].depth, static_cast<uint32_t>(beatsOf(kernel, s)));
    }
    if (!isStuck(kernel)) return kernel;
  }
}

std::vector<std::vector<std::byte>> randomBuffers(const Kernel& kernel, uint64_t seed) {
  Random r(seed);
  std::vector<std::vector<std::byte>> buffers(kernel.buffers);
  for (const Port& port : kernel.ports) {
    int64_t last = port.offset;
    for (const Port::Loop& loop : port.loops) last += std::max<int64_t>(loop.stride, 0) * (loop.extent - 1);
    for (size_t i = 0; i < kernel.units.size(); ++i)
      last += std::max<int64_t>(port.unit_strides[i], 0) * (kernel.units[i] - 1);
    auto& buffer = buffers[port.buffer];
    buffer.resize(std::max(buffer.size(), static_cast<size_t>(last + 1) * port.storage_bytes));
    for (size_t at = 0; at + port.storage_bytes <= buffer.size(); at += port.storage_bytes) {
      const Type type = kernel.streams[port.stream].type;
      // Bits above the type's are to be ignored.
      const uint64_t above = type.width < 64 ? r.bits() << type.width : 0;
      const uint64_t value = corner(r, type) | above;
      std::memcpy(buffer.data() + at, &value, port.storage_bytes);
    }
  }
  return buffers;
}

Kernel shrink(Kernel kernel, const std::function<bool(const Kernel&)>& fails) {
  const auto attempt = [&](const auto& change) {
    Kernel smaller = kernel;
    change(smaller);
    if (smaller == kernel || !isLegal(smaller) || !fails(smaller)) return false;
    kernel = std::move(smaller);
    return true;
  };
  const auto nestOf = [](Kernel& k, size_t s) { return std::get_if<Nest>(&k.stages[s].work); };
  for (bool any = true; any;) {
    any = false;
    for (size_t s = 0; s < kernel.stages.size(); ++s) {
      const auto* nest = std::get_if<Nest>(&kernel.stages[s].work);
      for (size_t i = nest ? nest->nodes.size() : 0; i-- > 0;) {
        any |= attempt([&](Kernel& k) {
          Node& node = nestOf(k, s)->nodes[i];
          if (node.op != Operator::Pop) node = {.op = Operator::Const, .type = node.type};
        });
      }
      any |= attempt([&](Kernel& k) {
        if (nestOf(k, s)) nestOf(k, s)->accumulators.clear();
      });
      any |= attempt([&](Kernel& k) {
        if (nestOf(k, s)) nestOf(k, s)->interval = 1;
      });
      any |= attempt([&](Kernel& k) {
        if (nestOf(k, s)) nestOf(k, s)->shares = false;
      });
      any |= attempt([&](Kernel& k) {
        if (nestOf(k, s)) std::erase_if(nestOf(k, s)->outputs, [](const Output& o) { return o.is_store; });
      });
    }
  }
  return kernel;
}

}  // namespace tetrarch::fpga
