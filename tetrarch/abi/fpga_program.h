// What a blob of format "fpga" says, as C++ structs: kernels, each a network of stages that streams and
// memories join. rtl/fpga/README.md says what a kernel computes and how many cycles it takes; fpga_ops.def
// lists the operators. The compiler writes programs and prints them as SystemVerilog, the twin in
// devices/fpga/ runs them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "tetrarch/base/status.h"

namespace tetrarch::fpga {

enum class Operator : uint8_t {
#define FPGA_OPERATOR(id, name, operands, domain, meaning) id,
#include "tetrarch/abi/fpga_ops.def"
};

enum class Domain : uint8_t { Source, Int, Float, Compare, Convert };

struct OperatorInfo {
  const char* name;
  int operands;
  Domain domain;
};
const OperatorInfo& operatorInfo(Operator op);
inline constexpr int kOperators = 0
#define FPGA_OPERATOR(id, name, operands, domain, meaning) +1
#include "tetrarch/abi/fpga_ops.def"
    ;

// An integer of 1 to 64 bits, or a float of IEEE 754's layout (f32: 8 and 23, bf16: 8 and 7, f16: 5 and 10).
// A value is its bits in the low end of a uint64_t, zeros above.
struct Type {
  uint8_t width = 1;
  uint8_t exponent = 0;  // bits of a float's exponent; 0: an integer
  bool isFloat() const { return exponent != 0; }
  int mantissa() const { return width - 1 - exponent; }
  bool operator==(const Type&) const = default;
};
inline constexpr Type kI1{1, 0}, kF16{16, 5}, kBf16{16, 8}, kF32{32, 8};

// A tensor's way in or out: AXI-stream, `lanes` elements a beat, the first in the low bits. In DRAM an
// element has storage_bytes bytes, little-endian; its type's bits are the low ones (the others are ignored,
// written as the sign's extension of an integer). The shell's DMA walks DRAM: for unit u, whose digits over
// Kernel::units are g, beat and lane count the iterations of `loops` row-major, and the element is number
//   offset + sum_j g_j * unit_strides[j] + sum_k i_k * loops[k].stride
// of the buffer. The product of the loops' extents is a multiple of the lanes.
struct Port {
  struct Loop {
    int64_t extent = 1, stride = 0;
    bool operator==(const Loop&) const = default;
  };
  bool is_input = true;
  uint32_t buffer = 0;  // of a launch: operands, then results
  uint32_t stream = 0;
  uint8_t storage_bytes = 1;
  int64_t offset = 0;
  std::vector<int64_t> unit_strides;  // one for each of Kernel::units
  std::vector<Loop> loops;
  bool operator==(const Port&) const = default;
};

// A FIFO with one writer and one reader, each a port or a stage.
struct Stream {
  Type type;
  uint32_t lanes = 1;
  uint32_t depth = 2;  // beats, at least 2
  bool operator==(const Stream&) const = default;
};

// On-chip words of `lanes` elements. With data it is a ROM, and no stage stores to it.
struct Memory {
  Type type;
  uint32_t lanes = 1;
  uint64_t depth = 1;          // words
  std::vector<uint64_t> data;  // empty, or depth * lanes elements
  bool operator==(const Memory&) const = default;
};

// For each loop of the nest an index range [low, high); empty: everywhere.
struct Range {
  int64_t low = 0, high = 0;
  bool operator==(const Range&) const = default;
};
using Box = std::vector<Range>;

struct Node {
  Operator op = Operator::Const;
  Type type;
  std::vector<uint32_t> operands;  // nodes before this one
  uint64_t imm = 0;
  int64_t offset = 0;            // Affine
  std::vector<int64_t> strides;  // Affine: one a loop
  uint32_t object = 0;           // Pop: the stream, Load: the memory
  Box box;                       // Pop, Inside
  uint32_t cycle = 0;  // in which the operator takes its operands, counted from the iteration's issue
  bool operator==(const Node&) const = default;
};

// A value that goes from iteration to iteration. Its cells are one for each index of the parallel loops
// inside of the outermost reduction loop. In the first step of a cell (all reduction indices 0) Acc gives
// `init`.
struct Accumulator {
  uint32_t init = 0;    // a node that does not depend on an Acc
  uint32_t update = 0;  // a node: what the cell holds afterwards
  bool operator==(const Accumulator&) const = default;
};

// What an iteration gives, in the last cycle of its pipeline.
struct Output {
  enum class When : uint8_t { Each, Last };  // Last: all reduction indices are at their ends
  bool is_store = false;                     // to a memory; else a beat for a stream
  uint32_t object = 0;                       // the memory or the stream
  uint32_t address = 0;                      // a node, of a store: the word
  int64_t enable = -1;                       // a node of type i1, of a store only; -1: always
  std::vector<uint32_t> values;              // nodes, one for each lane
  When when = When::Each;
  Box box;  // only inside of it
  bool operator==(const Output&) const = default;
};

// A loop nest, one iteration every `interval` cycles.
struct Nest {
  struct Loop {
    int64_t extent = 1;
    bool is_reduction = false;
    bool operator==(const Loop&) const = default;
  };
  std::vector<Loop> loops;  // the outermost first
  std::vector<Node> nodes;
  std::vector<Accumulator> accumulators;
  std::vector<Output> outputs;
  uint32_t interval = 1;
  bool shares = false;  // iterations issue a multiple of the interval apart: nodes may share operators
  uint32_t depth = 1;   // cycles from an iteration's issue to its outputs
  bool operator==(const Nest&) const = default;
};

// Sequential code for what is no nest: a state machine over registers. A block takes `cycles` cycles.
struct Machine {
  struct Instruction {
    Node node;              // operands are registers; no Affine, Inside, Pop, Acc, Delay
    uint32_t result = 0;    // the register
    bool is_store = false;  // node.object's word operands[0], lanes operands[1..]; no result
    bool operator==(const Instruction&) const = default;
  };
  struct Block {
    std::vector<Instruction> instructions;
    int64_t condition = -1;             // a register of type i1; -1: always `then`
    int64_t then = -1, otherwise = -1;  // the next block; -1: the stage ends
    uint32_t cycles = 1;
    bool operator==(const Block&) const = default;
  };
  std::vector<Type> registers;
  std::vector<Block> blocks;  // the first is where it starts
  bool operator==(const Machine&) const = default;
};

struct Stage {
  std::string name;  // for messages and as a SystemVerilog identifier
  std::variant<Nest, Machine> work;
  std::vector<uint32_t> after;  // stages before this one that end before it begins
  bool operator==(const Stage&) const = default;
};

// What a kernel takes of the part. Before place and route an estimate.
struct Resources {
  int64_t luts = 0, flip_flops = 0, multipliers = 0, block_rams = 0;
  bool operator==(const Resources&) const = default;
};

struct Kernel {
  std::string symbol;
  std::vector<int64_t> units;  // extents of the task's units, row-major; empty: one unit
  uint32_t buffers = 0;        // operands and results of a launch
  std::vector<Port> ports;
  std::vector<Stream> streams;
  std::vector<Memory> memories;
  std::vector<Stage> stages;
  Resources estimate;
  double estimated_hz = 0;
  std::string verilog;  // self-contained; the module is named `top`
  std::string top;
  bool operator==(const Kernel&) const = default;
};

struct Program {
  std::string part;  // "ecp5-85k"
  std::vector<Kernel> kernels;
  bool operator==(const Program&) const = default;
};

// The blob's bytes; the program need not be valid.
std::vector<std::byte> writeProgram(const Program& program);
// InvalidArgument says what is wrong with the bytes; what comes back has passed verify().
Result<Program> readProgram(std::span<const std::byte> bytes);
// Every index refers to something, types fit, extents and depths are within limits, ports stay inside what
// they may address, each stream has one writer and one reader and as many beats in as out, what a stage loads
// is written by stages that end before it. The error names kernel, stage and node.
Status verify(const Program& program);

}  // namespace tetrarch::fpga
