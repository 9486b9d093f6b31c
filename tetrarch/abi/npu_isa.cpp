#include "tetrarch/abi/npu_isa.h"

#include <algorithm>
#include <concepts>
#include <optional>
#include <type_traits>

namespace tetrarch::npu {
namespace {

// Where a field lies.
struct Bits {
  std::string_view name;
  int lsb, width;
  bool is_signed;

  uint64_t mask() const { return (uint64_t{1} << width) - 1; }
  int64_t min() const { return is_signed ? -(int64_t{1} << (width - 1)) : 0; }
  int64_t max() const { return static_cast<int64_t>(is_signed ? mask() >> 1 : mask()); }
};
constexpr Bits kOpcodeBits{"opcode", 0, 4, false}, kWaitBits{"wait", 4, 4, false},
    kSignalBits{"signal", 8, 4, false};

// No field crosses the middle of the word.
#define NPU_FIELD(opcode, name, lsb, width, is_signed, meaning) \
  static_assert((lsb) >= 12 && (lsb) + (width) <= 128 && (lsb) / 64 == ((lsb) + (width) - 1) / 64);
#include "tetrarch/abi/npu_isa.def"

void put(Word& word, const Bits& bits, int64_t value) {
  uint64_t& half = bits.lsb < 64 ? word.low : word.high;
  half |= (static_cast<uint64_t>(value) & bits.mask()) << (bits.lsb % 64);
}

int64_t take(const Word& word, const Bits& bits) {
  const uint64_t half = bits.lsb < 64 ? word.low : word.high;
  const auto value = static_cast<int64_t>((half >> (bits.lsb % 64)) & bits.mask());
  return bits.is_signed && value > bits.max() ? value - static_cast<int64_t>(bits.mask()) - 1 : value;
}

// The struct of an opcode, by the id that the table's rows of fields have.
#define NPU_OPCODE(id, type, value, queue, meaning) using StructOf_##id = type;
#include "tetrarch/abi/npu_isa.def"

// Calls `visit` with each field of an instruction, in the table's order: its bits, and the member that holds
// it.
template <typename Self, typename Visit>
void visitFields(Self& self, Visit&& visit) {
#define NPU_FIELD(opcode, name, lsb, width, is_signed, meaning)               \
  if constexpr (std::same_as<std::remove_const_t<Self>, StructOf_##opcode>) { \
    visit(Bits{#name, lsb, width, is_signed}, self.name);                     \
  }
#include "tetrarch/abi/npu_isa.def"
}

struct OpcodeInfo {
  Opcode opcode;
  std::string_view name;  // as disassembled
};
constexpr std::array kOpcodeNames = {
#define NPU_OPCODE(id, type, value, queue, meaning) OpcodeInfo{Opcode::type, #type},
#include "tetrarch/abi/npu_isa.def"
};

std::string lowerCase(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
  return lower;
}

template <typename T>
constexpr Opcode kOpcodeOf = Opcode::Halt;
#define NPU_OPCODE(id, type, value, queue, meaning) \
  template <>                                       \
  constexpr Opcode kOpcodeOf<type> = Opcode::type;
#include "tetrarch/abi/npu_isa.def"

// An instruction of the opcode, its fields still zero; nothing for a number that is no opcode.
std::optional<Instruction> blank(int64_t opcode) {
  switch (opcode) {
#define NPU_OPCODE(id, type, value, queue, meaning) \
  case value:                                       \
    return type{};
#include "tetrarch/abi/npu_isa.def"
    default:
      return std::nullopt;
  }
}

constexpr std::array kVectorOps = {
#define NPU_VECTOR_OP(id, value, name, kind, operands, fold, meaning) \
  VectorOpInfo{VectorOp::id,                                          \
               name,                                                  \
               std::string_view(#kind) != "Bf16",                     \
               std::string_view(#kind) != "Int8",                     \
               (operands) == 2,                                       \
               (fold) != 0,                                           \
               std::string_view(meaning).contains("imm")},
#include "tetrarch/abi/npu_isa.def"
};

constexpr std::array kCauseRows = {
#define NPU_CAUSE(id, value, text) CauseRow{#id, value, text},
#include "tetrarch/abi/npu_isa.def"
};
constexpr std::array kOpcodeRows = {
#define NPU_OPCODE(id, type, value, queue, meaning) OpcodeRow{Opcode::type, #id, #queue, meaning},
#include "tetrarch/abi/npu_isa.def"
};
constexpr std::array kFieldRows = {
#define NPU_FIELD(opcode, name, lsb, width, is_signed, meaning) \
  FieldRow{#opcode, #name, lsb, width, (is_signed) != 0, meaning},
#include "tetrarch/abi/npu_isa.def"
};
constexpr std::array kConstantRows = {
#define NPU_CONSTANT(name, value, meaning) ConstantRow{#name, value, meaning},
#include "tetrarch/abi/npu_isa.def"
};
constexpr std::array kVectorOpRows = {
#define NPU_VECTOR_OP(id, value, name, kind, operands, fold, meaning) \
  VectorOpRow{#id, name, #kind, value, (operands) == 2, (fold) != 0, meaning},
#include "tetrarch/abi/npu_isa.def"
};

std::string queueList(uint8_t mask) {
  std::string list;
  for (int q = 0; q < kQueues; ++q) {
    if (mask >> q & 1) list += (list.empty() ? "" : ",") + std::string(queueName(static_cast<Queue>(q)));
  }
  return list;
}

}  // namespace

std::string_view kindName(Kind kind) { return kind == Kind::Int8 ? "int8" : "bf16"; }

std::string_view queueName(Queue queue) {
  constexpr std::array<std::string_view, kQueues> names = {"load", "matrix", "vector", "store"};
  return names[static_cast<size_t>(queue)];
}

const VectorOpInfo* vectorOpInfo(int64_t op) {
  const auto* row = std::ranges::find(kVectorOps, static_cast<VectorOp>(op), &VectorOpInfo::op);
  return op < 0 || op > UINT8_MAX || row == kVectorOps.end() ? nullptr : row;
}

std::string_view causeText(Cause cause) { return kCauseRows[static_cast<size_t>(cause)].text; }

Opcode opcodeOf(const Instruction& instruction) {
  return std::visit([](const auto& i) { return kOpcodeOf<std::decay_t<decltype(i)>>; }, instruction);
}

const Tokens& tokensOf(const Instruction& instruction) {
  return std::visit([](const auto& i) -> const Tokens& { return i.tokens; }, instruction);
}
Tokens& tokensOf(Instruction& instruction) {
  return std::visit([](auto& i) -> Tokens& { return i.tokens; }, instruction);
}

Queue queueOf(const Instruction& instruction) {
  if (const auto* sync = std::get_if<Sync>(&instruction)) return static_cast<Queue>(sync->queue);
  if (const auto* dim = std::get_if<Dim>(&instruction)) return dim->of_store ? Queue::Store : Queue::Load;
  switch (opcodeOf(instruction)) {
    case Opcode::Matmul:
      return Queue::Matrix;
    case Opcode::Vparam:
    case Opcode::Table:
    case Opcode::Vop:
      return Queue::Vector;
    case Opcode::Store:
      return Queue::Store;
    default:
      return Queue::Load;
  }
}

Result<Word> encode(const Instruction& instruction) {
  Word word;
  Status status;
  const auto putChecked = [&](const Bits& bits, int64_t value) {
    if (status.ok() && (value < bits.min() || value > bits.max())) {
      status = invalidArgument("field {} = {} is outside {} to {}", bits.name, value, bits.min(), bits.max());
    }
    put(word, bits, value);
  };
  const Tokens& tokens = tokensOf(instruction);
  putChecked(kOpcodeBits, static_cast<int64_t>(opcodeOf(instruction)));
  putChecked(kWaitBits, tokens.wait);
  putChecked(kSignalBits, tokens.signal);
  std::visit([&](const auto& i) { visitFields(i, putChecked); }, instruction);
  if (!status.ok()) return propagate(std::move(status));
  return word;
}

Result<Instruction> decode(const Word& word) {
  auto instruction = blank(take(word, kOpcodeBits));
  if (!instruction) return invalidArgument("there is no opcode {}", take(word, kOpcodeBits));
  Word known;
  const auto takeField = [&](const Bits& bits, auto& value) {
    value = static_cast<std::decay_t<decltype(value)>>(take(word, bits));
    put(known, bits, value);
  };
  int64_t opcode;
  takeField(kOpcodeBits, opcode);
  takeField(kWaitBits, tokensOf(*instruction).wait);
  takeField(kSignalBits, tokensOf(*instruction).signal);
  std::visit([&](auto& i) { visitFields(i, takeField); }, *instruction);
  if (known != word) {
    return invalidArgument("{} has bits set that belong to no field (high {:016x}, low {:016x})",
                           disassemble(*instruction), word.high & ~known.high, word.low & ~known.low);
  }
  return *instruction;
}

Result<std::vector<Word>> encode(std::span<const Instruction> program) {
  std::vector<Word> words;
  words.reserve(program.size());
  for (const Instruction& instruction : program) {
    auto word = encode(instruction);
    if (!word) return propagate(word.error().withContext(fmt::format("instruction {}", words.size())));
    words.push_back(*word);
  }
  return words;
}

Result<std::vector<Instruction>> decode(std::span<const Word> program) {
  std::vector<Instruction> instructions;
  instructions.reserve(program.size());
  for (const Word& word : program) {
    auto one = decode(word);
    if (!one) return propagate(one.error().withContext(fmt::format("instruction {}", instructions.size())));
    instructions.push_back(*one);
  }
  return instructions;
}

std::string disassemble(const Instruction& instruction) {
  const auto* row = std::ranges::find(kOpcodeNames, opcodeOf(instruction), &OpcodeInfo::opcode);
  std::string text = lowerCase(row->name);
  if (const auto* vop = std::get_if<Vop>(&instruction)) {
    const VectorOpInfo* op = vectorOpInfo(vop->op);
    text += fmt::format(" {}", op ? op->name : "?");
  }
  const auto print = [&](const Bits& bits, int64_t value) {
    if (value != 0) text += fmt::format(" {}={}", bits.name, value);
  };
  std::visit([&](const auto& i) { visitFields(i, print); }, instruction);
  const Tokens& tokens = tokensOf(instruction);
  if (tokens.wait) text += " wait=" + queueList(tokens.wait);
  if (tokens.signal) text += " signal=" + queueList(tokens.signal);
  return text;
}

std::span<const OpcodeRow> opcodeRows() { return kOpcodeRows; }
std::span<const FieldRow> fieldRows() { return kFieldRows; }
std::span<const ConstantRow> constantRows() { return kConstantRows; }
std::span<const VectorOpRow> vectorOpRows() { return kVectorOpRows; }
std::span<const CauseRow> causeRows() { return kCauseRows; }

}  // namespace tetrarch::npu
