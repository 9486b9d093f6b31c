// Chains of convolutions as one stream on the NPU's models, tensors between them on the chip: the bits of the
// reference interpreter, less traffic, and no more cycles.
#include "tetrarch/abi/npu_program.h"
#include "tetrarch/compile/target/npu/npu_graph_test.h"
#include "tetrarch/devices/npu/energy.h"
#include "tetrarch/devices/npu/timing.h"
#include "tetrarch/graph/quantized.h"
#include "tetrarch/graph/tet.h"

namespace tetrarch::compile {
namespace {

// Traffic and cycles of all streams of a blob.
struct Work {
  double dram_bytes = 0;
  int64_t cycles = 0;
};

Work workOf(const std::vector<std::byte>& blob) {
  Work work;
  const npu::Config config;
  for (const npu::ProgramEntry& entry : npu::readProgram(blob)->entries) {
    for (const auto& words : entry.streams) {
      const npu::Timing timing = npu::simulateTiming(config, words);
      const auto units = npu::energyUnits(config, *npu::decode(words), timing);
      work.cycles += timing.cycles;
      work.dram_bytes += units[static_cast<size_t>(npu::EnergyClass::DramByte)];
    }
  }
  return work;
}

class NpuSegment : public NpuGraphTest {
 protected:
  struct Conv {
    int64_t columns, taps, stride = 1;
  };

  // x -> requantised convolution with padding that keeps the size; plus `other` where that is not null.
  Value conv(Builder& b, Value x, const Conv& c, Value other = {}) {
    const Shape in = tet::shapeOf(x);
    Tensor numbers = Tensor::create(ElementType::I8, {c.taps, c.taps, in[3], c.columns}).value();
    for (int64_t i = 0; i < numbers.count(); ++i)
      numbers.setInt(i, static_cast<int64_t>(random_() % 255) - 127);
    using Dims = llvm::SmallVector<int64_t>;
    const int64_t low = c.taps / 2;
    // Padding with another number than 0: the zero point.
    Value padded =
        tet::PadOp::create(b, x, zeroPoint(b), Dims{0, low, low, 0}, Dims{0, low, low, 0}, Dims{0, 0, 0, 0});
    const int64_t h = (in[1] + 2 * low - c.taps) / c.stride + 1,
                  w = (in[2] + 2 * low - c.taps) / c.stride + 1;
    auto type = tet::toMlir(ElementType::I32, Shape{1, h, w, c.columns}, context_.get());
    Value sum = tet::ConvolutionOp::create(b, type, padded, table(b, numbers), Dims{c.stride, c.stride},
                                           Dims{0, 0, 0, 0}, Dims{1, 1}, Dims{1, 1}, 0, 3, Dims{1, 2}, 2, 3,
                                           Dims{0, 1}, 0, 3, Dims{1, 2}, 1);
    const tet::RequantizeInput in_numbers{sum, column(b, c.columns, -20000, 20000),
                                          column(b, c.columns, 1 << 14, (1 << 15) - 1),
                                          column(b, c.columns, 23, 25), 3};
    const tet::RequantizeOutput out{.zero_point = kZero, .low = -100, .high = 120};
    return other ? tet::requantizeAdd(b, in_numbers, {other, kZero, 20000, 15}, out)
                 : tet::requantize(b, in_numbers, out);
  }
  Value zeroPoint(Builder& b) {
    const int64_t numbers[] = {kZero};
    return table(b, Tensor::of<int64_t>(ElementType::I8, {}, numbers));
  }

  // All tasks of the graph of one input as one segment.
  void checkSegment(const Shape& shape, Build build) {
    auto graph = graphOf(1, shape, build);
    Tensor input = Tensor::create(ElementType::I8, shape).value();
    for (int64_t e = 0; e < input.count(); ++e) input.setInt(e, static_cast<int64_t>(random_() % 256) - 128);
    const std::vector<Tensor> expected = tet::interpret(*graph, {input}).value();
    auto program = TaskProgram::make(std::move(graph));
    ASSERT_TRUE(program) << program.error().message();

    // Runs the tasks on the CPU's general path only to learn which tensors they pass on.
    Segment segment{.name = "segment"};
    std::vector<Tensor> operands;  // from outside
    std::map<const void*, int> made;
    std::vector<std::pair<size_t, std::vector<const void*>>> uses;
    std::vector<Tensor> kept;  // so that no address comes twice
    auto note = [&](size_t i, std::vector<Tensor>& in, std::vector<Tensor>& out) -> Status {
      Task task = program->tasks()[i];
      std::vector<const void*> addresses;
      for (const Tensor& tensor : in) {
        addresses.push_back(tensor.data());
        const bool is_inside = made.contains(tensor.data()), is_input = tensor.data() == input.data();
        task.constants.push_back(
            is_inside || is_input ? std::span<const std::byte>()
                                  : std::span(static_cast<const std::byte*>(tensor.data()), tensor.bytes()));
        const auto is_it = [&](const Tensor& known) { return known.data() == tensor.data(); };
        if (!is_inside && std::ranges::none_of(operands, is_it)) operands.push_back(tensor);
      }
      for (const Tensor& tensor : out) {
        made[tensor.data()] = 0;
        addresses.push_back(tensor.data());
        kept.push_back(tensor);
      }
      segment.tasks.push_back(std::move(task));
      uses.emplace_back(in.size(), std::move(addresses));
      return {};
    };
    ASSERT_TRUE(program->run({input}, note));
    std::map<const void*, int> numbers;
    for (const Tensor& tensor : operands)
      numbers.try_emplace(tensor.data(), static_cast<int>(numbers.size()));
    segment.inputs = static_cast<int>(operands.size()), segment.outputs = 1;
    numbers[kept.back().data()] = segment.inputs;
    for (const auto& [inputs, addresses] : uses) {
      Segment::Uses& of = segment.uses.emplace_back();
      for (size_t i = 0; i < addresses.size(); ++i) {
        const auto [it, fresh] = numbers.try_emplace(addresses[i], static_cast<int>(numbers.size()));
        (i < inputs ? of.inputs : of.outputs).push_back(it->second);
      }
    }
    segment.tensors = static_cast<int>(numbers.size());

    const auto generator = findCodeGenerator("npu")->forFeatures("side=16");
    auto code = generator->addSegments({}, {&segment, 1});
    ASSERT_TRUE(code) << code.error().message();
    EXPECT_EQ(code->kernels[0].shares.size(), segment.tasks.size());
    const CodeBlob blob{.format = "npu", .bytes = code->bytes, .entries = {{.symbol = "segment"}}};
    auto device = PluginRunner::open(TETRARCH_NPU_PLUGIN, "");
    ASSERT_TRUE(device) << device.error().message();
    std::vector<Tensor> results = {Tensor::create(expected[0].type(), expected[0].shape()).value()};
    const Status status = device->run(blob, 0, operands, results);
    ASSERT_TRUE(status.ok()) << status.message();
    for (int64_t e = 0; e < expected[0].count(); ++e)
      ASSERT_EQ(results[0].getInt(e), expected[0].getInt(e)) << "element " << e;
    auto apart = generator->compile(segment.tasks, {});
    ASSERT_TRUE(apart) << apart.error().message();
    together_ = workOf(code->bytes), apart_ = workOf(apart->front().bytes);
    EXPECT_LE(together_.dram_bytes, apart_.dram_bytes);
    EXPECT_LE(together_.cycles, apart_.cycles);
  }

  static constexpr int64_t kZero = -7;
  Work together_, apart_;
};

// A block of ResNet-50's third stage, narrower: 1x1, 3x3 with padding, 1x1 plus what the first one read.
TEST_F(NpuSegment, ABottleneckStaysOnTheChip) {
  checkSegment({1, 14, 14, 64}, [&](Builder& b, mlir::ValueRange in) {
    Value x = conv(b, in[0], {128, 1});
    Value y = conv(b, conv(b, x, {32, 1}), {32, 3});
    return conv(b, y, {128, 1}, x);
  });
  // Input, weights, output and instructions are left.
  EXPECT_LT(together_.dram_bytes, 0.65 * apart_.dram_bytes);
}

TEST_F(NpuSegment, StridesAndPaddingsOfReaders) {
  checkSegment({1, 9, 9, 32}, [&](Builder& b, mlir::ValueRange in) {
    Value x = conv(b, in[0], {48, 3});
    return conv(b, conv(b, x, {24, 5, 2}), {40, 1});
  });
}

// What does not fit passes through DRAM.
TEST_F(NpuSegment, LargePlanesPassThroughDram) {
  checkSegment({1, 80, 72, 32}, [&](Builder& b, mlir::ValueRange in) {
    return conv(b, conv(b, conv(b, in[0], {64, 3}), {64, 3}), {16, 1});
  });
}

TEST_F(NpuSegment, RandomChains) {
  const auto range = [&](int64_t low, int64_t high) {
    return low + static_cast<int64_t>(random_() % static_cast<uint64_t>(high - low + 1));
  };
  const auto pick = [&](std::initializer_list<int64_t> numbers) {
    return numbers.begin()[random_() % numbers.size()];
  };
  for (uint64_t seed = 1; seed <= 25; ++seed) {
    SCOPED_TRACE(seed);
    random_.seed(seed);
    const Shape shape{1, range(1, 20), range(1, 20), pick({3, 16, 24, 64})};
    checkSegment(shape, [&](Builder& b, mlir::ValueRange in) {
      std::vector<Value> values = {conv(b, in[0], {pick({16, 20, 48}), 1})};
      for (int64_t i = range(2, 5); i > 0; --i) {
        Value x = values[range(0, static_cast<int64_t>(values.size()) - 1)];
        if (i == 1) x = values.back();
        const Conv c{pick({16, 20, 48}), pick({1, 1, 3, 5}), pick({1, 1, 2})};
        Value other;
        for (Value value : values) {
          const Shape of = tet::shapeOf(value), is = tet::shapeOf(x);
          if (c.stride == 1 && value != x && of[1] == is[1] && of[2] == is[2] && of[3] == c.columns)
            other = value;
        }
        values.push_back(conv(b, x, c, other));
      }
      return values.back();
    });
    if (HasFatalFailure()) return;
  }
}

}  // namespace
}  // namespace tetrarch::compile
