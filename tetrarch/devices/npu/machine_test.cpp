// The functional model of the array and of DMA against plain definitions.
#include "tetrarch/devices/npu/machine.h"

#include <gtest/gtest.h>

#include <bit>
#include <cstring>

#include "tetrarch/devices/npu/float_math.h"
#include "tetrarch/devices/npu/legality.h"
#include "tetrarch/devices/npu/random_case.h"

namespace tetrarch::npu {
namespace {

Machine machineOf(const Config& config, uint64_t seed) {
  Machine machine(config, Dram());
  Random random(seed);
  State state(config);
  fillRandomly(random, config, state);
  machine.restore(std::move(state));
  return machine;
}

// The definition, on the state before.
uint32_t plainSum(const Config& config, const State& s, const Matmul& m, int64_t i, int64_t column) {
  const int64_t S = config.side, i1 = i / m.n0, i0 = i % m.n0;
  uint32_t sum = m.accumulate ? s.acc[(m.c_addr + i) * S + column] : 0;
  for (int64_t r = 0; r < m.k; ++r) {
    const auto a = static_cast<int8_t>(s.sp[(m.a_addr + i1 * m.s1 + i0 * m.s0) * S + r]);
    int weight;
    if (m.ternary) {
      constexpr int values[] = {0, 1, 0, -1};
      weight = values[static_cast<uint8_t>(s.sp[(m.w_addr + r / 4) * S + column]) >> (r % 4 * 2) & 3];
    } else {
      weight = static_cast<int8_t>(s.sp[(m.w_addr + r) * S + column]);
    }
    sum += static_cast<uint32_t>(a * weight);
  }
  return sum;
}

TEST(NpuMachine, MatmulIsItsDefinition) {
  for (uint64_t seed = 0; seed < 60; ++seed) {
    Random r(seed);
    const int64_t side = r.pick({8, 16, 32});
    const Config config{.side = side, .sp_rows = 256, .acc_rows = 128};
    Machine machine = machineOf(config, seed);
    const State before = machine.state();
    const Matmul m{.accumulate = r.range(0, 1),
                   .ternary = r.range(0, 1),
                   .w_addr = r.range(0, 256 - side),
                   .a_addr = r.range(0, 60),
                   .c_addr = r.range(0, 40),
                   .n0 = r.range(1, 17),
                   .n1 = r.range(1, 4),
                   .s0 = r.range(0, 3),
                   .s1 = r.range(0, 30),
                   .k = r.range(1, side)};
    ASSERT_FALSE(checkFields(config, {}, m));
    machine.step(m);
    for (int64_t i = 0; i < m.n0 * m.n1; ++i) {
      for (int64_t c = 0; c < side; ++c) {
        ASSERT_EQ(machine.state().acc[(m.c_addr + i) * side + c], plainSum(config, before, m, i, c))
            << disassemble(m) << ", row " << i << ", column " << c;
      }
    }
  }
}

TEST(NpuMachine, KeepUsesTheWeightsBeforeWithAnotherDepth) {
  const Config config{.sp_rows = 64, .acc_rows = 16};
  Machine machine = machineOf(config, 4);
  const State before = machine.state();
  machine.step(Matmul{.w_addr = 32, .a_addr = 0, .n0 = 1, .n1 = 1, .k = 3});
  machine.step(Matmul{.keep = 1, .a_addr = 7, .c_addr = 1, .n0 = 1, .n1 = 1, .k = 16});
  const Matmul same{.w_addr = 32, .a_addr = 7, .n0 = 1, .n1 = 1, .k = 16};
  for (int64_t c = 0; c < 16; ++c) {
    EXPECT_EQ(machine.state().acc[16 + c], plainSum(config, before, same, 0, c));
  }
}

TEST(NpuMachine, Bf16SumsInOrderDownTheColumn) {
  const Config config{.side = 8, .kind = Kind::Bf16, .sp_rows = 64, .acc_rows = 16};
  Machine machine(config, Dram());
  State state(config);
  const auto put = [&](int64_t row, int64_t element, float value) {
    const uint16_t bits = narrowToBf16(std::bit_cast<uint32_t>(value));
    std::memcpy(&state.sp[row * 16 + element * 2], &bits, sizeof bits);
  };
  // 2^24 + 1 + 1 is 2^24 in this order, and 1 + 1 + 2^24 is 2^24 + 2.
  const float forwards[] = {0x1p24f, 1, 1}, backwards[] = {1, 1, 0x1p24f};
  for (int r = 0; r < 3; ++r) {
    put(0, r, forwards[r]);
    put(1, r, backwards[r]);
    put(8 + r, 0, 1);
  }
  machine.restore(state);
  machine.step(Matmul{.w_addr = 8, .n0 = 2, .n1 = 1, .s0 = 1, .k = 3});
  EXPECT_EQ(std::bit_cast<float>(machine.state().acc[0]), 0x1p24f);
  EXPECT_EQ(std::bit_cast<float>(machine.state().acc[8]), 0x1p24f + 2);
  machine.step(Matmul{.accumulate = 1, .keep = 1, .n0 = 2, .n1 = 1, .s0 = 1, .k = 1});
  EXPECT_EQ(std::bit_cast<float>(machine.state().acc[0]), 0x1p25f);
}

// Any bits at all, and magnitudes whose products fall around the smallest normal float.
TEST(NpuMachine, Bf16IsTheSameAtEveryLevel) {
  for (uint64_t seed = 0; seed < 40; ++seed) {
    Random r(seed);
    const Config config = {.side = r.pick({8, 16, 32}), .kind = Kind::Bf16, .sp_rows = 64, .acc_rows = 32};
    State state(config);
    for (size_t i = 0; i < state.sp.size(); i += 2) {
      const auto tiny = static_cast<uint16_t>(r.range(0, 1) << 15 | r.range(60, 67) << 7 | r.range(0, 127));
      const uint16_t bits = seed % 2 == 0 ? tiny : static_cast<uint16_t>(r.bits());
      std::memcpy(&state.sp[i], &bits, sizeof bits);
    }
    for (uint32_t& word : state.acc) word = static_cast<uint32_t>(r.bits() >> (seed % 2 == 0 ? 40 : 32));
    const Matmul m{.accumulate = r.range(0, 1),
                   .w_addr = r.range(0, 32),
                   .a_addr = r.range(0, 30),
                   .n0 = 32,
                   .n1 = 1,
                   .s0 = 1,
                   .k = r.range(1, config.side)};
    const auto sums = [&](SimdLevel level) {
      Machine machine(config, Dram(), level);
      machine.restore(state);
      machine.step(m);
      return machine.state().acc;
    };
    EXPECT_EQ(sums(SimdLevel::Scalar), sums(bestSimdLevel())) << "seed " << seed;
  }
}

// A convolution, NHWC of one image: one MATMUL a tap and channel tile, no im2col.
struct Convolution {
  int64_t height, width, channels, filters, kernel, stride, dilation;
  int64_t out(int64_t extent) const { return (extent - dilation * (kernel - 1) - 1) / stride + 1; }
};

void convolve(const Convolution& conv) {
  constexpr int64_t S = 16;
  const Config config{.sp_rows = 4096, .acc_rows = 1024};
  Random r(static_cast<uint64_t>(conv.stride * 100 + conv.dilation));
  std::vector<int8_t> image(conv.height * conv.width * conv.channels);
  std::vector<int8_t> weights(conv.kernel * conv.kernel * conv.channels * conv.filters);
  for (auto* data : {&image, &weights}) {
    for (int8_t& x : *data) x = static_cast<int8_t>(r.range(-128, 127));
  }
  const int64_t tiles = (conv.channels + S - 1) / S, plane = conv.height * conv.width;
  Machine machine(config, Dram());
  State& state = machine.state();
  // The image by channel tile, then the weights by tap and channel tile; odd channels stay zero.
  for (int64_t p = 0; p < plane; ++p) {
    for (int64_t c = 0; c < conv.channels; ++c) {
      state.sp[((c / S) * plane + p) * S + c % S] = static_cast<std::byte>(image[p * conv.channels + c]);
    }
  }
  const int64_t weight_rows = tiles * plane;
  const auto tileRow = [&](int64_t tap, int64_t tile) { return weight_rows + (tap * tiles + tile) * S; };
  for (int64_t tap = 0; tap < conv.kernel * conv.kernel; ++tap) {
    for (int64_t c = 0; c < conv.channels; ++c) {
      for (int64_t f = 0; f < conv.filters; ++f) {
        state.sp[(tileRow(tap, c / S) + c % S) * S + f] =
            static_cast<std::byte>(weights[(tap * conv.channels + c) * conv.filters + f]);
      }
    }
  }
  const int64_t oh = conv.out(conv.height), ow = conv.out(conv.width);
  for (int64_t ky = 0, first = 1; ky < conv.kernel; ++ky) {
    for (int64_t kx = 0; kx < conv.kernel; ++kx) {
      for (int64_t tile = 0; tile < tiles; ++tile, first = 0) {
        const Matmul m{.accumulate = 1 - first,
                       .w_addr = tileRow(ky * conv.kernel + kx, tile),
                       .a_addr = tile * plane + ky * conv.dilation * conv.width + kx * conv.dilation,
                       .n0 = ow,
                       .n1 = oh,
                       .s0 = conv.stride,
                       .s1 = conv.stride * conv.width,
                       .k = std::min(S, conv.channels - tile * S)};
        ASSERT_FALSE(checkFields(config, {}, m));
        machine.step(m);
      }
    }
  }
  for (int64_t y = 0; y < oh; ++y) {
    for (int64_t x = 0; x < ow; ++x) {
      for (int64_t f = 0; f < conv.filters; ++f) {
        int64_t sum = 0;
        for (int64_t ky = 0; ky < conv.kernel; ++ky) {
          for (int64_t kx = 0; kx < conv.kernel; ++kx) {
            const int64_t iy = y * conv.stride + ky * conv.dilation,
                          ix = x * conv.stride + kx * conv.dilation;
            for (int64_t c = 0; c < conv.channels; ++c) {
              sum += image[(iy * conv.width + ix) * conv.channels + c] *
                     weights[((ky * conv.kernel + kx) * conv.channels + c) * conv.filters + f];
            }
          }
        }
        ASSERT_EQ(static_cast<int32_t>(state.acc[(y * ow + x) * S + f]), sum) << y << "," << x << "," << f;
      }
    }
  }
}

TEST(NpuMachine, ConvolutionIsOneMatmulATap) {
  for (const Convolution& conv : {Convolution{14, 14, 16, 16, 3, 1, 1}, Convolution{15, 13, 20, 7, 3, 2, 1},
                                  Convolution{12, 17, 5, 16, 3, 1, 2}, Convolution{16, 16, 33, 9, 1, 2, 1},
                                  Convolution{13, 13, 3, 16, 5, 3, 2}}) {
    convolve(conv);
  }
}

TEST(NpuMachine, TransfersFollowTheirLoops) {
  const Config config{.side = 8, .sp_rows = 64, .acc_rows = 16};
  std::vector<std::byte> bytes(1024);
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(i % 251);
  auto dram = Dram::make({{4096, bytes.data(), bytes.size(), true}});
  ASSERT_TRUE(dram);
  Machine machine(config, *dram);
  std::ranges::fill(machine.state().sp, std::byte{0xee});
  machine.step(Dim{.of_store = 0, .loop = 0, .count = 3, .row_stride = 2, .dram_stride = 5});
  machine.step(Dim{.of_store = 0, .loop = 2, .count = 2, .row_stride = 10, .dram_stride = -100});
  machine.step(Load{.loops = 5, .row = 4, .bytes = 6, .dram = 4096 + 200});
  for (int64_t i2 = 0; i2 < 2; ++i2) {
    for (int64_t i0 = 0; i0 < 3; ++i0) {
      const int64_t row = 4 + i2 * 10 + i0 * 2, from = 200 - i2 * 100 + i0 * 5;
      for (int64_t b = 0; b < 8; ++b) {
        const auto expected = b < 6 ? bytes[from + b] : std::byte{0};
        EXPECT_EQ(machine.state().sp[row * 8 + b], expected) << row << "," << b;
      }
    }
  }
  EXPECT_EQ(machine.state().sp[5 * 8], std::byte{0xee});  // between the rows
  machine.step(Store{.loops = 0, .row = 4, .bytes = 3, .dram = 4096});
  EXPECT_EQ(bytes[2], bytes[202]);
  EXPECT_EQ(bytes[3], std::byte{3});  // behind the bytes
  machine.step(Fill{.loops = 0, .row = accAddress(1), .bytes = 5, .value = -1});
  EXPECT_EQ(machine.state().acc[8], 0xffffffffu);
  EXPECT_EQ(machine.state().acc[9], 0x000000ffu);
}

}  // namespace
}  // namespace tetrarch::npu
