// A nest as a module: counters of its loops, a pipeline of operators that one enable steps, the flags that go
// with an iteration through it.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "tetrarch/abi/fpga_boxes.h"
#include "tetrarch/abi/fpga_cost.h"
#include "tetrarch/compile/target/fpga/pipeline.h"
#include "tetrarch/compile/target/fpga/sharing.h"
#include "tetrarch/compile/target/fpga/verilog_nest.h"

namespace tetrarch::fpga {
namespace {

constexpr int64_t kFewCells = 64;  // fpga_cells reads more of them two cycles ahead

int64_t bitsFor(int64_t count) {
  return std::max<int64_t>(1, std::bit_width(static_cast<uint64_t>(count - 1)));
}

class NestPrinter {
 public:
  NestPrinter(const Kernel& kernel, const Stage& stage, const std::string& name)
      : kernel_(kernel), nest_(std::get<Nest>(stage.work)) {
    module_.name = name;
  }

  StageModule print();

 private:
  // A signal of a stage, kept as long as later stages ask for it.
  struct Signal {
    std::string name;
    int64_t width = 1;
    int64_t ready = 0;
    std::set<int64_t> takes;  // later stages that do
  };
  template <typename... Args>
  void line(fmt::format_string<Args...> format, Args&&... args) {
    body_ += "  " + fmt::format(format, std::forward<Args>(args)...) + "\n";
  }
  // The expression of a signal `cycle` stages after the iteration's issue.
  std::string at(Signal& signal, int64_t cycle);
  std::string node(uint32_t index, int64_t cycle);
  // A flag that is known at the issue.
  Signal& flag(const std::string& name, const std::string& value);
  std::string inside(const Box& box) const;
  std::string when(Output::When when) const;
  std::string givesAt(const Output& output, int64_t cycle);

  void collect();
  void printCounters();
  void printWait();
  void printPhase();
  void printControl();
  void printSources();
  void printDelay(size_t index);
  void printOperator(const std::vector<uint32_t>& users);
  std::string operandOf(const std::vector<uint32_t>& users, size_t operand);
  void printLoads();
  std::string overtaken(size_t load, const std::string& word);
  void printAccumulators();
  void printAccumulator(size_t index);
  void printOutputs();
  void printWaits();
  std::vector<std::pair<Box, std::string>> popBoxes(uint32_t stream) const;

  const Kernel& kernel_;
  const Nest& nest_;
  StageModule module_;
  std::string body_;
  std::string waits_;
  std::vector<Signal> nodes_;
  std::map<std::string, Signal> flags_;
  std::map<std::pair<uint32_t, int64_t>, std::string> wires_;  // of a node in a stage
  std::vector<std::string> unused_;
  int overtakes_ = 0;
};

std::string NestPrinter::at(Signal& signal, int64_t cycle) {
  if (cycle == signal.ready) return signal.name;
  signal.takes.insert(cycle);
  return fmt::format("{}_at{}", signal.name, cycle);
}

// Wires are put anew into each stage that asks for them: what waits is what they rename.
std::string NestPrinter::node(uint32_t index, int64_t cycle) {
  const Node& it = nest_.nodes[index];
  if (it.op == Operator::Const) return literal(it.type.width, it.imm);
  if (!isWire(nest_.nodes, index)) return at(nodes_[index], cycle);
  const auto [entry, is_new] =
      wires_.try_emplace({index, cycle}, fmt::format("{}_in{}", nodes_[index].name, cycle));
  const std::string name = entry->second;
  if (!is_new) return name;
  std::vector<std::string> operands;
  for (uint32_t operand : it.operands) operands.push_back(node(operand, cycle));
  line("{};", declare(it.type.width, name));
  body_ += fpga::printOperator(it, nest_.nodes[it.operands.back()].type, 0, operands, name, "en", unused_);
  unused_.push_back(name);
  return name;
}

NestPrinter::Signal& NestPrinter::flag(const std::string& name, const std::string& value) {
  auto [entry, is_new] = flags_.try_emplace(name);
  if (is_new) {
    entry->second = {name, 1, 0, {}};
    line("logic {};", name);
    line("assign {} = {};", name, value);
  }
  return entry->second;
}

// Over the loops' indices, at the issue.
std::string NestPrinter::inside(const Box& box) const {
  std::string text;
  for (size_t d = 0; d < box.size(); ++d) {
    const int64_t extent = nest_.loops[d].extent, bits = bitsFor(extent);
    const auto& [low, high] = box[d];
    const auto add = [&](const std::string& condition) { text += (text.empty() ? "" : " && ") + condition; };
    if (high - low == 1 && extent > 1) {
      add(fmt::format("i{} == {}'d{}", d, bits, low));
      continue;
    }
    if (low > 0) add(fmt::format("i{} >= {}'d{}", d, bits, low));
    if (high < extent) add(fmt::format("i{} < {}'d{}", d, bits, high));
  }
  return text.empty() ? "1'b1" : text;
}

std::string NestPrinter::when(Output::When when) const {
  if (when == Output::When::Each) return "1'b1";
  std::string text;
  for (size_t d = 0; d < nest_.loops.size(); ++d) {
    if (nest_.loops[d].is_reduction) text += fmt::format("{}i{}_end", text.empty() ? "" : " && ", d);
  }
  return text.empty() ? "1'b1" : text;
}

void NestPrinter::printCounters() {
  for (size_t d = 0; d < nest_.loops.size(); ++d) {
    const int64_t bits = bitsFor(nest_.loops[d].extent);
    line("{};", declare(bits, fmt::format("i{}", d)));
    line("logic i{}_end;", d);
    line("assign i{0}_end = i{0} == {1}'d{2};", d, bits, nest_.loops[d].extent - 1);
  }
  // A loop steps when all inside of it are at their ends.
  std::string steps = "issue";
  std::string text;
  for (size_t d = nest_.loops.size(); d-- > 0;) {
    line("logic i{}_step;", d);
    line("assign i{}_step = {};", d, steps);
    text += fmt::format("      if (i{0}_step) i{0} <= i{0}_end ? '0 : i{0} + 1'b1;\n", d);
    steps += fmt::format(" && i{}_end", d);
  }
  line("logic last_issue;");
  line("assign last_issue = {};", steps);
  body_ += "\n  always_ff @(posedge clk_i) begin\n    if (!rst_ni) begin\n";
  for (size_t d = 0; d < nest_.loops.size(); ++d) line("    i{} <= '0;", d);
  body_ += "    end else begin\n" + (text.empty() ? "      // no loops\n" : text) + "    end\n  end\n";
}

// Pops of one stream in different boxes are of different iterations.
std::vector<std::pair<Box, std::string>> NestPrinter::popBoxes(uint32_t stream) const {
  std::vector<std::pair<Box, std::string>> boxes;
  for (const Node& node : nest_.nodes) {
    if (node.op != Operator::Pop || node.object != stream) continue;
    const auto same = [&](const auto& known) { return known.first == node.box; };
    if (std::ranges::any_of(boxes, same)) continue;
    boxes.emplace_back(node.box, fmt::format("s{}_box{}", stream, boxes.size()));
  }
  return boxes;
}

void NestPrinter::collect() {
  std::set<uint32_t> pops, pushes, stores;
  for (const Node& node : nest_.nodes) {
    if (node.op == Operator::Pop) pops.insert(node.object);
  }
  for (const Output& output : nest_.outputs) (output.is_store ? stores : pushes).insert(output.object);
  module_.pops.assign(pops.begin(), pops.end());
  module_.pushes.assign(pushes.begin(), pushes.end());
  for (uint32_t memory : stores) {
    uint32_t width = 1;
    for (const Output& output : nest_.outputs) {
      if (output.is_store && output.object == memory)
        width = std::max<uint32_t>(width, nest_.nodes[output.address].type.width);
    }
    module_.writes.push_back({memory, width});
  }
  for (size_t i = 0; i < nest_.nodes.size(); ++i) {
    nodes_.push_back({fmt::format("n{}", i), nest_.nodes[i].type.width, readyCycle(nest_.nodes, i), {}});
  }
}

void NestPrinter::printWait() {
  const int64_t bits = bitsFor(nest_.interval);
  line("{};", declare(bits, "wait_q"));
  body_ += fmt::format(R"(
  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      wait_q <= '0;
    end else if (issue) begin
      wait_q <= {}'d{};
    end else if (en && wait_q != '0) begin
      wait_q <= wait_q - 1'b1;
    end
  end
)",
                       bits, nest_.interval - 1);
}

// In which phase of the interval the nest is, from the first issue on: one bit of them.
void NestPrinter::printPhase() {
  line("{};", declare(nest_.interval, "phase_q"));
  line("logic turns_q;");
  body_ += fmt::format(R"(
  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      phase_q <= {0}'d1;
      turns_q <= 1'b0;
    end else if (en && (issue || turns_q)) begin
      phase_q <= {{phase_q[{1}:0], phase_q[{2}]}};
      turns_q <= 1'b1;
    end
  end
)",
                       nest_.interval, nest_.interval - 2, nest_.interval - 1);
}

void NestPrinter::printControl() {
  body_ += "\n  // ---- an iteration issues, and goes on while the last one finds room\n";
  line("logic en, issue, active_q, blocked;");
  line("logic [{}:1] valid_q, end_q;", nest_.depth);
  printCounters();
  std::string ready = "en && start_i && active_q";
  if (nest_.interval > 1) ready += nest_.shares ? " && phase_q[0]" : " && wait_q == '0";
  std::string pops;
  for (uint32_t stream : module_.pops) {
    std::string takes;
    for (const auto& [box, name] : popBoxes(stream)) {
      line("logic {};", name);
      line("assign {} = {};", name, inside(box));
      takes += (takes.empty() ? "" : " || ") + name;
    }
    line("logic s{}_take;", stream);
    line("assign s{}_take = {};", stream, takes);
    ready += fmt::format(" && (s{0}_valid_i || !s{0}_take)", stream);
    pops += fmt::format("  assign s{0}_ready_o = issue && s{0}_take;\n", stream);
  }
  line("assign issue = {};", ready);
  body_ += pops;
  if (nest_.interval > 1) nest_.shares ? printPhase() : printWait();
  const auto shift = [&](const char* name, const char* first) {
    return nest_.depth == 1
               ? fmt::format("      {}_q <= {};\n", name, first)
               : fmt::format("      {0}_q <= {{{0}_q[{1}:1], {2}}};\n", name, nest_.depth - 1, first);
  };
  body_ +=
      "\n  always_ff @(posedge clk_i) begin\n    if (!rst_ni) begin\n      valid_q <= '0;\n      end_q   <= "
      "'0;\n";
  body_ += "    end else if (en) begin\n" + shift("valid", "issue") + shift("end", "last_issue") +
           "    end\n  end\n";
  body_ += fmt::format(R"(
  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      active_q <= 1'b1;
      ended_o  <= 1'b0;
    end else begin
      if (last_issue) active_q <= 1'b0;
      if (en && end_q[{}]) ended_o <= 1'b1;
    end
  end
)",
                       nest_.depth);
}

// Affine values go along with the loops: when one steps, those inside of it go back to their beginning.
void NestPrinter::printSources() {
  for (size_t n = 0; n < nest_.nodes.size(); ++n) {
    const Node& node = nest_.nodes[n];
    const std::string name = nodes_[n].name;
    if (isWire(nest_.nodes, n)) continue;
    line("{};", declare(node.type.width, name));
    if (node.op == Operator::Inside) line("assign {} = {};", name, inside(node.box));
    if (node.op == Operator::Pop) {
      const int64_t width = node.type.width, low = static_cast<int64_t>(node.imm) * width;
      const std::string beat = fmt::format("s{}_data_i", node.object);
      const bool whole = widthOf(kernel_.streams[node.object]) == width;
      const std::string lane = whole ? beat : fmt::format("{}[{}:{}]", beat, low + width - 1, low);
      std::string box;
      for (const auto& [known, flag] : popBoxes(node.object)) {
        if (known == node.box) box = flag;
      }
      line("assign {} = {} ? {} : '0;", name, box, lane);
    }
    if (node.op != Operator::Affine) continue;
    const uint64_t mask = ~uint64_t{0} >> (64 - node.type.width);
    std::string text;
    uint64_t back = 0;
    for (size_t d = nest_.loops.size(); d-- > 0;) {
      const uint64_t step = static_cast<uint64_t>(node.strides[d]);
      const uint64_t delta = (step - back) & mask;
      if (step * static_cast<uint64_t>(nest_.loops[d].extent - 1) != 0 || back != 0)
        text = fmt::format("      if (i{}_step && !i{}_end) {} <= {} + {};\n", d, d, name, name,
                           literal(node.type.width, delta)) +
               text;
      back += step * static_cast<uint64_t>(nest_.loops[d].extent - 1);
    }
    body_ += fmt::format(
        "  always_ff @(posedge clk_i) begin\n    if (!rst_ni) begin\n      {} <= {};\n    end else begin\n",
        name, literal(node.type.width, static_cast<uint64_t>(node.offset) & mask));
    body_ += (text.empty() ? "      // the same for all\n" : text) + "    end\n  end\n";
  }
}

void NestPrinter::printDelay(size_t index) {
  const Node& it = nest_.nodes[index];
  const std::string step = it.cycle == 0 ? "issue" : fmt::format("en && valid_q[{}]", it.cycle);
  line("fpga_delay #(.Width({}), .Count({})) u_n{} (.clk_i, .rst_ni, .en_i({}), .d_i({}), .q_o(n{}));",
       it.type.width, it.imm, index, step, node(it.operands[0], it.cycle), index);
}

// Of an operator at which nodes take turns: that of the node whose phase it is.
std::string NestPrinter::operandOf(const std::vector<uint32_t>& users, size_t operand) {
  const auto source = [&](uint32_t user) {
    const Node& it = nest_.nodes[user];
    return node(it.operands[operand], it.cycle);
  };
  if (users.size() == 1) return source(users[0]);
  const int64_t width = nest_.nodes[nest_.nodes[users[0]].operands[operand]].type.width;
  std::map<std::string, std::string> phases;  // of each source
  for (uint32_t user : users) {
    std::string& all = phases[source(user)];
    all += fmt::format("{}phase_q[{}]", all.empty() ? "" : " || ", nest_.nodes[user].cycle % nest_.interval);
  }
  std::string text;
  for (const auto& [from, when] : phases)
    text += fmt::format("{}({{{}{{{}}}}} & {})", text.empty() ? "" : " |\n      ", width, when, from);
  const std::string name = fmt::format("{}_take{}", nodes_[users[0]].name, operand);
  line("{};", declare(width, name));
  line("assign {} = {};", name, text);
  return name;
}

void NestPrinter::printOperator(const std::vector<uint32_t>& users) {
  const Node& it = nest_.nodes[users[0]];
  std::vector<std::string> operands;
  for (size_t o = 0; o < it.operands.size(); ++o) operands.push_back(operandOf(users, o));
  const Type type = nest_.nodes[it.operands.back()].type;
  const int latency = costOf(nest_.nodes, users[0]).latency;
  body_ += fpga::printOperator(it, type, latency, operands, nodes_[users[0]].name, "en", unused_);
  for (uint32_t user : users) {
    if (user != users[0]) line("assign {} = {};", nodes_[user].name, nodes_[users[0]].name);
  }
}

// One read port for all lanes of a word.
void NestPrinter::printLoads() {
  std::vector<std::tuple<uint32_t, uint32_t, uint32_t>> known;  // memory, address, cycle
  for (size_t n = 0; n < nest_.nodes.size(); ++n) {
    const Node& it = nest_.nodes[n];
    if (it.op != Operator::Load) continue;
    const std::tuple key(it.object, it.operands[0], it.cycle);
    auto found = std::ranges::find(known, key);
    const size_t port = static_cast<size_t>(found - known.begin());
    if (found == known.end()) {
      known.push_back(key);
      const Type address = nest_.nodes[it.operands[0]].type;
      module_.reads.push_back({it.object, address.width});
      line("assign r{}_addr_o = {};", port, node(it.operands[0], it.cycle));
    }
    const int64_t width = it.type.width, low = static_cast<int64_t>(it.imm) * width;
    const bool whole = widthOf(kernel_.memories[it.object]) == width;
    const std::string word = whole ? fmt::format("r{}_data_i", port)
                                   : fmt::format("r{}_data_i[{}:{}]", port, low + width - 1, low);
    line("assign n{} = {};", n, overtaken(n, word));
  }
}

// A word, or what an earlier iteration had not yet stored when it was read: the last of these that meets it.
std::string NestPrinter::overtaken(size_t load, const std::string& word) {
  const Node& it = nest_.nodes[load];
  const uint32_t address = it.operands[0];
  const int took = costOf(nest_.nodes, load).latency;
  const uint64_t depth = kernel_.memories[it.object].depth;
  std::string text;
  for (const Overtaking& other : overtakingsOf(nest_)) {
    if (other.load != load) continue;
    const Output& store = *other.store;
    const int64_t bits = std::max(nest_.nodes[address].type.width, nest_.nodes[store.address].type.width);
    std::string meets = fmt::format("valid_q[{0}] && {1}'({2}) == {1}'({3})", other.stage, bits,
                                    node(store.address, other.stage), node(address, it.cycle));
    if (const std::string gives = givesAt(store, other.stage); !gives.empty()) meets += " && " + gives;
    if (store.enable >= 0) meets += " && " + node(static_cast<uint32_t>(store.enable), other.stage);
    if (bits >= 64 || depth >> bits == 0)  // beyond the last word nothing is stored
      meets += fmt::format(" && 64'({}) < 64'd{}", node(address, it.cycle), depth);
    const std::string name = fmt::format("n{}_meets{}", load, overtakes_++);
    line("logic {0}_d, {0};", name);
    line("assign {}_d = {};", name, meets);
    line("fpga_pipe #(.Width(1), .Stages({0})) u_{1} (.clk_i, .en_i(en), .d_i({1}_d), .q_o({1}));", took,
         name);
    text += fmt::format("{} ? {} : ", name, node(store.values[it.imm], other.stage + took));
  }
  return text + word;
}

// Whether an iteration in this stage is one that has the output; "" when each is.
std::string NestPrinter::givesAt(const Output& output, int64_t cycle) {
  std::string gives = when(output.when);
  if (const std::string box = inside(output.box); box != "1'b1")
    gives = gives == "1'b1" ? box : gives + " && " + box;
  if (gives == "1'b1") return "";
  return at(flag(fmt::format("o{}", &output - nest_.outputs.data()), gives), cycle);
}

void NestPrinter::printAccumulator(size_t index) {
  const Accumulator& accumulator = nest_.accumulators[index];
  const Node* reader = nullptr;
  for (const Node& it : nest_.nodes) {
    if (it.op == Operator::Acc && it.imm == index) reader = &it;
  }
  if (!reader) return;
  const int64_t cells = cellsOf(nest_);
  const int64_t update = updateStage(nest_, index), ahead = cells > kFewCells ? 2 : 0;
  const int64_t width = reader->type.width;
  std::string first;
  for (size_t d = 0; d < nest_.loops.size(); ++d) {
    if (nest_.loops[d].is_reduction) first += fmt::format("{}i{} == '0", first.empty() ? "" : " && ", d);
  }
  Signal& is_first = flag("first", first.empty() ? "1'b1" : first);
  const std::string cell = fmt::format("a{}", index);
  std::string read = "1'b0", write = "1'b0";
  if (cells > 1) {
    Signal& at_cell = flags_["cell_at"];
    read = at(at_cell, reader->cycle - ahead);
    write = at(at_cell, update);
  }
  line("{};", declare(width, cell));
  std::string updates = fmt::format("valid_q[{}]", update);
  if (update > int64_t{nest_.depth}) {
    updates = cell + "_updates";
    line("logic {};", updates);
    line("fpga_pipe #(.Width(1), .Stages(1)) u_{0} (.clk_i, .en_i(en), .d_i(valid_q[{1}]), .q_o({0}));",
         updates, nest_.depth);
  }
  line("fpga_cells #(.Width({}), .Cells({}), .Few({})) u_{} (", width, cells, kFewCells, cell);
  line("  .clk_i, .en_i(en), .raddr_i({}), .rdata_o({}),", read, cell);
  line("  .we_i({}), .waddr_i({}), .wdata_i({})", updates, write, node(accumulator.update, update));
  line(");");
  for (size_t n = 0; n < nest_.nodes.size(); ++n) {
    const Node& it = nest_.nodes[n];
    if (it.op != Operator::Acc || it.imm != index) continue;
    line("assign n{} = {} ? {} : {};", n, at(is_first, it.cycle), node(accumulator.init, it.cycle), cell);
  }
}

// The number of an iteration's cell, known at the issue.
void NestPrinter::printAccumulators() {
  const int64_t cells = cellsOf(nest_);
  if (!nest_.accumulators.empty() && cells > 1) {
    const int64_t bits = bitsFor(cells);
    flags_["cell_at"] = {"cell_at", bits, 0, {}};
    std::string text;
    int64_t stride = 1;
    size_t outermost = 0;
    while (!nest_.loops[outermost].is_reduction) ++outermost;
    for (size_t d = nest_.loops.size(); d-- > outermost;) {
      if (nest_.loops[d].is_reduction) continue;
      text = (text.empty() ? "" : text + " + ") + fmt::format("{}'(i{}) * {}'d{}", bits, d, bits, stride);
      if (stride == 1) text = fmt::format("{}'(i{})", bits, d);
      stride *= nest_.loops[d].extent;
    }
    line("{};", declare(bits, "cell_at"));
    line("assign cell_at = {};", text);
  }
  for (size_t a = 0; a < nest_.accumulators.size(); ++a) printAccumulator(a);
}

void NestPrinter::printOutputs() {
  body_ += "\n  // ---- what an iteration gives in the last stage\n";
  std::map<std::pair<bool, uint32_t>, std::vector<std::pair<std::string, const Output*>>> outputs;
  std::string blocked;
  for (size_t o = 0; o < nest_.outputs.size(); ++o) {
    const Output& output = nest_.outputs[o];
    std::string now = fmt::format("valid_q[{}]", nest_.depth);
    if (const std::string gives = givesAt(output, nest_.depth); !gives.empty()) now += " && " + gives;
    outputs[{output.is_store, output.object}].emplace_back(now, &output);
    if (!output.is_store)
      blocked += fmt::format("{}({} && !s{}_ready_i)", blocked.empty() ? "" : " || ", now, output.object);
  }
  line("assign blocked = {};", blocked.empty() ? "1'b0" : blocked);
  line("assign en = !blocked;");
  line("assign en_o = en;");
  for (const auto& [key, list] : outputs) {
    const auto [is_store, object] = key;
    std::string valid, data, address;
    for (size_t i = list.size(); i-- > 0;) {
      const auto& [now, output] = list[i];
      std::string gives = now;
      if (output->enable >= 0) gives += " && " + node(static_cast<uint32_t>(output->enable), nest_.depth);
      valid += (valid.empty() ? "(" : " || (") + gives + ")";
      std::string lanes;
      for (uint32_t value : output->values)
        lanes = node(value, nest_.depth) + (lanes.empty() ? "" : ", " + lanes);
      lanes = "{" + lanes + "}";
      int64_t width = 1;
      for (const WritePort& write : module_.writes) {
        if (is_store && write.memory == object) width = write.address_width;
      }
      std::string word = is_store ? fmt::format("{}'({})", width, node(output->address, nest_.depth)) : "";
      data = data.empty() ? lanes : fmt::format("{} ? {} : {}", now, lanes, data);
      address = address.empty() ? word : fmt::format("{} ? {} : {}", now, word, address);
    }
    if (is_store) {
      line("assign m{}_we_o = en && ({});", object, valid);
      line("assign m{}_addr_o = {};", object, address);
      line("assign m{}_data_o = {};", object, data);
    } else {
      line("assign s{}_valid_o = en && ({});", object, valid);
      line("assign s{}_data_o = {};", object, data);
    }
  }
}

// What later stages still need, from one that does to the next.
void NestPrinter::printWaits() {
  body_ += "\n  // ---- values on their way\n";
  std::string text;
  bool has_lines = false;
  const auto add = [&](const Signal& signal) {
    std::string from = signal.name;
    int64_t since = signal.ready;
    for (const int64_t take : signal.takes) {
      const std::string to = fmt::format("{}_at{}", signal.name, take);
      line("{};", declare(signal.width, to));
      const bool is_line = take - since >= kLeastLine;
      has_lines |= is_line;
      text += fmt::format("  {} #(.Width({}), .Stages({})) u_{} (.clk_i, .en_i(en), {}.d_i({}), .q_o({}));\n",
                          is_line ? "fpga_wait" : "fpga_pipe", signal.width, take - since, to,
                          is_line ? ".word_i(word_q), " : "", from, to);
      from = to, since = take;
    }
  };
  for (const Signal& signal : nodes_) add(signal);
  for (const auto& [name, signal] : flags_) add(signal);
  if (has_lines) {
    line("logic [3:0] word_q;");
    text += R"(
  always_ff @(posedge clk_i) begin
    if (!rst_ni) word_q <= '0;
    else if (en) word_q <= word_q + 1'b1;
  end
)";
    unused_.push_back("word_q");
  }
  waits_ = "\n" + text;
}

StageModule NestPrinter::print() {
  collect();
  printControl();
  body_ += "\n  // ---- the body\n";
  printSources();
  printLoads();
  printAccumulators();
  for (size_t n = 0; n < nest_.nodes.size(); ++n) {
    if (nest_.nodes[n].op == Operator::Delay) printDelay(n);
  }
  for (const std::vector<uint32_t>& users : operatorsOf(nest_)) {
    if (!isWire(nest_.nodes, users[0])) printOperator(users);
  }
  printOutputs();
  // Declared before they are used.
  std::string text = std::move(body_);
  body_.clear();
  printWaits();
  for (size_t n = 0; n < nodes_.size(); ++n) {
    if (!isWire(nest_.nodes, n)) unused_.push_back(nodes_[n].name);
  }
  std::string tail;
  for (const std::string& name : unused_) tail += (tail.empty() ? "" : ", ") + name;
  for (uint32_t stream : module_.pops) tail += fmt::format("{}s{}_data_i", tail.empty() ? "" : ", ", stream);
  for (size_t r = 0; r < module_.reads.size(); ++r)
    tail += fmt::format("{}r{}_data_i", tail.empty() ? "" : ", ", r);
  tail += fmt::format("{}valid_q, end_q", tail.empty() ? "" : ", ");
  const size_t place = text.find("\n  // ---- the body\n");
  text.insert(place, body_);
  module_.text = stageHeader(kernel_, module_) + text + waits_ +
                 fmt::format("\n  logic unused;\n  assign unused = ^{{{}}};\n\nendmodule\n", tail);
  return std::move(module_);
}

}  // namespace

std::string stageHeader(const Kernel& kernel, const StageModule& module) {
  std::string text = fmt::format(
      "module {} (\n  input  logic clk_i,\n  input  logic rst_ni,\n  input  logic start_i,\n", module.name);
  const auto port = [&](const char* direction, int64_t width, const std::string& name) {
    text += fmt::format("  {:<6} {},\n", direction, declare(width, name));
  };
  for (uint32_t stream : module.pops) {
    port("input", 1, fmt::format("s{}_valid_i", stream));
    port("output", 1, fmt::format("s{}_ready_o", stream));
    port("input", widthOf(kernel.streams[stream]), fmt::format("s{}_data_i", stream));
  }
  for (uint32_t stream : module.pushes) {
    port("output", 1, fmt::format("s{}_valid_o", stream));
    port("input", 1, fmt::format("s{}_ready_i", stream));
    port("output", widthOf(kernel.streams[stream]), fmt::format("s{}_data_o", stream));
  }
  for (size_t r = 0; r < module.reads.size(); ++r) {
    port("output", module.reads[r].address_width, fmt::format("r{}_addr_o", r));
    port("input", widthOf(kernel.memories[module.reads[r].memory]), fmt::format("r{}_data_i", r));
  }
  for (const WritePort& write : module.writes) {
    port("output", 1, fmt::format("m{}_we_o", write.memory));
    port("output", write.address_width, fmt::format("m{}_addr_o", write.memory));
    port("output", widthOf(kernel.memories[write.memory]), fmt::format("m{}_data_o", write.memory));
  }
  return text + "  output logic en_o,  // steps what the stage reads\n  output logic ended_o\n);\n";
}

StageModule printNest(const Kernel& kernel, const Stage& stage, const std::string& name) {
  return NestPrinter(kernel, stage, name).print();
}

}  // namespace tetrarch::fpga
