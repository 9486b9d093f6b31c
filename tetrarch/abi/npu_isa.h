// Instructions of the neural processing unit: encode, decode, print. Everything here is made from the rows of
// npu_isa.def; what the instructions do is said in rtl/npu/README.md.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "tetrarch/base/status.h"

namespace tetrarch::npu {

#define NPU_CONSTANT(name, value, meaning) inline constexpr int64_t k##name = value;
#include "tetrarch/abi/npu_isa.def"

// The kind of the array's elements.
enum class Kind : uint8_t { Int8, Bf16 };
std::string_view kindName(Kind kind);

enum class Opcode : uint8_t {
#define NPU_OPCODE(id, type, value, queue, meaning) type = (value),
#include "tetrarch/abi/npu_isa.def"
};

// The four in-order queues, in the order of their bits in `wait` and `signal`.
enum class Queue : uint8_t { Load, Matrix, Vector, Store };
std::string_view queueName(Queue queue);

enum class VectorOp : uint8_t {
#define NPU_VECTOR_OP(id, value, name, kind, operands, fold, meaning) id = (value),
#include "tetrarch/abi/npu_isa.def"
};
struct VectorOpInfo {
  VectorOp op;
  std::string_view name;
  bool int8, bf16;  // the kinds that have it
  bool two_operands;
  bool fold;       // writes one row for each n0 rows
  bool takes_imm;  // imm may be other than 0
};
// Null when there is no such row.
const VectorOpInfo* vectorOpInfo(int64_t op);

enum class Cause : uint8_t {
#define NPU_CAUSE(id, value, text) id = (value),
#include "tetrarch/abi/npu_isa.def"
};
std::string_view causeText(Cause cause);

// Common to all instructions: bit q of `wait` takes a token that queue q sent to this one before the
// instruction begins, bit q of `signal` sends one to queue q when it is done.
struct Tokens {
  uint8_t wait = 0, signal = 0;
  bool operator==(const Tokens&) const = default;
};

// One struct an opcode, its fields as in the .def file, wide enough for every value.
struct Halt {
  Tokens tokens;
  bool operator==(const Halt&) const = default;
};
struct Sync {
  Tokens tokens;
#define NPU_FIELD_SYNC(name, ...) int64_t name = 0;
#include "tetrarch/abi/npu_isa.def"
  bool operator==(const Sync&) const = default;
};
struct Dim {
  Tokens tokens;
#define NPU_FIELD_DIM(name, ...) int64_t name = 0;
#include "tetrarch/abi/npu_isa.def"
  bool operator==(const Dim&) const = default;
};
struct Load {
  Tokens tokens;
#define NPU_FIELD_LOAD(name, ...) int64_t name = 0;
#include "tetrarch/abi/npu_isa.def"
  bool operator==(const Load&) const = default;
};
struct Fill {
  Tokens tokens;
#define NPU_FIELD_FILL(name, ...) int64_t name = 0;
#include "tetrarch/abi/npu_isa.def"
  bool operator==(const Fill&) const = default;
};
struct Store {
  Tokens tokens;
#define NPU_FIELD_STORE(name, ...) int64_t name = 0;
#include "tetrarch/abi/npu_isa.def"
  bool operator==(const Store&) const = default;
};
struct Matmul {
  Tokens tokens;
#define NPU_FIELD_MATMUL(name, ...) int64_t name = 0;
#include "tetrarch/abi/npu_isa.def"
  bool operator==(const Matmul&) const = default;
};
struct Vparam {
  Tokens tokens;
#define NPU_FIELD_VPARAM(name, ...) int64_t name = 0;
#include "tetrarch/abi/npu_isa.def"
  bool operator==(const Vparam&) const = default;
};
struct Table {
  Tokens tokens;
#define NPU_FIELD_TABLE(name, ...) int64_t name = 0;
#include "tetrarch/abi/npu_isa.def"
  bool operator==(const Table&) const = default;
};
struct Vop {
  Tokens tokens;
#define NPU_FIELD_VOP(name, ...) int64_t name = 0;
#include "tetrarch/abi/npu_isa.def"
  bool operator==(const Vop&) const = default;
};

using Instruction = std::variant<Halt, Sync, Dim, Load, Fill, Store, Matmul, Vparam, Table, Vop>;

// The 128 bits, as in DRAM (little-endian).
struct Word {
  uint64_t low = 0, high = 0;
  bool operator==(const Word&) const = default;
};
static_assert(sizeof(Word) == kInstructionBytes);

Opcode opcodeOf(const Instruction& instruction);
const Tokens& tokensOf(const Instruction& instruction);
Tokens& tokensOf(Instruction& instruction);
// Where it waits; nothing for HALT, which goes nowhere.
Queue queueOf(const Instruction& instruction);

// InvalidArgument names the field whose value does not fit its bits.
Result<Word> encode(const Instruction& instruction);
// InvalidArgument for an unknown opcode and for bits set that are no field's. Whether the values make sense
// is the verifier's business (devices/npu/verifier.h).
Result<Instruction> decode(const Word& word);

Result<std::vector<Word>> encode(std::span<const Instruction> program);
// Errors name the instruction's index.
Result<std::vector<Instruction>> decode(std::span<const Word> program);

// One line of text: "matmul accumulate=1 w_addr=32 a_addr=0 … wait=load signal=vector". Fields that are zero
// are left out.
std::string disassemble(const Instruction& instruction);

// What the tables say, for tools that print them.
struct OpcodeRow {
  Opcode opcode;
  std::string_view id, queue, meaning;
};
struct FieldRow {
  std::string_view opcode, name;
  int lsb, width;
  bool is_signed;
  std::string_view meaning;
};
struct ConstantRow {
  std::string_view name;
  int64_t value;
  std::string_view meaning;
};
struct VectorOpRow {
  std::string_view id, name, kind;
  int value;
  bool two_operands, fold;
  std::string_view meaning;
};
struct CauseRow {
  std::string_view id;
  int value;
  std::string_view text;
};
std::span<const OpcodeRow> opcodeRows();
std::span<const FieldRow> fieldRows();
std::span<const ConstantRow> constantRows();
std::span<const VectorOpRow> vectorOpRows();
std::span<const CauseRow> causeRows();

}  // namespace tetrarch::npu
