// What the printers of stages and of the module around them share. Private to verilog*.cpp.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "tetrarch/abi/fpga_program.h"

namespace tetrarch::fpga {

// How a stage reads a memory: each has a copy of its own, which this stage's enable steps.
struct ReadPort {
  uint32_t memory = 0;
  uint32_t address_width = 1;
};
struct WritePort {
  uint32_t memory = 0;
  uint32_t address_width = 1;
};

// A stage's module. Its ports: clk_i, rst_ni, start_i, ended_o (from the cycle after its end on), en_o where
// it reads memories; s<k>_valid_i, s<k>_ready_o, s<k>_data_i of stream k that it pops, s<k>_valid_o,
// s<k>_ready_i, s<k>_data_o where it pushes; r<j>_addr_o, r<j>_data_i of its j-th read port; m<k>_we_o,
// m<k>_addr_o, m<k>_data_o of memory k.
struct StageModule {
  std::string name, text;
  std::vector<uint32_t> pops, pushes;
  std::vector<ReadPort> reads;
  std::vector<WritePort> writes;
};

StageModule printNest(const Kernel& kernel, const Stage& stage, const std::string& name);
StageModule printMachine(const Kernel& kernel, const Stage& stage, const std::string& name);

// The header of a stage's module, up to the end of its ports.
std::string stageHeader(const Kernel& kernel, const StageModule& module);

inline int64_t widthOf(const Stream& stream) { return int64_t{stream.lanes} * stream.type.width; }
inline int64_t widthOf(const Memory& memory) { return int64_t{memory.lanes} * memory.type.width; }
// "logic [31:0] name", "logic name".
std::string declare(int64_t width, const std::string& name);
std::string literal(int64_t width, uint64_t bits);

// An operator: `result` is declared by the caller, operands are expressions that may be indexed unless they
// are literals; one that is an expression gets registers for its latency. `enable` steps its registers. Adds
// signals that nobody reads to `unused`.
std::string printOperator(const Node& node, Type operand, int latency,
                          const std::vector<std::string>& operands, const std::string& result,
                          const std::string& enable, std::vector<std::string>& unused);

}  // namespace tetrarch::fpga
