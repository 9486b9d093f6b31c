// The array of the functional model: activation rows times a weight tile, by the widest instructions of the
// host (AVX-512 VNNI, AVX2, or none), picked at run time. All give the same bits.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace tetrarch::npu {

inline constexpr int kMaxSide = 32;

// A byte as the int8 that it holds.
constexpr int signedByte(std::byte byte) { return (std::to_integer<int>(byte) ^ 0x80) - 0x80; }

// How the host computes; each level is used only where the host has it.
enum class SimdLevel : uint8_t { Scalar, Avx2, Vnni };
SimdLevel bestSimdLevel();
std::string_view simdLevelName(SimdLevel level);

// Where the rows of a MATMUL lie. Strides in rows.
struct MatmulRows {
  const std::byte* a;  // row 0
  uint32_t* c;         // row 0; rows contiguous
  int64_t n1, n0, s1, s0;
  bool accumulate;
};

// A weight tile of int8 in the order in which `level` wants it. Only the first k array rows count.
class Int8Tile {
 public:
  Int8Tile(SimdLevel level, int side) : level_(level), side_(side) {}

  // `weights`: side rows of side bytes.
  void load(std::span<const std::byte> weights, int k);
  void multiply(const MatmulRows& rows) const;

 private:
  SimdLevel level_;
  int side_;
  // Vnni: [side / 4][side][4] bytes; Avx2: [side / 2][side][2] int16; Scalar: [side][side] bytes.
  alignas(64) int8_t bytes_[kMaxSide * kMaxSide] = {};
  alignas(64) int16_t pairs_[kMaxSide * kMaxSide] = {};
  alignas(64) int32_t correction_[kMaxSide] = {};  // Vnni: -128 times the sum of a column
};

// bf16: products and sums as rtl/npu/README.md rounds and orders them, NaN and subnormals included.
void multiplyBf16(SimdLevel level, std::span<const std::byte> weights, int side, int k,
                  const MatmulRows& rows);

}  // namespace tetrarch::npu
