// Prints the SystemVerilog package npu_isa_pkg from npu_isa.def, so that RTL and C++ cannot drift.
//
// Usage: npu_isa_sv > npu_isa_pkg.sv
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <vector>

#include "tetrarch/abi/npu_isa.h"

namespace {

using namespace tetrarch::npu;

std::string lowerCase(std::string_view text) {
  std::string lower(text);
  std::ranges::transform(lower, lower.begin(), [](unsigned char c) { return std::tolower(c); });
  return lower;
}

// "OutOfRange" and "FOLD_SUM" as lowRISC writes names in enumerations: OutOfRange, FoldSum.
std::string camelCase(std::string_view id) {
  if (std::ranges::any_of(id, [](unsigned char c) { return std::islower(c); })) return std::string(id);
  std::string camel;
  bool start = true;
  for (const unsigned char c : id) {
    if (c != '_') camel += static_cast<char>(start ? c : std::tolower(c));
    start = c == '_';
  }
  return camel;
}

template <typename Rows, typename Name, typename Value>
void printEnum(std::string_view type, std::string_view prefix, int width, const Rows& rows, Name name,
               Value value) {
  fmt::print("  typedef enum logic [{}:0] {{\n", width - 1);
  for (size_t i = 0; i < rows.size(); ++i) {
    fmt::print("    {}{} = {}'d{}{}\n", prefix, camelCase(name(rows[i])), width, value(rows[i]),
               i + 1 < rows.size() ? "," : "");
  }
  fmt::print("  }} {};\n\n", type);
}

// Packed, most significant bits first; bits of no field are named unused.
void printStruct(std::string_view opcode) {
  std::vector<FieldRow> fields;
  std::ranges::copy_if(fieldRows(), std::back_inserter(fields),
                       [&](const FieldRow& f) { return f.opcode == opcode; });
  fields.push_back({opcode, "signal", 8, 4, false, "bit q: send a token to queue q"});
  fields.push_back({opcode, "waits", 4, 4, false, "bit q: take a token from queue q"});
  fields.push_back({opcode, "opcode", 0, 4, false, ""});
  std::ranges::sort(fields, std::greater(), &FieldRow::lsb);
  fmt::print("  typedef struct packed {{\n");
  int top = 128;
  const auto gap = [&](int to) {
    if (top > to) fmt::print("    logic [{}:0] unused_{};\n", top - to - 1, to);
  };
  for (const FieldRow& f : fields) {
    gap(f.lsb + f.width);
    fmt::print("    logic {}[{}:0] {};{}{}\n", f.is_signed ? "signed " : "", f.width - 1, f.name,
               f.meaning.empty() ? "" : "  // ", f.meaning);
    top = f.lsb;
  }
  fmt::print("  }} {}_t;\n\n", lowerCase(opcode));
}

// The bits that must be zero.
Word unusedBits(std::string_view opcode) {
  Word used{0xfff, 0};
  for (const FieldRow& f : fieldRows()) {
    if (f.opcode != opcode) continue;
    (f.lsb < 64 ? used.low : used.high) |= ((uint64_t{1} << f.width) - 1) << (f.lsb % 64);
  }
  return {~used.low, ~used.high};
}

void printPackage() {
  fmt::print(
      "// Printed by npu_isa_sv from tetrarch/abi/npu_isa.def; do not edit.\npackage npu_isa_pkg;\n\n");
  for (const ConstantRow& c : constantRows()) {
    fmt::print("  localparam int unsigned {} = {};  // {}\n", c.name, c.value, c.meaning);
  }
  fmt::print("\n");
  printEnum(
      "opcode_e", "Op", 4, opcodeRows(), [](const OpcodeRow& r) { return r.id; },
      [](const OpcodeRow& r) { return static_cast<int>(r.opcode); });
  printEnum(
      "vector_op_e", "Vop", 5, vectorOpRows(), [](const VectorOpRow& r) { return r.id; },
      [](const VectorOpRow& r) { return r.value; });
  printEnum(
      "cause_e", "Cause", 4, causeRows(), [](const CauseRow& r) { return r.id; },
      [](const CauseRow& r) { return r.value; });
  uint32_t two = 0, fold = 0, imm = 0, int8 = 0, bf16 = 0;
  for (const VectorOpRow& r : vectorOpRows()) {
    const VectorOpInfo& info = *vectorOpInfo(r.value);
    const uint32_t bit = uint32_t{1} << r.value;
    two |= info.two_operands ? bit : 0;
    fold |= info.fold ? bit : 0;
    imm |= info.takes_imm ? bit : 0;
    int8 |= info.int8 ? bit : 0;
    bf16 |= info.bf16 ? bit : 0;
  }
  fmt::print("  // Sets of vector ops, bit v for op v.\n");
  fmt::print("  localparam logic [31:0] VopsOfTwoOperands = 32'h{:08x};\n", two);
  fmt::print("  localparam logic [31:0] VopsThatFold = 32'h{:08x};\n", fold);
  fmt::print("  localparam logic [31:0] VopsWithImm = 32'h{:08x};\n", imm);
  fmt::print("  localparam logic [31:0] VopsOfInt8 = 32'h{:08x};\n", int8);
  fmt::print("  localparam logic [31:0] VopsOfBf16 = 32'h{:08x};\n\n", bf16);
  for (const OpcodeRow& r : opcodeRows()) printStruct(r.id);
  fmt::print("  // Bits that are no field and must be zero.\n");
  for (const OpcodeRow& r : opcodeRows()) {
    const Word unused = unusedBits(r.id);
    fmt::print("  localparam logic [127:0] {}Unused = 128'h{:016x}_{:016x};\n", camelCase(r.id), unused.high,
               unused.low);
  }
  fmt::print("\nendpackage\n");
}

}  // namespace

int main() {
  printPackage();
  return 0;
}
