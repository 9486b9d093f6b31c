// Work for the vector unit alone, whatever the task looked like: a matrix of rows and columns, and what
// becomes of its elements, of its rows and of its columns. Softmax, the normalisations, sums of tensors and
// functions of single numbers are programs. What a program means is what the nodes below say: in 32-bit
// integers, or in the floats of the bf16 kind (rtl/npu/README.md).
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <optional>
#include <vector>

namespace tetrarch::npu {

// What a node has one number for.
enum class Extent : uint8_t { Element, Row, Column, One };

enum class VectorKind : uint8_t {
  Input,     // of operand `buffer`, which has bytes or 32-bit words; of floats 2 bytes or 4
  Constant,  // imm; of floats its bits
  Add,       // wrap(a + b)
  Sub,       // wrap(a - b)
  Mul,       // wrap(rne(a * b / 2^imm)), where b has 16 bits
  Max,
  Min,
  Shift,          // rne(a / 2^imm)
  Requantize,     // clip(rne((a + bias) * multiplier / 2^imm) + zero_point), of the multiplier 16 bits
  RequantizeAdd,  // clip(rne((a + bias) * multiplier / 2^imm) + rne((b - zero_b) * multiplier_b / 2^shift_b)
                  // + zero_point)
  Lookup,      // table[a mod 256] for a byte a; operand `buffer` is the table. Of floats what flut makes of
               // a, scale and offset, with table `buffer` of the program
  Reciprocal,  // what recip_lut (frecip_lut) makes of a and imm; the table as for Lookup
  Rsqrt,       // what rsqrt_lut (frsqrt_lut) makes of a and imm; the table as for Lookup
  RowSum,      // wrap(sum of a over the columns); of floats tile by tile, then what flane_sum makes of it
  RowMax,
  Move,  // of floats alone: a, rounded to bf16 where the node is narrow
};

// Operands come before their users; -1 is none.
struct VectorNode {
  VectorKind kind = VectorKind::Input;
  Extent extent = Extent::Element;
  int a = -1, b = -1;
  int bias = -1, multiplier = -1;  // a Column or One; no bias: 0
  int buffer = -1;
  int64_t bytes = 1;  // Input: of a number
  int64_t imm = 0;
  int64_t zero_point = 0;
  int64_t zero_b = 0, multiplier_b = 0, shift_b = 0;
  int64_t low = 0, high = 0;  // what the value lies between; of the requantisations the ends of the clip
  bool narrow = false;        // of floats: rounded to bf16, but for one number a row, which stays as it is
  float scale = 1, offset = 0;

  bool isByte() const { return low >= -128 && high <= 127; }
  bool isHalf() const { return low >= INT16_MIN && high <= INT16_MAX; }
};

// The operand of an Input that is on the chip already: the sums of a contraction.
inline constexpr int kSumsBuffer = -1;

struct VectorProgram {
  int64_t rows = 1, columns = 1;
  std::vector<VectorNode> nodes;
  struct Result {
    int node = -1;      // an Element
    int64_t bytes = 1;  // of a number in DRAM: 1 or 4; of floats 2 or 4
  };
  std::vector<Result> results;  // in the order of the task's results
  bool floats = false;
  std::vector<std::array<uint16_t, 256>> tables;  // of floats: bf16

  // Each adds a node, with the extent and the range that follow from the operands', and returns its number.
  // An operand that the processor can only read first is put first.
  int input(int buffer, int64_t bytes, Extent extent);
  int constant(int64_t value);
  int binary(VectorKind kind, int a, int b, int64_t imm = 0);  // Add, Sub, Mul, Max, Min
  int shift(int a, int64_t imm);
  int table(VectorKind kind, int a, int buffer, int64_t imm = 0);  // Lookup, Reciprocal, Rsqrt
  int reduceRow(VectorKind kind, int a);                           // RowSum, RowMax
  int requantize(VectorNode node);                                 // as filled in, but for its extent
  int number(float value) { return constant(std::bit_cast<uint32_t>(value)); }
  int move(int a, bool narrow);
  // Rounds to bf16 where a number is computed, if nothing else reads it before.
  void foldMoves();
  // Whether an Add, Sub or Mul of these never wraps.
  bool isExact(VectorKind kind, int a, int b, int64_t imm = 0) const;

 private:
  int add(VectorNode node);
  Extent joined(int a, int b) const;
};

// x / 2^shift to the nearest integer, ties to even; 0 to 62.
int64_t roundedShift(__int128 x, int64_t shift);

}  // namespace tetrarch::npu
