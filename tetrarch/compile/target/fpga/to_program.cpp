#include "tetrarch/compile/target/fpga/to_program.h"

#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/TypeSwitch.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/Math/IR/Math.h"

namespace tetrarch::fpga {
namespace {

namespace arith = mlir::arith;
using mlir::Value;

Result<Type> typeOf(mlir::Type type) {
  if (type.isInteger() && type.getIntOrFloatBitWidth() <= 64)
    return Type{static_cast<uint8_t>(type.getIntOrFloatBitWidth()), 0};
  if (type.isF16()) return kF16;
  if (type.isBF16()) return kBf16;
  if (type.isF32()) return kF32;
  std::string name;
  llvm::raw_string_ostream(name) << type;
  return unimplemented("no operator computes with {}", name);
}

uint64_t bitsOf(mlir::Attribute attribute) {
  if (auto number = mlir::dyn_cast<mlir::FloatAttr>(attribute))
    return number.getValue().bitcastToAPInt().getZExtValue();
  return mlir::cast<mlir::IntegerAttr>(attribute).getValue().getZExtValue();
}

// Ops that one operator computes on the same operands.
const llvm::StringMap<Operator>& operators() {
  static const llvm::StringMap<Operator> rows = {
      {"arith.addi", Operator::Add},
      {"arith.subi", Operator::Sub},
      {"arith.muli", Operator::Mul},
      {"arith.divsi", Operator::DivS},
      {"arith.divui", Operator::DivU},
      {"arith.remsi", Operator::RemS},
      {"arith.remui", Operator::RemU},
      {"arith.andi", Operator::And},
      {"arith.ori", Operator::Or},
      {"arith.xori", Operator::Xor},
      {"arith.shli", Operator::Shl},
      {"arith.shrsi", Operator::ShrS},
      {"arith.shrui", Operator::ShrU},
      {"arith.minsi", Operator::MinS},
      {"arith.maxsi", Operator::MaxS},
      {"arith.minui", Operator::MinU},
      {"arith.maxui", Operator::MaxU},
      {"math.ctpop", Operator::Popcount},
      {"math.ctlz", Operator::Clz},
      {"arith.select", Operator::Select},
      {"arith.addf", Operator::FAdd},
      {"arith.subf", Operator::FSub},
      {"arith.mulf", Operator::FMul},
      {"arith.divf", Operator::FDiv},
      {"math.sqrt", Operator::FSqrt},
      {"arith.negf", Operator::FNeg},
      {"math.absf", Operator::FAbs},
      {"math.copysign", Operator::FCopySign},
      {"arith.minimumf", Operator::FMin},
      {"arith.maximumf", Operator::FMax},
      {"math.floor", Operator::FFloor},
      {"math.ceil", Operator::FCeil},
      {"math.trunc", Operator::FTrunc},
      {"math.round", Operator::FRound},
      {"math.roundeven", Operator::FRoundEven},
      {"arith.extsi", Operator::ExtS},
      {"arith.extui", Operator::ExtU},
      {"arith.trunci", Operator::Trunc},
      {"arith.bitcast", Operator::Bits},
      {"arith.sitofp", Operator::IntToFloatS},
      {"arith.uitofp", Operator::IntToFloatU},
      {"arith.fptosi", Operator::FloatToIntS},
      {"arith.fptoui", Operator::FloatToIntU},
      {"arith.extf", Operator::FloatToFloat},
      {"arith.truncf", Operator::FloatToFloat},
  };
  return rows;
}

// How a predicate is computed: `swapped` takes the operands the other way round, `negated` its opposite.
struct Comparison {
  Operator op;
  bool swapped = false, negated = false;
};

Comparison comparisonOf(arith::CmpIPredicate predicate) {
  switch (predicate) {
    case arith::CmpIPredicate::eq:
      return {Operator::Eq};
    case arith::CmpIPredicate::ne:
      return {Operator::Ne};
    case arith::CmpIPredicate::slt:
      return {Operator::LtS};
    case arith::CmpIPredicate::sle:
      return {Operator::LeS};
    case arith::CmpIPredicate::sgt:
      return {Operator::LtS, true};
    case arith::CmpIPredicate::sge:
      return {Operator::LeS, true};
    case arith::CmpIPredicate::ult:
      return {Operator::LtU};
    case arith::CmpIPredicate::ule:
      return {Operator::LeU};
    case arith::CmpIPredicate::ugt:
      return {Operator::LtU, true};
    case arith::CmpIPredicate::uge:
      return {Operator::LeU, true};
  }
}

// Those that are not there: true, false, and `one`, `ueq`, which are two operators.
std::optional<Comparison> comparisonOf(arith::CmpFPredicate predicate) {
  switch (predicate) {
    case arith::CmpFPredicate::OEQ:
      return Comparison{Operator::FEq};
    case arith::CmpFPredicate::UNE:
      return Comparison{Operator::FNe};
    case arith::CmpFPredicate::OLT:
      return Comparison{Operator::FLt};
    case arith::CmpFPredicate::OLE:
      return Comparison{Operator::FLe};
    case arith::CmpFPredicate::OGT:
      return Comparison{Operator::FLt, true};
    case arith::CmpFPredicate::OGE:
      return Comparison{Operator::FLe, true};
    case arith::CmpFPredicate::UGT:
      return Comparison{Operator::FLe, false, true};
    case arith::CmpFPredicate::UGE:
      return Comparison{Operator::FLt, false, true};
    case arith::CmpFPredicate::ULT:
      return Comparison{Operator::FLe, true, true};
    case arith::CmpFPredicate::ULE:
      return Comparison{Operator::FLt, true, true};
    case arith::CmpFPredicate::UNO:
      return Comparison{Operator::FUno};
    case arith::CmpFPredicate::ORD:
      return Comparison{Operator::FUno, false, true};
    default:
      return std::nullopt;
  }
}

Box boxOf(std::optional<llvm::ArrayRef<int64_t>> pairs) {
  Box box;
  for (size_t i = 0; pairs && i < pairs->size(); i += 2) box.push_back({(*pairs)[i], (*pairs)[i + 1]});
  return box;
}

// Scalar ops as operators, whatever holds their values: nodes of a nest, or registers of a machine.
class Selector {
 public:
  virtual ~Selector() = default;
  Result<uint32_t> select(mlir::Operation& op);
  Result<uint32_t> valueOf(Value value);

 protected:
  // Where the node's value is from then on.
  virtual Result<uint32_t> add(Node node) = 0;

  Result<uint32_t> add(Operator op, Type type, std::vector<uint32_t> operands, uint64_t imm = 0) {
    return add(Node{.op = op, .type = type, .operands = std::move(operands), .imm = imm});
  }
  Result<uint32_t> negate(uint32_t bit) {
    TET_ASSIGN_OR_RETURN(const uint32_t one, add(Operator::Const, kI1, {}, 1));
    return add(Operator::Xor, kI1, {bit, one});
  }
  Result<uint32_t> compare(Comparison how, std::vector<uint32_t> operands) {
    if (how.swapped) std::swap(operands[0], operands[1]);
    TET_ASSIGN_OR_RETURN(const uint32_t bit, add(how.op, kI1, std::move(operands)));
    if (how.negated) return negate(bit);
    return bit;
  }
  Result<uint32_t> compare(arith::CmpFOp op, const std::vector<uint32_t>& operands);

  llvm::DenseMap<Value, uint32_t> places_;
};

Result<uint32_t> Selector::valueOf(Value value) {
  if (auto known = places_.find(value); known != places_.end()) return known->second;
  auto constant = value.getDefiningOp<arith::ConstantOp>();
  if (!constant) return internalError("a value of a kernel that comes from nowhere");
  TET_ASSIGN_OR_RETURN(const Type type, typeOf(value.getType()));
  TET_ASSIGN_OR_RETURN(const uint32_t place, add(Operator::Const, type, {}, bitsOf(constant.getValue())));
  return places_[value] = place;
}

Result<uint32_t> Selector::compare(arith::CmpFOp op, const std::vector<uint32_t>& operands) {
  const arith::CmpFPredicate predicate = op.getPredicate();
  if (auto how = comparisonOf(predicate)) return compare(*how, operands);
  if (predicate == arith::CmpFPredicate::AlwaysTrue || predicate == arith::CmpFPredicate::AlwaysFalse)
    return add(Operator::Const, kI1, {}, predicate == arith::CmpFPredicate::AlwaysTrue);
  TET_ASSIGN_OR_RETURN(const uint32_t equal, add(Operator::FEq, kI1, operands));
  TET_ASSIGN_OR_RETURN(const uint32_t unordered, add(Operator::FUno, kI1, operands));
  TET_ASSIGN_OR_RETURN(const uint32_t either, add(Operator::Or, kI1, {equal, unordered}));
  if (predicate == arith::CmpFPredicate::ONE) return negate(either);
  return either;
}

Result<uint32_t> Selector::select(mlir::Operation& op) {
  std::vector<uint32_t> operands;
  for (Value operand : op.getOperands()) {
    TET_ASSIGN_OR_RETURN(const uint32_t place, valueOf(operand));
    operands.push_back(place);
  }
  TET_ASSIGN_OR_RETURN(const Type type, typeOf(op.getResult(0).getType()));
  if (auto compared = mlir::dyn_cast<arith::CmpIOp>(op))
    return compare(comparisonOf(compared.getPredicate()), operands);
  if (auto compared = mlir::dyn_cast<arith::CmpFOp>(op)) return compare(compared, operands);
  auto row = operators().find(op.getName().getStringRef());
  if (row == operators().end())
    return unimplemented("no operator computes {}", op.getName().getStringRef().str());
  return add(row->second, type, std::move(operands));
}

// --- nests
// ---------------------------------------------------------------------------------------------------------------

// Numbers of what a kernel declares.
struct Objects {
  llvm::DenseMap<Value, uint32_t> streams, memories, ends;
};

class NestWriter : public Selector {
 public:
  NestWriter(flow::NestOp op, const Objects& objects) : op_(op), objects_(objects) {}

  Result<Nest> write();

 protected:
  using Selector::add;
  Result<uint32_t> add(Node node) override {
    nest_.nodes.push_back(std::move(node));
    return static_cast<uint32_t>(nest_.nodes.size() - 1);
  }

 private:
  Result<uint32_t> write(mlir::Operation& op);
  Status writeEffect(mlir::Operation& op);
  Status writeOutput(Output output, mlir::ValueRange values, bool last,
                     std::optional<llvm::ArrayRef<int64_t>> box);

  flow::NestOp op_;
  const Objects& objects_;
  Nest nest_;
};

Result<Nest> NestWriter::write() {
  for (auto [extent, reduces] : llvm::zip(op_.getExtents(), op_.getReductions()))
    nest_.loops.push_back({extent, reduces});
  for (mlir::Operation& op : op_.getBody().front()) {
    if (mlir::isa<arith::ConstantOp>(op)) continue;  // where it is used
    if (op.getNumResults() == 0) {
      TET_RETURN_IF_ERROR(writeEffect(op));
      continue;
    }
    TET_ASSIGN_OR_RETURN(const uint32_t place, write(op));
    places_[op.getResult(0)] = place;
  }
  return std::move(nest_);
}

Result<uint32_t> NestWriter::write(mlir::Operation& op) {
  TET_ASSIGN_OR_RETURN(const Type type, typeOf(op.getResult(0).getType()));
  if (auto affine = mlir::dyn_cast<flow::AffineOp>(op)) {
    return add({.op = Operator::Affine,
                .type = type,
                .offset = static_cast<int64_t>(affine.getOffset()),
                .strides = {affine.getStrides().begin(), affine.getStrides().end()}});
  }
  if (auto inside = mlir::dyn_cast<flow::InsideOp>(op))
    return add({.op = Operator::Inside, .type = kI1, .box = boxOf(inside.getBox())});
  if (auto pop = mlir::dyn_cast<flow::PopOp>(op)) {
    return add({.op = Operator::Pop,
                .type = type,
                .imm = static_cast<uint64_t>(pop.getLane()),
                .object = objects_.streams.lookup(pop.getStream()),
                .box = boxOf(pop.getBox())});
  }
  if (auto load = mlir::dyn_cast<flow::LoadOp>(op)) {
    TET_ASSIGN_OR_RETURN(const uint32_t address, valueOf(load.getAddress()));
    return add({.op = Operator::Load,
                .type = type,
                .operands = {address},
                .imm = static_cast<uint64_t>(load.getLane()),
                .object = objects_.memories.lookup(load.getMemory())});
  }
  if (auto acc = mlir::dyn_cast<flow::AccOp>(op)) {
    TET_ASSIGN_OR_RETURN(const uint32_t init, valueOf(acc.getInit()));
    nest_.accumulators.push_back({.init = init});
    return add({.op = Operator::Acc, .type = type, .imm = nest_.accumulators.size() - 1});
  }
  if (auto delay = mlir::dyn_cast<flow::DelayOp>(op)) {
    TET_ASSIGN_OR_RETURN(const uint32_t of, valueOf(delay.getOf()));
    return add({.op = Operator::Delay,
                .type = type,
                .operands = {of},
                .imm = static_cast<uint64_t>(delay.getIterations())});
  }
  return select(op);
}

Status NestWriter::writeEffect(mlir::Operation& op) {
  if (auto update = mlir::dyn_cast<flow::UpdateOp>(op)) {
    TET_ASSIGN_OR_RETURN(const uint32_t value, valueOf(update.getValue()));
    nest_.accumulators[nest_.nodes[places_.lookup(update.getAcc())].imm].update = value;
    return {};
  }
  if (auto push = mlir::dyn_cast<flow::PushOp>(op)) {
    return writeOutput({.object = objects_.streams.lookup(push.getStream())}, push.getValues(),
                       push.getLast(), push.getBox());
  }
  auto store = mlir::cast<flow::StoreOp>(op);
  Output output{.is_store = true, .object = objects_.memories.lookup(store.getMemory())};
  TET_ASSIGN_OR_RETURN(output.address, valueOf(store.getAddress()));
  if (store.getEnable()) {
    TET_ASSIGN_OR_RETURN(output.enable, valueOf(store.getEnable()));
  }
  return writeOutput(std::move(output), store.getValues(), store.getLast(), store.getBox());
}

Status NestWriter::writeOutput(Output output, mlir::ValueRange values, bool last,
                               std::optional<llvm::ArrayRef<int64_t>> box) {
  for (Value value : values) {
    TET_ASSIGN_OR_RETURN(const uint32_t node, valueOf(value));
    output.values.push_back(node);
  }
  output.when = last ? Output::When::Last : Output::When::Each;
  output.box = boxOf(box);
  nest_.outputs.push_back(std::move(output));
  return {};
}

// --- machines
// ------------------------------------------------------------------------------------------------------------

// Registers are in SSA form; a block's arguments are registers that its predecessors write last.
class MachineWriter : public Selector {
 public:
  MachineWriter(flow::MachineOp op, const Objects& objects) : op_(op), objects_(objects) {}

  Result<Machine> write();

 protected:
  using Selector::add;
  Result<uint32_t> add(Node node) override {
    const uint32_t result = newRegister(node.type);
    block().instructions.push_back({.node = std::move(node), .result = result});
    return result;
  }

 private:
  Machine::Block& block() { return machine_.blocks[current_]; }
  uint32_t newRegister(Type type) {
    machine_.registers.push_back(type);
    return static_cast<uint32_t>(machine_.registers.size() - 1);
  }
  Status write(mlir::Operation& op);
  Result<int64_t> edge(mlir::Block* target, mlir::ValueRange values);

  flow::MachineOp op_;
  const Objects& objects_;
  Machine machine_;
  llvm::DenseMap<mlir::Block*, int64_t> numbers_;
  size_t current_ = 0;
};

Result<Machine> MachineWriter::write() {
  for (mlir::Block& block : op_.getBody()) {
    numbers_[&block] = static_cast<int64_t>(machine_.blocks.size());
    machine_.blocks.emplace_back();
    for (mlir::BlockArgument argument : block.getArguments()) {
      TET_ASSIGN_OR_RETURN(const Type type, typeOf(argument.getType()));
      places_[argument] = newRegister(type);
    }
  }
  for (mlir::Block& block : op_.getBody()) {
    current_ = static_cast<size_t>(numbers_[&block]);
    for (mlir::Operation& op : block) TET_RETURN_IF_ERROR(write(op));
    // A constant was made where it was needed first; another block may not have come by there.
    for (auto it = places_.begin(); it != places_.end();) {
      auto at = it++;
      if (at->first.getDefiningOp<arith::ConstantOp>()) places_.erase(at);
    }
  }
  return std::move(machine_);
}

// The block to go to with values for its arguments: itself, or one that hands them over first.
Result<int64_t> MachineWriter::edge(mlir::Block* target, mlir::ValueRange values) {
  const int64_t number = numbers_[target];
  if (values.empty()) return number;
  std::vector<uint32_t> from;
  for (Value value : values) {
    TET_ASSIGN_OR_RETURN(const uint32_t place, valueOf(value));
    from.push_back(place);
  }
  // A register of its own for each value in between: arguments may be each other's values.
  Machine::Block handover{.then = number};
  std::vector<Machine::Instruction> last;
  TET_ASSIGN_OR_RETURN(const uint32_t yes, add(Operator::Const, kI1, {}, 1));
  for (auto [argument, place] : llvm::zip(target->getArguments(), from)) {
    const Type type = machine_.registers[place];
    auto copy = [&](uint32_t what, uint32_t to) {
      return Machine::Instruction{
          .node = {.op = Operator::Select, .type = type, .operands = {yes, what, what}}, .result = to};
    };
    const uint32_t between = newRegister(type);
    handover.instructions.push_back(copy(place, between));
    last.push_back(copy(between, places_[argument]));
  }
  handover.instructions.insert(handover.instructions.end(), last.begin(), last.end());
  machine_.blocks.push_back(std::move(handover));
  return static_cast<int64_t>(machine_.blocks.size() - 1);
}

Status MachineWriter::write(mlir::Operation& op) {
  if (mlir::isa<arith::ConstantOp>(op)) return {};
  if (mlir::isa<flow::StopOp>(op)) return {};
  if (auto branch = mlir::dyn_cast<mlir::cf::BranchOp>(op)) {
    TET_ASSIGN_OR_RETURN(const int64_t then, edge(branch.getDest(), branch.getDestOperands()));
    block().then = then;
    return {};
  }
  if (auto branch = mlir::dyn_cast<mlir::cf::CondBranchOp>(op)) {
    TET_ASSIGN_OR_RETURN(const uint32_t condition, valueOf(branch.getCondition()));
    TET_ASSIGN_OR_RETURN(const int64_t then, edge(branch.getTrueDest(), branch.getTrueDestOperands()));
    TET_ASSIGN_OR_RETURN(const int64_t otherwise, edge(branch.getFalseDest(), branch.getFalseDestOperands()));
    block().condition = condition;
    block().then = then;
    block().otherwise = otherwise;
    return {};
  }
  if (auto store = mlir::dyn_cast<flow::StoreOp>(op)) {
    Node node{.object = objects_.memories.lookup(store.getMemory())};
    TET_ASSIGN_OR_RETURN(const uint32_t address, valueOf(store.getAddress()));
    node.operands.push_back(address);
    for (Value value : store.getValues()) {
      TET_ASSIGN_OR_RETURN(const uint32_t lane, valueOf(value));
      node.operands.push_back(lane);
    }
    block().instructions.push_back({.node = std::move(node), .is_store = true});
    return {};
  }
  if (auto load = mlir::dyn_cast<flow::LoadOp>(op)) {
    TET_ASSIGN_OR_RETURN(const Type type, typeOf(load.getType()));
    TET_ASSIGN_OR_RETURN(const uint32_t address, valueOf(load.getAddress()));
    TET_ASSIGN_OR_RETURN(const uint32_t place, add({.op = Operator::Load,
                                                    .type = type,
                                                    .operands = {address},
                                                    .imm = static_cast<uint64_t>(load.getLane()),
                                                    .object = objects_.memories.lookup(load.getMemory())}));
    places_[load.getResult()] = place;
    return {};
  }
  TET_ASSIGN_OR_RETURN(const uint32_t place, select(op));
  places_[op.getResult(0)] = place;
  return {};
}

// --- kernels
// -------------------------------------------------------------------------------------------------------------

class KernelWriter {
 public:
  explicit KernelWriter(flow::KernelOp op) : op_(op) {}

  Result<Kernel> write();

 private:
  Status write(mlir::Operation& op);
  Status addStage(std::string name, std::variant<Nest, Machine> work, mlir::ValueRange after, Value end);

  flow::KernelOp op_;
  Objects objects_;
  Kernel kernel_;
};

Result<Kernel> KernelWriter::write() {
  kernel_.symbol = op_.getSymName().str();
  kernel_.units = {op_.getUnits().begin(), op_.getUnits().end()};
  kernel_.buffers = static_cast<uint32_t>(op_.getBuffers());
  for (mlir::Operation& op : op_.getBody().front()) TET_RETURN_IF_ERROR(write(op));
  return std::move(kernel_);
}

Status KernelWriter::addStage(std::string name, std::variant<Nest, Machine> work, mlir::ValueRange after,
                              Value end) {
  Stage stage{.name = std::move(name), .work = std::move(work)};
  for (Value other : after) stage.after.push_back(objects_.ends.lookup(other));
  llvm::sort(stage.after);
  stage.after.erase(llvm::unique(stage.after), stage.after.end());
  objects_.ends[end] = static_cast<uint32_t>(kernel_.stages.size());
  kernel_.stages.push_back(std::move(stage));
  return {};
}

Status KernelWriter::write(mlir::Operation& op) {
  if (auto stream = mlir::dyn_cast<flow::StreamOp>(op)) {
    TET_ASSIGN_OR_RETURN(const Type type, typeOf(stream.getType().getElement()));
    // A stream that only a port knows has lost its reader: what it brought is not used.
    const bool is_read = llvm::any_of(stream->getUsers(),
                                      [](mlir::Operation* user) { return !mlir::isa<flow::PortOp>(user); });
    if (!is_read) return {};
    objects_.streams[stream] = static_cast<uint32_t>(kernel_.streams.size());
    kernel_.streams.push_back(
        {type, static_cast<uint32_t>(stream.getType().getLanes()), static_cast<uint32_t>(stream.getDepth())});
    return {};
  }
  if (auto port = mlir::dyn_cast<flow::PortOp>(op)) {
    if (!objects_.streams.contains(port.getStream())) return {};
    Port made{.is_input = !port.getIsOutput(),
              .buffer = static_cast<uint32_t>(port.getBuffer()),
              .stream = objects_.streams.lookup(port.getStream()),
              .storage_bytes = static_cast<uint8_t>(port.getStorageBytes()),
              .offset = static_cast<int64_t>(port.getOffset()),
              .unit_strides = {port.getUnitStrides().begin(), port.getUnitStrides().end()}};
    for (auto [extent, stride] : llvm::zip(port.getExtents(), port.getStrides()))
      made.loops.push_back({extent, stride});
    kernel_.ports.push_back(std::move(made));
    return {};
  }
  if (auto memory = mlir::dyn_cast<flow::MemoryOp>(op)) {
    const flow::MemoryType type = memory.getType();
    TET_ASSIGN_OR_RETURN(const Type element, typeOf(type.getElement()));
    Memory made{.type = element,
                .lanes = static_cast<uint32_t>(type.getLanes()),
                .depth = static_cast<uint64_t>(type.getDepth())};
    if (auto data = memory.getData()) {
      for (mlir::Attribute value : data->getValues<mlir::Attribute>()) made.data.push_back(bitsOf(value));
    }
    objects_.memories[memory] = static_cast<uint32_t>(kernel_.memories.size());
    kernel_.memories.push_back(std::move(made));
    return {};
  }
  if (auto nest = mlir::dyn_cast<flow::NestOp>(op)) {
    TET_ASSIGN_OR_RETURN(Nest work, NestWriter(nest, objects_).write());
    return addStage(nest.getName().str(), std::move(work), nest.getAfter(), nest.getEnd());
  }
  if (auto machine = mlir::dyn_cast<flow::MachineOp>(op)) {
    TET_ASSIGN_OR_RETURN(Machine work, MachineWriter(machine, objects_).write());
    return addStage(machine.getName().str(), std::move(work), machine.getAfter(), machine.getEnd());
  }
  return {};  // a constant, which is written where it is used
}

}  // namespace

Result<Kernel> toProgram(flow::KernelOp kernel) { return KernelWriter(kernel).write(); }

}  // namespace tetrarch::fpga
