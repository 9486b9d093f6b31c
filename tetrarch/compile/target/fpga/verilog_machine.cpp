// A machine as a module: a state a cycle of a block, registers, and operators. Cheap operators are there as
// often as they are written; of each other one there is one, whose operands the state chooses. So the
// schedule has it.
#include <fmt/format.h>

#include <algorithm>

#include "tetrarch/abi/fpga_cost.h"
#include "tetrarch/compile/target/fpga/schedule.h"
#include "tetrarch/compile/target/fpga/verilog_nest.h"

namespace tetrarch::fpga {
namespace {

class MachinePrinter {
 public:
  MachinePrinter(const Kernel& kernel, const Stage& stage, const std::string& name)
      : kernel_(kernel),
        machine_(std::get<Machine>(stage.work)),
        defined_(machine_.registers.size(), 0),
        constant_(machine_.registers.size()) {
    module_.name = name;
  }

  StageModule print();

 private:
  using Instruction = Machine::Instruction;
  struct Place {  // of an instruction
    const Instruction* instruction;
    size_t block, number;
    int64_t state, ready;  // when it starts, and when its result is there
  };
  // What the states choose from; the first that is on wins.
  struct Choice {
    int64_t state;
    std::string value;
  };

  template <typename... Args>
  void line(fmt::format_string<Args...> format, Args&&... args) {
    body_ += "  " + fmt::format(format, std::forward<Args>(args)...) + "\n";
  }
  std::string in(int64_t state) const { return fmt::format("state_q == {}'d{}", bits_, state); }
  std::string choose(const std::vector<Choice>& choices) const;
  Type operandType(const Instruction& instruction) const {
    const Node& node = instruction.node;
    return node.operands.empty() ? node.type : machine_.registers[node.operands.back()];
  }
  int latencyOf(const Instruction& instruction) const {
    return costOf(instruction.node.op, instruction.node.type, operandType(instruction)).latency;
  }
  std::string read(uint32_t reg, size_t block, size_t before, int64_t state) const;
  std::string operand(const Place& place, size_t i) const {
    return read(place.instruction->node.operands[i], place.block, place.number, place.state);
  }
  void number();
  void printAlone(const Place& place);
  void printShared(const std::vector<const Place*>& users);
  void printReads();
  void printWrites();
  void printRegisters();
  void printStates();

  const Kernel& kernel_;
  const Machine& machine_;
  StageModule module_;
  std::string body_;
  std::vector<Place> places_;
  std::vector<int64_t> first_;  // state of each block
  std::vector<int> defined_;    // how often a register is written
  std::vector<const Node*> constant_;
  std::vector<std::string> unused_;
  int64_t states_ = 0, bits_ = 1;
};

std::string MachinePrinter::choose(const std::vector<Choice>& choices) const {
  std::string text;
  for (size_t i = 0; i < choices.size(); ++i) {
    if (i + 1 == choices.size()) return text + choices[i].value;
    text += fmt::format("{} ? {} :\n      ", in(choices[i].state), choices[i].value);
  }
  return "'0";
}

void MachinePrinter::number() {
  for (const Machine::Block& block : machine_.blocks) {
    first_.push_back(states_);
    states_ += block.cycles;
  }
  bits_ = std::max<int64_t>(1, std::bit_width(static_cast<uint64_t>(states_ - 1)));
  for (size_t b = 0; b < machine_.blocks.size(); ++b) {
    for (const Instruction& instruction : machine_.blocks[b].instructions) {
      const int64_t state = first_[b] + instruction.node.cycle;
      int64_t ready = state;
      if (!instruction.is_store) {
        ready += latencyOf(instruction);
        ++defined_[instruction.result];
        if (instruction.node.op == Operator::Const) constant_[instruction.result] = &instruction.node;
      }
      places_.push_back({&instruction, b, places_.size(), state, ready});
    }
  }
}

// A register's value in a state: a constant, what an operator gives just then, or what is kept.
std::string MachinePrinter::read(uint32_t reg, size_t block, size_t before, int64_t state) const {
  if (defined_[reg] == 1 && constant_[reg]) return literal(constant_[reg]->type.width, constant_[reg]->imm);
  for (size_t k = before; k-- > 0 && places_[k].block == block;) {
    const Place& place = places_[k];
    if (place.instruction->is_store || place.instruction->result != reg) continue;
    if (place.ready == state) return fmt::format("x{}", place.number);
    break;
  }
  return fmt::format("r{}", reg);
}

void MachinePrinter::printAlone(const Place& place) {
  const Node& node = place.instruction->node;
  const std::string name = fmt::format("x{}", place.number);
  if (node.op == Operator::Const) {
    if (defined_[place.instruction->result] == 1) return;
    line("{};", declare(node.type.width, name));
    line("assign {} = {};", name, literal(node.type.width, node.imm));
    return;
  }
  std::vector<std::string> operands;
  for (size_t i = 0; i < node.operands.size(); ++i) operands.push_back(operand(place, i));
  line("{};", declare(node.type.width, name));
  body_ += printOperator(node, operandType(*place.instruction), latencyOf(*place.instruction), operands, name,
                         "1'b1", unused_);
  unused_.push_back(name);
}

void MachinePrinter::printShared(const std::vector<const Place*>& users) {
  const Node& node = users[0]->instruction->node;
  const std::string name = fmt::format("y{}", users[0]->number);
  std::vector<std::string> operands;
  for (size_t i = 0; i < node.operands.size(); ++i) {
    std::vector<Choice> choices;
    for (const Place* user : users) choices.push_back({user->state, operand(*user, i)});
    operands.push_back(fmt::format("{}_{}", name, i));
    line("{};", declare(machine_.registers[node.operands[i]].width, operands.back()));
    line("assign {} = {};", operands.back(), choose(choices));
  }
  line("{};", declare(node.type.width, name));
  body_ += printOperator(node, operandType(*users[0]->instruction), latencyOf(*users[0]->instruction),
                         operands, name, "1'b1", unused_);
  for (const Place* user : users) {
    line("{};", declare(node.type.width, fmt::format("x{}", user->number)));
    line("assign x{} = {};", user->number, name);
    unused_.push_back(fmt::format("x{}", user->number));
  }
}

void MachinePrinter::printReads() {
  for (uint32_t m = 0; m < kernel_.memories.size(); ++m) {
    std::vector<Choice> addresses;
    uint32_t width = 1;
    const size_t port = module_.reads.size();
    for (const Place& place : places_) {
      const Node& node = place.instruction->node;
      if (place.instruction->is_store || node.op != Operator::Load || node.object != m) continue;
      width = std::max<uint32_t>(width, machine_.registers[node.operands[0]].width);
      const int64_t bits = node.type.width, low = static_cast<int64_t>(node.imm) * bits;
      line("{};", declare(bits, fmt::format("x{}", place.number)));
      const bool whole = widthOf(kernel_.memories[m]) == bits;
      line("assign x{} = {};", place.number,
           whole ? fmt::format("r{}_data_i", port)
                 : fmt::format("r{}_data_i[{}:{}]", port, low + bits - 1, low));
      unused_.push_back(fmt::format("x{}", place.number));
    }
    for (const Place& place : places_) {
      const Node& node = place.instruction->node;
      if (place.instruction->is_store || node.op != Operator::Load || node.object != m) continue;
      addresses.push_back({place.state, fmt::format("{}'({})", width, operand(place, 0))});
    }
    if (addresses.empty()) continue;
    module_.reads.push_back({m, width});
    line("assign r{}_addr_o = {};", port, choose(addresses));
  }
}

void MachinePrinter::printWrites() {
  for (uint32_t m = 0; m < kernel_.memories.size(); ++m) {
    std::vector<Choice> addresses, data;
    std::string now;
    uint32_t width = 1;
    for (const Place& place : places_) {
      if (place.instruction->is_store && place.instruction->node.object == m)
        width = std::max<uint32_t>(width, machine_.registers[place.instruction->node.operands[0]].width);
    }
    for (const Place& place : places_) {
      if (!place.instruction->is_store || place.instruction->node.object != m) continue;
      std::string lanes;
      for (size_t i = 1; i < place.instruction->node.operands.size(); ++i)
        lanes = operand(place, i) + (lanes.empty() ? "" : ", " + lanes);
      addresses.push_back({place.state, fmt::format("{}'({})", width, operand(place, 0))});
      data.push_back({place.state, "{" + lanes + "}"});
      now += (now.empty() ? "" : " || ") + in(place.state);
    }
    if (addresses.empty()) continue;
    module_.writes.push_back({m, width});
    line("assign m{}_we_o = active && ({});", m, now);
    line("assign m{}_addr_o = {};", m, choose(addresses));
    line("assign m{}_data_o = {};", m, choose(data));
  }
}

void MachinePrinter::printRegisters() {
  std::string reset, steps;
  for (size_t r = 0; r < machine_.registers.size(); ++r) {
    if (defined_[r] == 1 && constant_[r]) continue;
    line("{};", declare(machine_.registers[r].width, fmt::format("r{}", r)));
    reset += fmt::format("      r{} <= '0;\n", r);
    unused_.push_back(fmt::format("r{}", r));
  }
  for (const Place& place : places_) {
    if (place.instruction->is_store) continue;
    const uint32_t result = place.instruction->result;
    if (defined_[result] == 1 && constant_[result]) continue;
    steps += fmt::format("      if ({}) r{} <= x{};\n", in(place.ready), result, place.number);
  }
  if (reset.empty()) return;
  module_.text = "\n  always_ff @(posedge clk_i) begin\n    if (!rst_ni) begin\n" + reset +
                 "    end else if (active) begin\n" + (steps.empty() ? "      // nothing is kept\n" : steps) +
                 "    end\n  end\n";
}

void MachinePrinter::printStates() {
  std::string text;
  for (size_t b = 0; b < machine_.blocks.size(); ++b) {
    const Machine::Block& block = machine_.blocks[b];
    const int64_t last = first_[b] + block.cycles - 1;
    const auto go = [&](int64_t to) {
      return to < 0 ? std::string("ended_o <= 1'b1;")
                    : fmt::format("state_q <= {}'d{};", bits_, first_[static_cast<size_t>(to)]);
    };
    const std::string at = fmt::format("        {}'d{}: ", bits_, last);
    if (block.condition < 0) {
      text += at + go(block.then) + "\n";
      continue;
    }
    size_t end = 0;
    while (end < places_.size() && places_[end].block <= b) ++end;
    const std::string condition = read(static_cast<uint32_t>(block.condition), b, end, last);
    text += fmt::format("{}if ({}) {} else {}\n", at, condition, go(block.then), go(block.otherwise));
  }
  body_ +=
      "\n  always_ff @(posedge clk_i) begin\n    if (!rst_ni) begin\n      state_q <= '0;\n      ended_o <= "
      "1'b0;\n";
  body_ += "    end else if (active) begin\n      case (state_q)\n" + text +
           "        default: state_q <= state_q + 1'b1;\n      endcase\n    end\n  end\n";
}

StageModule MachinePrinter::print() {
  number();
  line("{};", declare(bits_, "state_q"));
  line("logic active;");
  line("assign active = start_i && !ended_o;");
  line("assign en_o = 1'b1;");
  printRegisters();
  const std::string kept = std::move(module_.text);
  printReads();
  std::vector<std::vector<const Place*>> shared;
  // What an operator takes may come from one of a block before it in the text, or of this one.
  for (const Place& place : places_) {
    const Node& node = place.instruction->node;
    if (place.instruction->is_store || node.op == Operator::Load) continue;
    if (!isShared(node, operandType(*place.instruction))) continue;
    auto same = std::ranges::find_if(shared, [&](const auto& users) {
      const Instruction& other = *users[0]->instruction;
      return other.node.op == node.op && other.node.type == node.type &&
             operandType(other) == operandType(*place.instruction);
    });
    if (same == shared.end())
      shared.push_back({&place});
    else
      same->push_back(&place);
  }
  std::string operators = std::move(body_);
  body_.clear();
  for (const Place& place : places_) {
    const Node& node = place.instruction->node;
    if (place.instruction->is_store || node.op == Operator::Load ||
        isShared(node, operandType(*place.instruction)))
      continue;
    printAlone(place);
  }
  for (const auto& users : shared) printShared(users);
  printWrites();
  printStates();
  // All signals first: operators are in the order of the program and of their kinds, not of their use.
  std::string declarations, rest;
  size_t at = 0;
  const std::string all = operators + body_ + kept;
  while (at < all.size()) {
    size_t end = all.find('\n', at);
    end = end == std::string::npos ? all.size() : end + 1;
    const std::string_view text(all.data() + at, end - at);
    (text.starts_with("  logic ") ? declarations : rest) += text;
    at = end;
  }
  std::string tail = "rst_ni";
  for (const std::string& name : unused_) tail += ", " + name;
  for (size_t r = 0; r < module_.reads.size(); ++r) tail += fmt::format(", r{}_data_i", r);
  module_.text = stageHeader(kernel_, module_) + declarations + "\n" + rest +
                 fmt::format("\n  logic unused;\n  assign unused = ^{{{}}};\n\nendmodule\n", tail);
  return std::move(module_);
}

}  // namespace

StageModule printMachine(const Kernel& kernel, const Stage& stage, const std::string& name) {
  return MachinePrinter(kernel, stage, name).print();
}

}  // namespace tetrarch::fpga
