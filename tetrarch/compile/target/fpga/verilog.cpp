#include "tetrarch/compile/target/fpga/verilog.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <set>

#include "tetrarch/compile/target/fpga/verilog_nest.h"

namespace tetrarch::fpga {
namespace {

struct LibraryModule {
  const char *name, *text;
};
// rtl/fpga/*.sv, which CMake writes into a header.
constexpr LibraryModule kLibrary[] = {
#include "tetrarch/compile/target/fpga/library.inc"
};

// The name of a stage as a module's.
class KernelPrinter {
 public:
  KernelPrinter(const Kernel& kernel, const std::string& top) : kernel_(kernel), top_(top) {}

  std::string print();

 private:
  template <typename... Args>
  void line(fmt::format_string<Args...> format, Args&&... args) {
    body_ += "  " + fmt::format(format, std::forward<Args>(args)...) + "\n";
  }
  std::string header() const;
  int64_t portWidth(const Port& port) const { return (widthOf(kernel_.streams[port.stream]) + 7) / 8 * 8; }
  void printStreams();
  void printMemories();
  void printStage(size_t stage);
  void printPort(size_t port);
  void printDone();

  const Kernel& kernel_;
  const std::string& top_;
  std::vector<StageModule> stages_;
  std::string body_;
};

std::string KernelPrinter::header() const {
  std::string text = fmt::format("module {} (\n  input  logic clk_i,\n  input  logic rst_ni,\n", top_);
  for (size_t p = 0; p < kernel_.ports.size(); ++p) {
    const Port& port = kernel_.ports[p];
    const char *from = port.is_input ? "input " : "output", *to = port.is_input ? "output" : "input ";
    const std::string name = fmt::format("{}_axis_{}", port.is_input ? "s" : "m", p);
    text += fmt::format("  {} logic {}_tvalid,\n  {} logic {}_tready,\n", from, name, to, name);
    text += fmt::format("  {} {},\n", from, declare(portWidth(port), name + "_tdata"));
    if (!port.is_input) text += fmt::format("  output logic {}_tlast,\n", name);
  }
  return text + "  output logic done_o\n);\n\n";
}

void KernelPrinter::printStreams() {
  for (size_t k = 0; k < kernel_.streams.size(); ++k) {
    const Stream& stream = kernel_.streams[k];
    line("logic s{0}_wvalid, s{0}_wready, s{0}_rvalid, s{0}_rready;", k);
    line("{};", declare(widthOf(stream), fmt::format("s{}_wdata, s{}_rdata", k, k)));
    line("fpga_fifo #(.Width({}), .Depth({})) u_s{} (", widthOf(stream), stream.depth, k);
    line("  .clk_i, .rst_ni, .wvalid_i(s{0}_wvalid), .wready_o(s{0}_wready), .wdata_i(s{0}_wdata),", k);
    line("  .rvalid_o(s{0}_rvalid), .rready_i(s{0}_rready), .rdata_o(s{0}_rdata)", k);
    line(");");
  }
}

// What is written to a memory goes to each of its copies; never do two stages write at once.
void KernelPrinter::printMemories() {
  for (size_t k = 0; k < kernel_.memories.size(); ++k) {
    const Memory& memory = kernel_.memories[k];
    uint32_t address = 1;
    std::string we, addr, data;
    for (size_t s = 0; s < stages_.size(); ++s) {
      for (const ReadPort& read : stages_[s].reads) {
        if (read.memory == k) address = std::max(address, read.address_width);
      }
      for (const WritePort& write : stages_[s].writes) {
        if (write.memory == k) address = std::max(address, write.address_width);
      }
    }
    for (size_t s = 0; s < stages_.size(); ++s) {
      for (const WritePort& write : stages_[s].writes) {
        if (write.memory != k) continue;
        const std::string name = fmt::format("t{}_m{}", s, k);
        we += (we.empty() ? "" : " || ") + name + "_we";
        const std::string wide = fmt::format("{}'({}_addr)", address, name);
        addr = addr.empty() ? wide : fmt::format("{}_we ? {} : {}", name, wide, addr);
        data = data.empty() ? name + "_data" : fmt::format("{}_we ? {}_data : {}", name, name, data);
      }
    }
    line("logic m{}_we;", k);
    line("{};", declare(address, fmt::format("m{}_addr", k)));
    line("{};", declare(widthOf(memory), fmt::format("m{}_data", k)));
    line("assign m{}_we = {};", k, we.empty() ? "1'b0" : we);
    line("assign m{}_addr = {};", k, addr.empty() ? "'0" : addr);
    line("assign m{}_data = {};", k, data.empty() ? "'0" : data);
    std::string rom;
    if (!memory.data.empty()) {
      for (size_t i = memory.data.size(); i-- > 0;)
        rom += (rom.empty() ? "" : ", ") + literal(memory.type.width, memory.data[i]);
      rom = fmt::format(", .HasData(1'b1), .Data({{{}}})", rom);
    }
    for (size_t s = 0; s < stages_.size(); ++s) {
      for (size_t r = 0; r < stages_[s].reads.size(); ++r) {
        if (stages_[s].reads[r].memory != k) continue;
        line("fpga_memory #(.Width({}), .Depth({}), .AddrW({}){}) u_m{}_t{}_r{} (", widthOf(memory),
             memory.depth, address, rom, k, s, r);
        line("  .clk_i, .en_i(t{0}_en), .raddr_i({1}'(t{0}_r{2}_addr)), .rdata_o(t{0}_r{2}_data),", s,
             address, r);
        line("  .we_i(m{0}_we), .waddr_i(m{0}_addr), .wdata_i(m{0}_data)", k);
        line(");");
      }
    }
  }
}

void KernelPrinter::printStage(size_t s) {
  const StageModule& stage = stages_[s];
  std::string start;
  for (uint32_t before : kernel_.stages[s].after)
    start += fmt::format("{}t{}_ended", start.empty() ? "" : " && ", before);
  std::string pins;
  for (uint32_t k : stage.pops)
    pins += fmt::format(
        "    .s{0}_valid_i(s{0}_rvalid), .s{0}_ready_o(s{0}_rready), .s{0}_data_i(s{0}_rdata),\n", k);
  for (uint32_t k : stage.pushes)
    pins += fmt::format(
        "    .s{0}_valid_o(s{0}_wvalid), .s{0}_ready_i(s{0}_wready), .s{0}_data_o(s{0}_wdata),\n", k);
  for (size_t r = 0; r < stage.reads.size(); ++r)
    pins += fmt::format("    .r{0}_addr_o(t{1}_r{0}_addr), .r{0}_data_i(t{1}_r{0}_data),\n", r, s);
  for (const WritePort& write : stage.writes)
    pins += fmt::format(
        "    .m{0}_we_o(t{1}_m{0}_we), .m{0}_addr_o(t{1}_m{0}_addr), .m{0}_data_o(t{1}_m{0}_data),\n",
        write.memory, s);
  line("{} u_{} (", stage.name, kernel_.stages[s].name);
  line("  .clk_i, .rst_ni, .start_i({}),", start.empty() ? "1'b1" : start);
  body_ += pins;
  line("  .en_o(t{0}_en), .ended_o(t{0}_ended)", s);
  line(");");
}

void KernelPrinter::printPort(size_t p) {
  const Port& port = kernel_.ports[p];
  const int64_t width = widthOf(kernel_.streams[port.stream]);
  if (port.is_input) {
    line("assign s{}_wvalid = s_axis_{}_tvalid;", port.stream, p);
    line("assign s_axis_{}_tready = s{}_wready;", p, port.stream);
    line("assign s{}_wdata = {}'(s_axis_{}_tdata);", port.stream, width, p);
    return;
  }
  int64_t beats = 1;
  for (const Port::Loop& loop : port.loops) beats *= loop.extent;
  beats /= kernel_.streams[port.stream].lanes;
  const int64_t bits = std::max<int64_t>(1, std::bit_width(static_cast<uint64_t>(beats)));
  line("{};", declare(bits, fmt::format("p{}_sent_q", p)));
  line("logic p{0}_sent, p{0}_all;", p);
  line("assign m_axis_{}_tvalid = s{}_rvalid;", p, port.stream);
  line("assign s{}_rready = m_axis_{}_tready;", port.stream, p);
  line("assign m_axis_{}_tdata = {}'(s{}_rdata);", p, portWidth(port), port.stream);
  line("assign m_axis_{0}_tlast = p{0}_sent_q == {1}'d{2};", p, bits, beats - 1);
  line("assign p{}_sent = s{}_rvalid && m_axis_{}_tready;", p, port.stream, p);
  line("assign p{0}_all = p{0}_sent_q == {1}'d{2};", p, bits, beats);
  line("always_ff @(posedge clk_i) begin");
  line("  if (!rst_ni) p{}_sent_q <= '0;", p);
  line("  else if (p{0}_sent) p{0}_sent_q <= p{0}_sent_q + 1'b1;", p);
  line("end");
}

void KernelPrinter::printDone() {
  std::string all;
  for (size_t s = 0; s < stages_.size(); ++s) all += fmt::format("{}t{}_ended", all.empty() ? "" : " && ", s);
  for (size_t p = 0; p < kernel_.ports.size(); ++p) {
    if (!kernel_.ports[p].is_input) all += fmt::format("{}p{}_all", all.empty() ? "" : " && ", p);
  }
  line("assign done_o = {};", all.empty() ? "1'b1" : all);
}

std::string KernelPrinter::print() {
  std::string modules;
  for (const Stage& stage : kernel_.stages) {
    const std::string name = top_ + "_" + stage.name;
    stages_.push_back(std::holds_alternative<Nest>(stage.work) ? printNest(kernel_, stage, name)
                                                               : printMachine(kernel_, stage, name));
    modules += stages_.back().text + "\n";
  }
  printStreams();
  for (size_t s = 0; s < stages_.size(); ++s) {
    line("logic t{0}_en, t{0}_ended;", s);
    for (size_t r = 0; r < stages_[s].reads.size(); ++r) {
      line("{};", declare(stages_[s].reads[r].address_width, fmt::format("t{}_r{}_addr", s, r)));
      line("{};",
           declare(widthOf(kernel_.memories[stages_[s].reads[r].memory]), fmt::format("t{}_r{}_data", s, r)));
    }
    for (const WritePort& write : stages_[s].writes) {
      line("logic t{}_m{}_we;", s, write.memory);
      line("{};", declare(write.address_width, fmt::format("t{}_m{}_addr", s, write.memory)));
      line("{};",
           declare(widthOf(kernel_.memories[write.memory]), fmt::format("t{}_m{}_data", s, write.memory)));
    }
  }
  printMemories();
  for (size_t s = 0; s < stages_.size(); ++s) printStage(s);
  for (size_t p = 0; p < kernel_.ports.size(); ++p) printPort(p);
  printDone();
  std::string unused;
  for (size_t s = 0; s < stages_.size(); ++s)
    unused += fmt::format("{}t{}_en", unused.empty() ? "" : ", ", s);
  for (size_t p = 0; p < kernel_.ports.size(); ++p) {
    if (kernel_.ports[p].is_input) unused += fmt::format("{}s_axis_{}_tdata", unused.empty() ? "" : ", ", p);
  }
  for (size_t k = 0; k < kernel_.memories.size(); ++k)
    unused += fmt::format(", m{0}_we, m{0}_addr, m{0}_data", k);
  body_ += fmt::format("\n  logic unused;\n  assign unused = ^{{{}}};\n", unused.empty() ? "rst_ni" : unused);
  return modules + header() + body_ + "\nendmodule\n";
}

}  // namespace

std::string libraryFor(const std::string& text) {
  std::string library;
  std::set<std::string> taken;
  // A module is used where its name stands before its parameters or its instance.
  const std::function<void(std::string_view)> take = [&](std::string_view user) {
    for (const LibraryModule& module : kLibrary) {
      const std::string name = module.name;
      if (taken.contains(name)) continue;
      if (user.find(name + " ") == std::string_view::npos ||
          user.find("module " + name + " ") != std::string_view::npos)
        continue;
      taken.insert(name);
      take(module.text);
      library += module.text;
      library += "\n";
    }
  };
  take(text);
  return library;
}

std::string printVerilog(const Kernel& kernel, const std::string& top) {
  const std::string text = KernelPrinter(kernel, top).print();
  return "// One file has all modules.\n// verilator lint_off DECLFILENAME\n\n" + libraryFor(text) + text;
}

}  // namespace tetrarch::fpga
