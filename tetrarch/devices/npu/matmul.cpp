#include "tetrarch/devices/npu/matmul.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "tetrarch/devices/npu/float_math.h"

#if defined(__x86_64__)
#include <immintrin.h>
#define TET_NPU_X86 1
#endif

namespace tetrarch::npu {
namespace {

uint32_t bf16At(const std::byte* row, int64_t i) {
  uint16_t bits;
  std::memcpy(&bits, row + 2 * i, sizeof bits);
  return widenBf16(bits);
}

// The array's sums wrap, so they are taken as unsigned.
template <int S>
void multiplyScalar(const int8_t* weights, const MatmulRows& rows) {
  uint32_t* c = rows.c;
  for (int64_t i1 = 0; i1 < rows.n1; ++i1) {
    for (int64_t i0 = 0; i0 < rows.n0; ++i0, c += S) {
      const auto* a = reinterpret_cast<const int8_t*>(rows.a) + (i1 * rows.s1 + i0 * rows.s0) * S;
      std::array<uint32_t, S> sum = {};
      if (rows.accumulate) std::copy_n(c, S, sum.begin());
      for (int r = 0; r < S; ++r) {
        for (int j = 0; j < S; ++j) sum[j] += static_cast<uint32_t>(a[r] * weights[r * S + j]);
      }
      std::ranges::copy(sum, c);
    }
  }
}

// The README's definition. `tile`: the weights as fp32.
void multiplyBf16Scalar(const uint32_t* tile, int side, int k, const MatmulRows& rows) {
  uint32_t* c = rows.c;
  std::array<uint32_t, kMaxSide> sum;
  for (int64_t i1 = 0; i1 < rows.n1; ++i1) {
    for (int64_t i0 = 0; i0 < rows.n0; ++i0, c += side) {
      const std::byte* a = rows.a + (i1 * rows.s1 + i0 * rows.s0) * side * 2;
      sum.fill(0);
      for (int r = 0; r < k; ++r) {
        const uint32_t activation = bf16At(a, r);
        for (int j = 0; j < side; ++j) {
          sum[j] = addFloat(sum[j], multiplyFloat(activation, tile[r * side + j]));
        }
      }
      for (int j = 0; j < side; ++j) c[j] = rows.accumulate ? addFloat(c[j], sum[j]) : sum[j];
    }
  }
}

#if TET_NPU_X86

// While one lives, the host's own float arithmetic takes subnormals for zeros on the way in and out. Only
// calls that are not inlined may compute meanwhile: the compiler does not know of it.
class FlushSubnormals {
 public:
  FlushSubnormals() : before_(_mm_getcsr()) { _mm_setcsr(kDefault | kFlushToZero | kSubnormalsAreZero); }
  ~FlushSubnormals() { _mm_setcsr(before_); }
  FlushSubnormals(const FlushSubnormals&) = delete;
  FlushSubnormals& operator=(const FlushSubnormals&) = delete;

 private:
  static constexpr unsigned kDefault = 0x1f80, kFlushToZero = 0x8000, kSubnormalsAreZero = 0x40;
  const unsigned before_;
};

// The same bits as multiplyBf16Scalar: products of two bf16 are exact but for subnormals, sums are those of
// the host, and NaNs, which no sum forgets, are made one at the end.
template <int S>
__attribute__((target("avx2"), noinline)) void multiplyBf16Avx2(const uint32_t* tile, int k,
                                                                const MatmulRows& rows) {
  constexpr int kBlocks = S / 8;
  const auto* weights = reinterpret_cast<const float*>(tile);
  const __m256 nan = _mm256_castsi256_ps(_mm256_set1_epi32(static_cast<int32_t>(kFloatNan)));
  auto* c = reinterpret_cast<float*>(rows.c);
  for (int64_t i1 = 0; i1 < rows.n1; ++i1) {
    const std::byte* a = rows.a + i1 * rows.s1 * S * 2;
    for (int64_t i0 = 0; i0 < rows.n0; ++i0, c += S, a += rows.s0 * S * 2) {
      __m256 sum[kBlocks];
      for (int b = 0; b < kBlocks; ++b) sum[b] = _mm256_setzero_ps();
      for (int r = 0; r < k; ++r) {
        const __m256 activation = _mm256_castsi256_ps(_mm256_set1_epi32(static_cast<int32_t>(bf16At(a, r))));
        for (int b = 0; b < kBlocks; ++b) {
          const __m256 weight = _mm256_load_ps(weights + r * S + b * 8);
          sum[b] = _mm256_add_ps(sum[b], _mm256_mul_ps(activation, weight));
        }
      }
      for (int b = 0; b < kBlocks; ++b) {
        if (rows.accumulate) sum[b] = _mm256_add_ps(_mm256_loadu_ps(c + b * 8), sum[b]);
        const __m256 is_nan = _mm256_cmp_ps(sum[b], sum[b], _CMP_UNORD_Q);
        _mm256_storeu_ps(c + b * 8, _mm256_blendv_ps(sum[b], nan, is_nan));
      }
    }
  }
}

// Four bytes from anywhere.
inline int32_t fourBytes(const std::byte* p) {
  int32_t value;
  std::memcpy(&value, p, sizeof value);
  return value;
}

// vpdpbusd wants one unsigned operand: activations are biased by 128, which `correction` takes back.
#define TET_NPU_VNNI __attribute__((target("avx512f,avx512bw,avx512vl,avx512vnni")))

template <int S>
TET_NPU_VNNI void multiplyVnni512(const int8_t* tile, const int32_t* correction, const MatmulRows& rows) {
  constexpr int kBlocks = S / 16, kGroups = S / 4;
  const __m512i bias = _mm512_set1_epi8(static_cast<char>(0x80));
  __m512i weights[kBlocks][kGroups], start[kBlocks];
  for (int b = 0; b < kBlocks; ++b) {
    start[b] = _mm512_load_si512(correction + b * 16);
    for (int g = 0; g < kGroups; ++g) weights[b][g] = _mm512_load_si512(tile + (g * S + b * 16) * 4);
  }
  auto* c = reinterpret_cast<int32_t*>(rows.c);
  for (int64_t i1 = 0; i1 < rows.n1; ++i1) {
    const std::byte* a = rows.a + i1 * rows.s1 * S;
    for (int64_t i0 = 0; i0 < rows.n0; ++i0, c += S, a += rows.s0 * S) {
      __m512i sum[kBlocks];
      for (int b = 0; b < kBlocks; ++b) {
        sum[b] = rows.accumulate ? _mm512_add_epi32(start[b], _mm512_loadu_si512(c + b * 16)) : start[b];
      }
      for (int g = 0; g < kGroups; ++g) {
        const __m512i four = _mm512_xor_si512(_mm512_set1_epi32(fourBytes(a + 4 * g)), bias);
        for (int b = 0; b < kBlocks; ++b) sum[b] = _mm512_dpbusd_epi32(sum[b], four, weights[b][g]);
      }
      for (int b = 0; b < kBlocks; ++b) _mm512_storeu_si512(c + b * 16, sum[b]);
    }
  }
}

TET_NPU_VNNI void multiplyVnni256(const int8_t* tile, const int32_t* correction, const MatmulRows& rows) {
  const __m256i bias = _mm256_set1_epi8(static_cast<char>(0x80));
  const __m256i low = _mm256_load_si256(reinterpret_cast<const __m256i*>(tile));
  const __m256i high = _mm256_load_si256(reinterpret_cast<const __m256i*>(tile + 32));
  const __m256i start = _mm256_load_si256(reinterpret_cast<const __m256i*>(correction));
  auto* c = reinterpret_cast<__m256i*>(rows.c);
  for (int64_t i1 = 0; i1 < rows.n1; ++i1) {
    const std::byte* a = rows.a + i1 * rows.s1 * 8;
    for (int64_t i0 = 0; i0 < rows.n0; ++i0, ++c, a += rows.s0 * 8) {
      __m256i sum = rows.accumulate ? _mm256_add_epi32(start, _mm256_loadu_si256(c)) : start;
      sum = _mm256_dpbusd_epi32(sum, _mm256_xor_si256(_mm256_set1_epi32(fourBytes(a)), bias), low);
      sum = _mm256_dpbusd_epi32(sum, _mm256_xor_si256(_mm256_set1_epi32(fourBytes(a + 4)), bias), high);
      _mm256_storeu_si256(c, sum);
    }
  }
}

// Two array rows at a time by vpmaddwd, whose sums of two int16 products cannot overflow here.
template <int S>
__attribute__((target("avx2"))) void multiplyAvx2(const int16_t* tile, const MatmulRows& rows) {
  constexpr int kBlocks = S / 8, kPairs = S / 2;
  auto* c = reinterpret_cast<int32_t*>(rows.c);
  alignas(32) int16_t wide[S];
  for (int64_t i1 = 0; i1 < rows.n1; ++i1) {
    const std::byte* a = rows.a + i1 * rows.s1 * S;
    for (int64_t i0 = 0; i0 < rows.n0; ++i0, c += S, a += rows.s0 * S) {
      for (int r = 0; r < S; r += 8) {
        const __m128i eight = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(a + r));
        _mm_store_si128(reinterpret_cast<__m128i*>(wide + r), _mm_cvtepi8_epi16(eight));
      }
      __m256i sum[kBlocks];
      for (int b = 0; b < kBlocks; ++b) {
        sum[b] = rows.accumulate ? _mm256_loadu_si256(reinterpret_cast<const __m256i*>(c + b * 8))
                                 : _mm256_setzero_si256();
      }
      for (int p = 0; p < kPairs; ++p) {
        const __m256i pair = _mm256_set1_epi32(
            fourBytes(reinterpret_cast<const std::byte*>(wide + static_cast<ptrdiff_t>(2 * p))));
        for (int b = 0; b < kBlocks; ++b) {
          const auto* w = reinterpret_cast<const __m256i*>(tile + (p * S + b * 8) * 2);
          sum[b] = _mm256_add_epi32(sum[b], _mm256_madd_epi16(pair, _mm256_load_si256(w)));
        }
      }
      for (int b = 0; b < kBlocks; ++b) {
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(c + b * 8), sum[b]);
      }
    }
  }
}

#endif

}  // namespace

SimdLevel bestSimdLevel() {
#if TET_NPU_X86
  static const SimdLevel best = [] {
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512vl") &&
        __builtin_cpu_supports("avx512bw")) {
      return SimdLevel::Vnni;
    }
    return __builtin_cpu_supports("avx2") ? SimdLevel::Avx2 : SimdLevel::Scalar;
  }();
  return best;
#else
  return SimdLevel::Scalar;
#endif
}

std::string_view simdLevelName(SimdLevel level) {
  constexpr std::array<std::string_view, 3> names = {"scalar", "avx2", "avx512-vnni"};
  return names[static_cast<size_t>(level)];
}

void Int8Tile::load(std::span<const std::byte> weights, int k) {
  std::fill_n(correction_, side_, 0);
  for (int r = 0; r < side_; ++r) {
    for (int c = 0; c < side_; ++c) {
      const int weight = r < k ? signedByte(weights[r * side_ + c]) : 0;
      switch (level_) {
        case SimdLevel::Vnni:
          bytes_[(r / 4 * side_ + c) * 4 + r % 4] = static_cast<int8_t>(weight);
          correction_[c] -= 128 * weight;
          break;
        case SimdLevel::Avx2:
          pairs_[(r / 2 * side_ + c) * 2 + r % 2] = static_cast<int16_t>(weight);
          break;
        case SimdLevel::Scalar:
          bytes_[r * side_ + c] = static_cast<int8_t>(weight);
      }
    }
  }
}

void Int8Tile::multiply(const MatmulRows& rows) const {
#if TET_NPU_X86
  if (level_ == SimdLevel::Vnni) {
    if (side_ == 8) return multiplyVnni256(bytes_, correction_, rows);
    return side_ == 16 ? multiplyVnni512<16>(bytes_, correction_, rows)
                       : multiplyVnni512<32>(bytes_, correction_, rows);
  }
  if (level_ == SimdLevel::Avx2) {
    if (side_ == 8) return multiplyAvx2<8>(pairs_, rows);
    return side_ == 16 ? multiplyAvx2<16>(pairs_, rows) : multiplyAvx2<32>(pairs_, rows);
  }
#endif
  if (side_ == 8) return multiplyScalar<8>(bytes_, rows);
  return side_ == 16 ? multiplyScalar<16>(bytes_, rows) : multiplyScalar<32>(bytes_, rows);
}

void multiplyBf16(SimdLevel level, std::span<const std::byte> weights, int side, int k,
                  const MatmulRows& rows) {
  alignas(64) std::array<uint32_t, kMaxSide * kMaxSide> tile;
  for (int i = 0; i < k * side; ++i) tile[i] = bf16At(weights.data(), i);
#if TET_NPU_X86
  if (level != SimdLevel::Scalar) {
    const FlushSubnormals flush;
    if (side == 8) return multiplyBf16Avx2<8>(tile.data(), k, rows);
    return side == 16 ? multiplyBf16Avx2<16>(tile.data(), k, rows)
                      : multiplyBf16Avx2<32>(tile.data(), k, rows);
  }
#endif
  multiplyBf16Scalar(tile.data(), side, k, rows);
}

}  // namespace tetrarch::npu
