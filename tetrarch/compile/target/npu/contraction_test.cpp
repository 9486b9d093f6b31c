// Contractions on the functional model against sums written out, over random shapes; and how busy the array
// is.
#include "tetrarch/compile/target/npu/contraction.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

#include "tetrarch/compile/target/npu/resnet50_layers.h"
#include "tetrarch/devices/npu/machine.h"
#include "tetrarch/devices/npu/random_case.h"
#include "tetrarch/devices/npu/timing.h"
#include "tetrarch/devices/npu/verifier.h"

namespace tetrarch::npu {
namespace {

constexpr int64_t kInput = 0, kWeights = 1 << 26, kParameters = 2 << 26, kTable = 3 << 26, kOther = 4 << 26,
                  kOutput = 5 << 26, kWorkspace = 6 << 26;

int64_t ceilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

int64_t roundToEven(int64_t x, int64_t shift) {
  if (shift == 0) return x;
  return (x + (int64_t{1} << (shift - 1)) - 1 + (x >> shift & 1)) >> shift;
}

// One contraction with all that it reads and writes: images of NHWC, weights in panels of S columns.
class Problem {
 public:
  Problem(const Config& config, const Axis& h, const Axis& w, int64_t channels, int64_t columns,
          int64_t images)
      : config_(config) {
    c.h = h, c.w = w, c.channels = channels, c.columns = columns;
    c.input = kInput, c.input_w = channels, c.input_h = w.in * channels;
    c.weights = kWeights, c.weight_channel = config.side, c.weight_tap_w = channels * config.side;
    c.weight_tap_h = w.taps * c.weight_tap_w, c.weight_panel = h.taps * c.weight_tap_h;
    c.workspace = kWorkspace;
    setEpilogue(Epilogue::Kind::Sums);
    setImages(images);
  }

  void setEpilogue(Epilogue::Kind kind, bool table = false) {
    c.epilogue = {.kind = kind,
                  .parameters = kParameters,
                  .zero_point = 3,
                  .low = -100,
                  .high = 120,
                  .other = kOther,
                  .other_zero_point = -5,
                  .other_multiplier = 12345,
                  .other_shift = 13};
    if (table) c.epilogue.table = kTable;
    c.output = kOutput;
    c.output_w = c.columns * c.outputElementBytes();
    c.output_h = c.w.out * c.output_w;
    setImages(images_);
  }

  Contraction c;

  // Empty when all is as it should be.
  std::string check(uint64_t seed) {
    fillData(seed);
    auto plan = planContraction(config_, c);
    if (!plan) return std::string(plan.error().message());
    Random random(seed);
    const int64_t cut = random.range(0, plan->tiles());
    workspace_.assign(std::max<int64_t>(1, plan->workspaceBytes()), std::byte{77});
    for (const auto& [begin, end] : {std::pair(int64_t{0}, cut), std::pair(cut, plan->tiles())}) {
      if (begin == end) continue;
      if (std::string error = run(*plan, begin, end); !error.empty()) return error;
    }
    return compare();
  }

 private:
  void setImages(int64_t images) {
    images_ = images;
    const OuterLoop loop{.count = images, .input = c.h.in * c.input_h, .output = c.h.out * c.output_h};
    c.outer.assign(images > 1 ? 1 : 0, loop);
  }

  void fillData(uint64_t seed) {
    Random random(seed);
    const int64_t panels = ceilDiv(c.columns, config_.side);
    input_.resize(images_ * c.h.in * c.input_h);
    weights_.resize(panels * c.weight_panel);
    other_.resize(images_ * c.h.out * c.w.out * c.columns);
    output_.assign(other_.size() * c.outputElementBytes(), std::byte{99});
    table_.resize(2 * kTableEntries);
    parameters_.resize(panels * 2 * config_.side);
    fillRandomly(random, input_);
    fillRandomly(random, weights_);
    fillRandomly(random, other_);
    for (int64_t i = 0; i < kTableEntries; ++i) {
      const auto value = static_cast<int16_t>(static_cast<int8_t>(i * 7 + 5));
      std::memcpy(&table_[2 * i], &value, 2);
    }
    for (int64_t p = 0; p < panels; ++p) {
      for (int64_t lane = 0; lane < config_.side; ++lane) {
        parameters_[2 * p * config_.side + lane] = static_cast<int32_t>(random.range(-100000, 100000));
        parameters_[(2 * p + 1) * config_.side + lane] =
            static_cast<int32_t>(random.range(1 << 14, (1 << 15) - 1) | random.range(18, 26) << 16);
      }
    }
  }

  std::string run(const ContractionPlan& plan, int64_t begin, int64_t end) {
    StreamBuilder builder(config_);
    emitContraction(config_, plan, begin, end, builder);
    auto program = builder.finish();
    if (!program) return std::string(program.error().message());
    const auto segment = [](int64_t base, auto& data, bool writable) {
      return Dram::Segment{static_cast<uint64_t>(base), reinterpret_cast<std::byte*>(data.data()),
                           data.size() * sizeof(data[0]), writable};
    };
    auto dram = Dram::make({segment(kInput, input_, false), segment(kWeights, weights_, false),
                            segment(kParameters, parameters_, false), segment(kTable, table_, false),
                            segment(kOther, other_, false), segment(kOutput, output_, true),
                            segment(kWorkspace, workspace_, true)});
    if (!dram) return std::string(dram.error().message());
    if (Status status = verify(config_, *program, *dram); !status.ok()) return std::string(status.message());
    if (simulateTiming(config_, *encode(*program)).cause != Cause::Done) return "does not end";
    Machine(config_, *dram).run(*program);
    return "";
  }

  int64_t inputAt(int64_t image, int64_t y, int64_t x, int64_t channel) const {
    if (y < 0 || y >= c.h.in || x < 0 || x >= c.w.in) return c.padding;
    return static_cast<int8_t>(input_[((image * c.h.in + y) * c.w.in + x) * c.channels + channel]);
  }

  int32_t sumAt(int64_t image, int64_t y, int64_t x, int64_t column) const {
    int64_t sum = 0;
    const int64_t panel = column / config_.side * c.weight_panel + column % config_.side;
    for (int64_t ky = 0; ky < c.h.taps; ++ky) {
      for (int64_t kx = 0; kx < c.w.taps; ++kx) {
        for (int64_t k = 0; k < c.channels; ++k) {
          const auto weight = static_cast<int8_t>(
              weights_[panel + ky * c.weight_tap_h + kx * c.weight_tap_w + k * c.weight_channel]);
          sum += weight * inputAt(image, y * c.h.stride + ky * c.h.dilation - c.h.low,
                                  x * c.w.stride + kx * c.w.dilation - c.w.low, k);
        }
      }
    }
    return static_cast<int32_t>(sum);
  }

  int64_t byteAt(int32_t sum, int64_t column, int64_t place) const {
    const Epilogue& e = c.epilogue;
    const int64_t at = column / config_.side * 2 * config_.side + column % config_.side;
    const int64_t scale = parameters_[at + config_.side];
    int64_t value = roundToEven((int64_t{sum} + parameters_[at]) * (scale & 0xffff), scale >> 16);
    if (e.kind == Epilogue::Kind::RequantizeAdd) {
      value += roundToEven((static_cast<int8_t>(other_[place]) - e.other_zero_point) * e.other_multiplier,
                           e.other_shift);
    }
    value = std::clamp(value + e.zero_point, e.low, e.high);
    return e.table ? static_cast<int8_t>((value & 255) * 7 + 5) : value;
  }

  std::string compare() const {
    for (int64_t i = 0; i < static_cast<int64_t>(other_.size()); ++i) {
      const int64_t column = i % c.columns, pixel = i / c.columns, x = pixel % c.w.out;
      const int64_t y = pixel / c.w.out % c.h.out, image = pixel / c.w.out / c.h.out;
      const int32_t sum = sumAt(image, y, x, column);
      int64_t is = 0;
      int64_t expected = sum;
      if (c.epilogue.kind == Epilogue::Kind::Sums) {
        int32_t word = 0;
        std::memcpy(&word, &output_[4 * i], 4);
        is = word;
      } else {
        is = static_cast<int8_t>(output_[i]);
        expected = byteAt(sum, column, i);
      }
      if (is != expected) {
        return fmt::format("image {}, line {}, pixel {}, column {}: {} and not {}", image, y, x, column, is,
                           expected);
      }
    }
    return "";
  }

  Config config_;
  int64_t images_ = 1;
  std::vector<std::byte> input_, weights_, other_, output_, table_, workspace_;
  std::vector<int32_t> parameters_;
};

Axis randomAxis(Random& random) {
  Axis axis{.out = 1, .in = random.range(1, 20)};
  axis.taps = random.pick({1, 1, 2, 3, 5});
  axis.stride = random.pick({1, 1, 2, 3});
  axis.dilation = axis.taps > 1 ? random.pick({1, 1, 2}) : 1;
  const int64_t reach = (axis.taps - 1) * axis.dilation;
  axis.low = random.range(0, reach);
  const int64_t padded = axis.in + axis.low + random.range(0, reach);
  axis.out = padded > reach ? (padded - reach - 1) / axis.stride + 1 : 1;
  if (padded <= reach) axis.in += reach;
  return axis;
}

TEST(NpuContraction, RandomShapes) {
  for (uint64_t seed = 0; seed < 250; ++seed) {
    Random random(seed);
    const Config config = Config::standard(random.pick({8, 16, 16, 32}), Kind::Int8);
    const Axis h = randomAxis(random), w = randomAxis(random);
    Problem problem(config, h, w, random.pick({1, 3, 7, 16, 24, 40, 64}), random.pick({1, 5, 16, 17, 48}),
                    random.range(1, 2));
    problem.c.padding = random.range(-128, 127);
    const auto kind = static_cast<Epilogue::Kind>(random.range(0, 2));
    problem.setEpilogue(kind, kind != Epilogue::Kind::Sums && random.chance(30));
    ASSERT_EQ(problem.check(seed), "") << "seed " << seed;
  }
}

TEST(NpuContraction, LongSums) {
  for (const int64_t channels : {1000, 5000}) {
    Problem product(Config{}, {}, {.out = 70, .in = 70}, channels, 20, 1);
    product.setEpilogue(Epilogue::Kind::Requantize);
    EXPECT_EQ(product.check(1), "");
  }
  Problem too_long(Config{}, {}, {.out = 2, .in = 2}, 1 << 20, 1, 1);
  EXPECT_NE(too_long.check(1).find("does not fit into a scratchpad"), std::string::npos);
}

// More columns than the accumulator memory has room for parameters.
TEST(NpuContraction, ManyColumns) {
  Problem product(Config{}, {}, {.out = 3, .in = 3}, 32, 3000, 1);
  product.setEpilogue(Epilogue::Kind::Requantize);
  EXPECT_EQ(product.check(1), "");
}

// Products that the layers need by what the array could do in their cycles.
TEST(NpuContraction, KeepsTheArrayBusyWithResNet50) {
  const Config config;
  double products = 0, capacity = 0;
  for (const ConvolutionLayer& layer : kResNet50) {
    const Contraction c = contractionOf(layer, config);
    const auto plan = planContraction(config, c);
    ASSERT_TRUE(plan) << layer.name << ": " << plan.error().message();
    StreamBuilder builder(config);
    emitContraction(config, *plan, 0, plan->tiles(), builder);
    const auto needed = static_cast<double>(c.multiplications());
    const auto possible = static_cast<double>(simulateTiming(config, *encode(*builder.finish())).cycles *
                                              config.side * config.side);
    EXPECT_GT(needed, (layer.channels < config.side ? 0.6 : 0.9) * possible) << layer.name;
    products += static_cast<double>(layer.times) * needed;
    capacity += static_cast<double>(layer.times) * possible;
  }
  EXPECT_GT(products, 0.95 * capacity);
}

}  // namespace
}  // namespace tetrarch::npu
