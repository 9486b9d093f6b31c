// Contractions of bf16 on the functional model, over random shapes: each sum bit for bit, in the order that
// rtl/npu/README.md gives to the array, then what a program makes of it.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

#include "tetrarch/compile/target/npu/contraction.h"
#include "tetrarch/devices/npu/float_math.h"
#include "tetrarch/devices/npu/machine.h"
#include "tetrarch/devices/npu/random_case.h"
#include "tetrarch/devices/npu/timing.h"
#include "tetrarch/devices/npu/verifier.h"

namespace tetrarch::npu {
namespace {

constexpr int64_t kInput = 0, kWeights = 1 << 26, kColumn = 2 << 26, kOther = 3 << 26, kConstants = 4 << 26,
                  kOutput = 5 << 26, kWorkspace = 6 << 26;

Axis randomAxis(Random& random) {
  Axis axis{.out = 1, .in = random.range(6, 20)};
  axis.taps = random.pick({1, 1, 2, 3});
  axis.stride = random.pick({1, 1, 2});
  axis.dilation = axis.taps > 1 ? random.pick({1, 1, 2}) : 1;
  const int64_t reach = (axis.taps - 1) * axis.dilation;
  axis.low = random.range(0, reach);
  axis.out = (axis.in + axis.low + random.range(0, reach) - reach - 1) / axis.stride + 1;
  return axis;
}

// (sum * column + other) of bf16 or f32, rounded to bf16 or not.
VectorProgram randomProgram(Random& random, int64_t columns) {
  VectorProgram p{.columns = columns, .nodes = {}, .results = {}, .floats = true, .tables = {}};
  const int sums = p.input(kSumsBuffer, 4, Extent::Element);
  const int scaled = p.binary(VectorKind::Mul, sums, p.input(0, 4, Extent::Column));
  const int sum = p.binary(VectorKind::Add, scaled, p.input(1, random.pick({2, 4}), Extent::Element));
  const int limited = p.binary(VectorKind::Max, sum, p.number(0));
  const int64_t bytes = random.pick({2, 4});
  p.results.push_back({bytes == 2 ? p.move(limited, true) : limited, bytes});
  p.foldMoves();
  return p;
}

class Problem {
 public:
  Problem(const Config& config, Random& random) : config_(config) {
    const int64_t e = 2, side = config.side;
    c_.h = randomAxis(random), c_.w = randomAxis(random);
    c_.element = e;
    c_.channels = random.pick({1, 3, 7, 16, 24, 40}), c_.columns = random.pick({1, 5, 16, 17, 48});
    c_.input = kInput, c_.input_w = c_.channels * e, c_.input_h = c_.w.in * c_.input_w;
    c_.weights = kWeights, c_.weight_channel = side * e, c_.weight_tap_w = c_.channels * side * e;
    c_.weight_tap_h = c_.w.taps * c_.weight_tap_w, c_.weight_panel = c_.h.taps * c_.weight_tap_h;
    c_.workspace = kWorkspace;
    if (random.chance(70)) {
      c_.epilogue.kind = Epilogue::Kind::Program;
      c_.epilogue.program = randomProgram(random, c_.columns);
      c_.epilogue.operands = {kColumn, kOther};
      c_.epilogue.constants = kConstants;
    }
    const int64_t result = c_.outputElementBytes();
    c_.output = c_.epilogue.result = kOutput;
    c_.output_w = c_.columns * result, c_.output_h = c_.w.out * c_.output_w;
    fill(random);
  }

  void check() {
    auto plan = planContraction(config_, c_);
    ASSERT_TRUE(plan) << plan.error().message();
    workspace_.assign(std::max<int64_t>(1, plan->workspaceBytes()), std::byte{77});
    StreamBuilder builder(config_);
    emitContraction(config_, *plan, 0, plan->tiles(), builder);
    auto program = builder.finish();
    ASSERT_TRUE(program) << program.error().message();
    const auto segment = [](int64_t base, auto& data, bool writable) {
      return Dram::Segment{static_cast<uint64_t>(base), data.data(), data.size(), writable};
    };
    const Dram dram = *Dram::make({segment(kInput, input_, false), segment(kWeights, weights_, false),
                                   segment(kColumn, column_, false), segment(kOther, other_, false),
                                   segment(kConstants, constants_, false), segment(kOutput, output_, true),
                                   segment(kWorkspace, workspace_, true)});
    const Status status = verify(config_, *program, dram);
    ASSERT_TRUE(status.ok()) << status.message();
    ASSERT_EQ(simulateTiming(config_, *encode(*program)).cause, Cause::Done);
    Machine(config_, dram).run(*program);
    compare(*plan);
  }

 private:
  void fill(Random& random) {
    const int64_t panels = (c_.columns + config_.side - 1) / config_.side;
    const int64_t outputs = c_.h.out * c_.w.out * c_.columns;
    const auto bytes = [&](int64_t count, int64_t each) {
      std::vector<std::byte> made(count * each);
      for (int64_t i = 0; i < count; ++i) {
        const auto number = static_cast<float>(random.range(-1000, 1000)) / 300;
        uint32_t word = std::bit_cast<uint32_t>(number);
        if (each == 2) word = narrowToBf16(word);
        std::memcpy(&made[i * each], &word, each);
      }
      return made;
    };
    input_ = bytes(c_.h.in * c_.w.in * c_.channels, 2);
    weights_ = bytes(panels * c_.weight_panel / 2, 2);
    column_ = bytes(c_.columns, 4);
    other_ = bytes(outputs, otherBytes());
    constants_ = constantsOf(c_.epilogue.program, config_.side);
    output_.assign(outputs * c_.outputElementBytes(), std::byte{99});
  }
  int64_t otherBytes() const {
    for (const VectorNode& n : c_.epilogue.program.nodes) {
      if (n.kind == VectorKind::Input && n.buffer == 1) return n.bytes;
    }
    return 4;
  }

  static uint32_t wordAt(const std::vector<std::byte>& bytes, int64_t at, int64_t each) {
    uint32_t word = 0;
    std::memcpy(&word, &bytes[at], each);
    return each == 2 ? word << 16 : word;
  }

  // As the plan reads memory: a block of channels after the other, of each its taps.
  uint32_t sumAt(const ContractionPlan& plan, int64_t y, int64_t x, int64_t column) const {
    const Contraction& c = plan.work;
    const auto& input = plan.pads_lines ? workspace_ : input_;
    const int64_t base = plan.pads_lines ? kWorkspace : kInput;
    const int64_t weights = column / config_.side * c.weight_panel + column % config_.side * c.element;
    uint32_t sum = 0;
    bool is_first = true;
    for (int64_t block = 0; block < c.channels; block += config_.side) {
      for (int64_t tap = 0; tap < c.taps(); ++tap) {
        const int64_t ky = tap / c.w.taps, kx = tap % c.w.taps;
        const int64_t iy = y * c.h.stride + ky * c.h.dilation - c.h.low;
        const int64_t ix = x * c.w.stride + kx * c.w.dilation - c.w.low;
        const bool exists = iy >= 0 && iy < c.h.in && ix >= 0 && ix < c.w.in;
        uint32_t part = 0;
        for (int64_t k = block; k < std::min(c.channels, block + config_.side); ++k) {
          const int64_t at = c.input - base + iy * c.input_h + ix * c.input_w + k * c.element;
          const uint32_t a = exists ? wordAt(input, at, 2) : 0;
          const int64_t w = weights + ky * c.weight_tap_h + kx * c.weight_tap_w + k * c.weight_channel;
          part = addFloat(part, multiplyFloat(a, wordAt(weights_, w, 2)));
        }
        sum = is_first ? part : addFloat(sum, part);
        is_first = false;
      }
    }
    return sum;
  }

  uint32_t resultAt(uint32_t sum, int64_t column, int64_t place) const {
    if (c_.epilogue.kind == Epilogue::Kind::Sums) return sum;
    const uint32_t scaled = multiplyFloat(sum, wordAt(column_, 4 * column, 4));
    const uint32_t added = addFloat(scaled, wordAt(other_, place * otherBytes(), otherBytes()));
    return added & kFloatSign ? 0 : added;
  }

  void compare(const ContractionPlan& plan) const {
    const int64_t bytes = c_.outputElementBytes();
    for (int64_t i = 0; i < static_cast<int64_t>(output_.size()) / bytes; ++i) {
      const int64_t column = i % c_.columns, x = i / c_.columns % c_.w.out, y = i / c_.columns / c_.w.out;
      const uint32_t expected = resultAt(sumAt(plan, y, x, column), column, i);
      const uint32_t rounded = bytes == 2 ? widenBf16(narrowToBf16(expected)) : expected;
      ASSERT_EQ(wordAt(output_, i * bytes, bytes), rounded)
          << "line " << y << ", pixel " << x << ", column " << column;
    }
  }

  Config config_;
  Contraction c_;
  std::vector<std::byte> input_, weights_, column_, other_, constants_, output_, workspace_;
};

TEST(NpuFloatContraction, RandomShapes) {
  for (uint64_t seed = 0; seed < 200; ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    Problem(Config::standard(random.pick({8, 16, 16, 32}), Kind::Bf16), random).check();
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace tetrarch::npu
